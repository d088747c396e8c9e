"""Which way of a metric is better: what the project says of it, else what its name tells.

Invariant: where neither says, nothing is called the best. Made from the settings by the workspace; asked wherever metrics are shown or searched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

__all__ = ["GUESSED", "Goals"]

_LESS_IS_BETTER = (
    "loss",
    "error",
    "err",
    "rmse",
    "mse",
    "mae",
    "perplexity",
    "ppl",
    "latency",
    "seconds",
    "time",
    "memory",
    "regret",
    "cost",
    "wer",
    "cer",
    "ter",
    "fid",
    "nll",
    "kl",
    "mape",
    "rmsle",
    "logloss",
    "brier",
    "ece",
    "divergence",
    "duration",
    "failures",
    "misses",
)
_MORE_IS_BETTER = (
    "acc",
    "accuracy",
    "f1",
    "auc",
    "precision",
    "recall",
    "score",
    "reward",
    "bleu",
    "rouge",
    "map",
    "ndcg",
    "r2",
    "iou",
    "dice",
    "throughput",
    "win",
    "auroc",
    "auprc",
    "mcc",
    "kappa",
    "mrr",
    "hits",
    "meteor",
    "psnr",
    "ssim",
    "pearson",
    "spearman",
    "similarity",
    "correct",
    "success",
    "elo",
    "sharpe",
    "fps",
)


class Goals:
    """The directions of metrics.

    Args:
        maximize: Patterns of the names of metrics of which more is better, such as ``gain*`` or ``fit/gain``.
        minimize: Those of which less is.
    """

    def __init__(self, maximize: Sequence[str] = (), minimize: Sequence[str] = ()) -> None:
        self._said = [("max", pattern) for pattern in maximize] + [("min", pattern) for pattern in minimize]

    def of(self, metric: str) -> str | None:
        """Return whether more or less of a metric is better: ``max``, ``min``, or None where nothing says.

        Args:
            metric: Its name, with the path of its node or without.
        """
        last = metric.rpartition("/")[2]
        for goal, pattern in self._said:
            if fnmatchcase(metric, pattern) or fnmatchcase(last, pattern):
                return goal
        words = set(re.split(r"[^a-z0-9]+", last.lower()))
        if words & {*_LESS_IS_BETTER}:
            return "min"
        return "max" if words & {*_MORE_IS_BETTER} else None


GUESSED = Goals()
"""The directions that names alone tell."""
