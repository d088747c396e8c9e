"""What a process works with: the repository, settings, store, journal and index, found once from folder and environment.

The actions that the command line, the terminal UI and the library share stand here, thin, over the module that owns each capability.
Invariant: opening a workspace writes nothing, and loads a library only when an action needs it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from finestflow.config import Config, load_config
from finestflow.errors import FinestflowError, LockedError, NotFoundError, RepositoryError, UsageError
from finestflow.git.repository import Repository, find_repository

if TYPE_CHECKING:
    from finestflow.cache.store import Store, Usage
    from finestflow.compare import RunDiff
    from finestflow.console import Console
    from finestflow.executor.perform import Performer
    from finestflow.executor.process.pool import Pool
    from finestflow.executor.protocol import Executor
    from finestflow.gc import GcPlan, GcRules, Share
    from finestflow.journal.annotations import Annotations
    from finestflow.journal.following import LiveRun
    from finestflow.journal.index import Index
    from finestflow.journal.journal import Journal
    from finestflow.journal.query import Query
    from finestflow.model import Run, RunId, RunSummary
    from finestflow.partial import Partial
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.reproduce import Preflight, Verdict
    from finestflow.runner import Finished, Runner, RunOptions, RunRequest
    from finestflow.script import FinishedScript
    from finestflow.tracking import RepositoryTracking
    from finestflow.verify import Finding

__all__ = ["SystemClock", "Workspace", "current", "launch", "polite_end"]

Listener = Callable[[Mapping[str, Any]], None]
Row = TypeVar("Row")


class SystemClock:
    """The time of this machine."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.perf_counter()


class Workspace:
    """The surroundings of a process.

    Args:
        folder: Where it works.
        environ: Its environment variables.
        repository: The git repository around the folder; None where there is none.
        config: Settings.
        warn: Says something to the person at the terminal.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        repository: Repository | None,
        config: Config,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        self.environ = environ
        self.repository = repository
        self.config = config
        self.clock = SystemClock()
        self._pool: Pool | None = None
        self._warned: set[str] = set()
        self._stores: dict[Path, Store] = {}
        self._live: dict[RunId, LiveRun] = {}
        self._say = warn or (lambda text: print(f"finestflow: warning: {text}", file=sys.stderr))  # noqa: T201 - the one line of a library

    @classmethod
    def find(
        cls,
        folder: Path,
        environ: Mapping[str, str],
        *,
        overrides: Iterable[tuple[str, Any]] = (),
        warn: Callable[[str], None] | None = None,
    ) -> Workspace:
        """Return the workspace of a folder.

        Args:
            folder: Where to look from.
            environ: The environment variables.
            overrides: Settings from flags, by key.
            warn: Says something to the person at the terminal; one line on stderr when not given.

        Raises:
            RepositoryError: Git refuses the repository, or is missing.
            ConfigError: A setting is unknown or wrong.
        """
        repository = find_repository(folder, environ)
        machine = repository.state_dir / "config.toml" if repository is not None else None
        home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
        user = Path(home) / "finestflow" / "config.toml" if home else None
        config = load_config(folder, environ=environ, machine_file=machine, user_file=user, overrides=overrides)
        return cls(folder, environ, repository, config, warn)

    # -- places ------------------------------------------------------------------------------------------------------------------------

    @cached_property
    def root(self) -> Path:
        """The top of the work tree, or the folder itself where there is no repository."""
        if self.repository is not None and self.repository.work_tree is not None:
            return self.repository.work_tree
        return self.folder

    @cached_property
    def state_dir(self) -> Path:
        """Where finestflow keeps what is not in git: below the common git directory, or the user's cache folder."""
        if self.repository is not None:
            return self.repository.state_dir
        import hashlib

        home = self.environ.get("HOME", "")
        cache = self.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "/tmp")  # noqa: S108 - a machine without homes
        return Path(cache) / "finestflow" / hashlib.blake2b(os.fsencode(self.root), digest_size=8).hexdigest()

    @cached_property
    def objects_dir(self) -> Path:
        """Where large outputs lie."""
        path = self.config.store.path
        if path == ".git/finestflow/store":
            return self.state_dir / "store" / "objects"
        return self.root / path / "objects"

    @property
    def _inline(self) -> int:
        """Up to how many bytes values lie in the database: none where the folder of objects is in the work tree, to travel by other means."""
        from finestflow.cache.codec import INLINE

        return 0 if self._is_store_shared else INLINE

    @property
    def _is_store_shared(self) -> bool:
        """Whether outputs lie in the work tree, where git-lfs, dvc and the like can track them."""
        return self.objects_dir.is_relative_to(self.root) and not self.objects_dir.is_relative_to(self.state_dir)

    @cached_property
    def scratch(self) -> Path:
        """A folder of this process for private copies of artifacts; it goes when the process ends."""
        import shutil
        import tempfile

        path = tempfile.mkdtemp(prefix="finestflow-")
        self._drop_scratch = weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        return Path(path)

    def require_repository(self) -> Repository:
        """Return the repository, or raise with what to do about it."""
        if self.repository is None:
            raise RepositoryError(f"no git repository at {str(self.folder)!r}", 'make one with "finestflow init"')
        return self.repository

    def warn(self, text: str) -> None:
        """Say something to the person at the terminal, once."""
        if text not in self._warned:
            self._warned.add(text)
            self._say(text)

    # -- parts -------------------------------------------------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """Values and entries."""
        return self._make_store(self.state_dir / "store" / "store.sqlite", self.objects_dir)

    def open_store(self, folder: str) -> Store:
        """Return the store in a folder, for tasks that have one of their own; relative to the root."""
        path = self.root / Path(folder).expanduser()
        if path not in self._stores:
            self._stores[path] = self._make_store(path / "store.sqlite", path / "objects")
        return self._stores[path]

    def _make_store(self, database: Path, objects: Path) -> Store:
        from finestflow.cache.store import Store

        return Store(
            database,
            objects,
            verify_always=self.config.store.verify == "always",
            inline=self._inline,
            root=self.root,
            of_code=self._code_of,
            is_project=lambda code: self.fingerprinter.is_project(code),  # noqa: PLW0108 - made when it is first asked
            scratch=self.scratch,
            warn=self.warn,
        )

    def _code_of(self, code: Any) -> str:
        """Return the fingerprint of a function or class that is part of a value."""
        found = self.fingerprinter.of_class(code) if isinstance(code, type) else self.fingerprinter.of_function(code)
        return str(found.hash)

    @cached_property
    def fingerprinter(self) -> Any:
        """Fingerprints of code, with the definitions of files kept in the state folder."""
        from finestflow import STARTED
        from finestflow.cache.fingerprint import Fingerprinter, FolderDefinitionCache

        definitions = FolderDefinitionCache(self.state_dir / "definitions")
        return Fingerprinter([self.root], digest=self.store.digest, definitions=definitions, started=STARTED)

    @cached_property
    def journal(self) -> Journal:
        """The chain of run commits."""
        from finestflow.journal.journal import Journal

        return Journal(self.require_repository())

    @cached_property
    def index(self) -> Index:
        """The index over the journal."""
        from finestflow.journal.index import Index

        return Index(self.require_repository().state_dir / "index.sqlite")

    @cached_property
    def annotations(self) -> Annotations:
        """What people say of runs."""
        from finestflow.journal.annotations import Annotations

        return Annotations(self.require_repository())

    # -- reading runs ------------------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Record what killed processes left, and bring the index up to date."""
        repository = self.require_repository()
        if self._has_live():
            try:
                self.journal.recover(self.clock.time())
            except (FinestflowError, OSError) as error:
                self.warn(f"a killed run could not be recorded: {error}")
            for problem in self.journal.problems:
                self.warn(problem)
        self.index.refresh(repository)

    def parse_query(self, text: str) -> Query:
        """Parse a query; it never fails, ``problems`` says what it does not understand."""
        from finestflow.journal.query import parse

        metrics, params = self.index.known_names()
        return parse(text, now=self.clock.time(), known=metrics | params)

    def select(self, query: str = "", *, sort: str | None = None, limit: int | None = None) -> list[RunSummary]:
        """Return the runs that a query finds, newest first or sorted by a key; live ones are on top."""
        return self._select(query, sort, limit, self.index.summaries, lambda run: run)

    def select_rows(
        self, fields: Sequence[str], query: str = "", *, sort: str | None = None, limit: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Return what ``select`` does as plain rows of ``Index.rows``, at a tenth of the cost: for long lists."""

        def of_live(run: RunSummary) -> tuple[Any, ...]:
            from finestflow.journal.index_update import fields_of

            return fields_of(run, fields)

        return self._select(query, sort, limit, partial(self.index.rows, fields), of_live)

    def _select(
        self,
        query: str,
        sort: str | None,
        limit: int | None,
        read: Callable[..., list[Row]],
        of_live: Callable[[RunSummary], Row],
    ) -> list[Row]:
        parsed = self.parse_query(query) if query else None
        if sort is not None:
            self.index.check_key(sort.removeprefix("-"))
        found = read(parsed, sort=sort or "-started", limit=limit)
        if sort is None:
            found = [of_live(run) for run in self.live_runs() if parsed is None or parsed.matches(run)] + found
        return found if limit is None else found[:limit]

    def problems(self, query: str) -> list[str]:
        """Return what a query says that is not understood."""
        return [
            f"{problem.text}{f': {problem.hint}' if problem.hint else ''}"
            for problem in self.parse_query(query).problems
        ]

    def live_runs(self) -> list[RunSummary]:
        """Return the runs that are going on, newest first."""
        return [run.summary for run in self.watch()]

    def watch(self) -> list[LiveRun]:
        """Return the runs that are going on, newest first, to be followed as their events come."""
        if not self._has_live():
            return []
        from finestflow.journal.following import list_live_runs

        return list_live_runs(self.require_repository().state_dir, self._live)

    def find_live(self, name: str) -> LiveRun | None:
        """Return the run that a person names when it is going on."""
        chosen = self._choose_live(name)
        return None if isinstance(chosen, str) else chosen

    def _choose_live(self, name: str) -> LiveRun | str:
        """Return the live run that is meant, or what the name means among those that have ended."""
        live = self.watch()
        if not live:
            return name
        from finestflow.journal.following import choose_live

        return choose_live(live, name)

    def _has_live(self) -> bool:
        """Whether any run is going on or was killed: when not, reading history loads nothing of the journal but its index."""
        if self.repository is None:
            return False
        try:
            return bool(os.listdir(self.repository.state_dir / "live"))
        except OSError:
            return False

    def short_ids(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the shortest beginning of each id that names it alone."""
        return self.index.prefixes(ids)

    def resolve(self, name: str) -> RunSummary:
        """Return the run that a person names: an id or its beginning, ``@``, ``@~2``, ``@{digits}``, a name, a commit.

        Raises:
            NotFoundError: None or several match.
        """
        chosen = self._choose_live(name)
        return self.index.resolve(chosen) if isinstance(chosen, str) else chosen.summary

    def load_run(self, run: str | RunSummary) -> Run:
        """Return a run, whole; a live one as far as it has come."""
        summary = self.resolve(run) if isinstance(run, str) else run
        if not summary.commit:
            live = self.find_live(summary.id)
            if live is not None:
                return live.state.run
            self.refresh()  # it has ended meanwhile
            summary = self.index.resolve(summary.id)
        return self.journal.load(summary)

    def read_log(self, run: str | RunSummary, node: str | None = None) -> bytes:
        """Return what a node printed, or what the whole run did, node after node under a heading.

        Raises:
            NotFoundError: The run has no such node.
        """
        whole = self.load_run(run)
        if node is not None:
            if node and node not in whole.nodes:
                raise NotFoundError(
                    f"run {whole.summary.name!r} has no node {node!r}", f"its nodes: {', '.join(whole.nodes)}"
                )
            return self._node_log(whole, node) or b""
        parts = []
        for path, text in self.read_logs(whole).items():
            end = b"" if text.endswith(b"\n") else b"\n"
            parts += [f"== {path or whole.summary.pipeline} ==\n".encode(), text, end]
        return b"".join(parts)

    def read_logs(self, run: Run) -> dict[str, bytes]:
        """Return what each node printed; what the body of the pipeline did is under the empty path."""
        paths = ["", *run.nodes]
        if run.summary.commit:
            return self.journal.read_logs(run.summary.commit, paths)
        live = self.find_live(run.summary.id)
        return {} if live is None else {path: text for path in paths if (text := live.entry.read_log(path))}

    def _node_log(self, run: Run, node: str) -> bytes | None:
        if run.summary.commit:
            return self.journal.read_log(run.summary.commit, node)
        live = self.find_live(run.summary.id)
        return None if live is None else live.entry.read_log(node)

    def why(self, run: Run, node: str) -> list[str]:
        """Return why a node ran or where its hit came from, in sentences."""
        from finestflow.why import explain_node

        return explain_node(run, node, self.resolve)

    # -- outputs -----------------------------------------------------------------------------------------------------------------------

    def load_output(self, run: str | Run, address: str = "") -> Any:
        """Return the value of an output, by ``node[.part]`` or the name of a result; this unpickles.

        Raises:
            NotFoundError: There is no such output, or its value is not in the store.
        """
        from finestflow.address import encoded_of, find_output, main_output, parse_part
        from finestflow.pipeline.output import take_part

        whole = self.load_run(run) if isinstance(run, str) else run
        _, output, rest = find_output(whole, address or main_output(whole))
        assert output.digest is not None  # find_output saw to it
        self._import_project(whole)
        if not self.store.adopt(encoded_of(output)):
            fetch = "fetch it with git-lfs, dvc or whatever tracks the store, or: " if self._is_store_shared else ""
            raise NotFoundError(
                f"the value of {address!r} of run {whole.summary.name!r} is not in this store",
                f"{fetch}finestflow reproduce {whole.summary.id}",
            )
        value = self.store.load(output.digest)
        try:
            return take_part(value, parse_part(rest)) if rest else value
        except (AttributeError, LookupError, TypeError) as error:
            raise NotFoundError(
                f"the output {address!r} of run {whole.summary.name!r} has no such part: {error}",
                f"its type is {output.type}",
            ) from error

    def _import_project(self, run: Run) -> None:
        """Make the project's modules importable, as they are needed to load values of their classes."""
        place = run.target.partition(":")[0]
        folders = [str(self.root)] + ([str((self.root / place).parent)] if place.endswith(".py") else [])
        sys.path.extend(folder for folder in folders if folder not in sys.path)

    # -- annotations -------------------------------------------------------------------------------------------------------------------

    def annotate(self, runs: Iterable[str], *, among_removed: bool = False, **change: Any) -> list[RunSummary]:
        """Change what people say of runs; returns the runs as they were.

        Args:
            runs: Names of runs.
            among_removed: Whether removed runs are found too.
            change: Fields of ``annotations.Change``: ``add_tags``, ``remove_tags``, ``note``, ``star``, ``removed``, ``name``.
        """
        from finestflow.journal.annotations import Change

        chosen = [self.index.resolve(name, removed=True) if among_removed else self.resolve(name) for name in runs]
        alive = [run.name for run in chosen if not run.commit]
        if alive:
            raise LockedError(f"run {alive[0]!r} is still going on", "wait for its end")
        what = ", ".join(_describe_change(name, value) for name, value in change.items())
        changes = {run.id: Change(**change) for run in chosen}
        self.annotations.change(changes, f"{what}: {', '.join(run.name for run in chosen)}", now=self.clock.time())
        self.index.refresh(self.require_repository())
        return chosen

    def undo(self) -> str:
        """Take the last change of annotations back; returns what it was."""
        text = self.annotations.undo(now=self.clock.time())
        self.index.refresh(self.require_repository())
        return text

    def redo(self) -> str:
        """Make the change of annotations again that was taken back last; returns what it was."""
        text = self.annotations.redo(now=self.clock.time())
        self.index.refresh(self.require_repository())
        return text

    # -- stopping ----------------------------------------------------------------------------------------------------------------------

    def stop(self, name: str, *, patience: float = 30.0, kills: bool = False) -> RunSummary:
        """End a run that is going on, in whichever process, and return it as it is recorded then.

        Args:
            name: The run.
            patience: Seconds to wait after it has been interrupted.
            kills: Whether its process is killed when it has not ended by then.

        Raises:
            UsageError: The run is not going on.
            LockedError: Its process must not be signalled from here, or has not ended.
        """
        from finestflow.stop import stop_process

        live = self.find_live(name)
        if live is None:
            ended = self.resolve(name)
            raise UsageError(
                f"run {ended.name!r} is not going on: it ended {ended.status.value}", "finestflow log is:live"
            )
        # A program that is run at a terminal is expected to get Ctrl-C from there, so it is not handed on to it.
        number = signal.SIGTERM if live.state.run.settings.get("made-by") == "script" else signal.SIGINT
        stop_process(live.entry, live.summary.name, patience=patience, kills=kills, number=number)
        self.refresh()
        return self.index.resolve(live.entry.run_id)

    # -- upkeep ------------------------------------------------------------------------------------------------------------------------

    def diff(self, before: str, after: str) -> RunDiff:
        """Return all that differs between two runs."""
        from finestflow.compare import diff_runs

        return diff_runs(self.load_run(before), self.load_run(after), self.require_repository())

    def code_patch(self, diff: RunDiff) -> str:
        """Return what changed in the files between two runs, as git prints it."""
        from finestflow.compare import read_code_patch

        return read_code_patch(diff.before, diff.after, self.require_repository())

    def plan_gc(self, rules: GcRules | None = None) -> GcPlan:
        """Find out what ``gc`` would drop; nothing changes.

        Args:
            rules: What is kept; those of the settings when not given.

        Raises:
            CorruptionError: A kept run cannot be read, so what it reaches is unknown.
        """
        from finestflow.gc import plan, rules_of
        from finestflow.journal.journal import fold
        from finestflow.journal.live import iter_live

        rules = rules or rules_of(self.config.gc, self.parse_query, self.clock.time())
        runs = [*self.index.summaries(), *self.index.summaries(self.parse_query("is:removed"))]
        entries = iter_live(self.require_repository().state_dir)  # that go on, or were killed and cannot be recorded
        going = [state.run for state, _ in map(fold, entries) if state.has_begun]
        return plan(runs, lambda kept: chain(self.journal.load_many(kept, with_series=False), going), self.store, rules)

    def gc(self, rules: GcRules | None, busy: Callable[[RunId], None]) -> GcPlan:
        """Drop what the rules do not keep, when no run is going on.

        Args:
            rules: As for ``plan_gc``.
            busy: Called with a run that is going on, until none is; it waits a little, or raises.

        Returns:
            What went, with the bytes that were freed in the store.
        """
        from dataclasses import replace

        from finestflow.gc import collect, drop_runs, hold_still

        repository = self.require_repository()
        with hold_still(repository.state_dir, busy):
            self.refresh()
            plan = self.plan_gc(rules)
            drop_runs(repository, [run.id for run in plan.runs])
            self.index.refresh(repository)
            return replace(plan, bytes=collect(self.store, plan.values, now=self.clock.time()))

    def verify(self, *, deep: bool = False) -> Iterator[Finding]:
        """Yield what is damaged in journal and store; ``deep`` reads every stored value."""
        from finestflow.verify import verify_journal, verify_store

        if self.repository is not None:
            yield from verify_journal(self.repository, self.journal)
        yield from verify_store(self.store, deep=deep)

    def usage(self) -> Usage:
        """Return how much the store holds."""
        return self.store.usage()

    def shares(self, query: str = "", *, by_task: bool = False) -> list[Share]:
        """Return what each run that a query finds has in the store, or each task of these runs; the largest first."""
        from finestflow.gc import Reach, measure_runs, measure_tasks

        runs = self.journal.load_many(
            [run for run in self.select(query, sort="-started") if run.commit], with_series=False
        )
        return (measure_tasks if by_task else measure_runs)(runs, Reach(self.store))

    # -- reproduce ---------------------------------------------------------------------------------------------------------------------

    def inspect(self, run: Run) -> Preflight:
        """Find out what is not as it was when a run was made: to be told before it is run again."""
        from finestflow.reproduce import inspect_run

        present = self.read_environment()
        recorded = self.recorded_files(run)

        def is_unrecorded(name: str) -> bool:
            place = self.root / name
            if not place.is_dir():
                return name not in recorded
            return any(
                path.relative_to(self.root).as_posix() not in recorded for path in place.rglob("*") if path.is_file()
            )

        return inspect_run(
            run, present, self.root, self.store.has, is_unrecorded, lambda path: self.store.digest(path).digest
        )

    def recorded_files(self, run: Run) -> set[str]:
        """Return the paths in a run's snapshot."""
        from finestflow.git.objects import Objects

        if run.snapshot is None:
            return set()
        with Objects(self.require_repository()) as objects:
            return {path for path, _, _ in objects.iter_files(run.snapshot.tree)}

    def reproduce(
        self,
        run: Run,
        preflight: Preflight,
        *,
        into: Path | None = None,
        given: Mapping[str, str] | None = None,
        tolerance: float | None = None,
    ) -> Verdict:
        """Run a recorded run again from its snapshot, in a process and worktree of its own, and compare every output.

        Args:
            run: The run.
            preflight: What ``inspect`` found.
            into: Folder for the worktree, kept afterwards; a temporary one when not given.
            given: Params and inputs by path that are not in the record, such as secrets.
            tolerance: Largest difference of numbers that still counts as equal.
        """
        from finestflow.reproduce import compare_nodes, reproduce_in_child

        new = reproduce_in_child(run, self.require_repository(), preflight, self.root, into=into, given=given)
        self.refresh()
        try:
            again = self.load_run(new)
        except NotFoundError:
            raise UsageError(
                f"run {run.summary.name!r} was not made again",
                "its program ended before it, as its messages above tell",
            ) from None
        return compare_nodes(run, again, store=self.store, tolerance=tolerance)

    def read_environment(self) -> dict[str, Any]:
        """Return what a run is made with here: interpreter, platform, packages, chosen variables."""
        from finestflow.environment import read_environment

        return read_environment(self.environ, self.config.run.record_env, self.state_dir / "environment.json")

    def run_code_of(self, name: str, pipeline: Pipeline, inputs: Mapping[str, Any], options: RunOptions) -> Run:
        """Run a pipeline with the code that a recorded run had, in a worktree and process of its own.

        Args:
            name: The run whose code is taken.
            pipeline: The pipeline with its params; its tasks are those of that code.
            inputs: Inputs by name.
            options: How to run.
        """
        from finestflow.cache.fingerprint import task_identity
        from finestflow.pipeline.describe import dump_task, dump_value, given_secrets
        from finestflow.reproduce import run_code_in_child
        from finestflow.target import place_of

        def put(value: Any) -> str:
            encoded = self.store.encode(value)
            self.store.add_value(encoded)
            return encoded.digest

        run = self.load_run(name)
        request = {
            "description": dump_task(pipeline, lambda thing: place_of(thing, self.root), put),
            "inputs": {name: dump_value(value, put, task_identity) for name, value in inputs.items()},
            "given": given_secrets(pipeline),
            "options": {
                "name": options.name,
                "note": options.note,
                "tags": list(options.tags),
                "seed": options.seed,
                "cache": options.cache,
                "force": list(options.forced),
                "keep_going": options.keep_going,
                "jobs": options.jobs,
                "executor": options.executor,
            },
            "argv": list(sys.argv),
        }
        self.store.flush()
        new = run_code_in_child(run, self.require_repository(), self.inspect(run), self.root, request)
        self.refresh()
        return self.load_run(new)

    # -- running -----------------------------------------------------------------------------------------------------------------------

    def load_pipeline(
        self, target: str | None, settings: Mapping[str, Any] | None = None, *, over: Mapping[str, Any] | None = None
    ) -> tuple[Pipeline, dict[str, Any]]:
        """Return the pipeline that a target names, and its inputs from the settings.

        Args:
            target: A pipeline of ``.finestflow.toml``, a TOML file, ``file.py:Class`` or ``module:Class``; None takes ``default-pipeline``.
            settings: Values by path that will be set, for params that the pipeline cannot be made without.
            over: A configuration that is set over it, as ``read_config`` returns; the pipeline itself when no target is named.
        """
        from finestflow.configured import choose

        folders = (self.folder, self.root)
        return choose(target, self.config, folders, settings=settings, get=self._load_value, over=over)

    def read_config(self, name: str) -> Mapping[str, Any]:
        """Return the pipeline that a recorded run was of, or a TOML file tells of, as configuration."""
        from finestflow.configured import config_of_run, is_config_file, read_table

        return (
            read_table(name, [self.folder, self.root])[1]
            if is_config_file(name)
            else config_of_run(self.load_run(name))
        )

    def _load_value(self, digest: str) -> Any:
        return self.store.load(digest)

    def configure(
        self, pipeline: Pipeline, settings: Iterable[tuple[str, Any]], inputs: dict[str, Any]
    ) -> dict[str, Any]:
        """Set params and inputs by path; returns the inputs.

        Args:
            pipeline: Changed in place.
            settings: (path, value): a text is converted to the declared type.
            inputs: Inputs so far.

        Raises:
            ParamError: A path names nothing, or both a param and an input.
        """
        from finestflow.pipeline.settings import apply_settings

        return apply_settings(pipeline, settings, inputs)

    @cached_property
    def runner(self) -> Runner:
        """Makes runs here."""
        from finestflow.runner import Runner

        return Runner(
            store=self.store,
            open_store=self.open_store,
            open_executor=self.open_executor,
            fingerprinter=self.fingerprinter,
            clock=self.clock,
            environment=self.read_environment,
            root=self.root,
            warn=self.warn,
            sample=self.sample,
        )

    def open_executor(self, name: str, jobs: int) -> Executor:
        """Return the executor of that name for one run."""
        from finestflow.executor.perform import Performer
        from finestflow.executor.sequential import SequentialExecutor

        if name == "sequential":
            return SequentialExecutor(self._performer)
        from finestflow.executor.process.executor import ProcessExecutor
        from finestflow.lookup import code_of

        return ProcessExecutor(
            self._open_pool(jobs), Performer(self.clock, str(self.root)), self.clock, code_of=code_of
        )

    @cached_property
    def _performer(self) -> Performer:
        """Performs calls in this very thread; what it has initialised stays for the next run."""
        from finestflow.executor.perform import Performer

        return Performer(self.clock, str(self.root))

    def _open_pool(self, jobs: int) -> Pool:
        """Return the workers, kept between the runs of a process."""
        from finestflow import STARTED
        from finestflow.executor.process.messages import Equipment
        from finestflow.executor.process.pool import Pool

        if self._pool is not None and self._pool.jobs != jobs:
            self._close_pool()
        if self._pool is None:
            equipment = Equipment(
                root=self.root,
                objects=self.objects_dir,
                definitions=self.state_dir / "definitions",
                scratch=self.scratch,
                started=STARTED,
                salt=self.fingerprinter.salt,
                verify_always=self.config.store.verify == "always",
                inline=self._inline,
            )
            self._pool = Pool(equipment, jobs=jobs, start_method=self.config.run.start_method)
        return self._pool

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def settle(self, options: RunOptions) -> RunOptions:
        """Return options with what they leave open taken from the settings, and with the executor that they amount to."""
        from dataclasses import replace

        from finestflow.options import choose_executor

        config = self.config.run
        jobs = options.jobs
        if jobs is None and "run.jobs" in self.config.sources:
            jobs = config.jobs or "auto"
        name = config.executor if options.executor == "auto" else options.executor
        executor, count = choose_executor(name, jobs, _usable_cores())
        timeout = config.timeout if options.timeout is None else options.timeout
        return replace(options, executor=executor, jobs=count, timeout=timeout)

    def console(self, options: RunOptions) -> Console | None:
        """Return what shows a run that a program makes: on a terminal its tasks, and the text of workers in any case."""
        from finestflow.console import Console

        is_elsewhere = options.executor != "sequential"
        shows = self.config.run.display == "auto" and sys.stderr is not None and sys.stderr.isatty()
        if not shows and not is_elsewhere:
            return None
        return Console(sys.stdout if is_elsewhere else None, sys.stderr if shows else None)

    def sample(self, emit: Callable[[dict[str, Any]], None]) -> AbstractContextManager[object]:
        """Return what tells, while it is open, what this process and all that it starts use of the machine."""
        if not self.config.run.resources:
            return nullcontext()
        from finestflow.resources import Sampler

        return Sampler(emit, path=self.environ.get("PATH", ""))

    def run(
        self,
        pipeline: Pipeline,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: RunOptions | None = None,
        argv: Sequence[str] = (),
        listener: Listener | None = None,
        reproduces: RunId | None = None,
        judge: Callable[[Run], dict[str, Any]] | None = None,
    ) -> Finished:
        """Make a run and record it; the error of a failed one is in the result.

        Args:
            pipeline: The pipeline.
            args: Positional inputs.
            kwargs: Inputs by name.
            options: How to run.
            argv: The command line that led to it.
            listener: Is told each event as it happens.
            reproduces: The run that this one runs again.
            judge: Asked at the end how the run compares; its answer is recorded.
        """
        from finestflow.handed import read_handed
        from finestflow.runner import RunOptions

        read_handed(self.environ).mark_runs()
        request = self._request(pipeline, args, kwargs or {}, options or RunOptions(), argv)
        request.reproduces, request.judge = reproduces, judge
        with polite_end():
            return self.runner.run(request, self.tracking, listener)

    def plan(self, pipeline: Pipeline, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Finished:
        """Find out what would be a hit, what would run, and why; nothing runs."""
        from finestflow.runner import RunOptions

        return self.runner.plan(self._request(pipeline, args, kwargs or {}, RunOptions(echo=False), ()))

    def run_script(
        self,
        words: Sequence[str],
        *,
        node: str = "",
        name: str = "",
        note: str = "",
        tags: Sequence[str] = (),
        save: Sequence[str] = (),
        streams: Sequence[BinaryIO] = (),
        listener: Listener | None = None,
    ) -> FinishedScript:
        """Run a program that does not know finestflow, and record it.

        Args:
            words: Its command line; ``python`` as the first word is this interpreter.
            node: What is run, as a pipeline's name; the name of the program when left out.
            name: A name instead of the made-up one.
            note: What to remember of it.
            tags: Words to find it by.
            save: Patterns of files that are kept as artifacts when it has ended.
            streams: Where its stdout and stderr are shown.
            listener: Is told each event as it happens.
        """
        from finestflow.given import describe_command
        from finestflow.handed import read_handed
        from finestflow.journal.names import new_run_id, new_run_name
        from finestflow.model import RunId
        from finestflow.script import ScriptRequest, ScriptRunner

        handed = read_handed(self.environ)
        handed.mark_runs()
        command, title = describe_command(words, self.root, self.folder)
        runner = ScriptRunner(
            root=self.root,
            environ=self.environ,
            clock=self.clock,
            environment=self.read_environment,
            store=lambda: self.store,
            warn=self.warn,
            sample=self.sample,
        )
        request = ScriptRequest(
            command=command,
            node=node or title,
            run_id=RunId(handed.run_id) if handed.run_id else new_run_id(os.urandom(6)),
            name=name or new_run_name(os.urandom(4)),
            note=note,
            tags=tuple(tags),
            folder=os.path.relpath(self.folder, self.root),
            save=tuple(save),
            reproduces=RunId(handed.reproduces) if handed.reproduces else None,
            judge=self.judge_of(handed.reproduces) if handed.reproduces else None,
            streams=streams,
        )
        return runner.run(request, self.tracking, listener)

    def judge_of(self, run: str) -> Callable[[Run], dict[str, Any]]:
        """Return what is asked at the end of a run that runs another one again."""
        from finestflow.reproduce import judge

        return judge(self.load_run(run))

    def _request(
        self,
        pipeline: Pipeline,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: RunOptions,
        argv: Sequence[str],
    ) -> RunRequest:
        from finestflow.journal.names import new_run_id, new_run_name
        from finestflow.pipeline.calls import check_calls
        from finestflow.runner import RunRequest

        check_calls(pipeline)
        return RunRequest(
            pipeline=pipeline,
            args=args,
            kwargs=dict(kwargs),
            options=self.settle(options),
            run_id=new_run_id(os.urandom(6)),
            name=new_run_name(os.urandom(4)),
            argv=tuple(argv),
            folder=os.path.relpath(self.folder, self.root),
            partial=self._bounds_of(options),
        )

    def _bounds_of(self, options: RunOptions) -> Partial | None:
        """Return where a run starts and stops; None for a whole one."""
        if not (options.start or options.stop):
            return None
        from finestflow.partial import Partial, outputs_of

        run = self.load_run(options.from_run) if options.from_run else None
        if run is None:
            return Partial(tuple(options.start), tuple(options.stop))
        return Partial(tuple(options.start), tuple(options.stop), run.summary.id, outputs_of(run))

    @cached_property
    def tracking(self) -> RepositoryTracking:
        """What a run is recorded through."""
        from finestflow.tracking import RepositoryTracking

        return RepositoryTracking(
            repository=self.repository,
            config=self.config,
            journal=lambda: self.journal,
            refresh=lambda: self.index.refresh(self.require_repository()),
            clock=self.clock,
            warn=self.warn,
        )

    def close(self) -> None:
        """Write what is pending, close files, end the workers, and remove private copies of artifacts."""
        self._close_pool()
        if "store" in self.__dict__:
            self.store.close()
        for store in self._stores.values():
            store.close()
        if "index" in self.__dict__:
            self.index.close()
        if "scratch" in self.__dict__:
            self._drop_scratch()


def _usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system tells
        return os.cpu_count() or 1


def _describe_change(name: str, value: Any) -> str:
    """Return what a field of ``annotations.Change`` does, for the history of annotations."""
    if name == "removed":
        return "remove" if value else "restore"
    return f"{name.replace('_', ' ')} {value}" if value != "" else f"no {name}"


@contextmanager
def polite_end() -> Iterator[None]:
    """Let a run that is asked to end (SIGTERM) be recorded as cancelled first; a handler of the program's own stays."""
    is_ours = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return

    from finestflow.executor.perform import Terminated

    def end(number: int, _frame: object) -> None:
        raise Terminated(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


_workspaces: dict[Path, Workspace] = {}


def current() -> Workspace:
    """Return the workspace of the working directory, kept for the process."""
    folder = Path.cwd()
    found = _workspaces.get(folder)
    if found is None:
        found = _workspaces[folder] = Workspace.find(folder, os.environ)
    return found


def launch(pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make a run of a pipeline that was called from plain Python; returns the plain value, raises the run's error."""
    from dataclasses import replace

    from finestflow.handed import read_handed
    from finestflow.runner import RunOptions
    from finestflow.view import RunView

    workspace = current()
    handed = read_handed(os.environ)
    options = workspace.settle(RunOptions(**{"tags": handed.tags, "note": handed.note, **pipeline.run_options}))
    listener = None
    if options.echo:
        listener = workspace.console(options)
        options = replace(options, echo=options.executor == "sequential")
    finished = workspace.run(pipeline, args, kwargs, options=options, argv=tuple(sys.argv), listener=listener)
    pipeline.set_last_run(RunView(workspace, finished.run))
    if finished.error is not None:
        raise finished.error
    value = finished.value
    finished.release()
    return value
