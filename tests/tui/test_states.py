"""What is shown where something is missing, damaged, going on or gone."""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import sqlite3
import subprocess

import pytest
from textual import events

from finestflow.journal.live import LiveFolder
from finestflow.model import RunId
from tests.conftest import run_git
from tests.sampling import slow
from tests.tui.driving import drive, run

STARTED = 1_767_609_990.0


def begin(folder, run_id="zzzzzzzzzzzz"):
    """Let a run begin in this process, as a runner tells it."""
    live = LiveFolder.create(folder / ".git" / "finestflow", RunId(run_id))
    live.emit(
        {
            "e": "run",
            "id": run_id,
            "name": "quick-wren-9",
            "pipeline": "train",
            "started": STARTED,
            "params": {"fit.lr": 0.2},
        }
    )
    live.emit({"e": "start", "path": "fit", "task": "train:Fit", "t": STARTED})
    return live


def damage(folder):
    """Add a run to the journal whose record cannot be read."""
    tip = run_git(folder, "rev-parse", "refs/finestflow")
    tree = run_git(folder, "mktree", stdin=b"")
    message = (
        run_git(folder, "log", "-1", "--format=%B", tip)
        .replace("dusty-fox-6", "bad-record-7")
        .replace("zypplswvyptm", "zzppzzvvyytt")
    )
    commit = run_git(folder, "commit-tree", tree, "-p", tip, stdin=message.encode())
    run_git(folder, "update-ref", "refs/refs/finestflow", commit, tip)


def test_an_empty_repository_says_how_to_make_a_run(tmp_path):
    run_git(tmp_path, "init", "-q")

    async def body():
        async with drive(tmp_path) as ui:
            assert "no runs yet" in ui.text
            assert "finestflow run tiny.py" in ui.text

    run(body)


def test_where_no_repository_is_it_says_so(tmp_path):
    async def body():
        async with drive_nowhere(tmp_path) as ui:
            assert "no git repository here" in ui.text
            assert "finestflow init" in ui.text
            await ui.press("q")

    run(body)


def drive_nowhere(folder):
    (folder / ".git").mkdir()
    shutil.rmtree(folder / ".git")
    return drive(folder, state_path_in=folder)


@pytest.mark.slow
def test_a_live_run_is_followed_and_does_not_move_the_cursor(own_lab):
    """It appears on top, its metrics and progress change, and when it is killed the journal takes it over."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("j", "j")
            row = ui.lines.index(ui.cursor)
            assert "icy-owl-4" in ui.cursor
            live = begin(own_lab)
            await ui.until(lambda: "1 live" in ui.text)
            await ui.settle()
            assert "icy-owl-4" in ui.cursor
            assert "quick-wren-9" in ui.lines[1]
            for step in range(3):
                live.emit(
                    {
                        "e": "metric",
                        "node": "fit",
                        "name": "loss",
                        "value": 1.0 / (step + 1),
                        "step": step,
                        "t": STARTED + step,
                    }
                )
            live.emit({"e": "progress", "node": "fit", "done": 7, "total": 20, "t": STARTED})
            live.write_log("fit", "still fitting\n")
            await ui.until(lambda: "7/20" in ui.text)
            assert "icy-owl-4" in ui.cursor
            assert re.search(r"7/20  eta 19s +loss 0.33333 █▃▁", ui.lines[1])
            await ui.press("home")
            live.emit({"e": "start", "path": "score", "task": "train:Score", "t": STARTED + 3})
            await ui.until(lambda: "◐ score" in ui.text)
            await ui.press("enter")
            assert "quick-wren-9" in ui.lines[0]
            assert "running 7/20  eta 19s" in ui.text
            await ui.press("3", "G")
            assert "still fitting" in ui.text
            live.write_log("fit", "and on\n")
            live.emit({"e": "progress", "node": "fit", "done": 8, "total": 20, "t": STARTED})
            await ui.until(lambda: "and on" in ui.text)
            await ui.press("escape")
            live._close_files()  # as the kernel does for a process that is killed
            await ui.until(lambda: " live" not in ui.lines[0] and "7 runs" in ui.lines[0])
            await ui.settle()
            assert "✗  quick-wren-9" in ui.cursor
            assert row

    run(body)


def test_runs_that_are_made_elsewhere_appear(own_lab):
    """Another process changes annotations: the screen shows it without a key."""

    async def body():
        from finestflow.workspace import Workspace

        async with drive(own_lab) as ui:
            workspace = Workspace.find(own_lab, dict(ui.app.environ))
            workspace.refresh()
            workspace.annotate(["calm-wren-5"], star=True)
            workspace.close()
            await ui.until(lambda: "★" in ui.text)

    run(body)


@pytest.mark.slow
def test_a_record_that_is_damaged_leaves_the_rest(own_lab):
    """The list shows the run; its screen says what is wrong; the others are fine."""
    damage(own_lab)

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "bad-record-7" in ui.text)
            await ui.settle()
            await ui.press("home")
            while "bad-record-7" not in ui.cursor:
                await ui.press("j")
            await ui.press("enter")
            assert "cannot be read" in ui.text
            await ui.press("escape", "j", "enter")
            assert "1 Tasks" in ui.text

    run(body)


def spoil(folder, name, run_id, change):
    """Append a copy of the newest record whose run.json is another one."""
    tip = run_git(folder, "rev-parse", "refs/finestflow")
    entries = run_git(folder, "ls-tree", f"{tip}:.finestflow").splitlines()
    about = change(run_git(folder, "show", f"{tip}:.finestflow/run.json")).encode()
    blob = run_git(folder, "hash-object", "-w", "--stdin", stdin=about)
    listed = [f"100644 blob {blob}\trun.json" if each.endswith("\trun.json") else each for each in entries]
    record = run_git(folder, "mktree", stdin="\n".join([*listed, ""]).encode())
    tree = run_git(folder, "mktree", stdin=f"040000 tree {record}\t.finestflow\n".encode())
    message = run_git(folder, "log", "-1", "--format=%B", tip)
    for old, new in (("Name: ", name), ("Run: ", run_id)):
        message = "\n".join(old + new if line.startswith(old) else line for line in message.split("\n"))
    commit = run_git(folder, "commit-tree", tree, "-p", tip, stdin=message.encode())
    run_git(folder, "update-ref", "refs/refs/finestflow", commit, tip)


@pytest.mark.slow
def test_records_that_cannot_be_read_are_marked_once_that_is_known(own_lab):
    """One that is cut, and one of a later format; each screen says why, and a comparison leaves them out."""
    spoil(own_lab, "cut-run-7", "zzppzzvvyytt", lambda text: text[: len(text) // 2])
    spoil(own_lab, "newer-run-8", "zzppzzvvyyss", lambda _: '{"format": 99, "id": "zzppzzvvyyss"}')

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "newer-run-8" in ui.text)
            await ui.settle()
            await ui.press("home")
            await ui.until(lambda: "?  newer-run-8" in ui.text)
            assert "upgrade finestflow" in ui.text
            await ui.press("j")
            await ui.until(lambda: "?  cut-run-7" in ui.text)
            for key in ("enter", "d", "D", "r"):
                await ui.press(key)
                assert "damaged" in ui.text
                await ui.press("escape")
            await ui.press("R")
            assert "damaged" in ui.foot
            await ui.press("space", "space", "space", "c")
            assert "1 record cannot be read" in ui.foot
            assert "2 runs side by side" in ui.lines[0]

    run(body)


def test_a_value_that_is_gone_is_told(own_lab):
    shutil.rmtree(own_lab / ".git" / "finestflow" / "store")

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("enter", "9")
            assert "gone" in ui.text
            assert "any more" in ui.text

    run(body)


@pytest.mark.slow
def test_a_damaged_index_is_made_again(own_lab):
    (own_lab / ".git" / "finestflow" / "index.sqlite").write_bytes(b"not a database" * 100)

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "dusty-fox-6" in ui.text)

    run(body)


@pytest.mark.slow
def test_a_repository_that_goes_away_is_no_crash(own_lab):
    async def body():
        async with drive(own_lab) as ui:
            shutil.rmtree(own_lab)
            await ui.press("j", "ctrl+l")
            await ui.until(lambda: "the repository is gone" in ui.foot)
            assert ui.app._exception is None
            assert "calm-wren-5" in ui.text

    run(body)


def test_a_locked_index_does_not_stop_the_screen(own_lab):
    async def body():
        async with drive(own_lab) as ui:
            other = sqlite3.connect(own_lab / ".git" / "finestflow" / "index.sqlite")
            other.execute("BEGIN IMMEDIATE")
            await ui.press("j")
            assert "calm-wren-5" in ui.cursor
            other.rollback()
            other.close()

    run(body)


@pytest.mark.slow
def test_two_screens_at_once_see_what_the_other_changes(own_lab, tmp_path):
    async def body():
        async with drive(own_lab) as one, drive(own_lab, state_path_in=tmp_path) as two:
            await one.press(".")
            assert "starred dusty-fox-6" in one.foot
            await two.until(lambda: "★" in two.text)

    run(body)


@pytest.mark.parametrize("size", [*slow([(60, 15), (40, 8)]), (12, 4)])
def test_in_a_terminal_that_is_too_small_the_list_is_left(lab, size):
    async def body():
        async with drive(lab, size) as ui:
            await ui.press("j")
            assert "calm" in ui.cursor or size[0] < 40
            await ui.press("enter", "2", "3", "escape", "?", "escape", "d", "escape", "c")
            assert all(sum(segment.cell_length for segment in strip) == size[0] for strip in ui.strips)

    run(body)


def test_on_a_full_disk_a_change_says_so_and_the_list_stays(own_lab):
    """No file may grow: a star cannot be kept, which is said; then it can, with the same key."""

    async def body():
        async with drive(own_lab) as ui:
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
            try:
                await ui.press(".")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert "starred" not in ui.foot
            assert (ui.foot != "" and "file too large" in ui.foot) or "full" in ui.foot or "I/O" in ui.foot, ui.foot
            assert "calm-wren-5" in ui.text
            await ui.press(".")
            assert "starred dusty-fox-6" in ui.foot

    run(body)


def test_an_index_of_a_newer_version_is_no_obstacle(own_lab):
    path = own_lab / ".git" / "finestflow" / "index.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1000000")

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "dusty-fox-6" in ui.text)
            await ui.press("j", "enter")
            assert "calm-wren-5" in ui.lines[0]

    run(body)


@pytest.mark.slow
def test_an_index_that_is_made_again_meanwhile_is_taken_up(own_lab):
    async def body():
        async with drive(own_lab) as ui:
            for path in (own_lab / ".git" / "finestflow").glob("index.sqlite*"):
                path.unlink()
            await ui.press("j", "ctrl+l", "enter")
            assert "calm-wren-5" in ui.lines[0]
            assert "1 Tasks" in ui.text

    run(body)


@pytest.mark.slow
def test_a_run_is_reproduced_from_inside(own_lab):
    """R shows the plan, enter starts it, the verdict follows."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("r")
            assert "what will happen" in ui.text
            await ui.press("enter")
            assert "running" in ui.text
            await ui.until(lambda: "identical" in ui.text or "could not" in ui.text, seconds=60)
            assert "identical: " in ui.text

    run(body)


def test_while_another_window_has_the_keys_news_is_looked_for_once_a_second(lab):
    """And at once when they come back."""

    async def body():
        async with drive(lab) as ui:
            usual = ui.app.news.pause
            ui.app.post_message(events.AppBlur())
            await ui.settle()
            assert ui.app.news.pause == 1.0 > usual
            before = ui.app.news._next
            ui.app.post_message(events.AppFocus())
            await ui.settle()
            assert ui.app.news.pause == usual
            assert before.cancelled()
            await ui.press("j")
            assert "calm-wren-5" in ui.cursor

    run(body)


def test_where_no_other_program_can_have_the_terminal_the_foot_says_so(lab):
    """Such as an editor, in an app that is seen in a browser."""

    async def body():
        async with drive(lab) as ui:
            ui.app.edit_text("a.py", "text")
            await ui.settle()
            assert "this terminal cannot be lent" in ui.text

    run(body)


@pytest.mark.slow
def test_a_run_with_other_params_appears_in_the_list(own_lab):
    """R starts a run with other params in a process of its own, which then appears."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("R")
            ui.app.screen.query_one("Input").value = "fit.lr=0.25"
            await ui.press("enter")
            await ui.until(lambda: "7 runs" in ui.lines[0], seconds=60)

    run(body)
    assert subprocess.run(["git", "fsck"], cwd=own_lab, capture_output=True, check=False).returncode == 0


def test_the_log_of_a_live_run_is_followed_from_the_start_until_somebody_scrolls(own_lab):
    """L on a run that goes on shows the end of its log, and what comes; k stays where it is."""

    async def body():
        async with drive(own_lab, (100, 24)) as ui:
            live = begin(own_lab)
            live.write_log("fit", "".join(f"line {at}\n" for at in range(200)))
            await ui.until(lambda: "quick-wren-9" in ui.text)
            await ui.settle()
            await ui.press("home", "L")
            await ui.until(lambda: "line 199" in ui.text)
            live.write_log("fit", "line 200\n")
            live.emit({"e": "progress", "node": "fit", "done": 8, "total": 20, "t": STARTED})
            await ui.until(lambda: "line 200" in ui.text)
            await ui.press("k", "k")
            assert "line 200" not in ui.text
            live.write_log("fit", "line 201\n")
            live.emit({"e": "progress", "node": "fit", "done": 9, "total": 20, "t": STARTED})
            await ui.settle()
            assert "line 201" not in ui.text
            live._close_files()

    run(body)


@pytest.mark.parametrize("how", slow(["overwritten", "deleted"]))
def test_an_index_that_is_lost_while_it_is_shown_is_made_again(own_lab, how):
    """The list comes back as it was, without a key; `^l` finds nothing else."""

    async def body():
        async with drive(own_lab) as ui:
            await ui.press("j", "j")
            row, folder = ui.cursor[:40], own_lab / ".git" / "finestflow"
            if how == "deleted":
                shutil.rmtree(folder)
            else:
                (folder / "index.sqlite").write_bytes(b"not a database" * 10_000)
                await ui.press("ctrl+l")
            await ui.until(lambda: ui.cursor[:40] == row and "…" not in ui.lines[4])
            await ui.settle()
            await ui.press("ctrl+l")
            assert "up to date" in ui.foot
            assert ui.cursor[:40] == row
            await ui.press("enter")
            assert "icy-owl-4" in ui.lines[0]

    run(body)


@pytest.mark.slow
def test_where_no_index_can_be_written_the_list_is_shown_all_the_same(own_lab):
    """Such as in a repository that is mounted to be read only and was never listed: the index is kept in memory, and said so."""
    folder = own_lab / ".git" / "finestflow"
    for path in folder.glob("index.sqlite*"):
        path.unlink()
    (folder / "index.sqlite").mkdir()

    async def body():
        async with drive(own_lab) as ui:
            await ui.until(lambda: "dusty-fox-6" in ui.text and "icy-owl-4" in ui.text)
            await ui.settle()
            await ui.press("home", "j", "enter")
            assert "calm-wren-5" in ui.lines[0]
            await ui.press("escape", ".")
            await ui.until(lambda: "★" in ui.text)

    run(body)
