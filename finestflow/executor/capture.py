"""What tasks print: stdout, stderr, logging and warnings of this process, told apart by call.

While a capture is open ``sys.stdout`` and ``sys.stderr`` are tees: the text goes to where it went before and to the call that is being run,
or to the run when none is. Of captures within each other the innermost takes it. Where who shows the run asks for it, what C code and child
processes print belongs to the call as well, see ``descriptors``. Invariant: closing puts back exactly the streams that were there. One a run, opened
by the runner, or by a run that was started without a pipeline.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Self, TextIO

from finestflow.executor.descriptors import Descriptors, drain, is_captured
from finestflow.pipeline.call import ACTIVE_SCOPES, SCOPE

__all__ = ["LOG_FORMAT", "Capture"]

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"
"""How a log record reads in the log of a node."""


class _Tee(io.TextIOBase):
    """A text stream that also tells a listener what is written; everything else is the original's."""

    def __init__(self, stream: TextIO, tell: Callable[[str], None], *, echo: bool) -> None:
        # what is printed is told once
        self._stream: TextIO = stream._stream if isinstance(stream, _Tee) else stream  # noqa: SLF001 - same class
        self._tell = tell
        self._echo = echo

    def write(self, text: str) -> int:
        self._tell(text)
        if self._echo:
            try:
                return self._stream.write(text)
            except OSError:  # nobody reads any more, or the disk is full: the log has it, and the task goes on
                self._echo = False
        return len(text)

    def flush(self) -> None:
        if not self._stream.closed and self._echo:
            try:
                self._stream.flush()
            except OSError:
                self._echo = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def buffer(self) -> Any:
        return self._stream.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return getattr(self._stream, "errors", None)


class _LogHandler(logging.Handler):
    """Takes log records, unless a stream handler already writes them into a tee, or a capture within this one takes them."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell
        self.setFormatter(logging.Formatter(LOG_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        handlers = logging.root.handlers
        streams = [getattr(handler, "stream", None) for handler in handlers]
        if any(isinstance(stream, _Tee) or is_captured(stream) for stream in streams):
            return
        if next((each for each in reversed(handlers) if isinstance(each, _LogHandler)), self) is not self:
            return
        self._tell(self.format(record) + "\n")


class Capture:
    """The streams of this process while a run goes.

    Args:
        sink: Takes (path of the node, text); the path is empty for what the pipeline's body prints.
        echo: Whether the text also goes where it went before.
        folder: Where what C code and child processes print is put down; empty: it goes where it went before, and to no call.
    """

    def __init__(self, sink: Callable[[str, str], None], *, echo: bool = True, folder: str = "") -> None:
        self._sink = sink
        self._echo = echo
        self._handler = _LogHandler(self._tell)
        self._descriptors = Descriptors(folder, self._find_printing) if folder else None

    def _find_printing(self) -> Callable[[str], None]:
        """Return what takes the text of whoever runs now, whichever thread asks."""
        scope: Any = ACTIVE_SCOPES[-1] if ACTIVE_SCOPES else None
        return scope.write if scope is not None else partial(self._sink, "")

    def _tell(self, text: str) -> None:
        drain()  # what a child printed before stands before
        scope = SCOPE.get()
        if scope is not None:
            scope.write(text)  # type: ignore[attr-defined]
        else:
            self._sink("", text)

    def __enter__(self) -> Self:
        self._before = (sys.stdout, sys.stderr)
        if self._descriptors is not None:
            self._descriptors.open()
        if sys.stdout is not None:  # pythonw and some services have none
            sys.stdout = _Tee(sys.stdout, self._tell, echo=self._echo)
        if sys.stderr is not None:
            sys.stderr = _Tee(sys.stderr, self._tell, echo=self._echo)
        self._ours = (sys.stdout, sys.stderr)
        logging.root.addHandler(self._handler)
        return self

    def __exit__(self, *error: object) -> None:
        if self._descriptors is not None:
            self._descriptors.close()
        logging.root.removeHandler(self._handler)
        if sys.stdout is self._ours[0]:  # somebody else's redirection stays theirs
            sys.stdout = self._before[0]
        if sys.stderr is self._ours[1]:
            sys.stderr = self._before[1]
