"""Tables, JSON, colour."""

from __future__ import annotations

import io
import json

import pytest

from finestflow.cli._output import Column, Output, Styled, dump_json, format_table
from finestflow.cli._text import width


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def make(stream=None, **options) -> Output:
    options.setdefault("environ", {"TERM": "xterm"})
    return Output(out=stream or Terminal(), err=io.StringIO(), **options)


class TestTable:
    COLUMNS = (Column("name"), Column("f1", right=True))

    def test_aligns_columns(self):
        lines = list(format_table(self.COLUMNS, [["a", "0.5"], ["longer", "10"]]))

        assert lines == ["name     f1", "a       0.5", "longer   10"]

    def test_wide_characters_take_two_columns(self):
        lines = list(format_table((Column("x"), Column("y")), [["日本", "a"], ["abcde", "b"]]))

        assert lines == ["x      y", "日本   a", "abcde  b"]

    def test_no_line_ends_in_blanks(self):
        assert list(format_table((Column("a"), Column("b")), [["1", ""]], header=False)) == ["1"]

    def test_shrinks_only_what_may_shrink(self):
        lines = list(format_table((Column("id"), Column("note", shrinks=True)), [["k" * 12, "n" * 40]], room=30))

        assert lines[1] == "k" * 12 + "  " + "n" * 15 + "…"

    def test_cuts_nothing_where_there_is_no_terminal(self):
        lines = list(format_table((Column("note", shrinks=True),), [["n" * 400]]))

        assert lines[1] == "n" * 400

    @pytest.mark.parametrize("room", [28, 40, 60, 79])
    def test_no_line_is_wider_than_the_terminal_where_columns_may_leave(self, room):
        columns = [Column("status"), Column("name")]
        columns += [Column(title, shrinks=True, leaves=True) for title in ("pipeline", "metrics", "note")]
        row = ["cancelled", "a-name-of-forty-letters-that-somebody-chose", "p" * 30, "m" * 30, "日" * 30]

        assert max(width(line) for line in format_table(columns, [row] * 2, room=room)) <= room

    def test_the_last_column_that_may_leave_goes_first(self):
        columns = [Column("id"), Column("a", leaves=True), Column("b", leaves=True), Column("c")]
        lines = [next(format_table(columns, [["k" * 8] * 4], room=room)).split() for room in (38, 37, 27)]

        assert lines == [["id", "a", "b", "c"], ["id", "a", "c"], ["id", "c"]]

    def test_colour_does_not_change_the_alignment(self):
        rows = [[Styled("ok", "green"), "x"], [Styled("failed", "red"), "y"]]
        columns = (Column("status"), Column("what"))
        plain = list(format_table(columns, rows))
        colored = list(format_table(columns, rows, color=True))

        assert [
            line.replace("\x1b[0m", "").replace("\x1b[32m", "").replace("\x1b[31m", "") for line in colored[1:]
        ] == plain[1:]

    def test_without_rows_the_header_stands_alone(self):
        assert list(format_table(self.COLUMNS, [])) == ["name  f1"]


class TestColour:
    @pytest.mark.parametrize(
        ("choice", "environ", "stream", "expected"),
        [
            ("auto", {"TERM": "xterm"}, Terminal, True),
            ("auto", {"TERM": "dumb"}, Terminal, False),
            ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, Terminal, False),
            ("auto", {"TERM": "xterm", "NO_COLOR": ""}, Terminal, True),
            ("auto", {}, io.StringIO, False),
            ("auto", {"FORCE_COLOR": "1"}, io.StringIO, True),
            ("always", {"NO_COLOR": "1"}, io.StringIO, True),
            ("never", {"TERM": "xterm"}, Terminal, False),
        ],
    )
    def test_follows_the_option_then_the_environment_then_the_terminal(self, choice, environ, stream, expected):
        assert make(stream(), color=choice, environ=environ).color is expected


class TestJson:
    def test_is_one_document_with_schema_and_kind(self):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        make(stream).json("thing", x=1)
        stream.seek(0)

        assert json.loads(stream.read()) == {"schema": 1, "kind": "thing", "x": 1}

    def test_numbers_that_json_does_not_know_become_texts(self):
        assert dump_json({"loss": [float("nan"), float("-inf"), 1.5]}) == '{"loss": ["NaN", "-Infinity", 1.5]}'

    def test_any_value_has_some_text(self):
        assert dump_json({"x": {1}, "y": 1j}) == '{"x": [1], "y": "1j"}'

    def test_can_stay_in_ascii(self):
        assert dump_json("größe", ascii_only=True) == '"gr\\u00f6\\u00dfe"'


class TestNotes:
    def test_quiet_silences_notes_but_not_warnings(self):
        output = make(verbosity=-1)
        output.note("hello")
        output.warn("careful", "do this")

        assert output.err.getvalue() == "finestflow: warning: careful\nhint: do this\n"

    def test_details_are_for_the_verbose(self):
        output = make()
        output.detail("more")

        assert not output.err.getvalue()


class TestPager:
    @pytest.fixture(autouse=True)
    def small_terminal(self, monkeypatch):
        monkeypatch.setenv("LINES", "5")
        monkeypatch.setenv("COLUMNS", "40")

    def page(self, lines, pager):
        stream = Terminal()
        make(stream, environ={"TERM": "xterm", "PAGER": pager, "PATH": "/usr/bin:/bin"}).lines(lines, page=True)
        return stream.getvalue()

    def test_takes_what_does_not_fit(self, capfd):
        assert self.page([str(n) for n in range(9)], "sed s/^/paged:/") == ""
        assert capfd.readouterr().out.startswith("paged:0\npaged:1\n")

    def test_is_not_started_for_what_fits(self):
        assert self.page(["1", "2"], "sed s/^/paged:/") == "1\n2\n"

    @pytest.mark.parametrize("pager", ["", "cat", "no-such-pager", "'unbalanced"])
    def test_is_not_needed(self, pager):
        assert self.page(["x"] * 9, pager) == "x\n" * 9

    def test_that_ends_early_is_no_error(self, capfd):
        self.page(["x" * 100] * 10_000, "head -n 1")

        assert capfd.readouterr().out == "x" * 100 + "\n"
