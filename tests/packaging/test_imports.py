"""What importing costs, and which module may import which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("textual", "rich", "git", "dulwich", "multiprocess", "dill", "tomlkit", "click", "blake3", "numpy", "pandas")


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a clean process has loaded after some code."""
    script = f"{code}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT, env=dict(os.environ)
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_finestflow_loads_no_third_party_module():
    assert not loaded_by("import finestflow").intersection(HEAVY)


def test_the_command_line_loads_click_and_nothing_else():
    assert loaded_by("import finestflow.cli").intersection(HEAVY) == {"click"}


def test_help_loads_click_and_nothing_else():
    code = "import contextlib, io, finestflow.cli\nwith contextlib.redirect_stdout(io.StringIO()):\n    finestflow.cli.main(['--help'])"

    assert loaded_by(code).intersection(HEAVY) == {"click"}


def test_what_users_write_needs_no_git_library():
    assert not loaded_by("from finestflow import Param, Pipeline, Task").intersection(
        {"git", "dulwich", "textual", "rich", "click", "numpy"}
    )


def test_every_public_name_is_the_object_of_its_home():
    import finestflow

    for name in finestflow.__all__:
        assert getattr(finestflow, name) is getattr(finestflow, name)
        assert name in dir(finestflow)


def test_an_unknown_name_is_an_attribute_error():
    import finestflow

    with pytest.raises(AttributeError, match="nothing"):
        finestflow.nothing  # noqa: B018


@pytest.mark.slow
def test_imports_only_point_down():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "finestflow" / "py.typed").exists()
