"""Every error that finestflow raises: what happened, a hint, and an exit code.

The tree::

    FinestflowError                    1
    ├── UsageError                     2   a wrong name, value or combination
    │   ├── ConfigError                2   a configuration file or setting
    │   ├── ParamError                 2   a param: unknown name, wrong type
    │   ├── QueryError                 2   a query of the runs
    │   └── GraphError                 2   wiring: a cycle, a name used twice, a look where no value is
    ├── TaskFailedError                1   a task raised
    │   ├── WorkerDiedError            1   the process of a task ended under it
    │   └── TaskTimeoutError           1   a task took too long
    ├── DifferenceError                3   a reproduced run differs
    ├── NotFoundError                  4   no such run, node, output, metric, commit
    ├── RepositoryError                4   git: not there, refused, no repository
    │   └── RefMovedError              4   a ref was changed by somebody else
    ├── CorruptionError                5   a record, an object or an index is damaged
    │   └── NewerFormatError           5   written by a later finestflow
    ├── LockedError                    6   somebody else holds a lock
    └── ValueNotStorableError          1   a value that cannot be digested or stored

Messages are lower case, name the thing in quotes, and say what was expected; ``hint`` says what to do next.
All of them survive a pickle round trip. The command line turns ``exit_code`` into its own.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "CorruptionError",
    "DifferenceError",
    "FinestflowError",
    "GraphError",
    "LockedError",
    "NewerFormatError",
    "NotFoundError",
    "ParamError",
    "QueryError",
    "RefMovedError",
    "RepositoryError",
    "TaskFailedError",
    "TaskTimeoutError",
    "UsageError",
    "ValueNotStorableError",
    "WorkerDiedError",
    "describe_error",
    "nearest_hint",
]


class FinestflowError(Exception):
    """Any error of finestflow.

    Args:
        message: What happened, in lower case, the thing in quotes.
        hint: What to do next; empty when there is nothing to say.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint), self.__dict__)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(FinestflowError):
    """Something that was asked for does not exist or does not fit."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file or a setting is wrong."""


class ParamError(UsageError):
    """A param has an unknown name, or a value that cannot be of its declared type."""


class QueryError(UsageError):
    """A query of the runs cannot be answered."""


class GraphError(UsageError):
    """Tasks are wired in a way that cannot run."""


class TaskFailedError(FinestflowError):
    """A task raised an error; ``__cause__`` is that error where it could travel."""


class WorkerDiedError(TaskFailedError):
    """The process that a task ran in has ended: it exited, crashed, or was killed."""


class TaskTimeoutError(TaskFailedError):
    """A task took longer than its ``Meta.timeout``."""


class DifferenceError(FinestflowError):
    """A run that was reproduced gave other outputs."""

    exit_code = 3


class NotFoundError(FinestflowError):
    """No run, node, output or other recorded thing has that name."""

    exit_code = 4


class RepositoryError(FinestflowError):
    """Git is missing, refuses, or there is no repository."""

    exit_code = 4


class RefMovedError(RepositoryError):
    """A ref does not have the value it was expected to have."""


class CorruptionError(FinestflowError):
    """A record, an object of the store or an index is damaged."""

    exit_code = 5


class NewerFormatError(CorruptionError):
    """Something was written by a later version of finestflow."""


class LockedError(FinestflowError):
    """Somebody else holds a lock that is needed."""

    exit_code = 6


class ValueNotStorableError(FinestflowError):
    """A value cannot be digested or stored.

    Args:
        message: What happened.
        hint: What to pass or return instead.
        where: Path inside the value, such as ``[0].model``; empty for the value itself.
    """

    def __init__(self, message: str, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint)
        self.where = where

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.where), self.__dict__)


def nearest_hint(name: str, known: Iterable[str], listing: str = "known") -> str:
    """Return ``did you mean 'x'?`` for the nearest of the known names, or else a list of them.

    Args:
        name: What was given.
        known: The names that exist.
        listing: How to introduce the list, such as ``params of 'fit'``.
    """
    import difflib

    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return f"{listing}: none"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"{listing}: {shown}"


_LONGEST = 20_000
"""Characters of a message that are kept: a record is no place for an array that an error quotes."""


def describe_error(error: BaseException) -> str:
    """Return class and message of any error, also of one whose message is huge, empty, or cannot be made."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception as problem:  # noqa: BLE001 - whatever its __str__ raises
        text = f"<its text cannot be made: {type(problem).__name__}>"
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ... ({len(text) - _LONGEST:,} more characters)"
    return f"{name}: {text}" if text else name
