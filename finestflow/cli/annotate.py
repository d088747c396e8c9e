"""What people say of runs: ``tag``, ``note``, ``star``, ``rm``, ``restore``; and ``undo`` and ``redo``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from finestflow.cli._options import dry_run_option, runs_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line
from finestflow.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from finestflow.model import RunSummary


@click.command("tag")
@click.argument("run", metavar="RUN")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("-d", "--delete", is_flag=True, help="Take the tags away.")
@pass_session
def tag(session: Session, run: str, tags: Sequence[str], delete: bool) -> None:
    """Add tags to runs, or take them away.

    Several runs are separated by commas. "finestflow log '#TAG'" finds them again.
    """
    names = [name for name in run.split(",") if name]
    words = tuple(word.removeprefix("#") for word in tags)
    for word in words:
        if not word or any(letter.isspace() or letter in "#," for letter in word):
            raise UsageError(f"{word!r} is no tag", "a tag is one word, without comma and #")
    workspace = session.history
    changed = workspace.annotate(names, remove_tags=words) if delete else workspace.annotate(names, add_tags=words)
    said = " ".join(f"#{one_line(word)}" for word in words)
    _say(session, f"{'removed' if delete else 'tagged'} {said}", changed)


@click.command("note")
@click.argument("run", metavar="RUN")
@click.argument("text", nargs=-1, metavar="[TEXT]...")
@pass_session
def note(session: Session, run: str, text: Sequence[str]) -> None:
    """Write a note on a run.

    The note replaces the one before; an empty text ("") takes it away. Without TEXT the note is printed.
    """
    workspace = session.history
    if not text:
        session.out.line(one_line(workspace.resolve(run).note))
        return
    words = " ".join(text).strip()
    changed = workspace.annotate([run], note=words)
    _say(session, "noted" if words else "took the note away", changed)


@click.command("star")
@runs_argument()
@click.option("-d", "--delete", is_flag=True, help="Take the star away.")
@pass_session
def star(session: Session, runs: Sequence[str], delete: bool) -> None:
    """Star runs: no rule ever removes them."""
    changed = session.history.annotate(runs, star=not delete)
    _say(session, "unstarred" if delete else "starred", changed)


@click.command("rm")
@runs_argument()
@dry_run_option
@pass_session
def rm(session: Session, runs: Sequence[str], dry_run: bool) -> None:
    """Remove runs from every listing.

    Nothing is deleted until "finestflow gc"; "finestflow restore" and "finestflow undo" bring them back.
    """
    workspace = session.history
    if dry_run:
        session.out.lines(_name(workspace.resolve(run)) for run in runs)
        return
    _say(session, "removed", workspace.annotate(runs, removed=True))


@click.command("restore")
@runs_argument()
@pass_session
def restore(session: Session, runs: Sequence[str]) -> None:
    """Bring removed runs back."""
    workspace = session.history
    found = [workspace.index.resolve(run, removed=True) for run in runs]
    present = [run for run in found if not run.removed]
    if present:
        raise NotFoundError(f"run {present[0].name!r} is not removed", "finestflow log is:removed lists those that are")
    _say(session, "restored", workspace.annotate([run.id for run in found], among_removed=True, removed=False))


@click.command("undo")
@pass_session
def undo(session: Session) -> None:
    """Take the last change of annotations back.

    Tags, notes, stars, removals: each change is a commit on refs/finestflow/annotations. A second undo goes one further back.
    """
    session.out.note(f"took back: {one_line(session.history.undo())}")


@click.command("redo")
@pass_session
def redo(session: Session) -> None:
    """Make the change again that the last undo took back."""
    session.out.note(f"made again: {one_line(session.history.redo())}")


def _say(session: Session, what: str, runs: Iterable[RunSummary]) -> None:
    session.out.note(f"{what}: {', '.join(_name(run) for run in runs)}")


def _name(run: RunSummary) -> str:
    return f"{one_line(run.name)} ({run.id})"
