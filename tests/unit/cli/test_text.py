"""Text for people: what reaches a terminal, and how wide it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from finestflow.cli._text import (
    ago,
    cut,
    duration,
    headline,
    iso,
    many_lines,
    moments,
    number,
    one_line,
    one_lines,
    pad,
    parse_when,
    size,
    value_text,
    width,
)


class TestSafety:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07name", "name"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("a\x1bPsecret\x1b\\b", "ab"),
            ("a\x9b31mb", "ab"),
            ("bell\x07", "bell"),
            ("a\nb\tc\rd", "a b c d"),
            ("left\u202eright", "leftright"),
            ("größe 日本 🎉", "größe 日本 🎉"),
            ("\x1bcreset", "reset"),
            ("cut off \x1b[3", "cut off 3"),
            ("[bold]markup[/bold]", "[bold]markup[/bold]"),
            ("👩\u200d👧 ❤\ufe0f 👍🏽 🏴\U000e0067\U000e007f", "👩👧 ❤ 👍 🏴"),
            ("hidden\u3164\u00ad\u061cletters", "hiddenletters"),
            ("e" + "\u0301" * 300, "e" + "\u0301" * 3),
        ],
    )
    def test_escape_sequences_and_controls_are_gone(self, given, expected):
        assert one_line(given) == expected

    def test_logs_keep_their_lines(self):
        assert many_lines("a\r\n\x1b[1mb\x1b[0m\n\tc\n") == "a\nb\n\tc\n"

    def test_a_progress_bar_leaves_its_last_state(self):
        assert many_lines("10%\r50%\r100%\ndone\n") == "100%\ndone\n"

    def test_a_line_of_megabytes_that_overwrites_another_is_looked_through_once(self):
        line = "x" * 5_000_000
        assert many_lines(f"10%\r{line}") == line

    @given(st.text())
    def test_nothing_that_a_terminal_would_obey_is_left(self, text):
        for safe in (one_line(text), many_lines(text)):
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", safe)

    @given(st.text(st.sampled_from("a漢한각ก्ع👩👍🏽❤🏳🌈🇩\u0301\u200b\u200d\ufe0e\ufe0f\u1112\u1161\u11ab\u3164")))
    def test_what_is_left_is_as_wide_for_the_terminal_ui(self, text):
        """Rich measures what Textual paints; it takes joined pictures for one, which many terminals do not."""
        assert width(one_line(text)) == cell_len(one_line(text))

    @given(st.text())
    def test_is_idempotent(self, text):
        assert one_line(one_line(text)) == one_line(text)


@given(st.lists(st.text()))
def test_many_texts_are_made_safe_as_one_is(texts):
    assert list(one_lines(texts)) == [one_line(each) for each in texts]


class TestWidth:
    @pytest.mark.parametrize(
        ("text", "columns"),
        [
            ("abc", 3),
            ("日本", 4),
            ("e\u0301", 1),
            ("größe", 5),
            ("🎉", 2),
            ("", 0),
            ("…", 1),
            ("\u1112\u1161\u11ab", 2),
        ],
    )
    def test_counts_columns(self, text, columns):
        assert width(text) == columns

    @given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Cf"])), st.integers(0, 30))
    def test_cut_text_fits(self, text, columns):
        assert width(cut(text, columns)) <= columns

    @given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Cf"]), max_size=10), st.booleans())
    def test_padded_text_fills(self, text, right):
        assert width(pad(text, 30, right=right)) == 30


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.972222, "0.97222"),
            (1.0, "1"),
            (3, "3"),
            (1e-9, "1e-09"),
            (123456.0, "123456"),
            (12345678.0, "12345678"),
            (1e20, "1e+20"),
            (float("nan"), "nan"),
            (float("inf"), "inf"),
            (None, ""),
        ],
    )
    def test_metrics(self, value, text):
        assert number(value) == text

    @pytest.mark.parametrize(
        ("count", "text"),
        [
            (0, "0 B"),
            (999, "999 B"),
            (1234, "1.2 kB"),
            (123456, "123 kB"),
            (20_000_000, "20.0 MB"),
            (5e12, "5.0 TB"),
            (None, ""),
        ],
    )
    def test_sizes(self, count, text):
        assert size(count) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0.004, "0.00s"),
            (0.5, "0.5s"),
            (59.99, "1m00s"),
            (192.3, "3m12s"),
            (7500, "2h05m"),
            (273600, "3d04h"),
            (None, ""),
        ],
    )
    def test_spans(self, seconds, text):
        assert duration(seconds) == text

    @pytest.mark.parametrize(
        ("seconds", "text"), [(1, "now"), (42, "42s ago"), (300, "5m ago"), (7200, "2h ago"), (3 * 86400, "3d ago")]
    )
    def test_ago(self, seconds, text):
        assert ago(1_000_000_000, 1_000_000_000 + seconds) == text

    def test_times_have_a_zone(self):
        assert re.fullmatch(r"2001-09-09T\d\d:\d\d:40\.500[+-]\d\d:\d\d", iso(1_000_000_000.5))

    @given(st.lists(st.integers(0, 2**32)))
    def test_many_are_written_as_one_is(self, times):
        assert moments(times) == [iso(each, "seconds") for each in times]

    def test_when_is_a_span_or_a_date(self):
        assert parse_when("2d", 1_000_000) == 1_000_000 - 2 * 86400
        assert iso(parse_when("2026-11-01", 0)).startswith("2026-11-01T00:00:00")


def test_values_are_shown_as_one_would_type_them():
    assert value_text({"a": [1, 1.0, True, None, "x\x1b[1m"]}) == "{a=[1, 1.0, true, null, x]}"


class TestHeadline:
    def test_own_metrics_come_first_then_those_of_the_last_nodes(self):
        assert headline({"a/x": 1.0, "b/y": 2.0, "loss": 0.5}) == "loss=0.5  y=2  x=1"

    def test_a_name_that_several_nodes_use_keeps_its_node(self):
        assert headline({"a/x": 1.0, "b/x": 2.0}) == "b/x=2  a/x=1"

    def test_shows_only_a_few(self):
        assert headline({str(n): float(n) for n in range(9)}, 2) == "0=0  1=1"

    def test_a_name_has_no_say_on_the_terminal(self):
        assert headline({"n\x1b[1m": 1.0, "a\nb": 2.0}) == "n=1  a b=2"
