"""What is inside of runs, as the index keeps it: the same from memory and from records, and never read twice."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing

import pytest

from finestflow.journal import index_inside
from finestflow.journal.index import Index
from finestflow.journal.journal import Journal
from finestflow.journal.query import parse
from finestflow.model import Digest, NodeRecord, NodeStatus, OutputRecord, Run, Snapshot

from .made import NOW, make_summary, open_repository

_TABLES = ("calls", "outputs", "many_outputs", "changes", "files", "versions", "depth")


@pytest.fixture
def repo(repository):
    return open_repository(repository)


def make_run(tree: str, at: int, **params) -> Run:
    """A run of two tasks and a fan-out, whose code and outputs depend on its number."""

    def node(path: str, task: str, part: int, status: NodeStatus = NodeStatus.OK) -> NodeRecord:
        output = OutputRecord(digest=Digest(f"{part:064x}"), size=1) if status is NodeStatus.OK else None
        code = {f"m:{task}.run": f"{at // 3:032x}", "(python)": "3.13"}
        return NodeRecord(path=path, task=f"m:{task}", status=status, output=output, code=code)

    last = NodeStatus.FAILED if at % 4 == 3 else NodeStatus.OK
    nodes = [
        node("load", "Load", 1),
        *(node(f"embed[{i}]", "Embed", i) for i in range(3)),
        node("fit", "Fit", at, last),
    ]
    summary = make_summary(
        pipeline="digits" if at % 3 else "other", started=NOW + at, code=tree, params={"fit.lr": at // 2, **params}
    )
    return Run(summary=summary, snapshot=Snapshot(tree=tree), nodes={node.path: node for node in nodes})


def trees_of(repo, git) -> list[str]:
    """Two trees of files, one of them with a name that is not UTF-8."""
    trees = [git("rev-parse", "HEAD^{tree}")]
    (repo.work_tree / "b.txt").write_text("b")
    with open(bytes(repo.work_tree) + b"/caf\xe9.txt", "w") as file:
        file.write("c")
    git("add", "-A")
    return [*trees, git("write-tree")]


def rows_of(path) -> dict[str, list]:
    with closing(sqlite3.connect(path)) as database:
        return {name: sorted(database.execute(f"SELECT * FROM {name}")) for name in _TABLES}


def query(index: Index, text: str = "task:x or file:x") -> list[str]:
    return [run.id for run in index.summaries(parse(text, now=NOW))]


def test_runs_are_taken_in_as_their_records_would_be_read(repo, git) -> None:
    journal, path, trees = Journal(repo), repo.state_dir / "index.sqlite", trees_of(repo, git)
    odd = {"bad": math.nan, "pair": (1, 2), "text": "\udce9"}
    with closing(Index(path)) as index:
        for at in range(12):
            run = make_run(trees[at % 5 == 0], at, **(odd if at % 2 else {}))
            journal.append(run)
            # every fourth is found by another process, which has no run at hand
            index.refresh(repo, ended=None if at % 4 == 2 else run)
        assert dict(rows_of(path)["depth"])["calls"] == 12
        assert all(query(index, text) for text in ("file:b.txt", "changed:fit.lr", "task.status:failed", "out:0000"))
    taken = rows_of(path)
    path.unlink()
    with closing(Index(path)) as index:
        index.refresh(repo)
        query(index)
    assert rows_of(path) == taken


def test_a_query_after_new_runs_reads_none_of_their_records(repo, git, monkeypatch) -> None:
    journal, tree = Journal(repo), git("rev-parse", "HEAD^{tree}")
    read = []
    monkeypatch.setattr(index_inside, "read_blobs", lambda repo, specs: read.append(specs) or iter(()))
    with closing(Index(repo.state_dir / "index.sqlite")) as index:
        for at in range(5):
            run = make_run(tree, at)
            journal.append(run)
            index.refresh(repo, ended=run)
        assert len(query(index, "task:fit")) == 5
    assert read == []


def test_the_end_of_a_run_does_not_read_what_a_new_index_lacks(repo, git, monkeypatch) -> None:
    journal, tree = Journal(repo), git("rev-parse", "HEAD^{tree}")
    monkeypatch.setattr(index_inside, "_MANY", 3)
    told = []
    for at in range(5):
        journal.append(make_run(tree, at))
    with closing(Index(repo.state_dir / "index.sqlite", lambda *words: told.append(words))) as index:
        run = make_run(tree, 5)
        journal.append(run)
        index.refresh(repo, ended=run)
        assert rows_of(repo.state_dir / "index.sqlite")["calls"] == []
        assert len(query(index, "task:fit")) == 6
    assert told[0] == ("making the index of runs", 6, 6)
    assert ("reading the records of runs", 6, 6) in told


def test_changed_files_are_read_when_some_runs_with_them_have_gathered(repo, git, monkeypatch) -> None:
    journal, trees, path = Journal(repo), trees_of(repo, git), repo.state_dir / "index.sqlite"
    monkeypatch.setattr(index_inside, "_FEW", 4)
    depths = []
    with closing(Index(path)) as index:
        for at in range(6):
            run = make_run(trees[at % 2], 3 * at)
            journal.append(run)
            index.refresh(repo, ended=run)
            depths.append(dict(rows_of(path)["depth"])["files"])
        assert len(query(index, "file:b.txt")) == 5
    assert depths == [1, 1, 1, 1, 5, 5]


def test_a_run_with_many_outputs_is_found_by_each_of_them(repo) -> None:
    """A run with hundreds of outputs is found by the beginning of the digest of any, as a run with few is."""
    journal = Journal(repo)
    nodes = {
        path: NodeRecord(
            path=path, task="m:Embed", status=NodeStatus.OK, output=OutputRecord(digest=Digest(f"{i + 1:064x}"[::-1]))
        )
        for i in range(300)
        for path in [f"embed[{i}]"]
    }
    run = Run(summary=make_summary(started=NOW), nodes=nodes)
    journal.append(run)
    with closing(Index(repo.state_dir / "index.sqlite")) as index:
        index.refresh(repo, ended=run)
        assert query(index, f"out:{f'{299:064x}'[::-1][:12]}") == [run.summary.id]
        assert query(index, f"out:{'0' * 12}") == []
