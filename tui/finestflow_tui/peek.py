"""Values of outputs, looked at by a process of their own: what a class of the project does when it is loaded cannot harm the screen.

Invariant: at most one such process at a time looks; a newer look ends it, but no copy. Called from workers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finestflow.errors import FinestflowError
from finestflow_tui.text import one_line

__all__ = ["Peeker", "find_document"]

_KEPT = 32
_PATIENCE = 120.0


def find_document(text: str, kind: str) -> dict[str, Any] | None:
    """Return the JSON document in what a command wrote: what tasks and imports print stands before it."""
    for at in (position for position, letter in enumerate(text) if letter == "{"):
        try:
            found = json.loads(text[at:])
        except ValueError:
            continue
        return found if isinstance(found, dict) and found.get("kind") == kind else None
    return None


class Peeker:
    """Asks for excerpts of values, and keeps the last ones.

    Args:
        folder: Where the command runs.
        environ: Its environment.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {**environ, "NO_COLOR": "1"}
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def known(self, address: str) -> dict[str, Any] | None:
        """Return an excerpt that was asked for before."""
        return self._kept.get(address)

    def excerpt(self, address: str) -> dict[str, Any]:
        """Return the excerpt of ``RUN:NODE.OUTPUT``.

        Raises:
            FinestflowError: It cannot be had, and why.
        """
        return self._kept.get(address) or self._keep(
            address, self._ask(["show", address, "--value", "--json"], "value")["value"]
        )

    def differences(self, before: str, after: str) -> list[dict[str, str]]:
        """Return what differs between two outputs, part by part.

        Raises:
            FinestflowError: One of them cannot be had, and why.
        """
        found: list[dict[str, str]] = self._ask(["diff", before, after, "--json"], "diff.values")["differences"]
        return found

    def copy(self, address: str, target: Path) -> None:
        """Write an output to a file.

        Raises:
            FinestflowError: It cannot be had, and why.
        """
        self._ask(["get", address, "-o", str(target)], "", is_look=False)

    def _keep(self, address: str, value: dict[str, Any]) -> dict[str, Any]:
        self._kept[address] = value
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return value

    def _ask(self, words: list[str], kind: str, *, is_look: bool = True) -> dict[str, Any]:
        if is_look:
            self.stop()
        with self._lock:
            process = subprocess.Popen(
                [sys.executable, "-m", "finestflow", *words],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            if is_look:
                self._process = process
        try:
            out, err = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise FinestflowError(
                f"it was not loaded within {_PATIENCE:.0f} seconds", "finestflow get copies it out"
            ) from None
        document = find_document(out, kind) if kind else {}
        if document is None or (not kind and process.returncode):
            problem = find_document(out, "error")
            told = [line for line in err.strip().splitlines() if line.startswith(("finestflow: error: ", "hint: "))]
            plain = " · ".join(line.removeprefix("finestflow: error: ").removeprefix("hint: ") for line in told)
            said = f"{problem['message']}: {problem['hint']}" if problem is not None else plain
            raise FinestflowError(one_line(said or f"it could not be loaded (exit code {process.returncode})"))
        return document

    def stop(self) -> None:
        """End the process that looks now."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
            self._process = None
