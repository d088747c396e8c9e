"""What keys start outside of the screen: a repository, a clean-up, the end of a run; and the questions that lead there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import run_git
from tests.tui.driving import drive, run

SLEEPER = """
import time
from finestflow import Pipeline, Task

class Nap(Task):
    def run(self) -> int:
        for at in range(600):
            print("napping", at, flush=True)
            time.sleep(0.1)
        return 1

class Sleeper(Pipeline):
    nap: Nap

    def __call__(self) -> int:
        return self.nap()
"""


@pytest.mark.slow
def test_a_run_that_is_going_on_is_stopped(own_lab):
    """X starts the command that stops it; the run ends as cancelled, and the list shows that."""
    (own_lab / "sleeper.py").write_text(SLEEPER)
    words = [sys.executable, "-m", "finestflow", "run", "sleeper.py:Sleeper", "--name", "long-nap-7"]
    process = subprocess.Popen(
        words, cwd=own_lab, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "1 live" in ui.lines[0], seconds=60)
            await ui.settle()
            await ui.press("home", "x")
            assert "still going on" in ui.foot
            await ui.press("X")
            assert "started: stop" in ui.foot
            await ui.until(lambda: "live" not in ui.lines[0] and "7 runs" in ui.lines[0], seconds=60)
            await ui.settle()
            assert "⊘  long-nap-7" in ui.text

    try:
        run(body)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


@pytest.mark.slow
def test_a_clean_up_is_done_when_its_word_is_typed(own_lab):
    """,G asks; another word does nothing, gc frees what nothing needs, and says so."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("end", "x", "g", "c", "comma", "G")
            assert "type gc to do it" in ui.text
            await ui.type("no")
            await ui.press("enter")
            assert not ui.app.processes
            await ui.press("comma", "G")
            await ui.type("gc")
            await ui.press("enter")
            assert "started: clean-up" in ui.foot
            await ui.until(lambda: "clean-up: " in ui.foot, seconds=60)
            assert "dropped 1 run" in ui.foot

    run(body)


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c", "ctrl+q"])
def test_a_place_without_a_repository_is_left_with_each_of_its_keys(tmp_path, key):
    (tmp_path / "place").mkdir()

    async def body():
        async with drive(tmp_path / "place", state_path_in=tmp_path) as ui:
            await ui.press(key)
            assert ui.app._exit

    run(body)


def test_i_makes_a_repository_where_there_is_none(tmp_path, monkeypatch):
    """The command that it names is run with the terminal lent to it, and the app is left."""
    place = tmp_path / "place"
    place.mkdir()

    async def body():
        async with drive(place, state_path_in=tmp_path) as ui:
            monkeypatch.setattr(ui.app, "run_outside", lambda words: run_git(place, words[1], "-q"))
            await ui.press("i")
            assert ui.app._exit

    run(body)
    assert (place / ".git").is_dir()


def test_entries_of_a_question_are_gone_through_with_keys(lab):
    """Down, up and pages move the choice, ^n and ^p too; enter takes the one that is chosen."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("?")
            view = ui.app.screen._view
            seen = []
            for key in ("down", "ctrl+n", "up", "ctrl+p", "pagedown", "pageup"):
                before = view.cursor
                await ui.press(key)
                seen.append(view.cursor - before)
            assert [each > 0 for each in seen] == [True, True, False, False, True, False]
            assert all(seen)
            await ui.press("escape", "comma", "t", "down", "enter")
            assert ui.app.theme == "finestflow-light"

    run(body)


def test_the_line_of_a_query_is_edited_as_in_a_shell(lab):
    """^a ^e go to its ends, ^w takes a word, ^u all before the cursor; up and down go through what was asked before, S-tab completes backwards."""

    async def body():
        async with drive(lab) as ui:
            for text in ("acc>0.95", "lr=0.3"):
                await ui.press("/", "ctrl+u")
                await ui.type(text)
                await ui.press("enter")
            await ui.press("/")
            line = ui.app.screen.input
            await ui.press("ctrl+u")
            assert line.value == ""
            await ui.press("up", "up")
            assert line.value == "acc>0.95"
            await ui.press("down")
            assert line.value == "lr=0.3"
            await ui.press("ctrl+a")
            await ui.type("is:ok ")
            assert line.value == "is:ok lr=0.3"
            await ui.press("ctrl+e", "ctrl+w")
            assert line.value == "is:ok lr=0."
            await ui.press("backspace")
            assert line.value == "is:ok lr=0"
            await ui.press("ctrl+u")
            await ui.type("status:")
            await ui.press("tab")
            first = line.value
            await ui.press("shift+tab")
            assert first != "status:"
            assert line.value != first

    run(body)
