"""How a run is told: its events folded in memory, written to the live folder, shown to a listener; errors and results as text.

Invariant: no secret leaves this module, and nobody who listens can end a run. The runner makes one ``Telling`` a run.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finestflow.blanking import Blanking
from finestflow.cache.preview import preview
from finestflow.errors import FinestflowError, describe_error
from finestflow.journal.live import dump_event
from finestflow.journal.node_events import dump_node
from finestflow.journal.state import RunState
from finestflow.pipeline.output import Output, handle_of, part_of, part_text
from finestflow.session.node import Node
from finestflow.session.structure import Structure

if TYPE_CHECKING:
    from finestflow.cache.store import Store
    from finestflow.journal.live import LiveFolder
    from finestflow.model import NodeRecord, Run, Snapshot

__all__ = ["Telling", "format_traceback", "named_outputs", "one_line", "shown_result", "tell_record"]

_SAID = frozenset({"text", "note", "end"})
"""Events with what a program says."""
_ITEMS_SHOWN = 8
_WIDTH_SHOWN = 200
_LONGEST = 50_000
"""Characters of a traceback that are kept at its begin and at its end."""


class Telling:
    """Where events go: folded in memory, written to the live folder, shown to a listener.

    Args:
        live: The live folder.
        listener: Who is shown them.
        secrets: Texts that are blanked everywhere.
        hidden: Texts that are blanked likewise, but for ordinary words: those only in what the program prints, and in errors.
    """

    def __init__(
        self,
        live: LiveFolder | None,
        listener: Callable[[Mapping[str, Any]], None] | None,
        secrets: tuple[str, ...] = (),
        hidden: tuple[str, ...] = (),
    ) -> None:
        self.state = RunState()
        self._live = live
        self._blanking = Blanking(secrets, hidden)
        self._blanked: set[str] = set()
        """Ids of events that hold what many nodes share, and held a secret."""
        self._listener = listener
        self._replayed: dict[str, str] = {}
        self._lock = threading.RLock()  # a listener may print, and that is an event too

    @property
    def folder(self) -> Path | None:
        """The live folder; None where the run is not recorded."""
        return None if self._live is None else self._live.path

    def blank(self, text: str) -> str:
        """Return what a program said without secrets."""
        return str(self._blanking.blank(text, is_said=True))

    def holds_secret(self, text: str) -> bool:
        """Return whether something that would be kept holds a secret."""
        return self._blanking.is_in(text) and self._blanking.blank(text) != text

    def emit(self, event: dict[str, Any], *, lazy: bool = False, line: str = "") -> None:
        """Take an event, from any thread; secrets in it are blanked first.

        Args:
            event: The event.
            lazy: Whether it may be written later.
            line: The event as text, where the caller knows a quicker way than ``json``.
        """
        if line and not self._blanking.is_in(line):  # most often: a call begins
            with self._lock:
                self.state.apply(event)
                if self._live is not None:
                    self._live.append(line, lazy=lazy)
                if self._listener is not None:
                    self._show(event)
            return
        is_said = event["e"] in _SAID or bool(event.get("error"))
        text = event["text"] if event["e"] == "text" else line or dump_event(event)
        if self._blanking.is_in(text, is_said=is_said):
            event, line = self._blanking.blank(event, is_said=is_said), ""
            if event["e"] == "static":
                self._blanked.add(event["id"])
        elif event["e"] != "text":
            line = text
        with self._lock:
            self._take(event, line, lazy=lazy)

    def _take(self, event: dict[str, Any], line: str, *, lazy: bool) -> None:
        if event["e"] == "text":
            if self._live is not None:
                self._live.write_log(event["node"], event["text"])
        else:
            if "log" in event:
                self._replayed[event["path"]] = event["log"]
            self.state.apply(event)
            if self._live is not None:
                self._live.append(line or dump_event(event), lazy=lazy)
        self._show(event)

    def emit_node(
        self,
        node: NodeRecord,
        time: float,
        *,
        static: str = "",
        log: str | None = None,
        lazy: bool = False,
    ) -> None:
        """Take in that a node has ended, from any thread: the event ``node``, without the way over a dict; see ``dump_node``."""
        line = dump_node(node, time, static=static, log=log)
        if static in self._blanked or self._blanking.is_in(line, is_said=bool(node.error)):
            self.emit(json.loads(line), lazy=lazy)
            return
        with self._lock:
            if log is not None:
                self._replayed[node.path] = log
            self.state.add_node(node, time)
            if self._live is not None:
                self._live.append(line, lazy=lazy)
            if self._listener is not None:
                self._show(json.loads(line))

    def _show(self, event: Mapping[str, Any]) -> None:
        if self._listener is not None:
            try:
                self._listener(event)
            except OSError:  # who listened is gone, such as a closed pipe; the run goes on
                self._listener = None
            except Exception as error:  # noqa: BLE001 - a mistake of who listens is no reason to lose hours of work
                self._listener = None
                warnings.warn(f"nothing more of this run is shown: {one_line(error)}", RuntimeWarning, stacklevel=2)

    def tell_snapshot(self, snapshot: Snapshot) -> str:
        """Tell which files the run has; return a sentence on those it has not, empty when it has all."""
        self.emit({"e": "snapshot", **asdict(snapshot), "code": snapshot.tree})
        for note in snapshot.notes:
            self.emit({"e": "note", "node": None, "text": note})
        if not snapshot.omitted:
            return ""
        first, count = snapshot.omitted[0], len(snapshot.omitted)
        more = f" and {count - 1} more" if count > 1 else ""
        return f"not in the snapshot: {first.path} ({first.reason}){more}"

    def warn_of(self, warn: Callable[[str], None]) -> Callable[[str], None]:
        """Return how remarks on nodes reach a person: a listener shows them itself, unless it says that it does not."""
        is_shown = self._listener is not None and getattr(self._listener, "shows_remarks", True)
        return (lambda _: None) if is_shown else lambda text: warn(self.blank(text))

    def cut(self, error: BaseException, now: float) -> Run:
        """Tell that the run ends as it stands, unless its end is told; return it."""
        if not self.state.has_ended:
            self.emit({"e": "end", "status": "cancelled", "ended": now, "error": one_line(error)})
        return self.state.killed()

    def release(self) -> None:
        """Let go of what was told: the session knows who takes its events, and would keep it until the garbage collector comes."""
        self.state = RunState()
        self._replayed.clear()

    def write_logs_of_hits(self, store: Store, nodes: Mapping[str, Node]) -> None:
        """Put into the live folder what the calls printed whose results were hits."""
        if self._live is None:
            return
        for path, digest in self._replayed.items():
            with contextlib.suppress(FinestflowError, KeyError):
                self._live.write_log(path, f"[replayed from run {nodes[path].hit_of}]\n{store.load(digest)}")


def one_line(error: BaseException) -> str:
    """Return class and message of an error, the first line of it."""
    return describe_error(error).splitlines()[0]


def format_traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without the frames of finestflow."""
    lines = traceback.TracebackException.from_exception(error)
    seen: traceback.TracebackException | None = lines
    own = str(Path(__file__).parent)
    while seen is not None:
        kept = [frame for frame in seen.stack if not frame.filename.startswith(own)]
        if kept:
            seen.stack = traceback.StackSummary.from_list(kept)
        seen = seen.__cause__ or seen.__context__
    text = "".join(lines.format())
    if len(text) > 2 * _LONGEST:
        text = f"{text[:_LONGEST]}\n... ({len(text) - 2 * _LONGEST:,} characters)\n{text[-_LONGEST:]}"
    return text


def tell_record(error: BaseException, run: Run, *, later: bool = False) -> None:
    """Add to an interrupt what became of the run, for whoever reports it."""
    name, status = run.summary.name, run.summary.status
    then = "is recorded by the next finestflow command" if later else f"is recorded as {status}"
    error.add_note(f"run {name} {then}")
    error.add_note(f"look at it with: finestflow show {name}")


def shown_result(result: Any) -> str:
    """Return what a pipeline returned in one line; no large value is loaded for it."""
    if type(result) is Output:
        handle, part = handle_of(result), part_of(result)
        if isinstance(handle, Structure):
            return shown_result(handle.take(part))
        info = handle.info  # type: ignore[attr-defined]
        if part and info is not None and info.object is None:
            return preview(result.value, 0)
        return handle.describe() if not part else "…"
    if isinstance(result, dict):
        items = [f"{key!r}: {shown_result(value)}" for key, value in itertools.islice(result.items(), _ITEMS_SHOWN)]
        text = "{" + ", ".join(items) + (", …}" if len(result) > _ITEMS_SHOWN else "}")
    elif type(result) in {list, tuple}:
        text = ", ".join([shown_result(value) for value in result[:_ITEMS_SHOWN]]) + (
            ", …" if len(result) > _ITEMS_SHOWN else ""
        )
        text = f"[{text}]" if type(result) is list else f"({text})"
    else:
        text = preview(result, 0)
    return text if len(text) <= _WIDTH_SHOWN else text[: _WIDTH_SHOWN - 1] + "…"


def named_outputs(result: Any) -> dict[str, str]:
    """Return ``node[.part]`` of each Output that a pipeline returned, by its name in the result."""
    found: dict[str, str] = {}

    def visit(value: Any, name: str) -> None:
        if type(value) is Output:
            handle, part = handle_of(value), part_of(value)
            take = getattr(handle, "take", None)
            is_fan = getattr(handle, "kind", "") == "map" and not part
            if take is not None and not is_fan:
                visit(take(part), name)
            else:
                found[name or "result"] = handle.path + part_text(part)
        elif isinstance(value, dict):
            for key, item in value.items():
                visit(item, str(key) if not name else f"{name}.{key}")
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                visit(item, f"{name}[{index}]")

    visit(result, "")
    return found
