"""Hugging Face: ``Trainer(..., callbacks=[FinestflowCallback()])``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from finestflow.given import is_secret
from finestflow.integrations.reports import Reports, needs
from finestflow.started import StartedRun

try:
    from transformers import TrainerCallback
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(needs("transformers", "transformers"), name=error.name) from error

__all__ = ["FinestflowCallback"]

_ALWAYS = frozenset({"learning_rate", "num_train_epochs", "per_device_train_batch_size", "seed"})
_NEVER = frozenset({"output_dir", "logging_dir", "report_to", "run_name"})


class FinestflowCallback(TrainerCallback):
    """A callback of the Trainer: its arguments are params, what it logs metrics by global step, and its progress is seen.

    Args:
        name: What a run of its own is called.
        run: The run to report to; the one that it is below when left out, or one of its own.
        checkpoints: Whether the best checkpoint, or the last one, is kept as the artifact ``checkpoint`` when training ends.
    """

    def __init__(self, name: str = "trainer", *, run: StartedRun | None = None, checkpoints: bool = False) -> None:
        self._reports = Reports(name, run)
        self._keeps_checkpoints = checkpoints

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin, with the arguments that were set."""
        if state.is_world_process_zero:
            self._reports.begin(lambda: _chosen_arguments(args))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Take what the trainer logs."""
        if state.is_world_process_zero and logs:
            self._reports.log(logs, state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take how far it is."""
        if state.is_world_process_zero:
            self._reports.progress(state.global_step, state.max_steps or None)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the checkpoint, and end a run of its own."""
        if not state.is_world_process_zero:
            return
        if self._keeps_checkpoints:
            best = state.best_model_checkpoint or Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self._reports.save(Path(best), "checkpoint")
        self._reports.end()


def _chosen_arguments(args: Any) -> dict[str, Any]:
    """Return the arguments that are not at their default, and those that everybody asks for: there are more than a hundred."""
    found = {}
    for field in dataclasses.fields(args):
        name, value = field.name, getattr(args, field.name, None)
        is_default = field.default is not dataclasses.MISSING and value == field.default
        is_plain = isinstance(value, (str, int, float, bool))
        if name in _ALWAYS or not (is_default or not is_plain or name in _NEVER or name.startswith("_")):
            found[name] = "***" if is_secret(name) else value
    return found
