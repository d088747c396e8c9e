"""What is looked at closely: outputs, files as they are now, plots, the cache; with the keys and with the mouse."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from finestflow.model import Metric, RunId
from finestflow.workspace import Workspace
from finestflow_tui.plain import iter_lines
from finestflow_tui.screens import run_outputs
from finestflow_tui.start import find_place
from tests.tui.build_lab import NOW
from tests.tui.driving import drive, run
from tests.tui.test_keys import NEWEST, names
from tests.tui.test_states import begin


@pytest.mark.slow
def test_an_output_is_shown_from_inside(lab, monkeypatch):
    """The outputs tab says what is in a value: rows and statistics, loaded by a process of its own; enter gives its pane the keys."""
    monkeypatch.setattr(run_outputs, "QUIET", 0.001)

    async def body():
        async with drive(lab) as ui:
            await ui.press("enter", "9")
            await ui.until(lambda: "mean" in ui.text)
            assert "items" in ui.text
            assert " 0.37" in ui.text
            assert "E save" in ui.foot
            await ui.press("enter")
            assert ui.app.focused is ui.app.screen.detail
            await ui.press("z")
            assert ui.app.screen.maximized is ui.app.screen.detail
            await ui.press("escape")
            assert ui.app.screen.maximized is None
            await ui.press("tab", "E")
            assert ui.app.screen.query_one("Input").value.endswith(".csv")
            await ui.press("escape")

    run(body)


@pytest.mark.slow
def test_a_run_is_compared_with_the_files_as_they_are_now(own_lab):
    """D shows what was edited since; + shows more lines around it, ,w leaves spaces out, and other tabs say that nothing has run."""
    path = own_lab / "train.py"
    path.write_text(path.read_text().replace("weight = 0.0", "weight = 0.25").replace("kept =", "kept  ="))

    async def body():
        async with drive(own_lab, (160, 40)) as ui:
            await ui.press("D")
            assert "the files as they are now" in ui.lines[0]
            assert "weight = 0.25" in ui.text
            assert "hunk 1 of" in ui.lines[0]
            assert "kept  =" in ui.text
            lines = len(ui.app.screen.pane.rows)
            await ui.press("+")
            assert len(ui.app.screen.pane.rows) > lines
            await ui.press("-", "comma", "w")
            assert "kept  =" not in ui.text
            await ui.press("comma", "l", "2")
            assert "nothing has run with these files" in ui.text
            await ui.press("4", "escape", "@")
            assert "finestflow diff dusty-fox-6 ." in ui.text
            await ui.press("escape", "enter", "D")
            assert "weight = 0.25" in ui.text
            await ui.press("comma", "s")
            assert "always on the right" in ui.foot

    run(body)


@pytest.mark.slow
def test_a_plot_is_read_with_a_crosshair(lab):
    """Tab gives the plot the keys: l and h move a crosshair that reads all lines, + and - and shift+arrows look closely, , smooths."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("space", "enter", "4", "tab")
            plot = ui.app.screen.metrics.plot
            assert ui.app.focused is plot
            assert [series.label for series in plot._series] == ["this", "A"]
            await ui.press("l", "l", "l")
            assert plot.place is not None
            assert plot.reading.startswith(f"{plot.place:g}")
            assert "A " in plot.reading
            assert "@ " in ui.text
            before = plot.place
            await ui.press("h")
            assert plot.place < before
            await ui.press("end")
            assert plot.place == 29
            await ui.press("home", "+", "+")
            assert plot._limits[1] < 29
            await ui.press("shift+right", "shift+left", "-", "-", "-")
            assert plot._limits is None
            await ui.press("comma", "s")
            assert "smoothed 0.6" in ui.text
            await ui.press("comma", "l", "comma", "x")
            assert plot.is_log
            assert plot.is_log_x
            await ui.press("comma", "a", "comma", "a")
            assert plot._series[0].points[0][0] != 0 or plot._series[0].points[1][0] != 1

    run(body)


@pytest.mark.slow
def test_runs_are_lines_over_axes(lab):
    """V in a comparison draws parallel coordinates: an axis for each param and metric that differs."""

    async def body():
        async with drive(lab, (160, 40)) as ui:
            await ui.press("space", "j", "j", "space", "c", "v")
            assert "parallel coordinates" in ui.text
            assert any(" lr" in line for line in ui.lines[-4:])
            await ui.press("v")
            assert "parallel coordinates" not in ui.lines[1]
            assert "loss" in ui.lines[1]

    run(body)


@pytest.mark.slow
def test_files_say_how_many_lines_differ(lab):
    """Lines that came and that went, beside each file of a difference, in its printed twin too."""

    async def body():
        async with drive(lab, (120, 40)) as ui:
            await ui.press("j", "d")
            await ui.until(lambda: "M train.py  +2  −2" in ui.text)
            assert "A notes.md  +1 " in ui.text
            assert ui.app.screen.list.key == "notes.md"
            counts = ui.app.history.line_counts(ui.app.screen.diff)
            assert counts == {"notes.md": (1, 0), "train.py": (2, 2)}

    run(body)


def test_runs_of_a_comparison_are_whole_columns(lab):
    """Runs that there is no room for are counted on both sides, l goes on by one of them, and the base stays."""

    async def body():
        async with drive(lab, (80, 30)) as ui:
            await ui.press("*", "c")
            first = ui.lines[1]
            assert "›2 (l)" in first
            assert "dusty-fox" in first
            assert "B calm-wren" in first
            await ui.press("l")
            assert "‹1 (h)" in ui.lines[1]
            assert "›1 (l)" in ui.lines[1]
            assert "A dusty-fox" in ui.lines[1]
            assert "calm-wren" not in ui.lines[1]
            await ui.press("l", "l", "h", "h")
            assert ui.lines[1] == first

    run(body)


def test_values_are_evicted_when_that_is_confirmed(own_lab):
    """X marks a value of the cache, u spares it, ,x evicts what is marked; enter opens the run that made it."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("g", "c")
            screen = ui.app.screen
            count = len(screen._held)
            await ui.press("x", "x")
            assert "2 values to be evicted" in ui.text
            await ui.press("u")
            assert "1 value to be evicted" in ui.text
            await ui.press("comma", "x")
            assert "evicted 1 value" in ui.foot
            assert len(screen._held) == count - 1
            await ui.press("comma", "x")
            assert "nothing is marked" in ui.foot
            await ui.press("@")
            assert "finestflow cache rm" in ui.text
            await ui.press("escape", "end", "enter")
            assert "9 Outputs" in ui.text

    run(body)


def test_the_log_of_a_live_run_is_merged_as_it_is_written(own_lab):
    """Lines of nodes stand in the order of writing, whole lines only; what comes later is added, and G follows it."""
    live = begin(own_lab)
    live.emit({"e": "start", "path": "load", "task": "train:Load", "t": NOW})
    live.write_log("fit", "one\n")
    live.write_log("load", "two\n")
    live.write_log("fit", "three\nhal")

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("home", "enter", "3")
            await ui.until(lambda: "three" in ui.text)
            shown = [line for line in ui.lines if "│" in line]
            assert [line.split("│")[1].strip() for line in shown] == ["one", "two", "three"]
            assert [line.split()[0] for line in shown] == ["fit", "load", "fit"]
            live.write_log("fit", "f\n")
            live.emit({"e": "progress", "node": "fit", "done": 8, "total": 20, "t": NOW})
            await ui.until(lambda: "half" in ui.text)

    try:
        run(body)
    finally:
        live.close(remove=True)


@pytest.mark.slow
def test_the_mouse_does_what_keys_do(lab):
    """A heading sorts, the gutter marks, a border is dragged, the right button opens the actions, the wheel looks closely at a plot."""

    async def body():
        async with drive(lab) as ui:
            table, aside = ui.app.screen.table, ui.app.screen.aside
            await ui.pilot.click(table, offset=(10, 0))
            await ui.settle()
            assert ui.app.state.sorts == ["name"] or ui.app.state.sorts == ["-name"]
            await ui.pilot.click(table, offset=(2, 2))
            await ui.settle()
            assert list(ui.app.state.marks.values()) == ["A"]
            wide, border = aside.region.width, aside.region.x - 1
            await ui.pilot.mouse_down(offset=(border, 10))
            await ui.pilot.hover(offset=(border - 10, 10))
            await ui.pilot.mouse_up(offset=(border - 10, 10))
            await ui.settle()
            assert wide < aside.region.width <= wide + 12
            await ui.pilot.click(table, offset=(10, 3), button=3)
            await ui.settle()
            assert "actions" in ui.text
            await ui.press("d")
            assert "1 Code" in ui.text or "first of its pipeline" in ui.foot
            await ui.press("escape")

    run(body)


def test_what_does_not_fit_says_so(lab):
    """At 80 columns all tabs are whole and can be clicked, the head says where the run stands, and a line that goes on ends in dots."""

    async def body():
        async with drive(lab, (80, 24)) as ui:
            await ui.press("j", "enter")
            assert "run 2 of 6" in ui.lines[0]
            assert ui.lines[1] == " 1 Tasks 2 Graph 3 Logs 4 Metrics 5 Params 6 Config 7 Code 8 Env 9 Outputs"
            await ui.pilot.click("#tabs", offset=(ui.lines[1].index("7 Code") + 1, 0))
            await ui.settle()
            assert ui.app.screen.tab == "code"
            await ui.press("9")
            assert any(line.endswith("score[2], s…") for line in ui.lines)

    run(body)


def test_a_graph_is_panned(lab):
    """Shift and arrows, or dragging, move a drawing that is larger than its pane."""

    async def body():
        async with drive(lab, (60, 20)) as ui:
            await ui.press("enter", "j", "j", "j", "enter", "2")
            graph = ui.app.screen.graph
            await ui.press("shift+right")
            moved = graph.scroll_offset.x
            await ui.press("shift+left")
            assert moved > graph.scroll_offset.x == 0
            await ui.press("shift+down")
            assert graph.scroll_offset.y > 0
            await ui.press("shift+up")
            assert graph.scroll_offset.y == 0

    run(body)


@pytest.mark.slow
def test_options_of_running_again(lab):
    """Each option of the plan changes the command that is shown; a secret value is not; a task can be run from, with the files as they are."""

    async def body():
        async with drive(lab, (140, 50)) as ui:
            await ui.press("enter", "j", "r")
            assert "what will happen" in ui.text
            await ui.press("comma", "o")
            await ui.type("0.01")
            await ui.press("enter", "comma", "p")
            await ui.type("fit.token=hidden")
            await ui.press("enter", "comma", "f")
            await ui.type("/tmp/kept")
            await ui.press("enter", "comma", "e")
            assert re.search(
                r"finestflow reproduce \w+ --env --tolerance 0.01 --into /tmp/kept -p fit.token=\.\.\.", ui.text
            )
            assert "hidden" not in ui.text
            await ui.press("comma", "n")
            assert "run train.py:Train --from" in ui.text
            assert "--from-run" in ui.text
            await ui.press("comma", "n", "comma", "d")
            assert "no run reproduces it yet" in ui.foot

    run(body)


@pytest.mark.slow
def test_logs_of_two_runs_are_compared_node_by_node(lab):
    """The logs of a difference are listed by node; each is a patch, n goes to its hunks, and the first line shows all in one."""

    async def body():
        async with drive(lab, (160, 40)) as ui:
            await ui.press("j", "j", "j", "space", "k", "k", "d", "7")
            assert "all, from the first difference" in ui.text
            await ui.press("j")
            assert "⋯" in ui.text
            await ui.press("v", "n", "]", "enter")
            assert ui.app.focused is ui.app.screen.pane
            await ui.press("6")
            assert "~ fit" in ui.text
            assert "score ×5" in ui.text

    run(body)


@pytest.mark.slow
def test_quitting(lab):
    """Ctrl+q leaves from any screen."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("enter")
            await ui.pilot.press("ctrl+q")
            assert not ui.app.is_running or ui.app._exit

    run(body)


@pytest.mark.parametrize(
    ("words", "screen"),
    [
        ([], "runs"),
        (["status:failed"], "runs"),
        ([":cache"], "cache"),
        ([":trash"], "trash"),
        (["calm-wren-5"], "run"),
        (["calm-wren-5", ":logs"], "run"),
        (["brisk-lynx-3", "calm-wren-5"], "diff"),
        (["brisk-lynx-3", "calm-wren-5", "baseline-1"], "compare"),
        (["nobody-7"], "runs"),
    ],
)
def test_words_name_a_place_and_each_place_has_a_printed_twin(words, screen, lab, environ):
    """Whatever can be opened can be printed, from the same rows."""
    workspace = Workspace.find(lab, environ)
    workspace.refresh()
    place = find_place(workspace, words)
    assert place.screen == screen
    lines = list(iter_lines(workspace, words))
    workspace.close()
    text = "\n".join(lines)
    expected = {
        "cache": "digest",
        "trash": "nothing is deleted",
        "diff": "sorted(x for x in numbers",
        "compare": "equal row",
        "run": "epoch  0 loss" if ":logs" in words else "score ×5",
    }
    assert expected.get(screen, "") in text
    if screen == "runs" and not words:
        assert [name for name in NEWEST if name in text] == NEWEST


def test_a_place_is_opened_at_the_start(lab, environ):
    """Two names open their difference; leaving it leads to the list."""
    workspace = Workspace.find(lab, environ)
    workspace.refresh()
    place = find_place(workspace, ["brisk-lynx-3", "calm-wren-5"])
    workspace.close()

    async def body():
        async with drive(lab, place=place) as ui:
            await ui.settle()
            assert "brisk-lynx-3" in ui.lines[0]
            await ui.press("escape")
            assert names(ui) == NEWEST

    run(body)


@pytest.mark.slow
def test_labels_stand_on_rows_nodes_and_panes(lab):
    """A letter goes to the node of a graph that it stands on, or gives its pane the keys; any other key leaves."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("enter", "2", "'")
            screen = ui.app.screen_stack[-2]
            node, box = list(screen.graph.drawing.boxes.items())[1]
            letter = ui.lines[screen.graph.region.y + box.y][box.x]
            await ui.press(letter)
            assert screen.graph.key == node
            await ui.press("comma", "b")
            assert f"│ ● {screen.graph.key.rpartition('/')[2]} │" in ui.text.replace("◌", "●")
            await ui.press("comma", "b")
            assert "╭────" not in ui.text
            await ui.press("'")
            letter = ui.lines[screen.detail.region.y][screen.detail.region.x]
            await ui.press(letter)
            assert ui.app.focused is screen.detail
            await ui.press("'", "escape")
            assert ui.app.screen is screen
            assert "goes there" not in ui.foot

    run(body)


@pytest.mark.slow
def test_items_of_a_large_fan_out_are_one_row(own_lab):
    """A difference and a comparison show the mean of their metrics and how many outputs differ; ,i shows each, and folds them again."""
    workspace = Workspace.find(own_lab, {})
    last = workspace.load_run("dusty-fox-6")
    node = last.nodes["fit"]
    for at, run_id in enumerate(("kkkkkkkkkkkk", "llllllllllll")):
        paths = [f"sq/{item}" for item in range(8)]
        nodes = {path: node._replace(path=path, output=node.output._replace(digest=f"{path}{at}")) for path in paths}
        metrics = {f"{path}/v": Metric(name=f"{path}/v", last=float(at + item)) for item, path in enumerate(paths)}
        summary = replace(last.summary, id=RunId(run_id), name=f"wide-{at}", started=NOW - 9.0 + at)
        workspace.journal.append(replace(last, summary=summary, nodes=nodes, metrics=metrics, ended=float(NOW)), {})
    workspace.close()

    async def body():
        async with drive(own_lab, (150, 40)) as ui:
            await ui.press("home", "d", "3")
            assert "sq/*/v" in ui.text
            assert "sq/3/v" not in ui.text
            await ui.press("5")
            assert "8 outputs, 8 differ" in ui.text
            await ui.press("comma", "i")
            assert "8 outputs" not in ui.text
            await ui.press("3")
            assert "sq/3/v" in ui.text
            await ui.press("escape", "home", "space", "space", "c")
            assert "sq/*/v" in ui.text
            await ui.press("comma", "i")
            assert "sq/3/v" in ui.text

    run(body)


@pytest.mark.slow
def test_hints_stand_where_they_are_missed(lab):
    """A narrow list names the key of its preview; d behind a failed run says how to take another; what was said of a tab goes with it; a plot names its keys."""

    async def body():
        async with drive(lab, (80, 24)) as ui:
            assert "0 preview" in ui.foot
            await ui.press("0")
            assert "0 preview" not in ui.foot
            await ui.press("0", "j", "d")
            assert "icy-owl-4 is failed: mark a run with space" in ui.foot
            await ui.press("2")
            assert "icy-owl-4" not in ui.foot
            await ui.press("escape", "L", "9")
            assert "the log of" not in ui.foot
            await ui.press("4", "tab")
            assert ui.foot.startswith("l crosshair")
            await ui.press("tab")
            assert "crosshair" not in ui.foot

    run(body)
