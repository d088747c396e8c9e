"""XGBoost: ``xgboost.train(..., callbacks=[FinestflowCallback()])``; estimators take it as a param."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finestflow.integrations.reports import Reports, needs
from finestflow.started import StartedRun

try:
    from xgboost.callback import TrainingCallback
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(needs("xgboost", "xgboost"), name=error.name) from error

__all__ = ["FinestflowCallback"]


class FinestflowCallback(TrainingCallback):
    """A callback of boosting: evaluations are metrics ``data/metric`` by round.

    Args:
        name: What a run of its own is called.
        run: The run to report to; the one that it is below when left out, or one of its own.
    """

    def __init__(self, name: str = "boost", *, run: StartedRun | None = None) -> None:
        super().__init__()
        self._reports = Reports(name, run)

    def before_training(self, model: Any) -> Any:
        """Begin."""
        self._reports.begin()
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Take the evaluations of a round; a cross-validation has pairs of mean and deviation."""
        last = {
            f"{data}/{metric}": values[-1][0] if isinstance(values[-1], tuple) else values[-1]
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        }
        self._reports.log(last, epoch)
        return False

    def after_training(self, model: Any) -> Any:
        """End a run of its own."""
        self._reports.end()
        return model
