"""The list of runs as a newcomer meets it: its first columns, what it says when it is empty, what is new, and what ``u`` takes back."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
from textual.events import Paste

from finestflow.model import RunId, RunStatus, RunSummary
from finestflow.workspace import Workspace
from finestflow_tui.history import GROUPS
from finestflow_tui.standing import Standing, head_spans
from finestflow_tui.views.runs import choose_columns, column_named
from finestflow_tui.views.save import dump_list
from tests.bench.tui_lab import build_list
from tests.tui.driving import drive, run
from tests.tui.test_keys import NEWEST, names


def summary(at: int, **more) -> RunSummary:
    """Make a run with many metrics, of which some params vary more than others."""
    made = RunSummary(
        id=RunId("klmnopqrstuv"),
        name=f"calm-wren-{at}",
        pipeline="train",
        status=RunStatus.OK,
        started=0.0,
        seconds=1.0,
        metrics={f"metric{each}": 0.5 for each in range(6)},
        params={"same": 1, "half": at % 2, "lr": at / 10},
    )
    return replace(made, **more)


def keys_of(ui) -> list[str]:
    """Return the keys of the columns, those at the side too."""
    return [column.key for column in ui.app.screen.table.columns]


def test_the_first_columns_are_headline_metrics_then_the_params_that_vary_most():
    columns = [column.key for column in choose_columns([summary(at) for at in range(4)], 0.0)]
    assert columns == [
        *("status", "name", "when", "took", "m.metric0", "m.metric1"),
        *("p.lr", "p.half", "m.metric2", "m.metric3", "m.metric4", "m.metric5"),
    ]


def test_metrics_that_tell_runs_apart_come_before_those_that_are_equal_in_all_of_them():
    runs = [summary(at, metrics={"epoch": 30, "loss": at / 7, "gap": at / 9}) for at in range(3)]
    columns = [column.key for column in choose_columns(runs, 0.0)]
    assert [key for key in columns if key.startswith("m.")] == ["m.loss", "m.gap", "m.epoch"]
    assert next(column.key for column in choose_columns(runs[:1], 0.0) if column.key.startswith("m.")) == "m.epoch"


def test_how_long_runs_took_gives_way_to_the_first_metric_and_param():
    """Where these would not be seen, the first columns are what tells most; where all have room, the order stays."""
    runs = [summary(at) for at in range(4)]
    wide = choose_columns(runs, 0.0, room=70)
    assert wide == choose_columns(runs, 0.0)
    narrow = [column.key for column in choose_columns(runs, 0.0, room=45)]
    assert narrow[:6] == ["status", "name", "when", "m.metric0", "p.lr", "took"]
    assert sorted(narrow) == sorted(column.key for column in wide)


@pytest.mark.slow
def test_a_metric_is_seen_with_a_param_at_100_columns_beside_the_preview(lab):
    async def body():
        async with drive(lab, (100, 24)) as ui:
            head = next(line for line in ui.lines if " name " in line)
            assert "acc" in head
            assert "fit.lr" in head

    run(body)


@pytest.mark.slow
def test_columns_are_chosen_once_there_are_runs(own_lab):
    """An index that is made anew has no runs at the first paint: what is told of them is chosen when it has."""
    for path in (own_lab / ".git" / "finestflow").glob("index.sqlite*"):
        path.unlink()

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "dusty-fox-6" in ui.text)
            await ui.settle()
            assert "m.report/acc" in keys_of(ui)
            assert "acc" in ui.lines[2]

    run(body)


@pytest.mark.slow
def test_the_place_in_the_list_outlives_a_restart(tmp_path):
    """The cursor is on its run and on its line again, also far below the first page."""
    many = build_list(tmp_path / "lab", 400)

    async def body():
        for at in (300, 120):
            async with drive(many) as ui:
                table = ui.app.screen.table
                table.put(at)
                table.scroll_to(y=at - 7, animate=False, immediate=True)
                await ui.settle()
                name = ui.app.screen.current_run().name
            async with drive(many, keeps=True) as ui:
                assert name in ui.cursor
                assert (ui.app.screen.table.cursor, ui.app.screen.table.line) == (at, 7)

    run(body)


@pytest.mark.slow
def test_a_run_opens_on_the_tab_that_was_chosen_last(lab):
    """The next run and the next start open it; a key that leads to a tab, such as L, chooses none."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("enter", "5", "escape", "L", "escape", "j", "enter")
            assert ui.app.screen.tab == "params"
        async with drive(lab, keeps=True) as ui:
            await ui.press("enter")
            assert ui.app.screen.tab == "params"

    run(body)


@pytest.mark.slow
def test_a_column_shows_how_a_metric_went(study):
    """It is chosen as any other, read for the rows that are seen, drawn behind its metric, sorted by the last value, and no part of a saved list."""

    async def body():
        async with drive(study, (160, 30)) as ui:
            table = ui.app.screen.table
            await ui.press("+")
            await ui.type("c.fit/loss")
            await ui.press("enter")
            keys = keys_of(ui)
            assert keys.index("c.fit/loss") == keys.index("m.fit/loss") + 1
            assert " ~loss" in ui.lines[2]
            assert table.current_column.key == "c.fit/loss"
            await ui.until(lambda: sum("▁" in line for line in ui.lines[3:9]) == 4)
            await ui.press("s")
            assert ui.app.state.sorts == ["-m.fit/loss"]
            await ui.press("f")
            assert "no query can tell" in ui.foot
            assert column_named("courses.fit/loss", [], 0.0) == table.current_column
            assert "c.fit" not in dump_list([ui.app.screen.current_run()], table.columns, ".csv")

    run(body)


@pytest.mark.slow
def test_a_number_with_many_values_is_grouped_by_ranges(lab, tmp_path):
    """B on a metric makes ranges of about as many runs, with mean, deviation and best; within each the order of the list holds."""
    shutil.copytree(lab, tmp_path / "models")
    many = build_list(tmp_path / "lab", 80)

    async def body():
        async with drive(many, (160, 60)) as ui:
            table = ui.app.screen.table
            while table.current_column.key != "m.m0":
                await ui.press("l")
            await ui.press("b")
            heads = [line.split("  best")[0] for line in ui.lines if "▾ m0=" in line]
            assert "10 runs" in heads[0]
            assert "…" in heads[0]
            history = ui.app.history
            groups = list(history.page(each for each in table.order if each <= GROUPS).values())
            assert len(groups) == 8
            assert all(before.value.high <= after.value.low for before, after in pairwise(groups))
            at = [place for place, number in enumerate(table.order) if number <= GROUPS]
            own = [history.find(number) for number in table.order[at[0] + 1 : at[1]]]
            assert all(groups[0].value.low <= each.metrics["m0"] <= groups[0].value.high for each in own)
            assert [each.started for each in own] == sorted((each.started for each in own), reverse=True)

    run(body)


def test_the_heading_of_a_group_names_the_letter_of_its_best_run(lab):
    """While that run is marked, in whichever group it is, folded or not."""

    async def body():
        async with drive(lab, (120, 40)) as ui:
            while ui.app.screen.table.current_column.key != "p.fit.epochs":
                await ui.press("l")
            await ui.press("b", "home", "down")
            assert "calm-wren-5" in ui.cursor
            await ui.press("space", "space")
            head = next(line for line in ui.lines if "▾ fit.epochs=20" in line)
            assert "best 0.958 A   loss" in head
            await ui.press("home", "enter")
            assert "▸ fit.epochs=20   5 runs   acc 0.95176 ±0.0051 best 0.958 A" in ui.text
            await ui.press("M")
            assert "best 0.958   loss" in ui.text
            history, means = ui.app.history, ui.app.screen._means
            shown = history.untold(ui.app.screen.table.order[:1], means)
            history.order("", ("-started",), "p.fit.epochs")
            assert (
                history.untold(ui.app.screen.table.order[:1], means) == shown == []
            )  # what is known is not read again
            assert history.untold(ui.app.screen.table.order[:1], ("m.acc",))

    run(body)


def test_a_param_is_seen_at_80_columns_and_more_columns_are_told_of(lab):
    """The heading ends with how many columns lie to the right, and begins with how many lie to the left."""

    async def body():
        async with drive(lab, (80, 24)) as ui:
            head = next(line for line in ui.lines if " name " in line)
            assert "fit.lr" in head
            assert head.endswith("›3")
            for _ in range(8):
                await ui.press("l")
            head = next(line for line in ui.lines if " name " in line)
            assert head.startswith("‹")
            assert "›" not in head

    run(body)


def test_a_text_too_long_for_a_query_is_not_pasted(lab):
    """What would be parsed anew at each letter after it leaves the line as it was."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("/")
            await ui.type("zz")
            ui.app.focused.post_message(Paste("ab" * 100_000))
            await ui.settle()
            assert ui.app.focused.value == "zz"

    run(body)


def test_an_empty_list_says_why_and_the_way_out(lab):
    """A query that finds nothing and the live runs when there are none; columns to the side are in sight again afterwards."""

    async def body():
        async with drive(lab) as ui:
            for _ in range(8):
                await ui.press("l")
            await ui.press("/")
            await ui.type("zzz")
            assert "no run matches 'zzz' · esc clears the filter" in ui.text
            await ui.press("enter")
            assert "no run matches 'zzz' · esc clears the filter" in ui.text
            assert " when" in next(line for line in ui.lines if " name " in line)
            await ui.press("escape")
            assert names(ui) == NEWEST
            await ui.press("g", "l")
            assert "no run is going on · gr all runs" in ui.text
            await ui.press("g", "r")
            assert names(ui) == NEWEST

    run(body)


def test_u_takes_back_edits_of_the_view_and_annotations_in_the_order_in_which_they_were_made(own_lab):
    """A star, a hidden column, a pin and an order: each u takes the latest back, ctrl+r makes it again."""

    async def body():
        async with drive(own_lab, (160, 30)) as ui:
            await ui.press("j", ".")
            assert "calm-wren-5 ★" in ui.text
            await ui.press("l", "-")
            assert "when" not in keys_of(ui)
            await ui.press("G", "p")
            assert names(ui)[0] == "baseline-1"
            await ui.press("l", "s")
            assert ui.app.state.sorts != ["-started"]
            await ui.press("u")
            assert ui.app.state.sorts == ["-started"]
            assert "took back: the order" in ui.foot
            await ui.press("u")
            assert names(ui)[0] == "dusty-fox-6"
            await ui.press("u")
            assert "when" in keys_of(ui)
            assert "calm-wren-5 ★" in ui.text
            await ui.press("ctrl+r")
            assert "when" not in keys_of(ui)
            await ui.press("u", "u")
            assert "calm-wren-5 ★" not in ui.text
            assert "when" in keys_of(ui)

    run(body)


def test_runs_are_new_once_and_until_the_top_is_seen(own_lab):
    """A run that is deleted and brought back is not new; one that comes is, whatever the list is sorted by, until gg."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("j", "x", "u")
            assert "new ↑" not in ui.text
            table = ui.app.screen.table
            while table.current_column.key != "m.report/acc":
                await ui.press("l")
            await ui.press("s", "G")
            workspace = Workspace.find(own_lab, dict(ui.app.environ))
            found = workspace.load_run(workspace.resolve("calm-wren-5"))
            for at in range(2):
                copy = replace(found.summary, id=RunId("klmnopqrstu" + "kl"[at]), name=f"new-wren-{at}")
                workspace.journal.append(replace(found, summary=copy))
            workspace.refresh()
            workspace.close()
            await ui.until(lambda: "2 new ↑" in ui.text)
            await ui.press("x")
            await ui.until(lambda: "7 runs" in ui.lines[0])
            await ui.press("u")
            await ui.until(lambda: "8 runs" in ui.lines[0])
            assert "2 new ↑" in ui.text
            await ui.press("g", "g")
            assert "new ↑" not in ui.text

    run(body)


def test_the_command_of_an_order_has_both_keys_and_quotes_the_query(lab):
    async def body():
        async with drive(lab) as ui:
            await ui.press("/")
            await ui.type("acc>0")
            await ui.press("enter", "l", "s", "l", "S")
            assert ui.app.commands[-1] == "finestflow log 'acc>0' --sort started,-seconds"

    run(body)


@pytest.mark.parametrize("key", ["took", "when", "name"])
def test_what_each_run_has_of_its_own_is_no_group(lab, key):
    async def body():
        async with drive(lab) as ui:
            table = ui.app.screen.table
            while table.current_column.key != key:
                await ui.press("l")
            await ui.press("b")
            assert f"no two runs have the same '{key}'" in ui.foot
            assert names(ui) == NEWEST

    run(body)


def test_the_head_says_how_the_repository_stands(own_lab):
    """The branch with changed files, what the store holds and how many runs are deleted, once it was looked at."""

    async def body():
        async with drive(own_lab, (200, 30)) as ui:
            assert "main" not in ui.lines[0]
            await ui.press("x")
            ui.app.screen.measure()
            await ui.settle()
            assert re.search(r" main ±1 +5 runs · cache \d+ kB · trash 1$", ui.lines[0]), ui.lines[0]
            await ui.press("u")
            ui.app.screen.measure()
            await ui.settle()
            assert "trash" not in ui.lines[0]

    run(body)


def test_a_long_place_gives_way_to_how_many_runs_there_are():
    left, right = [(" finestflow ", "title"), (" /a/very/long/place/of/a/lab", "bold")], [("5 runs", "")]
    for columns in range(24, 60):
        line = "".join(text for text, _ in head_spans(left, right, Standing("main", 3), columns))
        assert line.startswith(" finestflow ")
        assert line.rstrip().endswith(" 5 runs"), columns
        assert len(line) == columns


def test_a_narrow_head_drops_the_trash_first_and_the_branch_last():
    left, right, standing = [(" finestflow  ~/lab", "")], [("5 runs", "")], Standing("main", 3, 18_400_000_000, 3)
    lines = ["".join(text for text, _ in head_spans(left, right, standing, columns)) for columns in (70, 60, 40, 30)]
    assert [len(line) for line in lines] == [70, 60, 40, 30]
    assert lines[0].startswith(" finestflow  ~/lab  main ±3  ")
    assert [re.sub("  +", "|", line) for line in lines] == [
        " finestflow|~/lab|main ±3|5 runs · cache 18.4 GB · trash 3 ",
        " finestflow|~/lab|main ±3|5 runs · cache 18.4 GB ",
        " finestflow|~/lab|main ±3|5 runs ",
        " finestflow|~/lab|5 runs ",
    ]
