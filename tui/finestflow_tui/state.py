"""What a person arranged on the screen, kept for the repository: the query, order, columns, marks, sizes, the tab, where the list was scrolled to.

Invariant: a file that is missing, damaged or of another version is as good as an empty one; nothing of a run is kept here.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

__all__ = ["ViewState"]

_VERSION = 1
_HISTORY = 50


@dataclass(slots=True)
class ViewState:
    """The arrangement of the list.

    Attributes:
        columns: Columns that were chosen, in order.
        hidden: Columns that were taken away.
        cursor: The run that the cursor of the list is on.
        line: How many lines below the first one that is seen.
        tab: The tab of a run that was chosen last.
        done: What ``undo`` takes back, the latest last.
        undone: What it has taken back.
    """

    query: str = ""
    sorts: list[str] = field(default_factory=lambda: ["-started"])
    group: str = ""
    columns: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    everything: bool = False
    marks: dict[str, str] = field(default_factory=dict)
    pins: list[str] = field(default_factory=list)
    cursor: str = ""
    line: int = 0
    tab: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    theme: str = ""
    views: dict[str, dict[str, object]] = field(default_factory=dict)
    done: list[Any] = field(default_factory=list)
    undone: list[Any] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> ViewState:
        """Read it, as far as it can be used."""
        with suppress(OSError, ValueError, TypeError):
            told = json.loads(path.read_text(encoding="utf-8"))
            if told.get("version") == _VERSION:
                made = cls()
                for each in fields(cls):
                    if isinstance(told.get(each.name), type(getattr(made, each.name))):
                        setattr(made, each.name, told[each.name])
                return made
        return cls()

    def write(self, path: Path) -> None:
        """Write it; a disk that is full or read-only loses the arrangement and nothing else."""
        self.queries = self.queries[:_HISTORY]
        if path.exists() and not path.is_file():  # a device is nothing to put a file in the place of
            return
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(json.dumps({"version": _VERSION, **asdict(self)}, indent=1), encoding="utf-8")
            new.replace(path)
