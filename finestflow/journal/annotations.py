"""What people say of runs later: tags, note, star, name, removed; and the undo of it.

Owns the commits on the annotations' ref. Invariant: a change is one commit, applied to what the tip says at that moment, so two
writers never lose each other's; undo and redo are commits too. The workspace changes, the index reads.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from finestflow.errors import CorruptionError, NotFoundError, RefMovedError
from finestflow.git.history import CommitData, read_blobs
from finestflow.git.objects import Objects
from finestflow.git.refs import ANNOTATIONS_REF, author_identity, read_ref, update_ref
from finestflow.git.repository import Repository
from finestflow.journal.lock import hold_lock
from finestflow.journal.message import first_line, one_line
from finestflow.journal.names import is_run_id
from finestflow.journal.toml import dump_toml
from finestflow.model import RunId, RunSummary

__all__ = ["Annotation", "Annotations", "Change", "dump_annotation", "load_annotation"]

_TRIES = 50
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What was said of one run; None is what nobody has said.

    ``tags`` are added to those of the run itself, ``untagged`` taken away. ``times`` has when each field was last changed.
    """

    tags: tuple[str, ...] = ()
    untagged: tuple[str, ...] = ()
    note: str | None = None
    star: bool | None = None
    removed: bool | None = None
    name: str | None = None
    times: Mapping[str, float] = field(default_factory=dict)

    def apply_to(self, summary: RunSummary) -> RunSummary:
        """Return a run's summary with what was said of it."""
        return replace(
            summary,
            name=self.name or summary.name,
            tags=self.tags_over(summary.tags),
            note=summary.note if self.note is None else self.note,
            star=bool(self.star),
            removed=bool(self.removed),
        )

    def tags_over(self, own: Iterable[str]) -> tuple[str, ...]:
        """Return the tags of a run that has tags of its own."""
        return tuple(sorted({*own, *self.tags} - {*self.untagged}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of what is said of one run; None leaves a field as it is, ``note=""`` empties it."""

    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    note: str | None = None
    star: bool | None = None
    removed: bool | None = None
    name: str | None = None

    def apply(self, said: Annotation, now: float) -> Annotation:
        """Return the annotation after the change."""
        add, remove = {one_line(tag) for tag in self.add_tags} - {""}, {one_line(tag) for tag in self.remove_tags}
        updates: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("note", "star", "removed", "name")
            if getattr(self, name) is not None and getattr(self, name) != getattr(said, name)
        }
        tags = tuple(sorted(({*said.tags} - remove) | add))
        untagged = tuple(sorted(({*said.untagged} - add) | remove))
        if tags != said.tags:
            updates["tags"] = tags
        if untagged != said.untagged:
            updates["untagged"] = untagged
        times = {**said.times, **dict.fromkeys(updates, now)}
        return replace(said, **updates, times=times) if updates else said


class Annotations:
    """The annotations of a repository."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo

    def tip(self) -> str | None:
        """Return the newest annotation commit, or None."""
        return read_ref(self._repo, ANNOTATIONS_REF)

    def read_all(self) -> dict[RunId, Annotation]:
        """Return what is said of every run; a file that is damaged is passed over."""
        tip = self.tip()
        if tip is None:
            return {}
        with Objects(self._repo) as objects:
            blobs = {path: oid for path, _, oid in objects.iter_files(tip)}
        return dict(self._load(blobs))

    def runs_of(self, commit: str) -> list[RunId]:
        """Return the runs of which a commit says something else than the one before it."""
        with Objects(self._repo) as objects:
            parents = objects.read_commit(commit).parents
            changes = objects.changed_files(parents[0] if parents else _empty_tree(objects), commit)
        return [run_id for change in changes if (run_id := _run_of(change.path)) is not None]

    def read_changed(self, old: str, new: str) -> dict[RunId, Annotation]:
        """Return what is said of the runs that differ between two commits; an empty annotation where nothing is said any more."""
        with Objects(self._repo) as objects:
            changes = objects.changed_files(old, new)
        said = {run_id: Annotation() for change in changes if (run_id := _run_of(change.path)) is not None}
        said.update(self._load({change.path: change.new_oid for change in changes if change.new_oid is not None}))
        return said

    def _load(self, blobs: Mapping[str, str]) -> Iterator[tuple[RunId, Annotation]]:
        for path, data in zip(blobs, read_blobs(self._repo, blobs.values()), strict=False):
            run_id = _run_of(path)
            if run_id is None or data is None:
                continue
            try:
                yield run_id, load_annotation(data)
            except CorruptionError:
                continue

    def change(self, changes: Mapping[RunId, Change], message: str, *, now: float) -> str | None:
        """Make changes, as one commit.

        Args:
            changes: What changes, by run.
            message: One line for ``git log`` and for ``undo``.
            now: The time.

        Returns:
            The commit, or None when nothing changed.
        """
        author = author_identity(self._repo)
        with Objects(self._repo) as objects, hold_lock(self._repo.state_dir):
            for _ in range(_TRIES):
                tip = self.tip()
                tree = _edit_tree(objects, tip, changes, now)
                if tree is None:
                    return None
                text = f"{one_line(message) or 'change annotations'}\n"
                commit = self._advance(objects, tip, tree, text, author, now)
                if commit is not None:
                    return commit
        return self._give_up()

    def undo(self, *, now: float) -> str:
        """Take the last change back that was not taken back yet.

        Returns:
            The message of that change.

        Raises:
            NotFoundError: There is none.
        """
        return self._step(now, back=True)

    def redo(self, *, now: float) -> str:
        """Make the change again that was taken back last.

        Raises:
            NotFoundError: Nothing was taken back since the last change.
        """
        return self._step(now, back=False)

    def _step(self, now: float, *, back: bool) -> str:
        author = author_identity(self._repo)
        with Objects(self._repo) as objects, hold_lock(self._repo.state_dir):
            for _ in range(_TRIES):
                tip = self.tip()
                undone, target = _find_undo(objects, tip) if back else _find_redo(objects, tip)
                subject = first_line(undone.message)
                word = "Undo" if back else "Redo"
                tree = objects.read_commit(target).tree if target else _empty_tree(objects)
                text = f"{word.lower()}: {subject}\n\n{word}: {undone.oid}\nRestores: {target or _NOTHING}\n"
                if self._advance(objects, tip, tree, text, author, now) is not None:
                    return subject
        return self._give_up()

    def _advance(
        self, objects: Objects, tip: str | None, tree: str, message: str, author: tuple[str, str], now: float
    ) -> str | None:
        before = objects.read_commit(tip).commit_time if tip else 0
        commit = objects.write_commit(
            tree=tree,
            parents=[tip] if tip else [],
            message=message,
            author=author,
            author_time=max(0, int(now)),
            commit_time=max(0, int(now), before),
        )
        try:
            update_ref(self._repo, ANNOTATIONS_REF, commit, tip, message=first_line(message))
        except RefMovedError:
            return None
        return commit

    def _give_up(self) -> str:
        message = f"{ANNOTATIONS_REF!r} moved {_TRIES} times while it was to be changed"
        raise RefMovedError(message, "try again")


def load_annotation(data: bytes) -> Annotation:
    """Return the annotation that a file holds.

    Raises:
        CorruptionError: It is damaged.
    """
    try:
        fields = tomllib.loads(data.decode())
        return Annotation(
            tags=tuple(fields.get("tags", ())),
            untagged=tuple(fields.get("untagged", ())),
            note=fields.get("note"),
            star=fields.get("star"),
            removed=fields.get("removed"),
            name=fields.get("name"),
            times=dict(fields.get("times", {})),
        )
    except (ValueError, TypeError) as error:
        message = f"an annotation is damaged: {error}"
        raise CorruptionError(message, 'see "git log -p refs/finestflow/annotations"') from error


def dump_annotation(said: Annotation) -> bytes:
    """Return the file for an annotation; nothing when nothing is said."""
    fields = {name: getattr(said, name) for name in ("name", "note", "removed", "star")}
    fields |= {name: list(getattr(said, name)) or None for name in ("tags", "untagged")}
    told = {name: value for name, value in fields.items() if value is not None}
    if not told and not said.times:
        return b""
    return dump_toml({**told, "times": dict(sorted(said.times.items()))}).encode()


def _run_of(path: str) -> RunId | None:
    name = path.rpartition("/")[2].removesuffix(".toml")
    return RunId(name) if is_run_id(name) else None


def _edit_tree(objects: Objects, tip: str | None, changes: Mapping[RunId, Change], now: float) -> str | None:
    """Apply changes to the tree of a commit; None when nothing changes."""
    folders: dict[str, dict[RunId, Change]] = {}
    for run_id, change in changes.items():
        folders.setdefault(run_id[:2], {})[run_id] = change
    tree = objects.read_commit(tip).tree if tip else None
    is_changed = False
    for folder, inside in folders.items():
        entries = objects.iter_files(tree, folder) if tree else ()
        files = {path.rpartition("/")[2]: objects.read_blob(oid) for path, _, oid in entries}
        before = dict(files)
        for run_id, change in inside.items():
            data = files.get(f"{run_id}.toml")
            said = load_annotation(data) if data else Annotation()
            after = change.apply(said, now)
            if after is not said:
                files[f"{run_id}.toml"] = dump_annotation(after)
        if files != before:
            is_changed = True
            tree = objects.graft(tree, folder, files)
    return tree if is_changed else None


def _empty_tree(objects: Objects) -> str:
    return objects.without(objects.graft(None, "x", {}), "x")


def _trailer(commit: CommitData, token: str) -> str | None:
    _, gap, trailers = commit.message.rstrip().rpartition("\n\n")
    for line in trailers.split("\n") if gap else ():  # a subject is never a trailer
        if line.startswith(f"{token}: "):
            return line[len(token) + 2 :].strip()
    return None


def _position(objects: Objects, oid: str | None) -> CommitData | None:
    """Return the change whose state a commit has: itself, or for undo and redo the one that is restored."""
    if oid is None:
        return None
    commit = objects.read_commit(oid)
    restored = _trailer(commit, "Restores")
    if restored is None:
        return commit
    return None if restored == _NOTHING else objects.read_commit(restored)


def _find_undo(objects: Objects, tip: str | None) -> tuple[CommitData, str | None]:
    """Return the change to take back, and the one whose state comes back (None for the empty one)."""
    change = _position(objects, tip)
    if change is None:
        message = "there is no change to undo"
        raise NotFoundError(message, 'changes are listed by "git log refs/finestflow/annotations"')
    before = _position(objects, change.parents[0] if change.parents else None)
    return change, before.oid if before else None


def _find_redo(objects: Objects, tip: str | None) -> tuple[CommitData, str]:
    """Walk back to the last change; of the undos after it, the latest that was not made again is the one."""
    redone = 0
    while tip is not None:
        commit = objects.read_commit(tip)
        undone = _trailer(commit, "Undo")
        if undone is not None:
            if redone == 0:
                return objects.read_commit(undone), undone
            redone -= 1
        elif _trailer(commit, "Redo") is not None:
            redone += 1
        else:
            break
        tip = commit.parents[0] if commit.parents else None
    message = "there is no change to redo"
    raise NotFoundError(message, "a change can be made again until the next one")
