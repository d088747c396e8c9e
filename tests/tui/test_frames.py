"""Every screen, at three sizes, without colours and in ASCII, as text that is stored beside this file.

``python -m pytest tests/tui/test_frames.py -m "" --write-frames`` writes them anew; what changes on every machine (ids of objects, the folder) is
masked.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from finestflow_tui.screens import run_outputs
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
    ("crosshair", ("tab", "l", "l", "l")),
    ("options", ("comma",)),
    ("params", ("escape", "5")),
    ("config", ("6",)),
    ("code", ("7",)),
    ("env", ("8",)),
    ("outputs", ("9",)),
    ("failed", ("1", "]", "]")),
    ("failed-log", ("3", "n")),
    ("diff-code", ("escape", "home", "j", "d", "]")),
    ("diff-params", ("2",)),
    ("diff-metrics", ("3",)),
    ("diff-env", ("4",)),
    ("diff-outputs", ("5",)),
    ("diff-graph", ("6",)),
    ("diff-logs", ("7", "j")),
    ("diff-files", ("escape", "home", "j", "j", "D")),
    ("compare", ("escape", "home", "j", "space", "space", "c")),
    ("axes", ("v",)),
    ("help", ("escape", "?")),
    ("palette", ("escape", "ctrl+p")),
    ("jump", ("escape", ":")),
    ("labels", ("escape", "'")),
    ("commands", ("escape", "@")),
    ("columns", ("escape", "+")),
    ("tags", ("escape", "t")),
    ("leader", ("escape", "g")),
    ("cache", ("c",)),
    ("evict", ("x",)),
    ("clean-up", ("comma", "g")),
    ("trash", ("escape", "g", "t")),
    ("reproduce", ("escape", "r")),
)
LOOKED_INTO = frozenset({"diff-outputs", "diff-inside", "diff-pictures"})
_HASH = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b")


def masked(driver: Driver, lab: Path) -> str:
    """Return the frame, of a question only its box, without what differs between machines."""
    lines = driver.lines
    boxes = driver.app.screen.query("#dialog, #menu")
    if boxes:
        box = boxes.first().region
        lines = [line[box.x : box.right].rstrip() for line in lines[box.y : box.bottom]]
    text = "\n".join(lines).replace(str(lab), "LAB".ljust(len(str(lab))))
    text = re.sub(r"(?m)^( finestflow  ).*$", r"\1LAB", text)
    text = re.sub(r'(?m)File ".*', "File ...", text)
    text = re.sub(r"(?m)^ +(?:/\w+/\S*|LAB *)$", "    FOLDER", text)  # where a short place fits
    text = re.sub(r"\d+ kB of 20|database \d+ kB", lambda found: re.sub(r"\d+ kB", "000 kB", found[0]), text)
    text = re.sub(r"(cpu +)\d[\d.]*s( \(\d+%)?", lambda found: f"{found[1]}0.00s{' (0%' * bool(found[2])}", text)
    text = re.sub(r"Python 3[.\d]+|python +3[.\d]+", "python 3", text)
    # one commit in a hundred has no letter
    text = re.sub(r"([k-z]{12}  |commit )\d{10}\b", lambda found: found[1] + "h" * 10, text)
    return _HASH.sub(lambda found: "h" * len(found[0]), text) + "\n"


MODES = [
    ("80x24", (80, 24), {}),
    ("120x40", (120, 40), {}),
    ("200x60", (200, 60), {}),
    ("no-color", (100, 30), {"NO_COLOR": "1"}),
    ("ascii", (100, 30), {"FINESTFLOW_ASCII": "1"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "environ"), MODES)
def test_each_screen_looks_as_it_is_stored(name, size, environ, lab, pytestconfig, monkeypatch):
    """What each screen shows, letter by letter, at this size and in this mode."""
    monkeypatch.setattr(run_outputs, "QUIET", 0.001)
    compare_frames(lab, TOUR, name, size, environ, writes=pytestconfig.getoption("--write-frames"))


def compare_frames(lab, tour, name, size, environ, *, writes):
    """Press the keys of a tour, and compare the screen after each stop with what is stored."""

    async def body():
        found = {}
        async with drive(lab, size, environ=environ) as ui:
            for frame, keys in tour:
                await ui.press(*keys)
                for screen in ui.app.screen_stack:
                    getattr(screen, "hush", lambda: None)()  # what was said goes by the clock
                await ui.until_still()
                if frame in LOOKED_INTO:  # a process of its own looks into both values
                    await ui.until(lambda: ui.app.screen.pane.key in ui.app.screen._inside)
                    await ui.until_still()
                found[frame] = masked(ui, lab)
                _check(ui, size, environ)
        for frame, text in found.items():
            _compare(FRAMES / name / f"{frame}.txt", text, writes=writes)

    run(body)


@pytest.mark.parametrize("has_repository", [False, True])
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("80x24", (80, 24)),
        *(pytest.param(f"{w}x{h}", (w, h), marks=pytest.mark.slow) for w, h in ((120, 40), (200, 60))),
    ],
)
def test_a_place_without_runs_looks_as_it_is_stored(name, size, has_repository, tmp_path, pytestconfig):
    """Where there is no repository, and where there is no run yet, the screen says what to do."""
    folder = tmp_path / "lab"
    folder.mkdir()
    if has_repository:
        subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    frame = "no-runs" if has_repository else "no-repository"

    async def body():
        async with drive(folder, size, state_path_in=tmp_path) as ui:
            await ui.until_still()
            _check(ui, size, {})
            text = masked(ui, folder)
        _compare(FRAMES / name / f"{frame}.txt", text, writes=pytestconfig.getoption("--write-frames"))

    run(body)


def _compare(path: Path, text: str, *, writes: bool) -> None:
    if writes:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{path} differs"


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
