"""A search for the best settings: Optuna proposes, runs answer, and a file keeps what is known.

Owns the folder ``searches`` of the state folder: a journal of Optuna's for each search, with the words that it was begun with. Invariant: a trial
is told how its run ended, and one whose process went away without a word does not count. Optuna is an extra, loaded only here; the settings that it
searches are those of a sweep (``sweep.axes_of``). Called by the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finestflow.errors import NotFoundError, UsageError
from finestflow.sweep import Draw, axes_of, format_number

if TYPE_CHECKING:
    import optuna

__all__ = ["SAMPLERS", "Plan", "Search", "Trial", "choose_metric"]

SAMPLERS = ("tpe", "random", "cmaes")
_PLAN, _RUN, _LOST = "finestflow", "run", "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is searched for, so that it can be gone on with.

    Attributes:
        target: What is run; None is the default pipeline.
        texts: ``PATH=VALUE`` each: a draw is a range to search, several values are choices, one value is fixed.
        metric: What makes a run good.
        goal: ``max`` or ``min``.
        sampler: One of ``SAMPLERS``.
        seed: Of the sampler and of the runs.
        options: Further options of the runs.
    """

    target: str | None
    texts: tuple[str, ...]
    metric: str
    goal: str
    sampler: str = "tpe"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a search.

    Attributes:
        number: Its number, from 0.
        settings: What it was run with, by path.
        state: ``running``, ``ok``, ``pruned``, ``failed`` or ``lost``.
        value: The metric, where it was told.
        run: Id of its run.
    """

    number: int
    settings: Mapping[str, str]
    state: str = "running"
    value: float | None = None
    run: str = ""


class Search:
    """A search that is kept in a file; several threads of one process may use it, one at a time.

    Args:
        folder: The folder of searches.
        tag: The name of this one, which its runs have as a tag.
        plan: What is searched for; None goes on with what is there.

    Raises:
        UsageError: Optuna is not installed, or nothing is to be searched.
        NotFoundError: There is no search of that name to go on with.
    """

    def __init__(self, folder: Path, tag: str, plan: Plan | None = None) -> None:
        self._optuna = _load_optuna()
        path = folder / f"{tag}.log"
        if plan is None and not path.is_file():
            known = sorted(file.stem for file in folder.glob("search-*.log"))
            hint = f"there are: {', '.join(known[-5:])}" if known else "none has been begun: --trials N --metric NAME"
            raise NotFoundError(f"no search is called {tag!r}", hint)
        self.tag = tag
        self._study = self._open(path, plan)
        told = self._study.user_attrs[_PLAN]
        self.plan = Plan(**{**told, "texts": tuple(told["texts"])})
        axes = axes_of(self.plan.texts)
        self._fixed = {path: axis[0] for path, axis in axes.items() if isinstance(axis, list) and len(axis) == 1}
        self._space = {path: self._distribution(axis) for path, axis in axes.items() if path not in self._fixed}
        self._study.sampler = self._sampler()
        self._asked: dict[int, optuna.Trial] = {}

    def _open(self, path: Path, plan: Plan | None) -> optuna.Study:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        if plan is not None:
            if all(isinstance(axis, list) and len(axis) == 1 for axis in axes_of(plan.texts).values()):
                raise UsageError("nothing is to be searched", "give a range: -p lr=loguniform:1e-5:1e-1")
            path.parent.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(path)))
        if plan is None:
            study = self._optuna.load_study(study_name=path.stem, storage=storage)
            for trial in study.get_trials(deepcopy=False):
                if trial.state is self._optuna.trial.TrialState.RUNNING:  # its process went away
                    storage.set_trial_user_attr(trial._trial_id, _LOST, value=True)  # noqa: SLF001 - tell() cannot say why
                    study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
            return study
        direction = "maximize" if plan.goal == "max" else "minimize"
        study = self._optuna.create_study(study_name=path.stem, storage=storage, direction=direction)
        study.set_user_attr(_PLAN, asdict(plan))
        return study

    def _distribution(self, axis: Sequence[str] | Draw) -> optuna.distributions.BaseDistribution:
        kinds = self._optuna.distributions
        if not isinstance(axis, Draw):
            return kinds.CategoricalDistribution(tuple(axis))
        if axis.kind == "randint":
            return kinds.IntDistribution(round(axis.low), round(axis.high))
        return kinds.FloatDistribution(axis.low, axis.high, log=axis.kind == "loguniform")

    def _sampler(self) -> optuna.samplers.BaseSampler:
        samplers, seed = self._optuna.samplers, self.plan.seed + len(self._study.get_trials(deepcopy=False))
        if self.plan.sampler == "random":
            return samplers.RandomSampler(seed=seed)
        if self.plan.sampler == "cmaes":
            try:
                import cmaes  # noqa: F401 - Optuna only says so when it samples
            except ModuleNotFoundError as error:
                raise UsageError("the sampler 'cmaes' needs the package cmaes", "pip install cmaes") from error
            return samplers.CmaEsSampler(seed=seed)
        return samplers.TPESampler(seed=seed, constant_liar=True)  # what others run now is not tried again

    @property
    def is_greater_better(self) -> bool:
        """Whether the goal is a great value."""
        return self.plan.goal == "max"

    def ask(self) -> Trial:
        """Return the trial that is next."""
        asked = self._study.ask(self._space)
        self._asked[asked.number] = asked
        return Trial(number=asked.number, settings=self._settings(asked.params))

    def _settings(self, found: Mapping[str, Any]) -> dict[str, str]:
        texts = {
            path: format_number(value) if isinstance(value, float) else str(value) for path, value in found.items()
        }
        return {**self._fixed, **texts}

    def tell(self, trial: Trial) -> None:
        """Take how a trial ended: ``ok`` with its value, ``pruned`` or ``failed``."""
        states = self._optuna.trial.TrialState
        state = {"ok": states.COMPLETE, "pruned": states.PRUNED}.get(trial.state, states.FAIL)
        asked = self._asked.pop(trial.number)
        asked.set_user_attr(_RUN, trial.run)
        if trial.state == "lost":
            asked.set_user_attr(_LOST, value=True)
        self._study.tell(asked, trial.value if trial.state == "ok" else None, state=state)

    def trials(self) -> list[Trial]:
        """Return the trials that count, the best first, then those without a value."""
        states = self._optuna.trial.TrialState
        names = {states.COMPLETE: "ok", states.PRUNED: "pruned", states.FAIL: "failed"}
        found = [
            Trial(
                number=trial.number,
                settings=self._settings(trial.params),
                state=names.get(trial.state, "running"),
                value=trial.value if trial.state is states.COMPLETE else None,
                run=trial.user_attrs.get(_RUN, ""),
            )
            for trial in self._study.get_trials(deepcopy=False)
            if _LOST not in trial.user_attrs
        ]
        sign = -1.0 if self.is_greater_better else 1.0
        return sorted(found, key=lambda trial: (trial.value is None, sign * (trial.value or 0.0), trial.number))


def choose_metric(metrics: Mapping[str, float], name: str) -> float:
    """Return the metric that a name means: that very one, else the only one of a node with that name.

    Raises:
        UsageError: There is none, or several.
    """
    if name in metrics:
        return metrics[name]
    found = [each for each in metrics if each.endswith(f"/{name}")]
    if len(found) == 1:
        return metrics[found[0]]
    if found:
        raise UsageError(f"{name!r} is a metric of several nodes", f"name one: {', '.join(sorted(found)[:5])}")
    known = ", ".join(sorted(metrics)[:5])
    raise UsageError(
        f"the run has no metric {name!r}", f"it has: {known}" if known else "it has none; self.log(...) reports one"
    )


def _load_optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise UsageError("a search needs Optuna", "pip install 'finestflow[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
