"""What changed from one run to the next, as queries ask for it."""

from __future__ import annotations

from finestflow.journal.inside import Version, changes_between


def test_params_count_by_path_and_last_part_tasks_by_name_and_files_as_code() -> None:
    before = Version({"fit.LR": 0.1, "n": 1, "gone": 1}, {"Fit": frozenset("a"), "Old": frozenset("a")}, "tree")
    after = Version({"fit.LR": 0.2, "n": 1, "new": 1}, {"Fit": frozenset("b"), "New": frozenset("b")}, "other")
    assert changes_between(before, after) == {"fit.lr", "lr", "gone", "new", "fit", "code"}
    assert changes_between(before, after._replace(tree="tree")) == {"fit.lr", "lr", "gone", "new", "fit"}


def test_nothing_changed_where_all_is_equal() -> None:
    version = Version({"n": 1}, {"Fit": frozenset("a")}, "tree")
    assert changes_between(version, version) == set()
