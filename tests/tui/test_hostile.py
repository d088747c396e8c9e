"""Names, values and paths that nobody would choose: nothing of them breaks a screen, a command that is shown, or the app."""

from __future__ import annotations

import contextlib
import math
import os
import shutil

import pytest

from finestflow.goals import GUESSED
from finestflow.model import Run
from finestflow_tui.screens.choose import rank
from finestflow_tui.text import file_stem, trouble, word_for_shell
from finestflow_tui.views.reproduce import ending_text
from finestflow_tui.views.runs import better, moved
from tests.tui.driving import drive, run
from tests.tui.test_states import begin


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("calm-wren-5", "calm-wren-5"),
        ("it's mine", "'it'\"'\"'s mine'"),
        ("-dash", "abcd"),
        ("turned\u202eround", "abcd"),
        ("n" * 5000, "abcd"),
    ],
)
def test_a_command_names_a_run_so_that_it_can_be_pasted(name, word):
    """By its name, quoted where a shell wants it; by its id where the name cannot be typed."""
    assert word_for_shell(name, "abcd") == word


@pytest.mark.parametrize(("name", "stem"), [("a/b\x1b[31m c", "a-b-c"), ("../..", "run"), ("größe-1.5", "größe-1.5")])
def test_files_are_called_after_runs_without_what_a_path_would_mean(name, stem):
    assert file_stem(name) == stem
    assert len(file_stem("n" * 5000)) <= 80


def test_what_goes_wrong_with_a_file_is_told_in_words():
    assert trouble(FileNotFoundError(2, "No such file or directory", "a\x1b[2Jb")) == "no such file or directory: 'ab'"
    assert trouble(OSError("odd")) == "odd"


@pytest.mark.slow
def test_notes_and_tags_hold_braces_and_quotes(own_lab):
    """The commands that are listed for them can be pasted."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("m")
            await ui.type("a {b} it's [red] {}")
            await ui.press("enter")
            assert "noted dusty-fox-6" in ui.foot
            await ui.press("t")
            await ui.type("{x}'y")
            await ui.press("enter")
            assert "tagged {x}'y" in ui.foot
            assert ui.app.commands[-2:] == [
                "finestflow note dusty-fox-6 'slowera {b} it'\"'\"'s [red] {}'",
                "finestflow tag dusty-fox-6 '{x}'\"'\"'y'",
            ]

    run(body)


def test_a_metric_that_is_no_number_has_not_moved():
    assert not moved(math.nan, math.nan)
    assert moved(math.nan, 0.5)
    assert moved(0.5, 0.25)
    assert better("loss", math.nan, 0.5, GUESSED) == ("", "")


def test_a_wrong_word_chooses_nothing():
    """Letters that stand anywhere in a sentence are chance: `:bogus` is not undo."""
    assert rank("bogus", "undo  u  Take the last change back: star, tag, note, delete, restore, groups") is None
    assert rank("rpr", "reproduce") is not None


def test_a_command_that_failed_ends_with_its_reason():
    """Not with the hint below it."""
    told = "finestflow: error: '/x' is not empty\nhint: name another folder\n"
    assert ending_text(told, 2) == "'/x' is not empty"


def test_values_with_an_open_quote_start_nothing(lab):
    async def body():
        async with drive(lab) as ui:
            await ui.press("R")
            await ui.type(" x='open")
            await ui.press("enter")
            assert "nothing was started: no closing quotation" in ui.foot
            assert not ui.app.processes

    run(body)


def test_a_run_anew_takes_over_what_was_not_changed(lab, monkeypatch):
    """Inputs are offered like params; only what was changed is given again, so that a value that a line cannot show stays as it is."""

    async def body():
        async with drive(lab) as ui:
            started = []
            monkeypatch.setattr(type(ui.app), "start_process", lambda _, words, said: started.append((words, said)))
            await ui.press("R")
            line = ui.app.screen.query_one("Input")
            assert "fit.lr=0.05" in line.value
            assert "n=40" in line.value
            line.value = line.value.replace("n=40", "n=41")
            await ui.press("enter")
            whole = ui.app.history.load(ui.app.screen.current_run())
            assert isinstance(whole, Run)
            assert started == [(["run", "--config", whole.summary.id, "-p", "n=41"], "run n=41")]

    run(body)


@pytest.mark.slow
def test_a_file_that_cannot_be_written_ends_nothing(own_lab):
    """Neither a folder that is not there, nor a file that is: it stays as it was."""
    (own_lab / "mine.txt").write_text("mine")

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("enter", "5")
            nowhere = "no such file or directory"
            for name, told in (("no/folder/x.txt", nowhere), ("~nobody/x.txt", nowhere), ("mine.txt", "file exists")):
                await ui.press("E")
                ui.app.screen.query_one("Input").value = name
                await ui.press("enter")
                assert told in ui.foot
            assert (own_lab / "mine.txt").read_text() == "mine"
            await ui.press("E")
            assert ui.app.screen.query_one("Input").value == "dusty-fox-6-params.txt"
            await ui.press("enter")
            assert "wrote dusty-fox-6-params.txt" in ui.foot
            assert "fit.lr" in (own_lab / "dusty-fox-6-params.txt").read_text()

    run(body)


def test_a_process_that_cannot_be_started_ends_nothing(own_lab):
    """Where it would write is a file: said at the foot, and the key works again."""
    shutil.rmtree(own_lab / ".git" / "finestflow" / "tui", ignore_errors=True)
    (own_lab / ".git" / "finestflow" / "tui").write_text("")

    async def body():
        async with drive(own_lab) as ui:
            live = begin(own_lab)
            await ui.until(lambda: "quick-wren-9" in ui.text)
            await ui.settle()
            await ui.press("home", "X")
            assert "file exists" in ui.foot
            live._close_files()

    run(body)


def test_where_no_display_is_the_foot_says_so(lab, tmp_path, monkeypatch):
    """The system's opener would be started, and show nothing."""
    opener = tmp_path / "xdg-open"
    opener.write_text("#!/bin/sh\n")
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)

    async def body():
        async with drive(lab) as ui:
            await ui.press("enter", "9", "o")
            assert "no display to open it on; E saves a copy" in ui.foot

    run(body)


def test_a_program_that_fails_in_the_terminal_is_told_of(lab, monkeypatch):
    async def body():
        async with drive(lab) as ui:
            monkeypatch.setattr(type(ui.app), "suspend", lambda _: contextlib.nullcontext())
            ui.app.run_outside(["false"])
            await ui.settle()
            assert "'false' ended with exit code 1" in ui.foot

    run(body)
