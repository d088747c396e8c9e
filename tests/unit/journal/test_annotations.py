"""Annotations: changes, undo, redo."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from finestflow.errors import CorruptionError, NotFoundError
from finestflow.git.refs import ANNOTATIONS_REF
from finestflow.journal.annotations import (
    Annotation,
    Annotations,
    Change,
    dump_annotation,
    load_annotation,
)

from .made import NOW, make_summary, new_id, open_repository


@pytest.fixture
def annotations(repository):
    return Annotations(open_repository(repository))


def test_nothing_is_said_at_first(annotations) -> None:
    assert annotations.read_all() == {}
    assert annotations.tip() is None


def test_a_change_is_one_commit_with_its_message(annotations, git) -> None:
    one, other = new_id(), new_id()
    annotations.change({one: Change(star=True), other: Change(note='a "note"\n2', add_tags=("wip",))}, "mark", now=NOW)
    said = annotations.read_all()
    assert said[one].star is True
    assert said[other].note == 'a "note"\n2'
    assert said[other].tags == ("wip",)
    assert git("log", "--format=%s", ANNOTATIONS_REF) == "mark"


def test_changes_of_several_fields_add_up(annotations) -> None:
    run = new_id()
    annotations.change({run: Change(add_tags=("a", "b"), name="best")}, "1", now=NOW)
    annotations.change({run: Change(remove_tags=("a", "own"), removed=True)}, "2", now=NOW + 1)
    said = annotations.read_all()[run]
    assert said == Annotation(
        tags=("b",),
        untagged=("a", "own"),
        name="best",
        removed=True,
        times={"name": NOW, "removed": NOW + 1, "tags": NOW + 1, "untagged": NOW + 1},
    )
    seen = said.apply_to(make_summary(tags=("own", "other"), note="kept"))
    assert (seen.name, seen.tags, seen.note, seen.removed, seen.star) == ("best", ("b", "other"), "kept", True, False)


def test_an_empty_note_takes_the_note_of_the_run_away(annotations) -> None:
    run = new_id()
    annotations.change({run: Change(note="")}, "clear", now=NOW)
    assert annotations.read_all()[run].apply_to(make_summary(note="own")).note == ""


def test_a_change_that_changes_nothing_is_no_commit(annotations) -> None:
    run = new_id()
    assert annotations.change({run: Change(star=True)}, "star", now=NOW) is not None
    assert annotations.change({run: Change(star=True)}, "star", now=NOW + 1) is None
    assert annotations.change({run: Change()}, "nothing", now=NOW) is None


def test_undo_and_redo_go_back_and_forth(annotations) -> None:
    run = new_id()
    states = [{}]
    for number in range(3):
        annotations.change({run: Change(note=str(number))}, f"change {number}", now=NOW + number)
        states.append(annotations.read_all())
    for number in (2, 1, 0):
        assert annotations.undo(now=NOW) == f"change {number}"
        assert annotations.read_all() == states[number]
    with pytest.raises(NotFoundError, match="no change"):
        annotations.undo(now=NOW)
    for number in (0, 1):
        assert annotations.redo(now=NOW) == f"change {number}"
        assert annotations.read_all() == states[number + 1]
    assert annotations.undo(now=NOW) == "change 1"
    annotations.change({run: Change(star=True)}, "another", now=NOW)
    with pytest.raises(NotFoundError):
        annotations.redo(now=NOW)
    assert annotations.undo(now=NOW) == "another"
    assert annotations.undo(now=NOW) == "change 0"
    assert annotations.read_all() == {}


def test_undo_takes_back_only_the_last_change(annotations) -> None:
    one, other = new_id(), new_id()
    annotations.change({one: Change(star=True)}, "one", now=NOW)
    annotations.change({other: Change(removed=True)}, "other", now=NOW)
    annotations.undo(now=NOW)
    assert annotations.read_all().keys() == {one}


def test_a_message_that_looks_like_a_trailer_does_not_confuse_undo(annotations) -> None:
    run = new_id()
    annotations.change({run: Change(star=True)}, "Restores: nothing", now=NOW)
    annotations.change({run: Change(star=False)}, "Undo: me\n\nRestores: nothing", now=NOW)
    annotations.undo(now=NOW)
    assert annotations.read_all()[run].star is True


def test_nothing_to_undo_is_an_error(annotations) -> None:
    with pytest.raises(NotFoundError):
        annotations.undo(now=NOW)
    with pytest.raises(NotFoundError):
        annotations.redo(now=NOW)


def test_no_change_is_lost_when_many_write_at_once(repository) -> None:
    runs = [new_id() for _ in range(4)]

    def tag(number: int) -> None:
        mine = Annotations(open_repository(repository))
        for run in runs:
            mine.change({run: Change(add_tags=(f"t{number}",))}, "tag", now=NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tag, range(4)))
    said = Annotations(open_repository(repository)).read_all()
    assert all(said[run].tags == ("t0", "t1", "t2", "t3") for run in runs)


def test_what_changed_between_two_commits_is_told(annotations) -> None:
    one, other = new_id(), new_id()
    first = annotations.change({one: Change(star=True)}, "one", now=NOW)
    second = annotations.change({other: Change(star=True)}, "other", now=NOW)
    assert annotations.read_changed(first, second).keys() == {other}
    assert annotations.read_changed(second, first) == {other: Annotation()}


def test_a_damaged_file_is_passed_over(annotations, git) -> None:
    from finestflow.git.objects import Objects
    from finestflow.git.refs import update_ref

    good, bad = "kk" + new_id()[2:], "ll" + new_id()[2:]
    tip = annotations.change({good: Change(star=True)}, "one", now=NOW)
    with Objects(annotations._repo) as objects:
        tree = objects.graft(tip, "ll", {f"{bad}.toml": b"= no toml", "README": b"hello"})
        commit = objects.write_commit(
            tree=tree, parents=[tip], message="x\n", author=("a", "b"), author_time=1, commit_time=1
        )
    update_ref(annotations._repo, ANNOTATIONS_REF, commit, tip, message="x")
    assert annotations.read_all().keys() == {good}
    with pytest.raises(CorruptionError):
        annotations.change({bad: Change(star=True)}, "x", now=NOW)


def test_an_annotation_survives_its_file() -> None:
    said = Annotation(tags=("a\nb", "ü"), note='"\\\x7f\t', name="", star=False, times={"note": 1.5})
    assert load_annotation(dump_annotation(said)) == said
    assert dump_annotation(Annotation()) == b""
    assert load_annotation(b"") == Annotation()
