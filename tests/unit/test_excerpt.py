"""What is shown of a value: its first rows or lines, statistics, a small picture, the first bytes."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass

import pytest

from finestflow.cli._excerpt import hex_lines
from finestflow.excerpt import excerpt_of
from finestflow.picture import Picture, is_picture, read_picture, shrink, write_png


@dataclass
class Point:
    x: float
    name: str


def test_text_is_shown_to_its_first_lines():
    """A text says how long it is, and that it goes on when it does."""
    short = excerpt_of("one\ntwo")
    assert (short.kind, short.text, short.facts["lines"], short.more) == ("text", "one\ntwo", "2", "")
    long = excerpt_of("line\n" * 10_000)
    assert len(long.text.split("\n")) == 400
    assert long.more == "the text goes on"
    assert len(excerpt_of("x" * 10_000_000).text) == 2000


def test_arrays_and_tables_have_first_rows_and_statistics():
    """An array has shape, least, mean and most; a DataFrame says that of each column, and what is missing."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    array = excerpt_of(np.arange(300.0).reshape(100, 3))
    assert array.facts["shape"] == "100 x 3"
    assert array.facts["mean"] == "149.5"
    assert array.columns == ("", "0", "1", "2")
    assert array.rows[1] == ("1", "3", "4", "5")
    assert array.more == "60 more rows"
    frame = excerpt_of(pd.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", "y"]}))
    assert frame.columns == ("a", "b")
    assert frame.facts["a"] == "float64, 1 to 3, mean 2, 1 missing"
    assert frame.facts["b"].endswith("2 values")
    assert frame.rows[0] == ("1", "x")
    assert excerpt_of(pd.Series([1, 2], name="n")).columns == ("n",)
    assert excerpt_of(np.zeros((0, 2))).rows == ()
    assert excerpt_of(np.array([np.nan, 1.0])).facts["not finite"] == "1"


def test_containers_are_tables_of_their_parts():
    """A dict, a dataclass, a list of dicts and a list of rows are tables; a list of numbers has statistics."""
    assert excerpt_of({"a": 1, "b": [2]}).rows == (("a", "int", "1"), ("b", "list", "[2]"))
    assert excerpt_of(Point(0.5, "p")).rows == (("x", "float", "0.5"), ("name", "str", "p"))
    assert excerpt_of([{"a": 1}, {"b": 2}]).columns == ("a", "b")
    assert excerpt_of([[1, 2], [3]]).rows == (("1", "2"), ("3", ""))
    assert excerpt_of([1, 2, 3.0]).facts == {"items": "3", "min": "1", "mean": "2", "max": "3"}
    assert excerpt_of(None).text == "None"


def test_files_are_shown_by_what_is_in_them(tmp_path):
    """A CSV is a table, a picture is a picture, a text is a text, a folder lists its files, and the rest is bytes."""
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n")
    (tmp_path / "p.png").write_bytes(write_png(300, 100, 3, bytes(90_000)))
    (tmp_path / "t.txt").write_text("hello\n")
    (tmp_path / "b.bin").write_bytes(b"\0\xff" * 600)
    csv, png, text, data = (excerpt_of(tmp_path / name) for name in ("a.csv", "p.png", "t.txt", "b.bin"))
    assert (csv.columns, csv.rows) == (("x", "y"), (("1", "2"), ("3", "4")))
    assert (png.kind, png.facts["pixels"], png.width, png.height) == ("picture", "300 x 100", 200, 66)
    assert text.text.startswith("hello")
    assert (data.kind, len(data.data), data.more) == ("bytes", 1024, "176 more bytes")
    assert next(hex_lines(data.data)).startswith("00000000  00 ff 00 ff")
    folder = excerpt_of(tmp_path)
    assert [row[0] for row in folder.rows] == ["a.csv", "b.bin", "p.png", "t.txt"]
    for each in (csv, png, text, data, folder):
        json.dumps(each.document())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_the_standard_library_reads_a_png_as_pillow_does(mode):
    """All kinds of pixels and all filters of a PNG give what Pillow gives."""
    image_module = pytest.importorskip("PIL.Image")
    drawn = image_module.effect_noise((37, 23), 50).convert("RGB").convert(mode)
    stream = io.BytesIO()
    drawn.save(stream, "PNG")
    ours, theirs = read_picture(stream.getvalue(), library=False), read_picture(stream.getvalue())
    assert ours is not None
    assert theirs is not None
    assert max(abs(a - b) for a, b in zip(ours.pixels, theirs.pixels, strict=True)) <= 1


def test_what_is_no_picture_is_none_and_no_error():
    """A file that is cut off or damaged has no pixels."""
    whole = write_png(8, 8, 4, os.urandom(256))
    assert read_picture(whole, library=False) is not None
    assert is_picture(whole)
    for cut in (8, 30, 40, len(whole) // 2):
        assert read_picture(whole[:cut], library=False) is None
    assert read_picture(b"hello") is None


def test_a_smaller_copy_has_the_means_of_its_pixels():
    """Shrinking keeps the shape and takes means; a small picture stays as it is."""
    picture = Picture(4, 2, bytes([0, 0, 0, 200, 100, 50] * 4))
    assert shrink(picture, 2, 2) == Picture(2, 1, bytes([100, 50, 25] * 2))
    assert shrink(picture, 4, 4) is picture
