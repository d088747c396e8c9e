"""What ``u`` takes back outlives the app."""

from __future__ import annotations

import json

from finestflow_tui.state import ViewState
from finestflow_tui.undo import Steps


def test_edits_of_the_view_are_taken_back_after_a_restart(tmp_path):
    """In their order, with annotations between them, and made again."""
    path = tmp_path / "tui.json"
    state = ViewState()
    steps = Steps(state)
    steps.keep("the filter", "query")
    state.query = "f1>0.9"
    steps.note_annotation()
    steps.keep("the marks", "marks")
    state.marks = {"kkkk": "A"}
    state.write(path)
    state = ViewState.read(path)
    steps = Steps(state)
    assert steps.undo().said == "the marks"
    assert (state.query, state.marks) == ("f1>0.9", {})
    assert steps.undo() is None  # the annotation, which the workspace takes back
    assert steps.undo().said == "the filter"
    assert state.query == ""
    steps.redo()
    assert state.query == "f1>0.9"


def test_a_hundred_steps_are_kept(tmp_path):
    state = ViewState()
    steps = Steps(state)
    for at in range(150):
        steps.keep(f"step {at}", "query")
        state.query = str(at)
    state.write(tmp_path / "tui.json")
    state = ViewState.read(tmp_path / "tui.json")
    steps = Steps(state)
    for _ in range(100):
        steps.undo()
    assert state.query == "49"
    assert steps.undo() is None


def test_steps_that_are_none_of_this_version_change_nothing(tmp_path):
    path = tmp_path / "tui.json"
    odd = [["the filter", {"query": 3}], ["gone", {"colour": "red"}], "?", 7, {"said": "x"}]
    path.write_text(json.dumps({"version": 1, "query": "kept", "done": odd}))
    state = ViewState.read(path)
    steps = Steps(state)
    for _ in odd:
        assert steps.undo() is None
    assert state.query == "kept"


def test_an_annotation_that_failed_is_no_step():
    steps = Steps(ViewState())
    steps.keep("the filter", "query")
    steps.note_annotation()
    steps.forget_annotation()
    assert steps.undo().said == "the filter"
