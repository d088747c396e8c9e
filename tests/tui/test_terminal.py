"""In a real pseudo-terminal: it starts, answers, ends in every way, and leaves the terminal as it was."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.bench.terminal import Terminal

LEFT = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l")
"""The screen of before, the cursor, and no mouse: what a terminal must be told at the end."""
CRASH = """
from finestflow_tui.screens.runs import RunsScreen
def crash(self): raise RuntimeError("broken on purpose")
RunsScreen.action_star = crash
from finestflow.cli import main
raise SystemExit(main(["tui"]))
"""


def start(folder, *words, code=None, environ=None) -> Terminal:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "finestflow", "tui", *words]
    terminal = Terminal(command, folder, environ=environ)
    terminal.before = termios.tcgetattr(terminal.master)
    return terminal


def end(terminal: Terminal) -> tuple[int, bytes]:
    """Wait for the end; return the exit code and what was written after the screen was given back."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        terminal.read(quiet=0.05, limit=0.2)
        pid, status = os.waitpid(terminal.pid, os.WNOHANG)
        if pid:
            terminal.read(quiet=0.05, limit=0.5)
            assert termios.tcgetattr(terminal.master)[3] & termios.ECHO
            os.close(terminal.master)
            return os.waitstatus_to_exitcode(status), terminal.seen.rpartition(LEFT[0])[2]
    os.kill(terminal.pid, signal.SIGKILL)
    raise AssertionError(terminal.seen[-2000:])


@pytest.mark.parametrize(
    ("keys", "number", "code"),
    [
        (b"q", None, 0),
        pytest.param(b"\x03", None, 0, marks=pytest.mark.slow),
        pytest.param(b"", signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(b"", signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
    ids=["q", "ctrl-c", "sigterm", "sighup"],
)
def test_the_terminal_is_left_as_it_was(own_lab, keys, number, code):
    terminal = start(own_lab)
    terminal.wait_for(b"dusty-fox-6", limit=30)
    if number is not None:
        os.kill(terminal.pid, number)
    os.write(terminal.master, keys)
    found, _ = end(terminal)
    assert found == code
    assert all(sequence in terminal.seen for sequence in LEFT)


PAINTING = """
import os, signal
from finestflow_tui.app import FinestflowApp
if "NO_HANGUP" in os.environ: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
on_mount = FinestflowApp.on_mount
def mount(self): on_mount(self); self.set_interval(0.005, lambda: [widget.refresh() for widget in self.screen.query("*")])
FinestflowApp.on_mount = mount
from finestflow.cli import main
raise SystemExit(main(["tui"]))
"""


@pytest.fixture
def painting(own_lab, request):
    """The app, painting without pause; nothing of it is left at the end."""
    terminal = start(own_lab, code=PAINTING, environ=getattr(request, "param", {}))
    terminal.wait_for(b"dusty-fox-6", limit=30)
    yield terminal
    with contextlib.suppress(ChildProcessError):  # the test has seen its end
        if os.waitpid(terminal.pid, os.WNOHANG) == (0, 0):
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
    with contextlib.suppress(OSError):
        os.close(terminal.master)


def code_of(terminal: Terminal, seconds: float = 30) -> int | None:
    """Wait for the end without reading what is written; return the exit code, None when there is no end."""
    descriptor = os.pidfd_open(terminal.pid)
    try:
        if not select.select([descriptor], [], [], seconds)[0]:
            return None
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1])


def fill(terminal: Terminal) -> None:
    """Read nothing until the app has used no CPU for a while: it waits for room to write."""
    stat = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/schedstat")
    used, before = stat.read_text().split()[0], ""
    while used != before:
        time.sleep(0.3)
        used, before = stat.read_text().split()[0], used


@pytest.mark.slow
@pytest.mark.parametrize("painting", [{}, {"NO_HANGUP": "1"}], ids=["told", "untold"], indirect=True)
@pytest.mark.parametrize("is_full", [False, True], ids=["read", "unread"])
def test_it_ends_when_its_terminal_has_gone(painting, is_full):
    """With the signal of the kernel or without, and also when the loop is blocked by then."""
    if is_full:
        fill(painting)
    os.close(painting.master)
    assert code_of(painting) == 129


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_though_nobody_reads_what_it_writes(painting, number):
    fill(painting)
    os.kill(painting.pid, number)
    assert code_of(painting) == 128 + number
    assert termios.tcgetattr(painting.master)[3] & termios.ECHO


@pytest.mark.slow
def test_it_outlives_many_stops_while_keys_are_pressed(painting):
    for at in range(30):
        os.kill(painting.pid, signal.SIGTSTP)
        os.write(painting.master, b"jk"[at % 2 : at % 2 + 1])
        painting.read(quiet=0.005, limit=0.03)
        os.kill(painting.pid, signal.SIGCONT)
        painting.read(quiet=0.005, limit=0.03)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:  # the last stop may come after the last go on
        os.kill(painting.pid, signal.SIGCONT)
        os.write(painting.master, b"\x11")
        painting.read(quiet=0.05, limit=0.3)
        if os.waitid(os.P_PID, painting.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
    assert end(painting)[0] == 0


@pytest.mark.slow
def test_a_signal_ends_it_where_there_is_no_repository(tmp_path):
    terminal = start(tmp_path)
    terminal.wait_for(b"finestflow init", limit=30)
    os.kill(terminal.pid, signal.SIGTERM)
    assert end(terminal)[0] == 143


@pytest.mark.slow
def test_a_crash_leaves_the_terminal_and_says_where_it_is_told(own_lab):
    terminal = start(own_lab, code=CRASH)
    terminal.wait_for(b"dusty-fox-6", limit=30)
    os.write(terminal.master, b".")
    _, rest = end(terminal)
    assert b"the terminal UI stopped: RuntimeError: broken on purpose" in rest
    assert rest.count(b"\n") < 10
    assert "broken on purpose" in (own_lab / ".git" / "finestflow" / "crash-tui.txt").read_text()


@pytest.mark.slow
def test_two_keys_may_be_typed_blind(own_lab):
    """A leader and its second key in one write do what they do one after the other."""
    terminal = start(own_lab)
    terminal.wait_for(b"dusty-fox-6", limit=30)
    terminal.read(quiet=0.5)
    terminal.seen = b""
    os.write(terminal.master, b"gc")
    terminal.read(quiet=0.5)
    assert b"cache and disk" in terminal.seen
    os.write(terminal.master, b"\x11")
    assert end(terminal)[0] == 0


@pytest.mark.slow
def test_nothing_is_written_in_colour_where_no_color_says_so(own_lab):
    terminal = start(own_lab, environ={"NO_COLOR": "1"})
    terminal.wait_for(b"dusty-fox-6", limit=30)
    terminal.press(b"\r")
    for code in (b"38;2", b"48;2", b"38;5", b"48;5", b"[31m", b"[32m"):
        assert code not in terminal.seen
    os.write(terminal.master, b"\x11")
    end(terminal)


def test_without_a_terminal_it_says_what_to_do():
    done = subprocess.run(
        [sys.executable, "-m", "finestflow", "tui"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 2
    assert "--plain" in done.stderr


@pytest.mark.slow
def test_the_list_needs_no_git_library(lab, tmp_path):
    """Everything that the first paint and moving about need is the index: neither GitPython nor dulwich is loaded for it."""
    code = f"""
import asyncio, os, sys
from pathlib import Path
from finestflow.workspace import Workspace
from finestflow_tui.app import FinestflowApp
from finestflow_tui.history import History
History.load = History.refresh = lambda self, *_: (_ for _ in ()).throw(ValueError("later"))
async def main():
    app = FinestflowApp(Workspace.find(Path({str(lab)!r}), os.environ), dict(os.environ), state_path=Path({str(tmp_path / "tui.json")!r}))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("j", "s")
        text = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert "calm-wren-5" in text
        print(*sorted({{"git", "dulwich", "plotext", "pygments", "multiprocess"}} & set(sys.modules)))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
