"""What a search proposes, is told, and keeps."""

from __future__ import annotations

import sys

import pytest

from finestflow.errors import NotFoundError, UsageError
from finestflow.search import Plan, Search, choose_metric

pytest.importorskip("optuna")

TEXTS = (
    "lr=loguniform:1e-4:1",
    "depth=randint:2:4",
    "momentum=uniform:0:1",
    "kind=svm,forest",
    "epochs=3",
    'note="a,b"',
)


def plan(*texts: str, **more) -> Plan:
    return Plan(**{"target": "f.py:F", "texts": texts or TEXTS, "metric": "f1", "goal": "max", **more})


def tell(search: Search, value: float | None, state: str = "ok") -> None:
    from dataclasses import replace

    search.tell(replace(search.ask(), state=state, value=value, run="kkkk"))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_settings_are_proposed_inside_of_what_a_sweep_would_draw_from(tmp_path, sampler):
    search = Search(tmp_path, "search-1", plan(sampler=sampler))
    for _ in range(4):
        trial = search.ask()
        assert list(trial.settings) == ["epochs", "note", "lr", "depth", "momentum", "kind"]
        assert (trial.settings["epochs"], trial.settings["note"]) == ("3", "a,b")
        assert 1e-4 <= float(trial.settings["lr"]) <= 1
        assert trial.settings["depth"] in {"2", "3", "4"}
        assert trial.settings["kind"] in {"svm", "forest"}


@pytest.mark.parametrize(("goal", "best"), [("max", [1, 0]), ("min", [0, 1])])
def test_the_best_comes_first_and_what_has_no_value_last(tmp_path, goal, best):
    search = Search(tmp_path, "search-1", plan(goal=goal))
    tell(search, 0.5)
    tell(search, 0.7)
    tell(search, None, "pruned")
    tell(search, None, "failed")
    tell(search, None, "lost")
    assert [(trial.number, trial.state) for trial in search.trials()] == [
        *((number, "ok") for number in best),
        (2, "pruned"),
        (3, "failed"),
    ]
    assert {trial.run for trial in search.trials()} == {"kkkk"}


def test_it_goes_on_as_it_was_begun_and_what_was_under_way_does_not_count(tmp_path):
    """Also when the process was killed in the middle; other settings are proposed than before."""
    first = Search(tmp_path, "search-1", plan(options={"tags": ["a"]}))
    tell(first, 0.5)
    under_way = first.ask()
    second = Search(tmp_path, "search-1")
    assert second.plan == plan(options={"tags": ["a"]})
    assert [trial.number for trial in second.trials()] == [0]
    asked = second.ask()
    assert asked.number == 2
    assert asked.settings["lr"] not in {under_way.settings["lr"], first.trials()[0].settings["lr"]}


def test_a_search_that_is_not_there_or_has_nothing_to_search_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="search-2") as caught:
        Search(tmp_path, "search-2")
    assert "none has been begun" in caught.value.hint
    with pytest.raises(UsageError, match="nothing is to be searched"):
        Search(tmp_path, "search-1", plan("a=1", "b=2"))
    assert list(tmp_path.iterdir()) == []
    Search(tmp_path, "search-1", plan())
    with pytest.raises(NotFoundError) as caught:
        Search(tmp_path, "search-2")
    assert caught.value.hint == "there are: search-1"


def test_without_optuna_the_command_that_installs_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError) as caught:
        Search(tmp_path, "search-1", plan())
    assert caught.value.hint == "pip install 'finestflow[optuna]'"
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(UsageError) as caught:
        Search(tmp_path, "search-1", plan(sampler="cmaes"))
    assert caught.value.hint == "pip install cmaes"


def test_a_metric_is_named_in_full_or_by_its_last_word(tmp_path):
    metrics = {"f1": 1.0, "fit/f1": 2.0, "a/loss": 3.0, "b/loss": 4.0, "fit/acc": 5.0}
    assert choose_metric(metrics, "f1") == 1.0
    assert choose_metric(metrics, "acc") == 5.0
    with pytest.raises(UsageError, match="several nodes") as caught:
        choose_metric(metrics, "loss")
    assert caught.value.hint == "name one: a/loss, b/loss"
    with pytest.raises(UsageError, match="no metric 'mse'"):
        choose_metric({}, "mse")
