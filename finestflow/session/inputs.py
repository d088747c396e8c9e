"""What a call is given: the names, digests and origins of its inputs, as parts of its key and edges of the graph.

Invariant: what an input is made of enters the key, wherever it lies in lists, tuples, dicts and dataclasses; what cannot is named. ``session``
reads the inputs of a call once all of them are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blake3 import blake3

from finestflow.errors import FinestflowError
from finestflow.model import Digest, InputRecord
from finestflow.pipeline.output import Output, handle_of, holds_output, part_of, part_text
from finestflow.session.lookup import Lookup
from finestflow.session.node import BlockedError, Call, Node

__all__ = ["read_inputs", "tokens_of"]

_SHOWN = frozenset({int, float, str, bool, type(None)})


Tokens = list[tuple[str, str]]


def read_inputs(node: Node, call: Call, lookup: Lookup) -> tuple[Tokens, str, Node | Exception | None]:
    """Read the inputs of a call whose origins have ended, and note on the node where each comes from.

    Returns:
        The token of each input by name, for the key; why they cannot be part of one, empty when they can; a node that has no value, or the error of
        taking a part that is not there: then the call cannot be made.

    Raises:
        LostError: The stored value of an origin is gone; it has to be computed again.
    """
    tokens: Tokens = []
    problem = ""
    for name, value in _named(call):
        try:
            tokens.append((name, _token(node, name, value, lookup)))
        except BlockedError as error:
            return tokens, problem, error.node
        except FinestflowError as error:
            problem = problem or f"input {name!r} cannot be digested: {error}"
            tokens.append((name, ""))
        except (LookupError, AttributeError, TypeError) as error:
            return tokens, problem, error
    return tokens, problem, None


def tokens_of(node: Node) -> dict[str, str | None]:
    """Return the digest of each input and, where there are any, the code of the project's classes inside it."""
    digests: dict[str, str | None] = {name: each.digest for name, each in node.inputs.items()}
    return {**digests, **node.tokens} if node.tokens else digests


def _named(call: Call) -> Iterable[tuple[str, Any]]:
    """Return the inputs by the names of the parameters that receive them."""
    static, args, kwargs = call.static, call.args, call.kwargs
    names = static.names
    size = len(names)
    if len(args) <= size and not static.is_open:
        if not kwargs:
            return zip(names, args, strict=False)
        given = list(zip(names, args, strict=False))
    else:
        fixed = size - 1 if static.is_open else size
        given = [
            (names[i] if i < fixed else f"{names[fixed] if static.is_open else 'argument'}[{i - fixed}]", v)
            for i, v in enumerate(args)
        ]
    if kwargs:
        given += sorted(kwargs.items())
    return given


def _token(node: Node, name: str, value: Any, lookup: Lookup) -> str:
    """Return the token of one input, and note where it came from."""
    if type(value) is Output:
        origin: Node = handle_of(value)  # type: ignore[assignment]
        part = part_of(value)
        if origin.info is None:
            origin.require()
            if origin.kind == "map" and not part:
                token = _token_of_all(origin, lookup)
                node.inputs[name] = InputRecord(Digest(token), origin.path)
                return token
            if origin.kind != "task":
                return _token(node, name, origin.take(part), lookup)  # type: ignore[attr-defined]
        digest, token = origin.token(part)
        node.inputs[name] = InputRecord(digest, origin.path + part_text(part) if part else origin.path)
        if token != digest:
            node.tokens = {**node.tokens, name: token}
        if digest is None:
            raise FinestflowError(f"the output of {origin.path!r} is shared: {origin.problem}")
        return token
    if holds_output(value):
        return _container_token(node, name, value, lookup)
    digest, token = lookup.value_token(value)
    node.inputs[name] = InputRecord(digest, None, repr(value)[:80] if type(value) in _SHOWN else "")
    if token != digest:
        node.tokens = {**node.tokens, name: token}
    return token


class _Scratch:
    """Takes what nobody asks for: of a fan-out the edges to ten thousand items."""

    def __init__(self) -> None:
        self.inputs: dict[str, InputRecord] = {}
        self.tokens: Mapping[str, str] = {}


def _token_of_all(fan: Any, lookup: Lookup) -> str:
    """Return the token of the results of all items of a fan-out, the same as of a list of them; made once."""
    if not fan.token_of_all:
        fan.token_of_all = _container_token(_Scratch(), "", fan.take(()), lookup)  # type: ignore[arg-type]
    token: str = fan.token_of_all
    return token


def _container_token(node: Node, name: str, value: Any, lookup: Lookup) -> str:
    """Return the token of a list, tuple, dict or dataclass that holds Outputs: of its shape and its items."""
    hasher = blake3(f"{type(value).__module__}.{type(value).__qualname__}".encode())
    for label, item in _items(value):
        hasher.update(f"|{len(label)}:{label}={_token(node, name + label, item, lookup)}".encode())
    return hasher.hexdigest()


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a container holds, each with its place; the order of a dict does not count."""
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", value[key]) for key in sorted(value, key=repr))
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    else:
        yield from ((f".{field}", getattr(value, field)) for field in type(value).__dataclass_fields__)
