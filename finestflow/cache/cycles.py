"""Encodings of values that are nested deeper than Python's stack, or that hold themselves.

Used by :class:`finestflow.cache.digest.Walk` once the direct way has run out of stack; everyday values never come here.

*Deep* values are encoded from the inside out, so that each step finds what it holds in the walk's memory. The encodings are
those of the direct way.

*Cyclic* values: a container that is met again before it is complete is encoded as ``@`` and the distance back to it in the
order of first visits. Distances, not positions, so that a part that is complete in itself has the same digest wherever
it lies. A part that refers out of itself is not: it is encoded as ``@`` too when it is met a second time, else values where
everything refers to everything would take exponential time.
"""

from __future__ import annotations

from typing import Any

from blake3 import blake3

from finestflow.cache.digest import PLAIN, Encoder, Walk
from finestflow.cache.refusal import Refusal, iter_inside
from finestflow.cache.stream import FOLD, SCALARS, head

__all__ = ["encode_unbounded"]


def encode_unbounded(walk: Walk, value: object) -> bytes:
    """Encode a value for which the stack did not suffice.

    Raises:
        Refusal: The value is nested too deeply and has cycles, or something in it recurses on its own.
    """
    order = _inside_out(value)
    try:
        if order is None:
            return _CyclicWalk(walk).encode(value)
        for item in order:
            encoding = walk.kinds[type(item)](walk, item)
            if id(item) not in walk.memo:
                walk.keep(item, encoding)
        return walk.kinds[type(value)](walk, value)
    except RecursionError:
        raise Refusal(value, "it is nested too deeply", "pass it as a flat list of its parts") from None


def _inside_out(value: object) -> list[object] | None:
    """Return the containers and objects inside a value, each after all that it holds; None where there is a cycle."""
    order: list[object] = []
    state: dict[int, bool] = {}
    stack: list[tuple[object, bool]] = [(value, False)]
    while stack:
        item, is_left = stack.pop()
        if is_left:
            state[id(item)] = True
            order.append(item)
            continue
        if type(item) in SCALARS:
            continue
        is_complete = state.get(id(item))
        if is_complete is False:
            return None
        if is_complete:
            continue
        state[id(item)] = False
        stack.append((item, True))
        stack.extend((part, False) for _, part in iter_inside(item))
    return order


class _CyclicWalk:
    """Makes a walk's encoders track the containers that are being encoded.

    ``visits`` numbers containers in the order of first visits; ``lowest`` is the lowest number that the container being
    encoded has referred to.
    """

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.visits: dict[int, int] = {}
        self.closed: dict[int, bytes] = {}
        self.alive: list[object] = []
        self.lowest = 0
        self.inner = walk.kinds
        self.kinds = _TrackedKinds(self)

    def encode(self, value: object) -> bytes:
        memo = self.walk.memo
        self.walk.kinds, self.walk.memo = self.kinds, _Forgetful()
        try:
            return self.walk.kinds[type(value)](self.walk, value)
        finally:
            self.walk.kinds, self.walk.memo = self.inner, memo

    def track(self, encoder: Encoder, walk: Walk, value: Any) -> bytes:
        """Encode one container; refer back where it has been met."""
        identity = id(value)
        if (known := self.closed.get(identity)) is not None:
            return known
        if (number := self.visits.get(identity)) is not None:
            self.lowest = min(self.lowest, number)
            return head(b"@", len(self.visits) - number)
        number = self.visits[identity] = len(self.visits)
        self.alive.append(value)
        before, self.lowest = self.lowest, number
        encoding = encoder(walk, value)
        if len(encoding) > FOLD:
            encoding = b"H" + blake3(encoding).digest()
        if self.lowest >= number:  # complete in itself
            self._forget_from(number)
            self.closed[identity] = encoding
        self.lowest = min(before, self.lowest)
        return encoding

    def _forget_from(self, number: int) -> None:
        """Take back the numbers given inside a complete part, so that they do not show in what follows."""
        while len(self.visits) > number:
            self.visits.popitem()

    def encode_pairs(self, walk: Walk, value: dict[Any, Any]) -> bytes:
        """Encode a dict, visiting it in the order of its encoded keys, since numbers depend on the order of visits."""
        keys = sorted((walk.encode(key), i, key) for i, key in enumerate(value))
        return head(b"{", len(keys)) + b"".join(encoded + walk.encode(value[key]) for encoded, _, key in keys)

    def encode_items(self, walk: Walk, value: Any) -> bytes:
        """Encode a set, each element as if it came first."""
        encodings = []
        number = len(self.visits)
        for item in value:
            encodings.append(walk.encode(item))
            self._forget_from(number)
        return head(b"<" if type(value) is set else b">", len(encodings)) + b"".join(sorted(encodings))


class _TrackedKinds(dict[type, Encoder]):
    """The encoders of a walk, tracked for everything that can hold something."""

    def __init__(self, cyclic: _CyclicWalk) -> None:
        super().__init__(SCALARS)
        self.cyclic = cyclic

    def __setitem__(self, cls: type, encoder: Encoder) -> None:
        cyclic = self.cyclic
        super().__setitem__(cls, lambda walk, value: cyclic.track(encoder, walk, value))

    def __missing__(self, cls: type) -> Encoder:
        cyclic = self.cyclic
        special: dict[type, Encoder] = {
            dict: cyclic.encode_pairs,
            set: cyclic.encode_items,
            frozenset: cyclic.encode_items,
        }
        self[cls] = special.get(cls) or PLAIN.get(cls) or cyclic.inner[cls]
        return self[cls]


class _Forgetful(dict[int, bytes]):
    """A memory that keeps nothing: in a cycle an encoding depends on where it is."""

    def __setitem__(self, key: int, value: bytes) -> None:
        pass
