"""The examples of the pages run as they are written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import slow

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in a language."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", *slow(["docs/index.md"])])
def test_the_first_example_runs_and_is_recorded(page, repository, git):
    (repository / "example.py").write_text(blocks(page, "python")[0], "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "finestflow", "run", "example.py"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert ": ok" in git("log", "--format=%s", "refs/finestflow")


def test_the_settings_of_the_tutorial_are_valid(tmp_path):
    from finestflow.config import load_config

    for number, block in enumerate(blocks("docs/tutorial.md", "toml")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / ".finestflow.toml").write_text(block, "utf-8")
        load_config(folder, environ={})


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/index.md", "docs/explanation/caching.md"])
def test_every_command_that_a_page_shows_exists(page):
    import click

    from finestflow.cli import COMMANDS, cli

    for line in re.findall(r"\$ finestflow ([^#\n]*)", (ROOT / page).read_text("utf-8")):
        name, *rest = line.split()
        command = cli.get_command(click.Context(cli), name)

        assert command is not None, line
        options = {option for parameter in command.params for option in parameter.opts}
        if name in COMMANDS and name != "config":
            assert all(
                word.split("=")[0] in options for word in rest if word.startswith("--") or re.fullmatch("-[a-z]", word)
            ), line
