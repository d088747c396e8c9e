"""Labs that are broken, and runs that say what nobody would: in every place that shows them, while the rest is of use."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace

import pytest

from finestflow.journal.live import LiveFolder
from finestflow.model import RunId
from finestflow.workspace import Workspace
from finestflow_tui.plain import iter_lines
from tests.tui.driving import drive, run
from tests.tui.test_states import STARTED
from tests.tui.test_views import ESCAPES, HOSTILE, hostile_run

pytestmark = pytest.mark.slow


@pytest.fixture
def hostile(own_lab):
    """A repository with two runs whose every word is hostile, and a third one that is going on."""
    workspace = Workspace.find(own_lab, {})
    last, made = workspace.load_run("dusty-fox-6"), hostile_run()
    for at, run_id in enumerate(("kkkkkkkkkkkk", "llllllllllll")):
        summary = replace(made.summary, id=RunId(run_id), started=STARTED - 100 + at)
        whole = replace(made, summary=summary, snapshot=last.snapshot, ended=STARTED - 50, argv=(HOSTILE,))
        workspace.journal.append(whole, {HOSTILE: HOSTILE.encode() * (at + 3), "": b"z" * 10_000_000})
    workspace.close()
    live = LiveFolder.create(own_lab / ".git" / "finestflow", RunId("zzzzzzzzzzzz"))
    told = {"e": "run", "id": "zzzzzzzzzzzz", "name": HOSTILE, "pipeline": HOSTILE, "started": STARTED}
    live.emit({**told, "params": {HOSTILE: HOSTILE}})
    live.emit({"e": "start", "path": HOSTILE, "task": HOSTILE, "t": STARTED})
    live.emit({"e": "metric", "node": HOSTILE, "name": HOSTILE, "value": 0.5, "step": 1, "t": STARTED})
    live.emit({"e": "progress", "node": HOSTILE, "done": 1, "total": 3, "text": HOSTILE, "t": STARTED})
    live.write_log("fit", f"{HOSTILE}\n{'y' * 10_000_000}\nthe end\n")
    yield own_lab
    live.close(remove=True)


PLACES = (
    ("", "+", "escape", "/", "x", "escape", "l", "l", "l", "l", "b", "b", "f", "escape", "escape", "?", "escape"),
    ("home", "enter", "2", "3", "G", "f", "escape", "4", "tab", "tab", "5", "9", "0", "m", "escape", "R", "escape"),
    ("home", "j", "t", "escape", "m", "escape", "R", "escape", "W", "escape", "E", "escape", "y", "escape", ":", "k"),
    (
        "escape",
        "home",
        "j",
        "enter",
        "3",
        "f",
        "escape",
        "comma",
        "l",
        "w",
        "E",
        "escape",
        "9",
        "E",
        "escape",
        "y",
        "k",
    ),
    ("escape", "home", "j", "space", "space", "c", "v", "v", "j", "E", "escape", "y", "k", "escape", "M"),
    ("home", "j", "d", "7", "j", "v", "E", "escape", "5", "j", "comma", "i", "y", "d", "@", "escape", "escape"),
    ("j", "r", "comma", "p", "escape", "escape", "comma", "s", "m", "enter", "g", "v", "escape", "j", ".", "x", "u"),
)
"""Walks through what shows the name of a run, a node, a param, a metric or a file in a question, in the live strip or at the foot."""


@pytest.mark.parametrize("size", [(80, 24), (160, 30)])
@pytest.mark.parametrize("keys", PLACES)
def test_hostile_words_stay_in_their_cells_in_questions_and_live_runs(hostile, keys, size):
    async def body():
        async with drive(hostile, size) as ui:
            await ui.until(lambda: "1 live" in ui.lines[0])
            for key in keys:
                await ui.press(*([key] if key else []))
                for strip in ui.strips:
                    assert sum(segment.cell_length for segment in strip) == size[0], key
                    assert not ESCAPES.search("".join(segment.text for segment in strip)), key
                assert "cannot be read" not in ui.text  # or nothing of it would have been shown
            assert not any(ESCAPES.search(command) for command in ui.app.commands)

    run(body)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("kkkkkkkkkkkk",),
        *[("kkkkkkkkkkkk", f":{tab}") for tab in ("graph", "logs", "metrics", "params", "code", "env", "outputs")],
        ("kkkkkkkkkkkk", "llllllllllll"),
        ("kkkkkkkkkkkk", "llllllllllll", "dusty-fox-6"),
        (":cache",),
        ("kkkkkkkkkkkk", ":reproduce"),
    ],
    ids=" ".join,
)
def test_hostile_words_are_printed_without_their_escapes(hostile, words, environ):
    workspace = Workspace.find(hostile, environ)
    workspace.refresh()
    lines = list(iter_lines(workspace, list(words)))
    workspace.close()
    assert lines
    assert not any(ESCAPES.search(line) for line in lines)


def test_outputs_that_are_gone_are_told_in_each_place(own_lab):
    """Of a run, of a difference, of the cache, and where one is to be saved; running it again is still offered."""
    shutil.rmtree(own_lab / ".git" / "finestflow" / "store")

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("enter", "9")
            assert "not in this store any more" in ui.text
            await ui.press("E", "enter")
            await ui.until(lambda: not ui.app.processes or ui.app.processes[0][0].poll() is not None)
            ui.app.reap()
            await ui.settle()
            assert "is not in this store" in ui.foot
            await ui.press("3")
            assert "epoch" in ui.text or "gone" in ui.text or "not in" in ui.text
            await ui.press("escape", "d", "5")
            assert "report" in ui.text
            await ui.press("escape", "g", "c")
            assert "0 values" in ui.text
            await ui.press("escape", "r")
            assert "what will happen" in ui.text

    run(body)


def test_while_the_index_is_locked_runs_are_looked_at_and_changes_are_told_of(own_lab):
    """Each screen opens; a change is made or said to be impossible, and is there once the lock is gone."""

    async def body():
        async with drive(own_lab) as ui:
            other = sqlite3.connect(own_lab / ".git" / "finestflow" / "index.sqlite")
            other.execute("BEGIN IMMEDIATE")
            for keys, seen in (
                (("j", "enter"), "1 Tasks"),
                (("escape", "d"), "1 Code"),
                (("escape", "g", "c"), "cache and disk"),
                (("escape", "g", "t"), "nothing is deleted"),
                (("escape", "/", "a", "c", "c", ">", "0", "enter"), "of 6"),
                (("escape",), "icy-owl-4"),
            ):
                await ui.press(*keys)
                assert seen in ui.text, keys
            ui._send(".")
            other.rollback()
            other.close()
            await ui.until(lambda: "starred dusty-fox-6" in ui.foot)

    run(body)


OPENINGS = {
    "runs": (),
    "run": ("enter",),
    "diff": ("j", "d"),
    "compare": ("space", "space", "c"),
    "cache": ("g", "c"),
    "trash": ("g", "t"),
    "reproduce": ("r",),
}


@pytest.mark.parametrize("where", OPENINGS)
def test_a_repository_that_goes_away_crashes_no_screen(own_lab, where):
    """Every key that reads or changes something is pressed on the screen that is open; nothing is lost but what is gone, and q leaves."""
    keys = "ctrl+l j ] n v 2 3 4 5 6 7 9 1 E enter . t x enter m z enter u ctrl+r d escape D escape comma g comma v s = L P w r enter escape"

    async def body():
        async with drive(own_lab) as ui:
            await ui.press(*OPENINGS[where])
            shutil.rmtree(own_lab)
            for key in keys.split():
                await ui.press(key)
                assert ui.app._exception is None, key
            while len(ui.app.screen_stack) > 1:
                await ui.press("escape")
            assert "calm-wren-5" in ui.text
            await ui.press("q")
            assert ui.app._exit

    run(body)


def test_what_a_live_run_tells_may_be_nonsense(own_lab):
    """Half a line, a number for a name, and what no version knows are passed over; the rest of it is shown."""
    live = LiveFolder.create(own_lab / ".git" / "finestflow", RunId("zzzzzzzzzzzz"))
    live.emit(
        {
            "e": "run",
            "id": "zzzzzzzzzzzz",
            "name": "quick-wren-9",
            "pipeline": "train",
            "started": STARTED,
            "params": {},
        }
    )
    path = next((own_lab / ".git" / "finestflow").rglob("zzzzzzzzzzzz/events*"))
    with path.open("a") as file:
        for line in ({"e": "later"}, {"e": "metric", "name": 3}, [1], "text", {"e": "start"}):
            file.write(json.dumps(line) + "\n")
        file.write('{"e": "metr')

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "quick-wren-9" in ui.text)
            await ui.press("home", "enter", "3", "4", "escape")
            assert "6 runs" in ui.lines[0] or "7 runs" in ui.lines[0]

    try:
        run(body)
    finally:
        live.close(remove=True)
