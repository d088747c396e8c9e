"""Errors on their way between processes: type, message, notes, causes, and a traceback that shows the same frames.

A traceback cannot be pickled. What it shows can: the places of its frames. They come back as frames of code that was compiled for just that,
so that everything that prints tracebacks prints the same as in one process. Called by ``worker`` (sends) and ``executor`` (receives).
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from finestflow.errors import TaskFailedError

__all__ = ["Failure", "revive", "take_apart"]

_LONGEST = 20
"""Errors in a chain of causes."""
_FRAMES = 200
"""Frames kept at each end of a traceback; recursion makes thousands."""


class Place(NamedTuple):
    """One frame of a traceback."""

    file: str
    name: str
    qualname: str
    line: int
    end_line: int
    column: int
    end_column: int


class Failure(NamedTuple):
    """An error in pieces.

    Attributes:
        error: The error, pickled; None when it cannot be.
        text: Its type and message, for when it cannot.
        notes: Its notes.
        places: Its traceback.
        cause: What it was raised from.
        context: What was being handled when it was raised.
        hides_context: Whether the context is not shown.
    """

    error: bytes | None
    text: str
    notes: list[str]
    places: list[Place]
    cause: Failure | None
    context: Failure | None
    hides_context: bool


def take_apart(error: BaseException, dump: Callable[[Any], bytes], depth: int = _LONGEST) -> Failure:
    """Return an error in pieces.

    Args:
        error: Any error.
        dump: Pickles; raises when that is impossible.
        depth: How many causes are followed.
    """
    kind = type(error)
    text = f"{kind.__name__}: {_text_of(error)}"
    data: bytes | None = None
    try:
        data = dump(_plan_of(error))
    except Exception:  # noqa: BLE001 - whatever pickling a value of the user raises
        try:
            data = dump((kind, _texts(error.args), {}))
        except Exception:  # noqa: BLE001
            data = None
    follow = depth > 0
    return Failure(
        data,
        text,
        [str(note) for note in getattr(error, "__notes__", ())],
        _places(error.__traceback__),
        take_apart(error.__cause__, dump, depth - 1) if error.__cause__ is not None and follow else None,
        take_apart(error.__context__, dump, depth - 1) if error.__context__ is not None and follow else None,
        error.__suppress_context__,
    )


def _plan_of(error: BaseException) -> Any:
    """Return how to make the error again; without its ``__init__``, whose arguments nobody has kept."""
    kind = type(error)
    if kind.__reduce__ in _PLAIN_REDUCE and kind.__reduce_ex__ is object.__reduce_ex__:
        state = {name: value for name, value in error.__dict__.items() if name != "__notes__"}
        return kind, error.args, state
    return error


_PLAIN_REDUCE = (BaseException.__reduce__,)


def _texts(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple([value if type(value) in {str, int, float, bool, type(None)} else repr(value)[:200] for value in args])


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001 - whatever its __str__ raises
        return f"<its text cannot be made: {type(problem).__name__}>"


def revive(failure: Failure, load: Callable[[bytes], Any]) -> BaseException:
    """Return the error again; one that cannot be made here is a ``TaskFailedError`` with its text."""
    error: BaseException
    try:
        made = load(failure.error) if failure.error is not None else (TaskFailedError, (failure.text,), {})
        if isinstance(made, tuple):
            kind, args, state = made
            error = kind.__new__(kind, *args)
            error.args = args
            error.__dict__.update(state)
        else:
            error = made
        _text_of(error)
    except (Exception, SystemExit):  # noqa: BLE001 - its class may be gone, or do anything
        error = TaskFailedError(failure.text)
    for note in failure.notes:
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
    if failure.context is not None:
        error.__context__ = revive(failure.context, load)
    if failure.cause is not None:
        error.__cause__ = revive(failure.cause, load)
    error.__suppress_context__ = failure.hides_context
    return error.with_traceback(_traceback(failure.places))


def _places(trace: types.TracebackType | None) -> list[Place]:
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        positions = list(code.co_positions())
        index = trace.tb_lasti // 2
        line, end_line, column, end_column = positions[index] if index < len(positions) else (None,) * 4
        line = line or trace.tb_lineno
        columns = (column, end_column) if column is not None and end_column is not None else (0, 0)
        found.append(Place(code.co_filename, code.co_name, code.co_qualname, line, end_line or line, *columns))
        trace = trace.tb_next
    return found if len(found) <= 2 * _FRAMES else found[:_FRAMES] + found[-_FRAMES:]


def _traceback(places: list[Place]) -> types.TracebackType | None:
    trace: types.TracebackType | None = None
    for place in reversed(places):
        made = _raise_at(place)
        trace = types.TracebackType(trace, made.tb_frame, made.tb_lasti, place.line)
    return trace


def _raise_at(place: Place) -> types.TracebackType:
    """Return the traceback of an error that is raised at a place."""
    tree = ast.parse("raise Exception")
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr):
            node.lineno, node.end_lineno = place.line, place.end_line
            node.col_offset, node.end_col_offset = place.column, place.end_column
    code = compile(tree, place.file, "exec").replace(co_name=place.name, co_qualname=place.qualname)
    trace = None
    try:
        exec(code, {"__name__": "__remote__"})  # noqa: S102 - the one statement above
    except Exception as error:  # noqa: BLE001 - the one raised above
        trace = error.__traceback__
    assert trace is not None
    assert trace.tb_next is not None
    return trace.tb_next
