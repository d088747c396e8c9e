"""Every key, by what changes on the screen."""

from __future__ import annotations

import re

import pytest
from textual import events

from finestflow.workspace import Workspace
from finestflow_tui.keys import key_named
from tests.sampling import slow
from tests.tui.driving import drive, run

NEWEST = ["dusty-fox-6", "calm-wren-5", "icy-owl-4", "brisk-lynx-3", "baseline-again-2", "baseline-1"]


def names(ui) -> list[str]:
    """Return the names in the list, from the top."""
    return re.findall(r"(?:●|✗|⊘|◐)\s+([a-z]+(?:-[a-z]+)*-\d+) ", ui.text.split("since the run before")[0])


@pytest.mark.slow
def test_moving_in_the_list(lab):
    """J k arrows G home gg, half pages and pages move the cursor; h and l the column; { } 0 and tab arrange the panes."""

    async def body():
        async with drive(lab) as ui:
            assert names(ui) == NEWEST
            assert "dusty-fox-6" in ui.cursor
            for key, name in (
                ("j", "calm-wren-5"),
                ("down", "icy-owl-4"),
                ("k", "calm-wren-5"),
                ("up", "dusty-fox-6"),
                ("G", "baseline-1"),
            ):
                await ui.press(key)
                assert name in ui.cursor, key
            for key, name in (
                ("home", "dusty-fox-6"),
                ("end", "baseline-1"),
                ("pageup", "dusty-fox-6"),
                ("pagedown", "baseline-1"),
                ("ctrl+u", "dusty-fox-6"),
                ("ctrl+d", "baseline-1"),
            ):
                await ui.press(key)
                assert name in ui.cursor, key
            await ui.press("g", "g")
            assert "dusty-fox-6" in ui.cursor
            table = ui.app.screen.table
            await ui.press("l")
            assert table.current_column.key == "when"
            await ui.press("right", "h", "left")
            assert table.current_column.key == "name"
            assert "since the run before" in ui.text
            await ui.press("0")
            assert "since the run before" not in ui.text
            await ui.press("0")
            wide = ui.app.screen.aside.outer_size.width
            await ui.press("{")
            assert ui.app.screen.aside.outer_size.width == wide + 4
            await ui.press("}", "tab")
            assert ui.app.focused is ui.app.screen.aside
            await ui.press("shift+tab")
            assert ui.app.focused is table
            await ui.press("z")
            assert ui.app.screen.maximized is table
            await ui.press("z")

    run(body)


@pytest.mark.slow
def test_filter_sort_and_group(lab):
    """/ filters while typing, tab completes, escape restores; s sorts, S adds a key, b groups, enter folds, f and F write queries."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("/")
            await ui.type("status:fa")
            await ui.press("tab", "enter")
            assert names(ui) == ["icy-owl-4"]
            assert "1 of 6" in ui.text
            await ui.press("/", "escape")
            assert names(ui) == ["icy-owl-4"]
            await ui.press("escape")
            assert names(ui) == NEWEST
            await ui.press("/")
            await ui.type("bacth>2")
            assert any(line.startswith(" bacth>2  ") for line in ui.lines[2:5])
            await ui.press("escape", "/", "up")
            assert ui.app.screen.input.value == "status:failed"
            await ui.press("escape")
            assert names(ui) == NEWEST
            while ui.app.screen.table.current_column.key != "m.report/acc":
                await ui.press("l")
            await ui.press("s")
            assert names(ui)[0] == "dusty-fox-6"
            assert "sort report/acc▼" in ui.text
            await ui.press("s")
            assert names(ui)[0] == "brisk-lynx-3"
            await ui.press("h", "S")
            assert "took▼" in ui.text or "seconds▼" in ui.text
            while ui.app.screen.table.current_column.key != "p.fit.lr":
                await ui.press("l")
            await ui.press("s", "b")
            assert "▾ fit.lr=0.3   2 runs" in ui.text
            await ui.press("home", "enter")
            assert "▸ fit.lr=" in ui.text
            await ui.press("b", "home", "f")
            assert ui.app.state.query == "p.fit.lr=9.0"
            await ui.press("escape", "home", "F")
            assert "icy-owl-4" not in names(ui)
            await ui.press("escape")

    run(body)


@pytest.mark.slow
def test_columns(lab):
    """- hides a column, + brings it back, > moves it, = shows params that are equal everywhere; p pins, gv lists views."""

    async def body():
        async with drive(lab, (160, 30)) as ui:
            while ui.app.screen.table.current_column.key != "m.fit/loss":
                await ui.press("l")
            assert "loss" in ui.lines[2]
            await ui.press("-")
            assert "loss" not in ui.lines[2]
            await ui.press("+")
            await ui.type("fit/loss")
            await ui.press("enter")
            assert "loss" in ui.lines[2]
            await ui.press("home", "l", "<")
            assert "clean.threshold" not in ui.lines[2]
            await ui.press("=")
            assert "p.clean.threshold" in [column.key for column in ui.app.screen.table.columns]
            assert "›" in ui.lines[2]
            await ui.press("=")
            await ui.press("G", "p")
            assert names(ui)[0] == "baseline-1"
            await ui.press("p")
            assert names(ui) == NEWEST
            await ui.press("comma", "s")
            await ui.type("mine")
            await ui.press("enter", "g", "v")
            assert "mine" in ui.text
            await ui.press("enter")

    run(body)


@pytest.mark.slow
def test_marks(lab):
    """Space marks with letters, * and ~ and M change all marks, u brings marks back, shift+arrows mark on the way."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("space", "space")
            assert sorted(ui.app.state.marks.values()) == ["A", "B"]
            assert "2 marked" in ui.text
            await ui.press("M")
            assert not ui.app.state.marks
            await ui.press("u")
            assert len(ui.app.state.marks) == 2
            await ui.press("~")
            assert len(ui.app.state.marks) == 4
            await ui.press("*")
            assert len(ui.app.state.marks) == 6
            await ui.press("M", "home", "shift+down", "shift+down", "shift+up")
            assert len(ui.app.state.marks) == 3
            await ui.press("d")
            assert "c compares them all" in ui.foot

    run(body)


@pytest.mark.slow
def test_annotations_and_their_undo(own_lab):
    """. stars, t tags, m notes, x deletes, u takes back, ctrl+r does again, the trash brings back; a second clone of the app sees all of it."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("j", ".")
            assert "starred calm-wren-5" in ui.foot
            assert "★" in ui.text
            await ui.press("x")
            assert "is starred" in ui.foot
            await ui.press("u")
            assert "★" not in ui.text
            await ui.press("ctrl+r")
            assert "★" in ui.text
            await ui.press("j", "t")
            await ui.type("wip bad")
            await ui.press("enter")
            assert "#bad #wip" in ui.text
            await ui.press("t")
            await ui.type("-bad")
            await ui.press("enter")
            assert "#bad" not in ui.text
            await ui.press("m")
            await ui.type("too fast")
            await ui.press("enter")
            assert "too fast" in ui.text
            await ui.press("x")
            assert "icy-owl-4" not in names(ui)
            assert "deleted icy-owl-4" in ui.foot
            await ui.press("g", "t")
            assert "icy-owl-4" in ui.text
            await ui.press("enter")
            assert "nothing is deleted" in ui.text
            await ui.press("escape", "@")
            assert "finestflow rm icy-owl-4" in ui.text
            await ui.press("escape")
            assert names(ui) == NEWEST
        workspace = Workspace.find(own_lab, dict(ui.app.environ))
        workspace.refresh()
        assert workspace.resolve("icy-owl-4").note == "too fast"
        assert workspace.resolve("calm-wren-5").star
        workspace.close()

    run(body)


@pytest.mark.slow
def test_one_run(lab):
    """Enter opens a run; numbers open tabs; [ ] go to its neighbours on the same tab; w L v f / n do what they say."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("enter")
            assert "score ×5" in ui.text
            assert "saved  0.2s" in ui.text
            assert ui.lines[0].endswith("  saved 0.5s  run 1 of 6")
            await ui.press("j", "w")
            assert ui.foot.startswith("clean: same code") or ui.foot.startswith("fit:")
            await ui.press("home", "j", "j", "j", "enter")
            assert "score[4]" in ui.text
            await ui.press("enter", "2")
            assert "╭" in ui.text
            upright = ui.text
            await ui.press("v")
            assert ui.text != upright
            await ui.press("l", "j", "3")
            assert "fit   │ epoch  0" in ui.text
            await ui.press("/")
            await ui.type("epoch 29")
            await ui.press("enter", "n", "N")
            assert "epoch 29" in ui.text
            await ui.press("f")
            await ui.type("load")
            await ui.press("enter")
            assert "loading 40 numbers" in ui.text
            assert "epoch" not in ui.text
            await ui.press("4")
            assert "fit/loss" in ui.text
            assert "┤" in ui.text
            await ui.press("v")
            assert "(log y)" in ui.text
            await ui.press("]")
            assert "calm-wren-5" in ui.lines[0]
            assert "run 2 of 6" in ui.lines[0]
            await ui.press("5")
            assert "clean.threshold" in ui.text
            await ui.press("6")
            assert "[" in ui.text
            await ui.press("7")
            assert "M train.py" in ui.text
            await ui.press("8")
            assert "numpy" in ui.text
            await ui.press("9")
            assert "report = result" in ui.text
            await ui.press("[", "1", "L")
            assert "dusty-fox-6" in ui.lines[0]
            assert "loading" in ui.text
            await ui.press("P")
            assert "┤" in ui.text
            await ui.press("escape")
            assert names(ui) == NEWEST
            await ui.press("L")
            assert "3 Logs" in ui.text
            await ui.press("q", "P", "q", "w")
            assert "score ×5" in ui.text

    run(body)


@pytest.mark.slow
def test_differences(lab):
    """D compares with the run before, or marks; tabs, v, n, ] and ,s work; an identical pair says so."""

    async def body():
        async with drive(lab, (160, 40)) as ui:
            await ui.press("j", "space", "k", "k", "d")
            assert "A calm-wren-5" in ui.lines[0] or "calm-wren-5" in ui.lines[0]
            assert "Params 2" in ui.text
            await ui.press("escape", "M", "home", "j", "d")
            assert "icy-owl-4" in ui.lines[0]
            assert "M train.py" in ui.text
            await ui.press("]")
            assert "sorted(x for x in numbers" in ui.text
            split = ui.text
            await ui.press("v")
            assert ui.text != split
            assert "+ " in ui.text
            await ui.press("n", "[", "w")
            assert "changed `train.Clean.run`" in ui.text
            await ui.press("6")
            assert "~ fit" in ui.text or "+ score" in ui.text
            await ui.press("7")
            assert "the first line that differs" in ui.text
            await ui.press("2")
            assert "fit.lr" in ui.text
            await ui.press("4")
            assert "nothing differs" in ui.text
            await ui.press("comma", "s")
            assert ui.lines[0].index("calm-wren-5") < ui.lines[0].index("icy-owl-4")
            await ui.press("escape", "G", "d")
            assert "is the first of its pipeline" in ui.foot

    run(body)


@pytest.mark.slow
def test_comparison(lab):
    """C puts marked runs side by side; = shows what is equal, s sorts runs by a row, > turns them, d and enter go on."""

    async def body():
        async with drive(lab, (140, 40)) as ui:
            await ui.press("c")
            assert "c needs two runs" in ui.foot
            await ui.press("space", "space", "j", "space", "c")
            assert "3 runs side by side" in ui.text
            assert "★" in ui.text
            assert "equal row" in ui.text
            await ui.press("=")
            assert "equal row" not in ui.text
            await ui.press("=", "home", "s")
            first = ui.app.screen.summaries[0].name
            await ui.press(">")
            assert ui.app.screen.summaries[0].name != first
            await ui.press("v", "0", "0", "d")
            assert "1 Code" in ui.text
            await ui.press("escape", "enter")
            assert "1 Tasks" in ui.text

    run(body)


@pytest.mark.slow
def test_help_palette_jump_labels_and_themes(lab):
    """? lists keys and does them, ctrl+p and : find things, ' puts letters on rows, themes change, y copies."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("?")
            assert "keys of this screen" in ui.text
            await ui.type("wide")
            await ui.press("escape", "?")
            await ui.type("first row")
            await ui.press("enter", "ctrl+p")
            await ui.type("brisk")
            assert "run brisk-lynx-3" in ui.text
            await ui.press("enter")
            assert "brisk-lynx-3" in ui.lines[0]
            await ui.press("escape", ":")
            await ui.type(":cache")
            await ui.press("enter")
            assert "cache and disk" in ui.lines[0]
            await ui.press("s")
            assert "cost▼" in ui.text
            await ui.press("comma", "v")
            assert "nothing is damaged" in ui.text
            await ui.press("comma", "g")
            assert "nothing has happened yet" in ui.text
            await ui.press("g", "r", "'")
            assert "a letter goes there" in ui.text
            assert next(line for line in ui.lines if "icy-owl-4" in line).startswith("d")
            await ui.press("d")
            assert "icy-owl-4" in ui.cursor
            await ui.press("y", "y")
            assert ui.app.clipboard == ui.app.screen.current_run().id
            await ui.press("y", "p")
            assert '"fit.lr" = 9.0' in ui.app.clipboard
            await ui.press("y", "m", "y", "d", "y", "k")
            assert ui.app.clipboard.startswith("finestflow")
            await ui.press("comma", "t")
            await ui.type("light")
            await ui.press("enter")
            assert ui.app.theme.endswith("light")
            await ui.press("ctrl+l")
            assert "up to date" in ui.foot

    run(body)


def test_saving(own_lab):
    """E writes the list as csv, Markdown or JSON."""

    async def body():
        async with drive(own_lab) as ui:
            for name in ("runs.csv", "runs.md", "runs.json"):
                await ui.press("E")
                ui.app.screen.query_one("Input").value = name
                await ui.press("enter")
                assert f"wrote {name}" in ui.foot
        assert (own_lab / "runs.csv").read_text().splitlines()[1].startswith(
            "zypplswvyptm,ok,dusty-fox-6"
        ) or "dusty-fox-6" in (own_lab / "runs.csv").read_text()
        assert "| dusty-fox-6 |" in (own_lab / "runs.md").read_text()
        assert '"m.report/acc": 0.98' in (own_lab / "runs.json").read_text()

    run(body)


def test_nothing_is_changed_when_it_is_read_only(lab):
    """With --read-only verbs say why they do nothing."""

    async def body():
        async with drive(lab, read_only=True) as ui:
            assert "read-only" in ui.lines[0]
            for key in (".", "t", "m", "x", "r", "R", "X", "W", "u", "ctrl+r"):
                await ui.press(key)
                assert "read-only" in ui.foot, key

    run(body)


def test_keys_can_be_changed_in_the_settings(own_lab):
    """[tui.keys] gives an action another key, and the footer says so; what names no key, or is none, is told of."""
    with (own_lab / ".finestflow.toml").open("a") as file:
        file.write('\n[tui.keys]\nsort = "o"\nsotr = "z"\ndiff = 5\n')

    async def body():
        async with drive(own_lab) as ui:
            assert ui.foot == "[tui.keys] names no key: sotr, diff · the docs list their ids"
            await ui.press("l", "o")
            ui.app.screen.hush()
            await ui.settle()
            assert ui.app.state.sorts == ["started"]
            assert "o sort" in ui.foot

    assert key_named("sort").keys == "s"
    run(body)


@pytest.mark.parametrize("opens", ["d", *slow(["c"])])
def test_a_screen_may_be_opened_and_closed_blind(lab, opens):
    """A q behind the key that opens a screen closes that screen; it does not leave the app, nor go ahead of the other."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("space", "space")
            for key in (opens, "q", "M"):
                event = events.Key(key, key)
                event.set_sender(ui.app)
                ui.app._driver.send_message(event)
            await ui.until(lambda: not ui.app.state.marks)
            await ui.settle()
            assert ui.app.screen.NAME == "runs"

    run(body)
