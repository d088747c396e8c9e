"""What the screens read: the runs of a repository in order and in pages, live ones on top, whole records and differences on demand.

Invariant: ``first`` and ``page`` are quick enough for the thread that paints; everything that is documented as slow is for a worker, and works
on an index connection of its own. Opening it loads no git library. Imports nothing of Textual.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from finestflow.errors import CorruptionError
from finestflow.journal.conditions import find_value
from finestflow.journal.index import Index
from finestflow.journal.listing import Group, Listing, Range, count_groups, gather, members_of
from finestflow.journal.query import Query, parse
from finestflow.model import Run, RunSummary
from finestflow_tui.live import LiveRun, LiveRuns
from finestflow_tui.peek import Peeker

if TYPE_CHECKING:
    from finestflow.compare import RunDiff
    from finestflow.git.objects import FileChange
    from finestflow.workspace import Workspace

__all__ = ["FIRST", "GROUPS", "History"]

FIRST = 100
"""Runs that are looked up before the first paint; the rest follows from a worker."""
GROUPS = -1_000_000
"""Numbers below this one are headings of groups; those above, below zero, are live runs."""
RANGES = 8
"""Groups that a metric or another number with many values is put into."""
_KEPT = 64
Value = TypeVar("Value")


def tree_of(run: Run) -> str | None:
    """Return where the files of a run are: in its commit once there is one; None for a run without a snapshot."""
    return None if run.snapshot is None else run.summary.commit or run.snapshot.tree


def _key_of(summary: RunSummary) -> tuple[str, ...]:
    """Return what a loaded run is kept by: what is said of it may change."""
    return ("run", summary.commit, summary.note, str(summary.tags), str(summary.star))


class History:
    """The runs of a workspace that has a repository."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        repository = workspace.require_repository()
        self.reading = Listing(Index(repository.state_dir / "index.sqlite"))
        self.searching = Listing(workspace.index)
        self.live = LiveRuns(repository.state_dir / "live")
        self.peeker = Peeker(workspace.folder, workspace.environ)
        self.is_fresh = False
        """Whether the index was compared with the refs since the start."""
        self.unreadable: set[str] = set()
        """Ids of runs whose record turned out to be damaged, or of a later format; the index knows them from their commit message."""
        self.is_lost = False
        """Whether the index has no run any more: its file was damaged or deleted, and it is to be made again."""
        self._numbers: dict[str, int] = {}
        self._groups: dict[int, Group] = {}
        self._members: dict[int, array[int]] = {}
        """The runs below each heading, folded or not."""
        self._told: dict[int, tuple[str, ...]] = {}
        """By heading, the metrics of which it was read what its runs have: that is done for those that are seen."""
        self._heading = threading.Lock()
        """Held while a heading and what is below it change: one worker lists, another one reads the figures."""
        self._version = -1
        self._known: frozenset[str] | None = None
        self._counting = threading.Lock()
        self._values: dict[str, list[tuple[str, int]]] = {}
        self._values_at = -1
        self._cache: OrderedDict[tuple[str, ...], object] = OrderedDict()

    # -- quick -------------------------------------------------------------------------------------------------------------------------

    def has_changed(self) -> tuple[bool, bool]:
        """Say whether the index, and whether live runs changed since the last call."""
        version = self.reading.index.version()
        index, self._version = version != self._version, version
        if index:
            self._known = None
            self.is_lost = self.is_fresh and self.reading.index.is_empty
        return index, self.live.poll(lambda run_id: bool(self.reading.numbers_of([run_id])))

    @property
    def known(self) -> frozenset[str]:
        """The names of all metrics and params."""
        if self._known is None:
            metrics, params = self.reading.index.known_names()
            self._known = frozenset(metrics | params)
        return self._known

    def parse(self, text: str) -> Query:
        """Parse a query; it never fails."""
        return parse(text, now=self.workspace.clock.time(), known=self.known, find=self.workspace.find_named)

    def first(self, query: str, sorts: tuple[str, ...], limit: int = FIRST) -> array[int] | None:
        """Return the numbers of the first runs of a list, live ones on top; None where that takes long."""
        parsed = self.parse(query) if query else None
        found = None if parsed is not None and parsed.needs else self.reading.first(parsed, sorts=sorts, limit=limit)
        return None if found is None else self.live_numbers(parsed) + found

    def live_numbers(self, query: Query | None) -> array[int]:
        """Return the numbers of the live runs that a query finds."""
        found = array("q")
        going = self.live.runs
        ended = self.reading.numbers_of([live.id for live in going]) if going else {}
        for live in going:
            if live.id not in ended and (query is None or query.is_fulfilled_by(live.run)):
                found.append(self._numbers.setdefault(live.id, -1 - len(self._numbers)))
        return found

    def page(self, numbers: Iterable[int]) -> dict[int, RunSummary | Group]:
        """Return what some numbers stand for: runs, live runs, headings of groups."""
        wanted = list(numbers)
        found: dict[int, RunSummary | Group] = dict(self.reading.page(number for number in wanted if number > 0))
        ids = {number: run_id for run_id, number in self._numbers.items()}
        for number in wanted:
            if number <= GROUPS:
                found[number] = self._groups[number]
            elif number < 0:
                summary = self._going_or_ended(ids[number])
                if summary is not None:
                    found[number] = summary
        return found

    def _going_or_ended(self, run_id: str) -> RunSummary | None:
        """Return a run that goes on; one that has just ended as it was recorded, since a list may still name it by its former number."""
        live = self.live.find(run_id)
        if live is not None:
            return live.summary
        recorded = self.reading.numbers_of([run_id]).values()
        return next(iter(self.reading.page(recorded).values()), None)

    def untold(self, numbers: Iterable[int], metrics: tuple[str, ...]) -> list[int]:
        """Return those headings of which it is not known what their runs have of metrics, given as ``m.NAME``."""
        return [number for number in numbers if number <= GROUPS and self._told.get(number) != metrics]

    def tell(self, headings: Iterable[int], metrics: tuple[str, ...]) -> None:
        """Read what the runs of some groups have of metrics, given as ``m.NAME``."""
        for heading in headings:
            with self._heading:
                group, own = self._groups[heading], self._members[heading]
            stats = self.searching.stats_of(own, metrics)
            with self._heading:
                if self._groups[heading] is group:  # else it is the heading of another one by now
                    self._groups[heading], self._told[heading] = group._replace(stats=stats), metrics

    def best_letters(self, heading: int, marks: Mapping[str, str]) -> dict[str, str]:
        """Return, for each metric of a group, the letter of a marked run of it that has the best value."""
        numbers = self.reading.numbers_of(list(marks)) if marks else {}
        own, letters = self._members[heading], dict[str, str]()
        inside = {marks[run_id]: number for run_id, number in numbers.items() if number in own}
        runs = self.reading.page(inside.values())
        for letter, number in inside.items():
            for key, stat in self._groups[heading].stats.items():
                best = {"max": stat.most, "min": stat.least}.get(self.workspace.goals.of(key[2:]) or "")
                found = find_value(runs[number].metrics, key[2:], "/") if best is not None else None
                if found is not None and found[0] == best:
                    letters.setdefault(key, letter)
        return letters

    def find(self, number: int) -> RunSummary | None:
        """Return the run of a number."""
        found = self.page([number]).get(number)
        return found if isinstance(found, RunSummary) else None

    def id_of(self, number: int) -> str:
        """Return the id of a run that goes on, or did, by its number; empty for any other."""
        return next((run_id for run_id, own in self._numbers.items() if own == number), "")

    def number_of(self, run_id: str) -> int | None:
        """Return the number of a run: that of the record once there is one."""
        recorded = self.reading.numbers_of([run_id]).get(run_id)
        return self._numbers.get(run_id) if recorded is None else recorded

    def find_loaded(self, summary: RunSummary) -> Run | None:
        """Return a recorded run that was loaded before."""
        found = self._cache.get(_key_of(summary))
        return found if isinstance(found, Run) else None

    def find_live(self, run_id: str) -> LiveRun | None:
        """Return a run that is going on."""
        return self.live.find(run_id)

    def total(self) -> int:
        """Count the runs that are not removed."""
        return self.reading.index.count()

    # -- slow: for workers -------------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Record what killed processes left and bring the index up to date."""
        self.workspace.refresh()
        if self.workspace.index.is_in_memory:  # no file tells the connection that pages are read with what is new
            self.reading = self.searching
        self.is_fresh = True

    def get_ready_to_recover(self) -> None:
        """Load what it takes to record a killed run, which is most of the time until its end is seen."""
        from finestflow.git.command import run_git
        from finestflow.git.objects import load_writer

        load_writer()
        run_git(self.workspace.require_repository(), "version")

    def order(
        self, query: str, sorts: tuple[str, ...], by: str = "", folded: frozenset[str] = frozenset()
    ) -> array[int]:
        """Return the numbers of all runs of a list, with headings where it is grouped.

        Args:
            query: The filter.
            sorts: Sort keys, the first decides.
            by: What it is grouped by; empty for no groups.
            folded: Groups of which only the heading is shown, by the text of their value.
        """
        parsed = self.parse(query) if query else None
        top = self.live_numbers(parsed)
        if not by:
            return top + self.searching.order(parsed, sorts=sorts)
        numbers, values = self.searching.order(parsed, sorts=sorts), self.searching.values(by)
        groups = gather(count_groups(by, numbers, values), RANGES)
        members = members_of(groups, numbers, values)
        for position, (group, own) in enumerate(zip(groups, members, strict=True)):
            heading = GROUPS - position
            with self._heading:
                known = self._groups.get(heading)
                if known is None or known._replace(stats={}) != group or self._members[heading] != own:
                    self._groups[heading], self._members[heading] = group, own
                    self._told.pop(heading, None)
            top.append(heading)
            if str(group.value) not in folded:
                top.extend(own)
        return top

    def values_of(self, key: str) -> list[tuple[str, int]]:
        """Return the values of a field, metric or param, most frequent first, and how many runs have each; counted once for a state of the index."""
        with self._counting:
            version = self._version
            if self._values_at != version:
                self._values_at, self._values = version, {}
            if key not in self._values:
                self._values[key] = self.searching.values_of(key)
            return self._values[key]

    def ranges(self, metrics: Iterable[str], numbers: Iterable[int] | None) -> dict[str, Range]:
        """Return the least and the greatest value of metrics, by ``m.NAME``, among some runs, or all."""
        listed = None if numbers is None else [number for number in numbers if number > 0]
        found = {key: self.searching.range_of(key, listed) for key in metrics}
        return {key: limits for key, limits in found.items() if limits is not None}

    def load(self, summary: RunSummary) -> Run:
        """Return a run, whole; a live one as far as it has come."""
        live = self.live.find(summary.id)
        if live is not None:
            return live.run
        fresh = summary if summary.commit else self.workspace.resolve(summary.id)
        try:
            run = self._keep(_key_of(fresh), lambda: self.workspace.load_run(fresh))
        except CorruptionError:
            self.unreadable.add(fresh.id)
            raise
        self.unreadable.discard(fresh.id)
        return run

    def load_readable(self, summaries: Iterable[RunSummary]) -> list[Run]:
        """Return runs, whole, without those whose record cannot be read; where fewer than two are left, why."""
        found, problem = [], None
        for summary in summaries:
            try:
                found.append(self.load(summary))
            except CorruptionError as error:
                problem = error
        if problem is not None and len(found) < 2:
            raise problem
        return found

    def diff(self, before: RunSummary, after: RunSummary) -> RunDiff:
        """Return what differs between two runs."""
        from finestflow.compare import diff_runs

        old, new = self.load(before), self.load(after)
        if not (before.commit and after.commit):
            return diff_runs(old, new, self.workspace.require_repository())
        key = ("diff", before.commit, after.commit)
        return self._keep(key, lambda: diff_runs(old, new, self.workspace.require_repository()))

    def files_of(self, run: Run) -> tuple[list[str], list[FileChange]]:
        """Return the files of a run's snapshot, and how they differ from the commit that it began with."""
        from finestflow.git.objects import Objects

        tree = tree_of(run)
        if run.snapshot is None or tree is None:
            return [], []
        with Objects(self.workspace.require_repository()) as objects:
            found = (path for path, _, _ in objects.iter_files(tree))
            paths = [path for path in found if not path.startswith(".finestflow/")]
            base = run.snapshot.base
            return paths, objects.changed_files(base, tree, ignore_prefix=".finestflow") if base else []

    def read_file(self, run: Run, path: str) -> bytes:
        """Return a file as it was in a run; nothing where there was none."""
        from finestflow.git.objects import Objects

        tree = tree_of(run)
        if tree is None:
            return b""
        with Objects(self.workspace.require_repository()) as objects:
            return objects.read_path(tree, path) or b""

    def patch_of(self, diff: RunDiff, path: str, *, context: int = 3, ignores_space: bool = False) -> str:
        """Return how a file differs between two runs, as git prints it."""
        from finestflow.git.patch import read_patch

        old, new = tree_of(diff.before), tree_of(diff.after)
        if old is None or new is None:
            return ""
        return read_patch(
            self.workspace.require_repository(), old, new, [path], context=context, ignores_space=ignores_space
        )

    def line_counts(self, diff: RunDiff) -> dict[str, tuple[int, int]]:
        """Return how many lines of each file came and went between two runs."""
        from finestflow.git.patch import count_lines

        old, new = tree_of(diff.before), tree_of(diff.after)
        return {} if old is None or new is None else count_lines(self.workspace.require_repository(), old, new)

    def diff_present(self, before: RunSummary) -> RunDiff:
        """Return how the files as they are now differ from those of a run."""
        return self.workspace.diff_present(self.load(before))

    def course(self, pipeline: str, metric: str) -> list[float]:
        """Return the last values of a metric in the latest runs of a pipeline, oldest first."""
        numbers = self.searching.order(self.parse(f'pipeline="{pipeline}"'), limit=FIRST)
        page = self.searching.page(numbers)
        found = [
            page[number].metrics[metric] for number in numbers if number in page and metric in page[number].metrics
        ]
        return found[::-1]

    def _keep(self, key: tuple[str, ...], make: Callable[[], Value]) -> Value:
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = make()
            while len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
        return found  # type: ignore[return-value]

    def close(self) -> None:
        """Close the files, and end what looks into values."""
        self.peeker.stop()
        self.reading.index.close()
