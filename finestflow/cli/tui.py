"""``finestflow tui``: the terminal UI. Nothing of Textual is imported before a terminal is known to be there."""

from __future__ import annotations

from collections.abc import Sequence

import click

from finestflow.cli._options import run_argument
from finestflow.cli._session import Session, pass_session
from finestflow.errors import UsageError

__all__ = ["command"]


@click.command("tui")
@run_argument("run", metavar="[RUN]")
@click.argument("query", nargs=-1, metavar="[QUERY]...")
@click.option("--plain", is_flag=True, help="Print what the screen would show, and end.")
@click.option("--read-only", is_flag=True, help="Nothing is changed or started.")
@pass_session
def command(session: Session, run: str, query: Sequence[str], plain: bool, read_only: bool) -> int:
    """Browse runs, graphs, logs and differences in the terminal.

    RUN opens that run; words with an operator, such as f1>0.9, are a query of the list. Press ? for the keys.
    """
    from importlib import import_module

    words = [word for word in (*([] if run == "@" else [run]), *query) if word]
    if plain:
        lines = import_module("finestflow_tui.plain").iter_lines(session.history, words)
        session.out.lines(lines, page=True)
        return 0
    problem = "" if session.out.is_terminal and session.out.err.isatty() else "the terminal UI needs a terminal"
    if not problem and session.environ.get("TERM") == "dumb":
        problem = "the terminal UI needs a terminal that can draw, and TERM is 'dumb'"
    if problem:
        raise UsageError(problem, '"finestflow tui --plain" prints it, and so does "finestflow log"')
    return int(import_module("finestflow_tui.start").start(session.workspace, words, read_only=read_only))
