"""What ``run`` and ``reproduce`` show while a run goes: a live display, plain lines, or JSON lines.

A follower is given every event of the run, from whichever thread it comes, and folds it with the same ``RunState`` as everybody else.
Invariant: what a follower cannot show never disturbs the run. rich is imported only for the display on a terminal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, Self

from finestflow.cli._output import SCHEMA, STATUS_STYLE, Output, dump_json, paint
from finestflow.cli._text import duration, headline, many_lines, one_line, plural
from finestflow.journal.state import RunState

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from finestflow.model import NodeRecord, RunSummary

__all__ = ["Follower", "JsonFollower", "LiveFollower", "PlainFollower", "make_follower", "summary_line"]

Event = Mapping[str, Any]
_PATH_ROOM = 16


class Follower(AbstractContextManager["Follower"], Protocol):
    """Takes the events of a run."""

    echoes: bool
    """Whether what tasks print may go to the terminal meanwhile."""

    def __call__(self, event: Event) -> None:
        """Take one event."""


def make_follower(out: Output, *, as_json: bool) -> Follower:
    """Return the follower that suits where the output goes."""
    if as_json:
        return JsonFollower(out)
    if out.err.isatty() and out.verbosity >= 0 and out.color_err:
        return LiveFollower(out)
    return PlainFollower(out)


class _Fold:
    """Folds events under a lock; a subclass shows them."""

    echoes = True

    def __init__(self, out: Output) -> None:
        self._out = out
        self._state = RunState()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        with self._lock:
            try:
                self._state.apply(event)
            except (KeyError, TypeError, ValueError):
                return
            self._show(event)

    def _show(self, event: Event) -> None:
        raise NotImplementedError


class JsonFollower(_Fold):
    """One JSON object a line on stdout for each event; what tasks print stays in their logs."""

    echoes = False

    def _show(self, event: Event) -> None:
        fields = {key: value for key, value in event.items() if key != "e"}
        self._out.line(dump_json({"schema": SCHEMA, "kind": f"event.{event['e']}", **fields}, ascii_only=True))
        self._out.out.flush()


class PlainFollower(_Fold):
    """One line on stderr when a node ends; the form does not depend on a terminal."""

    def _show(self, event: Event) -> None:
        if event["e"] == "run":
            self._out.note(f"run {one_line(event['name'])} ({event['id']}) of {one_line(event['pipeline'])}")
        elif event["e"] == "start":
            self._out.detail(f"  started  {one_line(event['path'])}")
        elif event["e"] == "node":
            self._out.note(_node_line(event, color=self._out.color_err))
        elif event["e"] == "note":
            self._out.note(f"note: {one_line(event['text'])}")


def _node_line(event: Event, *, color: bool) -> str:
    status = str(event["status"])
    padded = f"{status:<7}"
    reason = one_line(event.get("error") or event.get("why") or "")
    shown = paint(padded, STATUS_STYLE.get(status, "")) if color else padded
    return f"  {shown}  {duration(event.get('seconds')):>6}  {one_line(event['path']):<{_PATH_ROOM}}  {reason}".rstrip()


def summary_line(summary: RunSummary, *, color: bool) -> str:
    """Return the one line that a run ends with."""
    status = summary.status.value
    shown = paint(status, STATUS_STYLE[status]) if color else status
    nodes = f"{plural(summary.nodes, 'task')}, {plural(summary.hits, 'hit')}"
    text = f"{one_line(summary.name)}: {shown} in {duration(summary.seconds)}, {nodes}  {headline(summary.metrics)}"
    return text.rstrip()


class LiveFollower(_Fold):
    """Nodes that ended, above; those that run with their progress, and how the whole stands, below; on the terminal's stderr."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._live: Any = nullcontext()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._out.err, highlight=False, markup=False, emoji=False)
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=8, transient=True)
        self._live.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._live.__exit__(*problem)

    def _show(self, event: Event) -> None:
        if event["e"] == "run":
            self._began = time.monotonic()
            self._print(f"run {one_line(event['name'])} ({event['id']}) of {one_line(event['pipeline'])}", "bold")
        elif event["e"] == "node":
            self._print_node(event)
        elif event["e"] == "note":
            self._print(f"note: {many_lines(str(event['text']))}", "dim")

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(text, style=style))

    def _print_node(self, event: Event) -> None:
        from rich.text import Text

        status = str(event["status"])
        line = Text("  ")
        line.append(f"{status:<7}", style=STATUS_STYLE.get(status, ""))
        line.append(f"  {duration(event.get('seconds')):>6}  {one_line(event['path']):<{_PATH_ROOM}}  ")
        line.append(one_line(event.get("error") or event.get("why") or ""), style="dim")
        line.no_wrap = True
        line.overflow = "ellipsis"
        self._live.console.print(line)

    def _draw(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        with self._lock:
            if not self._state.has_begun:
                return Group()
            run = self._state.run
            progress = dict(self._state.progress)
        running = [node for node in run.nodes.values() if node.status.value == "running" and node.kind == "task"]
        counts: dict[str, int] = {}
        for node in run.nodes.values():
            if node.kind == "task":
                counts[node.status.value] = counts.get(node.status.value, 0) + 1
        lines = [self._running_line(node, progress.get(node.path)) for node in running[:12]]
        foot = Text(f"  {duration(time.monotonic() - self._began)}", style="bold")
        for status, count in counts.items():
            foot.append(f"  {count} {status}", style=STATUS_STYLE.get(status, ""))
        foot.append(f"  {headline(run.summary.metrics)}")
        return Group(*lines, foot)

    def _running_line(self, node: NodeRecord, progress: tuple[float, float | None] | None) -> Text:
        from rich.text import Text

        line = Text("  ")
        line.append("running", style="blue")
        since = time.time() - node.started if node.started is not None else 0.0
        line.append(f"  {duration(max(0.0, since)):>6}  {one_line(node.path):<{_PATH_ROOM}}  ")
        if progress is not None:
            line.append(_bar(*progress, since), style="cyan")
        line.no_wrap = True
        line.overflow = "ellipsis"
        return line


def _bar(done: float, total: float | None, since: float) -> str:
    """Return ``#####.....  50%  3.0s left``, or only the count where the total is not known."""
    if not total:
        return f"{done:g}"
    share = min(1.0, max(0.0, done / total))
    left = f"  {duration(since * (1 - share) / share)} left" if share > 0 else ""
    return f"{'━' * round(share * 20):╌<20}  {share:4.0%}{left}"
