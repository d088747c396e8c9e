"""Runs, nodes and outputs as the dicts of ``--json``: stable names, times in ISO 8601, fields only ever added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finestflow.cli._text import iso

if TYPE_CHECKING:
    from finestflow.model import Metric, NodeRecord, OutputRecord, Run, RunSummary

__all__ = ["node_document", "run_document", "summary_document"]


def summary_document(summary: RunSummary) -> dict[str, Any]:
    """Return what ``log --json`` says of a run."""
    return {
        "id": summary.id,
        "name": summary.name,
        "pipeline": summary.pipeline,
        "status": summary.status.value,
        "started": iso(summary.started),
        "seconds": summary.seconds,
        "params": dict(summary.params),
        "metrics": dict(summary.metrics),
        "tags": list(summary.tags),
        "note": summary.note,
        "star": summary.star,
        "removed": summary.removed,
        "commit": summary.commit or None,
        "base": summary.base,
        "branch": summary.branch,
        "code": summary.code or None,
        "dirty": {"changed": summary.dirty[0], "untracked": summary.dirty[1]},
        "nodes": summary.nodes,
        "hits": summary.hits,
        "error": summary.error,
        "reproduces": summary.reproduces,
        "origin": summary.origin,
    }


def run_document(run: Run) -> dict[str, Any]:
    """Return what ``show --json`` says of a run: the summary and everything in its record."""
    document = summary_document(run.summary)
    document |= {
        "target": run.target,
        "argv": list(run.argv),
        "inputs": dict(run.inputs),
        "input_digests": dict(run.input_digests),
        "settings": dict(run.settings),
        "environment": dict(run.environment),
        "outputs": dict(run.outputs),
        "returned": run.returned,
        "ended": iso(run.ended),
        "notes": list(run.notes),
        "traceback": run.traceback,
        "reproduction": dict(run.reproduction),
        "series": {name: _metric(metric) for name, metric in run.metrics.items()},
        "resources": {
            name: {
                "mean": used.mean,
                "peak": used.peak,
                "values": [{"value": value, "time": iso(time)} for time, value in used.values],
            }
            for name, used in run.resources.items()
        },
        "nodes": [node_document(node) for node in run.nodes.values()],
    }
    if run.snapshot is not None:
        document["omitted"] = [
            {"path": item.path, "reason": item.reason, "size": item.size, "digest": item.digest}
            for item in run.snapshot.omitted
        ]
        document["stable"] = run.snapshot.stable
    return document


def node_document(node: NodeRecord) -> dict[str, Any]:
    """Return what ``--json`` says of one node."""
    return {
        "path": node.path,
        "task": node.task,
        "kind": node.kind,
        "status": node.status.value,
        "why": node.why,
        "hit_of": node.hit_of,
        "key": node.key,
        "digest": node.output.digest if node.output else None,
        "started": iso(node.started),
        "seconds": node.seconds,
        "cpu": node.cpu,
        "memory": node.memory,
        "params": dict(node.params),
        "code": dict(node.code),
        "inputs": {
            name: {"digest": item.digest, "from": item.source, "preview": item.preview}
            for name, item in node.inputs.items()
        },
        "output": _output(node.output),
        "attempts": [
            {"started": iso(a.started), "seconds": a.seconds, "status": a.status.value, "error": a.error}
            for a in node.attempts
        ],
        "error": node.error,
        "notes": list(node.notes),
        "seed": node.seed,
    }


def _output(output: OutputRecord | None) -> dict[str, Any] | None:
    if output is None:
        return None
    return {
        "digest": output.digest,
        "size": output.size,
        "object": output.object,
        "type": output.type,
        "preview": output.preview,
        "parts": dict(output.parts),
        "names": list(output.names),
        "note": output.note,
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "last": metric.last,
        "best": metric.best,
        "count": metric.count,
        "values": [{"step": step, "value": value, "time": iso(time)} for step, value, time in metric.values],
    }
