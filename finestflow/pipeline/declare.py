"""Read what a task class declares: params, children and ``Meta``.

Owns the meaning of annotated class attributes. Invariant: reading a class runs no code of the user beyond evaluating annotations.
Called once a class by ``task`` and ``pipeline``.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finestflow.errors import UsageError, nearest_hint
from finestflow.pipeline.param import MISSING, ParamSpec

__all__ = ["TaskMeta", "read_annotations", "read_meta", "read_params"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskMeta:
    """The ``Meta`` of a task class.

    Attributes:
        name: Name of the task in graphs and records; the class's own name when empty.
        cache: True, False, or the folder of a store of its own.
        swappable: Whether this child of a pipeline may be replaced by another class from outside.
        retries: How many times a failed call is tried again.
        timeout: Seconds after which a call fails; None is never.
        outputs: Names of the parts of a tuple or dict result.
        version: Replaces the code fingerprint by hand.
        ignore: Inputs that do not make the task run again.
        return_all: For a pipeline: return every node's output, by path.
    """

    name: str = ""
    cache: bool | str = True
    swappable: bool = True
    retries: int = 0
    timeout: float | None = None
    outputs: tuple[str, ...] | None = None
    version: str | None = None
    ignore: tuple[str, ...] = ()
    return_all: bool = False


_META_NAMES = frozenset(field.name for field in dataclasses.fields(TaskMeta))


def read_meta(cls: type) -> TaskMeta:
    """Merge the ``Meta`` classes along the bases; the nearest wins, name by name.

    Raises:
        UsageError: A setting is unknown or of the wrong kind.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        meta = base.__dict__.get("Meta")
        if meta is None:
            continue
        own = {key: value for key, value in vars(meta).items() if not key.startswith("_")}
        if "swapable" in own:
            own["swappable"] = own.pop("swapable")
        for key, value in own.items():
            if key not in _META_NAMES:
                hint = nearest_hint(key, _META_NAMES, "settings of Meta")
                raise UsageError(f"{cls.__qualname__!r} has an unknown setting {key!r} in Meta", hint)
            if key == "name" and base is not cls:
                continue
            found[key] = _checked(cls, key, value)
    return TaskMeta(**found)


def _checked(cls: type, key: str, value: Any) -> Any:
    if key in {"outputs", "ignore"} and isinstance(value, str):
        value = (value,)
    if key == "timeout" and isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        value = float(match[1]) * _SECONDS[match[2]]
    expected: dict[str, tuple[tuple[type, ...], str]] = {
        "name": ((str,), "a name"),
        "cache": ((bool, str, Path), "True, False or a folder"),
        "swappable": ((bool,), "True or False"),
        "retries": ((int,), "a number of retries"),
        "timeout": ((int, float, type(None)), 'seconds, such as 90 or "2m"'),
        "outputs": ((tuple, list, type(None)), "a tuple of names"),
        "version": ((str, int, type(None)), "a text or a number"),
        "ignore": ((tuple, list), "a tuple of input names"),
        "return_all": ((bool,), "True or False"),
    }
    kinds, wanted = expected[key]
    if not isinstance(value, kinds):
        raise UsageError(f"{cls.__qualname__!r} has Meta.{key} = {value!r:.80}", f"expected {wanted}")
    if isinstance(value, list):
        return tuple(value)
    if key == "version" and value is not None:
        return str(value)
    return str(value) if isinstance(value, Path) else value


def read_annotations(cls: type, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class's own annotations with their types; an unresolvable one stays a text.

    Args:
        cls: The class.
        names: Local names of the place where the class was defined.
    """
    own = cls.__dict__.get("__annotations__", {})
    module = sys.modules.get(cls.__module__)
    scope = vars(module) if module is not None else {}
    resolved: dict[str, Any] = {}
    for name, kind in own.items():
        if isinstance(kind, str):
            try:
                kind = eval(kind, dict(scope), dict(names))  # noqa: S307, PLW2901 - the user's own annotation, as typing.get_type_hints does
            except Exception:  # noqa: BLE001 - whatever an annotation raises, it is then only a text
                pass
        resolved[name] = kind
    return resolved


def read_params(cls: type, annotations: Mapping[str, Any]) -> dict[str, ParamSpec]:
    """Return the params that a class declares itself, in order.

    A name with a leading underscore and a ``ClassVar`` are no params.
    """
    params: dict[str, ParamSpec] = {}
    for name, kind in annotations.items():
        if name.startswith("_") or typing.get_origin(kind) is typing.ClassVar or kind is typing.ClassVar:
            continue
        if isinstance(kind, str) and kind.replace("typing.", "").startswith("ClassVar"):
            continue
        default = cls.__dict__.get(name, MISSING)
        spec = default if isinstance(default, ParamSpec) else ParamSpec(default)
        spec.name, spec.type = name, kind
        params[name] = spec
    return params
