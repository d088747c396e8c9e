"""Live runs that another process follows: their state, their logs in the order of writing, how far they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finestflow.journal.following import LiveRun, LogReader, choose_live, list_live_runs
from finestflow.journal.live import LiveFolder, find_live, iter_live
from finestflow.journal.standing import count_groups, group_of, remaining, standing_of
from finestflow.journal.state import RunState
from finestflow.processes import Process

from .made import new_id

START = 1_795_339_000.0


def begin(folder: Path, **fields: object) -> LiveFolder:
    live = LiveFolder.create(folder, new_id())
    told = {"e": "run", "id": live.run_id, "name": "brisk-lynx-41", "pipeline": "digits", "started": START}
    live.emit(told | fields)
    return live


def read_all(live: LiveFolder, run: LiveRun, reader: LogReader) -> list[tuple[str, str]]:
    live.flush()
    return [(node, data.decode()) for node, data in reader.read_new(run.read_new())]


def follow(live: LiveFolder) -> tuple[LiveRun, LogReader]:
    entry = find_live(live.path.parent.parent, live.run_id)
    assert entry is not None
    return LiveRun(entry), LogReader(entry)


def test_a_live_folder_names_its_process_while_it_is_locked(tmp_path: Path) -> None:
    live = begin(tmp_path)
    entry = next(iter_live(tmp_path))

    assert entry.owner == Process.of(os.getpid())
    assert entry.is_locked()
    live.close()
    assert not entry.is_locked()
    assert find_live(tmp_path, new_id()) is None


def test_logs_come_in_the_order_of_writing_whenever_they_are_read(tmp_path: Path) -> None:
    written = [("a", "1\n"), ("b", "2\n"), ("b", "3\n"), ("a", "4\n"), ("c/d", "5"), ("a", "6\n"), ("c/d", "7\n")]
    live = begin(tmp_path)
    late = follow(live)
    early = follow(live)
    seen = []
    for node, text in written:
        live.write_log(node, text)
        seen += read_all(live, *early)

    assert seen == written
    assert read_all(live, *late) == [
        ("a", "1\n"), ("b", "2\n3\n"), ("a", "4\n"), ("c/d", "5"), ("a", "6\n"), ("c/d", "7\n"),
    ]  # fmt: skip
    assert read_all(live, *late) == []
    assert late[1].position("a") == 6
    live.close()


def test_what_is_written_without_a_word_belongs_to_the_body(tmp_path: Path) -> None:
    live = begin(tmp_path)
    run, reader = follow(live)
    run.entry.log_path("").write_bytes(b"from a program\n")

    assert read_all(live, run, reader) == [("", "from a program\n")]
    live.close()


def test_a_folder_that_is_gone_gives_nothing_more(tmp_path: Path) -> None:
    live = begin(tmp_path)
    live.write_log("a", "1\n")
    run, reader = follow(live)
    events = run.read_new()
    live.close(remove=True)

    assert list(reader.read_new(events)) == []
    assert run.read_new() == []


def test_live_runs_are_those_that_have_begun_and_whose_process_lives(tmp_path: Path) -> None:
    old, new = begin(tmp_path, name="old"), begin(tmp_path, name="new", started=START + 1)
    begin(tmp_path, name="dead").close()
    unborn = LiveFolder.create(tmp_path, new_id())

    assert [run.summary.name for run in list_live_runs(tmp_path)] == ["new", "old"]
    for live in (old, new, unborn):
        live.close()


def test_a_run_that_goes_on_is_named_as_any_other(tmp_path: Path) -> None:
    folders = [begin(tmp_path, name="old"), begin(tmp_path, name="new", pipeline="other", started=START + 1)]
    runs = list_live_runs(tmp_path)
    new, old = runs

    for name, meant in {
        "@": new,
        "@~": old,
        "@~1": old,
        "@~2": "@~0",
        "@~5": "@~3",
        "@{digits}": old,
        "@{digits}~1": "@{digits}~0",
        "@{none}": "@{none}~0",
        "new": new,
        old.entry.run_id: old,
        old.entry.run_id[:7]: old,
        old.entry.run_id[:3]: old.entry.run_id[:3],
        "ne": "ne",
    }.items():
        assert choose_live(runs, name) == meant
    assert choose_live([], "@~2") == "@~2"
    for live in folders:
        live.close()


def fold(*events: dict) -> RunState:
    state = RunState()
    state.apply({"e": "run", "id": new_id(), "name": "n", "pipeline": "p", "started": START})
    for event in events:
        state.apply(event)
    return state


def start(path: str, at: float = 0.0) -> dict:
    return {"e": "start", "path": path, "task": "m:T", "t": START + at}


def node(path: str, status: str = "ok") -> dict:
    return {"e": "node", "path": path, "task": "m:T", "status": status, "t": START + 1}


class TestStanding:
    def test_counts_what_has_ended_of_what_is_known(self) -> None:
        state = fold(start("a"), node("a"), node("b", "hit"), start("c", 2), {"e": "metric", "name": "f1", "value": 1})
        standing = standing_of(state, START + 5)

        assert (standing.done, standing.known, standing.metric) == (2, 3, ("f1", 1.0))
        assert [(each.path, each.seconds, each.done) for each in standing.running] == [("c", 3.0, None)]

    def test_progress_tells_how_long_it_may_still_take(self) -> None:
        state = fold(start("a"), {"e": "progress", "node": "a", "done": 5, "total": 20})

        assert standing_of(state, START + 10).running[0].left == 30.0

    def test_items_of_a_fan_out_are_one_node(self) -> None:
        events = [node("e"), *(node(f"e[{i}]") for i in range(1, 8)), start("e[8]"), start("e[9]")]
        (running,) = standing_of(fold(*events), START + 4).running

        assert (running.path, running.done, running.total, running.left) == ("e", 8, 10, 1.0)

    def test_the_run_before_tells_how_many_there_will_be(self) -> None:
        state = fold({"e": "expect", "nodes": {"a": 1, "e": 4, "z": 1}}, node("a"), node("e"), start("e[1]"), node("n"))
        standing = standing_of(state, START)

        assert (standing.done, standing.known) == (3, 7)
        assert standing.running[0].total == 4

    @pytest.mark.parametrize(
        ("done", "total", "left"), [(None, 5, None), (0, 5, None), (5, 5, 0.0), (9, 5, None), (1, None, None)]
    )
    def test_what_cannot_be_said_is_not_said(self, done, total, left) -> None:
        assert remaining(10.0, done, total) == left

    def test_groups_have_their_path_without_numbers(self) -> None:
        paths = ["a", "e", "e[1]", "m[0]/e", "m[1]/e[3]"]

        assert [group_of(path) for path in paths] == ["a", "e", "e", "m/e", "m/e"]
        assert count_groups(paths) == {"a": 1, "e": 2, "m/e": 2}
