"""How far a live run has come, in a few words and as a document. Called by the commands that list and show runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finestflow.cli._text import duration, one_line

if TYPE_CHECKING:
    from finestflow.journal.standing import RunningNode, Standing

__all__ = ["standing_document", "standing_text"]


def standing_text(standing: Standing) -> str:
    """Return ``3/7  fit 12/20 eta 3m12s +1``: tasks done of those that are known so far, and what is running."""
    parts = [f"{standing.done}/{standing.known}"]
    if standing.running:
        more = f" +{len(standing.running) - 1}" if len(standing.running) > 1 else ""
        parts.append(_running_text(standing.running[0]) + more)
    return "  ".join(parts)


def _running_text(node: RunningNode) -> str:
    text = one_line(node.path)
    if node.done is not None:
        text += f" {node.done:g}" + (f"/{node.total:g}" if node.total else "")
    if node.left is not None:
        return f"{text} eta {duration(node.left)}"
    return f"{text} {duration(node.seconds)}"


def standing_document(standing: Standing) -> dict[str, Any]:
    """Return the same for ``--json``."""
    return {
        "done": standing.done,
        "known": standing.known,
        "running": [
            {"path": node.path, "seconds": node.seconds, "done": node.done, "total": node.total, "left": node.left}
            for node in standing.running
        ],
        "metric": None if standing.metric is None else {"name": standing.metric[0], "value": standing.metric[1]},
    }
