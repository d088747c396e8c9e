"""Descriptions: plain data that a task can be made of again, without secrets."""

import decimal
import enum
import functools
import json
import math
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from finestflow.errors import NotFoundError, ParamError, ValueNotStorableError
from finestflow.pipeline.describe import (
    dump_task,
    dump_value,
    flat_params,
    is_complete,
    load_task,
    load_value,
    secret_values,
)
from finestflow.pipeline.param import Param
from finestflow.pipeline.pipeline import Pipeline, import_target
from finestflow.pipeline.task import Task


class Colour(enum.Enum):
    RED = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Fit(Task):
    C: float = 1.0
    use_gpu: bool = Param(False, digest=False)
    function: Any = len
    token: str | None = Param(None, secret=True)

    def run(self, x):
        return x


class Digits(Pipeline):
    size: int = 3
    svm: Fit = Fit(C=2)
    parse: Task = json.loads
    extra: Fit | None

    def __call__(self, x):
        return self.svm(x)


def identity(thing):
    return f"{thing.__module__}:{thing.__qualname__}"


def round_trip(task, given=None, put=None, get=None):
    data = json.loads(json.dumps(dump_task(task, identity, put)))
    return load_task(data, import_target, get, given)


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            3,
            10**30,
            0.1,
            math.inf,
            -math.inf,
            "a\ud800",
            [1, [2]],
            (1, (2,)),
            {1, 2},
            frozenset({"a"}),
            {"a": {"b": 1}},
            {0: 1.0, 1: 5.0},
            {"$task": 1},
            {(1, 2): Colour.RED},
            {("a", 1)},
            Path("a/b"),
            Colour.RED,
            Right.READ,
            Right.READ | Right.WRITE,
            len,
            json.loads,
            decimal.Decimal,
            Fit,
        ],
        ids=lambda value: getattr(value, "__qualname__", None) or repr(value),
    )
    def test_come_back_as_they_were(self, value):
        data = json.loads(json.dumps(dump_value(value, identity=identity)))
        found = load_value(data)

        assert found == value
        assert type(found) is type(value)

    def test_not_a_number_comes_back(self):
        data = json.dumps(dump_value(math.nan), allow_nan=False)

        assert math.isnan(load_value(json.loads(data)))

    def test_a_mark_is_no_valid_name_of_a_plain_dict(self):
        assert dump_value({"$path": "a"}) == {"$dict": [["$path", "a"]]}

    def test_what_json_lacks_is_kept_by_digest(self):
        kept = {}

        def put(value):
            kept["d1"] = value
            return "d1"

        data = dump_value([b"bytes"], put)

        assert data == [{"$digest": "d1", "preview": "bytes"}]
        assert load_value(data, kept.__getitem__) == [b"bytes"]

    @pytest.mark.parametrize(
        "value",
        [b"x", lambda: 0, functools.partial(len), "a".upper, enum.Enum("Local", "A").A],
        ids=["bytes", "lambda", "partial", "bound method", "local enum"],
    )
    def test_what_nobody_can_keep_is_marked(self, value):
        def put(value):
            raise ValueNotStorableError("no")

        data = dump_value(value, put)

        assert list(data) == ["$unknown"]
        with pytest.raises(NotFoundError, match="was not kept"):
            load_value(data)

    def test_a_value_that_the_store_lost_says_so(self):
        def get(digest):
            raise NotFoundError("gone")

        with pytest.raises(NotFoundError, match="a value of type bytes is not in this store"):
            load_value({"$digest": "d" * 64, "preview": "bytes"}, get)

    @pytest.mark.parametrize("data", [{"$enum": f"{__name__}:Colour", "name": "BLUE"}, {"$import": "nowhere:f"}])
    def test_a_name_that_is_no_more_says_so(self, data):
        with pytest.raises(NotFoundError, match="any more"):
            load_value(data)

    def test_an_enum_of_a_script_is_named_by_its_file(self, monkeypatch):
        script = types.ModuleType("__main__")
        script.__file__, script.Colour = "/work/shades.py", Colour
        monkeypatch.setitem(sys.modules, "__main__", script)
        monkeypatch.setattr(Colour, "__module__", "__main__")

        assert dump_value(Colour.RED)["$enum"] == "shades:Colour"


class TestTasks:
    def test_come_back_with_params_and_children(self):
        digits = Digits(size=5, svm={"C": 9, "use_gpu": True}, extra=Fit)
        found = round_trip(digits)

        assert repr(found) == repr(digits)
        assert round_trip(Digits()).extra is None
        assert is_complete(dump_task(digits, identity))

    def test_params_may_have_any_name(self):
        assert round_trip(Fit(function=max)).function is max

    def test_a_function_comes_back(self):
        assert round_trip(Task.of(json.loads))("[1]") == [1]

    @pytest.mark.parametrize(
        "target",
        [lambda x: x, functools.partial(int), "-".join, Path("a").joinpath],
        ids=["lambda", "partial", "join", "method"],
    )
    def test_a_function_that_cannot_be_imported_says_so(self, target):
        data = dump_task(Task.of(target), identity)

        assert not is_complete(data)
        with pytest.raises(NotFoundError, match="cannot be imported again"):
            load_task(data, import_target)

    def test_a_class_made_in_a_function_cannot_come_back(self):
        class Local(Task):
            pass

        data = dump_task(Digits(parse=Local), identity)

        assert not is_complete(data)
        with pytest.raises(NotFoundError, match="cannot be imported again"):
            load_task(data, import_target)

    def test_values_are_completed_by_path_and_converted(self):
        found = round_trip(Digits(), {"svm.C": "4", ".size": "7", "x": "an input", ":size": "8"})

        assert (found.svm.C, found.size) == (4.0, 7)

    def test_a_value_that_does_not_fit_says_so(self):
        with pytest.raises(ParamError, match="expected float"):
            round_trip(Digits(), {"svm.C": "four"})


class TestSecrets:
    def test_are_named_and_never_told(self):
        digits = Digits(svm=Fit(token="hunter2"))
        data = dump_task(digits, identity)

        assert data["svm"]["$task"]["$secrets"] == ["token"]
        assert "hunter2" not in json.dumps(data) + json.dumps(flat_params(digits)) + repr(digits)
        assert not is_complete(data)
        assert secret_values(digits) == ("hunter2",)

    def test_are_given_again(self):
        assert round_trip(Digits(svm=Fit(token="hunter2")), {"svm.token": "hunter3"}).svm.token == "hunter3"

    def test_the_default_is_in_the_code_and_need_not_be_given(self):
        assert is_complete(dump_task(Digits(), identity))


def test_flat_params_are_scalars_by_path():
    digits = Digits(extra=Fit(C=3, function=[1]), parse=Fit(function=Colour.RED))

    assert flat_params(digits) == {
        "size": 3,
        "svm.C": 2.0,
        "svm.use_gpu": False,
        "svm.function": repr(len),
        "svm.token": "***",
        "parse.C": 1.0,
        "parse.use_gpu": False,
        "parse.function": "RED",
        "parse.token": "***",
        "extra.C": 3.0,
        "extra.use_gpu": False,
        "extra.function": "[1]",
        "extra.token": "***",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({3, 1, 2}, "{1, 2, 3}"),
        ([{"b", "a"}], "[{'a', 'b'}]"),
        ((frozenset({2, 1}),), "(frozenset({1, 2}),)"),
        ({1: set()}, "{1: set()}"),
        ([test_flat_params_are_scalars_by_path], "[<function test_flat_params_are_scalars_by_path>]"),
    ],
    ids=["set", "list", "tuple", "dict", "function"],
)
def test_a_param_is_shown_as_the_same_text_in_every_process(value, text):
    assert flat_params(Fit(function=value))["function"] == text
