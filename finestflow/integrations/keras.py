"""Keras 3: ``model.fit(..., callbacks=[FinestflowCallback()])``, with any backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finestflow.integrations.reports import Reports, needs
from finestflow.started import StartedRun

try:
    from keras.callbacks import Callback
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(needs("keras", "keras"), name=error.name) from error

__all__ = ["FinestflowCallback"]


class FinestflowCallback(Callback):
    """A callback of ``fit``: the optimizer's settings are params, what an epoch ends with are metrics, batches are progress.

    Args:
        name: What a run of its own is called.
        run: The run to report to; the one that it is below when left out, or one of its own.
    """

    def __init__(self, name: str = "fit", *, run: StartedRun | None = None) -> None:
        super().__init__()
        self._reports = Reports(name, run)
        self._epoch = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin, with what is known of the training."""
        self._reports.begin(self._settings)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Take how far it is, in epochs."""
        steps = self.params.get("steps")
        if steps:
            self._reports.progress(self._epoch + (batch + 1) / steps, self.params.get("epochs"))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Take the metrics of an epoch."""
        self._reports.log(logs or {}, epoch)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """End a run of its own."""
        self._reports.end()

    def _settings(self) -> dict[str, Any]:
        model: Any = self.model
        found = {"epochs": self.params.get("epochs"), "steps": self.params.get("steps")}
        if getattr(model, "optimizer", None) is not None:
            settings = model.optimizer.get_config().items()
            found |= {f"optimizer.{name}": value for name, value in settings if value not in {None, False}}
        return found
