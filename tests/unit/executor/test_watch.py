"""Files that a task opens by itself count for its hits."""

from __future__ import annotations

import functools
import glob
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finestflow import Pipeline, Task

DATA = Path("constant.txt")


class Reader(Task):
    def run(self):
        with open("data.txt", encoding="utf-8") as file:
            return file.read()


class Constant(Task):
    def run(self):
        return DATA.read_text(encoding="utf-8")


class Lister(Task):
    def run(self):
        return sorted(glob.glob("folder/*.csv"))


class Writer(Task):
    def run(self):
        Path("out.log").write_text("text", encoding="utf-8")
        return Path("out.log").read_text(encoding="utf-8") != ""


class Threaded(Task):
    def run(self):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(DATA.with_name("data.txt").read_text).result()


class Mapped(Task):
    adds: bool = False

    def run(self):
        with open("data.txt", "r+", encoding="utf-8") as file:
            text = file.read()
            if self.adds:
                file.write(text)
        return text


class Optional(Task):
    def run(self):
        try:
            return Path("optional.txt").read_text(encoding="utf-8")
        except FileNotFoundError:
            return "none"


@functools.cache
def _remembered():
    return Path("data.txt").read_text(encoding="utf-8")


class Remembering(Task):
    def run(self, number):
        return f"{number} {_remembered()}"


class Twice(Pipeline):
    first: Remembering
    second: Remembering

    def __call__(self):
        return [self.first(1), self.second(2)]


def _pipeline(task):
    class One(Pipeline):
        only: Task = task

        def __call__(self):
            return self.only()

    return One()


@pytest.fixture(autouse=True)
def project(repository, monkeypatch):
    monkeypatch.chdir(repository)
    for name in ("data.txt", "constant.txt"):
        _write(repository / name, "old")
    (repository / "folder").mkdir()
    (repository / "folder" / "a.csv").touch()
    return repository


def _status(pipeline):
    return pipeline.last_run.nodes["only"].status.value


def _write(path, text):
    """Write a file as if it had been there for a while."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))


def test_a_file_that_a_task_opens_is_a_hit_while_it_is_the_same_and_a_miss_when_it_changed(project):
    pipeline = _pipeline(Reader())

    assert [pipeline(), pipeline()] == ["old", "old"]
    assert _status(pipeline) == "hit"
    _write(project / "data.txt", "new")
    assert pipeline() == "new"
    assert pipeline.last_run.why("only") == "file 'data.txt', which it reads, changed"


def test_going_back_to_the_old_content_of_a_file_hits_again(project):
    pipeline = _pipeline(Reader())
    pipeline()
    _write(project / "data.txt", "new")
    pipeline()
    _write(project / "data.txt", "old")

    assert pipeline() == "old"
    assert _status(pipeline) == "hit"


def test_a_file_that_is_gone_is_a_miss(project):
    pipeline = _pipeline(Reader())
    pipeline()
    (project / "data.txt").unlink()

    with pytest.raises(FileNotFoundError):
        pipeline()


def test_a_file_that_a_thread_of_the_task_opens_counts_too(project):
    pipeline = _pipeline(Threaded())

    assert [pipeline(), pipeline()] == ["old", "old"]
    assert _status(pipeline) == "hit"
    _write(project / "data.txt", "new")
    assert pipeline() == "new"


def test_a_file_that_a_function_remembers_counts_for_each_call_that_it_serves(project):
    pipeline = Twice()

    assert pipeline() == ["1 old", "2 old"]
    _remembered.cache_clear()  # another process
    _write(project / "data.txt", "new")

    assert pipeline() == ["1 new", "2 new"]
    assert pipeline.last_run.why("second") == "file 'data.txt', which it reads, changed"


def test_a_file_that_is_opened_to_be_changed_and_is_not_counts_too(project):
    pipeline = _pipeline(Mapped())

    assert [pipeline(), pipeline()] == ["old", "old"]
    assert _status(pipeline) == "hit"
    _write(project / "data.txt", "new")
    assert pipeline() == "new"


def test_a_file_that_the_task_changes_does_not_count(project):
    pipeline = _pipeline(Mapped(adds=True))

    assert [pipeline(), pipeline()] == ["old", "old"]
    assert _status(pipeline) == "hit"


def test_a_file_that_was_not_there_is_a_miss_when_it_is(project):
    pipeline = _pipeline(Optional())

    assert [pipeline(), pipeline()] == ["none", "none"]
    assert _status(pipeline) == "hit"
    _write(project / "optional.txt", "new")
    assert pipeline() == "new"
    assert pipeline.last_run.why("only") == "file 'optional.txt', which it reads, changed"


def test_a_constant_that_names_a_file_counts_with_its_content(project):
    pipeline = _pipeline(Constant())
    pipeline()
    _write(project / "constant.txt", "new")

    assert pipeline() == "new"


def test_a_folder_that_a_task_lists_counts_with_its_names(project):
    pipeline = _pipeline(Lister())

    assert pipeline() == pipeline() == ["folder/a.csv"]
    (project / "folder" / "b.csv").touch()
    assert pipeline() == ["folder/a.csv", "folder/b.csv"]
    assert _status(pipeline) == "ok"


def test_a_file_that_the_task_writes_itself_does_not_make_it_run_again():
    pipeline = _pipeline(Writer())
    pipeline()
    pipeline()

    assert _status(pipeline) == "hit"
