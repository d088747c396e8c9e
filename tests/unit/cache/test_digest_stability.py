"""Digests are the same in every process, with every hash seed, and in every version that reads this format of the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import slow

HERE = Path(__file__).parent


@pytest.mark.parametrize("seed", ["0", "random", *slow(["1", "2"])])
def test_digests_are_those_that_were_written_down(seed):
    """A difference makes every store miss: raise the format and say so in store-format.md, or find out what broke."""
    environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(HERE.parents[2])}

    out = subprocess.run(
        [sys.executable, HERE / "digest_cases.py"], env=environ, capture_output=True, check=True
    ).stdout

    assert json.loads(out) == json.loads((HERE / "digests.json").read_text())
