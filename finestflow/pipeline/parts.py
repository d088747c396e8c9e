"""The parts of a result that have names: ``Meta.outputs``, or what the return annotation declares.

Invariant: reading them runs nothing of the task. Called by ``wiring`` to join outputs to inputs by name, and by whoever takes a named part.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Mapping
from typing import Any

from finestflow.pipeline.output import Output, Part, handle_of, part_of, take_part
from finestflow.pipeline.task import FunctionTask, Task, signature_of

__all__ = ["located", "named_parts", "part_count", "resolved", "return_kind", "take_named"]


def named_parts(task: Task) -> Mapping[str, Part]:
    """Return where each named part of a task's result is found; empty when it names none."""
    names = type(task).__finestflow_meta__.outputs
    if names:
        return {name: (("attribute", name),) for name in names}
    kind = return_kind(task)
    if typing.is_typeddict(kind):
        return {name: (("item", name),) for name in kind.__annotations__}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return {field.name: (("attribute", field.name),) for field in dataclasses.fields(kind)}
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return {name: (("attribute", name),) for name in kind._fields}
    return {}


def part_count(task: Task) -> int:
    """Return how many parts a task says that its tuple or dict has; 1 when it returns one thing."""
    names = type(task).__finestflow_meta__.outputs
    if names:
        return len(names)
    kind = return_kind(task)
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return len(kind._fields)
    arguments = typing.get_args(kind) if typing.get_origin(kind) is tuple else ()
    return len(arguments) if arguments and Ellipsis not in arguments else 1


def return_kind(task: Task) -> Any:
    """Return the declared type of a task's result; ``Any`` where there is none that can be resolved."""
    signature = signature_of(task)
    kind = Any if signature is None else signature.return_annotation
    return resolved(kind, task)


def resolved(kind: Any, task: Task) -> Any:
    """Return an annotation of a task's signature as a type; ``Any`` where it is missing or cannot be resolved."""
    if kind is inspect.Signature.empty:
        return Any
    if not isinstance(kind, str):
        return kind
    owner = task.function if isinstance(task, FunctionTask) else type(task)
    module = sys.modules.get(getattr(owner, "__module__", None) or "")
    try:
        return eval(kind, dict(vars(module)) if module is not None else {})  # noqa: S307 - the user's own annotation
    except Exception:  # noqa: BLE001 - whatever it raises, it is then only a text
        return Any


def located(value: Any, part: Part, task: Task) -> Part:
    """Return a part of a task's result with a name of ``Meta.outputs`` turned into the item of the tuple or dict that it names."""
    names = type(task).__finestflow_meta__.outputs
    if not names or not part or part[0][0] != "attribute" or part[0][1] not in names:
        return part
    name = part[0][1]
    if isinstance(value, Mapping):
        return (("item", name), *part[1:])
    if isinstance(value, (tuple, list)) and not hasattr(value, name):
        return (("item", names.index(name)), *part[1:])
    return part


def take_named(value: Any, part: Part, task: Task) -> Any:
    """Return a part of a task's result: an Output of an Output, or that part of a plain value."""
    if type(value) is Output:
        return Output(handle_of(value), (*part_of(value), *part))
    return take_part(value, located(value, part, task))
