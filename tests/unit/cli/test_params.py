"""``-p PATH=VALUE``."""

from __future__ import annotations

import pytest

from finestflow.cli._params import iter_settings, parse_setting
from finestflow.errors import UsageError


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("svm.C=1.0", "svm.C", ["1.0"]),
        ("lr=1e-3,1e-2", "lr", ["1e-3", "1e-2"]),
        ('names="a,b"', "names", ["a,b"]),
        ("names='a,b'", "names", ["a,b"]),
        ("sizes=[1,2]", "sizes", ["[1,2]"]),
        ('table={"a": 1, "b": 2}', "table", ['{"a": 1, "b": 2}']),
        ("empty=", "empty", [""]),
        ("url=http://x/?a=b", "url", ["http://x/?a=b"]),
        ("text=a,,b", "text", ["a,,b"]),
        ("broken=[1,2", "broken", ["[1,2"]),
    ],
)
def test_a_setting_is_a_path_and_its_values(text, path, values):
    assert parse_setting(text) == (path, values)


@pytest.mark.parametrize("text", ["lr", "=3", " =3", ""])
def test_what_is_no_setting_is_refused(text):
    with pytest.raises(UsageError, match="no setting"):
        parse_setting(text)


def test_several_lists_make_all_combinations_the_last_fastest():
    assert list(iter_settings(["a=1,2", "b=x", "c=3,4"])) == [
        {"a": "1", "b": "x", "c": "3"},
        {"a": "1", "b": "x", "c": "4"},
        {"a": "2", "b": "x", "c": "3"},
        {"a": "2", "b": "x", "c": "4"},
    ]


def test_no_setting_is_one_run():
    assert list(iter_settings([])) == [{}]


def test_a_path_that_is_set_twice_is_refused():
    with pytest.raises(UsageError, match="twice"):
        list(iter_settings(["a=1", "a=2"]))
