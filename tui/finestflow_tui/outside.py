"""What the app does outside of itself: commands that it starts, programs that get the terminal, files that it writes.

Invariant: a command goes on when the app is left, the terminal comes back whatever a program did, no file is written over, and what goes wrong with
any of them is told at the foot. The app is one.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App, SuspendNotSupported

from finestflow.errors import FinestflowError
from finestflow_tui.text import trouble

if TYPE_CHECKING:
    from finestflow.workspace import Workspace
    from finestflow_tui.terminal import Terminal

__all__ = ["Outside"]


class Outside(App[int]):
    """An app that starts commands, lends the terminal and writes files."""

    environ: dict[str, str]
    workspace: Workspace
    terminal: Terminal | None
    processes: list[tuple[subprocess.Popen[bytes], str, Path]]

    def say(self, text: str, role: str = "") -> None:
        """Say something at the foot of the screen that is shown."""
        raise NotImplementedError

    def log_command(self, text: str) -> None:
        """Keep the command that would have done the same."""
        raise NotImplementedError

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Say what goes wrong with a file, the journal or the index, and go on."""
        try:
            yield
        except (FinestflowError, OSError, sqlite3.Error, UnicodeError) as error:
            self.say(trouble(error), "error")

    def start_process(self, words: list[str], said: str, *, shown: list[str] | None = None) -> Path:
        """Start a command of finestflow that goes on when the app is left; returns the file that it writes to.

        Args:
            words: The command, without the name of the program.
            said: What is told at its start and end.
            shown: What is kept for the list of commands, when the words have something secret.
        """
        self.log_command("finestflow " + shlex.join(words if shown is None else shown))
        folder = self.workspace.state_dir / "tui"
        folder.parent.mkdir(exist_ok=True)  # nothing is made anew of a repository that is gone
        folder.mkdir(exist_ok=True)
        path = folder / f"{words[0]}-{time.time_ns():x}.txt"
        with path.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "finestflow", *words],
                cwd=self.workspace.folder,
                env={**self.environ, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append((process, said, path))
        self.say(f"started: {said}", "good")
        return path

    def reap(self) -> None:
        """Tell how processes ended."""
        for entry in list(self.processes):
            process, said, path = entry
            code = process.poll()
            if code is None:
                continue
            self.processes.remove(entry)
            from finestflow_tui.views.reproduce import ending_text

            told = ending_text(path.read_text(encoding="utf-8", errors="replace"), code)
            if code and not path.stat().st_size and not shutil.disk_usage(path.parent).free:
                told = "the disk is full"
            self.say(f"{said}: {told}", "good" if code == 0 else "warning")

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Leave the terminal to another program for a while, and take it back whatever happens, which Textual alone does not."""
        raised: Exception | None = None
        with super().suspend(), contextlib.nullcontext() if self.terminal is None else self.terminal.lent():
            try:
                yield
            except Exception as error:  # noqa: BLE001 - whatever it is, the terminal comes back first
                raised = error
        if raised is not None:
            raise raised

    def action_suspend_process(self) -> None:
        """Give the terminal back to the shell, until ``fg``."""
        if self.terminal is None or not self.terminal.stop():
            self.say("no shell has started this: there is nothing to go back to", "warning")

    def run_outside(self, words: list[str]) -> None:
        """Give the terminal to another program, and take it back; where that cannot be, the foot says why."""
        try:
            with self.suspend():
                code = subprocess.run(words, check=False).returncode
            if code:
                self.say(f"{words[0]!r} ended with exit code {code}", "warning")
        except SuspendNotSupported:
            self.say("this terminal cannot be lent to another program", "warning")
        except OSError as error:
            self.say(f"{words[0]!r} cannot be started: {error.strerror}; $VISUAL or $EDITOR names another", "warning")
        self.refresh(layout=True)

    def edit_text(self, name: str, text: str, line: int = 1) -> None:
        """Show a copy of a text in the person's editor."""
        wanted = self.environ.get("VISUAL") or self.environ.get("EDITOR") or ""
        try:
            editor = shlex.split(wanted) or ["vi"]
        except ValueError:  # a quote that does not end
            editor = wanted.split()
        with tempfile.TemporaryDirectory(prefix="finestflow-") as folder:
            path = Path(folder) / (Path(name).name or "text")
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            knows_lines = Path(editor[0]).name in {"vi", "vim", "nvim", "nano", "emacs", "micro"}
            self.run_outside([*editor, *([f"+{line}"] if knows_lines else []), str(path)])

    def write_file(self, name: str, text: str) -> None:
        """Write what is shown to a new file, and say so."""
        self.write_new(name, text)
        self.say(f"wrote {name}", "good")

    def write_new(self, name: str, text: str) -> None:
        """Write a file that is not there yet: what a person has is never written over."""
        path = self.workspace.folder / name
        with contextlib.suppress(RuntimeError):  # a home of nobody is a name like any other
            path = self.workspace.folder / Path(name).expanduser()
        with path.open("xb") as file:
            try:
                file.write(text.encode("utf-8", "backslashreplace"))
                file.flush()
            except OSError:
                path.unlink()
                raise
