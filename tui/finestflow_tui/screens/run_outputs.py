"""The outputs of a run, and what is inside the one under the cursor: a picture, the first rows of a table, text, bytes.

Invariant: values are loaded by a process of their own, after a moment without keys; those that another clone or a long file brought wait for
the enter key.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.timer import Timer

from finestflow_tui.termimage import find_protocol, show_picture
from finestflow_tui.text import Row, one_line, row, wrapped
from finestflow_tui.views import record
from finestflow_tui.views.excerpt import excerpt_rows

if TYPE_CHECKING:
    from finestflow_tui.screens.run import RunScreen

__all__ = ["OutputTab"]

QUIET = 0.15
"""Seconds without a key before a value is loaded."""
_LARGE = 256 << 20


class OutputTab:
    """The tab of outputs.

    Args:
        screen: The screen that it is on.
    """

    def __init__(self, screen: RunScreen) -> None:
        self._screen = screen
        self._soon: Timer | None = None

    def show(self, *, keep: bool) -> None:
        """List them."""
        screen = self._screen
        run, store = screen.whole, screen.ff.history.workspace.store
        assert run is not None
        screen.fill(lambda: record.output_rows(run, store.has), keep=keep)

    @property
    def _address(self) -> str:
        return f"{self._screen.summary.id}:{self._screen.list.key}"

    def show_detail(self, *, asked: bool = False) -> None:
        """Show what the record says of an output at once, and then what is inside.

        Args:
            asked: The enter key was pressed: what is large or of unknown origin is loaded too.
        """
        screen, path = self._screen, self._screen.list.key
        if self._soon is not None:
            self._soon.stop()
        if path is None or screen.whole is None:
            screen.detail.show([])
            return
        about = record.output_text(screen.whole, path)
        output = screen.whole.nodes[path].output
        known = screen.ff.history.peeker.known(self._address)
        if known is not None:
            self._lay_out(known, about)
        elif output is None or output.digest is None:
            screen.detail.show(about)
        elif not screen.ff.history.workspace.store.has(output.digest):
            told = "the value is not in this store any more: r makes it again"
            screen.detail.show([about[0], row(""), *wrapped(told, screen.detail.room, "warning"), row(""), *about[2:]])
        elif asked or (not screen.summary.origin and (output.size or 0) < _LARGE):
            screen.detail.show([*about, row(""), row(("looking inside ...", "dim"))])
            self._soon = screen.set_timer(QUIET, lambda: self._load(about))
        else:
            screen.detail.show([*about, row(""), row(("⏎", "key"), " loads it, and shows what is inside")])

    def _load(self, about: list[Row]) -> None:
        screen, address = self._screen, self._address
        peeker = screen.ff.history.peeker

        def show(value: dict[str, Any]) -> None:
            if address == self._address:
                self._lay_out(value, about)

        def fail(text: str) -> None:
            if address == self._address:
                screen.detail.show([*about, row(""), row((one_line(text), "warning"))])

        screen.slow_for_tab(lambda: peeker.excerpt(address), show, group="detail", failed=fail)

    def _lay_out(self, value: dict[str, Any], about: list[Row]) -> None:
        """Show what is inside, and below it what the record says."""
        ff, detail = self._screen.ff, self._screen.detail
        colored = not (ff.is_plain or ff.is_ascii)
        rows = excerpt_rows(value, max(10, detail.room), detail.size.height - 2, colored=colored)
        hint = (
            [row(("⏎", "key"), " the whole picture")]
            if value["kind"] == "picture" and find_protocol(ff.environ)
            else []
        )
        detail.show([about[0], row(""), *rows, *hint, row(""), *about[2:]])

    def open(self) -> bool:
        """Show a picture whole: in full where the terminal can, else as large as the screen. What was not loaded yet is; returns whether that is all."""
        screen, known = self._screen, self._screen.ff.history.peeker.known(self._address)
        ff = screen.ff
        if known is None:
            self.show_detail(asked=True)
        elif known["kind"] != "picture":
            return False
        elif known["data"] and find_protocol(ff.environ):
            with ff.suspend():
                show_picture(b64decode(known["data"]), ff.environ)
            ff.refresh(layout=True)
        else:
            screen.detail.focus()
            screen.maximize(screen.detail)
        return known is not None

    def open_outside(self) -> None:
        """Open it with the system's program for it."""
        screen = self._screen
        opener = shutil.which("xdg-open") or shutil.which("open")
        if opener is None:
            screen.say('no program is there to open files: "xdg-open" is missing; E saves a copy', "warning")
            return
        if opener.endswith("xdg-open") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(screen.ff.environ):
            screen.say("there is no display to open it on; E saves a copy", "warning")
            return
        target = Path(tempfile.mkdtemp(prefix="finestflow-")) / self.file_name
        screen.ff.log_command(f"finestflow get {self._address} -o {target}")
        peeker, address = screen.ff.history.peeker, self._address

        def opened(_: None) -> None:
            process = subprocess.Popen([opener, str(target)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            threading.Thread(target=process.wait, daemon=True).start()  # or it stays a zombie
            screen.say(f"opened {target.name}", "good")

        screen.slow(lambda: peeker.copy(address, target), opened, group="outside")

    @property
    def file_name(self) -> str:
        """What a copy of the output under the cursor may be called."""
        known = self._screen.ff.history.peeker.known(self._address)
        facts = known["facts"] if known is not None else {}
        plain = str(self._screen.list.key).replace("/", "-")
        return Path(one_line(facts.get("file") or f"{plain}{_suffix_of(known)}")).name

    def save(self, name: str) -> None:
        """Write it to a file; its suffix says in which form."""
        self._screen.ff.start_process(["get", self._address, "-o", name], f"save {name}")


def _suffix_of(known: dict[str, Any] | None) -> str:
    """Return a suffix by which the system knows what to open a value with."""
    kind = known["kind"] if known is not None else ""
    return {"picture": ".png", "table": ".csv", "text": ".txt"}.get(kind, ".json")
