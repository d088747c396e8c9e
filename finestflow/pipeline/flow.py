"""The notation of chains: ``load >> [svm, forest] >> pick``.

Owns what the text means: names joined by ``>>``, branches in brackets, several statements on lines of their own or between semicolons.
Invariant: ``parse_flow(flow_text(flow)) == flow`` for what ``serial`` and ``parallel`` make. Called by ``chain``, ``wiring`` and ``config``.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from finestflow.errors import GraphError

__all__ = [
    "Flow",
    "Link",
    "Parallel",
    "Serial",
    "flow_text",
    "links_of",
    "names_of",
    "parallel",
    "parse_flow",
    "renamed",
    "serial",
]

_WORD = re.compile(r">>|[\[\](),;\n]|\w[\w-]*|[^\S\n]+|.")
_EXAMPLE = 'write it like "load >> [svm, forest] >> pick"'


@dataclass(frozen=True, slots=True)
class Serial:
    """Parts of which each takes the outputs of the one before."""

    parts: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Parts that do not depend on each other: branches."""

    parts: tuple[Flow, ...]


Flow = str | Serial | Parallel
"""A task by name, or parts."""


@dataclass(frozen=True, slots=True)
class Link:
    """An output that goes to a task by way of ``>>``; ``is_listed`` when it came out of brackets."""

    source: str
    is_listed: bool


def serial(parts: Iterable[Flow]) -> Flow:
    """Return the parts one after the other; a serial inside is taken apart, as ``>>`` is associative."""
    flat: list[Flow] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Serial) else (part,))
    return flat[0] if len(flat) == 1 else Serial(tuple(flat))


def parallel(parts: Iterable[Flow]) -> Parallel:
    """Return the parts as branches; brackets inside brackets say nothing more."""
    flat: list[Flow] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Parallel) else (part,))
    return Parallel(tuple(flat))


def flow_text(flow: Flow, shown: Callable[[str], str] = str) -> str:
    """Return the text of a flow.

    Args:
        flow: The flow.
        shown: What to write for a task's name.
    """
    if isinstance(flow, str):
        return shown(flow)
    texts = [flow_text(part, shown) for part in flow.parts]
    return f"[{', '.join(texts)}]" if isinstance(flow, Parallel) else " >> ".join(texts)


def renamed(flow: Flow, names: Mapping[str, str]) -> Flow:
    """Return the flow with other names for its tasks."""
    if isinstance(flow, str):
        return names.get(flow, flow)
    return type(flow)(tuple(renamed(part, names) for part in flow.parts))


def names_of(flow: Flow) -> tuple[str, ...]:
    """Return the names of the tasks in the order of the text, each once."""
    return tuple(dict.fromkeys(_iter_names(flow)))


def _iter_names(flow: Flow) -> Iterator[str]:
    if isinstance(flow, str):
        yield flow
    else:
        for part in flow.parts:
            yield from _iter_names(part)


def links_of(flow: Flow) -> dict[str, tuple[Link, ...]]:
    """Return what each task takes by way of ``>>``, in the order of the text, each source once."""
    found: dict[str, dict[str, Link]] = {name: {} for name in names_of(flow)}
    _join(flow, found)
    return {name: tuple(links.values()) for name, links in found.items()}


def _join(flow: Flow, found: dict[str, dict[str, Link]]) -> tuple[list[Link], list[str]]:
    """Note the links inside a flow; return its ends as links, and the names it begins with."""
    if isinstance(flow, str):
        return [Link(flow, is_listed=False)], [flow]
    inner = [_join(part, found) for part in flow.parts]
    if isinstance(flow, Parallel):
        ends = [Link(link.source, is_listed=True) for links, _ in inner for link in links]
        return ends, [name for _, names in inner for name in names]
    for (links, _), (_, names) in itertools.pairwise(inner):
        for name in names:
            for link in links:
                found[name].setdefault(link.source, link)
    return inner[-1][0], inner[0][1]


# -- reading ---------------------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def parse_flow(text: str) -> Flow:
    """Return the flow that a text means.

    Raises:
        GraphError: It is not of that form; the message says where.
    """
    words = _words(text)
    statements: list[Flow] = []
    while words:
        statements.append(_parse_serial(words, text))
        if words and words.pop(0) != ";":
            raise GraphError(f"the flow {text!r} has a bracket that nobody opened", _EXAMPLE)
    if not statements:
        raise GraphError("the flow names no task", _EXAMPLE)
    return statements[0] if len(statements) == 1 else parallel(statements)


def _words(text: str) -> list[str]:
    """Return the words; the end of a line ends a statement, but not inside brackets and not beside ``>>``."""
    found: list[str] = []
    depth = 0
    for word in _WORD.findall(text):
        if word in {"\n", ";"}:
            if depth == 0 and found and found[-1] not in {">>", ";"}:
                found.append(";")
        elif not word.isspace():
            depth += (word in "[(") - (word in "])")
            if word == ">>" and found and found[-1] == ";":
                found.pop()
            found.append(word)
    return found[:-1] if found and found[-1] == ";" else found


def _parse_serial(words: list[str], text: str) -> Flow:
    parts = [_parse_part(words, text)]
    while words and words[0] == ">>":
        words.pop(0)
        parts.append(_parse_part(words, text))
    return serial(parts)


def _parse_part(words: list[str], text: str) -> Flow:
    word = words.pop(0) if words else "the end"
    if word in {"[", "("}:
        return _parse_inside(word, words, text)
    if not re.fullmatch(r"\w[\w-]*", word):
        raise GraphError(f"the flow {text!r} has {word!r} where a task should be", _EXAMPLE)
    return word


def _parse_inside(opened: str, words: list[str], text: str) -> Flow:
    closed = "]" if opened == "[" else ")"
    parts = [_parse_serial(words, text)]
    while words and words[0] == "," and opened == "[":
        words.pop(0)
        if words and words[0] == closed:
            break
        parts.append(_parse_serial(words, text))
    if not words or words.pop(0) != closed:
        raise GraphError(f"the flow {text!r} lacks a {closed!r}", _EXAMPLE)
    return parallel(parts) if opened == "[" else parts[0]
