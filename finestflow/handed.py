"""What a process was handed by the finestflow process that started it: a variable of the environment.

``finestflow run script.py`` hands its script the run that it is part of; ``reproduce`` hands which run is run again; a sweep hands secrets to its
runs. Both sides are here, so that nobody else knows the variable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

__all__ = ["Handed", "has_made_runs", "read_handed"]

_VARIABLE = "_FINESTFLOW_HANDED"
_MARK = "made-runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a run in this process has from outside.

    Attributes:
        live: Live folder of the run that the whole process is; empty when it is none.
        root: Top of the project of that run.
        node: The node of that run.
        name: A name for the first run that it makes.
        note: A note for the runs that it makes.
        tags: Tags for the runs that it makes.
        reproduces: Id of the run that is run again; empty when none is.
        turn: Which of the runs that the process starts stands for that one; the others are not recorded.
        run_id: Id of the new run.
        settings: Secret settings of the run, by path: they stand on no command line and in no queue.
    """

    live: str = ""
    root: str = ""
    node: str = ""
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    reproduces: str = ""
    turn: int = 0
    run_id: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the variable to hand it over with."""
        return {_VARIABLE: json.dumps(asdict(self))}

    def mark_runs(self) -> None:
        """Tell the process outside that this one makes runs of its own: they are the record of it."""
        folder = Path(self.live)
        if self.live and folder.is_dir():
            (folder / _MARK).touch()


def read_handed(environ: Mapping[str, str]) -> Handed:
    """Return what the environment hands over; what is damaged counts as nothing."""
    try:
        fields = json.loads(environ.get(_VARIABLE, "{}"))
        return replace(Handed(**fields), tags=tuple(fields.get("tags", ())))
    except (ValueError, TypeError):
        return Handed()


def has_made_runs(live: Path) -> bool:
    """Whether the process that a live folder is about has made runs of its own."""
    return (live / _MARK).exists()
