"""Outputs as files that others read."""

from __future__ import annotations

import csv
import io
import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from finestflow.cli._formats import dump_value, natural_suffix, write_value
from finestflow.errors import UsageError


@pytest.mark.parametrize(
    ("value", "suffix"),
    [
        ("text", ".txt"),
        (b"bytes", ".bin"),
        (1, ".json"),
        (1.5, ".json"),
        (None, ".json"),
        ({"a": [1, 2]}, ".json"),
        (float("nan"), ".pkl"),
        (1j, ".pkl"),
        (np.arange(3), ".npy"),
        (np.int64(3), ".json"),
        (np.float64(3), ".json"),
        (np.array([object()]), ".pkl"),
        (pd.DataFrame({"a": [1]}), ".parquet"),
        (pl.DataFrame({"a": [1]}), ".parquet"),
        ({1, 2}, ".pkl"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_natural_form_can_be_written(value, suffix):
    assert natural_suffix(value) == suffix
    assert dump_value(value)[1] == suffix


def test_json_holds_arrays_as_lists():
    assert json.loads(dump_value({"x": np.arange(3)}, ".json")[0]) == {"x": [0, 1, 2]}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_tables_become_csv(make):
    data, _ = dump_value(make({"a": [1, 2], "b": ["x", "y"]}), ".csv")

    assert list(csv.reader(io.StringIO(data.decode()))) == [["a", "b"], ["1", "x"], ["2", "y"]]


def test_tables_become_parquet():
    data, _ = dump_value(pd.DataFrame({"a": [1, 2]}), ".parquet")

    assert pd.read_parquet(io.BytesIO(data)).a.tolist() == [1, 2]


def test_rows_become_csv():
    assert dump_value([[1, 2], [3, 4]], ".csv")[0].split() == [b"1,2", b"3,4"]


def test_arrays_become_npy():
    assert np.load(io.BytesIO(dump_value(np.arange(4))[0])).tolist() == [0, 1, 2, 3]


def test_everything_becomes_pickle():
    assert pickle.loads(dump_value({1, 2}, ".pkl")[0]) == {1, 2}


@pytest.mark.parametrize(("value", "suffix"), [(3, ".png"), (3, ".xyz"), (3, ".parquet"), (object(), ".json")])
def test_a_form_that_does_not_fit_is_refused_with_what_would(value, suffix):
    with pytest.raises(UsageError) as caught:
        dump_value(value, suffix)

    assert caught.value.hint


class TestWriting:
    def test_the_suffix_decides(self, tmp_path):
        assert write_value([1, 2], tmp_path / "x.json").read_text() == "[\n  1,\n  2\n]\n"

    def test_a_file_is_copied_into_a_folder_under_its_own_name(self, tmp_path):
        source = tmp_path / "a.bin"
        source.write_bytes(b"x")
        (tmp_path / "into").mkdir()

        assert write_value(source, tmp_path / "into") == tmp_path / "into" / "a.bin"

    def test_a_folder_is_copied(self, tmp_path):
        (tmp_path / "f").mkdir()
        (tmp_path / "f" / "x").write_text("1")
        write_value(tmp_path / "f", tmp_path / "g")

        assert (tmp_path / "g" / "x").read_text() == "1"

    def test_nothing_of_that_name_is_overwritten_by_an_artifact(self, tmp_path):
        source = tmp_path / "a.bin"
        source.write_bytes(b"x")
        (tmp_path / "b.bin").write_bytes(b"y")

        with pytest.raises(UsageError, match="there already"):
            write_value(source, tmp_path / "b.bin")
