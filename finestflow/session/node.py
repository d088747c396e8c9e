"""The calls of one run, as they stand: what an Output's handle knows.

Owns the state of a node and how parts of its value are named, digested and loaded. Invariant: digests of parts come from what the store
knows, so that passing ``y[0]`` on loads nothing. ``session`` changes nodes; Outputs ask them.
"""

from __future__ import annotations

import inspect
import pickle
import typing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.cache.codec import MissingValueError
from finestflow.errors import TaskFailedError, describe_error
from finestflow.executor.perform import own_value
from finestflow.executor.protocol import NotPortableError, Reference
from finestflow.model import Attempt, Digest, Fingerprint, InputRecord, NodeRecord, NodeStatus, OutputRecord, RunId
from finestflow.pipeline.output import Output, Part, handle_of, iter_outputs, part_of, part_text, take_part
from finestflow.pipeline.task import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from finestflow.cache.codec import Encoded
    from finestflow.cache.store import Store
    from finestflow.pipeline.task import Task
    from finestflow.session.lookup import Static
    from finestflow.session.session import Session
    from finestflow.session.structure import Structure

__all__ = ["BlockedError", "Call", "LostError", "Node", "Stopped", "UnknownValue", "open_nodes", "own_inputs"]

_OPEN = frozenset({NodeStatus.PENDING, NodeStatus.RUNNING})
_DONE = frozenset({NodeStatus.OK, NodeStatus.HIT})
_NOTHING: Any = object()
_PLAIN = frozenset({int, float, str, bool, bytes, type(None)})
_SMALL = 32_768
"""Bytes of a part that goes to a task as it is; a larger one is taken from the store."""


class UnknownValue(BaseException):
    """The body of a planned pipeline looks at a value that nobody has computed yet."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Stopped(BaseException):
    """The body of a nested pipeline goes on although its run has been cancelled."""


class BlockedError(Exception):
    """A node cannot give its value: it failed, was skipped, or is only planned."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.path)
        self.node = node


class LostError(Exception):
    """The stored value of a node is damaged or gone; it has to be computed again."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.path)
        self.node = node


class Call(NamedTuple):
    """What a node is computed from: kept until it has ended.

    ``scope`` is the scope of the context that the body was in; ``is_own`` says that the body cannot change task and inputs any more.
    """

    static: Static
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    scope: str = ""
    is_own: bool = False


class Node:
    """One call of a task in a run."""

    kind = "task"
    status = NodeStatus.PENDING
    parent: Structure | None = None
    after: tuple[str, ...] = ()
    waits_for = 0
    dependants: list[Node] | None = None
    is_awaited = False
    is_cached = False
    is_controlled = False
    is_demanded = False
    is_downstream: bool | None = None
    has_returned = False
    key: Fingerprint | None = None
    why = ""
    hit_of: RunId | None = None
    seconds = 0.0
    started: float | None = None
    seed: int | None = None
    cpu: float | None = None
    memory: int | None = None
    tokens: Mapping[str, str] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    error: BaseException | None = None
    info: Encoded | None = None
    store: Store | None = None
    call: Call | None = None
    shared: Any = _NOTHING
    problem = ""
    _loaded: Any = _NOTHING
    _token = ""

    def __init__(self, path: str, identity: str, session: Session, task: Task) -> None:
        self.path = path
        self.identity = identity
        self.session = session
        self.task = task
        self.inputs: dict[str, InputRecord] = {}

    # -- what the session tells --------------------------------------------------------------------------------------------------------

    @property
    def digest(self) -> Digest | None:
        """Digest of the output; None while there is none, and where it cannot have one."""
        return None if self.info is None else Digest(self.info.digest)

    def set_shared(self, value: Any, problem: str) -> None:
        """Take an output that cannot be stored: it goes on by reference, within this run."""
        self.shared = value
        self.problem = problem

    def set_plain(self, value: Any) -> None:
        """Take a stored output that nobody can change: whoever wants it gets this one."""
        self._loaded = value

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, so that nobody knows its value."""
        return self.status in _OPEN

    def find_open(self, part: Part, found: dict[Node, None]) -> None:
        """Add the nodes that have to end before that part of the value is known."""
        if self.status in _OPEN:
            found[self] = None

    def find_unsized(self, part: Part, found: dict[Node, None]) -> None:
        """Add the nodes that have to end before the length of that part of the value is known."""
        self.find_open(part, found)

    def find_bodies(self, part: Part, found: dict[Node, None]) -> None:
        """Add the bodies that have to end before it is known which calls that part of the value is made of."""

    def step(self) -> None:
        """Go on, where a node has something to do by itself."""

    @property
    def parts(self) -> Sequence[Node]:
        """The nodes whose outputs make up its own."""
        return ()

    def origins(self, part: Part) -> Iterable[Node]:
        """Return the nodes whose outputs that part of the value is made of, as far as that is known."""
        return (self,)

    @property
    def unstarted(self) -> Sequence[Node]:
        """What does not run when this is not to start: itself, or what is left of it."""
        return (self,)

    def require(self) -> None:
        """Raise when there is no value."""
        if self.status not in _DONE:
            raise BlockedError(self)

    @property
    def is_lost(self) -> bool:
        """Whether its stored value is gone, and can be computed again."""
        return (
            self.call is not None
            and self.info is not None
            and self.store is not None
            and not self.store.has(self.info.digest)
        )

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

    def elements(self, part: Part) -> Sequence[Any]:
        """Return the items of that part of the value, as ``each`` calls with them: by reference where they can be told by number."""
        parts = self.info.parts if self.info is not None and not part else None
        if parts and all(name == f"[{index}]" for index, name in enumerate(parts)):
            count = len(parts)
        else:
            value = self._part_of_value(part)
            if not isinstance(value, (list, tuple)) and type(value).__module__ != "numpy":
                return list(value)
            count = len(value)
        return [Output(self, (*part, ("item", index))) for index in range(count)]

    def load(self, part: Part) -> Any:
        """Return a private copy of a part of the value, for a task."""
        if self.shared is not _NOTHING:
            return take_part(self.shared, self._locate(part))
        assert self.info is not None  # only a node that has its result is asked
        if not part and type(self._loaded) in _PLAIN:
            return self._loaded
        if part and self._loaded is not _NOTHING:
            is_small, copy = self._copy_part(part)
            if is_small:
                return copy
        value = self._load_stored()
        return take_part(value, self._locate(part)) if part else value

    def _copy_part(self, part: Part) -> tuple[bool, Any]:
        """Return whether a part of a value that is in memory is small, and a copy: one item of many is not worth reading all."""
        value = take_part(self._loaded, self._locate(part))
        if type(value) in _PLAIN:
            return True, value
        try:
            data = pickle.dumps(value, 5)
        except Exception:  # noqa: BLE001 - the store has ways of its own
            return False, None
        if len(data) > _SMALL or b"pathlib" in data:  # each gets a file of its own from the store
            return False, None
        return True, pickle.loads(data)

    def refer(self, part: Part) -> Any:
        """Return what travels to another process in place of a part of the value.

        Raises:
            NotPortableError: The value is in this process only.
        """
        if self.shared is not _NOTHING:
            raise NotPortableError(f"the output of {self.path!r} cannot be stored: {self.problem}")
        assert self.info is not None
        assert self.store is not None
        if part and self._loaded is not _NOTHING:
            is_small, copy = self._copy_part(part)
            if is_small:
                return copy
        folder = str(self.store.objects.root) if self.store is not self.session.store else ""
        return Reference(self.store.whole(self.info), self._locate(part), folder)

    def _load_stored(self) -> Any:
        """Load the output; a hit whose value is lost after all runs.

        Raises:
            LostError: It has to run, and this is not the thread to wait for that.
        """
        assert self.info is not None
        assert self.store is not None
        store, executor = self.store, self.session.executor
        try:
            return store.load(self.info.digest)
        except MissingValueError:
            if self.call is None or executor is None:
                raise
            if executor.is_parallel:
                raise LostError(self) from None
            self.session.compute_again(self)
            if self.error is not None:
                raise self.error from None
            return store.load(self.info.digest) if self.problem == "" else self.shared

    def value(self, part: Part) -> Any:
        """Return a part of the value, for the body of the pipeline; raise the error of the call when it failed."""
        self.session.look(self)
        return self.value_unseen(part)

    def value_unseen(self, part: Part) -> Any:
        """Return a part of the value like ``value``; the body looks at something that this is a part of."""
        while True:
            self.session.wait(self)
            if self.error is not None:
                self.session.raised(self.error)
                raise self.error
            if self.status not in _DONE:
                raise TaskFailedError(f"{self.path!r} has no output: it is {self.status.value}", self.why)
            try:
                return self._part_of_value(part)
            except LostError as lost:
                self.session.compute_again(lost.node)

    def _part_of_value(self, part: Part) -> Any:
        if self._loaded is _NOTHING:
            self._loaded = self.load(())
        return take_part(self._loaded, self._locate(part))

    def _locate(self, part: Part) -> Part:
        """Turn a name of ``Meta.outputs``, or its number, into the item of the tuple or dict that it names."""
        names = type(self.task).__finestflow_meta__.outputs
        if not names or not part:
            return part
        kind, key = part[0]
        is_dict = self.info is not None and self.info.type == "dict"
        if kind == "attribute" and key in names:
            return (("item", key if is_dict else names.index(key)), *part[1:])
        if kind == "item" and is_dict and type(key) is int and -len(names) <= key < len(names):
            return (("item", names[key]), *part[1:])
        return part

    def children(self, part: Part) -> tuple[Any, ...] | None:
        """Return the indexes of a tuple or list whose length is known without loading it: declared ones need not even be there."""
        if part:
            return None
        count = _declared_length(self.task)
        if count is not None:
            return tuple(range(count))
        self.session.look(self)
        parts = self.info.parts if self.info is not None else None
        if parts and all(name == f"[{index}]" for index, name in enumerate(parts)):
            return tuple(range(len(parts)))
        return None

    def describe(self) -> str:
        """Return a few words on how it stands."""
        if self.shared is not _NOTHING:
            return f"<{type(self.shared).__qualname__}>"
        return self.info.preview if self.info is not None and self.info.preview else self.status.value

    def record(self, static: Static | None, now: float) -> NodeRecord:
        """Return how it stands, for the record of the run.

        Args:
            static: What all calls of its task share; None where that is not told.
            now: The time.
        """
        info = self.info
        output = None
        if info is not None:
            parts = info.parts or {}
            names = type(self.task).__finestflow_meta__.outputs or () if parts else ()
            output = OutputRecord(info.digest, info.size, info.object, info.type, info.preview, parts, "", names)  # type: ignore[arg-type]
        elif self.shared is not _NOTHING:
            output = OutputRecord(None, type=type(self.shared).__qualname__, note=self.problem)
        return NodeRecord(  # by position: 0.3 us instead of 0.8 by keywords
            self.path,
            self.identity,
            self.kind,
            self.status,
            self.key,
            self.why,
            self.hit_of,
            static.params if static is not None else {},
            static.code if static is not None else {},
            self.inputs,
            output,
            self.started if self.started is not None else now - self.seconds,
            self.seconds,
            self.attempts,
            describe_error(self.error) if self.error is not None else "",
            self.notes,
            self.seed,
            self.after,
            self.cpu,
            self.memory,
        )


def open_nodes(values: Iterable[Any], found: dict[Node, None] | None = None) -> dict[Node, None]:
    """Return the nodes that have to end before these values, with the Outputs in them, are known."""
    found = {} if found is None else found
    for value in values:
        for output in iter_outputs(value):
            handle_of(output).find_open(part_of(output), found)  # type: ignore[attr-defined]
    return found


def own_inputs(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return copies of what a body gives, as a task has its own; Outputs in them stay what they are."""
    copied = {name: own_value(value, _as_it_is) for name, value in kwargs.items()}
    return tuple([own_value(value, _as_it_is) for value in args]), copied


def _as_it_is(output: Output) -> Output:
    return output


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
