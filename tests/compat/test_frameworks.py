"""Callbacks, against the real frameworks where they are installed: ``pip install torch lightning transformers keras optuna xgboost``.

Each works below a run and with one of its own; what a framework does is as small as it can be.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

import finestflow
from finestflow import current as meant
from finestflow.workspace import Workspace, current
from tests.docs.test_examples import blocks
from tests.sampling import slow

os.environ.setdefault("KERAS_BACKEND", "torch")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def workspace(repository: Path, monkeypatch) -> Workspace:
    """The workspace of a repository that the test works in; frameworks may warn as they like."""
    monkeypatch.chdir(repository)
    yield current()
    for run in [*meant.iter_open_runs()]:
        run.finish()
    current().close()


@pytest.fixture
def runs(workspace):
    """Read the runs, newest first."""

    def load():
        workspace.refresh()
        return [workspace.load_run(run) for run in workspace.select()]

    return load


def steps_of(run, name):
    return [step for step, _, _ in run.metrics[name].values]


@pytest.mark.slow  # loading it takes seconds, and makes each later fork of this process dearer
class TestScikitLearn:
    @pytest.fixture(autouse=True)
    def data(self):
        pytest.importorskip("sklearn")
        import numpy as np

        self.X = np.arange(40.0).reshape(20, 2)
        self.y = np.arange(20) % 2

    def test_a_search_is_a_step_a_candidate(self, workspace, runs):
        from sklearn.model_selection import GridSearchCV
        from sklearn.tree import DecisionTreeClassifier

        from finestflow.integrations.sklearn import log_search

        search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=2)
        with finestflow.start("search"):
            log_search(search.fit(self.X, self.y))

        (run,) = runs()
        assert steps_of(run, "mean_test_score") == [0, 1, 2]
        assert run.summary.metrics["best_score"] == search.best_score_
        assert run.summary.params == {"best.max_depth": search.best_params_["max_depth"]}
        assert workspace.load_output(run, "model").predict(self.X).shape == (20,)
        assert len(workspace.load_output(run, "cv_results")["params"]) == 3

    def test_an_estimator_and_its_scores(self, workspace, runs):
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_validate

        from finestflow.integrations.sklearn import log_estimator, log_scores

        estimator = LogisticRegression(C=0.5)
        with finestflow.start("fit"):
            log_scores(cross_validate(estimator, self.X, self.y, cv=2))
            log_scores([0.5, 0.7], "f1")
            log_estimator(estimator.fit(self.X, self.y))

        (run,) = runs()
        assert run.summary.params == {"model.C": 0.5}
        assert steps_of(run, "test_score") == [0, 1]
        assert run.summary.metrics["f1/mean"] == pytest.approx(0.6)
        assert workspace.load_output(run, "model").C == 0.5

    def test_a_loop_of_partial_fit_needs_nothing_of_ours(self, runs):
        from sklearn.linear_model import SGDClassifier

        model = SGDClassifier(random_state=0)
        with finestflow.start("partial"):
            for epoch in finestflow.track(range(3)):
                model.partial_fit(self.X, self.y, classes=[0, 1])
                finestflow.log(accuracy=model.score(self.X, self.y), step=epoch)

        assert steps_of(runs()[0], "accuracy") == [0, 1, 2]


class TestOptuna:
    @pytest.fixture(autouse=True)
    def optuna(self):
        self.optuna = pytest.importorskip("optuna")
        self.optuna.logging.set_verbosity(self.optuna.logging.ERROR)

    def study(self):
        return self.optuna.create_study(study_name="squares", sampler=self.optuna.samplers.RandomSampler(seed=0))

    @staticmethod
    def objective(trial):
        finestflow.log(seen=1)
        return (trial.suggest_float("x", -1, 1)) ** 2

    def test_a_study_is_a_run_with_a_step_a_trial(self, runs):
        from finestflow.integrations.optuna import FinestflowCallback

        study = self.study()
        with finestflow.start("tune"):
            study.optimize(self.objective, n_trials=4, callbacks=[FinestflowCallback()])

        (run,) = runs()
        assert steps_of(run, "value") == [0, 1, 2, 3]
        assert run.summary.metrics["best"] == study.best_value
        assert run.summary.params == {"best.x": study.best_params["x"]}

    def test_each_trial_can_be_a_run(self, runs):
        from finestflow.integrations.optuna import run_each

        def objective(trial):
            value = self.objective(trial)
            if trial.number == 1:
                raise self.optuna.TrialPruned
            return value

        study = self.study()
        study.optimize(run_each(objective), n_trials=3)

        found = runs()[::-1]
        assert [run.summary.params["x"] for run in found] == [trial.params["x"] for trial in study.trials]
        assert [run.summary.metrics.get("value") for run in found] == [trial.value for trial in study.trials]
        assert ["pruned" in run.summary.tags for run in found] == [False, True, False]
        assert {run.summary.status for run in found} == {"ok"}
        assert "study:squares" in found[0].summary.tags


class TestXGBoost:
    def test_evaluations_are_metrics_by_round(self, runs):
        xgboost = pytest.importorskip("xgboost")
        import numpy as np

        from finestflow.integrations.xgboost import FinestflowCallback

        data = xgboost.DMatrix(np.arange(20.0).reshape(10, 2), label=np.arange(10) % 2)
        xgboost.train(
            {"max_depth": 1}, data, 3, evals=[(data, "train")], callbacks=[FinestflowCallback()], verbose_eval=False
        )

        (run,) = runs()
        assert (run.summary.pipeline, run.summary.status) == ("boost", "ok")
        assert steps_of(run, "train/rmse") == [0, 1, 2]


class TestKeras:
    @pytest.fixture(autouse=True)
    def keras(self):
        pytest.importorskip("torch")
        self.keras = pytest.importorskip("keras")

    def fit(self, **options):
        import numpy as np

        model = self.keras.Sequential([self.keras.layers.Dense(1)])
        model.compile(optimizer=self.keras.optimizers.SGD(learning_rate=0.25), loss="mse")
        model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, batch_size=4, verbose=0, **options)

    def test_epochs_are_steps_below_a_run(self, runs):
        from finestflow.integrations.keras import FinestflowCallback

        with finestflow.start("mine"):
            self.fit(callbacks=[FinestflowCallback()])

        (run,) = runs()
        assert steps_of(run, "loss") == [0, 1, 2]
        assert run.summary.params["optimizer.learning_rate"] == 0.25
        assert run.summary.params["epochs"] == 3

    def test_without_a_run_it_makes_one(self, runs):
        from finestflow.integrations.keras import FinestflowCallback

        callback = FinestflowCallback("net")
        for _ in range(2):
            self.fit(callbacks=[callback], validation_split=0.5)

        assert [(run.summary.pipeline, run.summary.status) for run in runs()] == [("net", "ok")] * 2
        assert "val_loss" in runs()[0].summary.metrics


class TestLightning:
    @pytest.fixture(autouse=True)
    def lightning(self):
        self.lightning = pytest.importorskip("lightning.pytorch")

    def fit(self, logger, folder, *, fails=False, checkpoints=False):
        import torch

        class Net(self.lightning.LightningModule):
            def __init__(self, lr):
                super().__init__()
                self.save_hyperparameters()
                self.layer = torch.nn.Linear(2, 1)

            def training_step(self, batch, _):
                if fails:
                    raise ValueError("boom")
                loss = self.layer(batch[0]).pow(2).mean()
                self.log("loss", loss)
                return loss

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 2)), batch_size=2)
        trainer = self.lightning.Trainer(
            max_epochs=2, logger=logger, accelerator="cpu", log_every_n_steps=1, enable_checkpointing=checkpoints,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        )  # fmt: skip
        trainer.fit(Net(lr=0.1), data)

    def test_a_logger_makes_a_run(self, workspace, runs, tmp_path):
        from finestflow.integrations.lightning import FinestflowLogger

        self.fit(FinestflowLogger("net"), tmp_path, checkpoints=True)

        (run,) = runs()
        assert (run.summary.pipeline, run.summary.status, run.summary.params["lr"]) == ("net", "ok", 0.1)
        assert run.metrics["loss"].count == 4
        assert workspace.load_output(run, "checkpoint.ckpt").stat().st_size > 0

    def test_below_a_run_it_reports_into_it(self, runs, tmp_path):
        from finestflow.integrations.lightning import FinestflowLogger

        with finestflow.start("mine") as own:
            self.fit(FinestflowLogger(run=own), tmp_path)

        (run,) = runs()
        assert (run.summary.pipeline, run.metrics["loss"].count) == ("mine", 4)

    def test_a_training_that_fails_is_a_run_that_failed(self, runs, tmp_path):
        from finestflow.integrations.lightning import FinestflowLogger

        with pytest.raises(ValueError, match="boom"):
            self.fit(FinestflowLogger(), tmp_path, fails=True)

        assert (runs()[0].summary.status, runs()[0].summary.error) == ("failed", "ValueError: boom")


class TestTransformers:
    def test_the_trainer_reports_by_global_step(self, workspace, runs, tmp_path):
        transformers = pytest.importorskip("transformers")
        torch = pytest.importorskip("torch")
        pytest.importorskip("accelerate")
        from finestflow.integrations.transformers import FinestflowCallback

        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(2, 1)

            def forward(self, x, labels=None):
                out = self.layer(x)
                return {"loss": (out - labels).pow(2).mean(), "logits": out}

        data = [{"x": torch.ones(2), "labels": torch.ones(1)} for _ in range(8)]
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path / "out"), num_train_epochs=2, per_device_train_batch_size=4, logging_steps=1,
            learning_rate=0.25, report_to=[], disable_tqdm=True, use_cpu=True, save_steps=4,
        )  # fmt: skip
        trainer = transformers.Trainer(
            model=Net(), args=arguments, train_dataset=data, callbacks=[FinestflowCallback(checkpoints=True)]
        )
        trainer.train()

        (run,) = runs()
        assert (run.summary.pipeline, run.summary.status) == ("trainer", "ok")
        assert steps_of(run, "loss") == [1, 2, 3, 4]
        assert run.summary.params["learning_rate"] == 0.25
        assert "output_dir" not in run.summary.params
        assert workspace.load_output(run, "checkpoint").is_dir()


class TestDataLoaders:
    @pytest.mark.parametrize("context", ["fork", "spawn"])
    def test_workers_that_log_do_not_harm_the_run(self, runs, context):
        """Forked workers log into the run; spawned ones know of none, and say so on their stderr."""
        torch = pytest.importorskip("torch")

        with warnings.catch_warnings(), finestflow.start("load") as run:
            warnings.simplefilter("ignore")
            loader = torch.utils.data.DataLoader(Numbers(), num_workers=2, multiprocessing_context=context)
            for step, item in enumerate(loader):
                run.log(seen=float(item), step=step)

        (found,) = runs()
        assert found.summary.status == "ok"
        assert sorted(value for _, value, _ in found.metrics["seen"].values) == [0, 1, 2, 3]
        assert ("of_worker" in found.metrics) == (context == "fork")


class Numbers:
    """A data set whose items are logged where they are read."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        finestflow.log(of_worker=index)
        return float(index)


@pytest.mark.parametrize(
    "framework", [*slow(["sklearn", "lightning.pytorch", "transformers", "keras", "xgboost"]), "optuna"]
)
def test_the_example_of_the_page_runs_and_is_recorded(framework, runs, monkeypatch):
    pytest.importorskip(framework)
    (example,) = [
        block for block in blocks("docs/how-to/frameworks.md", "python") if block.startswith(f"# {framework}\n")
    ]

    exec(compile(example, framework, "exec"), {"__name__": "example"})

    assert {run.summary.status.value for run in runs()} == {"ok"}
    assert all(run.metrics for run in runs())


def test_a_framework_that_is_missing_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setitem(sys.modules, "keras.callbacks", None)
    monkeypatch.delitem(sys.modules, "finestflow.integrations.keras", raising=False)

    with pytest.raises(ModuleNotFoundError, match="pip install keras"):
        import finestflow.integrations.keras  # noqa: F401
