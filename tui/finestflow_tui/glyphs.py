"""The signs of statuses and small charts; each says in shape what its colour says again. Imports nothing of Textual."""

from __future__ import annotations

import math
from collections.abc import Sequence

from finestflow.model import NodeStatus, RunStatus

__all__ = ["LETTERS", "SPINNER", "bar", "node_glyph", "run_glyph", "sparkline"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Names of marks."""
SPINNER = "◐◓◑◒"
_NODES = {
    NodeStatus.PENDING: "·",
    NodeStatus.RUNNING: "◐",
    NodeStatus.OK: "●",
    NodeStatus.HIT: "◌",
    NodeStatus.FAILED: "✗",
    NodeStatus.SKIPPED: "⊘",
    NodeStatus.CANCELLED: "⊘",
    NodeStatus.KILLED: "✗",
}
_RUNS = {
    RunStatus.RUNNING: "◐",
    RunStatus.OK: "●",
    RunStatus.FAILED: "✗",
    RunStatus.CANCELLED: "⊘",
    RunStatus.KILLED: "✗",
}
_LEVELS = "▁▂▃▄▅▆▇█"


def node_glyph(status: NodeStatus) -> str:
    """Return the sign of a node's status."""
    return _NODES[status]


def run_glyph(status: RunStatus) -> str:
    """Return the sign of a run's status."""
    return _RUNS[status]


def sparkline(values: Sequence[float], columns: int) -> str:
    """Draw numbers as one line of blocks, each the mean of its share; what is no number is a gap."""
    if not values or columns < 1:
        return ""
    count = min(columns, len(values))
    means = []
    for at in range(count):
        share = [
            value
            for value in values[at * len(values) // count : (at + 1) * len(values) // count]
            if math.isfinite(value)
        ]
        means.append(sum(share) / len(share) if share else math.nan)
    finite = [value for value in means if math.isfinite(value)]
    if not finite:
        return ""
    low, span = min(finite), max(finite) - min(finite)
    return "".join(
        " " if math.isnan(value) else _LEVELS[round((value - low) / span * 7)] if span else _LEVELS[3]
        for value in means
    )


def bar(share: float, columns: int) -> tuple[str, str]:
    """Return the done and the open part of a progress bar."""
    done = round(min(1.0, max(0.0, share)) * columns)
    return "━" * done, "─" * (columns - done)
