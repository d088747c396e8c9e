"""stderr and exit codes when something goes wrong.

The one place that turns errors into text and codes. Invariant: a person never sees a traceback of ours; it goes into a file, and the hint
says which. Called by ``main`` alone.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from finestflow.cli._output import Output, dump_json, paint

if TYPE_CHECKING:
    from finestflow.cli._session import Session

__all__ = ["ExitCode", "Presses", "guard", "leave"]

_TWICE_SECONDS = 2.0
"""Two presses of Ctrl-C within so long are meant as one wish: that it ends at once. A task may have taken the first as a wish of another kind."""

_OF_ALL = frozenset({"-q", "--quiet", "-v", "--verbose", "-C", "--color", "--version"})
"""Options of the program, which a command does not have."""


class ExitCode(IntEnum):
    """What the process says of itself when it ends; a code that is not listed means failure too."""

    DONE = 0
    """Everything went well."""
    FAILED = 1
    """A task failed, or ``diff --exit-code`` found differences."""
    USAGE = 2
    """A wrong option, name, query or configuration."""
    DIFFERED = 3
    """What was reproduced differs from the record."""
    NOT_FOUND = 4
    """No such run, output or repository."""
    CORRUPT = 5
    """Something stored is damaged."""
    LOCKED = 6
    """Somebody else holds a lock."""
    BUG = 70
    """Our mistake: the traceback lies in a file."""
    INTERRUPTED = 130
    """Ctrl-C."""
    CLOSED_PIPE = 141
    """Whoever read stdout went away."""


def guard(action: Callable[[], object], arguments: Sequence[str], session: Callable[[], Session | None]) -> int:
    """Run the command line, and report whatever it raises.

    Args:
        action: What to run; may return an exit code.
        arguments: Of the command line: they say whether errors are JSON.
        session: Gives what is known of the command when it fails.

    Returns:
        The exit code.
    """
    import click

    from finestflow.ending import Terminated
    from finestflow.errors import FinestflowError

    report = _Report("--json" in arguments, session)
    try:
        code = action()
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        return report(_lower(error.format_message()), _usage_hint(error), ExitCode.USAGE)
    except click.ClickException as error:
        return report(_lower(error.format_message()), "", ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt) as error:
        return report(*_told("interrupted", error), ExitCode.INTERRUPTED)
    except Terminated as error:
        return report(*_told(f"ended by {error}", error), _code_of(error))
    except SystemExit as error:
        if not getattr(error, "__notes__", None):  # no run has been ended by it
            raise
        return report(*_told(f"the pipeline called exit({error.code!r})", error), _code_of(error))
    except BrokenPipeError:
        _close_stdout()
        return ExitCode.CLOSED_PIPE
    except FinestflowError as error:
        return report(error.message, error.hint, error.exit_code, type(error).__name__)
    except OSError as error:
        if error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            _close_stdout()
            return report(f"cannot write: {error.strerror}", "make room, or write somewhere else", ExitCode.FAILED)
        if error.filename is None:
            return report.bug(error)
        return report(f"{error.strerror or error}: {os.fsdecode(error.filename)!r}", "", ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - the last resort
        return report.bug(error)
    return code if isinstance(code, int) else ExitCode.DONE


def _code_of(error: SystemExit) -> int:
    """Return the exit code as Python has it: a text is a failure."""
    return error.code if isinstance(error.code, int) else int(error.code is not None)


def _told(text: str, error: BaseException) -> tuple[str, str]:
    """Return the text with what became of the run, and a hint."""
    notes: list[str] = getattr(error, "__notes__", [])
    record, hint, *_ = [*notes, "", ""]
    return (f"{text}; {record}" if record else text), hint


class Presses:
    """What Ctrl-C does besides: pressed twice, it ends the process at once, whatever catches the first, and the next command records the run.

    Args:
        out: The streams of the command.
    """

    def __init__(self, out: Output) -> None:
        self._out = out
        self._last = -_TWICE_SECONDS

    def __call__(self) -> None:
        """Take note of a press."""
        now = time.monotonic()
        if now - self._last < _TWICE_SECONDS:
            told = b"\nfinestflow: error: interrupted twice; the next finestflow command records the run\n"
            with contextlib.suppress(OSError, ValueError):
                os.write(self._out.err.fileno(), told)
            os._exit(ExitCode.INTERRUPTED)
        self._last = now


def leave(code: int) -> None:
    """End the processes that tasks have left in this one; what outlives it is in a group of its own. Threads that go on are waited for.

    Args:
        code: The exit code. Who was interrupted waits for nothing.
    """
    import threading

    from finestflow.descendants import iter_descendants

    group = os.getpgrp()
    for pid in iter_descendants(os.getpid()):
        with contextlib.suppress(OSError):
            if os.getpgid(pid) == group:
                os.kill(pid, signal.SIGTERM)
    main = threading.main_thread()
    left = [thread.name for thread in threading.enumerate() if thread is not main and not thread.daemon]
    if left and code in {ExitCode.INTERRUPTED, 128 + signal.SIGTERM, 128 + signal.SIGHUP}:
        atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter would do next, but for the waiting
        os._exit(code)
    if left:
        _say(f"note: waiting for threads that tasks have left running: {', '.join(left[:5])}\n")


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


class _Report:
    """Writes an error to stderr, for people or as JSON, and gives back the exit code."""

    def __init__(self, as_json: bool, session: Callable[[], Session | None]) -> None:
        self._as_json = as_json
        self._session = session

    def __call__(self, message: str, hint: str, code: int, error: str = "") -> int:
        from finestflow.cli._text import many_lines

        try:
            sys.stdout.flush()
            if self._as_json:
                document = {
                    "schema": 1,
                    "kind": "error",
                    "error": error,
                    "message": message,
                    "hint": hint,
                    "exit": int(code),
                }
                sys.stderr.write(dump_json(document, ascii_only=True) + "\n")
            else:
                session = self._session()
                label = "finestflow: error:"
                if session is not None and session.out.color_err:
                    label = paint(label, "bold red")
                sys.stderr.write(f"{label} {many_lines(message)}\n")
                if hint:
                    sys.stderr.write(f"hint: {many_lines(hint)}\n")
        except OSError:  # nobody reads any more, or the terminal is gone
            _close_stdout()
        return int(code)

    def bug(self, error: Exception) -> int:
        import traceback

        session = self._session()
        if session is not None and session.environ.get("FINESTFLOW_DEBUG"):
            raise error
        text = "".join(traceback.format_exception(error))
        place = _write_traceback(text, session)
        summary = traceback.format_exception_only(error)[-1].strip()
        hint = f"this is a bug of finestflow: please report it with {place}" if place else text
        return self(f"internal error: {summary}", hint, ExitCode.BUG, type(error).__name__)


def _write_traceback(text: str, session: Session | None) -> str:
    """Write the traceback where it is not in the way and return the file's name; empty when no place takes it."""
    import platform
    import tempfile
    from importlib.metadata import version

    header = f"finestflow {version('finestflow')}, Python {platform.python_version()}, {platform.system()}\n"
    state = session.state_dir if session is not None else None
    for folder in (state and state / "crashes", None):
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="finestflow-", suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(header + text)
        except OSError:
            continue
        return name
    return ""


def _lower(message: str) -> str:
    """Put a message of click into our form: lower case, no full stop."""
    text = message.strip().removesuffix(".")
    first = text.split(" ", 1)[0]
    return text if first.isupper() and len(first) > 1 else text[:1].lower() + text[1:]


def _usage_hint(error: object) -> str:
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", "")
    if option in _OF_ALL and context is not None:
        first, *rest = context.command_path.split(" ")
        return f"{option} is for all commands and stands before theirs: {' '.join([first, option, *rest])} ..."
    return f'see "{context.command_path} --help"' if context is not None else ""


def _close_stdout() -> None:
    """Point stdout at nothing, so that Python's own flush at exit has nobody to complain to."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
