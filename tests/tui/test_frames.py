"""Every screen, at three sizes, without colours and in ASCII, as text that is stored beside this file.

``python -m pytest tests/tui/test_frames.py -m "" --write-frames`` writes them anew; what changes on every machine (ids of objects, the folder) is
masked.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from textual import constants

from finestflow_tui.screens import run_outputs
from tests.tui.driving import Driver, drive, run
from tests.tui.test_states import STARTED, begin, damage

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
    ("verified", ("comma", "v")),
    ("trash", ("escape", "g", "t")),
    ("reproduce", ("escape", "r")),
)
STATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("live", ()),
    ("live-tasks", ("home", "enter")),
    ("live-logs", ("3",)),
    ("unreadable", ("escape", "j", "enter", "1")),
    ("no-match", ("escape", "/", "q", "q", "q", "enter")),
    ("deleted", ("escape", "end", "x", "g", "t")),
    ("note", ("escape", "m")),
    ("again", ("escape", "R")),
    ("work-tree", ("escape", "W")),
    ("copy", ("escape", "y")),
    ("save", ("escape", "E")),
    ("views", ("escape", "comma", "s", "m", "enter", "g", "v")),
    ("themes", ("escape", "comma", "t")),
    ("marked", ("escape", "end", "space", "k", "k", "space")),
    ("maximised", ("z",)),
    ("pane-beside", ("z", "0")),
    ("graph-turned", ("0", "end", "enter", "2", "v")),
    ("log-of", ("3", "f")),
    ("search", ("escape", "/")),
    ("diff-other-view", ("escape", "escape", "d", "1", "v")),
    ("compare-all", ("escape", "c", "=")),
)
"""What comes up while a run is going on, another one cannot be read and a third one is deleted; and questions."""
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
    # one commit in a hundred has no letter in ten digits, one in thirty none in seven
    text = re.sub(r"([k-z]{12}  |commit '?|@)(\d{7,12})\b", lambda found: found[1] + "h" * len(found[2]), text)
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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "environ"), MODES)
def test_states_and_questions_look_as_they_are_stored(name, size, environ, own_lab, pytestconfig, monkeypatch):
    """What is seen while a run is going on and another one is damaged, letter by letter, at this size and in this mode."""
    monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")  # what turns is another letter each time
    damage(own_lab)
    live = begin(own_lab)
    live.emit({"e": "progress", "node": "fit", "done": 8, "total": 20, "t": STARTED})
    live.emit({"e": "metric", "node": "fit", "name": "loss", "value": 0.5, "step": 1, "t": STARTED})
    live.write_log("fit", "still fitting\n")
    try:
        compare_frames(own_lab, STATES, name, size, environ, writes=pytestconfig.getoption("--write-frames"))
    finally:
        live.close(remove=True)


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
                    await ui.until(lambda: ui.app.screen.pane.key in ui.app.screen.outputs.inside)
                    await ui.until_still()
                found[frame] = masked(ui, lab)
                _check(ui, size, environ)
        differing = [frame for frame, text in found.items() if _differs(FRAMES / name / f"{frame}.txt", text, writes)]
        assert not differing, f"{name}/{differing[0]}.txt is now\n{found[differing[0]]}"

    run(body)


@pytest.mark.parametrize("has_repository", [False, True])
@pytest.mark.parametrize(
    ("name", "size", "environ"), [MODES[0], *(pytest.param(*mode, marks=pytest.mark.slow) for mode in MODES[1:])]
)
def test_a_place_without_runs_looks_as_it_is_stored(name, size, environ, has_repository, tmp_path, pytestconfig):
    """Where there is no repository, and where there is no run yet, the screen says what to do."""
    folder = tmp_path / "lab"
    folder.mkdir()
    if has_repository:
        subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    frame = "no-runs" if has_repository else "no-repository"

    async def body():
        async with drive(folder, size, environ=environ, state_path_in=tmp_path) as ui:
            await ui.until_still()
            _check(ui, size, environ)
            text = masked(ui, folder)
        assert not _differs(FRAMES / name / f"{frame}.txt", text, pytestconfig.getoption("--write-frames")), text

    run(body)


def _differs(path: Path, text: str, writes: bool) -> bool:
    if writes:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8") != text


def _check(ui: Driver, size: tuple[int, int], environ: dict[str, str]) -> None:
    """Hold what is true of every frame: each line fills the width, and modes keep what they promise."""
    for strip in ui.strips:
        assert sum(segment.cell_length for segment in strip) == size[0]
    if "NO_COLOR" in environ:
        styles = [segment.style for strip in ui.strips for segment in strip if segment.style is not None]
        colors = [color for style in styles for color in (style.color, style.bgcolor) if color is not None]
        assert all(color.is_default for color in colors)  # those of the terminal
    if "FINESTFLOW_ASCII" in environ:
        assert ui.text.replace("“", "").replace("”", "").isascii(), sorted(
            {letter for letter in ui.text if not letter.isascii()}
        )
