"""Which output goes to which input of a chain, decided before anything runs.

Owns the rule: an edge that is written counts first; then an output or task of the same name as an input; then the order. Where two readings
are possible, the error shows both and how to write the edge. Invariant: no task of the user runs, only signatures and ``Meta`` are read.
Called by ``chain``.
"""

from __future__ import annotations

import collections.abc
import inspect
import re
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finestflow.errors import GraphError, nearest_hint
from finestflow.pipeline.flow import Flow, Link, links_of
from finestflow.pipeline.output import Part
from finestflow.pipeline.parts import named_parts, part_count, resolved, return_kind
from finestflow.pipeline.task import Task, signature_of

__all__ = ["Call", "Fixed", "FromNode", "Given", "Source", "Wiring", "iter_nodes", "parse_source", "wire"]


@dataclass(frozen=True, slots=True)
class FromNode:
    """The output of a task of the chain, or a part of it."""

    name: str
    part: Part = ()


@dataclass(frozen=True, slots=True)
class Given:
    """An input of the chain; ``default`` is what the receiving parameter has when it is not given."""

    name: str
    default: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that stands in the edge itself."""

    value: Any


Source = FromNode | Given | Fixed | list["Source"] | dict[str, "Source"]
"""What an input receives; lists and dicts are made of what their items receive."""


@dataclass(frozen=True, slots=True)
class Call:
    """How a task of a chain is called."""

    args: tuple[Source, ...]
    kwargs: Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class Wiring:
    """A chain, ready to be called.

    Attributes:
        calls: The calls in the order in which they are made.
        results: The tasks whose output no other takes.
        signature: The inputs of the chain: what no edge fills.
    """

    calls: Mapping[str, Call]
    results: tuple[str, ...]
    signature: inspect.Signature


_Parameter = inspect.Parameter
_POSITIONAL = frozenset({_Parameter.POSITIONAL_ONLY, _Parameter.POSITIONAL_OR_KEYWORD})
_PLAIN = frozenset({int, float, str, bool, bytes, type(None)})
_LISTS = (list, tuple, collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable)
_DICTS = (dict, collections.abc.Mapping)


def wire(flow: Flow, tasks: Mapping[str, Task], edges: Mapping[str, Any]) -> Wiring:
    """Decide what each input receives.

    Args:
        flow: The notation, parsed.
        tasks: The tasks by name.
        edges: Written edges: ``{"pick.models": ["svm", "forest"], "pick.test": "split.test"}``.

    Raises:
        GraphError: A name is unknown, tasks wait for each other, or more than one reading is possible.
    """
    links = links_of(flow)
    for name in links:
        if name not in tasks:
            raise GraphError(f"the flow names a task {name!r} that is not there", nearest_hint(name, tasks, "tasks"))
    written = _read_edges(edges, tasks)
    received = {name: _Inputs(name, tasks, written.get(name, {})).fill(links[name]) for name in tasks}
    order = _ordered({name: list(iter_nodes(list(inputs.values()))) for name, inputs in received.items()})
    inputs = _chain_inputs(tasks, received)
    calls = {name: _call_of(tasks[name], _completed(tasks[name], received[name], inputs)) for name in order}
    used = {source for call in calls.values() for source in iter_nodes([*call.args, *call.kwargs.values()])}
    return Wiring(calls, tuple(name for name in order if name not in used), _signature_of(inputs))


def iter_nodes(source: Source | Sequence[Source]) -> Iterator[str]:
    """Yield the names of the tasks that a source is made of."""
    if isinstance(source, FromNode):
        yield source.name
    elif isinstance(source, (list, dict)):
        for item in source.values() if isinstance(source, dict) else source:
            yield from iter_nodes(item)


# -- written edges ---------------------------------------------------------------------------------------------------------------------


def _read_edges(edges: Mapping[str, Any], tasks: Mapping[str, Task]) -> dict[str, dict[str, Source]]:
    found: dict[str, dict[str, Source]] = {}
    for target, given in edges.items():
        name, dot, parameter = target.partition(".")
        if name not in tasks:
            raise GraphError(f"the edge {target!r} leads to no task", nearest_hint(name, tasks, "tasks"))
        if not dot:
            raise GraphError(f"the edge {target!r} names no input", f"write {name}.INPUT")
        found.setdefault(name, {})[parameter] = parse_source(given, tasks)
    return found


def parse_source(given: Any, tasks: Mapping[str, Task]) -> Source:
    """Return what the right side of an edge means.

    Args:
        given: ``"node"``, ``"node.part"``, ``"node[0]"``, ``":input"``, a list or table of these; a number or truth value is itself.
        tasks: The tasks by name.
    """
    if isinstance(given, (list, tuple)):
        return [parse_source(item, tasks) for item in given]
    if isinstance(given, Mapping):
        return {name: parse_source(item, tasks) for name, item in given.items()}
    if not isinstance(given, str):
        return Fixed(given)
    if given.startswith(":"):
        return Given(given[1:])
    match = re.fullmatch(r"([\w-]+)((?:\.\w+|\[[^\]]*\])*)", given)
    if match is None or match[1] not in tasks:
        name = match[1] if match else given
        raise GraphError(
            f"the edge from {given!r} comes from no task",
            f'{nearest_hint(name, tasks, "tasks")}; an input of the chain is written ":{name}"',
        )
    return FromNode(match[1], _read_part(match[2], given, tasks[match[1]]))


def _read_part(text: str, given: str, task: Task) -> Part:
    known = named_parts(task)
    part: list[tuple[str, Any]] = []
    for name, key in re.findall(r"\.(\w+)|\[([^\]]*)\]", text):
        if not name:
            part.append(("item", int(key) if re.fullmatch(r"-?\d+", key) else key.strip("'\"")))
        elif not part and name in known:
            part.extend(known[name])
        elif not part and type(task).__finestflow_meta__.outputs:
            raise GraphError(
                f"{given!r}: {task.task_name!r} has no output {name!r}", nearest_hint(name, known, "outputs")
            )
        else:
            part.append(("attribute", name))
    return tuple(part)


# -- the rule --------------------------------------------------------------------------------------------------------------------------


class _Inputs:
    """What one task of a chain receives, found step by step."""

    def __init__(self, name: str, tasks: Mapping[str, Task], written: Mapping[str, Source]) -> None:
        self.name = name
        self.tasks = tasks
        self.task = tasks[name]
        signature = signature_of(self.task)
        self.parameters = dict(signature.parameters) if signature is not None else _UNKNOWN
        self.found: dict[str, Source] = dict(written)
        self.is_open = any(p.kind is p.VAR_POSITIONAL for p in self.parameters.values())
        is_any = any(p.kind is p.VAR_KEYWORD for p in self.parameters.values())
        for parameter in written:
            if not is_any and parameter not in self.parameters:
                hint = nearest_hint(parameter, self.parameters, f"inputs of {name!r}")
                raise GraphError(f"{name!r} has no input {parameter!r}", hint)

    def fill(self, links: Sequence[Link]) -> dict[str, Source]:
        """Return what each parameter receives; outputs beyond those are in ``*`` under the name of the open parameter."""
        used = set(iter_nodes(list(self.found.values())))
        rest = [link for link in links if link.source not in used]
        rest = self._by_name(rest)
        if len(rest) == 1:
            self._one(rest[0])
        elif rest:
            self._several([link.source for link in rest])
        self._check_types()
        return self.found

    def _free(self) -> list[inspect.Parameter]:
        return [p for p in self.parameters.values() if p.kind in _POSITIONAL and p.name not in self.found]

    def _by_name(self, links: Sequence[Link]) -> list[Link]:
        """Join outputs and tasks that are called like an input; return the links for which that told nothing."""
        free = {
            p.name for p in self.parameters.values() if p.kind in {*_POSITIONAL, p.KEYWORD_ONLY}
        } - self.found.keys()
        claims: dict[str, list[Source]] = {}
        rest = []
        for link in links:
            parts = named_parts(self.tasks[link.source])
            named: dict[str, Source] = {
                name: FromNode(link.source, part) for name, part in parts.items() if name in free
            }
            if not named and link.source in free:
                named = {link.source: FromNode(link.source)}
            for name, source in named.items():
                claims.setdefault(name, []).append(source)
            if not named:
                rest.append(link)
        for name, sources in claims.items():
            if len(sources) > 1:
                raise self._doubt(f"several have a {name!r} for it", {name: _text(sources[0])})
            self.found[name] = sources[0]
        return rest

    def _one(self, link: Link) -> None:
        free = self._free()
        source: Source = FromNode(link.source)
        if not free:
            if not self.is_open:
                raise GraphError(
                    f"{self.name!r} takes no input that is left for {link.source!r}",
                    f"its inputs are {self.task.task_name}{signature_of(self.task)}",
                )
            self._spread([source])
            return
        needed = [p for p in free if p.default is p.empty]
        if len(needed) > 1 and part_count(self.tasks[link.source]) == len(needed):
            raise self._doubt(
                f"{link.source!r} has as many parts as {self.name!r} has inputs, and none has the name of one",
                {p.name: f"{link.source}[{index}]" for index, p in enumerate(needed)},
            )
        kind = self._collection(free[0]) if link.is_listed else None
        self.found[free[0].name] = source if kind is None else _collected([link.source], kind)

    def _several(self, sources: list[str]) -> None:
        """Give several outputs to the inputs in order where they fit exactly, else as one list or dict to the first."""
        free = self._free()
        needed = [p for p in free if p.default is p.empty]
        if self.is_open:
            self._spread([FromNode(name) for name in sources])
            return
        kind = self._collection(free[0]) if free else None
        fits = len(needed) == len(sources)
        if kind is not None and not fits:
            self.found[free[0].name] = _collected(sources, kind)
        elif kind is None and fits:
            self.found.update({p.name: FromNode(name) for p, name in zip(needed, sources, strict=True)})
        elif kind is None and len(free) == 1:
            self.found[free[0].name] = _collected(sources, list)
        elif kind is None and len(needed) == 1:
            self.found[needed[0].name] = _collected(sources, list)
        elif not free:
            raise GraphError(
                f"{self.name!r} takes no input that is left for {', '.join(map(repr, sources))}",
                f"its inputs are {self.task.task_name}{signature_of(self.task)}",
            )
        else:
            what = f"{len(sources)} outputs may go one to each input, or all to {free[0].name!r}"
            raise self._doubt(
                what if fits else f"{len(sources)} outputs for {len(free)} inputs", {free[0].name: _text(sources)}
            )

    def _spread(self, sources: list[Source]) -> None:
        """Give outputs to the positional inputs in order, and the rest to the open one."""
        free = self._free()
        for parameter, source in zip(free, sources, strict=False):
            self.found[parameter.name] = source
        if len(sources) > len(free):
            self.found["*"] = list(sources[len(free) :])

    def _collection(self, parameter: inspect.Parameter) -> type | None:
        """Return ``list`` or ``dict`` when a parameter is annotated as one."""
        kind = resolved(parameter.annotation, self.task)
        origin = typing.get_origin(kind) or kind
        return list if origin in _LISTS else dict if origin in _DICTS else None

    def _doubt(self, what: str, example: Mapping[str, str]) -> GraphError:
        lines = ", ".join(
            f'"{self.name}.{name}" = {text if text[0] == "[" else chr(34) + text + chr(34)}'
            for name, text in example.items()
        )
        inputs = f"{self.task.task_name}{signature_of(self.task)}"
        return GraphError(
            f"it is not clear what {self.name!r} receives: {what}; it is {inputs}", f"say it in the edges: {lines}"
        )

    def _check_types(self) -> None:
        """Warn where an output surely is of another type than the input that receives it."""
        for name, source in self.found.items():
            if isinstance(source, FromNode) and not source.part and name in self.parameters:
                given = return_kind(self.tasks[source.name])
                wanted = resolved(self.parameters[name].annotation, self.task)
                if _is_plainly_other(given, wanted):
                    text = f"{source.name!r} returns {given.__name__}, and {self.name!r} takes {wanted.__name__} for {name!r}"
                    warnings.warn(text, stacklevel=2)


_UNKNOWN = {"args": _Parameter("args", _Parameter.VAR_POSITIONAL)}
"""What a builtin takes that tells nothing of its signature."""


def _is_plainly_other(given: Any, wanted: Any) -> bool:
    """Whether two annotations are plain classes of which no object can be both; numbers are taken for each other."""
    for kind in (given, wanted):
        if not isinstance(kind, type) or kind is object or inspect.isabstract(kind) or typing.is_typeddict(kind):
            return False
        if getattr(kind, "_is_protocol", False) or kind.__module__ in {"typing", "collections.abc", "abc"}:
            return False
    if issubclass(given, wanted) or issubclass(wanted, given):
        return False
    numbers = (int, float, complex, bool)
    is_number = [issubclass(kind, numbers) for kind in (given, wanted)]
    is_builtin = [kind.__module__ == "builtins" for kind in (given, wanted)]
    return not all(is_number) and (all(is_builtin) or not any(is_builtin))


def _collected(names: Sequence[str], kind: type) -> Source:
    return {name: FromNode(name) for name in names} if kind is dict else [FromNode(name) for name in names]


def _text(source: Any) -> str:
    """Return a source as an edge writes it."""
    if isinstance(source, FromNode):
        return source.name + "".join(f".{key}" if kind == "attribute" else f"[{key}]" for kind, key in source.part)
    return "[" + ", ".join(f'"{name}"' for name in source) + "]"


# -- the whole -------------------------------------------------------------------------------------------------------------------------


def _ordered(above: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names so that each comes after those that it takes from, else in the order given.

    Raises:
        GraphError: Some wait for each other.
    """
    done: dict[str, None] = {}
    waiting = list(above)
    while waiting:
        ready = next((name for name in waiting if all(source in done for source in above[name])), None)
        if ready is None:
            raise GraphError(
                f"these wait for each other: {', '.join(map(repr, waiting))}",
                "a task that comes twice needs a copy of its own: task.copy()",
            )
        waiting.remove(ready)
        done[ready] = None
    return list(done)


def _chain_inputs(
    tasks: Mapping[str, Task], received: Mapping[str, Mapping[str, Source]]
) -> dict[str, inspect.Parameter]:
    """Return the inputs of the chain: parameters that nothing fills; those of one name are one input.

    A parameter with a default is an input as well when the default is plain and no other of that name has a different one.
    """
    found: dict[str, inspect.Parameter] = {}
    conflicting: set[str] = set()
    for name, task in tasks.items():
        for given in _iter_given(list(received[name].values())):
            found.setdefault(given, _input(given, _Parameter.empty, Any))
        signature = signature_of(task)
        for parameter in signature.parameters.values() if signature is not None else ():
            if parameter.name in received[name] or parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                continue
            default = parameter.default
            if default is not parameter.empty and type(default) not in _PLAIN:
                continue
            known = found.get(parameter.name)
            if known is None or (known.default is not known.empty and default is parameter.empty):
                found[parameter.name] = _input(parameter.name, default, resolved(parameter.annotation, task))
            elif parameter.empty not in {known.default, default} and not _is_same(known.default, default):
                conflicting.add(parameter.name)
    return {
        name: parameter
        for name, parameter in found.items()
        if parameter.default is parameter.empty or name not in conflicting
    }


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _input(name: str, default: Any, kind: Any) -> inspect.Parameter:
    return _Parameter(name, _Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind)


def _iter_given(source: Source | Sequence[Source]) -> Iterator[str]:
    if isinstance(source, Given):
        yield source.name
    elif isinstance(source, (list, dict)):
        for item in source.values() if isinstance(source, dict) else source:
            yield from _iter_given(item)


def _completed(
    task: Task, received: Mapping[str, Source], inputs: Mapping[str, inspect.Parameter]
) -> Mapping[str, Source]:
    """Return what a task receives, with the inputs of the chain that nothing else fills."""
    signature = signature_of(task)
    if signature is None:
        return received
    free = [
        parameter
        for name, parameter in signature.parameters.items()
        if name not in received
        and name in inputs
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and (parameter.default is parameter.empty or type(parameter.default) in _PLAIN)
    ]
    return {**received, **{parameter.name: Given(parameter.name, parameter.default) for parameter in free}}


def _call_of(task: Task, received: Mapping[str, Source]) -> Call:
    """Return the call: by position as far as nothing is left out, by name beyond."""
    signature = signature_of(task)
    rest = dict(received)
    args: list[Source] = []
    for parameter in signature.parameters.values() if signature is not None else ():
        if parameter.kind not in _POSITIONAL or parameter.name not in rest:
            break
        source = rest[parameter.name]
        if isinstance(source, Given) and source.default is not parameter.empty:
            break  # it may not be given: then what follows has to go by name
        args.append(rest.pop(parameter.name))
    open_part = rest.pop("*", None)
    if isinstance(open_part, list):
        args.extend(open_part)
    return Call(tuple(args), rest)


def _signature_of(inputs: Mapping[str, inspect.Parameter]) -> inspect.Signature:
    needed = [parameter for parameter in inputs.values() if parameter.default is parameter.empty]
    return inspect.Signature(needed + [parameter for parameter in inputs.values() if parameter not in needed])
