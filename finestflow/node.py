"""The calls of one run, as they stand: what an Output's handle knows.

Owns the state of a node and how parts of its value are named, digested and loaded. Invariant: digests of parts come from what the store
knows, so that passing ``y[0]`` on loads nothing. ``session`` changes nodes; Outputs ask them.
"""

from __future__ import annotations

import inspect
import typing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from finestflow.cache.codec import MissingValueError
from finestflow.cache.fingerprint import task_identity
from finestflow.errors import TaskFailedError
from finestflow.model import Digest, Fingerprint, NodeStatus, RunId
from finestflow.pipeline.output import Output, Part, handle_of, part_of, part_text, resolve, take_part
from finestflow.pipeline.task import signature_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finestflow.cache.codec import Encoded
    from finestflow.cache.store import Store
    from finestflow.lookup import Static
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.pipeline.task import Task
    from finestflow.session import Session

__all__ = ["BlockedError", "Node", "Structure", "UnknownValue"]

_OPEN = frozenset({NodeStatus.PENDING, NodeStatus.RUNNING})
_NOTHING: Any = object()


class UnknownValue(BaseException):
    """The body of a planned pipeline looks at a value that nobody has computed yet."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class BlockedError(Exception):
    """A node cannot give its value: it failed, was skipped, or is only planned."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.path)
        self.node = node


class Node:
    """One call of a task in a run."""

    kind = "task"
    status = NodeStatus.PENDING
    key: Fingerprint | None = None
    why = ""
    hit_of: RunId | None = None
    saved = 0.0
    seconds = 0.0
    started: float | None = None
    seed: int | None = None
    tokens: Mapping[str, str] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    attempts: tuple[dict[str, Any], ...] = ()
    error: BaseException | None = None
    info: Encoded | None = None
    store: Store | None = None
    call: tuple[Static, tuple[Any, ...], Mapping[str, Any]] | None = None
    shared: Any = _NOTHING
    problem = ""
    _loaded: Any = _NOTHING
    _token = ""

    def __init__(self, path: str, identity: str, session: Session, task: Task) -> None:
        self.path = path
        self.identity = identity
        self.session = session
        self.task = task
        self.inputs: dict[str, dict[str, Any]] = {}

    # -- what the session tells --------------------------------------------------------------------------------------------------------

    @property
    def digest(self) -> Digest | None:
        """Digest of the output; None while there is none, and where it cannot have one."""
        return None if self.info is None else Digest(self.info.digest)

    def set_shared(self, value: Any, problem: str) -> None:
        """Take an output that cannot be stored: it goes on by reference, within this run."""
        self.shared = value
        self.problem = problem

    def require(self) -> None:
        """Wait; raise when there will be no value."""
        if self.status in _OPEN:
            self.session.wait(self)
        if self.status not in {NodeStatus.OK, NodeStatus.HIT}:
            raise BlockedError(self)

    # -- what an Output asks -----------------------------------------------------------------------------------------------------------

    def token(self, part: Part) -> tuple[Digest | None, str]:
        """Return the digest of a part, and its token in a key; None when the value cannot be digested."""
        info = self.info
        if info is None:
            return None, ""
        if not part:
            if not self._token:
                self._token = info.digest + (self.session.lookup.class_tokens(info.classes) if info.classes else "")
            return info.digest, self._token  # type: ignore[return-value]
        known = info.parts.get(part_text(self._locate(part))) if info.parts else None
        if known is None:
            return self.session.lookup.value_token(self._part_of_value(part))
        return known, known + self.session.lookup.class_tokens(info.classes)  # type: ignore[return-value]

    def load(self, part: Part) -> Any:
        """Return a private copy of a part of the value, for a task."""
        if self.shared is not _NOTHING:
            return take_part(self.shared, self._locate(part))
        assert self.info is not None  # only a node that has its result is asked
        value = self._load_stored()
        return take_part(value, self._locate(part)) if part else value

    def _load_stored(self) -> Any:
        """Load the output; a hit whose value is lost after all runs."""
        assert self.info is not None
        assert self.store is not None
        store = self.store
        try:
            return store.load(self.info.digest)
        except MissingValueError:
            if self.call is None or self.session.executor is None:
                raise
            self.session.compute_again(self)
            if self.error is not None:
                raise self.error from None
            return store.load(self.info.digest) if self.problem == "" else self.shared

    def value(self, part: Part) -> Any:
        """Return a part of the value, for the body of the pipeline; raise the error of the call when it failed."""
        if self.status in _OPEN:
            self.session.wait(self)
        if self.status in _OPEN:
            raise UnknownValue(self.path)
        if self.error is not None:
            self.session.handled(self)
            raise self.error
        if self.status not in {NodeStatus.OK, NodeStatus.HIT}:
            raise TaskFailedError(f"{self.path!r} has no output: it is {self.status.value}", self.why)
        return self._part_of_value(part)

    def _part_of_value(self, part: Part) -> Any:
        if self._loaded is _NOTHING:
            self._loaded = self.load(())
        return take_part(self._loaded, self._locate(part))

    def _locate(self, part: Part) -> Part:
        """Turn a name of ``Meta.outputs`` into the item of the tuple or dict that it names."""
        names = type(self.task).__finestflow_meta__.outputs
        if not names or not part or part[0][0] != "attribute" or part[0][1] not in names:
            return part
        if self.info is not None and self.info.type == "dict":
            return (("item", part[0][1]), *part[1:])
        return (("item", names.index(part[0][1])), *part[1:])

    def children(self, part: Part) -> tuple[Any, ...] | None:
        """Return the indexes of a tuple or list whose length is known without loading it."""
        if part:
            return None
        if self.status in _OPEN:
            self.session.wait(self)
        if self.status in _OPEN:
            count = _declared_length(self.task)
            return None if count is None else tuple(range(count))
        parts = self.info.parts if self.info is not None else None
        if parts and all(name == f"[{index}]" for index, name in enumerate(parts)):
            return tuple(range(len(parts)))
        return None

    def describe(self) -> str:
        """Return a few words on how it stands."""
        if self.shared is not _NOTHING:
            return f"<{type(self.shared).__qualname__}>"
        return self.info.preview if self.info is not None and self.info.preview else self.status.value

    def event(self, now: float) -> dict[str, Any]:
        """Return the event that tells what became of this node."""
        event: dict[str, Any] = {
            "e": "node",
            "path": self.path,
            "task": self.identity,
            "status": self.status.value,
            "key": self.key,
            "why": self.why,
            "t": now,
        }
        if self.inputs:
            event["inputs"] = self.inputs
        if self.seconds:
            event["seconds"] = self.seconds
        if self.hit_of is not None:
            event["hit_of"] = self.hit_of
            event["saved"] = self.saved
        info = self.info
        if info is not None:
            output = event["output"] = {
                "digest": info.digest,
                "size": info.size,
                "type": info.type,
                "preview": info.preview,
            }
            if info.object:
                output["object"] = info.object
            if info.parts:
                output["parts"] = info.parts
        elif self.shared is not _NOTHING:
            event["output"] = {"digest": None, "type": type(self.shared).__qualname__, "note": self.problem}
        if self.error is not None:
            event["error"] = f"{type(self.error).__name__}: {self.error}"
        for name in ("notes", "attempts", "seed"):
            value = getattr(self, name)
            if value:
                event[name] = value
        return event


class Structure(Node):
    """One call of a pipeline inside another one: its result is whatever its body returned, with Outputs inside."""

    kind = "pipeline"
    result: Any = None

    def __init__(self, path: str, session: Session, pipeline: Pipeline) -> None:
        super().__init__(
            path, type(pipeline).__finestflow_meta__.name or task_identity(type(pipeline)), session, pipeline
        )

    def take(self, part: Part) -> Any:
        """Return that part of the result: an Output where the body returned one, or else what is there."""
        value = self.result
        for index, (kind, key) in enumerate(part):
            if type(value) is Output:
                return Output(handle_of(value), (*part_of(value), *part[index:]))
            value = value[key] if kind == "item" else getattr(value, key)
        return value

    def load(self, part: Part) -> Any:
        """Return a private copy of a part of the result, for a task."""
        return resolve(self.take(part), self.session.load)

    def value(self, part: Part) -> Any:
        """Return a part of the result, every Output in it looked at."""
        return resolve(self.take(part))

    def children(self, part: Part) -> tuple[Any, ...] | None:
        """Return the indexes of a tuple or list."""
        value = self.take(part)
        if type(value) is Output:
            return handle_of(value).children(part_of(value))
        return tuple(range(len(value))) if isinstance(value, (tuple, list)) else None

    def describe(self) -> str:
        """Return a few words on how it stands."""
        return self.status.value

    def event(self, now: float) -> dict[str, Any]:
        """Return the event, marked as a pipeline's."""
        return {**super().event(now), "kind": "pipeline"}


def _declared_length(task: Task) -> int | None:
    """Return how many parts a task says that its result has: ``Meta.outputs``, or ``-> tuple[A, B]``."""
    names = type(task).__finestflow_meta__.outputs
    if names:
        return len(names)
    signature = signature_of(task)
    result = signature.return_annotation if signature is not None else inspect.Signature.empty
    if isinstance(result, str) and result.startswith("tuple["):
        return None if "..." in result else _count_arguments(result)
    if typing.get_origin(result) is tuple and Ellipsis not in typing.get_args(result):
        return len(typing.get_args(result))
    return None


def _count_arguments(text: str) -> int:
    depth, count = 0, 1
    for character in text[len("tuple[") : -1]:
        depth += (character in "[(") - (character in "])")
        count += character == "," and depth == 0
    return count
