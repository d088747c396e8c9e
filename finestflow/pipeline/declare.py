"""Read what a task class declares: annotations, params and ``Meta``.

Owns the meaning of annotated class attributes. Invariant: reading a class runs no code of the user beyond evaluating annotations.
Called once a class by ``task`` and ``pipeline``.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from finestflow.errors import UsageError, nearest_hint
from finestflow.pipeline.param import MISSING, ParamSpec

__all__ = ["TaskMeta", "check_label", "is_class_var", "local_names", "read_annotations", "read_meta", "read_params"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_NOT_INHERITED = frozenset({"name", "version"})
"""A subclass is another task with code of its own."""


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


# -- Meta ------------------------------------------------------------------------------------------------------------------------------


def read_meta(cls: type) -> TaskMeta:
    """Merge the ``Meta`` classes along the bases; the nearest wins, name by name.

    Raises:
        UsageError: A setting is unknown or of the wrong kind.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for key, value in _own_settings(cls, base.__dict__.get("Meta")).items():
            if base is cls or key not in _NOT_INHERITED:
                found[key] = _checked(cls, key, value)
    return TaskMeta(**found)


def _own_settings(cls: type, meta: Any) -> dict[str, Any]:
    """Return the settings of one ``Meta``, with those of its own bases."""
    if meta is None:
        return {}
    if not isinstance(meta, type):
        raise UsageError(f"{cls.__qualname__!r} has a Meta that is no class", "write: class Meta: ...")
    own: dict[str, Any] = {}
    for base in reversed(meta.__mro__[:-1]):
        own.update({key: value for key, value in vars(base).items() if not key.startswith("_")})
    if "swapable" in own:
        own.setdefault("swappable", own.pop("swapable"))
    for key in own:
        if key not in _META_NAMES:
            hint = nearest_hint(key, _META_NAMES, "settings of Meta")
            raise UsageError(f"{cls.__qualname__!r} has an unknown setting {key!r} in Meta", hint)
    return own


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_seconds(value: Any) -> bool:
    return value is None or (type(value) in {int, float} and value > 0)


def _are_names(value: Any) -> bool:
    return type(value) is tuple and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


_EXPECTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str), "a name"),
    "cache": (lambda value: isinstance(value, (bool, str)), "True, False or a folder"),
    "swappable": (lambda value: isinstance(value, bool), "True or False"),
    "retries": (_is_count, "a number of retries"),
    "timeout": (_is_seconds, 'seconds, such as 90 or "2m"'),
    "outputs": (lambda value: value is None or (_are_names(value) and bool(value)), "a tuple of different names"),
    "version": (lambda value: value is None or isinstance(value, str), "a text or a number"),
    "ignore": (_are_names, "a tuple of input names"),
    "return_all": (lambda value: isinstance(value, bool), "True or False"),
}


def _checked(cls: type, key: str, given: Any) -> Any:
    value = given
    if key in {"outputs", "ignore"} and isinstance(value, (str, list)):
        value = (value,) if isinstance(value, str) else tuple(value)
    elif key == "timeout" and isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        value = float(match[1]) * _SECONDS[match[2]]
    elif (key == "version" and type(value) in {int, float}) or (key == "cache" and isinstance(value, Path)):
        value = str(value)
    is_expected, wanted = _EXPECTED[key]
    if not is_expected(value):
        raise UsageError(f"{cls.__qualname__!r} has Meta.{key} = {given!r:.80}", f"expected {wanted}")
    if key == "name" and value:
        check_label(value, "a task")
    return value


def check_label(name: Any, what: str) -> None:
    """Refuse a name that cannot be part of a node's path, or that addresses and patterns would misread.

    Raises:
        UsageError: It is no text, is empty, or holds a slash, a colon, brackets, a wildcard or control characters.
    """
    if not isinstance(name, str) or not name.strip() or any(c in "/[]:*?" or not c.isprintable() for c in name):
        raise UsageError(f"{what} cannot be named {name!r:.80}", "use a name without / : * ? and brackets")


# -- annotations -----------------------------------------------------------------------------------------------------------------------


def local_names(depth: int) -> Mapping[str, Any]:
    """Return the local names of the place where a class is being defined, for annotations that are kept as text.

    Args:
        depth: How many frames above the caller to start; a user's own ``__init_subclass__`` is passed over.
    """
    frame = sys._getframe(depth + 1)  # noqa: SLF001 - there is no public way, and typing itself does the same
    while frame.f_code.co_name == "__init_subclass__" and frame.f_back is not None:
        frame = frame.f_back
    return {} if frame.f_locals is frame.f_globals else frame.f_locals


def read_annotations(cls: type, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class's own annotations with their types; one that cannot be resolved stays a text.

    Args:
        cls: The class.
        names: Local names of the place where the class was defined.
    """
    module = sys.modules.get(cls.__module__)
    scope = dict(vars(module)) if module is not None else {}
    inner = {name: value for name, value in vars(cls).items() if isinstance(value, type)}
    resolved: dict[str, Any] = {}
    for name, kind in _raw_annotations(cls).items():
        resolved[name] = kind
        if isinstance(kind, str):
            try:
                resolved[name] = eval(kind, scope, {**inner, **names})  # noqa: S307 - the user's own annotation, as typing.get_type_hints does
            except Exception:  # noqa: BLE001, S112 - whatever an annotation raises, it is then only a text
                continue
    return resolved


def _raw_annotations(cls: type) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):  # annotations are lazy, and may name what comes later
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(cls)


def is_class_var(kind: Any) -> bool:
    """Whether an annotation says ``ClassVar``, resolved or not."""
    if isinstance(kind, str):
        return re.match(r"(\w+\.)?ClassVar\b", kind) is not None
    return typing.get_origin(kind) is typing.ClassVar or kind is typing.ClassVar


def read_params(
    cls: type,
    annotations: Mapping[str, Any],
    inherited: Mapping[str, ParamSpec],
    children: Collection[str] = (),
) -> dict[str, ParamSpec]:
    """Return the params that a class declares or overrides itself, in order.

    A name with a leading underscore and a ``ClassVar`` are no params. An override needs no annotation; a new annotation keeps the default.

    Raises:
        ParamError: A default is not of the declared type.
        UsageError: A method stands in the place of a param.
    """
    own = {name: kind for name, kind in annotations.items() if not name.startswith("_") and not is_class_var(kind)}
    for name, value in vars(cls).items():
        if name not in own and name not in children and (name in inherited or isinstance(value, ParamSpec)):
            own[name] = inherited[name].type if name in inherited else Any
    params: dict[str, ParamSpec] = {}
    for name, kind in own.items():
        default = cls.__dict__.get(name, MISSING)
        if isinstance(default, (property, classmethod, staticmethod)):
            raise UsageError(
                f"{cls.__qualname__!r} has a param {name!r} that is a method as well", "give one of them another name"
            )
        known = inherited.get(name)
        if isinstance(default, ParamSpec):
            spec = default.changed(cls.__name__, name=name, type=kind)
        elif known is None:
            spec = ParamSpec().changed(cls.__name__, name=name, type=kind, default=default)
        else:
            spec = known.changed(cls.__name__, type=kind, default=known.default if default is MISSING else default)
        params[name] = spec
    return params
