"""What C code and child processes print in this process: the descriptors 1 and 2, while one run has them.

They lead into a file; what is new there at the begin and at the end of a call, and ten times a second in between, is what the call has printed. That
costs a call under a microsecond, where two pipes a call would cost fifty. Invariants: one run of a process has the descriptors at a time; whatever
ends it, they lead where they led before; what a run that died with its process had printed last is in its live folder, for who recovers it.
Only who shows runs on streams of its own may ask for it: the command line does. ``capture`` opens it.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import functools
import os
import struct
import sys
import threading
from collections.abc import Callable

from finestflow.journal.live import OUTPUT, OUTPUT_AT

__all__ = ["Descriptors", "drain", "is_captured", "release"]

_PAUSE = 0.1
"""Seconds between two looks while a call goes on."""
_CHUNK = 1 << 20
_open: list[Descriptors] = []


def drain() -> None:
    """Pass on what has been printed until now; costs next to nothing where nobody has the descriptors."""
    if _open:
        _open[0].drain()


def release() -> None:
    """Give the descriptors back before the run has ended, as to who wants to talk to a debugger."""
    if _open:
        _open[0].close()


def is_captured(stream: object) -> bool:
    """Whether what is written to a stream is seen at its descriptor."""
    return bool(_open) and any(stream is each for each in _open[0].streams)


class Descriptors:
    """The descriptors of stdout and stderr while a run has them.

    Args:
        folder: Where their file lies.
        choose: Returns who takes what is being printed now, from any thread.
    """

    def __init__(self, folder: str, choose: Callable[[], Callable[[str], None]]) -> None:
        self._choose = choose
        self._lock = threading.Lock()
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._ended = threading.Event()
        self._saved: list[int] = []
        self._folder = folder
        self.streams = (sys.stdout, sys.stderr)

    def open(self) -> bool:
        """Take the descriptors; return whether nobody else had them, and there is room for the file."""
        if _open:
            return False
        _open.append(self)
        self._flush()
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(f"{self._folder}/{OUTPUT}", flags, 0o600)
            self._at = os.open(f"{self._folder}/{OUTPUT_AT}", flags & ~os.O_APPEND, 0o600)
            self._saved = [os.dup(1), os.dup(2)]
        except OSError:
            _open.remove(self)
            return False
        for number in (1, 2):
            os.dup2(self._file, number)
        threading.Thread(target=self._watch, name="finestflow-output", daemon=True).start()
        return True

    def _watch(self) -> None:
        while not self._ended.wait(_PAUSE):
            with contextlib.suppress(OSError, ValueError):
                self.drain(is_border=False)

    def drain(self, *, is_border: bool = True) -> None:
        """Pass on what is new.

        Args:
            is_border: Nothing more comes from who has printed it: not even the rest of a character.
        """
        if is_border:
            self._flush()
        has_more = True
        while has_more:
            with self._lock:
                if not self._saved:
                    return
                end = os.lseek(self._file, 0, os.SEEK_END)
                if self._read >= end:
                    return
                data = os.pread(self._file, min(end - self._read, _CHUNK), self._read)
                self._read += len(data)
                has_more = bool(data) and self._read < end
                text = self._decoder.decode(data, final=is_border and not has_more)
                os.pwrite(self._at, struct.pack("<Q", self._read), 0)
                take = self._choose()
            if text:
                take(text)  # without the lock: whoever takes has locks too, and may print

    def _flush(self) -> None:
        """Write what the streams hold back, those of C as well."""
        for stream in self.streams:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        _libc().fflush(None)
        for number in (
            (1, 2) if self._saved else ()
        ):  # a task may have closed them: the next file would get their numbers
            os.dup2(self._file, number)

    def close(self) -> None:
        """Give the descriptors back."""
        with contextlib.suppress(OSError, ValueError):
            self.drain()
        with self._lock:
            if not self._saved:
                return
            self._ended.set()
            for number, saved in zip((1, 2), self._saved, strict=True):
                os.dup2(saved, number)
                os.close(saved)
            self._saved.clear()
            os.close(self._file)
            os.close(self._at)
            for name in (OUTPUT, OUTPUT_AT):
                with contextlib.suppress(OSError):
                    os.unlink(f"{self._folder}/{name}")
            _open.remove(self)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _forget() -> None:
    """Let a forked child print to the descriptors, where its parent sees it: it has no run of its own."""
    for each in _open:
        each._saved.clear()  # noqa: SLF001 - same module
        sys.stdout, sys.stderr = each.streams
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
