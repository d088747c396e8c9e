"""How one run is made: the options that a person gives, and which executor they amount to.

Invariant: an option that cannot be kept is an error before anything runs. Read by ``runner``; made by the workspace, the command line, and
``Pipeline.options``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finestflow.errors import UsageError, nearest_hint

__all__ = ["EXECUTORS", "RunOptions", "choose_executor"]

EXECUTORS = ("sequential", "process")
"""The executors of this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How one run is made.

    Attributes:
        executor: How tasks run; ``auto`` is ``process`` where more than one job is asked for, else ``sequential``.
        jobs: How many calls run at a time; ``auto`` is one a core, None is one unless workers are asked for by name.
        timeout: Seconds after which a call is ended whose task has no ``Meta.timeout``; 0 and None are never.
        start: Patterns of the nodes that the run starts at; what lies before comes from the cache or from ``from_run``.
        stop: Patterns of the nodes that it stops at: nothing else is computed than what they need.
        from_run: The run that outputs before the start may come from.
        cache: False neither reads nor writes entries.
        force: Patterns of node paths that run although they are hits; True is all.
        name: A name instead of the made-up one.
        note: What a person says of the run.
        tags: Words to find it by.
        keep_going: Whether what does not depend on a failure still runs.
        context: Values of the context, given at the start.
        seed: Seed of the run.
        echo: Whether what tasks print is also shown.
        descriptors: Whether what C code and child processes print in this process is a call's, too; only for who shows the run on streams of its own.
        threads: How many threads BLAS, OpenMP and polars have in each worker; the workspace fills it in, and it is recorded.
    """

    executor: str = "auto"
    jobs: int | str | None = None
    timeout: float | None = None
    start: str | Iterable[str] = ()
    stop: str | Iterable[str] = ()
    from_run: str = ""
    cache: bool = True
    force: bool | str | tuple[str, ...] = ()
    name: str = ""
    note: str = ""
    tags: Iterable[str] = ()
    keep_going: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    echo: bool = True
    descriptors: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("tags", "start", "stop"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        if self.from_run and not self.start:
            raise UsageError("from_run is given without a start", "say where the run starts: start=..., --from")
        if self.executor not in {"auto", *EXECUTORS}:
            raise UsageError(
                f"there is no executor {self.executor!r}", nearest_hint(self.executor, EXECUTORS, "executors")
            )
        if self.jobs not in {None, "auto"} and not (type(self.jobs) is int and self.jobs > 0):
            raise UsageError(f"jobs is {self.jobs!r}", 'expected a whole number, 1 or more, or "auto"')
        if self.timeout is not None and not (type(self.timeout) in {int, float} and self.timeout >= 0):
            raise UsageError(f"timeout is {self.timeout!r}", "expected seconds")

    @property
    def forced(self) -> tuple[str, ...]:
        """Return the patterns of forced nodes."""
        if isinstance(self.force, bool):
            return ("*",) if self.force else ()
        return (self.force,) if isinstance(self.force, str) else tuple(self.force)


def choose_executor(executor: str, jobs: int | str | None, cores: int) -> tuple[str, int]:
    """Return the name of an executor and its number of jobs.

    Args:
        executor: As an option names it.
        jobs: As an option gives it.
        cores: How many cores this process may use.
    """
    count = cores if jobs == "auto" else jobs
    if executor == "auto":
        executor = "sequential" if count in {None, 1} else "process"
    return executor, 1 if executor == "sequential" else int(count or cores)
