"""stdout: aligned tables, JSON documents, colour, the pager. And the notes that go to stderr.

Invariant: stdout carries data only, stderr everything else; whether there is colour, a pager or a width to fit into is decided here, once.
Called by every command through its ``Session``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TextIO

from finestflow.cli._text import cut, pad, width

__all__ = [
    "SCHEMA",
    "STATUS_STYLE",
    "Column",
    "Output",
    "Styled",
    "dump_json",
    "format_columns",
    "format_table",
    "paint",
]

SCHEMA = 1
"""Version of the JSON documents; fields are only ever added."""

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
STATUS_STYLE = {
    "ok": "green",
    "hit": "cyan",
    "running": "blue",
    "pending": "dim",
    "run": "yellow",
    "unknown": "dim",
    "failed": "red",
    "killed": "red",
    "cancelled": "yellow",
    "skipped": "dim",
}


class Styled(str):
    """A cell of a table with a style; measured and cut like the text that it is."""

    __slots__ = ("style",)
    style: str

    def __new__(cls, text: str, style: str) -> Self:
        """Give the text a style."""
        made = super().__new__(cls, text)
        made.style = style
        return made


class Column:
    """A column of a table.

    Args:
        title: Heading; lower case.
        right: Aligned to the right, for numbers.
        shrinks: May be cut when the terminal is too narrow.
        leaves: May be left out when cutting does not suffice; the last such column goes first.
        style: Style of its cells that have none of their own.
    """

    __slots__ = ("leaves", "right", "shrinks", "style", "title")

    def __init__(
        self, title: str, *, right: bool = False, shrinks: bool = False, leaves: bool = False, style: str = ""
    ) -> None:
        self.title = title
        self.right = right
        self.shrinks = shrinks
        self.leaves = leaves
        self.style = style


def paint(text: str, style: str) -> str:
    """Return the text with the escape sequences of a style such as ``bold red``."""
    codes = ";".join(_CODES[name] for name in style.split() if name in _CODES)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def _fit(widths: Sequence[int], columns: Sequence[Column], room: int) -> dict[int, int]:
    """Return the width of each column that is shown.

    Those that may shrink do; then those that may leave do, from the last; when none of these is left, what stays is cut.
    """
    shown = dict(enumerate(widths))
    leaving = [i for i, column in enumerate(columns) if column.leaves]
    fitted = _shrink(shown, [i for i in shown if columns[i].shrinks], room)
    while leaving and _excess(fitted, room) > 0:
        del shown[leaving.pop()]
        fitted = _shrink(shown, [i for i in shown if columns[i].shrinks], room)
        if not leaving:
            fitted = _shrink(fitted, shown, room)
    return fitted


def _shrink(widths: Mapping[int, int], candidates: Iterable[int], room: int) -> dict[int, int]:
    """Take width from the candidates, from the widest first, until the row fits or they are at 8."""
    fitted = dict(widths)
    wide = [i for i in candidates if fitted[i] > 8]
    for _ in range(_excess(fitted, room)):
        if not wide:
            break
        widest = max(wide, key=fitted.__getitem__)
        fitted[widest] -= 1
        if fitted[widest] == 8:
            wide.remove(widest)
    return fitted


def _excess(widths: Mapping[int, int], room: int) -> int:
    return sum(widths.values()) + 2 * (len(widths) - 1) - room


def format_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    room: int | None = None,
    color: bool = False,
    header: bool = True,
) -> Iterator[str]:
    """Yield the lines of a table; cells are one line each and safe already.

    Args:
        columns: One a cell of each row.
        rows: Texts, or ``Styled`` ones.
        room: Width of the terminal; None cuts nothing.
        color: Whether styles become escape sequences.
        header: Whether the titles are shown.
    """
    cells: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    return format_columns(columns, cells, room=room, color=color, header=header)


def format_columns(
    columns: Sequence[Column],
    cells: Sequence[Sequence[str]],
    *,
    room: int | None = None,
    color: bool = False,
    header: bool = True,
) -> Iterator[str]:
    """Yield the lines of a table whose cells come column by column; see ``format_table``.

    What can be done once for a column is not done for each cell: 10,000 rows of eight columns take 12 ms.
    """
    titles = [column.title if header else "" for column in columns]
    widths = [max(len(title), _widest(texts)) for title, texts in zip(titles, cells, strict=True)]
    fitted = dict(enumerate(widths)) if room is None else _fit(widths, columns, room)
    sides = {i: limit if columns[i].right else -limit for i, limit in fitted.items()}
    last = max(sides)
    sides[last] = max(sides[last], 0)  # no blanks at the ends of lines
    if header:
        heads = [_pad_all([cut(titles[i], fitted[i])], side)[0] for i, side in sides.items()]
        yield "  ".join(paint(head, "bold") if color else head for head in heads).rstrip()
    forms, filled = [], []
    for i, side in sides.items():
        texts = cells[i] if fitted[i] == widths[i] else [cut(text, fitted[i]) for text in cells[i]]
        if not color and _is_ascii(texts):
            forms.append(f"%{side}s" if side else "%s")
        else:
            forms.append("%s")
            texts = _pad_all(texts, side)
        filled.append(_paint_all(texts, cells[i], columns[i].style) if color else texts)
    form = "  ".join(forms)
    for row in zip(*filled, strict=True):
        yield (form % row).rstrip()


def _is_ascii(texts: Iterable[str]) -> bool:
    return "".join(texts).isascii()


def _widest(texts: Sequence[str]) -> int:
    return max(map(len if _is_ascii(texts) else width, texts), default=0)


def _pad_all(texts: Sequence[str], side: int) -> Sequence[str]:
    """Fill texts with blanks on the left to ``side`` columns; on the right where it is negative."""
    if not side:
        return texts
    if _is_ascii(texts):
        return [text.rjust(side) for text in texts] if side > 0 else [text.ljust(-side) for text in texts]
    return [pad(text, abs(side), right=side > 0) for text in texts]


def _paint_all(texts: Sequence[str], cells: Sequence[str], style: str) -> Sequence[str]:
    """Give texts the styles of the cells that they are, else that of the column."""
    styles = [cell.style if isinstance(cell, Styled) else style for cell in cells]
    forms = {each: paint("%s", each) for each in set(styles)}
    return [forms[each] % text if text else text for text, each in zip(texts, styles, strict=True)]


class Output:
    """The streams of one command.

    Args:
        color: ``auto``, ``always`` or ``never``.
        verbosity: -1 quiet, 0, 1 verbose.
        environ: ``NO_COLOR``, ``FORCE_COLOR``, ``TERM``, ``PAGER`` are looked at.
        out: Where data goes.
        err: Where everything else goes.
    """

    def __init__(
        self,
        *,
        color: str = "auto",
        verbosity: int = 0,
        environ: Mapping[str, str] | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.verbosity = verbosity
        self.is_terminal = _is_terminal(self.out)
        self.color = _wants_color(color, self.out, self._environ)
        self.color_err = _wants_color(color, self.err, self._environ)
        self.can_redraw = _is_terminal(self.err) and _can_redraw(self._environ)
        """Whether stderr is a terminal on which lines can change."""
        self.above: Callable[[str], None] | None = None
        """Takes lines in place of stderr while something is drawn there."""
        self.has_debugger = "PYTHONBREAKPOINT" in self._environ
        """Whether a person has chosen what ``breakpoint()`` opens."""

    # -- stdout

    @contextlib.contextmanager
    def apart(self) -> Iterator[bool]:
        """Write to the same places by descriptors of its own meanwhile, so that a run may take 1 and 2; False where the streams are not those."""
        before = self.out, self.err
        if [_number_of(stream) for stream in before] != [1, 2]:
            yield False
            return
        own = []
        for stream in before:
            stream.flush()
            buffering = 1 if stream.isatty() else -1
            own.append(open(os.dup(stream.fileno()), "w", buffering, stream.encoding, stream.errors))  # noqa: SIM115
        self.out, self.err = own
        try:
            yield True
        finally:
            self.out, self.err = before
            for stream in own:
                with contextlib.suppress(OSError):  # nobody reads any more
                    stream.close()

    def line(self, text: str = "") -> None:
        """Write one line of data."""
        self.out.write(text + "\n")

    def lines(self, lines: Iterable[str], *, page: bool = False) -> None:
        """Write lines of data; ``page`` shows them in the pager when they do not fit the terminal."""
        if page and self.is_terminal:
            self._page(list(lines))
            return
        self.out.write("".join([f"{line}\n" for line in lines]))

    def raw(self, data: bytes) -> None:
        """Write bytes of data as they are."""
        self.out.flush()
        buffer = getattr(self.out, "buffer", None)
        if buffer is None:
            self.out.write(data.decode("utf-8", "replace"))
        else:
            buffer.write(data)
            buffer.flush()

    def table(
        self,
        columns: Sequence[Column],
        rows: Sequence[Sequence[str]],
        *,
        page: bool = False,
        header: bool = True,
        form: str = "text",
    ) -> None:
        """Write an aligned table, cut to the terminal when there is one; or as ``format_option`` names it, ``md`` or ``csv``."""
        if form != "text":
            self.cells([column.title for column in columns], rows, form)
            return
        room = self.columns if self.is_terminal else None
        self.lines(format_table(columns, rows, room=room, color=self.color, header=header), page=page)

    def cells(self, heads: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> None:
        """Write a table for other programs: ``md``, or ``csv`` with values as they are."""
        if form == "csv":
            import csv

            csv.writer(self.out, lineterminator="\n").writerows([heads, *rows])
        else:
            from finestflow.cli._markdown import cell, table

            self.lines(table(heads, ([cell(each) for each in row] for row in rows)))

    def long_table(self, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
        """Write an aligned table of many rows, given column by column, in the pager where it does not fit the terminal."""
        room = self.columns if self.is_terminal else None
        self.lines(format_columns(columns, cells, room=room, color=self.color), page=True)

    def json(self, kind: str, **fields: Any) -> None:
        """Write the one JSON document of a command."""
        self.document({"schema": SCHEMA, "kind": kind, **fields}, indent=2 if self.is_terminal else None)

    def document(self, document: Any, *, indent: int | None = None) -> None:
        """Write anything as one JSON document, on one line unless ``indent`` says else."""
        self.line(dump_json(document, indent=indent, ascii_only=self.out.encoding.lower() not in {"utf-8", "utf8"}))

    def style(self, text: str, style: str) -> str:
        """Return the text for stdout in a style, when there is colour."""
        return paint(text, style) if self.color else text

    @property
    def columns(self) -> int:
        """Width of the terminal."""
        import shutil

        return shutil.get_terminal_size().columns

    # -- stderr

    def note(self, text: str, style: str = "") -> None:
        """Say something to the person; ``-q`` silences it."""
        if self.verbosity >= 0:
            self._say(text, style)

    def detail(self, text: str) -> None:
        """Say what only ``-v`` asks for."""
        if self.verbosity > 0:
            self._say(text, "dim")

    def failure(self, text: str, style: str = "") -> None:
        """Say what went wrong, also with ``-q``."""
        self._say(text, style)

    def warn(self, text: str, hint: str = "") -> None:
        """Say what may be wrong, also with ``-q``."""
        self._say(f"finestflow: warning: {text}", "yellow")
        if hint:
            self._say(f"hint: {hint}", "")

    def _say(self, text: str, style: str) -> None:
        line = paint(text, style) if style and self.color_err else text
        if self.above is not None:
            self.above(line)
            return
        self.out.flush()
        self.err.write(line + "\n")
        self.err.flush()

    # -- pager

    def _page(self, lines: list[str]) -> None:
        import shutil

        text = "".join(f"{line}\n" for line in lines)
        command = self._environ.get("PAGER", "less")
        if len(lines) < shutil.get_terminal_size().lines or command in {"", "cat"}:
            self.out.write(text)
            return
        import shlex
        import subprocess

        environ = {"LESS": "FRX", **self._environ}
        try:
            pager = subprocess.Popen(
                shlex.split(command), stdin=subprocess.PIPE, env=environ, text=True, encoding="utf-8"
            )
        except (OSError, ValueError):
            self.out.write(text)
            return
        try:
            pager.communicate(text)
        except BrokenPipeError:
            pass
        except KeyboardInterrupt:
            pager.wait()


def _number_of(stream: TextIO) -> int:
    """Return the descriptor of a stream; one in memory has none."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return -1


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _can_redraw(environ: Mapping[str, str]) -> bool:
    return environ.get("TERM", "dumb") not in {"", "dumb", "unknown"} and not environ.get("CI")


def _wants_color(choice: str, stream: TextIO, environ: Mapping[str, str]) -> bool:
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") not in {None, "", "0"}:
        return True
    return _is_terminal(stream) and environ.get("TERM") != "dumb"


def dump_json(document: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Return a document as JSON; numbers that JSON does not know (NaN, infinities) become texts, other objects their text."""
    import json

    try:
        return json.dumps(document, indent=indent, ensure_ascii=ascii_only, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(document), indent=indent, ensure_ascii=ascii_only, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return list(value)
    return str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124 - NaN
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [_finite(item) for item in value]
    return value
