"""Optuna: one run a study, or one run a trial.

``study.optimize(objective, callbacks=[FinestflowCallback()])`` reports a study into one run: the value of each trial, and the best one so far.
``study.optimize(run_each(objective))`` makes each trial a run with its own params, so that ``finestflow log`` and queries find trials.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from finestflow.integrations.reports import Reports, needs
from finestflow.started import StartedRun, start

try:
    import optuna
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(needs("optuna", "optuna"), name=error.name) from error

__all__ = ["FinestflowCallback", "run_each"]


class FinestflowCallback:
    """A callback of a study: trials are steps of the metrics ``value`` and ``best``; the best trial's params are params ``best.*``.

    Args:
        run: The run to report to; the one that it is below when left out, or one of its own, which ends with the process or the next one.
        name: What a run of its own is called; the study's name when left out.
    """

    def __init__(self, *, run: StartedRun | None = None, name: str = "") -> None:
        self._run = run
        self._name = name
        self._reports: Reports | None = None

    def __call__(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """Take a trial that has ended."""
        if self._reports is None:
            self._reports = Reports(self._name or study.study_name.replace("/", "-"), self._run)
        reports = self._reports
        if trial.values is None:  # it was pruned or failed
            return
        many = len(trial.values) > 1
        values = {f"value{index}" if many else "value": value for index, value in enumerate(trial.values)}
        if many:
            reports.log(values, trial.number)
            return
        best = study.best_trial
        reports.log({**values, "best": best.value}, trial.number)
        if best.number == trial.number:
            reports.add_params({f"best.{name}": value for name, value in trial.params.items()})


def run_each(objective: Callable[[optuna.Trial], Any], name: str = "trial") -> Callable[[optuna.Trial], Any]:
    """Return the objective with a run around each trial: its params, ``value``, and what the objective logs.

    Args:
        objective: Takes a trial and returns its value or values.
        name: What the runs are called.
    """

    @functools.wraps(objective)
    def tracked(trial: optuna.Trial) -> Any:
        with start(name) as run:
            run.tag(f"study:{trial.study.study_name}")
            try:
                value = objective(trial)
            except optuna.TrialPruned:
                run.add_params(trial.params).tag("pruned").finish()
                raise
            except BaseException:
                run.add_params(trial.params)
                raise
            values = value if isinstance(value, (list, tuple)) else [value]
            run.add_params(trial.params)
            run.log({"value" if len(values) == 1 else f"value{at}": each for at, each in enumerate(values)})
            return value

    return tracked
