"""The fork server: a process that has loaded finestflow, and installed modules that the pipeline's code imports, and forks workers.

Invariant: it has one thread whenever it forks, nothing of the project is loaded in it, and none of the libraries that must not be forked: where
an import has led to one of these, it begins anew without that import. What modules print while they are loaded here is dropped: the runner has
loaded them too. Started by ``server``, which runs ``main`` in a new interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from multiprocess import forkserver

from finestflow.cache.code.origin import Origin, Origins
from finestflow.executor.process import worker
from finestflow.executor.process.preload import BARRED, Import

__all__ = ["main"]

_HARMLESS = frozenset({b"jemalloc_bg_thd"})
"""Names of threads. jemalloc (it comes with pyarrow) frees memory in one, takes care of its locks in a fork, and does without it in the child."""


def main() -> None:
    """Be the fork server; what to do is the last word of the command line."""
    given = json.loads(sys.argv[-1])
    environ = dict(os.environ)
    if given["imports"]:
        path, sys.path[:] = list(sys.path), given["import_path"]
        with _silence():
            bad = _preload(given["imports"], Path(given["root"]))
        sys.path[:] = path
        if bad is not None:
            given["imports"].remove(bad)
            os.execve(sys.executable, [*sys.orig_argv[:-1], json.dumps(given)], environ)  # noqa: S606 - there is no shell, as meant
        worker.preloaded.update(_origin(name) for name, _ in given["imports"])
        gc.collect()
        gc.freeze()  # else the first collection in each worker copies all pages
    forkserver.main(given["listener"], given["alive"], [])


def _preload(imports: Sequence[Import], root: Path) -> Import | None:
    """Load modules; return the first that has led to what must not be here."""
    origins = Origins([root])
    sys.meta_path.insert(0, _Bar())
    before = set(sys.modules)
    for each in imports:
        name, names = each
        try:
            __import__(name, fromlist=tuple(names))
        except BaseException:  # noqa: BLE001 - a half-loaded module is no better than a barred one, whatever it raises
            return each
        loaded = sys.modules.keys() - before
        before |= loaded
        if not _is_alone() or any(origins.of_path(file) is Origin.PROJECT for file in _files(loaded)):
            return each
    sys.meta_path.pop(0)
    return None


class _BarredError(BaseException):
    """A library is wanted that must not be forked; no ``Exception``, as whoever imports it may do without."""


class _Bar:
    """Refuses what is barred before it is loaded."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name.partition(".")[0] in BARRED:
            raise _BarredError(name)


def _files(names: set[str]) -> Iterator[str]:
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str):
            yield file


def _is_alone() -> bool:
    """Whether this is the only thread. A fork is tried first: OpenBLAS ends its threads for one, and starts them again where they are needed."""
    if _count_threads() > 1:
        with warnings.catch_warnings(action="ignore"):
            child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
    return _count_threads() == 1


def _count_threads() -> int:
    """Return how many threads there are, other than those of which a forked child has no need."""
    found = 0
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm", "rb") as file:
            found += file.read().strip() not in _HARMLESS
    return found


def _origin(name: str) -> tuple[str, str | None]:
    return name, getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drop what is printed."""
    kept = {number: os.dup(number) for number in (1, 2)}
    nothing = os.open(os.devnull, os.O_WRONLY)
    for number in kept:
        os.dup2(nothing, number)
    os.close(nothing)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
