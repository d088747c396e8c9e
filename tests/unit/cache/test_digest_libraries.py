"""Digests of arrays, tables and models: what counts is what they hold, not how it lies in memory."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sparse

from finestflow.cache.digest import digest_value
from finestflow.errors import ValueNotStorableError


def digest(value):
    return digest_value(value).digest


def number_of_digests(*values):
    return len({digest(value) for value in values})


TABLE = np.arange(600.0).reshape(20, 30)
ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)


def structured(padding):
    array = np.frombuffer(bytearray(padding * (3 * ALIGNED.itemsize)), dtype=ALIGNED).copy()
    array["a"], array["b"] = [1, 2, 3], [1.0, 2.0, np.nan]
    return array


SAME_ARRAYS = {
    "order": (TABLE, np.asfortranarray(TABLE)),
    "strides": (TABLE[::2, ::3].copy(), TABLE[::2, ::3]),
    "negative strides": (TABLE[::-1, ::-1].copy(), TABLE[::-1, ::-1]),
    "broadcast": (np.ones((3, 4)), np.broadcast_to(1.0, (3, 4))),
    "byte order": (TABLE, TABLE.astype(">f8")),
    "byte order of dates": (np.array(["2020-01-01"], "M8[s]"), np.array(["2020-01-01"], ">M8[s]")),
    "writable": (TABLE, np.frombuffer(TABLE.tobytes()).reshape(20, 30)),
    "padding": (structured(b"\0"), structured(b"\xff")),
    "payload of NaN": (np.array([1, np.nan]), np.array([1, -np.nan])),
    "payload of complex NaN": (np.array([complex(1, np.nan)]), np.array([complex(1, -np.nan)])),
    "NaN in a sum of infinities": (np.array([np.inf, -np.inf]), np.array([np.inf, -np.inf])),
    "long double": (np.longdouble([1, 2]), np.longdouble([2, 4]) / 2),
    "objects": (np.array([1, "a", None, [2]], dtype=object), np.array([1, "a", None, [2]], dtype=object)),
    "variable texts": (
        np.array(["a", "b" * 50], np.dtypes.StringDType()),
        np.array(["a", "b" * 50], np.dtypes.StringDType()),
    ),
    "large": (np.arange(5_000_000.0), np.arange(10_000_000.0)[::2] / 2),
}


@pytest.mark.parametrize("name", SAME_ARRAYS)
def test_layout_does_not_count(name):
    one, other = SAME_ARRAYS[name]

    assert digest(one) == digest(other)


def test_arrays_differ_by_dtype_shape_and_elements():
    values = [
        *[
            TABLE,
            TABLE.T,
            TABLE.reshape(30, 20),
            TABLE.ravel(),
            TABLE + 1,
            TABLE.tolist(),
            TABLE.astype("f4"),
            TABLE.astype("c16"),
        ],
        *[
            np.zeros((0, 3)),
            np.zeros((3, 0)),
            np.zeros(0),
            np.zeros(0, "i4"),
            np.zeros(1),
            np.float64(0),
            np.array(0.0),
            0.0,
            -np.zeros(1),
        ],
        *[
            np.float32(0),
            np.int64(0),
            np.uint64(0),
            np.bool_(False),
            np.array([0]),
            np.array([False]),
            np.str_("0"),
            np.bytes_(b"0"),
        ],
        *[
            np.array(["a"]),
            np.array([b"a"]),
            np.array(["a"], object),
            np.array(["a"], np.dtypes.StringDType()),
            np.array(["a"], "U2"),
        ],
        *[
            np.array([0], "M8[s]"),
            np.array([0], "M8[ns]"),
            np.array([0], "m8[s]"),
            np.array(["NaT"], "M8[s]"),
            np.datetime64(0, "s"),
        ],
        *[
            structured(b"\0"),
            structured(b"\0")[["a"]],
            structured(b"\0")["b"],
            np.void(b"ab"),
            np.longdouble([1]),
            np.float16([1]),
        ],
        *[
            np.ma.masked_array([1, 2], [True, False]),
            np.ma.masked_array([1, 2], [False, False]),
            np.array([1, 2]).view(np.recarray),
        ],
        *[
            np.dtype("f8"),
            np.dtype("f4"),
            np.add,
            np.sum,
            np.float64,
            np.random.default_rng(0),
            np.random.default_rng(1),
        ],
    ]

    assert number_of_digests(*values) == len(values)


def test_each_element_of_an_object_array_is_looked_into():
    with pytest.raises(ValueNotStorableError) as caught:
        digest({"a": np.array([1, (x for x in "ab")], dtype=object)})

    assert caught.value.where == "['a'][1]"


def test_what_a_sparse_matrix_found_out_about_itself_does_not_count():
    one = sparse.random_array((50, 50), density=0.1, format="csr", rng=0)
    other = one.copy()

    assert other.has_sorted_indices
    assert other.has_canonical_format
    assert digest(one) == digest(other)


def test_sparse_formats_differ():
    matrix = sparse.random_array((50, 50), density=0.1, format="csr", rng=0)
    formats = [getattr(matrix, f"to{name}")() for name in ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")]

    assert number_of_digests(*formats, sparse.csr_matrix(matrix), matrix * 2, matrix.toarray()) == 10


@pytest.mark.slow  # loading scikit-learn takes seconds, and makes each later fork of this process dearer
def test_estimators_count_with_what_they_learned():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = np.random.default_rng(0).random((60, 4))
    target = (data[:, 0] > 0.5).astype(int)

    def fit(model):
        return model.fit(data, target)

    for make in (
        lambda seed=0: RandomForestClassifier(5, random_state=seed),
        lambda seed=0: make_pipeline(StandardScaler(), LogisticRegression(C=1 + seed)),
    ):
        assert digest(fit(make())) == digest(fit(make()))
        assert number_of_digests(make(), make(1), fit(make()), fit(make(1))) == 4


# -- pandas ---------------------------------------------------------------------------------------------------------------


def frame():
    return pd.DataFrame(
        {
            "int": [1, 2, 3],
            "float": [1.0, np.nan, 3.0],
            "text": ["a", None, "ccc"],
            "object": [1, "a", [2]],
            "category": pd.Categorical(["a", "b", "a"], ordered=True),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "bool": pd.array([True, None, False], dtype="boolean"),
            "zoned": pd.date_range("2020-01-01", periods=3, tz="Europe/Paris"),
            "naive": pd.date_range("2020-01-01", periods=3),
            "delta": pd.to_timedelta([1, 2, 3], unit="s"),
            "period": pd.period_range("2020-01", periods=3, freq="M"),
            "interval": pd.interval_range(0, 3),
            "arrow": pd.array(["x", None, "z"], dtype="string[pyarrow]"),
            "sparse": pd.arrays.SparseArray([0, 0, 1]),
        }
    )


def test_frames_made_in_other_ways_are_the_same():
    whole = frame()
    pieces = pd.concat([frame().iloc[:1], frame().iloc[1:]], ignore_index=True)
    by_column = pd.DataFrame(index=pd.RangeIndex(3))
    for name in whole:
        by_column[name] = whole[name]

    assert digest(whole) == digest(frame())
    assert digest(whole) == digest(by_column)
    assert digest(whole.drop(columns="sparse")) == digest(pieces.drop(columns="sparse"))


def test_a_numeric_frame_is_the_same_in_one_block_or_many():
    one = pd.DataFrame(TABLE)
    many = pd.concat([pd.Series(TABLE[:, i]) for i in range(TABLE.shape[1])], axis=1)

    assert digest(one) == digest(many)


CHANGES = {
    "element": lambda f: f.assign(int=[1, 2, 4]),
    "dtype": lambda f: f.astype({"int": "int32"}),
    "missing": lambda f: f.assign(text=["a", "b", "ccc"]),
    "column name": lambda f: f.rename(columns={"int": "integer"}),
    "column order": lambda f: f[f.columns[::-1]],
    "row order": lambda f: f.iloc[::-1],
    "fewer rows": lambda f: f.iloc[:2],
    "index": lambda f: f.set_index(pd.Index([1, 2, 4])),
    "index name": lambda f: f.rename_axis("row"),
    "columns name": lambda f: f.rename_axis(columns="col"),
    "categories": lambda f: f.assign(category=f.category.cat.add_categories("c")),
    "order of categories": lambda f: f.assign(category=f.category.cat.as_unordered()),
    "zone": lambda f: f.assign(zoned=f.zoned.dt.tz_convert("UTC")),
    "nullable": lambda f: f.assign(nullable=pd.array([None, 1, 3], dtype="Int64")),
    "kind of text": lambda f: f.assign(arrow=f.arrow.astype(object)),
    "series": lambda f: f["int"],
    "frame of one": lambda f: f[["int"]],
    "empty": lambda f: f.iloc[:0],
    "no columns": lambda f: f[[]],
    "multi-index": lambda f: f.set_index(["int", "text"]),
}


def test_every_change_of_a_frame_counts():
    changed = [frame(), *(change(frame()) for change in CHANGES.values())]
    labelled = frame()
    labelled.attrs["source"] = "here"
    changed.append(labelled)

    assert number_of_digests(*changed) == len(changed)


def test_scalars_and_indexes_of_pandas_differ():
    values = [
        *[
            pd.Timestamp("2020-01-01"),
            pd.Timestamp("2020-01-01", tz="UTC"),
            pd.Timestamp("2021-01-01"),
            dt.datetime(2020, 1, 1),
        ],
        *[
            pd.NaT,
            pd.NA,
            None,
            pd.Timedelta(1, "s"),
            pd.Interval(0, 1),
            pd.Period("2020-01"),
            pd.Series([1]),
            pd.Series([1], name="a"),
        ],
        *[
            pd.Index([1, 2]),
            pd.Index([1.0, 2.0]),
            pd.RangeIndex(2),
            pd.RangeIndex(3),
            pd.Index(["a"]),
            pd.CategoricalIndex(["a"]),
        ],
        *[
            pd.date_range("2020", periods=2),
            pd.DatetimeIndex(["2020-01-01", "2020-01-02"]),
            pd.MultiIndex.from_tuples([(1, 2)]),
        ],
    ]

    assert number_of_digests(*values) == len(values)


def test_what_lies_under_a_missing_element_does_not_count():
    one = pd.arrays.IntegerArray(np.array([1, 2]), np.array([False, True]))
    other = pd.arrays.IntegerArray(np.array([1, 99]), np.array([False, True]))

    assert digest(pd.Series(one)) == digest(pd.Series(other))


# -- Arrow and polars -----------------------------------------------------------------------------------------------------

COLUMNS = {
    "int": ([1, None, 3, 4], pa.int64()),
    "float": ([1.0, None, float("nan"), 4.0], pa.float64()),
    "half": ([1.0, None, 2.0, 4.0], pa.float32()),
    "bool": ([True, None, False, True], pa.bool_()),
    "text": (["a", None, "", "ddd"], pa.string()),
    "large text": (["a", None, "", "ddd"], pa.large_string()),
    "text view": (["a", None, "", "d" * 40], pa.string_view()),
    "bytes": ([b"a", None, b"", b"ddd"], pa.binary()),
    "fixed bytes": ([b"aa", None, b"bb", b"dd"], pa.binary(2)),
    "decimal": ([decimal.Decimal("1.50"), None, decimal.Decimal("2.25"), decimal.Decimal(0)], pa.decimal128(10, 2)),
    "time": (
        [dt.datetime(2020, 1, 1), None, dt.datetime(2021, 1, 1), dt.datetime(1960, 1, 1)],
        pa.timestamp("us", "UTC"),
    ),
    "date": ([dt.date(2020, 1, 1), None, dt.date(2021, 1, 1), dt.date(2022, 1, 1)], pa.date32()),
    "list": ([[1, None], None, [], [4, 5, 6]], pa.list_(pa.int32())),
    "fixed list": ([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int32(), 2)),
    "struct": (
        [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 4, "b": None}],
        pa.struct([("a", pa.int8()), ("b", pa.string())]),
    ),
    "map": ([[("a", 1)], None, [], [("b", 2), ("c", None)]], pa.map_(pa.string(), pa.int8())),
    "dictionary": (["a", None, "b", "a"], pa.dictionary(pa.int8(), pa.string())),
    "null": ([None, None, None, None], pa.null()),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_slices_and_chunks_do_not_count(name):
    items, kind = COLUMNS[name]
    plain = pa.array(items, kind)
    longer = pa.array([items[3], *items, items[0]], kind)
    chunks = pa.chunked_array([plain.slice(0, 1), plain.slice(1, 2), plain.slice(3)])

    if name != "dictionary":  # the order of a dictionary is part of it
        assert digest(longer.slice(1, 4)) == digest(plain)
    assert digest(chunks) == digest(plain)
    assert digest(plain.slice(1)) != digest(plain)
    changed = pa.array([items[0], items[0], *items[2:]], kind)
    assert (digest(changed) == digest(plain)) == (name == "null")


def test_tables_differ_by_names_types_and_metadata():
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    others = [
        table.rename_columns(["a", "c"]),
        table.select(["b", "a"]),
        table.slice(1),
        table.set_column(0, "a", pa.array([1, 2], pa.int32())),
        table.replace_schema_metadata({"k": "v"}),
        table.column("a"),
        table.to_batches()[0],
    ]

    assert number_of_digests(table, *others) == 8
    assert digest(pa.concat_tables([table.slice(0, 1), table.slice(1)])) == digest(table)


def polars_frame():
    return pl.DataFrame(
        {
            "int": [1, None, 3],
            "float": [1.0, float("nan"), None],
            "text": ["a", None, "c"],
            "bool": [True, None, False],
            "date": [dt.date(2020, 1, 1), None, dt.date(2021, 1, 1)],
            "time": [dt.datetime(2020, 1, 1), None, dt.datetime(2021, 1, 1)],
            "list": [[1], None, [2, 3]],
            "struct": [{"a": 1}, None, {"a": 3}],
            "category": pl.Series(["a", None, "b"], dtype=pl.Categorical),
            "decimal": [decimal.Decimal("1.5"), None, decimal.Decimal("2.5")],
        }
    )


def test_polars_frames_are_the_same_in_other_chunks():
    whole = polars_frame()

    assert digest(pl.concat([whole[:1], whole[1:]], rechunk=False)) == digest(whole)
    assert digest(polars_frame()) == digest(whole)


def test_every_change_of_a_polars_frame_counts():
    whole = polars_frame()
    changed = [
        whole,
        whole[:2],
        whole[::-1],
        whole[:, ::-1],
        whole.rename({"int": "x"}),
        whole.with_columns(int=pl.col("int").cast(pl.Int32)),
        whole.with_columns(text=pl.lit("a")),
        whole.with_columns(list=pl.lit(None, dtype=pl.List(pl.Int64))),
        whole["int"],
        whole.select("int"),
        whole.clear(),
    ]

    assert number_of_digests(*changed) == len(changed)
