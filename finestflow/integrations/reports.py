"""Where a callback of a framework reports: into the run that it is below, or into one of its own.

Invariant: a callback works with and without a run around it, in a task of a pipeline too, and raises nothing into the framework's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from finestflow.current import Reporter, find_reporter
from finestflow.started import StartedRun, start

__all__ = ["Reports", "needs"]


class Reports:
    """The run that a callback reports to.

    Args:
        name: What a run of its own is called.
        run: The run; the one that it is below when left out, and a run of its own where there is none.
    """

    def __init__(self, name: str, run: StartedRun | None = None) -> None:
        self._name = name
        self._given = run
        self._own: StartedRun | None = None
        self._reporter: Reporter | None = None

    @property
    def reporter(self) -> Reporter:
        """What takes metrics, artifacts and progress; begins when it is first asked for."""
        return self._reporter or self.begin()

    @property
    def run(self) -> StartedRun | None:
        """The run of its own, or that it was given; None below another one."""
        return self._given or self._own

    def begin(self, params: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = dict) -> Reporter:
        """Begin to report, with the params of what is trained."""
        values = params() if callable(params) else params
        found = self._reporter or (self._given.reporter if self._given is not None else find_reporter())
        if found is None:
            self._own = start(self._name)
            found = self._own.reporter
        self._reporter = found
        self.add_params(values)
        return found

    def add_params(self, values: Mapping[str, Any]) -> None:
        """Add params to the run; a task has its own, which are declared, and takes none."""
        add = getattr(self.reporter, "add_params", None)
        if add is not None and values:
            add(values)

    def log(self, values: Mapping[str, Any], step: float | None = None) -> None:
        """Report those of the values that are numbers."""
        numbers = {name: value for name, value in values.items() if not isinstance(value, (str, bytes, type(None)))}
        self.reporter.log(numbers, step)

    def save(self, value: Any, name: str = "") -> None:
        """Keep an artifact."""
        self.reporter.save(value, name)

    def progress(self, done: float, total: float | None) -> None:
        """Report how far it is."""
        self.reporter.progress(done, total)

    def end(self, error: BaseException | None = None) -> None:
        """End the run where it is of its own; the next one begins anew."""
        if self._own is not None:
            self._own.finish(error)
        self._own = self._reporter = None


def needs(module: str, package: str) -> str:
    """Return what is said when a framework is not there."""
    return f"finestflow.integrations.{module} needs {package}: pip install {package}"
