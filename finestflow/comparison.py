"""Many runs side by side: params, inputs, metrics, and which version of its code each task had.

Owns the table as data; commands and screens show it. Invariant: rows keep the order in which the runs first name them, and the runs
their own order; nothing of a run is unpickled or executed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from finestflow.cache.components import own_code
from finestflow.compare import SEED, flat_environment, seed_of
from finestflow.families import gather_families, mean_of
from finestflow.goals import GUESSED, Goals
from finestflow.model import Run, RunSummary

__all__ = ["COMPARED_FILES", "Row", "SideBySide", "compare_runs"]

COMPARED_FILES = ("run.json", "params.json", "inputs.json", "metrics.json", "tasks.json", "graph.json")
"""Of a record: what ``compare_runs`` needs of each run, unless it is to compare them as a whole."""

_ID_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing in all runs.

    Attributes:
        kind: ``param``, ``input``, ``metric`` or ``code``; ``part``, ``environment`` or ``output`` where these were asked for.
        name: Its name; of code, the task, as ``Fit()``; of a part, the function, class or constant, as ``lab.clean``.
        values: Its value in each run; None where a run does not have it. Of code and parts, ``v1``, ``v2`` ... by age among these runs.
        best: Places in ``values`` of the best ones; empty where no direction is known or all are equal.
        goal: ``max`` or ``min`` of a metric of which the project or its name says which is better.
    """

    kind: str
    name: str
    values: tuple[Any, ...]
    best: frozenset[int] = frozenset()
    goal: str | None = None

    @property
    def is_uniform(self) -> bool:
        """Whether all runs have the same value."""
        first = self.values[0]
        return all(type(value) is type(first) and _is_same(value, first) for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """Runs and what they have, a row a thing."""

    runs: tuple[RunSummary, ...]
    rows: tuple[Row, ...]
    goals: Goals = GUESSED

    @property
    def titles(self) -> list[str]:
        """What the runs are called: by their names, and where several have the same, by the beginnings of their ids too."""
        names = Counter(run.name for run in self.runs)
        return [run.name if names[run.name] == 1 else f"{run.name} {run.id[:_ID_SHOWN]}" for run in self.runs]

    def folded(self) -> SideBySide:
        """Return the same with one row for the metrics of a large family of items or repeats: their means."""
        metrics = {row.name: row for row in self.rows if row.kind == "metric"}
        family_of: dict[str, Row] = {}
        for name, members in gather_families(metrics, of_metrics=True).items():
            if name not in metrics:
                values = tuple(map(mean_of, zip(*(metrics[each].values for each in members), strict=True)))
                family_of |= dict.fromkeys(
                    members, _with_best(Row(kind="metric", name=name, values=values), self.goals)
                )
        rows: list[Row] = []
        shown = set()
        for row in self.rows:
            whole = family_of.get(row.name) if row.kind == "metric" else None
            if whole is None:
                rows.append(row)
            elif whole.name not in shown:
                shown.add(whole.name)
                rows.append(whole)
        return replace(self, rows=tuple(rows))

    def differing(self) -> SideBySide:
        """Return the same without the rows in which all runs are equal."""
        return replace(self, rows=tuple(row for row in self.rows if not row.is_uniform))


def compare_runs(
    runs: Sequence[Run], *, is_whole: bool = False, with_parts: bool = False, goals: Goals = GUESSED
) -> SideBySide:
    """Put runs side by side.

    Args:
        runs: At least one; series of metrics are not needed.
        with_parts: Compare each function, class and constant that the tasks use too.
        is_whole: Compare packages and the like, and the digests of outputs, too.
        goals: Which way of a metric is better.
    """
    summaries = tuple(run.summary for run in runs)
    rows = _rows("param", [run.params for run in summaries])
    if any(map(seed_of, runs)):
        rows += _rows("input", [{SEED: seed_of(run)} for run in runs])
    rows += _rows("input", [run.inputs for run in runs])
    rows += _rows("code", _versions_of_tasks(runs))
    if with_parts:
        rows += _rows("part", _versions_of_parts(runs))
    rows += [_with_best(row, goals) for row in _rows("metric", [run.metrics for run in summaries])]
    if is_whole:
        rows += _rows("environment", [flat_environment(run.environment) for run in runs])
        rows += _rows("output", [_digests(run) for run in runs])
    return SideBySide(runs=summaries, rows=tuple(rows), goals=goals)


def _digests(run: Run) -> dict[str, str | None]:
    return {
        path: node.output.digest
        for path, node in run.nodes.items()
        if node.output is not None and node.kind != "pipeline"
    }


def _rows(kind: str, columns: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [Row(kind=kind, name=name, values=tuple(column.get(name) for column in columns)) for name in names]


def _with_best(row: Row, goals: Goals) -> Row:
    goal = goals.of(row.name)
    numbers = {i: value for i, value in enumerate(row.values) if value is not None and not math.isnan(value)}
    if goal is None or len(set(numbers.values())) < 2:
        return Row(kind=row.kind, name=row.name, values=row.values, goal=goal)
    best = max(numbers.values()) if goal == "max" else min(numbers.values())
    places = frozenset(i for i, value in numbers.items() if value == best)
    return Row(kind=row.kind, name=row.name, values=row.values, best=places, goal=goal)


def _versions(runs: Sequence[Run], code_of: Callable[[Run], Iterable[tuple[str, Hashable]]]) -> list[dict[str, str]]:
    """Return for each run the version of each piece of code: the first that was run among these runs is v1."""
    known: dict[str, dict[Hashable, int]] = {}
    versions: dict[str, dict[str, str]] = {}
    for run in sorted(runs, key=lambda run: run.summary.started):
        found = versions[run.summary.id] = {}
        for name, code in code_of(run):
            of_name = known.setdefault(name, {})
            found[name] = f"v{of_name.setdefault(code, len(of_name) + 1)}"
    return [versions[run.summary.id] for run in runs]


def _versions_of_tasks(runs: Sequence[Run]) -> list[dict[str, str]]:
    labels = _short_names(node.task for run in runs for node in run.nodes.values())

    def code_of(run: Run) -> Iterator[tuple[str, Hashable]]:
        for node in run.nodes.values():
            code = frozenset(own_code(node.code).items())
            if code:
                yield labels[node.task], code

    return _versions(runs, code_of)


def _versions_of_parts(runs: Sequence[Run]) -> list[dict[str, str]]:
    return _versions(
        runs,
        lambda run: (part for node in run.nodes.values() for part in own_code(node.code).items() if part[0][0] != "("),
    )


def _short_names(tasks: Iterable[str]) -> dict[str, str]:
    """Return the last word of each task's identity as a call, or the whole where two would be the same."""
    tasks = set(tasks)
    short = {task: task.rpartition(":")[2].rpartition(".")[2] for task in tasks}
    count: dict[str, int] = {}
    for name in short.values():
        count[name] = count.get(name, 0) + 1
    return {task: f"{name if count[name] == 1 else task}()" for task, name in short.items()}


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN is what differs from itself
