"""Files and folders as inputs and as outputs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finestflow.cache.digest import digest_value
from finestflow.cache.files import FileDigests
from finestflow.cache.store import MissingValueError, Store
from finestflow.errors import ValueNotStorableError


@pytest.fixture
def work(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def store(tmp_path, work):
    made = Store(tmp_path / "store.sqlite", tmp_path / "objects", scratch=tmp_path / "scratch", root=work)
    yield made
    made.close()


def add(store, value):
    encoded = store.encode(value)
    store.add_value(encoded)
    return encoded.digest


def tree(folder):
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "empty").mkdir()
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "tool").write_bytes(b"#!/bin/sh\n" + b"x" * 50_000)
    (folder / "deep" / "er" / "tool").chmod(0o755)
    (folder / "gone").symlink_to("nowhere")
    (folder / "odd \udcff name").touch()
    return folder


def contents(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        name = os.fspath(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = (path.stat().st_mode & 0o111 != 0, path.read_bytes()) if path.is_file() else None
    return found


# -- outputs --------------------------------------------------------------------------------------------------------------


def test_a_returned_file_comes_back_as_a_private_copy(store, work, tmp_path):
    path = work / "model.pt"
    path.write_bytes(b"weights" * 10_000)
    digest = add(store, Path("model.pt"))
    path.unlink()

    one, other = store.load(digest), store.load(digest)
    one.write_bytes(b"changed")

    assert other.read_bytes() == b"weights" * 10_000
    assert one.name == "model.pt"
    assert one != other
    assert one.is_relative_to(tmp_path / "scratch")
    assert list(work.iterdir()) == []


def test_a_returned_folder_comes_back_whole(store, work):
    before = contents(tree(work / "out"))
    digest = add(store, {"report": work / "out", "lines": [1, 2]})

    back = store.load(digest)

    assert contents(back["report"]) == before
    assert back["lines"] == [1, 2]
    assert (back["report"] / "a.txt").stat().st_mode & 0o200


def test_an_empty_file_and_an_empty_folder_come_back(store, work):
    (work / "empty").mkdir()
    (work / "file").touch()

    folder, file = store.load(add(store, [work / "empty", work / "file"]))

    assert folder.is_dir()
    assert file.read_bytes() == b""


def test_where_an_artifact_was_made_does_not_count(store, work):
    one, other = tree(work / "one"), tree(work / "other")
    (work / "p").mkdir()
    same = tree(work / "p" / "one")

    assert add(store, one) == add(store, same)
    assert add(store, one) != add(store, other)
    assert add(store, store.load(add(store, one))) == add(store, one)


CHANGES = {
    "content": lambda f: (f / "a.txt").write_text("b"),
    "new file": lambda f: (f / "b.txt").touch(),
    "new folder": lambda f: (f / "b").mkdir(),
    "removed": lambda f: (f / "a.txt").unlink(),
    "renamed": lambda f: (f / "a.txt").rename(f / "c.txt"),
    "executable": lambda f: (f / "a.txt").chmod(0o755),
    "link": lambda f: ((f / "gone").unlink(), (f / "gone").symlink_to("elsewhere")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_a_folder_counts(store, work, name):
    folder = tree(work / "out")
    output, given = store.encode(folder).digest, store.digest(folder).digest

    CHANGES[name](folder)

    assert store.encode(folder).digest != output
    assert store.digest(folder).digest != given


def test_times_and_owners_do_not_count(store, work):
    folder = tree(work / "out")
    before = store.encode(folder).digest, store.digest(folder).digest

    os.utime(folder / "a.txt", (1, 1))
    (folder / "a.txt").chmod(0o600)

    assert (store.encode(folder).digest, store.digest(folder).digest) == before


def test_an_output_path_at_which_nothing_is_stays_a_path(store, work):
    assert store.load(add(store, Path("nothing"))) == Path("nothing")
    assert store.load(add(store, Path("/dev/null"))) == Path("/dev/null")


def test_links_are_followed(store, work):
    (work / "data.txt").write_text("one")
    folder = work / "out"
    folder.mkdir()
    (folder / "link.txt").symlink_to(work / "data.txt")
    (folder / "around").symlink_to(folder)
    before = store.encode(folder).digest

    back = store.load(add(store, folder))
    assert (back / "link.txt").read_text() == "one"
    assert not (back / "link.txt").is_symlink()

    (work / "data.txt").write_text("two")
    assert store.encode(folder).digest != before


def test_a_file_that_changes_while_it_is_stored_is_refused(store, work, monkeypatch):
    path = work / "model.pt"
    path.write_bytes(b"a" * 100)
    digest = FileDigests.digest

    def digest_and_change(self, place, status):
        found = digest(self, place, status)
        path.write_bytes(b"b" * 100)
        return found

    monkeypatch.setattr(FileDigests, "digest", digest_and_change)

    with pytest.raises(ValueNotStorableError, match="changed while it was stored") as caught:
        store.encode({"model": path})
    assert caught.value.where == "['model']"


def test_a_pipe_in_a_folder_is_refused(store, work):
    (work / "out").mkdir()
    os.mkfifo(work / "out" / "pipe")

    with pytest.raises(ValueNotStorableError, match="neither file nor folder"):
        store.encode(work / "out")


def test_without_a_scratch_folder_an_artifact_cannot_be_loaded(tmp_path, work):
    (work / "a").touch()
    store = Store(tmp_path / "s.sqlite", tmp_path / "o")

    with pytest.raises(MissingValueError, match="scratch"):
        store.load(add(store, work / "a"))
    store.close()


def test_loading_an_artifact_whose_object_was_damaged_is_a_miss(store, work):
    (work / "a").write_bytes(os.urandom(100_000))
    encoded = store.encode(work / "a")
    store.add_value(encoded)
    os.truncate(store.objects.path(encoded.object), 50_000)

    assert not store.has(encoded.digest)
    with pytest.raises(MissingValueError):
        store.load(encoded.digest)


# -- inputs ---------------------------------------------------------------------------------------------------------------


def test_an_input_counts_relative_to_the_repository_with_its_content(work, tmp_path):
    def digest(path, root):
        return digest_value(path, root=root).digest

    other = tmp_path / "clone"
    for root in (work, other):
        (root / "data").mkdir(parents=True)
        (root / "data" / "x.csv").write_text("1,2")
        (root / "x.csv").write_text("1,2")

    assert digest(work / "data/x.csv", work) == digest(other / "data/x.csv", other)
    assert digest(Path("data/x.csv"), work) == digest(work / "data" / "x.csv", work)
    assert digest(work / "data/x.csv", work) != digest(work / "x.csv", work)
    assert digest(work / "data/x.csv", other) == digest(work / "x.csv", None)
    before = digest(work / "data", work)
    (other / "data" / "x.csv").write_text("1,3")
    assert digest(other / "data", other) != before
    assert digest(work / "nothing", work) == digest_value(work / "nothing").digest


def test_a_repository_reached_through_a_link_is_the_same(work, tmp_path):
    (work / "x.csv").write_text("1")
    (tmp_path / "link").symlink_to(work)

    assert digest_value(tmp_path / "link" / "x.csv", root=work).digest == digest_value(work / "x.csv", root=work).digest


def test_an_input_folder_counts_without_its_git_folder(store, work):
    folder = tree(work / "data")
    before = store.digest(folder).digest
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")

    assert store.digest(folder).digest == before


def test_input_and_output_of_the_same_file_differ(store, work):
    (work / "a").write_text("a")

    assert store.digest(work / "a").digest != store.encode(work / "a").digest


# -- the memory of digests ------------------------------------------------------------------------------------------------


class Reads:
    """Counts the files that are read."""

    def __init__(self, monkeypatch):
        from finestflow.cache import files

        self.count = 0
        original = files._digest_file

        def count(path):
            self.count += 1
            return original(path)

        monkeypatch.setattr(files, "_digest_file", count)


LATER = 10**10


@pytest.fixture
def large(work):
    path = work / "large.bin"
    path.write_bytes(b"a" * 100_000)
    return path


def test_an_unchanged_file_is_read_once_also_by_later_processes(tmp_path, work, large, monkeypatch):
    reads = Reads(monkeypatch)
    digests = set()
    for _ in range(2):
        store = Store(tmp_path / "s.sqlite", tmp_path / "o", now=lambda: large.stat().st_ctime_ns + LATER)
        digests |= {store.digest(large).digest for _ in range(3)}
        store.close()

    assert len(digests) == 1
    assert reads.count == 1


def test_a_file_that_was_just_changed_is_read_again(work, large, monkeypatch):
    reads = Reads(monkeypatch)
    files = FileDigests(lambda: large.stat().st_mtime_ns + 1000)

    for _ in range(3):
        files.digest(str(large), large.stat())

    assert reads.count == 3


def test_same_size_and_time_do_not_deceive(work, large):
    files = FileDigests(lambda: large.stat().st_ctime_ns + LATER)
    before, times = files.digest(str(large), large.stat()), (large.stat().st_atime_ns, large.stat().st_mtime_ns)

    large.write_bytes(b"b" * 100_000)
    os.utime(large, ns=times)

    assert large.stat().st_mtime_ns == times[1]
    assert files.digest(str(large), large.stat()) != before


def test_a_file_put_in_its_place_does_not_deceive(work, large):
    files = FileDigests(lambda: large.stat().st_ctime_ns + LATER)
    before, times = files.digest(str(large), large.stat()), (1, large.stat().st_mtime_ns)
    other = work / "other"
    other.write_bytes(b"b" * 100_000)
    os.utime(other, ns=times)

    other.rename(large)

    assert files.digest(str(large), large.stat()) != before


def test_paths_in_other_programs_are_files_too(work, tmp_path):
    """The digest of an input is the same in a process of its own, with another working directory."""
    (work / "a.txt").write_text("a")
    code = "import sys; from pathlib import Path; from finestflow.cache.digest import digest_value as d\n"
    code += "print(d(Path(sys.argv[1]), root=Path(sys.argv[2])).digest)"

    out = subprocess.run(
        [sys.executable, "-c", code, work / "a.txt", work], cwd="/", capture_output=True, check=True, text=True
    )

    assert out.stdout.strip() == digest_value(Path("a.txt"), root=work).digest
