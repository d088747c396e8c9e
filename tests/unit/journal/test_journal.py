"""The journal in a real repository."""

from __future__ import annotations

import pytest

from finestflow.errors import CorruptionError, LockedError
from finestflow.git.refs import JOURNAL_REF, LIVE_PREFIX, list_refs, read_ref, update_ref
from finestflow.journal import journal as journal_module
from finestflow.journal.journal import Journal
from finestflow.journal.lock import hold_lock
from finestflow.journal.message import parse_message
from finestflow.model import RunStatus

from .made import NOW, fold, make_events, make_live, make_run, new_id, open_repository


@pytest.fixture
def repo(repository):
    return open_repository(repository)


@pytest.fixture
def journal(repo):
    return Journal(repo)


@pytest.fixture
def tree(git) -> str:
    return git("rev-parse", "HEAD^{tree}")


def publish(journal, repo, tree, **fields):
    """Go through a whole run."""
    run_id = new_id()
    events = make_events(run_id, tree, **fields)
    live = make_live(repo, events)
    journal.hold_snapshot(run_id, tree)
    return journal.publish(live, fold(events).run)


def test_a_run_is_a_commit_of_its_files_and_its_record(journal, repo, git, tree) -> None:
    status = git("status", "--porcelain"), git("rev-parse", "HEAD")
    commit = publish(journal, repo, tree)
    assert git("rev-parse", "refs/finestflow") == commit
    assert git("ls-tree", "--name-only", commit).split() == [".finestflow", "a.txt"]
    assert git("show", f"{commit}:.finestflow/logs/load.txt") == "loaded"
    assert git("log", "-1", "--format=%an <%ae>", commit) == "Ada Test <ada@example.org>"
    assert (git("status", "--porcelain"), git("rev-parse", "HEAD")) == status
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_nothing_of_a_live_run_is_left(journal, repo, tree) -> None:
    publish(journal, repo, tree)
    assert list_refs(repo, LIVE_PREFIX) == {}
    assert list((repo.state_dir / "live").iterdir()) == []


def test_a_run_leaves_no_object_that_no_ref_reaches(journal, repo, git, tree) -> None:
    """Some thousand of them, and git says so in gc.log and packs nothing any more."""
    publish(journal, repo, tree)
    assert git("fsck", "--unreachable", "--no-reflogs") == ""


def test_git_reads_the_trailers(journal, repo, git, tree) -> None:
    publish(journal, repo, tree)
    run = make_run(
        status=RunStatus.FAILED,
        metrics={"a_b": 1.0, "a/b": 2.0, "größe": 3.0},
        note="a note\n\nKey: value\n---\n\n# no comment",
        error="ValueError: two\nlines",
    )
    journal.append(run)
    form = "--format=%(trailers:key=Metric,valueonly,separator=%x2C)"
    assert git("log", "--grep=^Status: failed", form, "refs/finestflow") == "a_b=1.0,größe=3.0,a/b=2.0"
    assert git("log", "-1", "--format=%(trailers:key=Run,valueonly,separator=)", "refs/finestflow") == run.summary.id
    assert parse_message(git("log", "-1", "--format=%B", "refs/finestflow")).note == run.summary.note


def test_runs_are_a_chain_that_never_holds_the_users_commits(journal, repo, git, tree) -> None:
    commits = [publish(journal, repo, tree) for _ in range(3)]
    assert git("log", "--format=%H", "refs/finestflow").split() == commits[::-1]


def test_the_journal_has_a_reflog(journal, repo, git, tree) -> None:
    publish(journal, repo, tree)
    publish(journal, repo, tree)
    assert len(git("reflog", "show", JOURNAL_REF).splitlines()) == 2


def test_appending_a_run_again_changes_nothing(journal, tree) -> None:
    run = make_run()
    commit = journal.append(run)
    journal.append(make_run())
    tip = journal.tip()
    assert journal.append(run) == commit
    assert journal.tip() == tip


def test_a_ref_that_moves_under_the_writer_is_followed(journal, repo, monkeypatch) -> None:
    journal.append(make_run())
    moved = []

    def move_first(repo, name, new, old, *, message):
        if not moved:
            moved.append(1)
            other = make_run()
            with monkeypatch.context() as patch:
                patch.setattr(journal_module, "update_ref", update_ref)
                patch.setattr(journal_module, "hold_lock", lambda state_dir: hold_lock(state_dir / "other"))
                Journal(repo).append(other)
        update_ref(repo, name, new, old, message=message)

    monkeypatch.setattr(journal_module, "update_ref", move_first)
    commit = journal.append(make_run())
    assert journal.tip() == commit
    assert moved


def test_a_run_is_found_by_its_id(journal, tree) -> None:
    runs = [make_run(started=NOW - 50 + at) for at in range(3)]
    commits = [journal.append(run) for run in runs]
    for run, commit in zip(runs, commits, strict=True):
        assert journal.find(run.summary.id) == commit
        assert journal.find(run.summary.id, started=run.summary.started) == commit
    assert journal.find(new_id()) is None
    assert journal.find(new_id(), started=NOW) is None


def test_committer_dates_never_decrease_when_the_clock_goes_back(journal, git) -> None:
    runs = [make_run(started=NOW - step) for step in (0, 5000, 100, 90_000)]
    commits = [journal.append(run) for run in runs]
    dates = [int(date) for date in git("log", "--reverse", "--format=%ct", "refs/finestflow").split()]
    assert dates == sorted(dates)
    assert [journal.append(run) for run in runs] == commits
    assert len(dates) == 4


def test_a_loaded_run_is_what_was_recorded(journal, repo, tree) -> None:
    events = make_events(new_id(), tree)
    live = make_live(repo, events)
    run = fold(events).run
    commit = journal.publish(live, run)
    loaded = journal.load(commit)
    assert loaded.nodes == run.nodes
    assert loaded.metrics == run.metrics
    assert loaded.summary.commit == commit
    assert journal.read_log(commit, "load") == b"loaded\n"
    assert journal.read_log(commit, "fit") is None


def test_a_commit_without_a_record_is_told(journal, git) -> None:
    with pytest.raises(CorruptionError, match="commit"):
        journal.load(git("rev-parse", "HEAD"))


def test_a_living_run_is_left_alone(journal, repo, tree) -> None:
    live = make_live(repo, make_events(new_id(), tree, status=""))
    assert journal.recover(NOW) == []
    live.close(remove=True)


@pytest.mark.parametrize(("status", "recorded"), [("", "killed"), ("failed", "failed"), ("cancelled", "cancelled")])
def test_an_abandoned_run_is_recorded_with_its_real_status(journal, repo, git, tree, status, recorded) -> None:
    run_id = new_id()
    make_live(repo, make_events(run_id, tree, status=status)).close()
    journal.hold_snapshot(run_id, tree)
    assert journal.recover(NOW) == [run_id]
    run = journal.load(journal.tip())
    assert run.summary.status == recorded
    assert run.nodes["load"].status == "ok"
    assert journal.read_log(journal.tip(), "load") == b"loaded\n"
    assert git("show", "refs/finestflow:a.txt") == "a"
    assert list_refs(repo, LIVE_PREFIX) == {}
    assert list((repo.state_dir / "live").iterdir()) == []
    assert journal.recover(NOW) == []


def test_a_folder_that_says_nothing_is_removed(journal, repo) -> None:
    from finestflow.journal.live import LiveFolder

    LiveFolder.create(repo.state_dir, new_id()).close()
    assert journal.recover(NOW) == []
    assert journal.tip() is None
    assert list((repo.state_dir / "live").iterdir()) == []


def test_a_run_whose_snapshot_is_lost_is_recorded_without_files(journal, repo) -> None:
    make_live(repo, make_events(new_id(), "5" * 40)).close()
    assert len(journal.recover(NOW)) == 1
    run = journal.load(journal.tip())
    assert run.snapshot is None
    assert "lost" in run.notes[0]


def test_what_cannot_be_recovered_is_told_and_keeps_nobody_else_from_it(journal, repo, tree, monkeypatch) -> None:
    bad, good = sorted((new_id(), new_id()))
    for run_id in (bad, good):
        make_live(repo, make_events(run_id, tree)).close()
    append = journal.append

    def fail(run, logs=None, *, config=""):
        if run.summary.id == bad:
            raise LockedError("no")
        return append(run, logs, config=config)

    monkeypatch.setattr(journal, "append", fail)
    assert journal.recover(NOW) == [good]
    assert bad in journal.problems[0]
    monkeypatch.undo()
    assert journal.recover(NOW) == [bad]


def test_live_refs_without_a_folder_are_removed_at_the_next_recovery(journal, repo, tree) -> None:
    journal.hold_snapshot(new_id(), tree)
    assert read_ref(repo, next(iter(list_refs(repo, LIVE_PREFIX)))) is not None
    make_live(repo, make_events(new_id(), tree)).close()
    journal.recover(NOW)
    assert list_refs(repo, LIVE_PREFIX) == {}


def test_a_lock_that_is_never_given_back_is_told(tmp_path) -> None:
    with hold_lock(tmp_path), pytest.raises(LockedError, match="another process"), hold_lock(tmp_path, patience=0.02):
        pass
