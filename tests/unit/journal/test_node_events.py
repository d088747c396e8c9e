"""The end of a node, told as a record or as the event that is written of it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from finestflow.journal.node_events import dump_node, dump_start
from finestflow.journal.state import RunState
from finestflow.model import WHY_HIT, Attempt, InputRecord, NodeRecord, NodeStatus, OutputRecord

BEGIN = {"e": "run", "id": "k" * 12, "name": "n", "pipeline": "p", "started": 1000.0}
STATIC = {"e": "static", "id": "ab" * 32, "params": {"C": 1.0}, "code": {"m.f": "0b8e"}}
text = st.text(max_size=12)
digests = st.sampled_from(["0a" * 32, "1b" * 32])
moments = st.floats(1000, 2000)
inputs = st.builds(InputRecord, digest=st.none() | digests, source=st.none() | text.filter(bool), preview=text)
outputs = st.builds(
    OutputRecord,
    digest=st.none() | digests,
    size=st.none() | st.integers(0, 10**12),
    object=st.none() | digests,
    type=text,
    preview=text,
    parts=st.dictionaries(text, digests, max_size=2),
    names=st.lists(text, max_size=2).map(tuple),
    note=text,
)
attempts = st.builds(Attempt, started=moments, seconds=moments, status=st.sampled_from(NodeStatus), error=text)
nodes = st.builds(
    NodeRecord,
    path=text,
    task=text,
    kind=st.sampled_from(["task", "pipeline", "map"]),
    status=st.sampled_from(NodeStatus),
    key=st.none() | digests,
    why=text.filter(bool),
    hit_of=st.none() | st.just("k" * 12),
    params=st.just(STATIC["params"]),
    code=st.just(STATIC["code"]),
    inputs=st.dictionaries(text, inputs, max_size=3),
    output=st.none() | outputs,
    started=moments,
    seconds=st.just(0.0) | moments,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    error=text,
    notes=st.lists(text, max_size=2).map(tuple),
    seed=st.none() | st.integers(0, 2**32 - 1),
    cpu=st.none() | st.floats(0, 1e6),
    memory=st.none() | st.integers(0, 2**45),
)


def fold(*events: dict) -> RunState:
    """Fold events after the beginning of a run."""
    state = RunState()
    for event in (BEGIN, STATIC, *events):
        state.apply(event)
    return state


@given(nodes, st.booleans(), st.booleans())
def test_a_run_is_the_same_from_records_and_from_the_events_that_are_written(
    node: NodeRecord, has_start: bool, has_static: bool
) -> None:
    time = node.started + node.seconds
    start = {"e": "start", "path": node.path, "task": node.task, "kind": node.kind, "t": node.started}
    told = [start] if has_start else []
    node = (node if has_start else node._replace(started=time - node.seconds))._replace(after=("a",))
    line = dump_node(node, time, static=STATIC["id"] if has_static else "", log="2c" * 32)
    assert line.isascii()
    assert line.count("\n") == 1
    event = json.loads(line)

    written, kept = fold(*told, event), fold(*told)
    kept.add_node(node, time)

    assert kept.run == written.run
    assert kept.run.nodes[node.path] == node
    assert (event["after"], event["log"]) == (["a"], "2c" * 32)
    assert kept.last_time == written.last_time


@given(text, text, st.none() | digests, moments)
def test_the_start_of_a_call_is_told_to_the_letter(path: str, task: str, key: str | None, time: float) -> None:
    line = dump_start(path, task, key, time)
    assert line.endswith("\n")
    assert json.loads(line) == {"e": "start", "path": path, "task": task, "key": key, "t": time}


def test_what_comes_after_the_end_of_a_node_is_taken_in() -> None:
    node = NodeRecord(path="a", task="m:A", status=NodeStatus.HIT, why=WHY_HIT, started=1001.0)
    state = fold()
    state.add_node(node, 1001.0)
    assert state.run.nodes["a"] == node
    state.apply({"e": "note", "node": "a", "text": "slow"})
    assert state.run.nodes["a"].notes == ("slow",)
    state.apply({"e": "start", "path": "a", "task": "m:A", "t": 1002.0})
    state.apply({"e": "start", "path": "a", "task": "m:A", "t": 1003.0})
    state.add_node(node._replace(status=NodeStatus.OK, started=1002.0, seconds=1.0), 1004.0)
    found = state.run.nodes["a"]
    assert (found.status, found.started, [each.status.value for each in found.attempts]) == (
        NodeStatus.OK,
        1002.0,
        ["failed", "ok"],
    )
