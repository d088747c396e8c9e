"""Chains: pipelines that are written as ``Load() >> [svm, forest] >> Pick()``.

Owns the pipeline that such an expression is, and how two of them are joined. Invariant: a chain is a pipeline like any other: called,
recorded, cached, described, its children set and replaced; what its tasks receive is decided by ``wiring`` before anything runs.
``Task.__rshift__`` makes chains, ``config`` loads them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from finestflow.errors import GraphError, ParamError, nearest_hint
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.declare import check_label
from finestflow.pipeline.flow import Flow, flow_text, names_of, parallel, parse_flow, renamed, serial
from finestflow.pipeline.param import MISSING, Param
from finestflow.pipeline.parts import take_named
from finestflow.pipeline.pipeline import ChildSpec, Pipeline, make_child
from finestflow.pipeline.task import NamedTask, Task
from finestflow.pipeline.wiring import Fixed, FromNode, Given, Source, Wiring, wire

__all__ = ["Chain", "join"]

_LONGEST_NAME = 48


class Chain(Pipeline):
    """A pipeline whose tasks are wired by ``>>``.

    Args:
        flow: The notation: ``"load >> [svm, forest] >> pick"``.
        edges: What goes where, for the inputs where ``>>`` leaves a doubt: ``{"pick.test": "split.test"}``.
        name: Name of the pipeline; made of the names of its tasks when empty.
        settings: The tasks by name, each as a child of a pipeline may be given.
    """

    flow: str
    edges: dict[str, Any] = Param({})
    name: str = Param("")

    def __init__(self, **settings: Any) -> None:
        own = {name: settings.pop(name) for name in ("flow", "edges", "name") if name in settings}
        Task.__init__(self, **own)
        names = names_of(parse_flow(self.flow))
        for name in settings:
            if name not in names:
                raise ParamError(f"the flow has no task {name!r}", nearest_hint(name, names, "tasks of the flow"))
        for name in names:
            if name in own or _identifier(name) != name:
                raise ParamError(f"a task of a flow cannot be called {name!r}", f"call it {name}_")
            if settings.get(name) is None:
                raise ParamError(f"nothing says what {name!r} of the flow is", f"give a task: {name}=MyTask")
            self.__dict__[name] = make_child(self, ChildSpec(name, Task, MISSING), settings[name])

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__.pop("_wiring", None)
        super().__setattr__(name, value)

    @property
    def child_specs(self) -> Mapping[str, ChildSpec]:
        """The tasks as declarations: each may be replaced by one that is called the same way."""
        tasks = {name: self.__dict__[name] for name in names_of(parse_flow(self.flow)) if name in self.__dict__}
        return {name: ChildSpec(name, type(task), task) for name, task in tasks.items()}

    @property
    def wiring(self) -> Wiring:
        """What each task receives.

        Raises:
            GraphError: More than one reading is possible, or a name is unknown.
        """
        children = self.children
        kept = self.__dict__.get("_wiring")
        if kept is None or any(one is not other for one, other in zip(kept[0], children.values(), strict=True)):
            made = wire(parse_flow(self.flow), children, self.edges)
            kept = self.__dict__["_wiring"] = (tuple(children.values()), made)
        found: Wiring = kept[1]
        return found

    def __finestflow_signature__(self) -> inspect.Signature | None:
        return self.wiring.signature if "flow" in self.__dict__ else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the tasks in order, each with what it receives; return the output of the last, or of all ends by name."""
        wiring = self.wiring
        given = wiring.signature.bind(*args, **kwargs).arguments
        outputs: dict[str, Any] = {}
        for name, call in wiring.calls.items():
            fetched = [self._fetch(source, outputs, given) for source in call.args]
            named = {
                key: self._fetch(source, outputs, given)
                for key, source in call.kwargs.items()
                if _is_there(source, given)
            }
            outputs[name] = self.__dict__[name](*fetched, **named)
        ends = {name: outputs[name] for name in wiring.results}
        return next(iter(ends.values())) if len(ends) == 1 else ends

    def _fetch(self, source: Source, outputs: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
        """Return the value or Output that a source stands for."""
        match source:
            case FromNode(name, part):
                return take_named(outputs[name], part, self.__dict__[name]) if part else outputs[name]
            case Given(name):
                return given[name]
            case Fixed(value):
                return value
            case list():
                return [self._fetch(item, outputs, given) for item in source]
        return {key: self._fetch(item, outputs, given) for key, item in source.items()}

    def copy(self) -> Self:
        """Return a new chain with copies of its tasks."""
        other = super().copy()
        other.__dict__["_origins"] = self.__dict__.get("_origins", {})
        return other

    def with_edges(self, edges: Mapping[str, Any] | None = None, /, **given: Any) -> Self:
        """Return the same chain with edges written: ``chain.with_edges({"pick.test": "split.test"})``.

        Args:
            edges: What each input receives: ``"task"``, ``"task.part"``, ``"task[0]"``, ``":input"`` of the chain, a list or dict of these,
                or a number.
            given: The same by name, where that is an identifier.
        """
        other = self.copy()
        other.edges = {**self.edges, **(edges or {}), **given}
        return other

    def named(self, name: str) -> Any:
        """Return the same chain under a name; it then is one node where it is part of another chain."""
        if FRAME.get() is not None:
            return super().named(name)
        check_label(name, "a chain")
        other = self.copy()
        other.name = name
        return other

    @property
    def task_name(self) -> str:
        """The name that was given, or one made of the names of the tasks."""
        return self.name or _label(parse_flow(self.flow))

    def __repr__(self) -> str:
        children = self.children
        return flow_text(parse_flow(self.flow), lambda name: repr(children.get(name)))


Chain.__finestflow_declare__({"flow": str, "edges": dict[str, Any], "name": str})


def _is_there(source: Source, given: Mapping[str, Any]) -> bool:
    """Whether a source has a value: an input that was given, and not as the default that the task has anyway."""
    if not isinstance(source, Given) or source.default is inspect.Parameter.empty:
        return True
    value = given.get(source.name, source.default)
    return type(value) is not type(source.default) or value != source.default


def _label(flow: Flow) -> str:
    """Return a name for a flow that is a part of a path: ``load-svm+forest-pick``."""
    if isinstance(flow, str):
        return flow
    texts = [_label(part) for part in flow.parts]
    text = ("-" if type(flow).__name__ == "Serial" else "+").join(texts)
    return text if len(text) <= _LONGEST_NAME else f"{texts[0][:20]}-...-{texts[-1][:20]}"


# -- joining ---------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draft:
    """A part of an expression: its flow, and the very task objects that were written."""

    flow: Flow
    tasks: Mapping[str, Task]
    edges: Mapping[str, Any]


def join(left: Any, right: Any) -> Chain:
    """Return the chain ``left >> right``; each side is a task, whatever ``Task.of`` takes, a chain, or a list of these.

    Raises:
        GraphError: A task would wait for itself.
    """
    draft = _merged([_draft(left), _draft(right)], serial)
    chain = Chain(flow=flow_text(draft.flow), edges=dict(draft.edges), **draft.tasks)
    chain.__dict__["_origins"] = dict(draft.tasks)
    return chain


def _draft(part: Any) -> _Draft:
    if isinstance(part, (list, tuple)):
        if not part:
            raise GraphError("an empty list has no place in a chain", "leave it out")
        return _merged([_draft(item) for item in part], parallel)
    if isinstance(part, Chain) and not part.name:
        origins = part.__dict__.get("_origins", {})
        tasks = {name: _origin(origins.get(name), child) for name, child in part.children.items()}
        return _Draft(parse_flow(part.flow), tasks, part.edges)
    if isinstance(part, NamedTask):
        name = _identifier(part.name)
        return _Draft(name, {name: part.task}, {})
    task = Task.of(part)
    name = _identifier(task.__dict__.get("_slot") or task.task_name)
    return _Draft(name, {name: task}, {})


def _origin(written: Task | None, child: Task) -> Task:
    """Return the object that was written in an expression, unless the chain's copy of it has been changed since."""
    return written if written is not None and repr(written) == repr(child) else child


def _merged(drafts: Iterable[_Draft], make: Any) -> _Draft:
    """Put drafts together; the same object is the same task, another one of the same name gets a number."""
    tasks: dict[str, Task] = {}
    edges: dict[str, Any] = {}
    flows: list[Flow] = []
    for draft in drafts:
        names = {name: _free_name(name, task, tasks) for name, task in draft.tasks.items()}
        tasks.update({names[name]: task for name, task in draft.tasks.items()})
        flows.append(renamed(draft.flow, names))
        for target, source in draft.edges.items():
            name, dot, rest = target.partition(".")
            edges[names.get(name, name) + dot + rest] = _renamed_source(source, names)
    return _Draft(make(flows), tasks, edges)


def _free_name(name: str, task: Task, taken: Mapping[str, Task]) -> str:
    known = next((other for other, object_ in taken.items() if object_ is task), None)
    if known is not None:
        return known
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _renamed_source(source: Any, names: Mapping[str, str]) -> Any:
    if isinstance(source, str) and not source.startswith(":"):
        return re.sub(r"^[\w-]+", lambda match: names.get(match[0], match[0]), source)
    if isinstance(source, (list, tuple)):
        return [_renamed_source(item, names) for item in source]
    return (
        {key: _renamed_source(item, names) for key, item in source.items()} if isinstance(source, Mapping) else source
    )


def _identifier(name: str) -> str:
    """Return a task's name as the notation can write it, and as no attribute of a pipeline has it."""
    text = re.sub(r"[^\w-]+", "_", name).strip("_") or "task"
    return f"{text}_" if text in _TAKEN or (hasattr(Chain, text) and text not in _FREE) else text


_TAKEN = frozenset({"flow", "tasks", "use"})
_FREE = frozenset({"dump", "load"})
"""Methods that a child may stand in front of: they are called on the class, or not at all."""
