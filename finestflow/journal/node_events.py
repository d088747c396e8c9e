"""The event ``node``, which tells that a call has ended, as a line of text and back.

Invariant: ``load_node`` gives back what ``dump_node`` was given, but for what other events tell: when it started, how often it was tried, what
was remarked. A run has one such event for each call, so the line is put together as text: 1.5 us instead of 5 for a dict and ``json``.
Called by ``telling``, which writes them, and ``state``, which folds them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from finestflow.model import WHY_HIT, Attempt, InputRecord, NodeRecord, NodeStatus, OutputRecord

__all__ = ["STATUSES", "dump_node", "dump_start", "load_node"]

Event = Mapping[str, Any]
STATUSES = {status.value: status for status in NodeStatus}
"""A third of the time of ``NodeStatus(word)``."""
_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode


def dump_node(node: NodeRecord, time: float, *, static: str = "", log: str | None = None) -> str:
    """Return the event as a line.

    Args:
        node: The node.
        time: When it ended.
        static: Id of the event ``static`` that tells params and code; without one they are in this event.
        log: Digest of what the call printed whose result is a hit.
    """
    (
        path,
        task,
        kind,
        status,
        key,
        why,
        hit_of,
        params,
        code,
        inputs,
        output,
        _,
        seconds,
        attempts,
        error,
        notes,
        seed,
        after,
        cpu,
        memory,
    ) = node
    shown_inputs = ",".join([_dump_input(name, *each) for name, each in inputs.items()])
    shown_output = "null" if output is None else _dump_output(output)
    rest = f',"static":"{static}"' if static else _dump_static(params, code)
    if kind != "task":
        rest += f',"kind":{quote(kind)}'
    if cpu is not None:
        rest += f',"cpu":{cpu!r}'
    if memory is not None:
        rest += f',"memory":{memory}'
    if log is not None:
        rest += f',"log":"{log}"'
    return (
        f'{{"e":"node","path":{quote(path)},"task":{quote(task)},"status":"{status._value_}","key":{_or_null(key)},"why":{quote(why)},'
        f'"t":{time!r},"inputs":{{{shown_inputs}}},"output":{shown_output},"hit_of":{_or_null(hit_of)},"seconds":{seconds!r}'
        f"{_dump_others(attempts, error, notes, seed, after)}{rest}}}\n"
    )


def _or_null(plain: str | None) -> str:
    """Return a text that needs no escapes, or null."""
    return "null" if plain is None else f'"{plain}"'


def _dump_static(params: Mapping[str, Any], code: Mapping[str, str]) -> str:
    return f',"params":{_encode(dict(params))},"code":{_encode(dict(code))}' if params or code else ""


def _dump_others(
    attempts: tuple[Attempt, ...], error: str, notes: tuple[str, ...], seed: int | None, after: tuple[str, ...]
) -> str:
    """Return the fields that few nodes have."""
    text = "" if seed is None else f',"seed":{seed}'
    if error:
        text += f',"error":{quote(error)}'
    if notes or attempts or after:
        text += f',"notes":{_encode(notes)},"attempts":{_encode([_attempt_fields(each) for each in attempts])}'
        text += f',"after":{_encode(after)}'
    return text


def dump_start(path: str, task: str, key: str | None, time: float) -> str:
    """Return the event ``start`` of a call as a line, in a third of the time that ``json`` takes."""
    return f'{{"e":"start","path":{quote(path)},"task":{quote(task)},"key":{_or_null(key)},"t":{time!r}}}\n'


def _dump_input(name: str, digest: str | None, source: str | None, preview: str) -> str:
    text = f'{quote(name)}:{{"digest":{_or_null(digest)}'
    if source is not None:
        text += f',"from":{quote(source)}'
    return f'{text},"preview":{quote(preview)}}}' if preview else text + "}"


def _dump_output(output: OutputRecord) -> str:
    digest, size, name, kind, preview, parts, note, names = output
    text = f'{{"digest":{_or_null(digest)},"type":{quote(kind)},"preview":{quote(preview)}'
    if size is not None:
        text += f',"size":{size}'
    if name is not None:
        text += f',"object":"{name}"'
    if parts:
        text += f',"parts":{_encode(dict(parts))}'
    if names:
        text += f',"names":{_encode(names)}'
    return f'{text},"note":{quote(note)}}}' if note else text + "}"


def _attempt_fields(attempt: Attempt) -> dict[str, Any]:
    return {
        "started": attempt.started,
        "seconds": attempt.seconds,
        "status": attempt.status.value,
        "error": attempt.error,
    }


def load_node(event: Event, static: Event) -> NodeRecord:
    """Return the node that an event tells.

    Args:
        event: The event.
        static: What tells its params and code: an event ``static``, or the same one.

    Raises:
        KeyError, TypeError, ValueError: The event is damaged.
    """
    get = event.get
    status, output = STATUSES[event["status"]], get("output")
    return NodeRecord(
        path=event["path"],
        task=get("task") or "",
        kind=get("kind") or "task",
        status=status,
        key=get("key"),
        why=get("why") or (WHY_HIT if status is NodeStatus.HIT else ""),
        hit_of=get("hit_of"),
        params=static.get("params") or {},
        code=static.get("code") or {},
        inputs={name: _load_input(each) for name, each in (get("inputs") or {}).items()},
        output=None if output is None else _load_output(output),
        seconds=get("seconds") or 0.0,
        attempts=tuple([_load_attempt(each) for each in get("attempts") or ()]),
        error=get("error") or "",
        notes=tuple(get("notes") or ()),
        seed=get("seed"),
        after=tuple(get("after") or ()),
        cpu=get("cpu"),
        memory=get("memory"),
    )


def _load_input(fields: Event) -> InputRecord:
    return InputRecord(digest=fields.get("digest"), source=fields.get("from"), preview=fields.get("preview") or "")


def _load_output(fields: Event) -> OutputRecord:
    return OutputRecord(
        digest=fields.get("digest"),
        size=fields.get("size"),
        object=fields.get("object"),
        type=fields.get("type") or "",
        preview=fields.get("preview") or "",
        parts=fields.get("parts") or {},
        note=fields.get("note") or "",
        names=tuple(fields.get("names") or ()),
    )


def _load_attempt(fields: Event) -> Attempt:
    return Attempt(
        started=fields["started"],
        seconds=fields["seconds"],
        status=STATUSES[fields["status"]],
        error=fields.get("error") or "",
    )
