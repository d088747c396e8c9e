"""Scripts: ``finestflow run script.py``, and scripts that call ``finestflow.start`` themselves, in real processes."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finestflow.processes import Process
from tests.e2e import processes
from tests.e2e.conftest import Project

TRAIN = """
import pathlib, subprocess, sys, time

print("training", *sys.argv[1:])
subprocess.run(["sh", "-c", "echo from a shell; echo to stderr >&2"])
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out/model.txt").write_text(f"weights of {sys.argv[1:]}")
if "--wait" in sys.argv:
    print("waiting")
    time.sleep(60)
if "--fail" in sys.argv:
    raise ValueError("boom")
if "--exit" in sys.argv:
    sys.exit(7)
"""


@pytest.fixture
def scripts(project: Project) -> Project:
    """A repository with a script ``train.py`` that knows nothing of finestflow."""
    project.write("train.py", TRAIN)
    project.commit()
    return project


def wait_for(text: str, project: Project) -> Path:
    """Wait until the log of the live run holds a text; return the live folder."""
    live = project.folder / ".git" / "finestflow" / "live"
    for _ in range(600):
        for path in live.glob("*/logs/*.txt"):
            if text in path.read_text():
                return path.parent.parent
        time.sleep(0.05)
    raise AssertionError(text)


class TestAScriptThatDoesNotKnowFinestflow:
    def test_is_recorded_with_its_arguments_output_and_files(self, scripts: Project):
        answer = scripts.do(
            "run", "--tag", "wip", "-m", "try", "--save", "out/*", "train.py", "--lr", "0.1", "-n", "5", "data"
        )

        assert answer.out == "training --lr 0.1 -n 5 data\nfrom a shell\n"
        assert "to stderr" in answer.err
        shown = scripts.show()
        assert (shown["pipeline"], shown["status"], shown["target"]) == ("train", "ok", "train.py")
        assert shown["params"] == {"lr": 0.1, "n": 5, "arg1": "data"}
        assert (shown["tags"], shown["note"]) == (["wip"], "try")
        assert shown["argv"] == ["python", "train.py", "--lr", "0.1", "-n", "5", "data"]
        assert scripts.statuses() == {"train": "ok", "train/out/model.txt": "ok"}
        assert scripts.do("get", "@:out/model.txt").out == "weights of ['--lr', '0.1', '-n', '5', 'data']"
        log = scripts.do("logs", "@:train").out
        assert sorted(log.splitlines()) == sorted(["training --lr 0.1 -n 5 data", "from a shell", "to stderr"])

    @pytest.mark.slow
    def test_hands_its_exit_code_on(self, scripts: Project):
        answer = scripts.do("run", "train.py", "--fail", code=1)
        assert "ValueError: boom" in answer.err
        scripts.do("run", "train.py", "--exit", code=7)
        scripts.do("run", "--", "sh", "-c", "kill -KILL $$", code=137)
        scripts.do("run", "--", "no-such-program", code=127)

        told = [(run["status"], run["error"]) for run in scripts.runs()]
        assert told == [
            ("failed", "exit code 127"),
            ("killed", "ended by SIGKILL"),
            ("failed", "exit code 7"),
            ("failed", "ValueError: boom"),
        ]
        assert scripts.show("@~3")["traceback"].startswith("Traceback")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_gets_the_signals_that_finestflow_is_sent(self, scripts: Project, number: signal.Signals):
        started = scripts.start("run", "train.py", "--wait")
        wait_for("waiting", scripts)
        started.send(number)

        assert started.wait().code == 128 + number
        assert scripts.runs()[0]["status"] == "cancelled"

    @pytest.mark.slow
    def test_is_interrupted_once_by_a_key_at_the_terminal(self, scripts: Project):
        """The terminal sends Ctrl-C to the script too, so it is not passed on a second time."""
        scripts.write(
            "count.py",
            """
            import signal, time
            seen = []
            signal.signal(signal.SIGINT, lambda *_: seen.append(1))
            print("waiting")
            while not seen:
                time.sleep(0.01)
            time.sleep(0.3)
            print("interrupted", len(seen))
            """,
        )
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(scripts.folder)
            os.execv(sys.executable, [sys.executable, "-m", "finestflow", "run", "count.py"])
        wait_for("waiting", scripts)
        os.write(terminal, b"\x03")
        with contextlib.suppress(OSError):  # that is how the end of a terminal reads
            while os.read(terminal, 4096):
                pass
        os.waitpid(pid, 0)
        os.close(terminal)

        assert "interrupted 1" in scripts.do("logs", "@:count").out

    def test_is_recorded_as_killed_when_finestflow_is(self, scripts: Project):
        started = scripts.start("run", "train.py", "--wait")
        live = wait_for("waiting", scripts)
        started.send(signal.SIGKILL)
        started.wait()

        (run,) = scripts.runs()
        assert (run["id"], run["status"]) == (live.name, "killed")
        assert "from a shell" in scripts.do("logs", "@").out

    @pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process that its parent is gone")
    def test_ends_with_finestflow_when_that_is_killed(self, scripts: Project):
        """It needs not print anything to be ended, and may still tidy up."""
        scripts.write(
            "tidy.py",
            """
            import os, pathlib, signal, time
            pathlib.Path("pid").write_text(str(os.getpid()))
            signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path("tidied").touch(), os._exit(0)))
            print("waiting", flush=True)
            time.sleep(60)
            """,
        )
        started = scripts.start("run", "tidy.py")
        wait_for("waiting", scripts)
        child = Process.of(int((scripts.folder / "pid").read_text()))
        started.send(signal.SIGKILL)
        started.wait()
        for _ in range(600):
            if not child.is_there:
                break
            time.sleep(0.05)

        assert not child.is_there
        assert (scripts.folder / "tidied").exists()

    def test_what_it_leaves_behind_does_not_hold_it(self, scripts: Project):
        """A background process that keeps the pipes open is not waited for."""
        scripts.do("run", "--", "sh", "-c", "sleep 60 & echo done; echo $! > pid")
        os.kill(int((scripts.folder / "pid").read_text()), signal.SIGKILL)

        assert scripts.runs()[0]["status"] == "ok"

    def test_keeps_bytes_that_are_no_text(self, scripts: Project):
        scripts.do("run", "--", "printf", r"a\377b\303")

        assert scripts.do("logs", "@:printf").out == "a\\xffb\\xc3\n"

    def test_can_be_a_module_or_any_program(self, scripts: Project):
        scripts.write("pkg/__init__.py", "")
        scripts.write("pkg/job.py", "import sys; print(__name__, sys.argv[1:])")

        assert scripts.do("run", "--", "python", "-m", "pkg.job", "--x", "1").out == "__main__ ['--x', '1']\n"
        assert scripts.do("run", "--", "echo", "--x", "2").out == "--x 2\n"
        assert [(run["pipeline"], run["params"]) for run in scripts.runs()] == [
            ("echo", {"x": 2}),
            ("pkg.job", {"x": 1}),
        ]

    def test_secrets_are_not_recorded(self, scripts: Project):
        scripts.do("run", "--", "true", "--api-key", "sesame", "--password=sesame")

        assert "sesame" not in scripts.git("log", "-p", "refs/finestflow", "--", ".finestflow")
        assert "secret" in scripts.do("reproduce", "@", code=2).err

    def test_a_file_with_a_pipeline_is_no_script(self, scripts: Project):
        """It is run as before; and what belongs to pipelines is refused for programs, with the reason."""
        scripts.do("run", "numbers_pipeline.py", "-p", "n=3")
        assert scripts.runs()[0]["pipeline"] == "Numbers"
        assert "is for pipelines" in scripts.do("run", "-p", "lr=1", "train.py", code=2).err
        assert "is for programs" in scripts.do("run", "--save", "x", "numbers_pipeline.py", code=2).err

    def test_json_tells_events_and_the_run(self, scripts: Project):
        lines = scripts.do("run", "--json", "train.py").out.splitlines()

        assert '"kind": "run.end"' in lines[-1].replace('":"', '": "')
        assert "from a shell" not in lines[-1]

    def test_where_no_repository_is_it_runs_all_the_same(self, tmp_path: Path):
        (tmp_path / "train.py").write_text("print('computed')")

        answer = processes.run("run", "train.py", cwd=tmp_path)
        assert answer.out == "computed\n"
        assert "not recorded" in answer.err


class TestAScriptThatKnowsFinestflow:
    def test_reports_into_the_run_that_it_is(self, scripts: Project):
        """Without ``start``, metrics and artifacts of any process of the script are the run's; with it, its runs are the record."""
        scripts.write(
            "reports.py",
            """
            import finestflow
            for step in finestflow.track(range(3)):
                finestflow.log(loss=1 / (step + 1), step=step)
            finestflow.save([1, 2], "list")
            """,
        )
        scripts.do("run", "reports.py")

        shown = scripts.show()
        assert (shown["pipeline"], shown["metrics"]) == ("reports", {"loss": 1 / 3})
        assert scripts.do("get", "@:list").out.split() == ["[", "1,", "2", "]"]

    @pytest.mark.slow
    def test_makes_the_runs_that_are_recorded(self, scripts: Project):
        scripts.write(
            "makes.py",
            """
            import finestflow
            from numbers_pipeline import Numbers
            for lr in (0.1, 0.2):
                with finestflow.start("fit", lr=lr) as run:
                    run.log(loss=lr)
            print(Numbers()(3))
            """,
        )
        answer = scripts.do("run", "--tag", "swept", "makes.py")

        assert "runs of its own" in answer.err
        runs = scripts.runs()
        assert [(run["pipeline"], run["tags"]) for run in runs] == [
            ("Numbers", ["swept"]),
            ("fit", ["swept"]),
            ("fit", ["swept"]),
        ]
        assert scripts.git("for-each-ref", "refs/finestflow/live") == ""


STARTS = """
import os, pathlib, signal, sys
import finestflow

how = sys.argv[1]
if how == "block":
    with finestflow.start("fit", how=how) as run:
        run.log(loss=1)
        sys.exit(4)
run = finestflow.start("fit", how=how)
run.log(loss=1)
try:
    sys.exit(9)   # caught: it ends nothing
except SystemExit:
    pass
if how == "raise":
    raise ValueError("boom")
if how == "exit":
    sys.exit(3)
if how == "term":
    os.kill(os.getpid(), signal.SIGTERM)
if how == "int":
    os.kill(os.getpid(), signal.SIGINT)
if how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_run_is_recorded_as_its_process_ended(project: Project):
    """However the script ends, in a block or not, and when it is killed."""
    project.write("starts.py", STARTS)
    expected = {
        "end": (0, "ok", ""),
        "block": (4, "failed", "SystemExit: 4"),
        "raise": (1, "failed", "ValueError: boom"),
        "exit": (3, "failed", "SystemExit: 3"),
        "term": (143, "cancelled", "Terminated: SIGTERM"),
        "int": (-2, "cancelled", "KeyboardInterrupt"),
        "kill": (-9, "killed", ""),
    }
    started = {
        how: subprocess.Popen([sys.executable, "starts.py", how], cwd=project.folder, stderr=subprocess.PIPE)
        for how in expected
    }
    codes = {how: (process.communicate(), process.returncode)[1] for how, process in started.items()}

    assert codes == {how: code for how, (code, _, _) in expected.items()}
    found = {run["params"]["how"]: (codes[run["params"]["how"]], run["status"], run["error"]) for run in project.runs()}
    assert found == expected


@pytest.mark.slow
class TestReproduce:
    def test_a_script_gives_the_same_files(self, scripts: Project, tmp_path: Path):
        scripts.do("run", "--save", "out/*", "train.py", "--lr", "1")
        clone = scripts.clone(tmp_path / "clone")

        answer = clone.do("reproduce", clone.git("rev-parse", "refs/finestflow"))

        assert answer.out.splitlines()[-1].startswith("identical: all 2")
        assert clone.show()["reproduces"] == scripts.show()["id"]

    def test_the_run_that_a_script_started_is_told_from_its_others(self, project: Project):
        """The command line is given again; the run in the same place is compared, its metrics too, and the others are not recorded."""
        project.write(
            "fits.py",
            """
            import os, sys
            import finestflow
            for lr in (0.1, 0.2, 0.3):
                with finestflow.start("fit", lr=lr) as run:
                    run.log(loss=lr, noise=os.getpid() if lr == 0.3 else 0)
                    run.save({"lr": lr}, "model")
            """,
        )
        assert processes.python("fits.py", cwd=project.folder).code == 0

        assert project.do("reproduce", "@~1").out.splitlines()[-1].startswith("identical: all 4")
        answer = project.do("reproduce", "@~1", code=3)

        assert answer.out.splitlines()[-1].startswith("differs: first at 'noise'")
        runs = project.runs()
        assert [run["params"]["lr"] for run in runs] == [0.3, 0.2, 0.3, 0.2, 0.1]

    def test_ignored_files_that_a_run_read_are_brought_along(self, project: Project):
        project.write(".gitignore", "data/\n")
        project.write("data/numbers.txt", "1 2 3")
        project.write(
            "reads.py",
            """
            import finestflow
            with finestflow.start("read") as run:
                run.save(open("data/numbers.txt").read().split(), "numbers")
            """,
        )
        assert processes.python("reads.py", cwd=project.folder).code == 0

        assert "identical: all 2" in project.do("reproduce", "@").out
        project.write("data/numbers.txt", "4")
        assert "'data/numbers.txt', which it read" in project.do("reproduce", "@~1", code=None).err

    def test_a_script_that_ends_before_its_run_is_an_error(self, project: Project):
        project.write(
            "fit.py", "import os, finestflow\nif os.path.exists('.git/HEAD'): finestflow.start('fit').finish()\n"
        )
        assert processes.python("fit.py", cwd=project.folder).code == 0

        assert "was not made again" in project.do("reproduce", "@", code=2).err
