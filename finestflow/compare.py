"""What differs between two runs: params, inputs, metrics, environment, outputs, graph, code, and what was printed.

Owns the comparison as data; commands and screens show it. Invariant: nothing of a run is unpickled or executed. What is equal is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from finestflow.families import gather_families, mean_of
from finestflow.graph import Graph, fold_items, graph_of_nodes
from finestflow.model import NodeRecord, Run

if TYPE_CHECKING:
    from finestflow.git.objects import FileChange
    from finestflow.git.repository import Repository

__all__ = [
    "SEED",
    "Change",
    "NodeChange",
    "RunDiff",
    "diff_logs",
    "diff_runs",
    "flat_environment",
    "read_code_patch",
    "seed_of",
]

SEED = "run seed"
"""How the seed of a run is named among its params; no param has a space in its name."""

_MOST_REASONS = 5
_SEVERAL = 2
"""Items of a fan-out and repeated calls are one node from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs; None where it is in one run only."""

    name: str
    before: Any
    after: Any

    @property
    def delta(self) -> float | None:
        """The difference of two numbers; None where there are none."""
        if isinstance(self.before, bool) or isinstance(self.after, bool):
            return None
        if isinstance(self.before, (int, float)) and isinstance(self.after, (int, float)):
            return self.after - self.before
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """One node whose output differs, with what its call depended on that differs too.

    ``why`` names functions, constants, packages, params and inputs; previews are one line of text each, None where there is no output, and so are
    the digests of what they show.
    """

    path: str
    before: str | None
    after: str | None
    why: tuple[str, ...] = ()
    digests: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff:
    """All that differs between two runs but what was printed.

    Attributes:
        before: The one that is compared with.
        after: The one that is asked about.
        params: By path; the seed of the run as ``run seed``.
        inputs: By name.
        metrics: Last values, by ``node/name``.
        environment: Packages, variables, machine.
        outputs: Nodes whose output differs.
        nodes: Of the graph, by path: which task each calls, and how often where it is several times.
        edges: Of the graph, as ``fit.train`` or ``fit after``: where the input of a node comes from, and what was looked at before its call.
        files: By path.
    """

    before: Run
    after: Run
    params: tuple[Change, ...] = ()
    inputs: tuple[Change, ...] = ()
    metrics: tuple[Change, ...] = ()
    environment: tuple[Change, ...] = ()
    outputs: tuple[NodeChange, ...] = ()
    nodes: tuple[Change, ...] = ()
    edges: tuple[Change, ...] = ()
    files: tuple[FileChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        values = self.params, self.inputs, self.metrics, self.environment
        return not any((*values, self.outputs, self.nodes, self.edges, self.files))

    def folded(self) -> RunDiff:
        """Return the same with one change for the metrics, and one for the outputs, of a large family of items or repeats."""
        metrics = [run.summary.metrics for run in (self.before, self.after)]
        changed = {change.name: change for change in self.metrics}
        found = []
        for name, members in gather_families([*metrics[0], *metrics[1]], of_metrics=True).items():
            if name in changed:
                found.append(changed[name])
            elif not changed.keys().isdisjoint(members):
                before, after = (mean_of(map(values.get, members)) for values in metrics)
                found.append(Change(name=name, before=before, after=after))
        return replace(self, metrics=tuple(found), outputs=tuple(self._folded_outputs()))

    def _folded_outputs(self) -> Iterator[NodeChange]:
        changed = {node.path: node for node in self.outputs}
        nodes = [run.nodes for run in (self.before, self.after)]
        for name, members in gather_families([*nodes[0], *nodes[1]]).items():
            differ = [changed[path] for path in members if path in changed]
            if name in changed:
                yield changed[name]
            elif differ:
                before, after = (sum(path in each for path in members) for each in nodes)
                why = tuple(dict.fromkeys(reason for node in differ for reason in node.why))[:_MOST_REASONS]
                yield NodeChange(
                    path=name, before=f"{before} outputs", after=f"{after} outputs, {len(differ)} differ", why=why
                )

    def __repr__(self) -> str:
        kinds = "params", "inputs", "metrics", "environment", "outputs", "nodes", "edges", "files"
        told = [f"{len(found)} {kind}" for kind in kinds if (found := getattr(self, kind))]
        before, after = self.before.summary.name, self.after.summary.name
        return f"<RunDiff {before} → {after}: {', '.join(told) or 'nothing differs'}>"


def diff_runs(before: Run, after: Run, repository: Repository | None = None) -> RunDiff:
    """Compare two runs.

    Args:
        before: The one to compare with.
        after: The one that is asked about.
        repository: Where their snapshots are; without it files are not compared.
    """
    graphs = [fold_items(graph_of_nodes(run.nodes), _SEVERAL) for run in (before, after)]
    return RunDiff(
        before=before,
        after=after,
        params=_changes(*({**run.summary.params, SEED: seed_of(run)} for run in (before, after))),
        inputs=_changes(before.inputs, after.inputs),
        metrics=_changes(before.summary.metrics, after.summary.metrics),
        environment=_environment_changes(before.environment, after.environment),
        outputs=_node_changes(before, after),
        nodes=_changes(*map(_tasks_of, graphs)),
        edges=_changes(*map(_sources_of, graphs)),
        files=_changed_files(before, after, repository) if repository is not None else (),
    )


def seed_of(run: Run) -> int:
    """Return what the random numbers of a run began with; 0 where it chose none."""
    return int(run.settings.get("seed") or 0)


def read_code_patch(before: Run, after: Run, repository: Repository) -> str:
    """Return what changed in the files, as git prints it; records are left out."""
    from finestflow.git.patch import read_patch

    if before.snapshot is None or after.snapshot is None:
        return ""
    return read_patch(repository, _tree_of(before), _tree_of(after))


def diff_logs(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> dict[str, str]:
    """Return what was printed differently, as a unified patch for each node where it differs.

    Args:
        before: What each node printed, by path; the body of the pipeline has the empty one.
        after: The same of the other run.
    """
    patches = {}
    for path in dict.fromkeys([*before, *after]):
        old, new = (_printed(logs.get(path, b"")) for logs in (before, after))
        patch = unified_diff(old, new, "before", "after", lineterm="")
        text = "".join(f"{line}\n" for line in list(patch)[2:])
        if text:
            patches[path] = text
    return patches


def _printed(log: bytes) -> list[str]:
    """Return the lines that a node printed; that a hit's are those of an earlier run is no difference."""
    lines = log.decode("utf-8", "replace").splitlines()
    return lines[1:] if lines and lines[0].startswith("[replayed from run ") else lines


def _tasks_of(graph: Graph) -> dict[str, str]:
    return {node.path: node.task + (f" x{node.count}" if node.count != 1 else "") for node in graph.nodes}


def _sources_of(graph: Graph) -> dict[str, str]:
    sources: dict[str, list[str]] = {}
    for edge in graph.edges:
        name = f"{edge.target} after" if edge.kind == "control" else f"{edge.target}.{edge.name}"
        sources.setdefault(name, []).append(edge.source + edge.part)
    return {name: ", ".join(paths) for name, paths in sources.items()}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    names = list(dict.fromkeys([*before, *after]))
    return tuple(
        Change(name=name, before=before.get(name), after=after.get(name))
        for name in names
        if not _is_equal(before.get(name), after.get(name)) or (name in before) != (name in after)
    )


def _is_equal(before: Any, after: Any) -> bool:
    both_nan = before != before and after != after  # noqa: PLR0124 - NaN is what differs from itself
    return type(before) is type(after) and (before == after or both_nan)


def _environment_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    return _changes(flat_environment(before), flat_environment(after))


def flat_environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return an environment as names and values: packages by their name, variables with a ``$``."""
    flat = {name: value for name, value in environment.items() if not isinstance(value, Mapping)}
    flat |= environment.get("packages", {})
    flat |= {f"{name} from": origin for name, origin in environment.get("origins", {}).items()}
    for name, value in environment.get("variables", {}).items():
        flat[f"${name}"] = value
    return flat


def _node_changes(before: Run, after: Run) -> tuple[NodeChange, ...]:
    found = []
    for path in dict.fromkeys([*before.nodes, *after.nodes]):
        old, new = before.nodes.get(path), after.nodes.get(path)
        if _digest(old) == _digest(new) and (old is None) == (new is None) and _status(old) == _status(new):
            continue
        if (old or new).kind == "pipeline":  # type: ignore[union-attr]
            continue
        why = () if old is None or new is None else tuple(_iter_reasons((before, old), (after, new)))
        if not why and old is not None and new is not None and seed_of(before) != seed_of(after):
            why = (f"{SEED} {seed_of(before)} -> {seed_of(after)}",)
        digests = _digest(old), _digest(new)
        found.append(NodeChange(path=path, before=_shown(old), after=_shown(new), why=why, digests=digests))
    return tuple(found)


def _digest(node: NodeRecord | None) -> str | None:
    return node.output.digest if node is not None and node.output is not None else None


def _status(node: NodeRecord | None) -> bool | None:
    return None if node is None else node.output is not None


def _shown(node: NodeRecord | None) -> str | None:
    if node is None:
        return None
    return node.output.preview if node.output is not None else f"({node.status.value})"


def _iter_reasons(before: tuple[Run, NodeRecord], after: tuple[Run, NodeRecord]) -> Iterator[str]:
    """Yield what a call depended on that differs; of one that was never made its params alone are known, from those of its run."""
    from finestflow.cache.components import explain

    old, new = before[1], after[1]
    if not (old.code and new.code):
        known = {path: [_param(*each, path) for each in (before, after)] for path in {**old.params, **new.params}}
        yield from (f"param {name!r} {a!r} -> {b!r}" for name, (a, b) in known.items() if None not in (a, b) and a != b)
        return
    yield from explain(old.code, new.code)
    yield from (f"param {c.name!r} {c.before!r} -> {c.after!r}" for c in _changes(old.params, new.params))
    for name in dict.fromkeys([*old.inputs, *new.inputs]):
        left, right = old.inputs.get(name), new.inputs.get(name)
        if (left.digest if left else None) != (right.digest if right else None):
            yield f"input {name!r}"


def _param(run: Run, node: NodeRecord, name: str) -> Any:
    """Return a param that a call had or would have had; None where the run does not say."""
    return node.params.get(name, run.summary.params.get(f"{node.path.partition('/')[0]}.{name}"))


def _changed_files(before: Run, after: Run, repository: Repository) -> tuple[FileChange, ...]:
    from finestflow.git.objects import Objects

    if before.snapshot is None or after.snapshot is None or before.snapshot.tree == after.snapshot.tree:
        return ()
    with Objects(repository) as objects:
        return tuple(objects.changed_files(_tree_of(before), _tree_of(after), ignore_prefix=".finestflow"))


def _tree_of(run: Run) -> str:
    """Return where the files of a run are: in its commit, with the record beside them; the bare tree of the files is no longer kept once that is there."""
    assert run.snapshot is not None  # its callers look
    return run.summary.commit or run.snapshot.tree
