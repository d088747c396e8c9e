"""scikit-learn: estimators, searches and scores, reported below a run.

scikit-learn has no training loop to hook into that all estimators share; loops of ``partial_fit`` are written out, with ``finestflow.log``.
Nothing of scikit-learn is imported: whatever has its methods and attributes will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from finestflow.current import find_reporter, log, save

__all__ = ["log_estimator", "log_scores", "log_search"]


def log_estimator(estimator: Any, name: str = "model") -> None:
    """Keep a fitted estimator as an artifact, and its params that are not at their default as params.

    Args:
        estimator: An estimator or a pipeline of some.
        name: What the artifact is called; its params are ``name.param``.
    """
    _add_params({f"{name}.{key}": value for key, value in _chosen_params(estimator).items()})
    save(estimator, name)


def log_search(search: Any, name: str = "model") -> None:
    """Report a search that has been fitted: each candidate a step, and the best estimator.

    Metrics are the columns ``mean_...`` of ``cv_results_`` by number of the candidate, and ``best_score``; the best candidate's params are
    params ``best.*``; ``cv_results`` is an artifact, and so is the best estimator when the search was told to refit.

    Args:
        search: A ``GridSearchCV``, ``RandomizedSearchCV`` or the like.
        name: What the artifact of the best estimator is called.
    """
    results = search.cv_results_
    columns = [column for column in results if column.startswith("mean_")]
    for number in range(len(results["params"])):
        log({column: results[column][number] for column in columns}, step=number)
    if hasattr(search, "best_params_"):
        _add_params({f"best.{key}": value for key, value in search.best_params_.items()})
    if hasattr(search, "best_score_"):
        log({"best_score": search.best_score_})
    save({column: [*values] for column, values in results.items()}, "cv_results")
    if hasattr(search, "best_estimator_"):
        save(search.best_estimator_, name)


def log_scores(scores: Mapping[str, Iterable[float]] | Iterable[float], name: str = "score") -> None:
    """Report the scores of a cross-validation: each fold a step, and the mean as ``name/mean``.

    Args:
        scores: What ``cross_validate`` or ``cross_val_score`` returned.
        name: What scores without a name are called.
    """
    for key, values in scores.items() if isinstance(scores, Mapping) else [(name, scores)]:
        try:
            folds = [float(value) for value in values]
        except (TypeError, ValueError):  # estimators, and indices of the folds
            continue
        for number, value in enumerate(folds):
            log({key: value}, step=number)
        if folds:
            log({f"{key}/mean": sum(folds) / len(folds)})


def _add_params(values: Mapping[str, Any]) -> None:
    add = getattr(find_reporter(), "add_params", None)
    if add is not None:
        add(values)


def _chosen_params(estimator: Any) -> dict[str, Any]:
    """Return the params that differ from those of a new estimator of the same class, where such a one can be made."""
    params = estimator.get_params()
    try:
        defaults = type(estimator)().get_params()
    except TypeError:  # it needs arguments, as a pipeline does
        defaults = {}
    plain = {key: value for key, value in params.items() if not hasattr(value, "get_params") and key != "steps"}
    return {key: value for key, value in plain.items() if key not in defaults or repr(value) != repr(defaults[key])}
