"""What a snapshot takes, leaves out, counts and says."""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
import time
from pathlib import Path

import pytest

from finestflow.errors import RepositoryError
from finestflow.git import private_index
from finestflow.git.objects import Objects
from finestflow.git.repository import find_repository
from finestflow.git.snapshot import SnapshotRules, take_snapshot
from tests.compat.building import ENVIRON, commit, committed, edited, git, write
from tests.compat.repositories import REPOSITORIES


def taken(work_tree: Path, **rules):
    repo = find_repository(work_tree, ENVIRON)
    return take_snapshot(repo, SnapshotRules(**rules), index=repo.state_dir / "live" / "test" / "index")


def paths(work_tree: Path, tree: str) -> list[str]:
    with Objects(find_repository(work_tree, ENVIRON)) as objects:
        return [path for path, _, _ in objects.iter_files(tree)]


def reasons(snapshot) -> dict[str, str]:
    return {row.path: row.reason for row in snapshot.omitted}


def test_a_clean_work_tree_gives_the_tree_of_head(tmp_path):
    committed(tmp_path)
    snapshot = taken(tmp_path)
    assert snapshot.tree == git(tmp_path, "rev-parse", "HEAD^{tree}")
    assert (snapshot.base, snapshot.branch) == (git(tmp_path, "rev-parse", "HEAD"), "main")
    assert (snapshot.changed, snapshot.untracked, snapshot.omitted, snapshot.notes) == (0, 0, (), ())


def test_changed_and_untracked_files_are_counted(tmp_path):
    snapshot = taken(edited(committed(tmp_path)))
    assert (snapshot.changed, snapshot.untracked) == (3, 2)


def test_an_unborn_branch_has_no_base_and_a_detached_head_no_branch(tmp_path):
    unborn = REPOSITORIES["unborn_with_files"](tmp_path / "unborn")
    assert (taken(unborn).base, taken(unborn).branch) == (None, "main")
    detached = REPOSITORIES["detached_head"](tmp_path / "detached")
    assert taken(detached).branch is None


def test_a_bare_repository_is_refused(tmp_path):
    git(tmp_path, "init", "--quiet", "--bare")
    with pytest.raises(RepositoryError, match="has no files"):
        taken(tmp_path)


def test_without_untracked_files_only_tracked_ones_are_in(tmp_path):
    snapshot = taken(edited(committed(tmp_path)), untracked=False)
    assert paths(tmp_path, snapshot.tree) == ["a.txt", "src/code.py", "src/deep/more.py"]
    assert snapshot.untracked == 0


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        (".env", {".env", "deep/.env"}),
        ("*.key", {"my.key", "deep/my.key"}),
        ("secrets", {"secrets/"}),
        ("secrets/", {"secrets/"}),
        ("deep/*.key", {"deep/my.key"}),
        ("/deep/.env", {"deep/.env"}),
        ("env", set()),
    ],
)
def test_patterns_leave_out_untracked_files_at_any_depth(tmp_path, pattern, left_out):
    committed(tmp_path)
    names = {".env", "deep/.env", "my.key", "deep/my.key", "secrets/x.txt", "secrets/y.txt", "environment.txt"}
    for name in names:
        write(tmp_path / name)
    snapshot = taken(tmp_path, exclude=(pattern,))
    assert reasons(snapshot) == dict.fromkeys(left_out, f'excluded by "{pattern}"')
    assert names - set(paths(tmp_path, snapshot.tree)) == {
        name for name in names if name.startswith(tuple(left_out or ["nothing"]))
    }


def test_a_pattern_never_leaves_out_a_tracked_file(tmp_path):
    committed(tmp_path)
    write(tmp_path / "a.txt", "changed\n")
    snapshot = taken(tmp_path, exclude=("*.txt",))
    assert snapshot.omitted == ()
    assert snapshot.changed == 1


def test_folders_of_ours_are_not_even_mentioned(tmp_path):
    committed(tmp_path)
    write(tmp_path / "cache" / "store" / "x")
    write(tmp_path / "cache" / "storeroom")
    write(tmp_path / ".finestflow" / "x")
    snapshot = taken(tmp_path, leave_out=("cache/store",))
    assert snapshot.omitted == ()
    assert set(paths(tmp_path, snapshot.tree)) - {"a.txt", "b.txt", "src/code.py", "src/deep/more.py"} == {
        "cache/storeroom"
    }


def test_a_large_file_is_named_with_size_and_digest_and_a_secret_without_digest(tmp_path):
    committed(tmp_path)
    write(tmp_path / "large.bin", "x" * 1001)
    write(tmp_path / "token.key", "1234")
    large, secret = taken(tmp_path, max_file_size=1000, exclude=("*.key",)).omitted
    assert (large.path, large.size, len(large.digest)) == ("large.bin", 1001, 64)
    assert (secret.path, secret.size, secret.digest) == ("token.key", 4, None)


def test_too_many_files_at_the_root_leave_the_root_out_and_keep_folders(tmp_path):
    committed(tmp_path)
    for number in range(12):
        write(tmp_path / f"{number}.dat")
    write(tmp_path / "folder" / "kept.txt")
    snapshot = taken(tmp_path, max_files=5)
    assert reasons(snapshot) == {"./": "12 untracked files, the limit is 5"}
    assert "folder/kept.txt" in paths(tmp_path, snapshot.tree)
    assert snapshot.untracked == 1


def test_several_crowded_folders_go_until_the_limit_holds(tmp_path):
    committed(tmp_path)
    for folder, count in (("one", 20), ("two", 15), ("three", 3)):
        for number in range(count):
            write(tmp_path / folder / f"{number}.dat")
    snapshot = taken(tmp_path, max_files=5)
    assert set(reasons(snapshot)) == {"one/", "two/"}
    assert snapshot.untracked == 3


def test_conflicts_submodules_and_filters_are_noted(tmp_path):
    def notes(name: str) -> str:
        return "\n".join(taken(REPOSITORIES[name](tmp_path / name)).notes)

    assert notes("mid_merge_with_conflicts") == '"a.txt" has an unresolved conflict\n"b.txt" has an unresolved conflict'
    assert 'submodule "sub" has changes that are not recorded' in notes("submodule_dirty")
    assert 'the filter "toy" failed' in notes("missing_required_filter")
    assert "a filter could not run" in notes("missing_filter")
    assert notes("dirty") == ""


def test_a_large_file_whose_filter_is_missing_does_not_swell_the_repository(tmp_path):
    """Without git-lfs its files would enter as they are: small ones do, large ones are left out, tracked ones as well."""
    work_tree = REPOSITORIES["missing_required_filter"](tmp_path)
    write(work_tree / "old.toy", "x" * 2000)
    write(work_tree / "new.toy", "small\n")
    write(work_tree / "a.txt", "y" * 2000)
    snapshot = taken(work_tree, max_file_size=1000)
    assert reasons(snapshot) == {"old.toy": "not recorded by git: its filter failed, and it is larger than 1000 bytes"}
    with Objects(find_repository(work_tree, ENVIRON)) as objects:
        assert objects.read_path(snapshot.tree, "old.toy") == b"OLD\n"
        assert objects.read_path(snapshot.tree, "new.toy") == b"small\n"
        assert objects.read_path(snapshot.tree, "a.txt") == b"y" * 2000


def test_conflict_markers_are_recorded(tmp_path):
    work_tree = REPOSITORIES["mid_merge_with_conflicts"](tmp_path)
    with Objects(find_repository(work_tree, ENVIRON)) as objects:
        assert b"<<<<<<<" in objects.read_path(taken(work_tree).tree, "a.txt")


def test_a_nested_repository_is_named_with_its_commit(tmp_path):
    work_tree = REPOSITORIES["nested_repositories"](tmp_path)
    inner = git(work_tree / "nested", "rev-parse", "HEAD")
    assert reasons(taken(work_tree))["nested/"] == f"a repository of its own, at commit {inner}"


def test_what_the_process_inherited_from_a_hook_does_not_reach_git(tmp_path, monkeypatch):
    work_tree, other = edited(committed(tmp_path / "here")), committed(tmp_path / "other")
    expected = taken(work_tree)
    index = (other / ".git" / "index").read_bytes()
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
        "GIT_QUARANTINE_PATH": "x",
        "GIT_CONFIG_PARAMETERS": "'core.bare'='true'",
    }.items():
        monkeypatch.setenv(name, value)
    assert taken(work_tree) == expected
    assert (other / ".git" / "index").read_bytes() == index


def test_two_snapshots_of_the_same_files_are_equal(tmp_path):
    work_tree = edited(committed(tmp_path))
    assert taken(work_tree) == taken(work_tree)


def test_a_file_that_changes_meanwhile_is_recorded_as_it_is_in_the_end(tmp_path, monkeypatch):
    """A change between the first look and the last is found by the next look."""
    work_tree = edited(committed(tmp_path))
    record = private_index.PrivateIndex.add_paths
    changes = iter(["second\n"])

    def add_and_change(self, asked):
        refused = record(self, asked)
        if (content := next(changes, None)) is not None:
            write(work_tree / "a.txt", content)
            write(work_tree / "late.txt")
        return refused

    monkeypatch.setattr(private_index.PrivateIndex, "add_paths", add_and_change)
    snapshot = taken(work_tree)
    assert snapshot.stable
    assert snapshot.untracked == 3
    with Objects(find_repository(work_tree, ENVIRON)) as objects:
        assert objects.read_path(snapshot.tree, "a.txt") == b"second\n"
        assert objects.read_path(snapshot.tree, "late.txt") is not None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tree: (tree / "other.txt").unlink(), id="a tracked file that goes"),
        pytest.param(lambda tree: write(tree / "empty" / "deep" / "new.txt"), id="a file in an empty folder"),
        pytest.param(lambda tree: (tree / "loose" / "x.txt").rename(tree / "empty" / "x.txt"), id="an untracked file"),
        pytest.param(lambda tree: (tree / "loose").rename(tree / "moved"), id="a folder that moves"),
    ],
)
def test_names_that_change_meanwhile_are_in_the_snapshot(tmp_path, monkeypatch, change):
    """What nobody asked to be recorded may come and go as well."""
    write(tmp_path / "other.txt")
    work_tree = edited(committed(tmp_path))
    write(work_tree / "loose" / "x.txt")
    (work_tree / "empty" / "deep").mkdir(parents=True)
    record = private_index.PrivateIndex.add_paths
    changes = iter([change])

    def add_and_change(self, asked):
        refused = record(self, asked)
        for each in changes:
            each(work_tree)
        return refused

    monkeypatch.setattr(private_index.PrivateIndex, "add_paths", add_and_change)
    snapshot = taken(work_tree)
    git(work_tree, "add", "--all")

    assert snapshot.stable
    assert snapshot.tree == git(work_tree, "write-tree")


def test_a_snapshot_is_how_all_files_were_at_one_moment(tmp_path, monkeypatch):
    """A file that changes after all have been looked at is recorded as it was beside the others."""
    write(tmp_path / "other.txt")
    work_tree = edited(committed(tmp_path))
    before = taken(work_tree)
    time.sleep(0.05)
    record = private_index.PrivateIndex.add_paths

    def add_and_change(self, asked):
        refused = record(self, asked)
        write(work_tree / "other.txt", "edited\n")
        return refused

    monkeypatch.setattr(private_index.PrivateIndex, "add_paths", add_and_change)
    assert taken(work_tree) == before
    assert taken(work_tree).tree != before.tree


def test_a_file_that_changes_while_git_looks_is_looked_for_again(tmp_path, monkeypatch):
    """What was changed after the first files were looked at says nothing about one moment."""
    write(tmp_path / "other.txt")
    work_tree = edited(committed(tmp_path))
    time.sleep(0.05)
    looks = private_index.PrivateIndex.read_status_and_flags
    asked = []

    def change_and_look(self, **how):
        write(work_tree / "other.txt", "edited\n")
        return looks(self, **how)

    def look_again(self, **how):
        asked.append(how)
        return again(self, **how)

    again = private_index.PrivateIndex.read_status
    monkeypatch.setattr(private_index.PrivateIndex, "read_status_and_flags", change_and_look)
    monkeypatch.setattr(private_index.PrivateIndex, "read_status", look_again)
    snapshot = taken(work_tree)
    git(work_tree, "add", "--all")

    assert asked
    assert snapshot.stable
    assert snapshot.tree == git(work_tree, "write-tree")


def test_files_at_rest_are_looked_at_once(tmp_path, monkeypatch):
    """Where all times are older than the snapshot, git is asked once: that keeps it below twice the time of a status."""
    work_tree = edited(committed(tmp_path))
    (work_tree / "empty").mkdir()
    time.sleep(0.05)  # a folder may not be as young as the snapshot
    monkeypatch.delattr(private_index.PrivateIndex, "read_status")

    assert taken(work_tree).stable


def test_files_that_never_rest_make_the_snapshot_unstable_not_an_error(tmp_path, monkeypatch):
    work_tree = edited(committed(tmp_path))
    record = private_index.PrivateIndex.add_paths
    counter = iter(range(1000))

    def add_and_change(self, asked):
        refused = record(self, asked)
        write(work_tree / "a.txt", f"{next(counter)}\n")
        return refused

    monkeypatch.setattr(private_index.PrivateIndex, "add_paths", add_and_change)
    snapshot = taken(work_tree)
    assert not snapshot.stable
    assert "files changed while they were recorded" in snapshot.notes


@pytest.mark.slow
def test_files_written_and_removed_all_the_time_never_fail_a_snapshot(tmp_path):
    work_tree = edited(committed(tmp_path))
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            for number in range(20):
                write(work_tree / "busy" / f"{number}.txt", os.urandom(8).hex())
            for number in range(20):
                (work_tree / "busy" / f"{number}.txt").unlink()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        trees = [taken(work_tree).tree for _ in range(5)]
    finally:
        stop.set()
        thread.join()
    for tree in trees:
        assert {"a.txt", "new.txt"} <= set(paths(work_tree, tree))


def test_a_file_that_git_refuses_is_left_out_and_the_others_are_recorded(tmp_path):
    """With a working-tree encoding that does not fit, git refuses the file; halving the list finds it."""
    work_tree = committed(tmp_path)
    write(work_tree / ".gitattributes", "bad*.txt text working-tree-encoding=UTF-16\n")
    commit(work_tree)
    for number in range(9):
        write(work_tree / f"good{number}.txt")
    write(work_tree / "bad1.txt", b"no byte order mark")
    write(work_tree / "bad2.txt", b"neither")
    snapshot = taken(work_tree)
    assert set(reasons(snapshot)) == {"bad1.txt", "bad2.txt"}
    assert {f"good{number}.txt" for number in range(9)} <= set(paths(work_tree, snapshot.tree))
    assert snapshot.untracked == 9


def give_away(folder: Path, owner: int) -> None:
    for parent, _, files in os.walk(folder):
        for path in [parent, *(os.path.join(parent, name) for name in files)]:
            os.chown(path, owner, owner)


def as_nobody(folder: Path, action):
    """Do something as a user whom permissions hold back; root gives the folder away and forks."""
    if os.geteuid() != 0:
        return action()
    action()  # all modules must be loaded, because this interpreter may lie where nobody may read
    give_away(folder, 65534)
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(sender, pickle.dumps(action()))
        except BaseException as error:
            os.write(sender, pickle.dumps(repr(error)))
        finally:
            os._exit(0)
    os.close(sender)
    os.waitpid(child, 0)
    give_away(folder, 0)
    with os.fdopen(receiver, "rb") as file:
        return pickle.load(file)


def test_what_cannot_be_read_is_left_out():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        work_tree = edited(committed(folder / "work"))
        write(work_tree / "closed.txt").chmod(0)
        write(work_tree / "b.txt", "tracked, changed, closed\n").chmod(0)
        write(work_tree / "shut" / "inner.txt")
        (work_tree / "shut").chmod(0)
        snapshot = as_nobody(work_tree, lambda: taken(work_tree))
        assert reasons(snapshot) == {
            "b.txt": 'not recorded by git: open("b.txt"): Permission denied',
            "closed.txt": "it cannot be read",
            "shut/": "permission denied",
        }
        assert {"a.txt", "new.txt", "fresh/inner.txt"} <= set(paths(work_tree, snapshot.tree))


def test_an_odd_path_is_left_out_with_a_name_that_can_be_stored(tmp_path):
    committed(tmp_path)
    write(tmp_path / os.fsdecode(b"caf\xe9.bin"), "x" * 2000)
    (row,) = taken(tmp_path, max_file_size=1000).omitted
    assert row.path == "caf\\xe9.bin"
    assert row.path.encode()
