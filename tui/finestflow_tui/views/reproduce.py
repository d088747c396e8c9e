"""Running a run again: what is known before, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finestflow.model import NodeStatus, Run
from finestflow.reproduce import Preflight
from finestflow_tui.text import Row, columns_of, cut, duration, one_line, plural, row, title

__all__ = ["plan_rows", "verdict_rows"]

_GOOD = frozenset({"identical", "within tolerance"})


def plan_rows(run: Run, preflight: Preflight) -> list[Row]:
    """Return what would happen, and what may make a difference."""
    tasks = [node for node in run.nodes.values() if node.kind == "task"]
    seconds = sum(node.seconds for node in tasks if node.status is not NodeStatus.HIT)
    hits = sum(node.status is NodeStatus.HIT for node in tasks)
    took = f"they took {duration(seconds)}" + (f", and {plural(hits, 'hit')} will be computed" if hits else "")
    rows = [
        title("what will happen"),
        row(
            f"  a work tree of its commit {run.summary.commit[:10]} is made in a temporary folder; your files stay as they are"
        ),
        row(f"  {plural(len(tasks), 'task')} run without the cache, in a process of their own; {took}"),
        row("  every output is compared with the recorded one, by digest, and the new run is recorded"),
        row("  leaving this screen or the whole UI does not stop it"),
        row(""),
    ]
    if preflight.missing:
        rows += [title("missing: it will fail or differ", str(len(preflight.missing)))]
        rows += [row(("  " + one_line(text), "error")) for text in preflight.missing]
        rows.append(row(""))
    if preflight.changes:
        rows += [title("not as it was", str(len(preflight.changes)))]
        rows += [row(("  " + one_line(text), "warning")) for text in preflight.changes]
        rows.append(row(""))
    if not preflight.missing and not preflight.changes:
        rows += [row(("  everything is as it was: interpreter, platform, packages, files", "good")), row("")]
    return [*rows, row(" ", ("⏎", "key"), " start it")]


def verdict_rows(document: Mapping[str, Any]) -> list[Row]:
    """Return the verdict that ``finestflow reproduce --json`` gave."""
    nodes = document.get("nodes", ())
    same = sum(node["verdict"] in _GOOD for node in nodes)
    if document.get("identical"):
        rows = [row((f"identical: {same} of {len(nodes)} outputs have the same digest", "good"))]
    else:
        rows = [
            row(
                (
                    f"differs: first at {one_line(document.get('first'))}; {same} of {len(nodes)} outputs are the same",
                    "bad",
                )
            )
        ]
    cells = [
        [
            ("  " + one_line(node["path"]), "bold"),
            (
                node["verdict"],
                "good" if node["verdict"] in _GOOD else "dim" if node["verdict"] == "not comparable" else "bad",
            ),
            ((node["before"] or "")[:10], "id"),
            ((node["after"] or "")[:10] if node["after"] != node["before"] else "", "id"),
            (cut(one_line(node["detail"]), 100), "dim"),
        ]
        for node in nodes
    ]
    return [*rows, row(""), *columns_of(cells, keys=[node["path"] for node in nodes])]
