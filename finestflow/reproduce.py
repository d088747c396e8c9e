"""What running a recorded run again is judged by: what is not as it was, before; how every output compares, after.

Owns the verdict: digest by digest, and what could explain a difference (another interpreter, other packages, inputs that are gone). ``rerun``
makes the new run. Called by ``workspace``, and by the process that makes the new run, so that its record has the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finestflow.errors import FinestflowError
from finestflow.journal.names import is_named_by
from finestflow.model import NodeRecord, NodeStatus, Omitted, Run, RunId

if TYPE_CHECKING:
    from finestflow.cache.store import Store

__all__ = [
    "Comparison",
    "Preflight",
    "Verdict",
    "bounds_of",
    "compare_nodes",
    "inspect_run",
    "is_program",
    "judge",
]

IDENTICAL, CLOSE, DIFFERS, UNKNOWN, MISSING, NEW = (
    "identical",
    "within tolerance",
    "differs",
    "not comparable",
    "missing",
    "new",
)
_BAD = frozenset({DIFFERS, MISSING, NEW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What is known before a run is run again.

    Attributes:
        changes: What is not as it was, one sentence each: interpreter, platform, packages.
        missing: What the run needs and is not here, one sentence each; it will fail or differ.
        files: Files that the snapshot left out and that are here unchanged, to be copied into the worktree.
        part: Which part of the pipeline ran and will run again, in a sentence; empty when it was all of it.
    """

    changes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One node of both runs; ``failed`` is whether it failed in both."""

    path: str
    verdict: str
    before: str | None
    after: str | None
    detail: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a run that was run again compares.

    Attributes:
        identical: Whether no node differs.
        nodes: Every node, in the order of the original run.
        first: Path of the first node that differs; empty when none does.
        run: Id of the new run.
    """

    identical: bool
    nodes: tuple[Comparison, ...]
    first: str = ""
    run: RunId | None = None

    def summary(self) -> str:
        """Return the verdict in a sentence."""
        counted = sum(node.verdict in {IDENTICAL, CLOSE} and not node.failed for node in self.nodes)
        failed = next((node.path for node in self.nodes if node.failed), None)
        unknown = sum(node.verdict == UNKNOWN for node in self.nodes)
        rest = f", {unknown} not comparable" if unknown else ""
        if self.identical and failed is not None:
            same = f"all {counted} compared outputs have the same digest" if counted else "no output to compare"
            return f"identical: {failed!r} failed again with the same error; {same}{rest if counted else ''}"
        if self.identical:
            return f"identical: all {counted} compared outputs have the same digest{rest}"
        return f"differs: first at {self.first!r}; {counted} of {len(self.nodes)} outputs are the same{rest}"


# -- before ----------------------------------------------------------------------------------------------------------------------------


def inspect_run(
    run: Run,
    environment: Mapping[str, Any],
    root: Path,
    has_value: Callable[[str], bool],
    unrecorded: Callable[[str], bool],
    digest_of: Callable[[Path], str],
) -> Preflight:
    """Find out what is not as it was when the run was made.

    Args:
        run: The run.
        environment: The present one, as ``read_environment`` gives it.
        root: The user's work tree, where files that the snapshot left out may still lie.
        has_value: Whether the store has a value.
        unrecorded: Whether a file, or something in a folder, is not in the snapshot, such as what git ignores; by path from the root.
        digest_of: Digests a file or folder as an input.
    """
    missing = [
        f"input {name!r} is not in this store (digest {digest[:12]})"
        for name, digest in run.input_digests.items()
        if not has_value(digest)
    ]
    files = []
    for omitted in run.snapshot.omitted if run.snapshot is not None else ():
        state = _omitted_state(omitted, root)
        if state == "same":
            files.append(omitted.path)
        elif omitted.digest is not None or state == "missing":
            missing.append(f"file {omitted.path!r} was left out of the snapshot ({omitted.reason}) and is {state}")
    told = {omitted.path for omitted in run.snapshot.omitted} if run.snapshot is not None else set()
    for name in sorted(set(run.files) - told):
        if not unrecorded(name):
            continue
        place = root / name
        state = "missing" if not place.exists() else "same" if digest_of(place) == run.files[name] else "changed"
        if state == "same":
            files.append(name)
        else:
            missing.append(f"{name!r}, which it read, is not in the snapshot (ignored by git?) and is {state}")
    if run.snapshot is None:
        missing.append("its code was not recorded")
    return Preflight(
        changes=tuple(_environment_changes(run.environment, environment)),
        missing=tuple(missing),
        files=tuple(files),
        part=_describe_part(run, has_value),
    )


def bounds_of(run: Run, has_value: Callable[[str], bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where a partial run starts and stops again: at the beginning where what lay before its start is not in this store any more."""
    start, stop = (tuple(run.settings.get(name, ())) for name in ("start", "stop"))
    is_there = all(
        node.output is not None and has_value(node.output.digest or "")
        for node in run.nodes.values()
        if node.status is NodeStatus.HIT and not any(is_named_by(node.path, pattern) for pattern in start)
    )
    return start if is_there else (), stop


def _describe_part(run: Run, has_value: Callable[[str], bool]) -> str:
    was, (start, stop) = tuple(run.settings.get("start", ())), bounds_of(run, has_value)
    if not (was or stop):
        return ""
    bounds = [f"{word} {', '.join(map(repr, names))}" for word, names in (("from", start), ("to", stop)) if names]
    told = f"it was a partial run, and runs again {' '.join(bounds) or 'whole'}"
    return f"{told}: what lay before its start is not in this store" if was and not start else told


def _environment_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in ("python", "implementation", "platform", "gpu"):
        if before.get(name) and before.get(name) != after.get(name):
            yield f"{name} {before[name]} -> {after.get(name)}"
    old, new = before.get("packages", {}), after.get("packages", {})
    for name in sorted({*old, *new}, key=str.lower):
        if old.get(name) != new.get(name):
            yield f"package {name} {old.get(name) or 'absent'} -> {new.get(name) or 'absent'}"
    was_from, is_from = before.get("origins", {}), after.get("origins", {})
    for name in sorted({*was_from, *is_from}):
        if was_from.get(name) != is_from.get(name) and old.get(name) == new.get(name):
            yield f"package {name} from {was_from.get(name) or 'an index'} -> {is_from.get(name) or 'an index'}"
    variables = {*before.get("variables", {}), *after.get("variables", {})}
    for name in sorted(variables):
        was, now = before.get("variables", {}).get(name), after.get("variables", {}).get(name)
        if was != now:
            yield f"variable {name} {was!r} -> {now!r}"


def _omitted_state(omitted: Omitted, root: Path) -> str:
    from blake3 import blake3

    path = root / omitted.path
    if not path.is_file():
        return "missing"
    if omitted.digest is None:
        return "same" if path.stat().st_size == omitted.size else "changed"
    return "same" if blake3().update_mmap(path).hexdigest() == omitted.digest else "changed"


# -- the verdict -----------------------------------------------------------------------------------------------------------------------


def compare_nodes(before: Run, after: Run, *, store: Store | None = None, tolerance: float | None = None) -> Verdict:
    """Compare two runs call by call.

    Args:
        before: The original.
        after: The run that reproduces it.
        store: Where values lie, for ``tolerance``.
        tolerance: Largest relative or absolute difference of numbers that still counts as equal.
    """
    nodes = []
    for path, node in before.nodes.items():
        nodes.append(_compare(path, node, after.nodes.get(path), store, tolerance))
    for path, node in after.nodes.items():
        if path not in before.nodes:
            nodes.append(Comparison(path=path, verdict=NEW, before=None, after=_digest(node)))
    if is_program(before):
        nodes += _compare_metrics(before, after, tolerance or 0.0)
    first = next((node.path for node in nodes if node.verdict in _BAD), "")
    return Verdict(identical=not first, nodes=tuple(nodes), first=first, run=after.summary.id)


def judge(before: Run) -> Callable[[Run], dict[str, Any]]:
    """Return what the runner asks at the end of a reproducing run, so that the verdict is in its record."""

    def verdict(after: Run) -> dict[str, Any]:
        found = compare_nodes(before, after)
        return {"of": before.summary.id, "verdict": IDENTICAL if found.identical else DIFFERS, "first": found.first}

    return verdict


def is_program(run: Run) -> bool:
    """Whether a run has no pipeline: it was started by a program, or is one."""
    return bool(run.settings.get("made-by"))


def _compare_metrics(before: Run, after: Run, tolerance: float) -> Iterator[Comparison]:
    """Compare the last value of each metric: of a run without a pipeline it says as much as an output."""
    for name in [*before.metrics, *(name for name in after.metrics if name not in before.metrics)]:
        old, new = before.metrics.get(name), after.metrics.get(name)
        if old is None or new is None:
            yield Comparison(path=name, verdict=MISSING if new is None else NEW, before=None, after=None)
            continue
        same = old.last == new.last or (math.isnan(old.last) and math.isnan(new.last))
        verdict = IDENTICAL if same else CLOSE if _are_close(old.last, new.last, tolerance) else DIFFERS
        detail = "" if same else f"{old.last:.6g} -> {new.last:.6g}"
        yield Comparison(path=name, verdict=verdict, before=None, after=None, detail=detail)


def _digest(node: NodeRecord) -> str | None:
    return node.output.digest if node.output is not None else None


def _compare(
    path: str, old: NodeRecord, new: NodeRecord | None, store: Store | None, tolerance: float | None
) -> Comparison:
    before, after = _digest(old), _digest(new) if new is not None else None
    if new is None:
        if old.status in {NodeStatus.SKIPPED, NodeStatus.PENDING, NodeStatus.KILLED, NodeStatus.CANCELLED}:
            return Comparison(
                path=path, verdict=UNKNOWN, before=before, after=None, detail=f"it was {old.status.value}"
            )
        return Comparison(path=path, verdict=MISSING, before=before, after=None, detail="it was not called again")
    if old.kind == "pipeline":
        same = _is_good(old) == _is_good(new)
        return Comparison(path=path, verdict=IDENTICAL if same else DIFFERS, before=None, after=None)
    if old.status in {NodeStatus.KILLED, NodeStatus.CANCELLED, NodeStatus.SKIPPED, NodeStatus.RUNNING}:
        return Comparison(path=path, verdict=UNKNOWN, before=before, after=after, detail=f"it was {old.status.value}")
    if _is_good(old) != _is_good(new):
        return Comparison(
            path=path,
            verdict=DIFFERS,
            before=before,
            after=after,
            detail=f"{old.status.value} -> {new.status.value}: {new.error}",
        )
    if not _is_good(old):
        verdict = IDENTICAL if old.error == new.error else DIFFERS
        return Comparison(path=path, verdict=verdict, before=None, after=None, detail=new.error, failed=True)
    if old.output is None and new.output is None:  # a program's own node: what it saved has nodes below
        return Comparison(path=path, verdict=IDENTICAL, before=None, after=None)
    if before is None or after is None:
        return Comparison(path=path, verdict=UNKNOWN, before=before, after=after, detail="the value has no digest")
    if before == after:
        return Comparison(path=path, verdict=IDENTICAL, before=before, after=after)
    if tolerance is not None and store is not None and _is_close(store, before, after, tolerance):
        return Comparison(path=path, verdict=CLOSE, before=before, after=after)
    detail = (
        f"{old.output.preview} -> {new.output.preview}" if old.output is not None and new.output is not None else ""
    )
    return Comparison(path=path, verdict=DIFFERS, before=before, after=after, detail=detail)


def _is_good(node: NodeRecord) -> bool:
    return node.status in {NodeStatus.OK, NodeStatus.HIT}


def _is_close(store: Store, before: str, after: str, tolerance: float) -> bool:
    try:
        return _are_close(store.load(before), store.load(after), tolerance)
    except (FinestflowError, TypeError, ValueError):
        return False


def _are_close(old: Any, new: Any, tolerance: float) -> bool:
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance) or (math.isnan(old) and math.isnan(new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_are_close(old[key], new[key], tolerance) for key in old)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return len(old) == len(new) and all(_are_close(a, b, tolerance) for a, b in zip(old, new, strict=True))
    if hasattr(old, "__array__") and hasattr(new, "__array__"):
        import numpy as np

        return bool(np.allclose(old, new, rtol=tolerance, atol=tolerance, equal_nan=True))
    return bool(old == new)
