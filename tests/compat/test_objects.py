"""Objects that are written in this process are git's own, byte for byte; damage is named."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import sys

import pytest

from finestflow.errors import CorruptionError
from finestflow.git import objects as objects_module
from finestflow.git.history import CommitData, is_ancestor, iter_changed_paths, iter_commits, read_blobs
from finestflow.git.objects import FileChange, Objects
from finestflow.git.refs import resolve_commit
from finestflow.git.repository import find_repository
from tests.compat.building import ENVIRON, commit, committed, git, write

FILES = {"run.json": b"{}\n", "logs/a.txt": b"log\n", "logs/deep/b.txt": b"\0\xff", "series/loss.csv": b""}


@pytest.fixture(params=["sha1", "sha256"])
def repo(request, tmp_path):
    committed(tmp_path, f"--object-format={request.param}")
    return find_repository(tmp_path, ENVIRON)


@pytest.fixture
def objects(repo):
    with Objects(repo) as store:
        yield store


def written(objects, repo, tree, *parents, message="subject\n\nbody\n", time=1_700_000_000):
    return objects.write_commit(
        tree=tree,
        parents=parents,
        message=message,
        author=("Ada", "ada@example.org"),
        author_time=time,
        commit_time=time + 1,
    )


def test_a_grafted_folder_lies_beside_the_files_as_git_reads_it(repo, objects):
    tree = objects.graft(resolve_commit(repo, "HEAD"), ".finestflow", FILES)
    listed = git(repo.work_tree, "ls-tree", "-r", "--name-only", tree).splitlines()
    assert listed == sorted(
        [*(f".finestflow/{name}" for name in FILES), "a.txt", "b.txt", "src/code.py", "src/deep/more.py"]
    )
    assert git(repo.work_tree, "cat-file", "-p", f"{tree}:.finestflow/run.json") == "{}"
    git(repo.work_tree, "fsck", "--strict")


def test_a_graft_replaces_what_had_its_name_and_without_takes_it_away(repo, objects):
    plain = git(repo.work_tree, "rev-parse", "HEAD^{tree}")
    tree = objects.graft(plain, ".finestflow", FILES)
    again = objects.graft(tree, ".finestflow", {"one": b"1"})
    assert [path for path, _, _ in objects.iter_files(again, ".finestflow")] == [".finestflow/one"]
    assert objects.without(again, ".finestflow") == plain
    assert objects.without(plain, ".finestflow") == plain


def test_a_graft_on_nothing_is_a_tree_of_its_own(repo, objects):
    tree = objects.graft(None, "notes", {"x.toml": b"x"})
    assert objects.read_path(tree, "notes/x.toml") == b"x"


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", ".git/x", "a/./b"])
def test_paths_that_git_would_refuse_are_refused(objects, path):
    with pytest.raises(ValueError, match="not a path inside a tree"):
        objects.graft(None, "x", {path: b""})


def test_a_commit_is_what_git_reads(repo, objects):
    head = resolve_commit(repo, "HEAD")
    tree = git(repo.work_tree, "rev-parse", "HEAD^{tree}")
    oid = objects.write_commit(
        tree=tree,
        parents=[head],
        message="größe\n\nKey: value\n",
        author=("A <b>\nc", "a@b"),
        author_time=5,
        commit_time=9,
        timezone=3600,
    )
    shown = git(repo.work_tree, "show", "-s", "--format=%T %P %an %ae %at %ct %ai%n%B", oid)
    assert shown.split("\n")[:3] == [f"{tree} {head} A bc a@b 5 9 1970-01-01 01:00:05 +0100", "größe", ""]
    assert git(repo.work_tree, "show", "-s", "--format=%(trailers:key=Key,valueonly)", oid) == "value"
    git(repo.work_tree, "fsck", "--strict")
    assert objects.read_commit(oid) == CommitData(
        oid=oid, tree=tree, parents=(head,), author_time=5, commit_time=9, message="größe\n\nKey: value\n"
    )


def test_files_are_read_by_path_of_a_commit_or_tree(repo, objects):
    head = resolve_commit(repo, "HEAD")
    assert objects.read_path(head, "src/deep/more.py") == b"y = 2\n"
    assert objects.read_path(objects.read_commit(head).tree, "a.txt") == b"a\n"
    assert [objects.read_path(head, path) for path in ("src", "src/none", "a.txt/x", "", "none")] == [None] * 5


def test_all_files_are_listed_in_order_with_mode_and_id(repo, objects):
    head = resolve_commit(repo, "HEAD")
    rows = list(objects.iter_files(head))
    assert [path for path, _, _ in rows] == ["a.txt", "b.txt", "src/code.py", "src/deep/more.py"]
    assert rows[0][1:] == (stat.S_IFREG | 0o644, git(repo.work_tree, "rev-parse", "HEAD:a.txt"))
    assert [path for path, _, _ in objects.iter_files(head, "src/deep/")] == ["src/deep/more.py"]
    assert list(objects.iter_files(head, "none")) == []


def test_changed_files_are_added_removed_or_changed(repo, objects):
    before = resolve_commit(repo, "HEAD")
    write(repo.work_tree / "a.txt", "changed\n")
    write(repo.work_tree / "src" / "new.py")
    (repo.work_tree / "b.txt").unlink()
    commit(repo.work_tree, "second")
    after = objects.graft(resolve_commit(repo, "HEAD"), ".finestflow", FILES)
    changes = objects.changed_files(before, after, ignore_prefix=".finestflow")
    assert [(change.path, change.kind) for change in changes] == [
        ("a.txt", "changed"),
        ("b.txt", "removed"),
        ("src/new.py", "added"),
    ]
    assert changes[1] == FileChange(
        path="b.txt", kind="removed", old_oid=git(repo.work_tree, "rev-parse", f"{before}:b.txt"), new_oid=None
    )
    assert len(objects.changed_files(before, after)) == 3 + len(FILES)
    assert objects.changed_files(before, before) == []


def test_a_missing_object_and_a_wrong_kind_are_corruption(repo, objects):
    head = resolve_commit(repo, "HEAD")
    for action in (
        lambda: objects.read_commit("1" * len(head)),
        lambda: objects.read_blob(head),
        lambda: objects.read_commit(git(repo.work_tree, "rev-parse", "HEAD:a.txt")),
        lambda: objects.graft(git(repo.work_tree, "rev-parse", "HEAD:a.txt"), "x", {}),
    ):
        with pytest.raises(CorruptionError):
            action()


def test_a_damaged_object_is_corruption(repo, objects):
    oid = objects.graft(None, "x", {"y": b"content" * 100})
    path = repo.common_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"not zlib")
    with Objects(repo) as fresh, pytest.raises(CorruptionError):
        list(fresh.iter_files(oid))


def test_objects_survive_a_gc_between_write_and_read(repo, objects):
    tree = objects.graft(None, "x", FILES)
    oid = written(objects, repo, tree)
    git(repo.work_tree, "update-ref", "refs/heads/kept", oid)
    git(repo.work_tree, "gc", "--quiet", "--prune=now")
    assert objects.read_path(oid, "x/run.json") == b"{}\n"
    assert written(objects, repo, tree) == oid


def test_a_gc_while_an_object_is_written_neither_complains_nor_takes_it(repo, objects, monkeypatch):
    """What gc complains of stays in gc.log, and keeps it from packing for a day."""
    replace, said = os.replace, []

    def collect_first(source, target):
        if not said:
            done = subprocess.run(["git", "gc", "--prune=now"], cwd=repo.work_tree, capture_output=True, check=False)
            said.append(done.stderr.decode())
        replace(source, target)

    monkeypatch.setattr(objects_module.os, "replace", collect_first)
    tree = objects.graft(None, "x", {"y": b"written while gc runs"})

    assert len(said) == 1
    assert "bad sha1 file" not in said[0]
    assert objects.read_path(tree, "x/y") == b"written while gc runs"


def test_an_object_that_cannot_be_written_leaves_nothing(repo, objects, monkeypatch):
    def fail(source, target):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(objects_module.os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        objects.graft(None, "x", {"y": b"too much"})
    assert list((repo.common_dir / "objects").rglob("tmp_obj_*")) == []


def test_others_of_a_shared_repository_can_write_beside_our_objects(tmp_path):
    committed(tmp_path, "--shared=group")
    repo = find_repository(tmp_path, ENVIRON)
    with Objects(repo) as objects:
        oid = objects.graft(None, "x", {"y": b"a content that starts a folder of its own"})
    mode = (repo.common_dir / "objects" / oid[:2]).stat().st_mode
    assert mode & stat.S_IWGRP


def test_nothing_is_said_on_stderr_at_exit_after_snapshots_and_reads(tmp_path):
    committed(tmp_path)
    git(tmp_path, "gc", "--quiet")
    program = (
        "import os, pathlib\n"
        "from finestflow.git.repository import find_repository\n"
        "from finestflow.git.objects import Objects\n"
        "from finestflow.git.refs import resolve_commit\n"
        "from finestflow.git.snapshot import SnapshotRules, take_snapshot\n"
        f"repo = find_repository(pathlib.Path({str(tmp_path)!r}), dict(os.environ))\n"
        "take_snapshot(repo, SnapshotRules(), index=repo.state_dir / 'index')\n"
        "with Objects(repo) as objects: print(objects.read_path(resolve_commit(repo, 'HEAD'), 'a.txt'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, env=ENVIRON, check=True
    )
    assert (done.stdout, done.stderr) == ("b'a\\n'\n", "")


def test_commits_are_read_oldest_first_with_whole_messages(repo, objects):
    tree = objects.graft(None, "x", FILES)
    messages = ["one", "two\n\nbody\n\nKey: ä\n", "", "four\n\n\n" + "long " * 1000]
    tip, oids = None, []
    for number, message in enumerate(messages):
        tip = written(objects, repo, tree, *([tip] if tip else []), message=message, time=1000 - number)
        oids.append(tip)
    commits = list(iter_commits(repo, tip))
    assert [found.oid for found in commits] == oids
    assert [found.message.rstrip("\n") for found in commits] == [message.rstrip("\n") for message in messages]
    assert commits[1].parents == (oids[0],)
    assert (commits[0].tree, commits[0].author_time, commits[0].commit_time) == (tree, 1000, 1001)
    assert [found.oid for found in iter_commits(repo, tip, old=oids[1])] == oids[2:]
    assert list(iter_commits(repo, tip, old=tip)) == []
    assert is_ancestor(repo, oids[0], tip)
    assert not is_ancestor(repo, tip, oids[0])
    assert not is_ancestor(repo, "1" * len(tip), tip)


def test_settings_of_the_user_do_not_change_what_is_read(repo, objects):
    for name, value in {
        "log.showSignature": "true",
        "log.decorate": "full",
        "color.ui": "always",
        "log.follow": "true",
    }.items():
        git(repo.work_tree, "config", name, value)
    git(repo.work_tree, "config", "i18n.logOutputEncoding", "latin1")
    tip = written(objects, repo, objects.graft(None, "x", {}), message="größe\n")
    assert [found.message for found in iter_commits(repo, tip)] == ["größe\n"]


def test_the_files_that_differ_are_told_pair_by_pair(repo, objects):
    states = [{}, {"a": b"1", "d\n/é": b"1"}, {"a": b"2", "d\n/é": b"1"}, {"a": b"2", "d\n/é": b"1"}, {"b": b"2"}]
    tips = [written(objects, repo, objects.graft(None, "x", files)) for files in states]
    pairs = [*itertools.pairwise(tips), (tips[0], tips[4])]
    assert list(iter_changed_paths(repo, pairs)) == [
        ["x/a", "x/d\n/é"],
        ["x/a"],
        [],
        ["x/a", "x/b", "x/d\n/é"],
        ["x/b"],
    ]
    assert list(iter_changed_paths(repo, [])) == []


def test_history_that_cannot_be_read_is_corruption(repo):
    with pytest.raises(CorruptionError):
        list(iter_commits(repo, "1" * len(repo.null_oid)))


def test_reading_may_stop_early(repo, objects):
    tree, tip = objects.graft(None, "x", {}), None
    for number in range(50):
        tip = written(objects, repo, tree, *([tip] if tip else []), time=number)
    assert next(iter_commits(repo, tip)).author_time == 0
    assert next(read_blobs(repo, [f"{tip}:none"] * 5000)) is None


def test_many_blobs_are_read_in_order_by_one_process(repo, objects):
    contents = {f"f{number}.json": os.urandom(number * 37) for number in range(300)}
    tip = written(objects, repo, objects.graft(None, "x", contents))
    specs = [f"{tip}:x/{name}" for name in contents]
    specs.insert(7, f"{tip}:none here")
    specs.insert(9, f"{tip}:x")
    found = list(read_blobs(repo, specs))
    assert (found.pop(9), found.pop(7)) == (None, None)
    assert found == list(contents.values())
    assert list(read_blobs(repo, [])) == []
