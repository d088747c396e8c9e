"""In a real terminal, as tmux makes one: a whole session of work, and a shell that is as it was, however the app ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.stress, pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")]

CRASH = """
from finestflow_tui.screens.runs import RunsScreen
def crash(self): raise RuntimeError("broken on purpose")
RunsScreen.action_star = crash
from finestflow.cli import main
raise SystemExit(main(["tui"]))
"""


class Tmux:
    """A shell in a terminal of its own server.

    Args:
        folder: Where the shell is.
        place: A folder for the socket, and the home of the shell.
        environ: More of the environment.
    """

    def __init__(self, folder: Path, place: Path, environ: dict[str, str]) -> None:
        self._socket = str(place / "tmux")
        self._home = b"HOME=" + os.fsencode(place)
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(sys.path),
            **environ,
        }
        subprocess.run(
            [
                "tmux",
                "-S",
                self._socket,
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                "100",
                "-y",
                "30",
                "env PS1='ready> ' bash --norc --noprofile",
            ],
            cwd=folder,
            env=settings,
            check=True,
        )

    def tmux(self, *words: str) -> str:
        """Tell the server something."""
        done = subprocess.run(["tmux", "-S", self._socket, *words], capture_output=True, text=True, check=True)
        return done.stdout

    @property
    def screen(self) -> str:
        """What a person sees."""
        return self.tmux("capture-pane", "-p")

    def type(self, *keys: str) -> None:
        """Press keys, by the names that tmux has for them."""
        self.tmux("send-keys", *keys)

    def sees(self, *texts: str, seconds: float = 30) -> str:
        """Wait until texts are on the screen."""
        deadline = time.monotonic() + seconds
        while not all(text in (screen := self.screen) for text in texts):
            assert time.monotonic() < deadline, f"{texts} never came; the screen is\n{screen}"
            time.sleep(0.05)
        return screen

    def misses(self, text: str, seconds: float = 30) -> str:
        """Wait until a text is gone from the screen."""
        deadline = time.monotonic() + seconds
        while text in (screen := self.screen):
            assert time.monotonic() < deadline, f"{text!r} stays; the screen is\n{screen}"
            time.sleep(0.05)
        return screen

    def ends(self, seconds: float = 30) -> None:
        """Wait until the shell asks for the next command."""
        deadline = time.monotonic() + seconds
        while not (screen := self.screen).rstrip().endswith("ready>"):
            assert time.monotonic() < deadline, f"the shell never came back; the screen is\n{screen}"
            time.sleep(0.05)

    def close(self) -> None:
        """End the server, and whatever was started in the terminal, though it be deaf to the end of it: all of it has this home, and nothing else."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._home in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)

    def shell(self, line: str) -> None:
        """Type a line into the shell."""
        self.type("-l", line)
        self.type("Enter")


@pytest.fixture
def terminal(own_lab, tmp_path, request):
    """A shell in the repository, with the settings of the terminal kept; they are the same at the end."""
    place = tmp_path / "home"
    place.mkdir()
    tmux = Tmux(own_lab, place, getattr(request, "param", {}))
    try:
        tmux.sees("ready>")
        tmux.shell(f"alias ff='{sys.executable} -m finestflow'; stty -a > {place}/before; clear; echo what was here")
        tmux.sees("what was here\nready>")
        yield tmux
        tmux.ends()  # what is typed while it ends is thrown away
        tmux.tmux("resize-window", "-x", "100", "-y", "30")
        tmux.shell(
            "until [ \"$(stty size)\" = '30 100' ]; do sleep 0.01; done"
        )  # tmux does it when it has come to rest
        tmux.shell(f"stty -a > {place}/after; echo $?-done")
        assert "what was here\nready>" in tmux.sees("0-done")
        assert tmux.tmux("display", "-p", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}").strip() == "001"
        assert (place / "after").read_text() == (place / "before").read_text()
    finally:
        tmux.close()


def start(terminal: Tmux) -> None:
    """Start the app, and wait for the list."""
    terminal.shell("ff tui")
    terminal.sees("dusty-fox-6", "6 runs")


def test_a_session_of_work(terminal):
    """Filter, open, graph, diff, compare, delete, undo, reproduce and quit, each seen on the screen."""
    start(terminal)
    terminal.type("/")
    terminal.type("-l", "status:failed")
    terminal.type("Enter")
    terminal.sees("1 of 6", "icy-owl-4")
    terminal.misses("dusty-fox-6")
    terminal.type("Escape")
    terminal.sees("dusty-fox-6")
    terminal.type("j", "Enter")
    terminal.sees("1 Tasks", "calm-wren-5", "report")
    terminal.type("2")
    terminal.sees("╭")
    terminal.type("q")
    terminal.sees("6 runs")
    terminal.type("Space", "Space", "d")
    terminal.sees("train.py", "Params")
    terminal.type("q")
    terminal.sees("2 marked")
    terminal.type("c")
    terminal.sees("side by side", "calm-wren-5 · icy-owl-4", "report/acc")
    terminal.type("q")
    terminal.sees("2 marked")
    terminal.type("M")
    terminal.misses("2 marked")
    terminal.type("x")
    terminal.sees("deleted brisk-lynx-3", "5 runs")
    terminal.type("u")
    terminal.sees("took back", "6 runs")
    terminal.type("Home", "r")
    terminal.sees("what will happen")
    terminal.type("Enter")
    terminal.sees("identical", seconds=60)
    terminal.type("C-q")


@pytest.mark.parametrize("number", ["TERM", "HUP"])
def test_a_signal_gives_the_terminal_back(terminal, number):
    start(terminal)
    terminal.tmux("run-shell", f"pkill -{number} -t $(basename #{{pane_tty}} | sed s,^,pts/,) -f 'finestflow tui'")
    terminal.sees("what was here")
    terminal.misses("dusty-fox-6")


def test_a_crash_gives_the_terminal_back_and_says_where_it_is_told(terminal, tmp_path):
    (tmp_path / "crash.py").write_text(CRASH)
    terminal.shell(f"{sys.executable} {tmp_path}/crash.py")
    terminal.sees("dusty-fox-6")
    terminal.type(".")
    terminal.sees("what was here", "the terminal UI stopped: RuntimeError", "hint: this is a fault of finestflow")


@pytest.mark.parametrize("by", ["signal", "key"])
def test_it_is_put_aside_and_taken_up_again(terminal, by):
    """The job control of the shell: stopped by a signal or by ^Z, the shell has its terminal; with fg, the app has it, in the size it then has."""
    start(terminal)
    terminal.type("j")
    terminal.sees("▌   ●  calm-wren-5")
    if by == "key":
        terminal.type("C-z")
    else:
        terminal.tmux("run-shell", "pkill -TSTP -t $(basename #{pane_tty} | sed s,^,pts/,) -f 'finestflow tui'")
    terminal.sees("what was here", "Stopped")
    terminal.tmux("resize-window", "-x", "120", "-y", "35")
    terminal.shell("fg")
    screen = terminal.sees("dusty-fox-6", "x delete")  # for which it has to be as wide as it is now
    assert len(screen.rstrip("\n").splitlines()) == 35
    terminal.type("q")
    terminal.misses("dusty-fox-6")
    terminal.tmux("resize-window", "-x", "100", "-y", "30")
    terminal.shell("until [ \"$(stty size)\" = '30 100' ]; do sleep 0.01; done; clear; echo what was here")


@pytest.mark.parametrize("terminal", [{"EDITOR": "less -S"}], indirect=True)
def test_the_editor_has_the_terminal_meanwhile(terminal):
    start(terminal)
    terminal.type("Enter", "6")
    terminal.sees("epochs")
    terminal.type("e")
    terminal.sees("config.toml")
    terminal.misses("1 Tasks")
    terminal.type("q")
    terminal.sees("1 Tasks", "epochs")
    terminal.type("C-q")
    terminal.misses("1 Tasks")


@pytest.mark.parametrize("terminal", [{"EDITOR": "no-such-editor"}], indirect=True)
def test_an_editor_that_is_not_there_is_named_and_nothing_is_lost(terminal):
    start(terminal)
    terminal.type("Enter", "6")
    terminal.sees("epochs")
    terminal.type("e")
    terminal.sees("'no-such-editor' cannot be started", "epochs")
    terminal.type("C-q")
    terminal.misses("1 Tasks")


def test_it_fits_whatever_size_the_terminal_gets(terminal):
    start(terminal)
    for columns, rows in ((60, 15), (40, 10), (20, 5), (200, 50), (100, 30)):
        terminal.tmux("resize-window", "-x", str(columns), "-y", str(rows))
        terminal.sees("dusty-fo")
    terminal.type("q")
    terminal.misses("dusty-fox-6")


@pytest.mark.parametrize("term", ["linux", "xterm", "vt100", "screen"])
def test_terminals_of_fewer_colours_will_do(terminal, term):
    terminal.shell(f"TERM={term} ff tui")
    terminal.sees("dusty-fox-6", "6 runs")
    terminal.type("j", "Enter")
    terminal.sees("1 Tasks")
    terminal.type("C-q")
    terminal.misses("1 Tasks")


def test_a_terminal_that_cannot_draw_is_told_what_can(terminal):
    terminal.shell("TERM=dumb ff tui; echo $?-code")
    terminal.sees("2-code", "--plain")
    terminal.shell("clear; echo what was here")


@pytest.mark.skipif(shutil.which("script") is None, reason="script is not installed")
def test_a_typescript_of_it_is_a_terminal_too(terminal, tmp_path):
    terminal.shell(f"script -q -c '{sys.executable} -m finestflow tui' {tmp_path}/typescript")
    terminal.sees("dusty-fox-6")
    terminal.type("q")
    terminal.misses("dusty-fox-6")
