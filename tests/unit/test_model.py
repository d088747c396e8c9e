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


def test_a_summary_survives_a_pickle_round_trip():
    summary = model.RunSummary(
        id=model.RunId("k" * 12),
        name="brisk-lynx-41",
        pipeline="digits",
        status=model.RunStatus.OK,
        started=1.5,
        seconds=2.0,
        params={"svm.C": 1.0},
    )

    assert pickle.loads(pickle.dumps(summary)) == summary


def test_a_status_is_its_word():
    assert f"{model.RunStatus.CANCELLED}" == "cancelled"
    assert model.NodeStatus("hit") is model.NodeStatus.HIT


def test_nothing_can_be_put_into_the_defaults_that_records_share():
    one, two = model.NodeRecord(path="a", task="t"), model.NodeRecord(path="a", task="t")

    assert one == two
    if one.params is two.params:
        with pytest.raises(TypeError):
            one.params["x"] = 1
