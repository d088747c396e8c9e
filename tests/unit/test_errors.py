"""Walks the whole tree of errors."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from finestflow import errors
from finestflow.errors import FinestflowError, ValueNotStorableError, nearest_hint


def iter_tree(cls: type[FinestflowError]) -> Iterator[type[FinestflowError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from iter_tree(child)


TREE = sorted(set(iter_tree(FinestflowError)), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
class TestEveryError:
    def test_survives_a_pickle_round_trip_with_all_it_carries(self, cls):
        error = cls("no run matches 'kxqp'", "list runs")
        error.extra = {"node": "fit"}

        back = pickle.loads(pickle.dumps(error))

        assert type(back) is cls
        assert (back.message, back.hint, back.extra) == (error.message, error.hint, {"node": "fit"})

    def test_shows_message_and_hint(self, cls):
        assert str(cls("no run", "list runs")) == "no run (list runs)"
        assert str(cls("no run")) == "no run"

    def test_has_an_exit_code_of_the_table(self, cls):
        assert cls.exit_code in {1, 2, 3, 4, 5, 6}

    def test_is_exported_and_has_a_sentence(self, cls):
        assert cls.__name__ in errors.__all__
        assert cls.__doc__.strip().split("\n")[0].endswith(".")

    def test_stands_in_the_tree_of_the_module_docstring(self, cls):
        assert cls.__name__ in errors.__doc__


def test_a_value_error_keeps_the_place_inside_the_value():
    error = pickle.loads(pickle.dumps(ValueNotStorableError("no", "hint", "[0].model")))

    assert error.where == "[0].model"


class TestNearestHint:
    def test_names_the_nearest(self):
        assert nearest_hint("job", ["jobs", "executor"]) == "did you mean 'jobs'?"

    def test_lists_what_there_is_when_nothing_is_near(self):
        assert nearest_hint("zzzzz", ["b", "a"], "settings") == "settings: a, b"

    def test_says_none_when_there_is_nothing(self):
        assert nearest_hint("x", []) == "known: none"

    def test_cuts_a_long_list(self):
        assert nearest_hint("zzzzzz", [f"name{i:02}" for i in range(20)]).endswith(", ...")
