"""Every screen, at three sizes, without colours and in ASCII, as text that is stored beside this file.

``python -m pytest tests/tui/test_frames.py -m "" --write-frames`` writes them anew; what changes on every machine (ids of objects, the folder) is
masked.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tui.driving import Driver, drive, run

FRAMES = Path(__file__).parent / "frames"
TOUR: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("runs", ()),
    ("filter", ("/", "l", "r", ">")),
    ("grouped", ("escape", "escape", "l", "l", "l", "l", "l", "l", "b")),
    ("tasks", ("b", "home", "enter", "down", "down")),
    ("graph", ("2",)),
    ("logs", ("3",)),
    ("metrics", ("4",)),
    ("params", ("5",)),
    ("code", ("7",)),
    ("outputs", ("9",)),
    ("failed", ("1", "]", "]")),
    ("diff-code", ("escape", "home", "j", "d", "]")),
    ("diff-metrics", ("3",)),
    ("diff-outputs", ("5",)),
    ("diff-graph", ("6",)),
    ("compare", ("escape", "space", "space", "c")),
    ("help", ("escape", "?")),
    ("palette", ("escape", "ctrl+p")),
    ("leader", ("escape", "g")),
    ("cache", ("c",)),
    ("trash", ("escape", "g", "t")),
    ("reproduce", ("escape", "r")),
)
_HASH = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b")


def masked(driver: Driver, lab: Path) -> str:
    """Return the frame, of a question only its box, without what differs between machines."""
    lines = driver.lines
    boxes = driver.app.screen.query("#dialog, #menu")
    if boxes:
        box = boxes.first().region
        lines = [line[box.x : box.right].rstrip() for line in lines[box.y : box.bottom]]
    text = "\n".join(lines).replace(str(lab), "LAB".ljust(len(str(lab))))
    text = re.sub(r"(?m)^( finestflow  LAB).*$", r"\1", text)
    text = re.sub(r"Python 3[.\d]+|python +3[.\d]+", "python 3", text)
    return _HASH.sub(lambda found: "h" * len(found[0]), text) + "\n"


@pytest.mark.parametrize(
    ("name", "size", "environ"),
    [
        ("80x24", (80, 24), {}),
        pytest.param("120x40", (120, 40), {}, marks=pytest.mark.stress),
        pytest.param("200x60", (200, 60), {}, marks=pytest.mark.stress),
        ("no-color", (100, 30), {"NO_COLOR": "1"}),
        pytest.param("ascii", (100, 30), {"FINESTFLOW_ASCII": "1"}, marks=pytest.mark.stress),
    ],
)
def test_each_screen_looks_as_it_is_stored(name, size, environ, lab, pytestconfig):
    writes = pytestconfig.getoption("--write-frames")

    async def body():
        found = {}
        async with drive(lab, size, environ=environ) as ui:
            for frame, keys in TOUR:
                await ui.press(*keys)
                for screen in ui.app.screen_stack:
                    getattr(screen, "_hush", lambda: None)()  # what was said goes by the clock
                await ui.until_still()
                found[frame] = masked(ui, lab)
                _check(ui, size, environ)
        for frame, text in found.items():
            path = FRAMES / name / f"{frame}.txt"
            if writes:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
            assert path.read_text(encoding="utf-8") == text, f"{path} differs"

    run(body)


def _check(ui: Driver, size: tuple[int, int], environ: dict[str, str]) -> None:
    """Hold what is true of every frame: each line fills the width, and modes keep what they promise."""
    for strip in ui.strips:
        assert sum(segment.cell_length for segment in strip) == size[0]
    if "NO_COLOR" in environ:
        styles = [segment.style for strip in ui.strips for segment in strip if segment.style is not None]
        assert not any(style.color or style.bgcolor for style in styles)
    if "FINESTFLOW_ASCII" in environ:
        assert ui.text.replace("“", "").replace("”", "").isascii(), sorted(
            {letter for letter in ui.text if not letter.isascii()}
        )
