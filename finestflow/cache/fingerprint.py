"""The code fingerprint: the identity of what a task would run, and of all it reaches, before it runs.

Owns the memory of what was found, and its validity. Invariant: equal fingerprints mean that the same code
with the same constants would run; where that cannot be known, a note says so. Reads live objects, runs none
of them; imports only modules of the project that a task itself imports when it runs.
Called by the runner (keys) and by ``digest`` (code inside values).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from finestflow.cache.code import classes
from finestflow.cache.code.canonical import Hash
from finestflow.cache.code.definitions import DefinitionCache, Definitions, FolderDefinitionCache
from finestflow.cache.code.distributions import Distributions
from finestflow.cache.code.graph import Graph, Node, read_graph
from finestflow.cache.code.origin import Origin, Origins, shown_module
from finestflow.cache.code.reach import Walk
from finestflow.cache.code.scopes import ESCAPES
from finestflow.cache.code.values import Constants
from finestflow.cache.code.writes import changes_modules
from finestflow.cache.components import WIRING
from finestflow.cache.names import qualified_name
from finestflow.model import Fingerprint

__all__ = [
    "CodeFingerprint",
    "DefinitionCache",
    "Fingerprinter",
    "FolderDefinitionCache",
    "task_identity",
]


@dataclass(frozen=True, slots=True)
class CodeFingerprint:
    """Identity of code.

    Attributes:
        hash: Digest of the code and all it reaches.
        components: What it is made of: the digest of each function and class by its name, the digest and a short
            text of each constant, the version of each library.
        notes: What cannot be seen, one sentence each.
    """

    hash: Fingerprint
    components: Mapping[str, str]
    notes: tuple[str, ...]


class Fingerprinter:
    """Fingerprints the code of one project.

    Args:
        roots: Folders of the project.
        digest: Gives the digest of a value: a text, or an object with ``digest`` and ``classes``. May call back
            for code inside of the value.
        definitions: Keeps what was read from source files between processes.
        started: When this process began, in seconds since the epoch. Where only the source of a module can
            tell, a file that was changed later is not trusted.
        hash_: Digest of bytes, as 64 hexadecimal digits; blake3 unless given.
        salt: The salt of another process, whose code this one has; random when not given.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        digest: Callable[[Any], Any],
        definitions: DefinitionCache | None = None,
        started: float | None = None,
        hash_: Hash | None = None,
        salt: str = "",
    ) -> None:
        self._hash = hash_ if hash_ is not None else _blake3()
        self._origins = Origins(roots)
        self._definitions = Definitions(self._hash, definitions)
        self._distributions = Distributions(self._hash, definitions)
        self._constants = Constants(digest, roots, self._hash, salt)
        self._started = started
        self._generation = 1
        self._walk = self._new_walk()
        self._graphs: dict[Node, tuple[Graph, CodeFingerprint]] = {}
        self._checked: dict[Node, int] = {}

    @property
    def salt(self) -> str:
        """What counts for code that nobody can tell apart in another process; a worker of this one is told it."""
        return self._constants.salt

    def refresh(self) -> None:
        """Look again at what may have changed, at the start of a run; what is known of code stays."""
        self._generation += 1
        self._constants.refresh()
        self._definitions.refresh()

    def of_task(self, task: Any) -> CodeFingerprint:
        """Return the fingerprint of a task: `run`, `initialize` and what they reach.

        Args:
            task: An instance of a task class; a task of a function has it as ``function``.
        """
        function = getattr(task, "function", None)
        if function is not None and callable(function) and not self._is_own_run(type(task)):
            return self.of_function(function)
        found = self._of(lambda walk: walk.task(type(task)))
        return self._with_state(task, found)

    def of_function(self, function: Callable[..., Any]) -> CodeFingerprint:
        """Return the fingerprint of a function, class or callable object."""
        home = getattr(function, "__globals__", None) or classes.namespace(type(function))
        name = f"{shown_module(str(home.get('__name__', '')))}.{getattr(function, '__name__', 'function')}"
        return self._of(lambda walk: walk.target(function, home), name)

    def of_class(self, cls: type) -> CodeFingerprint:
        """Return the fingerprint of a class: all its methods and constants."""
        return self._of(lambda walk: walk.cls(cls))

    def is_project(self, obj: Any) -> bool:
        """Return whether a function, class or module, or the class of an object, is defined in the project."""
        if isinstance(obj, type):
            return self._origins.of_class(obj) is Origin.PROJECT
        if isinstance(obj, FunctionType) or hasattr(obj, "__spec__") or hasattr(obj, "__qualname__"):
            return self._walk.origin(obj) is Origin.PROJECT
        return self._origins.of_class(type(obj)) is Origin.PROJECT

    def changes_modules(self, cls: type, method: Callable[..., Any]) -> bool:
        """Return whether a method of a class, or what it calls, changes what modules hold, which other code may read; see ``writes``."""
        return changes_modules(method, cls, self.is_project)

    def edited_since(self, loaded: Iterable[str], started: float) -> list[str]:
        """Return the files of the project's modules, out of those that were loaded, that were changed after a time.

        Args:
            loaded: Names of modules.
            started: The time, in seconds since the epoch.
        """
        found = set()
        for name in loaded:
            module = sys.modules.get(name)
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and self._origins.of_path(path) is Origin.PROJECT:
                with contextlib.suppress(OSError):
                    if os.stat(path).st_mtime > started:
                        found.add(path)
        return sorted(found)

    def _new_walk(self) -> Walk:
        return Walk(self._origins, self._definitions, self._distributions, self._constants, self._started)

    def _is_own_run(self, cls: type) -> bool:
        """Return whether a task class of the project has a run of its own."""
        owner = next((base for base in cls.__mro__ if "run" in vars(base)), object)
        return owner is not object and self._origins.of_class(owner) is Origin.PROJECT

    def _of(self, root: Callable[[Walk], Node], name: str = "") -> CodeFingerprint:
        if self._constants.is_active:
            # Asked on behalf of a value inside a walk, whose half-made nodes must not be seen.
            return _fingerprint(read_graph(root(self._new_walk()), self._hash, 0, name))
        node = root(self._walk)
        known = self._graphs.get(node)
        if known is not None:
            if self._checked[node] == self._generation:
                return known[1]
            if known[0].is_as_it_was(self._generation):
                self._checked[node] = self._generation
                return known[1]
        if self._graphs and not self._is_as_it_was():
            self._walk = self._new_walk()
            self._graphs.clear()
            self._checked.clear()
            node = root(self._walk)
        with _collection_paused():
            graph = read_graph(node, self._hash, self._generation, name)
        found = _fingerprint(graph)
        self._graphs[node] = (graph, found)
        self._checked[node] = self._generation
        return found

    def _is_as_it_was(self) -> bool:
        return all(graph.is_as_it_was(self._generation) for graph, _ in self._graphs.values())

    def _with_state(self, task: Any, found: CodeFingerprint) -> CodeFingerprint:
        """Add attributes that were set on the task from outside and that its code reads."""
        state = getattr(task, "__dict__", None)
        if not state:
            return found
        graph = self._graphs.get(self._walk.task(type(task)))
        if graph is None:
            return found
        reads: set[str] = set()
        stores: set[str] = set()
        for node in graph[0].nodes:
            reads.update(node.reads)
            stores.update(node.stores)
        names = (reads & state.keys()) - stores - classes.params(type(task)).keys() - {ESCAPES}
        values = {name: state[name] for name in sorted(names) if not self._is_finestflow(state[name])}
        if not values:
            return found
        cls = type(task)
        walk = self._new_walk()
        root = Node(classes.shown_class(cls), walk.expand_parts, found.hash, values, classes.namespace(cls))
        root.is_shown = False
        extra = read_graph(root, self._hash, 0)
        components = {**extra.components, **found.components, WIRING: extra.hash}
        notes = tuple(dict.fromkeys((*found.notes, *extra.notes)))
        return CodeFingerprint(Fingerprint(extra.hash), components, notes)

    def _is_finestflow(self, value: object) -> bool:
        return self._origins.of_class(type(value)) is Origin.FINESTFLOW


@contextlib.contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause the garbage collector, which would take half of the time: a walk makes much and drops nothing."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _fingerprint(graph: Graph) -> CodeFingerprint:
    return CodeFingerprint(Fingerprint(graph.hash), graph.components, graph.notes)


@functools.cache  # one function, by which definitions are kept
def _blake3() -> Hash:
    from blake3 import blake3

    return lambda data: blake3(data).hexdigest()


def task_identity(obj: Any) -> str:
    """Return ``module:qualname`` of a class, a function or an object's class, the same however it was started."""
    while isinstance(obj, functools.partial):
        obj = obj.func
    return qualified_name(obj if hasattr(obj, "__qualname__") else type(obj))
