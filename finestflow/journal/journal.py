"""The journal: the chain of run commits, and how a run enters it whatever happens.

Owns the order of writes of docs/reference/journal-format.md. Invariant: a run id is in the chain once, and a run that
has begun is either in a live folder or in the chain, also when the process is killed between any two steps. The runner publishes
through it, the workspace recovers killed runs with it, everybody reads whole runs from it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

from finestflow.errors import CorruptionError, FinestflowError, RefMovedError, RepositoryError
from finestflow.git.history import iter_commits, read_blobs
from finestflow.git.objects import Objects
from finestflow.git.refs import JOURNAL_REF, LIVE_PREFIX, author_identity, delete_ref, list_refs, read_ref, update_ref
from finestflow.git.repository import Repository
from finestflow.journal.live import (
    EventReader,
    LiveEntry,
    LiveFolder,
    adopt_output,
    iter_live,
    read_logs,
    remove_folder,
    remove_leftovers,
    take_over,
)
from finestflow.journal.lock import hold_lock
from finestflow.journal.logs import load_log, load_logs, path_of_log
from finestflow.journal.message import format_message, run_id_of
from finestflow.journal.record import FIXED_FILES, FOLDER, dump_record, listed_files, load_record
from finestflow.journal.state import RunState
from finestflow.model import NodeStatus, Run, RunId, RunSummary

__all__ = ["Journal", "fold"]

_TRIES = 50
_TRIES_WITH_GC = 5
_LEFTOVER_SECONDS = 3600
_LOADED_TOGETHER = 256


def _no_fault(point: str) -> None:
    del point


class Journal:
    """The journal of a repository.

    Args:
        repo: The repository.
        fault: Called with the name of each point that a process may die at: ``begun``, ``tree``, ``locked``, ``commit``, ``ref``,
            ``live-ref``, ``folder``. Tests raise or kill there.
    """

    def __init__(self, repo: Repository, *, fault: Callable[[str], None] = _no_fault) -> None:
        self._repo = repo
        self._fault = fault
        self.problems: list[str] = []
        """What went wrong with single runs in ``recover``, for people."""

    @cached_property
    def _author(self) -> tuple[str, str]:
        return author_identity(self._repo)

    def tip(self) -> str | None:
        """Return the newest run commit, or None when there is no run."""
        return read_ref(self._repo, JOURNAL_REF)

    def hold_snapshot(self, run_id: RunId, tree: str) -> None:
        """Keep the objects of a snapshot from ``git gc`` until its run is published.

        The ref holds the bare tree. A commit would stay behind, and with some thousand objects that no ref reaches git packs nothing any more.
        """
        update_ref(self._repo, LIVE_PREFIX + run_id, tree, None, message=f"start {run_id}")

    def publish(self, live: LiveFolder, run: Run, *, config: str = "") -> str:
        """Append a run that has ended, then remove what kept it until then.

        Returns:
            The id of its commit.
        """
        live.flush()
        commit = self.append(run, read_logs(live.path, run.nodes), config=config)
        self._fault("ref")
        delete_ref(self._repo, LIVE_PREFIX + live.run_id)
        self._fault("live-ref")
        live.close(remove=True)
        self._fault("folder")
        return commit

    def append(self, run: Run, logs: Mapping[str, bytes] | None = None, *, config: str = "") -> str:
        """Write a run's commit and move the tip to it; a run that is there already is left as it is.

        Args:
            run: The run, ended.
            logs: What each node printed.
            config: Text for ``config.toml``, else made of the run's description.

        Returns:
            The id of its commit.
        """
        self._fault("begun")
        files = dump_record(run, logs, config=config)
        author = self._author
        for tries_left in reversed(range(_TRIES_WITH_GC)):
            try:
                with Objects(self._repo) as objects:
                    return self._write(objects, run, files, author)
            except (CorruptionError, RepositoryError):
                # "gc --prune=now" takes objects that no ref reaches yet, and packs others while they are looked for
                if not tries_left:
                    raise
        raise AssertionError

    def _write(self, objects: Objects, run: Run, files: Mapping[str, bytes], author: tuple[str, str]) -> str:
        snapshot = run.snapshot.tree if run.snapshot else None
        tree = objects.graft(snapshot, FOLDER, files)
        self._fault("tree")
        with hold_lock(self._repo.state_dir):
            self._fault("locked")
            commit = self._advance(objects, run, tree, author)
        # What "gc --prune=now" has taken in between is written again; looking costs little when all is there.
        objects.graft(snapshot, FOLDER, files)
        return commit

    def _advance(self, objects: Objects, run: Run, tree: str, author: tuple[str, str]) -> str:
        summary, message = run.summary, format_message(run)
        started = max(0, int(summary.started))
        for _ in range(_TRIES):
            tip = self.tip()
            known = self._find_since(objects, tip, summary.id, started)
            if known is not None:
                return known
            before = objects.read_commit(tip).commit_time if tip else 0
            write_commit = partial(
                objects.write_commit,
                tree=tree,
                parents=[tip] if tip else [],
                message=message,
                author=author,
                author_time=started,
                commit_time=max(started, int(run.ended or 0), before),
            )
            commit = write_commit()
            self._fault("commit")
            try:
                update_ref(self._repo, JOURNAL_REF, commit, tip, message=f"run {summary.id}: {summary.status}")
            except RefMovedError:  # plain git, or a finestflow that does not see our lock
                continue
            write_commit()  # again, as the files in _write
            return commit
        raise RefMovedError(
            f"{JOURNAL_REF!r} moved {_TRIES} times while run {summary.id!r} was appended",
            "the run is kept in its live folder; any finestflow command appends it",
        )

    def find(self, run_id: RunId, *, started: float = 0.0) -> str | None:
        """Return the commit of a run, or None.

        Args:
            run_id: Which run.
            started: Its start where it is known: only what came after it is read then.
        """
        tip = self.tip()
        if tip is None:
            return None
        if started > 0:
            with Objects(self._repo) as objects:
                return self._find_since(objects, tip, run_id, int(started))
        found = None
        for commit in iter_commits(self._repo, tip):
            if run_id_of(commit.message) == run_id:
                found = commit.oid
        return found

    def _find_since(self, objects: Objects, tip: str | None, run_id: RunId, started: int) -> str | None:
        """Look for a run from the tip back; committer dates never decrease along the chain, so it can stop early."""
        while tip is not None:
            commit = objects.read_commit(tip)
            if run_id_of(commit.message) == run_id:
                return tip
            if commit.commit_time < started:
                return None
            tip = commit.parents[0] if commit.parents else None
        return None

    def load(self, run: RunSummary | str, *, with_series: bool = True) -> Run:
        """Return a run, whole.

        Args:
            run: Its summary, or its commit.
            with_series: Read the values of the metrics too.

        Raises:
            CorruptionError: Its record is missing or damaged.
        """
        found = next(self.load_many([run], with_series=with_series))
        self._restore_files(found)
        return found

    def _restore_files(self, run: Run) -> None:
        """Write the tree of a run's files again where it is gone, with the same id.

        No ref reaches it: the run's own tree has the record beside the files. So gc takes it, and a fetch does not bring it.
        """
        if run.snapshot is None:
            return
        # Where that cannot be, whoever reads the tree says that it is missing.
        with contextlib.suppress(OSError, RepositoryError, CorruptionError), Objects(self._repo) as objects:
            if run.snapshot.tree not in objects:
                objects.without(run.summary.commit, FOLDER)

    def load_many(
        self, runs: Iterable[RunSummary | str], *, with_series: bool = True, files: Sequence[str] = FIXED_FILES
    ) -> Iterator[Run]:
        """Yield runs, whole, in order: one git process reads some hundreds of them.

        Args:
            runs: Their summaries, or commits.
            with_series: Read the values of the metrics too.
            files: What of the records is read, ``run.json`` at least; what the other files tell is empty then.

        Raises:
            CorruptionError: The record of one is missing or damaged; those before it were yielded.
        """
        waiting = iter(runs)
        while chosen := list(itertools.islice(waiting, _LOADED_TOGETHER)):
            commits = [run if isinstance(run, str) else run.commit for run in chosen]
            records = self._read_many((commit, files) for commit in commits)
            further = ((commit, _listed(found, with_series)) for commit, found in zip(commits, records, strict=True))
            for run, found, more in zip(chosen, records, self._read_many(further), strict=True):
                yield _load({**found, **more}, run, with_series=with_series)

    def read_file(self, commit: str, path: str) -> bytes | None:
        """Return a file of a run's record, by path below ``.finestflow/``."""
        return self._read_files(commit, [path]).get(path)

    def read_log(self, commit: str, node: str) -> bytes | None:
        """Return what a node printed, as far as the record has it."""
        return load_log(lambda path: self.read_file(commit, path), node)

    def read_logs(self, commit: str, nodes: Iterable[str]) -> dict[str, bytes]:
        """Return what each of the nodes printed, as far as the record has it, in their order."""
        paths = list(nodes)
        return load_logs(self._read_files(commit, dict.fromkeys(map(path_of_log, paths))).get, paths)

    def _read_files(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        return self._read_many([(commit, list(paths))])[0]

    def _read_many(self, wanted: Iterable[tuple[str, Sequence[str]]]) -> list[dict[str, bytes]]:
        """Return files of the records of some commits: what each has of the paths that are wanted of it."""
        pairs = list(wanted)
        specs = [f"{commit}:{FOLDER}/{path}" for commit, paths in pairs for path in paths]
        blobs = iter(read_blobs(self._repo, specs)) if specs else iter(())
        return [
            {
                path: data
                for path, data in zip(paths, itertools.islice(blobs, len(paths)), strict=False)
                if data is not None
            }
            for _, paths in pairs
        ]

    def recover(self, now: float) -> list[RunId]:
        """Publish the runs whose process is gone, as killed or as they said they ended.

        What goes wrong with one is told in ``problems`` and tried again the next time.

        Args:
            now: The time, to tell what a crash left long ago from what is being made.

        Returns:
            The runs that were published, or found published.
        """
        recovered = []
        abandoned = [entry for entry in iter_live(self._repo.state_dir) if not entry.is_alive]
        for entry in abandoned:
            alive = take_over(entry)
            if alive is None:
                continue
            try:
                if self._recover(entry):
                    recovered.append(entry.run_id)
            except (FinestflowError, OSError) as error:
                self.problems.append(f"run {entry.run_id!r} could not be recovered: {error}")
            finally:
                os.close(alive)
        if abandoned:
            self._remove_stray_refs()
        remove_leftovers(self._repo.state_dir, older_than=now - _LEFTOVER_SECONDS)
        return recovered

    def _recover(self, entry: LiveEntry) -> bool:
        state, damaged = fold(entry)
        if state.has_begun:
            run = state.killed()
            if damaged:
                note = f"{damaged} damaged events were skipped when this run was recovered"
                run = replace(run, notes=(*run.notes, note))
            killed = [
                path for path, node in run.nodes.items() if node.status is NodeStatus.KILLED and node.kind == "task"
            ]
            adopt_output(entry.path, killed[-1] if killed else "")
            self._append_recovered(run, read_logs(entry.path, run.nodes))
            self._fault("ref")
        delete_ref(self._repo, LIVE_PREFIX + entry.run_id)
        self._fault("live-ref")
        remove_folder(entry)
        self._fault("folder")
        return state.has_begun

    def _append_recovered(self, run: Run, logs: Mapping[str, bytes]) -> None:
        try:
            self.append(run, logs)
        except CorruptionError:
            if run.snapshot is None:
                raise
            with Objects(self._repo) as objects:  # is it the files of the run that are lost, or something else?
                try:
                    objects.read_path(run.snapshot.tree, FOLDER)
                except CorruptionError as error:
                    lost = f"the files of the snapshot are lost: {error.message}"
                else:
                    raise
            self.append(replace(run, snapshot=None, notes=(*run.notes, lost)), logs)

    def _remove_stray_refs(self) -> None:
        """Remove live refs whose folder somebody has deleted; a folder is always there before its ref."""
        refs = list_refs(self._repo, LIVE_PREFIX)
        living = {entry.run_id for entry in iter_live(self._repo.state_dir)}
        for name, commit in refs.items():
            if name.removeprefix(LIVE_PREFIX) not in living:
                delete_ref(self._repo, name, commit)


def _listed(files: Mapping[str, bytes], with_series: bool) -> list[str]:
    """Return the further files that a record names; none where it is damaged, which loading it tells."""
    try:
        return listed_files(files, with_series=with_series)
    except CorruptionError:
        return []


def _load(files: Mapping[str, bytes], run: RunSummary | str, *, with_series: bool) -> Run:
    commit = run if isinstance(run, str) else run.commit
    try:
        whole = load_record(files.get, commit=commit, with_series=with_series)
    except CorruptionError as error:
        raise type(error)(f"{error.message} (commit {commit[:12]})", error.hint) from error
    if isinstance(run, str):
        return whole
    said = {name: getattr(run, name) for name in ("name", "tags", "note", "star", "removed", "origin")}
    return replace(whole, summary=replace(whole.summary, **said))


def fold(entry: LiveEntry) -> tuple[RunState, int]:
    """Fold the events of a live folder.

    Returns:
        The state, and how many events were damaged.
    """
    state, reader = RunState(), EventReader(entry.events_path)
    damaged = 0
    for event in reader.read_new(whole=not entry.is_alive):
        try:
            state.apply(event)
        except (KeyError, TypeError, ValueError):
            damaged += 1
    return state, damaged + reader.damaged
