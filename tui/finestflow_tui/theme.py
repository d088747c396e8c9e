"""Colours: the themes, and the style of every role that a span of text may have.

Invariant: a role never speaks by colour alone, views give it a sign, a word or a letter too; so without colours only bold, dim, underline and
reverse are left. The app asks for a palette when its theme changes; widgets paint with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.color import ColorParseError
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["MARKS", "THEMES", "Palette", "PlainFilter", "choose_theme", "make_palette"]


class _Colors(NamedTuple):
    """The colours that a theme is made of; names of ANSI colours, or hexadecimal ones."""

    dark: bool
    text: str
    background: str
    surface: str
    cursor: str
    dim: str
    accent: str
    good: str
    bad: str
    warm: str
    cool: str
    metric: str
    param: str
    tag: str
    added: str
    removed: str
    added_word: str
    removed_word: str


_DARK = _Colors(
    dark=True,
    text="#d8dee4",
    background="#11151a",
    surface="#1a2028",
    cursor="#2b3643",
    dim="#7d8896",
    accent="#6cb6ff",
    good="#57c27a",
    bad="#f47067",
    warm="#e5b567",
    cool="#56c1d6",
    metric="#e8c15a",
    param="#73b0ff",
    tag="#c792ea",
    added="#14301f",
    removed="#3a1c1f",
    added_word="#1f5a36",
    removed_word="#6e2a2f",
)
_LIGHT = _Colors(
    dark=False,
    text="#1f2328",
    background="#fbfcfd",
    surface="#eef1f4",
    cursor="#d5e3f3",
    dim="#656d76",
    accent="#0757ad",
    good="#116329",
    bad="#b3202c",
    warm="#8a5300",
    cool="#0b6a80",
    metric="#7a5300",
    param="#0b4fae",
    tag="#6f2dbd",
    added="#dcf5e3",
    removed="#fde4e4",
    added_word="#aee5bf",
    removed_word="#f7b9b9",
)
_CONTRAST = _DARK._replace(
    text="#ffffff",
    background="#000000",
    surface="#000000",
    cursor="#00408a",
    dim="#c8c8c8",
    accent="#7fd4ff",
    good="#5dff8f",
    bad="#ff8080",
    warm="#ffd75f",
    metric="#ffe75f",
    param="#8fd0ff",
    tag="#ffb3ff",
)
_BLUE_ORANGE = _DARK._replace(
    good="#6aaeff", bad="#ff9d4d", added="#12283f", removed="#402710", added_word="#1f4d7d", removed_word="#7a4413"
)
_ANSI = _Colors(
    dark=True,
    text="default",
    background="default",
    surface="default",
    cursor="",
    dim="",
    accent="cyan",
    good="green",
    bad="red",
    warm="yellow",
    cool="cyan",
    metric="yellow",
    param="blue",
    tag="magenta",
    added="",
    removed="",
    added_word="",
    removed_word="",
)
_NONE = _Colors(False, *[""] * 17)
_MARKS = ("accent", "warm", "tag", "good", "cool", "bad")
MARKS = len(_MARKS)
"""How many colours letters have: ``mark0`` and so on."""


class Palette(dict[str, Style]):
    """The style of each role; of several that are joined by ``+`` the later lies over the earlier, and an unknown one is plain.

    Two roles are made as they come: ``#rrggbb/#rrggbb`` is the upper and the lower half of a cell of a picture, ``sgr:1;31`` what a program
    asked of the terminal.
    """

    is_colored = True

    def __init__(self, styles: Mapping[str, Style] = {}) -> None:
        super().__init__(styles)
        self._upon: dict[tuple[Style, str], Upon] = {}

    def upon(self, app: App[Any], base: Style, over: str = "") -> Upon:
        """Return the styles of roles as the app shows them upon a background.

        Args:
            app: Whose filters they go through.
            base: The style of the background.
            over: A role that lies over the background.
        """
        found = self._upon.get((base, over))
        if found is None:
            below = base + self[over] if over else base
            found = self._upon[base, over] = Upon(self, below, app.get_line_filters())
        return found

    def __missing__(self, role: str) -> Style:
        if role.startswith("#"):  # too many to be kept
            return _cell_style(role)
        if role.startswith("sgr:"):
            style = self[role] = _sgr_style(role[4:], colored=self.is_colored)
            return style
        style = Style()
        for part in role.split("+") if "+" in role else ():
            style += self[part]
        self[role] = style
        return style


class Upon(dict[str, Style]):
    """The style of each role upon a background, filtered: to make one takes longer than to paint what has it."""

    def __init__(self, palette: Palette, below: Style, filters: Sequence[LineFilter]) -> None:
        super().__init__()
        self._palette, self._below, self._filters = palette, below, filters

    def __missing__(self, role: str) -> Style:
        below = self._below
        segments = [Segment("", below + self._palette[role])]
        for each in self._filters:
            segments = each.apply(segments, Color.from_rich_color(below.bgcolor) if below.bgcolor else Color(0, 0, 0))
        style = segments[0].style or Style()
        if not role.startswith("#"):  # too many to be kept
            self[role] = style
        return style


@lru_cache(maxsize=4096)
def _cell_style(role: str) -> Style:
    above, _, below = role.partition("/")
    return Style(color=above, bgcolor=below)


_SGR = {"1": "bold", "2": "dim", "3": "italic", "4": "underline", "7": "reverse"}


def _sgr_style(codes: str, *, colored: bool) -> Style:
    """Return the style of codes such as ``1;31`` or ``38;5;208``; those that are not known are left out."""
    attributes: dict[str, Any] = {}
    parts = iter(codes.split(";"))
    for part in parts:
        if part in _SGR:
            attributes[_SGR[part]] = True
        elif part in {"38", "48"}:
            name, kind = "color" if part == "38" else "bgcolor", next(parts, "")
            given = [int(value or 0) for value in islice(parts, 1 if kind == "5" else 3)]
            attributes[name] = (
                f"color({min(given[0], 255)})" if kind == "5" and given else f"rgb({','.join(map(str, given))})"
            )
        elif part.isdigit() and (30 <= int(part) <= 37 or 90 <= int(part) <= 97):
            attributes["color"] = f"color({int(part) - 30 if int(part) < 90 else int(part) - 82})"
        elif part.isdigit() and 40 <= int(part) <= 47:
            attributes["bgcolor"] = f"color({int(part) - 40})"
    if not colored:
        attributes = {name: value for name, value in attributes.items() if value is True}
    try:
        return Style(**attributes)
    except ColorParseError:
        return Style()


def make_palette(name: str, *, colored: bool = True) -> Palette:
    """Return the style of each role in a theme.

    Args:
        name: Name of the theme; one that is not ours is painted with the colours of the terminal.
        colored: Whether there is any colour at all.
    """
    colors = _COLORS.get(name, _ANSI) if colored else _NONE

    def style(color: str = "", background: str = "", **attributes: Any) -> Style:
        return Style(color=color or None, bgcolor=background or None, **attributes)

    def plain(**attributes: bool) -> dict[str, Any]:
        """Give attributes only where there is no background to tell by."""
        return {} if colors.cursor else attributes

    palette = Palette(
        {
            "": Style(),
            "dim": style(colors.dim, dim=not colors.dim),
            "bold": style(bold=True),
            "title": style(colors.accent, bold=True),
            "head": style(colors.dim, bold=True, dim=False),
            "column": style(colors.accent, bold=True, underline=True),
            "bar": style(colors.text, colors.surface, **plain(reverse=True)),
            "key": style(colors.accent, bold=True),
            "cursor": style("", colors.cursor, **plain(reverse=True)),
            "cell": style(bold=True, underline=True),
            "best": style(colors.metric, bold=True),
            "ok": style(colors.good),
            "hit": style(colors.cool),
            "running": style(colors.accent, bold=True),
            "failed": style(colors.bad, bold=True),
            "killed": style(colors.bad, bold=True),
            "cancelled": style(colors.warm),
            "skipped": style(colors.dim, dim=not colors.dim),
            "pending": style(colors.dim, dim=not colors.dim),
            "error": style(colors.bad),
            "warning": style(colors.warm),
            "good": style(colors.good),
            "bad": style(colors.bad),
            "id": style(colors.dim, dim=not colors.dim),
            "name": style(colors.text, bold=True),
            "metric": style(colors.metric),
            "param": style(colors.param),
            "tag": style(colors.tag),
            "star": style(colors.metric, bold=True),
            "note": style(colors.text, italic=True),
            "hunk": style(colors.accent, dim=not colors.dim),
            "added": style("" if colors.added else colors.good, colors.added),
            "removed": style("" if colors.removed else colors.bad, colors.removed),
            "added-word": style(
                "" if colors.added_word else colors.good, colors.added_word, bold=True, **plain(underline=True)
            ),
            "removed-word": style(
                "" if colors.removed_word else colors.bad, colors.removed_word, bold=True, **plain(underline=True)
            ),
            "link": style(colors.accent, underline=True),
            "match": style("", "", reverse=True),
            "keyword": style(colors.tag),
            "string": style(colors.good),
            "number": style(colors.warm),
            "comment": style(colors.dim, italic=True, dim=not colors.dim),
            "definition": style(colors.accent, bold=True),
        }
    )
    palette.is_colored = colored
    palette |= {f"mark{at}": style(getattr(colors, color), bold=True) for at, color in enumerate(_MARKS)}
    return palette


def _theme(name: str, colors: _Colors) -> Theme:
    return Theme(
        name=name,
        primary=colors.accent,
        secondary=colors.param,
        accent=colors.accent,
        warning=colors.warm,
        error=colors.bad,
        success=colors.good,
        foreground=colors.text,
        background=colors.background,
        surface=colors.surface,
        panel=colors.surface,
        dark=colors.dark,
    )


_COLORS = {
    "finestflow-dark": _DARK,
    "finestflow-light": _LIGHT,
    "high-contrast": _CONTRAST,
    "blue-orange": _BLUE_ORANGE,
}
THEMES = tuple(_theme(name, colors) for name, colors in _COLORS.items())
"""Our themes; those of Textual can be chosen too."""
_SHORT = {"dark": "finestflow-dark", "light": "finestflow-light", "ansi": "ansi-dark"}


def choose_theme(wanted: str, environ: Mapping[str, str]) -> str:
    """Return the name of a theme: the one that is wanted, else what the terminal says of its background.

    Args:
        wanted: ``auto``, ``dark``, ``light``, ``ansi`` or the name of a theme.
        environ: ``COLORFGBG`` is looked at; ``TERM`` of few colours gets those of the terminal.
    """
    if wanted != "auto":
        return _SHORT.get(wanted, wanted)
    if environ.get("TERM", "") in {"linux", "vt100", "vt220", "ansi"}:
        return "ansi-dark"
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "finestflow-light" if background in {"7", "15"} else "finestflow-dark"


class PlainFilter(LineFilter):
    """Leaves bold, dim, italic, underline and reverse of a style, and no colour: what ``NO_COLOR`` asks for."""

    def __init__(self) -> None:
        super().__init__()
        self._plain: dict[Style, Style] = {}

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Take the colours away."""
        return [
            Segment(text, None if style is None else self._strip(style), control) for text, style, control in segments
        ]

    def _strip(self, style: Style) -> Style:
        found = self._plain.get(style)
        if found is None:
            found = self._plain[style] = Style(
                bold=style.bold, dim=style.dim, italic=style.italic, underline=style.underline, reverse=style.reverse
            )
        return found
