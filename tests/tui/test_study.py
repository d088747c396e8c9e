"""Plots, logs, groups and pictures of a study, each by what a key changes on the screen; and how they look."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from finestflow_tui.text import plain_text
from tests.tui.driving import drive, run
from tests.tui.test_frames import MODES, compare_frames

pytestmark = pytest.mark.slow
TOUR: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("log-failed", ("enter", "3")),
    ("log-warning", ("escape", "j", "enter", "3", "comma", "l", "w")),
    ("log-by-time", ("comma", "l", "a", "comma", "m")),
    ("plot-shades", ("4", "v", "v")),
    ("plot-grid", ("v",)),
    ("compare-grid", ("escape", "space", "space", "space", "space", "c", "v", "v")),
    ("compare-shades", ("v",)),
    ("compare-groups", ("v", "j", "j", "j", "comma", "b")),
    ("diff-plot", ("escape", "M", "home", "j", "j", "d", "3")),
    ("diff-inside", ("5",)),
    ("diff-pictures", ("j",)),
)


@pytest.mark.parametrize(("name", "size", "environ"), MODES)
def test_the_study_looks_as_it_is_stored(name, size, environ, study, pytestconfig):
    """What logs and plots of the study look like, letter by letter, at this size and in this mode."""
    compare_frames(study, TOUR, name, size, environ, writes=pytestconfig.getoption("--write-frames"))


def test_logs_are_narrowed_and_merged(study):
    """,l leaves the lines from a level on and says so, ,m merges by the times in lines; f chooses one task again; enter opens the last frame seen."""

    async def body():
        async with drive(study) as ui:
            await ui.press("j", "enter", "3")
            assert "fitted" in ui.text
            await ui.press("comma", "l", "w")
            assert "slow start" in ui.text
            assert "fitted" not in ui.text
            assert "from warning on" in ui.lines[0]
            await ui.press("]", "[")
            assert "from warning on" in ui.lines[0]
            await ui.press("comma", "l", "c")
            assert "no line tells of critical" in ui.text
            await ui.press("comma", "l", "a", "comma", "m")
            assert "by time" in ui.lines[0]
            texts = [plain_text(row) for row in ui.app.screen.list.rows]
            order = [next(at for at, text in enumerate(texts) if said in text) for said in ("begin", "fitted", "end")]
            assert order == sorted(order)
            await ui.press("escape", "k", "enter")
            assert ui.app.screen.logs.said == ""
            opened = []
            ui.app.edit_text = lambda *words: opened.append(words)
            await ui.press("3", "enter", "e")
            assert [(name, line) for name, _, line in opened] == [("steps.py", 9)] * 2
            assert "def descend" in opened[0][1]
            at = next(at for at, line in enumerate(ui.lines) if "study.py" in line)
            for y in (at, at + 1):  # the second one is no frame
                await ui.pilot.click("#list", offset=(8, y - ui.app.screen.list.region.y), times=2)
                await ui.settle()
            assert [(name, line) for name, _, line in opened[2:]] == [("study.py", 15)]

    run(body)


def test_plots_are_seen_in_other_ways(study):
    """V goes through linear, logarithmic, shades and a grid; ,a plots over epochs and seconds."""

    async def body():
        async with drive(study) as ui:
            await ui.press("j", "space", "k", "j", "j", "enter", "4")
            plot = ui.app.screen.metrics.plot
            assert [each.label for each in plot._series] == ["this", "A"]
            await ui.press("v")
            assert "(log y)" in ui.text
            await ui.press("v")
            assert "░▒▓█" in ui.text
            assert "(log y)" not in ui.text
            await ui.press("v")
            assert all(f"fit/{name}" in "\n".join(line[74:] for line in ui.lines) for name in ("epoch", "gap", "loss"))
            await ui.press("v", "comma", "a")
            assert "over epochs" in ui.foot
            assert plot._series[0].points[-1][0] == 3
            await ui.press("comma", "a")
            assert "over seconds" in ui.foot
            await ui.press("comma", "a")
            assert plot._series[0].points[-1][0] == 39

    run(body)


def test_runs_are_compared_as_a_grid_as_shades_and_by_groups(study):
    """V goes through one metric, axes, a grid with the most different metric first, shades; ,b averages runs with equal params."""

    async def body():
        async with drive(study, (140, 40)) as ui:
            await ui.press("j", "space", "space", "space", "space", "c", "v")
            assert "parallel coordinates" in ui.text
            await ui.press("v")
            assert ui.foot.startswith("all metrics with a course")
            assert "fit/epoch" in ui.text
            await ui.press("v")
            assert "░▒▓█" in ui.text
            await ui.press("v", "home", "j", "j", "comma", "b")
            plot = ui.app.screen.plot
            assert ui.app.screen.list.key == ("param", "fit.lr")
            assert [each.label for each in plot._series] == ["0.2 ×2", "0.1 ×2"]
            assert plot._series[0].low
            await ui.press("k")
            assert len(plot._series) == 4
            await ui.press("comma", "b", "comma", "a")
            assert plot._series[0].points[-1][0] == 3

    run(body)


def test_pictures_of_two_runs_stand_beside_each_other_and_metrics_are_plotted_over_each_other(study):
    """In a difference the outputs tab shows both pictures and rows by their id, the metrics tab how both went; others have no plot, all say why."""

    async def body():
        async with drive(study) as ui:
            await ui.press("j", "j", "d", "3")
            assert [each.label for each in ui.app.screen.plot._series] == ["A", "B"]
            assert ui.app.screen.pane.key == "fit/gap"
            await ui.press("j")
            assert ui.app.screen.plot._title == "fit/loss"
            await ui.press("5", "j")
            assert not ui.app.screen.plot.display
            assert "why it ran again" in ui.text
            await ui.until(lambda: "image" in ui.app.screen.outputs.inside)
            await ui.settle()
            assert any(line.count("\u2580" * 24) == 2 for line in ui.lines)
            await ui.press("j")
            await ui.until(lambda: "rows" in ui.app.screen.outputs.inside)
            await ui.settle()
            assert "[id=4]['value']  2.09 → 2.0" in ui.text
            await ui.press("6")
            assert ui.app.screen.graph.display
            assert "why it ran again" in ui.text

    run(body)


def test_a_graph_says_how_long_nodes_took_and_panes_keep_their_width(study):
    """,d puts durations into the nodes, ,f says what it follows; { and } move the border of a difference, which the next one has too."""

    async def body():
        async with drive(study) as ui:
            await ui.press("j", "enter", "2")
            assert "\u25cf fit 0.2s" not in ui.text
            await ui.press("comma", "d")
            assert "\u25cf fit 0.2s" in ui.text
            await ui.press("comma", "f")
            assert ui.foot == "the node that runs is followed"
            await ui.press("comma", "d", "escape", "d")
            wide = ui.app.screen.list.outer_size.width
            await ui.press("}", "}", "{")
            assert ui.app.screen.list.outer_size.width == wide + 4
            await ui.press("escape", "d")
            assert ui.app.screen.list.outer_size.width == wide + 4

    run(body)


@pytest.mark.parametrize(("plot", "made_of"), [("blocks", "\u2598\u2596\u259d\u2597\u2580\u2584"), ("ascii", "*")])
def test_plots_are_drawn_with_what_the_font_has(study, tmp_path, plot, made_of):
    """[tui] plot says what lines are made of, where there are no dots of braille."""
    folder = Path(shutil.copytree(study, tmp_path / "study"))
    with (folder / ".finestflow.toml").open("a") as file:
        file.write(f'\n[tui]\nplot = "{plot}"\n')

    async def body():
        async with drive(folder) as ui:
            await ui.press("j", "enter", "4")
            drawn = "".join(line[76:] for line in ui.lines[4:-3])
            assert any(letter in drawn for letter in made_of)
            assert not re.search("[\u2801-\u28ff]", drawn)

    run(body)
