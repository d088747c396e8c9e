"""PyTorch Lightning: ``Trainer(logger=FinestflowLogger())``.

Works with ``lightning`` and with ``pytorch_lightning``; of the two the one that is imported already is taken.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finestflow.given import flat_values
from finestflow.integrations.reports import Reports, needs
from finestflow.started import StartedRun

try:
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
        from pytorch_lightning.utilities.rank_zero import rank_zero_only
    else:
        from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
        from lightning.pytorch.utilities.rank_zero import rank_zero_only
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(needs("lightning", "lightning"), name=error.name) from error

__all__ = ["FinestflowLogger"]


class FinestflowLogger(Logger):
    """A logger of Lightning: hyperparameters are params, logged values metrics, checkpoints artifacts.

    Args:
        name: What a run of its own is called.
        run: The run to report to; the one that it is below when left out, or one of its own.
        checkpoints: Whether the best checkpoint is kept as the artifact ``checkpoint.ckpt`` when training ends.
    """

    def __init__(self, name: str = "lightning", *, run: StartedRun | None = None, checkpoints: bool = True) -> None:
        super().__init__()
        self._name = name
        self._reports = Reports(name, run)
        self._keeps_checkpoints = checkpoints
        self._checkpoint: Path | None = None

    @property
    def name(self) -> str:
        """What its run is called."""
        return self._name

    @property
    def version(self) -> str:
        """The id of its run; empty below a run that it was not given."""
        run = self._reports.run
        return run.id if run is not None else ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Reports:
        """What it reports to."""
        self._reports.reporter  # noqa: B018 - begins it
        return self._reports

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Take hyperparameters."""
        self._reports.add_params(flat_values(params))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Take metrics."""
        self._reports.log(metrics, step)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Remember the best checkpoint."""
        path = checkpoint_callback.best_model_path or checkpoint_callback.last_model_path
        self._checkpoint = Path(path) if path else None

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Keep the checkpoint, and end a run of its own."""
        if self._keeps_checkpoints and self._checkpoint is not None and self._checkpoint.exists():
            self._reports.save(self._checkpoint, "checkpoint.ckpt")
            self._checkpoint = None
        self._reports.end(None if status == "success" else sys.exc_info()[1] or RuntimeError(f"training {status}"))
