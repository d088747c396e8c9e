"""The fold of events to a run."""

from __future__ import annotations

import math

import pytest

from finestflow.journal.state import RunState
from finestflow.model import NodeStatus, RunStatus

from .made import NOW, fold, make_events, new_id


def test_an_open_run_is_running() -> None:
    state = fold(make_events(new_id(), status=""))
    run = state.run
    assert run.summary.status is RunStatus.RUNNING
    assert run.nodes["load"].status is NodeStatus.OK
    assert run.nodes["fit"].status is NodeStatus.RUNNING
    assert run.summary.seconds == 5.0
    assert not state.has_ended


def test_an_ended_run_has_its_own_end() -> None:
    run = fold(make_events(new_id(), "5" * 40)).run
    assert run.summary.status is RunStatus.OK
    assert run.summary.seconds == 7.0
    assert run.ended == NOW - 93
    assert run.summary.metrics == {"f1": 0.9, "fit/loss": 0.5}
    assert list(run.summary.metrics) == ["f1", "fit/loss"]
    assert run.summary.dirty == (2, 1)
    assert run.summary.nodes == 2
    assert run.settings == {"seed": 7}


def test_a_run_can_be_looked_at_between_events() -> None:
    state = RunState()
    for event in make_events(new_id()):
        state.apply(event)
        assert state.run.summary.name == "brisk-lynx-41"
    assert state.run.nodes["fit"].seconds == 3.0


def test_a_killed_run_ends_at_its_last_event() -> None:
    run = fold(make_events(new_id(), status="")).killed()
    assert run.summary.status is RunStatus.KILLED
    assert run.ended == NOW - 95
    assert run.nodes["fit"].status is NodeStatus.KILLED
    assert run.nodes["fit"].seconds == 2.0
    assert run.nodes["load"].status is NodeStatus.OK


def test_a_run_that_told_its_end_is_not_killed() -> None:
    assert fold(make_events(new_id(), status="failed")).killed().summary.status is RunStatus.FAILED


def test_a_hit_replays_metrics_and_is_counted() -> None:
    hit = {"e": "node", "path": "a", "task": "m:A", "status": "hit", "hit_of": "l" * 12, "t": NOW}
    state = fold(
        [*make_events(new_id(), status=""), {**hit, "metrics": [["loss", 0.5, 1, NOW], ["loss", 0.4, 2, NOW]]}]
    )
    assert state.run.summary.hits == 1
    assert state.run.nodes["a"].hit_of == "l" * 12
    assert state.run.metrics["a/loss"].count == 2


def test_best_follows_the_declared_direction() -> None:
    begin = make_events(new_id(), status="")[0]
    values = (2.0, math.nan, 1.0, 3.0)

    def metric(**more: object) -> list[dict]:
        return [{"e": "metric", "name": "x", "value": value, **more} for value in values]

    assert fold([begin, *metric()]).run.metrics["x"].best is None
    assert fold([begin, *metric(goal="min")]).run.metrics["x"].best == 1.0
    assert fold([begin, *metric(goal="max")]).run.metrics["x"].best == 3.0
    late = fold([begin, *metric(), {"e": "metric", "name": "x", "value": 2.5, "goal": "min"}])
    assert late.run.metrics["x"].best == 1.0
    assert late.run.metrics["x"].last == 2.5


def test_attempts_that_failed_are_told() -> None:
    path = {"path": "a", "task": "m:A"}
    events = [
        *make_events(new_id(), status=""),
        {"e": "start", **path, "t": NOW, "attempt": 1},
        {"e": "start", **path, "t": NOW + 5, "attempt": 2},
        {"e": "node", **path, "status": "ok", "t": NOW + 6, "seconds": 1.0},
    ]
    attempts = fold(events).run.nodes["a"].attempts
    assert [(each.status, each.seconds) for each in attempts] == [(NodeStatus.FAILED, 5.0), (NodeStatus.OK, 1.0)]


def test_notes_go_to_their_node_or_to_the_run() -> None:
    notes = [{"e": "note", "node": "fit", "text": "slow"}, {"e": "note", "text": "eval"}]
    run = fold([*make_events(new_id()), *notes]).run
    assert run.notes == ("eval",)
    assert run.nodes["fit"].notes == ("slow",)


def test_progress_ends_with_its_node() -> None:
    state = fold(make_events(new_id(), status=""))
    state.apply({"e": "progress", "node": "fit", "done": 3, "total": 10, "t": NOW})
    assert state.progress == {"fit": (3, 10)}
    state.apply({"e": "node", "path": "fit", "task": "m:F", "status": "ok"})
    assert state.progress == {}


def test_unknown_events_are_ignored_and_change_nothing() -> None:
    state = fold(make_events(new_id()))
    before = (state.version, state.run)
    state.apply({"e": "hologram", "t": NOW * 2})
    assert (state.version, state.run) == before


@pytest.mark.parametrize(
    "event",
    [
        {"e": "run", "id": 3, "name": "n", "pipeline": "p", "started": 1.0},
        {"e": "run", "id": "k"},
        {"e": "node", "path": "x", "status": "odd"},
        {"e": "node"},
        {"e": "metric", "name": "x", "value": "much"},
        {"e": "end", "status": "ok"},
        {"e": "snapshot"},
    ],
)
def test_an_event_that_lacks_what_it_needs_changes_nothing(event: dict) -> None:
    state = fold(make_events(new_id(), status=""))
    before = state.run
    with pytest.raises((KeyError, TypeError, ValueError)):
        state.apply(event)
    assert state.run == before


def test_nothing_is_told_before_the_first_event() -> None:
    state = RunState()
    assert not state.has_begun
    with pytest.raises(ValueError, match="no event 'run'"):
        state.run  # noqa: B018
