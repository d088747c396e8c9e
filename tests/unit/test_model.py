"""The words of finestflow as data."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from finestflow import model

CLASSES = [found for name in model.__all__ if dataclasses.is_dataclass(found := getattr(model, name))]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
class TestEveryClass:
    def test_is_frozen_slotted_and_keyword_only(self, cls):
        assert cls.__dataclass_params__.frozen
        assert "__slots__" in cls.__dict__
        assert all(field.kw_only for field in dataclasses.fields(cls))

    def test_has_a_sentence(self, cls):
        assert cls.__doc__.strip().split("\n")[0].endswith((".", ":"))


def test_a_run_survives_a_pickle_round_trip():
    summary = model.RunSummary(
        id=model.RunId("k" * 12),
        name="brisk-lynx-41",
        pipeline="digits",
        status=model.RunStatus.OK,
        started=1.5,
        seconds=2.0,
        params={"svm.C": 1.0},
    )
    node = model.NodeRecord(
        path="fit", task="m:Fit", status=model.NodeStatus.HIT, output=model.OutputRecord(digest=None)
    )
    run = model.Run(summary=summary, nodes={"fit": node})

    assert pickle.loads(pickle.dumps(run)) == run


def test_a_status_is_its_word():
    assert f"{model.RunStatus.CANCELLED}" == "cancelled"
    assert model.NodeStatus("hit") is model.NodeStatus.HIT


def test_equal_runs_share_no_mutable_defaults():
    one, two = model.NodeRecord(path="a", task="t"), model.NodeRecord(path="a", task="t")

    assert one == two
    assert one.params is not two.params
