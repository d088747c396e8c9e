"""Damaged events, records and clocks: everything else still lists."""

from __future__ import annotations

import os
import zlib

import pytest

from finestflow.errors import CorruptionError
from finestflow.git.repository import find_repository
from finestflow.journal.index import Index
from finestflow.journal.journal import Journal
from finestflow.journal.live import LiveFolder
from finestflow.journal.names import new_run_id
from finestflow.model import Run, RunStatus, RunSummary

NOW = 1_795_339_000.0


@pytest.fixture
def repo(repository):
    repo = find_repository(repository, dict(os.environ))
    assert repo is not None
    return repo


def append(repo, **fields) -> RunSummary:
    told = {"id": new_run_id(os.urandom(6)), "name": "n", "pipeline": "p", "status": RunStatus.OK, "started": NOW}
    summary = RunSummary(**{**told, "seconds": 1.0, **fields})
    Journal(repo).append(Run(summary=summary))
    return summary


def abandon(repo, lines: bytes) -> str:
    """Leave a live folder with these events behind."""
    run_id = new_run_id(os.urandom(6))
    live = LiveFolder.create(repo.state_dir, run_id)
    live.close()
    (live.path / "events.jsonl").write_bytes(lines.replace(b"ID", run_id.encode()))
    return run_id


BEGIN = b'{"e":"run","id":"ID","name":"n","pipeline":"p","started":1795339000.0}\n'
NODE = b'{"e":"node","path":"load","task":"m:L","status":"ok","t":1795339001.0}\n'


@pytest.mark.parametrize(
    ("lines", "nodes", "damaged"),
    [
        (BEGIN + NODE + b'{"e":"node","path":"fi', 1, 1),
        (BEGIN + b"\x00\xff garbage\n" + NODE, 1, 1),
        (BEGIN + b'{"e":"node","path":"x","status":"odd"}\n{"e":"metric"}\n' + NODE, 1, 2),
        (BEGIN + b'{"e":"metric","name":"f1","value":NaN,"t":1795339001}\n' + NODE.strip(), 1, 0),
    ],
)
def test_a_run_with_damaged_events_keeps_the_others_and_says_so(repo, lines, nodes, damaged) -> None:
    run_id = abandon(repo, lines)
    journal = Journal(repo)
    assert journal.recover(NOW) == [run_id]
    run = journal.load(journal.tip())
    assert len(run.nodes) == nodes
    assert any("damaged" in note for note in run.notes) == bool(damaged)


def test_a_run_whose_beginning_is_lost_is_cleaned_up(repo) -> None:
    abandon(repo, BEGIN[5:] + NODE)
    journal = Journal(repo)
    assert journal.recover(NOW) == []
    assert journal.tip() is None
    assert list((repo.state_dir / "live").iterdir()) == []


def test_a_live_folder_without_its_files_is_cleaned_up(repo) -> None:
    (repo.state_dir / "live" / new_run_id(os.urandom(6))).mkdir(parents=True)
    assert Journal(repo).recover(NOW) == []
    assert list((repo.state_dir / "live").iterdir()) == []


def test_other_runs_are_listed_and_read_when_a_record_is_damaged(repo, git) -> None:
    for seconds in (1.0, 2.0, 3.0):
        append(repo, seconds=seconds, params={"own": seconds})
    oid = git("rev-parse", "refs/finestflow~1:.finestflow/run.json")
    path = repo.common_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"blob 4\0nope")[:-3])
    index = Index(repo.state_dir / "index.sqlite")
    index.refresh(repo)
    summaries = index.summaries()
    assert len(summaries) == 3
    damaged = [summary for summary in summaries if summary.seconds == 2.0]
    for summary in summaries:
        if summary not in damaged:
            assert Journal(repo).load(summary).summary.params == {"own": summary.seconds}
    with pytest.raises(CorruptionError) as caught:
        Journal(repo).load(damaged[0])
    assert caught.value.hint
    index.close()


def test_runs_of_a_clock_that_goes_back_are_listed_by_start_and_found_again(repo, git) -> None:
    summaries = [append(repo, started=NOW + offset, seconds=-offset / 1000) for offset in (0, 9000, -9000, 100)]
    index = Index(repo.state_dir / "index.sqlite")
    index.refresh(repo)
    assert [run.started - NOW for run in index.summaries()] == [9000, 100, 0, -9000]
    for summary in summaries:
        commit = Journal(repo).find(summary.id, started=summary.started)
        assert commit == index.resolve(summary.id).commit
    index.close()


def test_a_run_that_ends_before_it_starts_takes_no_time(repo) -> None:
    run_id = abandon(repo, BEGIN + b'{"e":"end","status":"ok","ended":1795338000.0}\n')
    journal = Journal(repo)
    assert journal.recover(NOW) == [run_id]
    assert journal.load(journal.tip()).summary.seconds == 0.0


def test_hostile_text_goes_through_the_whole_journal(repo, git) -> None:
    nasty = "x\x1b]0;owned\x07\x00\n\nRun: kkkkkkkkkkkk\nStatus: ok\n'; DROP TABLE runs; --\udcff"
    summary = append(
        repo,
        name=nasty,
        pipeline=nasty,
        note=nasty,
        error=nasty,
        tags=(nasty,),
        params={nasty: nasty},
        metrics={nasty: 1.0},
        status=RunStatus.FAILED,
    )
    index = Index(repo.state_dir / "index.sqlite")
    index.refresh(repo)
    (listed,) = index.summaries()
    assert listed.id == summary.id
    assert listed.status == "failed"
    assert not set(listed.name + listed.note + listed.error) & {"\x1b", "\x07", "\x00"}
    whole = Journal(repo).load(listed)
    assert whole.summary.params == {nasty: nasty}
    assert whole.summary.error == nasty
    assert index.rows([f"m.{nasty}"])
    assert git("fsck", "--strict", "--no-dangling") == ""
    index.close()


def test_a_repository_with_sha256_objects_keeps_runs(tmp_path) -> None:
    import subprocess

    subprocess.run(["git", "init", "-q", "--object-format=sha256", tmp_path / "r"], check=True)
    repo = find_repository(tmp_path / "r", dict(os.environ))
    summary = append(repo)
    index = Index(repo.state_dir / "index.sqlite")
    index.refresh(repo)
    assert index.resolve("@").id == summary.id
    assert len(index.resolve("@").commit) == 64
    assert Journal(repo).load(index.resolve("@")).summary.id == summary.id
    index.close()
