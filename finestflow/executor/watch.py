"""Which files of the project a call reads that nobody gave it.

An audit hook (PEP 578) of the process sees ``open`` and the listing of folders, from Python and from most libraries. What a call read becomes
an observed dependency of its entry, verified at look-up, so that a file that a task opens by itself cannot make a hit stale. Invariant: the
hook never raises and costs nothing but a comparison outside of calls. What a function with ``functools.cache`` read in an earlier call counts for
each call that it serves from memory. Not seen: readers that open files in C on their own (Arrow, HDF5,
SQLite), other processes, and files outside the project.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from contextvars import ContextVar
from types import FrameType
from typing import Any

__all__ = ["Watch", "watching"]

_LISTINGS = frozenset({"os.listdir", "os.scandir"})
_MOVE = "os.chdir"
_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd")
_WRITES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND

watching: ContextVar[Watch | None] = ContextVar("finestflow_watch", default=None)
_open: list[Watch] = []
"""The watches of the calls that go on: what a thread that a call started opens is in no context of ours, and is its when there is one alone."""
_is_installed = False
_Memo = functools._lru_cache_wrapper  # noqa: SLF001 - it has no public name
_memos: dict[_Memo[Any], dict[str, None]] = {}
"""The files that functions which remember their results have read in this process."""


class Watch:
    """What one call opens below a folder.

    Args:
        root: Top of the project, an absolute path.
    """

    __slots__ = ("_changing", "_hits", "_home", "_prefix", "_token", "_written", "files", "folders")

    def __init__(self, root: str) -> None:
        self._home: str | None = None
        self._prefix = root.rstrip("/") + "/"
        self._written: set[str] = set()
        self._hits: dict[_Memo[Any], int] = {}
        """How often each of them had served a result from memory when the call began."""
        self._changing: dict[str, int] = {}
        """Files that were opened to be read and written, with the time of their last change before that."""
        self.files: dict[str, None] = {}
        self.folders: dict[str, None] = {}
        _install()

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        """Take an audit event."""
        if event == _MOVE:
            if self._home is None:
                self._home = os.getcwd()
            return
        path = args[0] if args and args[0] is not None else "."
        if isinstance(path, int):
            return
        place = os.path.abspath(os.fsdecode(path))
        if not (place + "/").startswith(self._prefix) or self._is_ours(place):
            return
        if event != "open":
            self.folders[place] = None
        elif args[2] & (_WRITES | os.O_RDWR) == os.O_RDWR:  # `r+`, as `numpy.memmap` opens what it may only read
            self._changing.setdefault(place, os.stat(place).st_mtime_ns)
        elif args[2] & (_WRITES | os.O_RDWR):
            self._written.add(place)
        elif not place.endswith(_CODE):
            self.files[place] = None
            _remember(place, sys._getframe(1))  # noqa: SLF001

    def _is_ours(self, place: str) -> bool:
        parts = place[len(self._prefix) :].split("/")
        return bool({".git", ".finestflow", "site-packages", "__pycache__"}.intersection(parts)) or place.startswith(
            sys.prefix + "/"
        )

    def go_back(self) -> bool:
        """Work again where the call began, which may have gone elsewhere; return whether it had."""
        home, self._home = self._home, None
        if home is None:
            return False
        with contextlib.suppress(OSError):  # a folder that it has removed
            if home == os.getcwd():
                return False
        with contextlib.suppress(OSError):
            os.chdir(home)
        return True

    def read(self) -> tuple[list[str], list[str]]:
        """Return files and folders that were read and not written, by absolute path; also files that were looked for and are not there."""
        for memo, read in _memos.items():
            if memo.cache_info().hits > self._hits.get(memo, memo.cache_info().hits):
                self.files.update(read)
        if not self.files and not self.folders and not self._changing:
            return [], []
        for place, modified in self._changing.items():
            with contextlib.suppress(OSError):
                if os.stat(place).st_mtime_ns == modified:
                    self.files[place] = None
                else:
                    self._written.add(place)
        files = [place for place in self.files if place not in self._written and not os.path.isdir(place)]
        changed = {os.path.dirname(place) for place in self._written}
        return files, [place for place in self.folders if place not in changed and os.path.isdir(place)]

    def open(self) -> None:
        """Begin to watch."""
        self._token = watching.set(self)
        self._hits = {memo: memo.cache_info().hits for memo in _memos}
        _open.append(self)

    def close(self) -> None:
        """Watch no longer."""
        watching.reset(self._token)
        _open.remove(self)


def _remember(place: str, frame: FrameType | None) -> None:
    """Take note of the functions that are reading a file and remember what they return."""
    while frame is not None:
        found: Any = frame.f_globals
        for name in frame.f_code.co_qualname.split("."):
            found = found.get(name) if found is frame.f_globals else getattr(found, "__dict__", {}).get(name)
        if isinstance(found, _Memo):
            _memos.setdefault(found, {})[place] = None
        frame = frame.f_back


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" or event in _LISTINGS or event == _MOVE:
        watch = watching.get() or (_open[0] if len(_open) == 1 else None)
        if watch is not None:
            try:
                watch.see(event, args)
            except Exception:  # noqa: BLE001 - an audit hook that raises would stop the user's program
                pass


def _install() -> None:
    global _is_installed
    if not _is_installed:
        _is_installed = True
        sys.addaudithook(_hook)
