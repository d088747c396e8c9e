"""What people say of runs: ``tag``, ``note``, ``rename``, ``star``, ``rm``, ``restore``; and ``undo`` and ``redo``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._options import dry_run_option, json_option, runs_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line
from finestflow.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from finestflow.model import RunSummary


@click.command("tag")
@click.argument("run", metavar="RUN")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("-d", "--delete", is_flag=True, help="Take the tags away.")
@json_option
@pass_session
def tag(session: Session, run: str, tags: Sequence[str], delete: bool, as_json: bool) -> None:
    """Add tags to runs, or take them away.

    Several runs are separated by commas. "finestflow log '#TAG'" finds them again.
    """
    names = [name for name in run.split(",") if name]
    words = tuple(word.removeprefix("#") for word in tags)
    for word in words:
        if not word or any(letter.isspace() or letter in "#," for letter in word):
            raise UsageError(f"{word!r} is no tag", "a tag is one word, without comma and #")
    said = " ".join(f"#{one_line(word)}" for word in words)
    change = {"remove_tags": words} if delete else {"add_tags": words}
    _annotate(session, f"{'removed' if delete else 'tagged'} {said}", names, change, as_json=as_json)


@click.command("note")
@click.argument("run", metavar="RUN")
@click.argument("text", nargs=-1, metavar="[TEXT]...")
@json_option
@pass_session
def note(session: Session, run: str, text: Sequence[str], as_json: bool) -> None:
    """Write a note on a run.

    The note replaces the one before; an empty text ("") takes it away. Without TEXT the note is printed.
    """
    if text:
        words = " ".join(text).strip()
        _annotate(session, "noted" if words else "took the note away", [run], {"note": words}, as_json=as_json)
        return
    found = session.history.resolve(run)
    if as_json:
        session.out.json("note", run=found.id, note=found.note)
    else:
        session.out.line(one_line(found.note))


@click.command("rename")
@click.argument("run", metavar="RUN")
@click.argument("name", metavar="NAME")
@json_option
@pass_session
def rename(session: Session, run: str, name: str, as_json: bool) -> None:
    """Give a run another name.

    Its id and its commit stay as they are; an empty name ("") brings the one back that it was recorded with.
    """
    words = one_line(name).strip()
    said = f"renamed to {words}" if words else "took the new name away"
    _annotate(session, said, [run], {"name": words}, as_json=as_json)


@click.command("star")
@runs_argument()
@click.option("-d", "--delete", is_flag=True, help="Take the star away.")
@json_option
@pass_session
def star(session: Session, runs: Sequence[str], delete: bool, as_json: bool) -> None:
    """Star runs: no rule ever removes them."""
    _annotate(session, "unstarred" if delete else "starred", runs, {"star": not delete}, as_json=as_json)


@click.command("rm")
@runs_argument()
@dry_run_option
@json_option
@pass_session
def rm(session: Session, runs: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """Remove runs from every listing.

    Nothing is deleted until "finestflow gc"; "finestflow restore" and "finestflow undo" bring them back.
    """
    if not dry_run:
        _annotate(session, "removed", runs, {"removed": True}, as_json=as_json)
        return
    workspace = session.history
    found = [workspace.resolve(run) for run in runs]
    if as_json:
        session.out.json("annotation", change="would remove", runs=_documents(found), step=None)
    else:
        session.out.lines(map(_name, found))


@click.command("restore")
@runs_argument()
@json_option
@pass_session
def restore(session: Session, runs: Sequence[str], as_json: bool) -> None:
    """Bring removed runs back."""
    found = [session.history.index.resolve(run, removed=True) for run in runs]
    present = [run for run in found if not run.removed]
    if present:
        raise NotFoundError(f"run {present[0].name!r} is not removed", "finestflow log is:removed lists those that are")
    change = {"among_removed": True, "removed": False}
    _annotate(session, "restored", [run.id for run in found], change, as_json=as_json)


@click.command("undo")
@json_option
@pass_session
def undo(session: Session, as_json: bool) -> None:
    """Take the last change of annotations back.

    Tags, notes, stars, removals: each change is a commit on refs/finestflow/annotations. A second undo goes one further back.
    """
    _step(session, "took back", session.history.undo, as_json=as_json)


@click.command("redo")
@json_option
@pass_session
def redo(session: Session, as_json: bool) -> None:
    """Make the change again that the last undo took back."""
    _step(session, "made again", session.history.redo, as_json=as_json)


def _annotate(session: Session, said: str, names: Sequence[str], change: dict[str, Any], *, as_json: bool) -> None:
    """Change what is said of some runs, and say so; ``step`` is the commit that "finestflow undo" takes back, None where nothing changed."""
    workspace = session.history
    before = workspace.annotations.tip()
    runs = workspace.annotate(names, **change)
    if not as_json:
        session.out.note(f"{said}: {', '.join(map(_name, runs))}")
        return
    step = workspace.annotations.tip()
    session.out.json("annotation", change=said, runs=_documents(runs), step=None if step == before else step)


def _step(session: Session, said: str, take: Callable[[], str], *, as_json: bool) -> None:
    """Go a change back or forth, and say which and of which runs."""
    change = take()
    if not as_json:
        session.out.note(f"{said}: {one_line(change)}")
        return
    workspace = session.workspace
    step = workspace.annotations.tip()
    assert step is not None  # it was made just now
    named = {run.id: run.name for query in ("", "is:removed") for run in workspace.select(query)}
    runs = [{"id": run, "name": named.get(run)} for run in workspace.annotations.runs_of(step)]
    session.out.json("annotation", change=f"{said}: {change}", runs=runs, step=step)


def _documents(runs: Iterable[RunSummary]) -> list[dict[str, str]]:
    return [{"id": run.id, "name": run.name} for run in runs]


def _name(run: RunSummary) -> str:
    return f"{one_line(run.name)} ({run.id})"
