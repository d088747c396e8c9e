"""``finestflow run script.py --lr 0.1``: what on the command line is a program, and the run of it.

A command line names a program when its first word is a Python file that defines no pipeline, or when the program stands after ``--``. All
words after it are the program's own. ``run`` uses this; a file is never imported to find out what it is, as that would run it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._documents import summary_document
from finestflow.cli._follow import JsonFollower, PlainFollower, summary_line
from finestflow.cli._output import SCHEMA, dump_json
from finestflow.cli._session import Session
from finestflow.errors import UsageError
from finestflow.model import RunStatus

if TYPE_CHECKING:
    from finestflow.script import FinishedScript

__all__ = ["PROGRAM", "ProgramCommand", "run_program"]

PROGRAM = "program"
"""Where the words of a program stand in ``Context.meta``."""
_ONLY_PIPELINES = ("settings", "jobs", "executor", "force", "no_cache", "seed", "dry_run")


class ProgramCommand(click.Command):
    """A command whose options end where a program begins."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words of a program away, and parse the rest."""
        parser = self.make_parser(ctx)
        parser.allow_interspersed_args = False
        try:
            found, others, _ = parser.parse_args([*args])
        except click.UsageError:  # said again, with the help, by the parser itself
            return super().parse_args(ctx, args)
        rest = [found["target"], *others] if isinstance(found.get("target"), str) else others
        at = len(args) - len(rest)
        is_command = bool(rest) and at > 0 and args[at - 1] == "--"
        if rest and (is_command or is_script(rest[0], _folder_of(ctx))):
            ctx.meta[PROGRAM] = tuple(rest)
            args = args[: at - is_command]
        return super().parse_args(ctx, args)


def _folder_of(ctx: click.Context) -> Path:
    session = ctx.find_object(Session)
    return session.folder if session is not None else Path()


def is_script(word: str, folder: Path) -> bool:
    """Whether a word names a Python file that defines no pipeline at its top."""
    path = folder / word
    if not word.endswith(".py") or not path.is_file():
        return False
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return False
    pipelines = set(_iter_pipelines(tree))
    return not pipelines


def _iter_pipelines(tree: ast.Module) -> Iterator[str]:
    """Yield the names that are pipelines by the text: classes below one called ``...Pipeline``, and values made of such or with ``>>``."""
    known: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            if any(_is_pipeline(_last_name(parent), known) for parent in statement.bases):
                known.add(statement.name)
                yield statement.name
        elif isinstance(statement, ast.Assign) and _makes_pipeline(statement.value, known):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))


def _makes_pipeline(value: ast.expr, known: set[str]) -> bool:
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.RShift) and any(isinstance(each, ast.Call) for each in ast.walk(value))
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and _is_pipeline(value.func.id, known)


def _is_pipeline(name: str, known: set[str]) -> bool:
    return name.endswith("Pipeline") or name in known


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def run_program(session: Session, words: Sequence[str], given: Mapping[str, Any], *, as_json: bool) -> int:
    """Run a program as often as was asked for; returns its last exit code."""
    for name in _ONLY_PIPELINES:
        if given.get(name):
            option = {"settings": "-p", "dry_run": "-n"}.get(name, "--" + name.replace("_", "-"))
            raise UsageError(f"{option} is for pipelines, and {words[0]!r} is a program", "give its options after it")
    code = 0
    for _ in range(given["repeat"]):
        code = _run_once(session, words, given, as_json=as_json)
        if code and not given["keep_going"]:
            break
    return code


def _run_once(session: Session, words: Sequence[str], given: Mapping[str, Any], *, as_json: bool) -> int:
    out, workspace = session.out, session.workspace
    follower = session.follower or (JsonFollower(out) if as_json else PlainFollower(out, shows_text=False))
    echoes = isinstance(follower, PlainFollower) and out.verbosity >= 0
    streams = (sys.stdout.buffer, sys.stderr.buffer) if echoes else ()
    finished = workspace.run_script(
        words,
        name=given["name"] or "",
        note=given["note"] or "",
        tags=given["tags"],
        save=given["save"],
        streams=streams,
        listener=follower,
    )
    _show_end(session, finished, as_json=as_json)
    return finished.code


def _show_end(session: Session, finished: FinishedScript, *, as_json: bool) -> None:
    out, workspace = session.out, session.workspace
    if finished.run is None:
        out.note("the program has made runs of its own; finestflow log lists them")
        return
    summary = finished.run.summary
    if not as_json:
        out.note(summary_line(summary, color=out.color_err))
        if summary.status is not RunStatus.OK and workspace.repository is not None:
            out.note(f"hint: look at it with: finestflow show {summary.name}")
        return
    if workspace.repository is not None:
        workspace.refresh()
        summary = workspace.resolve(summary.id)  # it has its commit now
    out.line(dump_json({"schema": SCHEMA, "kind": "run.end", "run": summary_document(summary)}, ascii_only=True))
