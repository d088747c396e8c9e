"""``finestflow.start``, ``log``, ``save`` and ``track``, in the process of the test."""

from __future__ import annotations

import io
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

import finestflow
from finestflow import current as meant
from finestflow.ending import Terminated
from finestflow.workspace import Workspace, current
from tests.docs.test_examples import blocks


@pytest.fixture
def workspace(repository: Path, monkeypatch) -> Workspace:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(meant, "_warned", set())
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "train.py", raising=False)
    yield current()
    for run in [*meant.iter_open_runs()]:
        run.finish()
    current().close()


@pytest.fixture
def last(workspace):
    """Read the newest run."""

    def load():
        workspace.refresh()
        return workspace.load_run("@")

    return load


class TestARun:
    def test_is_recorded_with_everything_that_was_said(self, workspace, last, repository, capsys):
        (repository / "new.txt").write_text("not committed")
        with finestflow.start("train", {"optimizer": {"lr": 0.1}}, epochs=2, name="resnet", note="a param") as run:
            for epoch in run.track(range(2)):
                print("epoch", epoch)
                run.log(loss=1 / (epoch + 1), step=epoch)
            run.log({"val/acc": 0.9})
            run.tag("wip", "paper").note("bigger").named("the one").add_params(found=3)
            Path("model.pt").write_bytes(b"weights")
            run.save("model.pt")
            run.save([1, 2], "list")

        found = last()
        summary = found.summary
        assert (summary.id, summary.name, summary.pipeline, summary.status) == (run.id, "the one", "train", "ok")
        assert summary.params == {"optimizer.lr": 0.1, "epochs": 2, "name": "resnet", "note": "a param", "found": 3}
        assert summary.metrics == {"loss": 0.5, "val/acc": 0.9}
        assert [value[:2] for value in found.metrics["loss"].values] == [(0, 1.0), (1, 0.5)]
        assert (summary.tags, summary.note, summary.nodes) == (("wip", "paper"), "bigger", 1)
        assert summary.dirty == (0, 1)
        assert workspace.read_log(summary, "train") == b"epoch 0\nepoch 1\n"
        assert capsys.readouterr().out == "epoch 0\nepoch 1\n"
        assert list(found.nodes) == ["train", "train/model.pt", "train/list"]
        for name in ("model.pt", "train/model.pt", "train.model.pt"):
            assert workspace.load_output(found, name).read_bytes() == b"weights"
        assert workspace.load_output(found, "list") == [1, 2]

    def test_keeps_an_artifact_as_it_was_when_it_was_saved(self, workspace, last):
        with finestflow.start("train") as run:
            Path("out").mkdir()
            Path("out/a.txt").write_text("first")
            run.save("out")
            Path("out/a.txt").write_text("second")
            run.save("out/a.txt")
            run.save("only a text", "prompt")

        found = last()
        assert (workspace.load_output(found, "out") / "a.txt").read_text() == "first"
        assert workspace.load_output(found, "out/a.txt").read_text() == "second"
        assert workspace.load_output(found, "prompt") == "only a text"

    def test_is_named_after_its_script_when_nothing_is_said(self, last):
        finestflow.start().finish()

        assert last().summary.pipeline == "train"

    @pytest.mark.parametrize(
        ("error", "status", "message"),
        [
            (ValueError("boom"), "failed", "ValueError: boom"),
            (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
            (Terminated(143), "cancelled", "Terminated: SIGTERM"),
            (SystemExit(3), "failed", "SystemExit: 3"),
            (SystemExit(0), "ok", ""),
        ],
    )
    def test_is_recorded_as_it_ended(self, error, status, message, last):
        with pytest.raises(type(error)), finestflow.start("train"):
            raise error

        found = last()
        assert (found.summary.status, found.summary.error) == (status, message)
        assert found.nodes["train"].status == status
        assert ("raise error" in found.traceback) == isinstance(error, ValueError)

    def test_ends_once(self, workspace, last):
        run = finestflow.start("train")
        run.finish(ValueError("first"))
        run.finish()
        run.log(loss=1)

        assert last().summary.error == "ValueError: first"
        assert last().summary.metrics == {}
        assert len(workspace.select()) == 1

    def test_without_a_block_ends_when_the_next_one_starts(self, workspace):
        first = finestflow.start("train", turn=1)
        second = finestflow.start("train", turn=2)
        assert (first.is_open, second.is_open) == (False, True)
        second.finish()

        workspace.refresh()
        assert [run.params["turn"] for run in workspace.select()] == [2, 1]

    def test_can_be_seen_while_it_goes(self, workspace):
        with finestflow.start("train", lr=1) as run:
            run.log(loss=0.5)
            next(iter(run.track(range(4))))
            (live,) = workspace.live_runs()
            assert (live.id, live.status, live.params) == (run.id, "running", {"lr": 1})
        assert workspace.live_runs() == []

    def test_within_another_one_is_a_run_of_its_own(self, workspace, capsys):
        """What is said and printed goes to the inner one while it is open."""
        with finestflow.start("outer"):
            with finestflow.start("inner"):
                finestflow.log(of_inner=1)
                print("inside")
            finestflow.log(of_outer=1)
            print("outside")

        workspace.refresh()
        runs = {run.pipeline: run for run in workspace.select()}
        assert runs["inner"].metrics == {"of_inner": 1}
        assert runs["outer"].metrics == {"of_outer": 1}
        assert workspace.read_log(runs["inner"], "inner") == b"inside\n"
        assert workspace.read_log(runs["outer"], "outer") == b"outside\n"
        assert capsys.readouterr().out == "inside\noutside\n"

    def test_that_cannot_have_such_a_name_is_refused_before_it_starts(self, workspace):
        with pytest.raises(finestflow.FinestflowError, match="cannot be named"):
            finestflow.start("a/b")
        assert workspace.live_runs() == []


class TestThreads:
    def test_a_thread_below_a_run_logs_into_it(self, last, capsys):
        def work():
            finestflow.log(from_thread=1)
            print("from a thread")

        with finestflow.start("train"):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

        assert last().summary.metrics == {"from_thread": 1}

    def test_threads_with_runs_of_their_own_do_not_mix(self, workspace):
        ready = threading.Barrier(2)

        def work(number):
            with finestflow.start(f"run{number}"):
                ready.wait()
                for _ in range(100):
                    finestflow.log(number=number)
                print("printed by", number)
                ready.wait()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        workspace.refresh()
        for run in workspace.select():
            number = int(run.pipeline[-1])
            assert run.metrics == {"number": number}
            assert workspace.load_run(run).metrics["number"].count == 100
            assert workspace.read_log(run, run.pipeline) == f"printed by {number}\n".encode()

    def test_many_threads_lose_nothing(self, last):
        with finestflow.start("train") as run:

            def work(name):
                for step in range(200):
                    run.log({name: step, "shared": 1}, step=step)

            threads = [threading.Thread(target=work, args=(f"m{number}",)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        counts = {name: metric.count for name, metric in last().metrics.items()}
        assert counts == {"m0": 200, "m1": 200, "m2": 200, "m3": 200, "shared": 800}


class TestForkedChildren:
    def test_log_into_the_run_and_do_not_end_it(self, workspace, last):
        with finestflow.start("train") as run:
            run.log(parent=1)
            child = os.fork()
            if child == 0:
                try:
                    finestflow.log(child=2)
                    finestflow.save({"a": 1}, "of_child")
                    run.finish()
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            run.log(parent=3)

        found = last()
        assert found.summary.metrics == {"parent": 3, "child": 2}
        assert found.metrics["parent"].count == 2
        assert workspace.load_output(found, "of_child") == {"a": 1}

    def test_that_outlive_the_run_change_nothing(self, workspace, last):
        end, go_on = os.pipe()
        run = finestflow.start("train")
        child = os.fork()
        if child == 0:
            try:
                os.close(go_on)
                os.read(end, 1)
                run.log(late=1)
            finally:
                os._exit(0)
        run.finish()
        os.close(end)
        os.close(go_on)
        os.waitpid(child, 0)

        assert last().summary.metrics == {}
        assert workspace.live_runs() == []


class TestNothingThatIsReportedRaises:
    def test_values_that_are_no_numbers_are_left_out_with_one_warning(self, last, capsys):
        class Odd:
            def __float__(self):
                raise RuntimeError("no")

        with finestflow.start("train") as run:
            run.log(good=1, text="x", none=None, odd=Odd(), many=[1, 2])
            run.log("loss", step="soon")
            finestflow.log(3)
            run.log({"nested": {"deep": 2}}, step=float("nan"))

        assert last().summary.metrics == {"good": 1, "nested/deep": 2}
        assert capsys.readouterr().err.count("is no number") == 1

    def test_artifacts_that_cannot_be_kept_are_named(self, last, capsys):
        with finestflow.start("train") as run:
            run.save("missing.pt")
            run.save(object())
            run.save(threading.Lock(), "lock")

        assert list(last().nodes) == ["train"]
        told = capsys.readouterr().err
        assert "no file or folder 'missing.pt'" in told
        assert "without a name" in told
        assert "'lock' is not saved" in told

    def test_a_full_disk_is_said_once(self, workspace, capsys):
        with finestflow.start("train") as run:
            live = run._destination._live
            kept, live._events = live._events, os.open("/dev/full", os.O_WRONLY)
            run.log(loss=1)
            live.flush()
            for _ in range(3):
                run.log(loss=2)
            os.close(live._events)
            live._events = kept

        assert capsys.readouterr().err.count("No space left") == 1

    def test_a_repository_that_is_deleted_is_said_at_the_end(self, workspace, repository, capsys):
        with finestflow.start("train") as run:
            shutil.rmtree(repository / ".git")
            run.log(loss=1)
            run.save([1], "list")

        assert "could not be recorded" in capsys.readouterr().err

    def test_a_mistake_of_ours_at_the_end_is_said_and_the_next_command_records_the_run(
        self, workspace, last, monkeypatch, capsys
    ):
        with monkeypatch.context() as broken, finestflow.start("train") as run:
            run.log(loss=1)
            broken.setattr(workspace.journal, "publish", lambda *_: 1 / 0)
            run.finish()

        assert "could not be recorded: division by zero" in capsys.readouterr().err
        assert (last().summary.status, last().summary.metrics) == ("ok", {"loss": 1})

    def test_outside_of_any_run_it_warns_once_and_does_nothing(self, workspace, capsys):
        for _ in range(2):
            finestflow.log(loss=1)
            finestflow.save([1], "list")
        assert list(finestflow.track([1, 2])) == [1, 2]

        told = capsys.readouterr().err.splitlines()
        assert [line.split("finestflow.")[1].split("(")[0] for line in told] == ["log", "save", "track"]

    def test_where_no_repository_is_it_runs_untracked_with_one_warning(self, tmp_path, monkeypatch, capsys):
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        for _ in range(2):
            with finestflow.start("train") as run:
                run.log(loss=1)
                run.save([1], "list")
                print("goes on")

        told = capsys.readouterr()
        assert told.out == "goes on\n" * 2
        assert told.err.count("not recorded") == 1
        current().close()


class TestTrack:
    def test_a_loop_in_a_loop_refines_the_outer_one(self, workspace, monkeypatch):
        monkeypatch.setattr("finestflow.progress._SECONDS", 0.0)
        told = []
        with finestflow.start("train") as run:
            monkeypatch.setattr(run.reporter, "progress", lambda done, total: told.append((done, total)))
            for _ in run.track(range(2)):
                for _ in run.track(range(2)):
                    pass

        assert told == [(0, 2), (0.5, 2), (1, 2), (1.5, 2), (2, 2)]

    def test_a_loop_that_is_left_early_is_over(self, workspace):
        with finestflow.start("train") as run:
            for _ in run.track(iter([1, 2, 3])):
                break
            assert list(run.track("ab", total=2)) == ["a", "b"]

    def test_a_terminal_shows_it_on_a_line_of_its_own(self, workspace, monkeypatch):
        """What is printed meanwhile takes the line's place, and the line comes back below it."""

        class Terminal(io.StringIO):
            def isatty(self):
                return True

        terminal = Terminal()
        monkeypatch.setattr(sys, "__stderr__", terminal)
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr("finestflow.progress._SECONDS", 0.0)
        with finestflow.start("train") as run:
            for item in run.track(range(2)):
                print("item", item)

        lines = terminal.getvalue().replace("\x1b[K", "").split("\n")
        assert [line.rsplit("\r", 1)[-1] for line in lines[:2]] == ["item 0", "item 1"]
        assert lines[2].split("\r")[-1].split() == ["train", "━" * 20, "100%"]
        assert lines[3:] == [""]

    def test_an_error_in_the_loop_is_the_loops_own(self, workspace):
        with finestflow.start("train") as run, pytest.raises(ZeroDivisionError):
            for item in run.track([0]):
                1 / item


def test_the_example_of_the_page_is_recorded(workspace, last):
    (example, *_) = blocks("docs/how-to/track-a-script.md", "python")

    exec(example, {})

    found = last()
    assert (found.summary.params, found.metrics["loss"].count) == ({"lr": 0.1, "epochs": 20}, 20)
    assert list(workspace.load_output(found, "model")) == ["weights"]


def test_the_streams_are_what_they_were(workspace):
    before = sys.stdout, sys.stderr, sys.exit
    run = finestflow.start("train")
    assert sys.stdout is not before[0]
    run.finish()
    assert (sys.stdout, sys.stderr, sys.exit) == before
