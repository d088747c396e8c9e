"""What a program reports of its own run, turned into events: metrics, artifacts, progress.

A run without a pipeline has one node, which its progress and log belong to, and one below it for each artifact; metrics are the run's own.
Invariant: nothing is ever raised, each kind of problem is said once. ``started`` makes one a run, ``current`` one for a script's run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from finestflow.errors import FinestflowError
from finestflow.given import flat_values
from finestflow.pipeline.reports import as_step, iter_metrics, named_artifact

if TYPE_CHECKING:
    from finestflow.cache.codec import Encoded
    from finestflow.cache.store import Store

__all__ = ["ARTIFACT", "Destination", "RunReporter", "artifact_event"]

ARTIFACT = "artifact"
"""The kind of a node that stands for something saved."""


class Destination(Protocol):
    """Where events go."""

    @property
    def problem(self) -> str:
        """What went wrong with the last write that failed."""

    def emit(self, event: dict[str, Any], *, lazy: bool = False) -> None:
        """Take an event."""


class RunReporter:
    """What a program reports of one run.

    Args:
        node: Path of the run's node.
        destination: Where its events go.
        store: Opens where artifacts are kept.
        warn: Says something to the person at the terminal.
        show: Takes the progress for a terminal.
    """

    def __init__(
        self,
        node: str,
        destination: Destination,
        *,
        store: Callable[[], Store],
        warn: Callable[[str], None],
        show: Callable[[float, float | None], None] = lambda *_: None,
    ) -> None:
        self.node = node
        self.destination = destination
        self._store = store
        self._say = warn
        self._show = show
        self._warned: set[str] = set()

    def log(self, values: Mapping[str, Any], step: float | None) -> None:
        """Take metrics."""
        try:
            at, now = as_step(step), time.time()
            rows = [(name, number, at, now) for name, number in iter_metrics(values, self._warn_of_value)]
            if rows:
                self._emit({"e": "metrics", "node": None, "rows": rows}, lazy=True)
        except Exception as error:  # noqa: BLE001 - the program is more important than its metrics
            self.warn("log", f"metrics are lost: {type(error).__name__}: {error}")

    def save(self, value: Any, name: str) -> None:
        """Take an artifact."""
        try:
            began = time.time()
            what, label = named_artifact(value, name)
            encoded = store_value(self._store(), what)
            event = artifact_event(f"{self.node}/{label}", encoded, time.time(), by=self.node)
            self._emit(event | {"seconds": event["t"] - began})
        except FinestflowError as error:
            self.warn(f"save: {error.message}", f"{_title(value, name)} is not saved: {error}")
        except Exception as error:  # noqa: BLE001 - see above
            self.warn("save", f"{_title(value, name)} is not saved: {type(error).__name__}: {error}")

    def progress(self, done: float, total: float | None) -> None:
        """Take how far it is."""
        try:
            number, of = float(done), None if total is None else float(total)
            self._emit({"e": "progress", "node": self.node, "done": number, "total": of, "t": time.time()})
            self._show(number, of)
        except Exception as error:  # noqa: BLE001 - see above
            self.warn("progress", f"progress is lost: {type(error).__name__}: {error}")

    def add_params(self, values: Mapping[str, Any]) -> None:
        """Take params that are only known now."""
        try:
            self._emit({"e": "about", "params": flat_values(values)})
        except Exception as error:  # noqa: BLE001 - see above
            self.warn("params", f"params are not recorded: {type(error).__name__}: {error}")

    def warn(self, kind: str, text: str) -> None:
        """Say what went wrong, once for each kind."""
        if kind not in self._warned:
            self._warned.add(kind)
            self._say(f"{self.node}: {text}")

    def _emit(self, event: dict[str, Any], *, lazy: bool = False) -> None:
        self.destination.emit(event, lazy=lazy)
        if self.destination.problem:
            self.warn("write", f"what it reports is not recorded: {self.destination.problem}")

    def _warn_of_value(self, text: str) -> None:
        self.warn("value", text)


def store_value(store: Store, value: Any) -> Encoded:
    """Keep a value, on disk when this returns: the process may be killed, or be a child that ends without a word."""
    encoded = store.encode(value)
    store.add_value(encoded)
    store.flush()
    return encoded


def artifact_event(path: str, encoded: Encoded, now: float, *, by: str) -> dict[str, Any]:
    """Return the event of a node that stands for an artifact of the node ``by``."""
    output: dict[str, Any] = {
        "digest": encoded.digest,
        "size": encoded.size,
        "type": encoded.type,
        "preview": encoded.preview,
    }
    if encoded.object:
        output["object"] = encoded.object
    if encoded.parts:
        output["parts"] = encoded.parts
    about = {"path": path, "task": "", "kind": ARTIFACT, "status": "ok", "inputs": {"by": {"from": by}}}
    return {"e": "node", **about, "output": output, "t": now}


def _title(value: Any, name: str) -> str:
    """Return how a person knows what was to be saved."""
    return repr(name or (value if isinstance(value, str) else type(value).__name__))
