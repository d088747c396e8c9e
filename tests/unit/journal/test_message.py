"""The message of a run commit."""

from __future__ import annotations

import math

import pytest

from finestflow.errors import CorruptionError
from finestflow.journal.message import format_duration, format_message, parse_message, run_id_of
from finestflow.model import FORMAT, Run, RunStatus

from .made import make_run, make_summary


def trip(run: Run):
    return parse_message(format_message(run))


def test_a_person_can_scan_the_subject() -> None:
    run = make_run(seconds=192.34, metrics={"f1": 0.97239, "loss": 0.21, "fit/loss": 1.0, "a": 1, "b": 2})
    subject, gap, _ = format_message(run).split("\n", 2)
    assert subject == "digits brisk-lynx-41: ok 3m12s  f1=0.9724  loss=0.21  a=1"
    assert gap == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.314, "0.31s"), (12.4, "12s"), (192.3, "3m12s"), (7500, "2h05m"), (273600, "3d04h"), (math.nan, "?")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_everything_of_a_summary_survives() -> None:
    summary = make_summary(
        base="8" * 40,
        branch="feature/x",
        code="5" * 40,
        dirty=(2, 1),
        params={"svm.C": 1.0, "n": 3, "flag": True, "none": None, "list": [1, "a"], "one": "1", "word": "rbf", "": ""},
        metrics={"f1": 0.5, "a_b": 1e-300, "a/b": math.inf, "größe": -math.inf, "x=y z": 2.0},
        tags=("wip", "paper 2"),
        note="two\n\nparagraphs",
        reproduces="l" * 12,
        hits=1,
        nodes=4,
    )
    assert trip(Run(summary=summary)) == summary


def test_nan_survives() -> None:
    run = make_run(params={"x": math.nan}, metrics={"loss": math.nan})
    assert math.isnan(trip(run).params["x"])
    assert math.isnan(trip(run).metrics["loss"])


def test_the_body_is_the_first_line_of_the_error_where_there_is_no_note() -> None:
    run = make_run(status=RunStatus.FAILED, error="ValueError: no\n\nRun: fake")
    assert "\n\nValueError: no\n\nRun: " in format_message(run)
    assert trip(run).error == "ValueError: no"
    assert trip(run).note == ""


def test_a_note_that_looks_like_trailers_stays_a_note() -> None:
    run = make_run(note="hm\n\nRun: zzzzzzzzzzzz\nStatus: ok\nFinestflow: 99")
    assert trip(run).note == run.summary.note
    assert trip(run).id == run.summary.id
    assert run_id_of(format_message(run)) == run.summary.id


def test_control_characters_never_reach_a_message() -> None:
    nasty = "a\x00b\x1b[31mc\nRun: x\r\u2028"
    run = make_run(name=nasty, pipeline=nasty, note=nasty, tags=(nasty,), params={nasty: nasty}, error=nasty)
    text = format_message(run)
    assert not set(text) & {"\x00", "\x1b", "\r", "\u2028"}
    assert trip(run).id == run.summary.id
    assert trip(run).params == {nasty: nasty}


def test_values_are_cut_at_200_characters() -> None:
    run = make_run(params={"long": "x" * 500, "list": list(range(500)), "quoted": '"' + "y" * 500}, error="e" * 500)
    for line in format_message(run).splitlines():
        assert len(line.partition(": ")[2]) <= 200
    params = trip(run).params
    assert params["long"].startswith("xxx")
    assert all(value.endswith("…") for value in params.values())


def test_at_most_fifty_values_are_in_a_message_in_order() -> None:
    run = make_run(params={f"p{at}": at for at in range(80)}, metrics={f"m{at}": float(at) for at in range(80)})
    assert trip(run).params == {f"p{at}": at for at in range(50)}
    assert len(trip(run).metrics) == 50


def test_a_value_whose_name_is_too_long_is_left_to_the_record() -> None:
    assert trip(make_run(params={"x" * 150: 1, "y": 2})).params == {"y": 2}


def test_file_names_that_are_not_utf8_become_escapes() -> None:
    summary = trip(make_run(params={"path": "a\udcff"}, note="b\udcff"))
    assert summary.params == {"path": "a\\udcff"}
    assert summary.note == "b\\udcff"


def test_values_that_json_cannot_hold_become_their_repr() -> None:
    assert trip(make_run(params={"x": {1}, "y": {(1, 2): 3}})).params == {"x": "{1}", "y": "{(1, 2): 3}"}


def test_a_newer_format_is_listed_with_what_can_be_read() -> None:
    text = format_message(make_run()).replace(f"Finestflow: {FORMAT}", "Finestflow: 99\nColour: blue")
    text = text.replace("Status: ok", "Status: dreaming")
    summary = parse_message(text)
    assert summary.format == 99
    assert summary.name == "brisk-lynx-41"


@pytest.mark.parametrize("text", ["", "hello\n", "a\n\nRun: kkkkkkkkkkkk\n", "a\n\nRun: k\nFinestflow: x\n"])
def test_what_is_no_run_is_said_to_be_none(text: str) -> None:
    with pytest.raises(CorruptionError):
        parse_message(text, commit="c" * 40)


def test_a_status_that_nobody_knows_is_damage() -> None:
    with pytest.raises(CorruptionError, match="dreaming"):
        parse_message(format_message(make_run()).replace("Status: ok", "Status: dreaming"))


def test_a_missing_start_is_taken_from_the_commit() -> None:
    text = "\n".join(line for line in format_message(make_run()).split("\n") if not line.startswith("Started"))
    assert parse_message(text, author_time=5).started == 5
