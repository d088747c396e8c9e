"""What is shown while a run goes."""

from __future__ import annotations

import io
import json
import sys

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


def follow(follower, events=EVENTS):
    with follower:
        for event in events:
            follower(event)


def test_plain_lines_name_status_time_node_and_reason_and_tasks_print_on_stdout():
    out, err = io.StringIO(), io.StringIO()
    follow(PlainFollower(Output(out=out, err=err, environ={})))

    assert out.getvalue() == "hello\n"
    assert err.getvalue().splitlines() == [
        "run brisk-lynx-41 (kkkkkkkkkkkk) of digits",
        "  ok         1.5s  load              no earlier result",
        "  failed     0.1s  fit               ValueError: bad",
        "note: a note",
    ]


def test_plain_lines_of_many_items_are_counted_at_the_end():
    err = io.StringIO()
    follower = PlainFollower(Output(out=io.StringIO(), err=err, environ={}))
    statuses = ["ok"] * 10 + ["failed"] + ["ok"] * 889 + ["skipped"] * 100
    items = [{**EVENTS[4], "path": f"load[{i}]", "status": status} for i, status in enumerate(statuses)]
    follow(follower, [EVENTS[0], *items, EVENTS[-1]])
    lines = err.getvalue().splitlines()

    assert len(lines) == 1 + 10 + 1 + 1 + 1
    assert "load[10]" in lines[11]
    assert "more of load" in lines[12]
    assert lines[-1].endswith("1,000: 899 ok, 1 failed, 100 skipped")


@pytest.mark.parametrize("jobs", [1, 2])
def test_lines_name_their_node_where_several_may_run(jobs):
    out = io.StringIO()
    texts = [("a", "one\ntw"), ("b", "other\n"), ("", "body\n"), ("a", "o\nrest"), ("b", "\x1b[2J\n")]
    events = [{"e": "text", "node": node, "text": text} for node, text in texts]
    end = {**EVENTS[4], "path": "a"}
    follow(
        PlainFollower(Output(out=out, err=io.StringIO(), environ={})),
        [EVENTS[0] | {"settings": {"jobs": jobs}}, *events, end],
    )
    a, b = ("[a] ", "[b] ") if jobs > 1 else ("", "")

    assert out.getvalue() == f"{a}one\n{b}other\nbody\n{a}two\n{b}\n{a}rest\n"


def test_json_is_one_object_a_line_for_each_event_that_is_whole():
    out = io.StringIO()
    follow(JsonFollower(Output(out=out, err=io.StringIO(), environ={})))
    kinds = [json.loads(line)["kind"] for line in out.getvalue().splitlines()]

    assert kinds == [f"event.{event['e']}" for event in EVENTS if event != {"e": "node"}]


def test_the_live_display_shows_nodes_and_survives_broken_events():
    err = Terminal()
    follow(LiveFollower(Output(out=Terminal(), err=err, environ={"TERM": "xterm"})))

    assert "load" in err.getvalue()
    assert "no earlier result" in err.getvalue()
    assert "\x1b[31mbad" not in err.getvalue()


@pytest.mark.parametrize(("jobs", "label"), [(1, "\n"), (2, "[load] ")])
def test_what_tasks_print_stays_above_the_live_display(jobs, label):
    out, err = Terminal(), Terminal()
    begin = EVENTS[0] | {"settings": {"jobs": jobs}}
    follow(LiveFollower(Output(out=out, err=err, environ={"TERM": "xterm", "NO_COLOR": "1"})), [begin, *EVENTS[1:]])

    assert out.getvalue() == ""
    assert err.getvalue().index(f"{label}hello\x1b[K\n") < err.getvalue().rindex("load")


def test_warnings_stay_above_the_live_display():
    err = Terminal()
    output = Output(out=Terminal(), err=err, environ={"TERM": "xterm", "NO_COLOR": "1"})
    with LiveFollower(output) as follower:
        follower(EVENTS[0])
        output.warn("something is odd")
        assert "odd" not in err.getvalue().split("\x1b[J")[-1]
    output.note("afterwards")

    assert "finestflow: warning: something is odd\x1b[K\n" in err.getvalue()
    assert err.getvalue().endswith("afterwards\n")


def test_what_tasks_print_goes_where_stdout_goes():
    out, err = io.StringIO(), Terminal()
    follow(LiveFollower(Output(out=out, err=err, environ={"TERM": "xterm"})))

    assert out.getvalue() == "hello\n"
    assert "hello" not in err.getvalue()


def test_a_debugger_gets_the_terminal(monkeypatch):
    stopped = []
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "breakpointhook", lambda *args: stopped.append((args, len(err.getvalue()))))
    with LiveFollower(Output(out=out, err=err, environ={"TERM": "xterm", "PYTHONBREAKPOINT": "x.y"})) as follower:
        for event in EVENTS[:3]:
            follower(event)
        breakpoint(1)  # noqa: T100
        follower({"e": "text", "node": "load", "text": "(Pdb) "})
        follower(EVENTS[4])

    assert [args for args, _ in stopped] == [(1,)]
    assert out.getvalue() == "(Pdb) "
    assert err.getvalue()[stopped[0][1] :].count("\n") == 1


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


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm", "NO_COLOR": "1"}, LiveFollower),
        ({"TERM": "dumb"}, PlainFollower),
        ({}, PlainFollower),
        ({"TERM": "xterm", "CI": "true"}, PlainFollower),
    ],
)
def test_the_display_suits_the_terminal(environ, expected):
    output = Output(out=io.StringIO(), err=Terminal(), environ=environ)

    assert type(make_follower(output, as_json=False)) is expected
