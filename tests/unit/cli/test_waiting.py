"""The line that tells how far something is that takes long."""

from __future__ import annotations

import io

import pytest

from finestflow.cli import _waiting
from finestflow.cli._output import Output
from finestflow.cli._waiting import Waiting


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def told(err: io.StringIO, *, verbosity: int = 0) -> str:
    """Return what is written while something goes from 0 to 200, and then something else ends at once."""
    out = Output(environ={"TERM": "xterm"}, out=io.StringIO(), err=err, verbosity=verbosity)
    waiting = Waiting(out)
    for done in (50, 100, 200):
        waiting("reading records", done, 200)
    waiting("making the index", 10, 10)
    return err.getvalue()


def test_a_terminal_is_told_how_far_it_is_and_the_line_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_waiting, "_SECONDS", 0.0)
    text = told(Terminal())
    assert "reading records" in text
    assert "50%" in text
    assert text.endswith("\r\x1b[K")
    assert "making the index" not in text


def test_what_is_soon_over_is_not_told() -> None:
    assert told(Terminal()) == ""


@pytest.mark.parametrize(("err", "verbosity"), [(io.StringIO, 0), (Terminal, -1)])
def test_nothing_is_written_but_to_a_terminal_nor_with_q(
    monkeypatch: pytest.MonkeyPatch, err: type[io.StringIO], verbosity: int
) -> None:
    monkeypatch.setattr(_waiting, "_SECONDS", 0.0)
    assert told(err(), verbosity=verbosity) == ""
