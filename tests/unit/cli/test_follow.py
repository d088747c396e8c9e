"""What is shown while a run goes."""

from __future__ import annotations

import io
import json

import pytest

from finestflow.cli._follow import JsonFollower, LiveFollower, PlainFollower, make_follower
from finestflow.cli._output import Output

EVENTS = [
    {"e": "run", "id": "k" * 12, "name": "brisk-lynx-41", "pipeline": "digits", "started": 0.0},
    {"e": "start", "path": "load", "task": "m:Load", "t": 0.0},
    {"e": "progress", "node": "load", "done": 5, "total": 10, "t": 0.5},
    {"e": "text", "node": "load", "text": "hello\n"},
    {
        "e": "node",
        "path": "load",
        "task": "m:Load",
        "status": "ok",
        "why": "no earlier result",
        "seconds": 1.5,
        "t": 1.5,
    },
    {
        "e": "node",
        "path": "fit",
        "task": "m:Fit",
        "status": "failed",
        "error": "ValueError: \x1b[31mbad",
        "seconds": 0.1,
        "t": 2.0,
    },
    {"e": "note", "node": None, "text": "a note"},
    {"e": "unknown"},
    {"e": "node"},
    {"e": "end", "status": "failed", "ended": 3.0},
]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def follow(follower):
    with follower:
        for event in EVENTS:
            follower(event)


def test_plain_lines_name_status_time_node_and_reason():
    err = io.StringIO()
    follow(PlainFollower(Output(out=io.StringIO(), err=err, environ={})))

    assert err.getvalue().splitlines() == [
        "run brisk-lynx-41 (kkkkkkkkkkkk) of digits",
        "  ok         1.5s  load              no earlier result",
        "  failed     0.1s  fit               ValueError: bad",
        "note: a note",
    ]


def test_json_is_one_object_a_line_for_each_event_that_is_whole():
    out = io.StringIO()
    follow(JsonFollower(Output(out=out, err=io.StringIO(), environ={})))
    kinds = [json.loads(line)["kind"] for line in out.getvalue().splitlines()]

    assert kinds == [f"event.{event['e']}" for event in EVENTS if event != {"e": "node"}]


def test_the_live_display_shows_nodes_and_survives_broken_events():
    err = Terminal()
    follow(LiveFollower(Output(out=io.StringIO(), err=err, environ={"TERM": "xterm"})))

    assert "load" in err.getvalue()
    assert "no earlier result" in err.getvalue()
    assert "\x1b[31mbad" not in err.getvalue()


@pytest.mark.parametrize(
    ("err", "as_json", "verbosity", "expected"),
    [
        (Terminal, False, 0, LiveFollower),
        (Terminal, False, -1, PlainFollower),
        (Terminal, True, 0, JsonFollower),
        (io.StringIO, False, 0, PlainFollower),
    ],
)
def test_the_display_suits_where_it_goes(err, as_json, verbosity, expected):
    output = Output(out=io.StringIO(), err=err(), environ={"TERM": "xterm"}, verbosity=verbosity)

    assert type(make_follower(output, as_json=as_json)) is expected
