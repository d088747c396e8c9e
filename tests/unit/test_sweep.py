"""Which settings the words of a sweep mean."""

from __future__ import annotations

import pytest

from finestflow.errors import UsageError
from finestflow.sweep import count_settings, iter_settings, load_rows, mean_of_repeats, parse_setting, range_hint


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


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=range:1:10:3", ["1", "4", "7", "10"]),
        ("a=range:0:0.3:0.1", ["0", "0.1", "0.2", "0.3"]),
        ("a=range:3:1", ["3", "2", "1"]),
        ("a=linspace:0:1:5", ["0", "0.25", "0.5", "0.75", "1"]),
        ("a=linspace:2:2:1", ["2"]),
        ("a=logspace:1e-4:1:5", ["0.0001", "0.001", "0.01", "0.1", "1"]),
        ("a='range:1:3'", ["range:1:3"]),
        ("a=http://x:1:2", ["http://x:1:2"]),
    ],
)
def test_a_range_is_its_values_with_both_ends(text, values):
    assert parse_setting(text) == ("a", values)


@pytest.mark.parametrize(
    "text",
    [
        "a=range:1",
        "a=range:1:x",
        "a=range:1:5:-1",
        "a=linspace:0:1",
        "a=linspace:0:1:0",
        "a=logspace:0:1:3",
        "a=uniform:1",
        "a=range:0:1:1e-9",
    ],
)
def test_a_range_that_makes_no_sense_is_refused_with_what_to_write(text):
    with pytest.raises(UsageError):
        list(iter_settings([text], samples=1))


def test_draws_lie_between_their_ends_and_are_the_same_for_the_same_seed():
    texts = ["lr=loguniform:1e-4:1e-1", "n=randint:2:4", "x=uniform:-1:1", "kind=a,b"]
    drawn = list(iter_settings(texts, samples=20, seed=3))

    assert len(drawn) == count_settings(texts, samples=20) == 40
    assert all(
        1e-4 <= float(each["lr"]) <= 1e-1 and each["n"] in {"2", "3", "4"} and -1 <= float(each["x"]) <= 1
        for each in drawn
    )
    assert len({each["lr"] for each in drawn}) == 40
    assert drawn == list(iter_settings(texts, samples=20, seed=3)) != list(iter_settings(texts, samples=20, seed=4))


def test_draws_need_to_be_told_how_many_and_only_they_do():
    with pytest.raises(UsageError, match="how often"):
        list(iter_settings(["a=uniform:0:1"]))
    with pytest.raises(UsageError, match="samples"):
        list(iter_settings(["a=1"], samples=3))


def test_each_row_of_a_table_meets_all_combinations():
    rows = load_rows("fit.rate, kind\n1, a\n2,\n", "t.csv")

    assert rows == [{"fit.rate": "1", "kind": "a"}, {"fit.rate": "2"}]
    assert [each["n"] for each in iter_settings(["n=1,2"], rows=rows)] == ["1", "2", "1", "2"]
    with pytest.raises(UsageError, match="set twice"):
        list(iter_settings(["kind=b"], rows=rows))


@pytest.mark.parametrize("text", ["", "a,b\n", "a\n1,2\n"])
def test_a_table_without_settings_or_with_too_many_cells_is_refused(text):
    with pytest.raises(UsageError, match=r"'t\.csv'"):
        load_rows(text, "t.csv")


def test_repeats_have_a_mean_and_a_sample_deviation():
    means = mean_of_repeats([{"f1": 1.0, "loss": 2.0}, {"f1": 3.0}])

    assert (means["f1"].mean, round(means["f1"].deviation, 6), means["f1"].count) == (2.0, 1.414214, 2)
    assert (means["loss"].deviation, means["loss"].count) == (0.0, 1)


@pytest.mark.parametrize(
    ("value", "begin"),
    [
        ("int:1:9", "did you mean 'randint:1:9'? ranges: range:FIRST"),
        ("xy:1:9", "ranges: range:FIRST"),
        ("2:8:2", "ranges: range:FIRST"),
        ("1e-3..1e-1", "ranges: range:FIRST"),
        ("logunif:1e-5:1", "did you mean 'loguniform:1e-5:1'?"),
    ],
)
def test_a_refused_value_that_looks_like_a_range_is_told_the_kinds_there_are(value, begin):
    assert range_hint(value).startswith(begin)
    assert "Try many settings" in range_hint(value)


@pytest.mark.parametrize("value", ["three", "http://host", "a:b", "12:30", "randint:1:9", ""])
def test_another_value_is_told_nothing_of_ranges(value):
    assert range_hint(value) == ""
