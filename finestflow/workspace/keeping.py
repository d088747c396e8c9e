"""What people say of runs, what ends them, and what keeps house: annotations, stop, differences, gc, verify."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from finestflow.errors import LockedError, UsageError
from finestflow.workspace.reading import Reading

if TYPE_CHECKING:
    from finestflow.cache.holdings import Held
    from finestflow.cache.store import Usage
    from finestflow.compare import RunDiff
    from finestflow.gc import GcPlan, GcRules, Share
    from finestflow.model import Run, RunId, RunSummary
    from finestflow.provisioned import Built
    from finestflow.verify import Finding

__all__ = ["Keeping"]


class Keeping(Reading):
    """What a workspace does with runs that are there."""

    # -- annotations -------------------------------------------------------------------------------------------------------------------

    def annotate(self, runs: Iterable[str], *, among_removed: bool = False, **change: Any) -> list[RunSummary]:
        """Change what people say of runs; returns the runs as they were.

        Args:
            runs: Names of runs.
            among_removed: Whether removed runs are found too.
            change: Fields of ``annotations.Change``: ``add_tags``, ``remove_tags``, ``note``, ``star``, ``removed``, ``name``.
        """
        from finestflow.blanking import Blanking
        from finestflow.dotenv import hidden_here
        from finestflow.journal.annotations import Change

        blank = Blanking(hidden=hidden_here(self.environ, self.root)).blank
        change = {
            name: tuple(blank(value)) if isinstance(value, tuple) else blank(value) for name, value in change.items()
        }
        chosen = [self.index.resolve(name, removed=True) if among_removed else self.resolve(name) for name in runs]
        alive = [run.name for run in chosen if not run.commit]
        if alive:
            raise LockedError(f"run {alive[0]!r} is still going on", "wait for its end")
        names = ", ".join(run.name for run in chosen)
        what = "; ".join(_describe_change(name, value, names) for name, value in change.items())
        changes = {run.id: Change(**change) for run in chosen}
        self.annotations.change(changes, what, now=self.clock.time())
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

        old, new = self.load_runs([self.resolve(before), self.resolve(after)], with_series=False)
        return diff_runs(old, new, self.require_repository())

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
        from dataclasses import replace

        from finestflow.gc import NEEDED_FILES, plan, rules_of
        from finestflow.journal.journal import fold
        from finestflow.journal.live import iter_live

        rules = rules or rules_of(self.config.gc, self.select, self.clock.time())
        runs = [*self.index.summaries(), *self.index.summaries(self.parse_query("is:removed"))]
        entries = iter_live(self.require_repository().state_dir)  # that go on, or were killed and cannot be recorded
        going = [state.run for state, _ in map(fold, entries) if state.has_begun]

        def load(kept: Sequence[RunSummary]) -> Iterator[Run]:
            records = self.journal.load_many(kept, with_series=False, files=NEEDED_FILES)
            yield from self.told("looking what runs need", records, len(kept))
            yield from going

        found = plan(runs, load, self.store, rules)
        return replace(found, values=(), bytes=0) if self.is_store_elsewhere else found

    def gc(self, rules: Callable[[], GcRules] | None, busy: Callable[[RunId], None]) -> GcPlan:
        """Drop what the rules do not keep, when no run is going on.

        Args:
            rules: Gives what is kept, and is asked when the last run has ended: its query may choose that one; those of the settings when None.
            busy: Called with a run that is going on, until none is; it waits a little, or raises.

        Returns:
            What went, with the bytes that were freed in the store.
        """
        from dataclasses import replace

        from finestflow.gc import collect, drop_runs, hold_still

        repository = self.require_repository()
        with hold_still(repository.state_dir, busy):
            self.refresh()
            plan = self.plan_gc(None if rules is None else rules())
            drop_runs(repository, [run.id for run in plan.runs])
            self.index.refresh(repository)
            freed = 0 if self.is_store_elsewhere else collect(self.store, plan, now=self.clock.time())
            return replace(plan, bytes=freed)

    def built_environments(self, *, unused_for: float = 0.0) -> list[Built]:
        """Return the environments that ``reproduce --env`` has built, in any repository of this user.

        Args:
            unused_for: Only those that nobody used for so many seconds.
        """
        from finestflow.provisioned import iter_built

        now = self.clock.time()
        return [each for each in iter_built(self.environments_dir) if now - each.used >= unused_for]

    @property
    def is_store_elsewhere(self) -> bool:
        """Whether outputs lie outside of the repository, where others may use the same files: gc leaves all of them."""
        return not any(map(self.objects_dir.is_relative_to, (self.root, self.state_dir)))

    def held_values(self, sort: str = "size") -> list[Held]:
        """Return the values of the store, the greatest by ``size``, ``cost`` (to compute) or ``uses`` (entries) first."""
        from finestflow.cache.holdings import join_held

        keys: dict[str, Callable[[Held], float]] = {
            "size": lambda held: held.info.size,
            "cost": lambda held: held.seconds,
            "uses": lambda held: held.entries,
        }
        held = join_held(self.store.iter_values(), self.store.iter_entries())
        return sorted(held, key=keys[sort], reverse=True)

    def evict(self, digests: Iterable[str], busy: Callable[[RunId], None]) -> int:
        """Remove values, and the entries that name them, when no run is going on; returns how many bytes were freed.

        Args:
            digests: Of the values.
            busy: As for ``gc``.
        """
        from finestflow.gc import hold_still

        with hold_still(self.require_repository().state_dir, busy):
            return self.store.remove_values(digests)

    def verify(self, *, deep: bool = False) -> Iterator[Finding]:
        """Yield what is damaged in journal and store; ``deep`` reads every stored value."""
        from finestflow.verify import verify_journal, verify_store

        if self.repository is not None:
            yield from verify_journal(self.repository, self.journal, told=self.told)
        yield from verify_store(self.store, deep=deep)

    def usage(self) -> Usage:
        """Return how much the store holds."""
        return self.store.usage()

    def measure_store(self) -> int:
        """Return how many bytes the store takes, without opening it."""
        from finestflow.cache.objects import ObjectFolder

        files = sum(file.size for file in ObjectFolder(self.objects_dir).iter_files())
        return files + sum(path.stat().st_size for path in self.state_dir.glob("store/store.sqlite*"))

    def shares(self, query: str = "", *, by_task: bool = False) -> list[Share]:
        """Return what each run that a query finds has in the store, or each task of these runs; the largest first."""
        from finestflow.gc import NEEDED_FILES, Reach, measure_runs, measure_tasks

        chosen = [run for run in self.select(query, sort="-started") if run.commit]
        records = self.journal.load_many(chosen, with_series=False, files=NEEDED_FILES)
        runs = self.told("looking what runs need", records, len(chosen))
        return (measure_tasks if by_task else measure_runs)(runs, Reach(self.store))


def _describe_change(name: str, value: Any, runs: str) -> str:
    """Return what a field of ``annotations.Change`` has done to some runs, as a person says it: the history of annotations, and of ``undo``."""
    match name:
        case "add_tags":
            return f"tagged {runs} {_tags(value)}"
        case "remove_tags":
            return f"took {_tags(value)} off {runs}"
        case "star":
            return f"{'starred' if value else 'unstarred'} {runs}"
        case "removed":
            return f"{'removed' if value else 'restored'} {runs}"
        case "name":
            return f"renamed {runs} to {value}" if value else f"took the name of {runs} away"
        case _:
            return f"noted on {runs}: {value}" if value else f"took the note of {runs} away"


def _tags(words: Iterable[str]) -> str:
    return " ".join(f"#{word}" for word in words)
