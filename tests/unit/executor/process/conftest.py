"""The pool that the tests of a module share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.executor.process.lab import Lab

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Two workers, warm from test to test."""
    lab = Lab(tmp_path_factory.mktemp("lab"), ROOT)
    yield lab
    lab.close()


@pytest.fixture
def own_lab(tmp_path):
    """Two workers for one test alone."""
    lab = Lab(tmp_path, ROOT)
    yield lab
    lab.close()
