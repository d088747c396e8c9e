"""The message of a run commit: what a list of runs needs, without reading a blob.

Invariant: ``parse_message(format_message(run))`` is the run's summary, whatever text came from the run; git reads the same
trailers. The journal writes messages, the index reads them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from finestflow.errors import CorruptionError
from finestflow.journal.headline import choose_metrics
from finestflow.model import FORMAT, Run, RunId, RunStatus, RunSummary

__all__ = ["format_duration", "format_message", "own_first", "parse_message", "run_id_of", "trailers_of"]

MOST_VALUES = 50
LONGEST_VALUE = 200
_CUT = "…"
_SUBJECT_METRICS = 3
_SUBJECT_WORD = 60
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ")
_CONTROLS_BUT_LINES = {code: text for code, text in _CONTROLS.items() if code not in (9, 10)}
_CONTROLS_IN_JSON = {code: f"\\u{code:04x}" for code in _CONTROLS if code > 31}
_JSON_STARTS = frozenset('-0123456789"[{tfnNI')
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def format_message(run: Run) -> str:
    """Return the message of the commit that records a run."""
    summary = run.summary
    error = one_line(first_line(summary.error))
    body = several_lines(summary.note) or error
    trailers = "\n".join(f"{token}: {value}" for token, value in _iter_trailers(summary, error))
    return "\n\n".join(part for part in (_format_subject(summary), body, trailers) if part) + "\n"


def parse_message(text: str, *, commit: str = "", author_time: float = 0.0) -> RunSummary:
    """Return the summary of the run that a commit message is about.

    Args:
        text: The message.
        commit: Id of the commit, to be filled in.
        author_time: The start of the run where the message does not tell it.

    Raises:
        CorruptionError: It is not the message of a run.
    """
    single, several = trailers_of(text)
    try:
        run_id, fmt = RunId(single["Run"]), int(single["Finestflow"])
    except (KeyError, ValueError):
        message = (
            f"commit {commit[:12]!r} of the journal is not a run" if commit else "this is not the message of a run"
        )
        raise CorruptionError(message, "the runs before and after it are not affected") from None
    get = single.get
    error = get("Error", "")
    return RunSummary(
        id=run_id,
        name=get("Name", ""),
        pipeline=get("Pipeline", ""),
        status=_parse_status(get("Status", ""), fmt, commit),
        started=_parse_time(get("Started", ""), author_time),
        seconds=_parse_number(get("Seconds", "0")),
        commit=commit,
        base=get("Base"),
        branch=get("Branch"),
        code=get("Code", ""),
        dirty=_parse_dirty(get("Dirty", "")),
        params=dict(map(_parse_pair, several.get("Param", ()))),
        metrics={name: _parse_number(value) for name, value in map(_split_pair, several.get("Metric", ()))},
        tags=tuple(several.get("Tag", ())),
        note=_note_of(text, error),
        error=error,
        reproduces=RunId(single["Reproduces"]) if "Reproduces" in single else None,
        hits=int(_parse_number(get("Hits", "0"))),
        nodes=int(_parse_number(get("Nodes", "0"))),
        format=fmt,
    )


def trailers_of(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the trailers of a message: those that come once, and ``Param``, ``Metric`` and ``Tag``."""
    single: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for line in text.rstrip().rpartition("\n\n")[2].split("\n"):
        token, _, value = line.partition(":")
        if token in _REPEATED:
            several.setdefault(token, []).append(value.strip())
        else:
            single[token] = value.strip()
    return single, several


def run_id_of(text: str) -> str | None:
    """Return the run id in a message, or None; cheaper than parsing all of it."""
    for line in text.rstrip().rpartition("\n\n")[2].split("\n"):
        if line.startswith("Run: "):
            return line[5:].strip()
    return None


def format_duration(seconds: float) -> str:
    """Return a duration for people: ``0.31s``, ``12s``, ``3m12s``, ``2h05m``, ``3d04h``."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 10:
        return f"{seconds:.2f}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02d}h"


def one_line(text: str) -> str:
    """Return text that fits on one line of a message."""
    line = _encodable(text).translate(_CONTROLS).strip()
    return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 1] + _CUT


def several_lines(text: str) -> str:
    """Return text that can be the body of a message."""
    return _encodable(text).replace("\r\n", "\n").translate(_CONTROLS_BUT_LINES).strip()


def first_line(text: str) -> str:
    """Return the first line that says something."""
    return text.strip().partition("\n")[0]


def own_first(metrics: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Order metrics: those of the pipeline before those of its tasks, else as they came."""
    return sorted(metrics.items(), key=lambda item: "/" in item[0])


_REPEATED = frozenset({"Param", "Metric", "Tag"})


def _encodable(text: str) -> str:
    """Write half surrogates (of file names that are not UTF-8) as escapes; git takes UTF-8 only."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _format_subject(summary: RunSummary) -> str:
    head = f"{one_line(summary.pipeline)[:_SUBJECT_WORD]} {one_line(summary.name)[:_SUBJECT_WORD]}".strip()
    chosen = choose_metrics(summary.metrics, _SUBJECT_METRICS)
    metrics = "".join(f"  {one_line(label)[:_SUBJECT_WORD]}={value:.4g}" for label, value in chosen)
    return f"{head}: {summary.status} {format_duration(summary.seconds)}{metrics}"


def _iter_trailers(summary: RunSummary, error: str) -> Iterator[tuple[str, str]]:
    changed, untracked = summary.dirty
    counts = [f"{changed} changed"] * bool(changed) + [f"{untracked} untracked"] * bool(untracked)
    yield "Run", summary.id
    yield "Name", one_line(summary.name)
    yield "Pipeline", one_line(summary.pipeline)
    yield "Status", summary.status.value
    yield "Started", datetime.fromtimestamp(summary.started, UTC).isoformat(timespec="microseconds")
    yield "Seconds", f"{summary.seconds:.6f}"
    for token, value in (
        ("Base", summary.base),
        ("Branch", summary.branch),
        ("Code", summary.code),
        ("Dirty", ", ".join(counts)),
        ("Reproduces", summary.reproduces),
        ("Nodes", summary.nodes),
        ("Hits", summary.hits),
        ("Error", error),
    ):
        if value:
            yield token, one_line(str(value))
    for tag in summary.tags:
        if one_line(tag):
            yield "Tag", one_line(tag)
    yield from (("Param", pair) for pair in _pairs(summary.params))
    yield from (("Metric", pair) for pair in _pairs(dict(own_first(summary.metrics))))
    yield "Finestflow", str(summary.format)


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    """Write ``name=value``; one whose name alone is too long is only in the record."""
    named = ((_quote_key(name), value) for name, value in values.items())
    short = ((name, value) for name, value in named if len(name) < LONGEST_VALUE // 2)
    for (name, value), _ in zip(short, range(MOST_VALUES), strict=False):
        yield f"{name}={_format_value(value, LONGEST_VALUE - len(name) - 1)}"


def _quote_key(name: str) -> str:
    if name.isalnum():
        return name
    return "".join(
        "".join(f"%{byte:02x}" for byte in each.encode())
        if each in "%=" or each.isspace() or ord(each) in _CONTROLS
        else each
        for each in _encodable(name)
    )


def _unquote_key(name: str) -> str:
    if "%" not in name:
        return name
    first, *parts = name.encode().split(b"%")
    try:
        return (first + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in parts)).decode()
    except ValueError:
        return name


def _format_value(value: object, room: int) -> str:
    if isinstance(value, str):
        text = _encodable(value)
        if len(text) > room:
            text = text.translate(_CONTROLS)[: room - 1] + _CUT
        if text and text == text.translate(_CONTROLS).strip() and _parse_value(text) == text:
            return text
        return _cut(_dump(text), room)
    try:
        return _cut(_dump(value), room)
    except (TypeError, ValueError):
        return _cut(_dump(repr(value)), room)


def _dump(value: object) -> str:
    return _encodable(json.dumps(value, ensure_ascii=False, default=repr)).translate(_CONTROLS_IN_JSON)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + _CUT


def _parse_value(text: str) -> Any:
    if text and text[0] in _JSON_STARTS:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _split_pair(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return _unquote_key(name), value


def _parse_pair(pair: str) -> tuple[str, Any]:
    name, value = _split_pair(pair)
    return name, _parse_value(value)


def _parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _parse_status(text: str, fmt: int, commit: str) -> RunStatus:
    try:
        return RunStatus(text)
    except ValueError:
        if fmt > FORMAT:  # it is listed all the same; the summary's format says that it is not understood
            return RunStatus.KILLED
    message = f"commit {commit[:12]!r} of the journal has the unknown status {text!r}"
    raise CorruptionError(message, "the runs before and after it are not affected")


def _parse_time(text: str, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return otherwise


def _parse_dirty(text: str) -> tuple[int, int]:
    counts = {"changed": 0, "untracked": 0}
    for part in text.split(", ") if text else ():
        number, _, kind = part.partition(" ")
        if kind in counts and number.isdecimal():
            counts[kind] = int(number)
    return counts["changed"], counts["untracked"]


def _note_of(text: str, error: str) -> str:
    """Take what lies between subject and trailers; it is the error again where there is no note."""
    start = text.find("\n\n")
    end = text.rstrip().rfind("\n\n")
    body = text[start:end].strip() if start < end else ""
    return "" if body == error else body
