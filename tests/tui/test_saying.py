"""Small promises of keys: one that cannot act says why, one that is taken back leaves no trace."""

from __future__ import annotations

import os

import pytest

from tests.tui.driving import drive, run
from tests.tui.test_list import keys_of
from tests.tui.test_states import begin
from tests.tui.test_terminal import end, start


def test_a_key_that_cannot_act_says_why(lab):
    """- and < on the name, > on the last column, and M without marks, which leaves nothing for u to take back."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("home", "-")
            assert "the name is never hidden" in ui.foot
            await ui.press("<")
            assert "status and name stay first" in ui.foot
            await ui.press(*["l"] * len(keys_of(ui)), ">")
            assert "this is the last column" in ui.foot
            await ui.press("M")
            assert "no run is marked" in ui.foot
            assert not ui.app.state.done

    run(body)


def test_a_second_key_on_a_column_that_is_sorted_by_turns_it_round(lab):
    async def body():
        async with drive(lab) as ui:
            await ui.press("s", "l", "S")
            assert ui.app.state.sorts == ["name", "-started"]
            await ui.press("h", "S")
            assert ui.app.state.sorts == ["-name", "-started"]
            await ui.press("l", "S")
            assert ui.app.state.sorts == ["-name", "started"]

    run(body)


def test_u_behind_a_filter_brings_all_columns_back(lab):
    """The columns are those of the whole list, though few differ among the runs that the filter had left; a hidden one comes back there too."""

    async def body():
        async with drive(lab) as ui:
            columns = keys_of(ui)
            await ui.press("f", "u")
            assert keys_of(ui) == columns
            await ui.press("f", "l", "-", "u")
            assert keys_of(ui) == columns

    run(body)


@pytest.mark.slow
def test_yk_copies_the_command_of_the_screen(own_lab):
    """Of the list its query and order, of a run, a difference and a comparison the one that shows the same, whatever was done there before."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("x", "u", "y", "k")
            assert ui.app.clipboard == "finestflow log --sort -started"
            await ui.press("f", "y", "k")
            assert ui.app.clipboard == "finestflow log name:dusty-fox-6 --sort -started"
            await ui.press("escape", "d", "y", "k")
            assert ui.app.clipboard == "finestflow diff calm-wren-5 dusty-fox-6"
            await ui.press("escape", "enter", ".", "u", "y", "k")
            assert ui.app.clipboard == "finestflow show dusty-fox-6"
            await ui.press("escape", "space", "space", "c", "y", "k")
            assert ui.app.clipboard == "finestflow compare dusty-fox-6 calm-wren-5"

    run(body)


def test_ctrl_z_says_why_where_no_shell_has_started_it(lab):
    async def body():
        async with drive(lab) as ui:
            await ui.press("ctrl+z")
            assert "no shell has started this" in ui.foot

    run(body)


@pytest.mark.slow
def test_ctrl_z_in_a_terminal_without_a_shell_stops_nothing(own_lab):
    terminal = start(own_lab)
    terminal.wait_for(b"dusty-fox-6", limit=30)
    os.write(terminal.master, b"\x1a")
    terminal.wait_for(b"no shell has started this", limit=30)
    os.write(terminal.master, b"q")
    assert end(terminal)[0] == 0


@pytest.mark.parametrize("keys", [(), ("b",)])
def test_a_query_that_is_taken_back_leaves_the_cursor_where_it_was(lab, keys):
    """Also where another run, or none, was seen meanwhile, and in a list of groups."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("l", "l", "l", "l", "l", *keys, "j", "j", "j")
            before = ui.cursor
            assert "●" in before
            await ui.press("/")
            await ui.type("nothing has this name")
            await ui.until(lambda: "no run matches" in ui.text)
            await ui.press("escape")
            await ui.until(lambda: ui.cursor == before)
            assert "new ↑" not in ui.text

    run(body)


def test_the_foot_of_the_list_never_offers_to_go_back(lab):
    """Also when it was last written while another screen lay over it."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("enter")
            ui.app.screen_stack[0].hush()
            await ui.press("escape")
            assert "esc back" not in ui.foot
            assert "? keys" in ui.foot

    run(body)


def test_what_is_shown_in_place_of_the_values_of_the_cache_says_how_they_come_back(lab):
    async def body():
        async with drive(lab) as ui:
            await ui.press("g", "c")
            for option in ("g", "v"):
                await ui.press("comma", option)
                assert "^l brings the list back" in ui.text
                await ui.press("enter")
                assert "^l lists them" in ui.foot
                await ui.press("ctrl+l")
                assert "digest" in ui.text

    run(body)


def test_what_cannot_be_marked_says_why(own_lab):
    """A run that goes on, and the heading of a group."""

    async def body():
        async with drive(own_lab) as ui:
            live = begin(own_lab)
            await ui.until(lambda: "quick-wren-9" in ui.text)
            await ui.settle()
            await ui.press("home", "space")
            assert "'quick-wren-9' is still going on: it can be marked when it has ended" in ui.foot
            live._close_files()
            await ui.until(lambda: "✗  quick-wren-9" in ui.text)
            await ui.press(*["l"] * 5, "b")
            await ui.until(lambda: "▾" in ui.text)
            await ui.press("home", "space")
            assert "marks are for runs" in ui.foot
            assert not ui.app.state.marks

    run(body)
