"""Values that code names: constants, containers of code, instances.

Owns how a value becomes a node: by its digest where it is plain data, part by part where code is in it.
Invariant: a value that cannot be digested is never left out; the whole module that names it stands in, and
a note says so. Called by ``reach``.
"""

from __future__ import annotations

import contextvars
import enum
import functools
import logging
import os
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from finestflow.cache.code import classes
from finestflow.cache.code.canonical import Hash
from finestflow.cache.code.graph import ABSENT, Node
from finestflow.cache.code.origin import Origin, Origins
from finestflow.cache.names import find_named

if TYPE_CHECKING:
    from finestflow.cache.code.reach import Walk

__all__ = ["SCALARS", "Constants", "expand", "is_harmless", "static_attribute"]

SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)})
_SHOWN = frozenset({type(None), bool, int, float, complex})
_SHORT = 60
_SEQUENCES = (list, tuple, deque)
_CONTAINERS = (*_SEQUENCES, set, frozenset, dict, types.MappingProxyType)
# What these hold makes no difference to a result: they coordinate, report or remember.
_HARMLESS = (
    logging.Logger,
    logging.LoggerAdapter,
    logging.Handler,
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.Semaphore,
    threading.local,
    contextvars.ContextVar,
    weakref.ref,
    weakref.WeakKeyDictionary,
    weakref.WeakValueDictionary,
    weakref.WeakSet,
)
_Namespace = Mapping[str, Any]


class Constants:
    """Digests values, with the guard that a digest which comes back to itself needs.

    Args:
        digest: Gives the digest of a value as text, or an object with ``digest`` and ``classes`` (names such as
            ``module:Class`` of the project's classes inside); raises when the value has none.
        roots: Folders of the project, to which paths in constants are relative.
        hash_: Digest of bytes, as text.
        salt: Counts for what nobody can tell apart in another process; its own when not given.
    """

    def __init__(self, digest: Callable[[Any], Any], roots: Sequence[Path], hash_: Hash, salt: str = "") -> None:
        self._digest = digest
        self._roots = tuple(roots)
        self._hash = hash_
        self._known: dict[int, tuple[object, str, tuple[str, ...]]] = {}
        self._scalars: dict[tuple[type, str], str] = {}
        self._files: dict[str, tuple[tuple[int, ...], str]] = {}
        self._active: set[int] = set()
        self.salt = salt or os.urandom(16).hex()

    @property
    def is_active(self) -> bool:
        """Whether a digest is under way: what is found now is found on behalf of a value."""
        return bool(self._active)

    def refresh(self) -> None:
        """Forget what values may have changed."""
        self._known.clear()

    def digest(self, value: object) -> tuple[str, tuple[str, ...]]:
        """Return the digest of a value and the names of the project's classes inside."""
        key = id(value)
        if key in self._active:
            return "cycle", ()
        known = self._known.get(key)
        if known is not None:
            return known[1:]
        self._active.add(key)
        try:
            found = self._digest(value)
        finally:
            self._active.discard(key)
        result = str(getattr(found, "digest", found)), tuple(getattr(found, "classes", ()))
        if not self._active:
            self._known[key] = (value, *result)
        return result

    def leaf(self, value: object, literals: Callable[[], frozenset[str]]) -> Node:
        """Return the node of a scalar."""
        node = Node("", None)
        kind = type(value)
        if kind not in _SHOWN:
            node.own = self._digest_scalar(value)
            node.shown = shown(value, literals)
            return node
        text = hex(value) if isinstance(value, int) else repr(value)
        own = self._scalars.get((kind, text))
        if own is None:
            own = self._scalars[kind, text] = self._digest_scalar(value)
        node.own = own
        if len(text) <= _SHORT:
            node.shown = repr(value)
        return node

    def _digest_scalar(self, value: object) -> str:
        found = self._digest(value)
        return str(getattr(found, "digest", found))

    def path_text(self, path: PurePath) -> str:
        """Return a path as it is the same in every clone of the project."""
        for root in self._roots:
            if path.is_relative_to(root):
                return "root:" + path.relative_to(root).as_posix()
        return path.as_posix()

    def path_digest(self, path: PurePath) -> str:
        """Return the digest of the file that a path names; empty for a folder, a source file, and where there is none.

        What lies in a folder does not count: the constant may name the whole project. A source file counts by its code.
        """
        is_data = isinstance(path, Path) and path.suffix not in {".py", ".pyi", ".pyc", ".so"} and path.is_file()
        return self._digest_scalar(path) if is_data else ""

    def file_digest(self, path: str) -> str:
        """Return the digest of a file's bytes."""
        try:
            stat = os.stat(path)
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._files.get(path)
            if known is None or known[0] != stamp:
                known = self._files[path] = (stamp, self._hash(Path(path).read_bytes()))
        except (OSError, ValueError):
            return "missing"
        return known[1]


def shown(value: object, literals: Callable[[], frozenset[str]]) -> str:
    """Return a short text of a value, empty when it is long or might be a secret.

    A text is shown only when it stands in the source: others may come from the environment.
    """
    text = "".join(_iter_shown(value, literals, 0))
    return text if 0 < len(text) <= _SHORT and "\0" not in text else ""


def _iter_shown(value: Any, literals: Callable[[], frozenset[str]], depth: int) -> Iterator[str]:
    kind = type(value)
    if kind in _SHOWN or (kind is str and value in literals()):
        try:
            yield repr(value)
        except ValueError:  # an int of more digits than Python converts
            yield "\0"
    elif kind in (list, tuple, dict) and len(value) <= _SHORT // 4 and depth < 3:
        yield "[" if kind is list else "(" if kind is tuple else "{"
        for index, item in enumerate(value):
            yield ", " if index else ""
            yield from _iter_shown(item, literals, depth + 1)
            if kind is dict:
                yield ": "
                yield from _iter_shown(value[item], literals, depth + 1)
        yield "]" if kind is list else "}" if kind is dict else ",)" if len(value) == 1 else ")"
    else:
        yield "\0"


def expand(walk: Walk, node: Node, value: Any, home: _Namespace) -> None:
    """Fill the node of a value that is no function, class or module."""
    if isinstance(value, _HARMLESS) or type(value) is object:
        node.own = f"harmless {type(value).__name__}"
    elif isinstance(value, enum.Enum):
        node.own = f"member {value.name}"
        node.edges["class"] = walk.cls(type(value))
    elif isinstance(value, PurePath):
        _expand_path(walk, node, value)
    elif type(value) in _CONTAINERS:
        if not (_is_plain(walk, value, 0) and _expand_plain(walk, node, value, home)):
            _expand_container(walk, node, value, home)
    elif walk.origins.of_class(type(value)) is Origin.PROJECT:
        _expand_instance(walk, node, value, home)
    elif not _expand_known(walk, node, value, home) and not _expand_plain(walk, node, value, home):
        _expand_undigestible(walk, node, value, home)


def _expand_known(walk: Walk, node: Node, value: Any, home: _Namespace) -> bool:
    """Fill the node of a library's object that is known by name, or that wraps a function; say whether it is one."""
    cls = type(value)
    if walk.origins.of_class(cls) is Origin.FINESTFLOW:
        node.own = f"finestflow {cls.__qualname__}"
        return True
    owner = sys.modules.get(cls.__module__)
    name = next((name for name, bound in list(vars(owner).items()) if bound is value), "") if owner is not None else ""
    if name:
        walk.foreign(node, cls)  # such as `from os import environ`, or a ufunc of numpy
        node.own += f" {name}"
        node.is_shown = callable(value)
        node.shown = name
        return True
    wrapped = static_attribute(value, "__wrapped__") if callable(value) else None
    if wrapped is None:
        return False
    if not _expand_plain(walk, node, value, home):
        node.own = ""
        node.belong(walk.versions(cls))
        for key, part in vars(value).items() if hasattr(value, "__dict__") else ():
            if type(part) in SCALARS:
                node.link(f".{key}", walk.target(part, home), f".{key}")
    node.own = f"wrapper {cls.__module__} {cls.__qualname__} {node.own}"
    node.shown = ""
    node.link("(wrapped)", walk.target(wrapped, home))
    return True


def static_attribute(value: object, name: str) -> Any:
    """Return an attribute that an object or its class really has, or None; no ``__getattr__`` is asked."""
    state = getattr(value, "__dict__", None)
    if isinstance(state, Mapping) and name in state:
        return state[name]
    if any(name in vars(owner) for owner in type(value).__mro__):
        return getattr(value, name, None)
    return None


def _expand_path(walk: Walk, node: Node, value: PurePath) -> None:
    digest = walk.constants.path_digest(value)
    node.own = "path " + ascii(walk.constants.path_text(value)) + digest
    node.check(lambda: walk.constants.path_digest(value) == digest)


def _is_plain(walk: Walk, value: Any, depth: int) -> bool:
    """Return whether a value holds data alone: no functions, modules, or classes and instances of the project."""
    kind = type(value)
    if kind in SCALARS:
        return True
    if isinstance(value, _CONTAINERS):
        if depth > 20:
            return False
        if isinstance(value, dict | types.MappingProxyType):
            return all(_is_plain(walk, key, depth + 1) for key in value) and all(
                _is_plain(walk, item, depth + 1) for item in value.values()
            )
        return all(_is_plain(walk, item, depth + 1) for item in value)
    if isinstance(value, type | FunctionType | ModuleType | types.BuiltinFunctionType | types.MethodType):
        return False
    if isinstance(value, (functools.partial, enum.Enum, PurePath, *_HARMLESS)) or kind is object:
        return False
    return walk.origins.of_class(kind) is not Origin.PROJECT and not callable(value)


def _expand_plain(walk: Walk, node: Node, value: Any, home: _Namespace) -> bool:
    """Fill a node with the digest of its value; say whether there is one."""
    try:
        digest, names = walk.constants.digest(value)
    except Exception:  # noqa: BLE001  code of the value itself may run here
        return False
    order = _order(value)
    node.own = digest + order
    node.shown = shown(value, lambda: walk.literals(home))
    node.belong(walk.versions(type(value)))
    for class_name in names:
        cls = find_named(class_name)
        if isinstance(cls, type):
            node.edges[f"class {class_name}"] = walk.cls(cls)

    def is_same() -> bool:
        try:
            return walk.constants.digest(value)[0] == digest and _order(value) == order
        except Exception:  # noqa: BLE001
            return False

    node.check(is_same)
    return True


def _order(value: Any) -> str:
    """Return the order of the keys in a constant and in what it contains: code may well go through them."""
    if isinstance(value, dict | types.MappingProxyType):
        return "{" + ",".join([ascii(key) + _order(item) for key, item in value.items()]) + "}"
    if isinstance(value, _SEQUENCES):
        inner = [_order(item) for item in value]
        return "[" + ",".join(inner) + "]" if any(inner) else ""
    return ""


def _expand_container(walk: Walk, node: Node, value: Any, home: _Namespace) -> None:
    node.own = f"{type(value).__name__} {len(value)} {getattr(value, 'maxlen', '')}"
    parts = tuple(_iter_parts(walk, value))
    if isinstance(value, dict | types.MappingProxyType):
        node.own += " " + ascii([label for label, _ in parts])
    if len({label for label, _ in parts}) < len(parts) and isinstance(value, set | frozenset):
        _expand_undigestible(walk, node, value, home)  # the order of its parts differs between processes
        return
    for index, (label, part) in enumerate(parts):
        node.link(label if label not in node.edges else f"{label} {index}", walk.target(part, home), label)
    held = tuple(part for _, part in parts)

    def is_same() -> bool:
        now = tuple(part for _, part in _iter_parts(walk, value))
        return len(now) == len(held) and all(map(lambda a, b: a is b, now, held))

    node.check(is_same)


def _iter_parts(walk: Walk, value: Any) -> Iterator[tuple[str, object]]:
    """Yield the parts of a container, each under a label that does not depend on the process."""
    if isinstance(value, dict | types.MappingProxyType):
        for index, (key, item) in enumerate(value.items()):
            label = _label(walk, key, index)
            yield f"[{label}]", item
            if type(key) not in SCALARS:
                yield f"[key {label}]", key
    elif isinstance(value, _SEQUENCES):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    else:
        labels = [_label(walk, item, 0) for item in value]
        items = list(value)
        for position in sorted(range(len(items)), key=labels.__getitem__):
            yield f"[{labels[position]}]", items[position]


def _label(walk: Walk, key: Any, index: int) -> str:
    if type(key) in SCALARS:
        return ascii(key)
    name = getattr(key, "__qualname__", None)
    if isinstance(name, str):
        return f"{key.__module__}.{name}"
    try:
        return walk.constants.digest(key)[0]
    except Exception:  # noqa: BLE001
        return f"#{index}"


def _expand_instance(walk: Walk, node: Node, value: Any, home: _Namespace) -> None:
    """Fill the node of an instance of the project's class: its class and its state."""
    cls = type(value)
    node.own = "instance"
    node.edges["class"] = walk.cls(cls)
    if hasattr(cls, "__finestflow_digest__"):
        if not _expand_plain(walk, node, value, home):
            _expand_undigestible(walk, node, value, home)
        return
    if classes.is_data_of_library(walk, cls) and not hasattr(cls, "__finestflow_params__"):
        if not _expand_plain(walk, node, value, home):
            _expand_undigestible(walk, node, value, home)
        return
    state = _state(value)
    for key, part in state.items():
        node.link(f".{key}", walk.target(part, home), f".{key}")
    node.check(lambda: _is_same_state(_state(value), state))


def _state(value: Any) -> dict[str, object]:
    if hasattr(type(value), "__finestflow_params__"):  # of a task the rest is the runner's
        params = {key: value.__dict__.get(key, ABSENT) for key in classes.counted_params(type(value))}
        return {key: part for key, part in params.items() if part is not ABSENT}
    state = dict(getattr(value, "__dict__", {}))
    for owner in type(value).__mro__:
        for slot, member in vars(owner).items():
            if isinstance(member, types.MemberDescriptorType):
                try:
                    state.setdefault(slot, member.__get__(value))
                except AttributeError:
                    continue
    return {key: part for key, part in state.items() if part is not ABSENT}


def _is_same_state(now: Mapping[str, object], before: Mapping[str, object]) -> bool:
    return now.keys() == before.keys() and all(now[key] is before[key] for key in now)


def _expand_undigestible(walk: Walk, node: Node, value: Any, home: _Namespace) -> None:
    kind = type(value)
    node.own = f"undigestible {kind.__module__} {kind.__qualname__} {node.own}"
    node.belong(walk.versions(kind))
    if walk.origins.of_namespace(home) is Origin.PROJECT:
        whole = walk.whole(home)
        node.edges["module"] = whole
        node.note(f"`{{name}}` ({kind.__name__}) cannot be digested: the whole of `{whole.name}` counts instead")
    else:
        node.note(f"`{{name}}` ({kind.__name__}) cannot be digested: only its library's version counts")


def is_harmless(value: object, is_wrapped: bool, origins: Origins) -> bool:
    """Return whether what a library's wrapper keeps beside the function it wraps is its own affair.

    The arguments of a decorator stand in the source of the function that it decorates.
    """
    if not is_wrapped or isinstance(value, (FunctionType, type, ModuleType, types.MethodType, *_CONTAINERS)):
        return False
    return type(value) not in SCALARS and origins.of_class(type(value)) is not Origin.PROJECT
