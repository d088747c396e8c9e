"""The nodes of a run in its record, and back: rows of ``graph.json``, ``tasks.json`` and ``run.json``.

Invariant: ``load_nodes`` gives back what ``dump_nodes`` was given. What another row says already is left out: the digest of an input that is
the whole output of the node it came from, and why a hit is one. The rows are put together as text: a run may have 10,000 nodes, and the
three rows of one take 6 us instead of the 15 of dicts for ``json``. Called by ``record``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring as quote_text
from typing import Any, NamedTuple

from finestflow.journal.encode import dump_value, natural_order, number, quote, short_hash
from finestflow.journal.names import family_of
from finestflow.model import WHY_HIT, Attempt, InputRecord, NodeRecord, NodeStatus, OutputRecord

__all__ = ["NodeRows", "dump_nodes", "load_nodes"]

Fields = dict[str, Any]


class NodeRows(NamedTuple):
    """Lines for three tables with a row a node, and for one with the code that nodes share, by its short hash."""

    tasks: list[str]
    shapes: list[str]
    times: list[str]
    code: list[str]


def dump_nodes(nodes: Mapping[str, NodeRecord]) -> NodeRows:
    """Return the rows of nodes, in natural order."""
    tasks, shapes, times = [], [], []
    codes: dict[int, tuple[str, Mapping[str, str]]] = {}  # nodes of one task share the mapping
    for path in sorted(nodes, key=natural_order):
        node = nodes[path]
        if node.code and id(node.code) not in codes:
            codes[id(node.code)] = short_hash(node.code), node.code
        name = quote_text(path)
        fields = _dump_task(node, codes[id(node.code)][0] if node.code else "", nodes)
        tasks.append(f"  {name}: {{{', '.join(fields)}}}" if family_of(path) is not None else _wide(name, fields))
        shapes.append(f"  {name}: {{{_dump_shape(node)}}}")
        times.append(f"  {name}: {{{_dump_times(node)}}}")
    return NodeRows(tasks, shapes, times, [_dump_code(*each) for each in sorted(dict(codes.values()).items())])


def load_nodes(tasks: Fields, graph: Fields, times: Fields) -> dict[str, NodeRecord]:
    """Return the nodes that ``tasks.json``, ``graph.json`` and the table ``nodes`` of ``run.json`` tell, by their start."""
    code, rows, shapes = tasks.get("code", {}), tasks.get("nodes", {}), graph.get("nodes", {})
    outputs = {path: (row.get("output") or {}).get("digest") for path, row in rows.items()}
    nodes = [
        _load_node(path, row, shapes.get(path, {}), times.get(path, {}), code, outputs) for path, row in rows.items()
    ]
    nodes.sort(key=lambda node: float("inf") if node.started is None else node.started)
    return {node.path: node for node in nodes}


# -- tasks.json --------------------------------------------------------------------------------------------------------


def _wide(name: str, fields: Iterable[str]) -> str:
    """Return a row with a line for each of its fields."""
    lines = ",\n   ".join(fields)
    return f"  {name}: {{\n   {lines}\n  }}"


def _dump_code(name: str, code: Mapping[str, str]) -> str:
    return _wide(quote(name), [f"{quote(what)}: {quote(code[what])}" for what in sorted(code)])


def _dump_task(node: NodeRecord, code: str, nodes: Mapping[str, NodeRecord]) -> list[str]:
    """Return the fields of a row, sorted by name."""
    _, _, _, status, key, why, _, params, _, given, output, _, _, attempts, error, notes, seed, _, _, _ = node
    fields = []
    if attempts:
        fields.append(f'"attempts": {dump_value([[each.status.value, each.error] for each in attempts])}')
    if code:
        fields.append(f'"code": "{code}"')
    if error:
        fields.append(f'"error": {quote(error)}')
    inputs = _dump_inputs(given, nodes) if given else ""
    if inputs:
        fields.append(f'"inputs": {{{inputs}}}')
    if key is not None:
        fields.append(f'"key": {quote_text(key)}')
    if notes:
        fields.append(f'"notes": {dump_value(notes)}')
    if output is not None:
        fields.append(f'"output": {{{_dump_output(output)}}}')
    if params:
        fields.append(f'"params": {dump_value(params)}')
    if seed is not None:
        fields.append(f'"seed": {seed}')
    fields.append(f'"status": "{status._value_}"')
    if why != _usual_reason(status):
        fields.append(f'"why": {quote(why)}')
    return fields


def _usual_reason(status: NodeStatus) -> str:
    """Return why, where nothing is written."""
    return WHY_HIT if status is NodeStatus.HIT else ""


def _dump_inputs(inputs: Mapping[str, InputRecord], nodes: Mapping[str, NodeRecord]) -> str:
    shown = []
    for name, (digest, source, preview) in _sorted(inputs):
        origin = None if source is None else nodes.get(source)
        known = None if origin is None or origin.output is None else origin.output.digest
        fields = []
        if digest != known:
            fields.append(f'"digest": {quote(digest)}')
        if preview:
            fields.append(f'"preview": {quote_text(preview)}')
        if fields or source is None:
            shown.append(f"{quote(name)}: {{{', '.join(fields)}}}")
    return ", ".join(shown)


def _sorted(inputs: Mapping[str, InputRecord]) -> Iterable[tuple[str, InputRecord]]:
    return sorted(inputs.items()) if len(inputs) > 1 else inputs.items()


def _dump_output(output: OutputRecord) -> str:
    digest, size, name, kind, preview, parts, note, names = output
    text = f'"digest": {quote(digest)}'
    if names:
        text += f', "names": {dump_value(names)}'
    if note:
        text += f', "note": {quote(note)}'
    if name is not None:
        text += f', "object": {quote(name)}'
    if parts:
        text += f', "parts": {dump_value(parts)}'
    text += f', "preview": {quote_text(preview)}'
    if size is not None:
        text += f', "size": {size}'
    return f'{text}, "type": {quote_text(kind)}'


# -- graph.json and run.json -------------------------------------------------------------------------------------------


def _dump_shape(node: NodeRecord) -> str:
    text = f'"after": [{", ".join(map(quote, node.after))}], ' if node.after else ""
    edges = [f"{quote_text(name)}: {quote_text(source)}" for name, (_, source, _) in _sorted(node.inputs) if source]
    if edges:
        text += f'"edges": {{{", ".join(edges)}}}, '
    if node.kind != "task":
        text += f'"kind": {quote(node.kind)}, '
    return f'{text}"task": {quote_text(node.task)}'


def _dump_times(node: NodeRecord) -> str:
    _, _, _, _, _, _, hit_of, _, _, _, _, started, seconds, attempts, _, _, _, _, cpu, memory = node
    fields = []
    if attempts:
        fields.append(f'"attempts": {dump_value([[each.started, each.seconds] for each in attempts])}')
    if cpu is not None:
        fields.append(f'"cpu": {number(cpu)}')
    if hit_of is not None:
        fields.append(f'"hit_of": {quote(hit_of)}')
    if memory is not None:
        fields.append(f'"memory": {number(memory)}')
    if seconds:
        fields.append(f'"seconds": {number(seconds)}')
    if started is not None:
        fields.append(f'"started": {number(started)}')
    return ", ".join(fields)


# -- back --------------------------------------------------------------------------------------------------------------


def _load_node(
    path: str, row: Fields, shape: Fields, times: Fields, code: Fields, outputs: Mapping[str, Any]
) -> NodeRecord:
    output = row.get("output")
    status = NodeStatus(row["status"])
    attempts = [
        Attempt(started=started, seconds=seconds, status=NodeStatus(status), error=error)
        for (started, seconds), (status, error) in zip(times.get("attempts", ()), row.get("attempts", ()), strict=True)
    ]
    return NodeRecord(
        path=path,
        task=shape.get("task", ""),
        kind=shape.get("kind", "task"),
        status=status,
        key=row.get("key"),
        why=row.get("why", _usual_reason(status)),
        hit_of=times.get("hit_of"),
        params=row.get("params", {}),
        code=code[row["code"]] if "code" in row else {},
        inputs=_load_inputs(row.get("inputs", {}), shape.get("edges", {}), outputs),
        output=None if output is None else _load_output(output),
        started=times.get("started"),
        seconds=times.get("seconds", 0.0),
        attempts=tuple(attempts),
        error=row.get("error", ""),
        notes=tuple(row.get("notes", ())),
        seed=row.get("seed"),
        after=tuple(shape.get("after", ())),
        cpu=times.get("cpu"),
        memory=times.get("memory"),
    )


def _load_output(fields: Fields) -> OutputRecord:
    output = OutputRecord(**fields)
    return output._replace(names=tuple(output.names)) if output.names else output


def _load_inputs(rows: Fields, edges: Fields, outputs: Mapping[str, Any]) -> dict[str, InputRecord]:
    inputs = {}
    for name in sorted({**edges, **rows}):
        row, source = rows.get(name, {}), edges.get(name)
        digest = row["digest"] if "digest" in row else outputs.get(source or "")
        inputs[name] = InputRecord(digest=digest, source=source, preview=row.get("preview", ""))
    return inputs
