"""Any history of annotations, and any order of events, leads to the same state by every way."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from finestflow.errors import NotFoundError
from finestflow.git.repository import find_repository
from finestflow.journal.annotations import Annotations, Change
from finestflow.journal.index import Index
from finestflow.journal.journal import Journal
from finestflow.journal.live import EventReader, LiveFolder
from finestflow.journal.state import RunState
from finestflow.model import Run, RunId, RunStatus, RunSummary
from tests.conftest import examples

NOW = 1_795_339_000.0
IDS = [RunId(letter * 12) for letter in "klm"]

changes = st.builds(
    Change,
    add_tags=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    remove_tags=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    note=st.none() | st.sampled_from(["", "x"]),
    star=st.none() | st.booleans(),
    removed=st.none() | st.booleans(),
)
steps = st.one_of(
    st.sampled_from(["undo", "redo", "refresh"]),
    st.tuples(st.sampled_from(IDS), changes),
)


class Model:
    """What a person expects of undo and redo: two stacks of whole states."""

    def __init__(self) -> None:
        self.state: dict = {}
        self.past: list[dict] = []
        self.future: list[dict] = []

    def change(self, state: dict) -> None:
        self.past.append(self.state)
        self.future.clear()
        self.state = state

    def move(self, source: list[dict], target: list[dict]) -> bool:
        if not source:
            return False
        target.append(self.state)
        self.state = source.pop()
        return True


@given(st.lists(steps, max_size=8))
@settings(max_examples=examples(15))
def test_undo_redo_and_the_index_follow_any_history(history: list) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        repo = find_repository(Path(folder), dict(os.environ))
        assert repo is not None
        for run_id in IDS:
            own = RunSummary(
                id=run_id, name="n", pipeline="p", status=RunStatus.OK, started=NOW, seconds=1.0, tags=("a",)
            )
            Journal(repo).append(Run(summary=own))
        annotations, model = Annotations(repo), Model()
        index = Index(repo.state_dir / "index.sqlite")
        for at, step in enumerate(history):
            if step == "refresh":
                index.refresh(repo)
            elif isinstance(step, str):
                stacks = (model.past, model.future) if step == "undo" else (model.future, model.past)
                moved = model.move(*stacks)
                try:
                    getattr(annotations, step)(now=NOW + at)
                except NotFoundError:
                    assert not moved
                else:
                    assert moved
            elif annotations.change(dict([step]), "change", now=NOW + at) is not None:
                model.change(annotations.read_all())
            assert annotations.read_all() == model.state
        index.refresh(repo)
        for run_id in IDS:
            seen = index.get_summary(run_id)
            said = model.state.get(run_id)
            assert seen is not None
            assert seen.star == bool(said and said.star)
            assert seen.removed == bool(said and said.removed)
            assert seen.tags == (said.tags_over(("a",)) if said else ("a",))
        again = Index(Path(folder) / "again.sqlite")
        again.refresh(repo)
        assert [again.get_summary(run_id) for run_id in IDS] == [index.get_summary(run_id) for run_id in IDS]
        index.close()
        again.close()


paths = st.sampled_from(["a", "b", "c[0]"])
times = st.floats(NOW, NOW + 100)
events = st.one_of(
    st.fixed_dictionaries({"e": st.just("start"), "path": paths, "t": times}),
    st.fixed_dictionaries(
        {"e": st.just("node"), "path": paths, "status": st.sampled_from(["ok", "hit", "failed"]), "t": times}
    ),
    st.fixed_dictionaries(
        {"e": st.just("metric"), "name": st.sampled_from(["x", "y"]), "value": st.floats(), "t": times}
    ),
    st.fixed_dictionaries({"e": st.just("note"), "node": st.none() | paths, "text": st.text(max_size=3)}),
    st.fixed_dictionaries({"e": st.just("end"), "status": st.sampled_from(["ok", "failed"]), "ended": times}),
)


@given(st.lists(events, max_size=15), st.data())
@settings(max_examples=examples(80))
def test_a_follower_and_a_later_reader_see_the_run_that_the_runner_sees(told: list[dict], data: st.DataObject) -> None:
    begin = {"e": "run", "id": "k" * 12, "name": "n", "pipeline": "p", "started": NOW}
    runner, follower, reader = RunState(), RunState(), RunState()
    with tempfile.TemporaryDirectory() as folder:
        live = LiveFolder.create(Path(folder), IDS[0])
        following = EventReader(live.path / "events.jsonl")
        for event in [begin, *told]:
            runner.apply(event)
            live.emit(event, lazy=data.draw(st.booleans()))
            if data.draw(st.booleans()):
                for each in following.read_new():
                    follower.apply(each)
                if follower.has_begun:
                    follower.run  # noqa: B018
        live.close()
        for each in following.read_new():
            follower.apply(each)
        for each in EventReader(live.path / "events.jsonl").read_new(whole=True):
            reader.apply(each)
    assert repr(follower.run) == repr(runner.run) == repr(reader.run)
    assert repr(reader.killed()) == repr(runner.killed())
