"""Jobs in worker processes: the same values, errors and effects as in this process, and nothing that happens to a process is lost."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
import warnings

import numpy as np
import pytest

from finestflow import Task
from finestflow.errors import TaskFailedError, TaskTimeoutError, WorkerDiedError
from finestflow.executor.process.handle import Worker
from finestflow.executor.threads import share_threads
from finestflow.pipeline.context import Context
from finestflow.pipeline.output import Output
from tests.sampling import slow
from tests.unit.executor.process import tasks
from tests.unit.executor.process.conftest import ROOT
from tests.unit.executor.process.lab import Handle, Lab
from tests.waiting import PATIENCE, is_gone, wait_until

# -- the same as in this process -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "args"),
    [
        (tasks.Add(k=3), (4,)),
        (tasks.Draw(), ()),
        (tasks.Nested(), (1,)),
        (tasks.Call(), (abs, -3)),
        (tasks.Call(), (lambda x: x * tasks.FACTOR, 4)),
        (tasks.Change(), ([1], [2])),
        (Task.of(len), ("abc",)),
        (Task.of(lambda x: [x, tasks.FACTOR]), (3,)),
        (tasks.ReadFile(), (__file__,)),
    ],
    ids=lambda value: getattr(value, "task_name", ""),
)
def test_an_outcome_is_the_same_as_in_this_process(lab, task, args):
    there, here = lab.run(task, *args), lab.run_here(task, *args)
    assert there.notes == here.notes == []
    assert there.encoded.digest == here.encoded.digest
    assert there.encoded[1:3] == here.encoded[1:3]
    assert (there.drew_random, there.files, there.folders) == (here.drew_random, here.files, here.folders)


def test_an_error_keeps_type_message_notes_cause_and_traceback(lab):
    def shown(error):
        lines = traceback.TracebackException.from_exception(error)
        seen = lines
        while seen is not None:
            seen.stack = traceback.StackSummary.from_list(
                [frame for frame in seen.stack if "finestflow/executor" not in frame.filename]
            )
            seen = seen.__cause__
        return "".join(lines.format())

    there, here = lab.run(tasks.Raise(), 0), lab.run_here(tasks.Raise(), 0)
    assert type(there.error) is tasks.OwnError
    assert there.error.code == 7
    assert "a note of its own" in shown(there.error)
    assert "ZeroDivisionError" in shown(there.error)
    assert shown(there.error) == shown(here.error)


def test_an_error_that_cannot_be_pickled_keeps_type_and_text(lab):
    error = lab.run(tasks.Unpicklable()).error
    assert type(error) is ValueError
    assert error.args[0] == "bad"
    assert "unlocked _thread.lock" in str(error)


def test_what_is_printed_by_anybody_is_in_the_text_of_its_own_job(lab):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        run = lab.open_run()
        pending = [lab.submit(tasks.Talk(), word, executor=run) for word in ("left", "right")]
    for word, each in zip(("left", "right"), pending, strict=True):
        text = "".join(each.wait().effects.text)
        for line in ("out", "err", "raw", "c", "child", "WARNING lab: log", "UserWarning: warned"):
            assert f"{line} {word}\n" in text
        assert {"left": "right", "right": "left"}[word] not in text
        assert "".join(each.sink.texts) == text


def test_what_a_job_reports_is_seen_while_it_runs(lab, tmp_path):
    pending = lab.submit(tasks.Report(), str(tmp_path / "go"))
    wait_until(lambda: pending.sink.rows and pending.sink.steps and pending.sink.texts)
    assert not pending.outcomes
    (tmp_path / "go").touch()
    outcome = pending.wait()
    assert pending.sink.rows == outcome.effects.metrics == [("loss", 0.5, 3.0), ("loss", 0.25, 4.0)]
    assert pending.sink.texts == ["still here\n"]


def test_the_context_travels_and_comes_back(lab):
    def view():
        return Context({"given": 5}, {"old": 1, "other": [2]}).view()

    there, here = view(), view()
    outcome, other = lab.run(tasks.Contexts(), context=there), lab.run_here(tasks.Contexts(), context=here)
    assert lab.value(outcome) == lab.value(other) == [2]
    assert outcome.effects.context == other.effects.context == {"written": [5, None]}
    assert (there.reads, there.writes, there.is_hidden) == (here.reads, here.writes, here.is_hidden)
    assert there.travel() == here.travel()


def test_a_value_travels_by_reference_and_each_gets_a_copy_of_its_own(lab):
    output = lab.output(np.arange(100_000.0))
    expected = float(np.arange(100_000.0).sum()) + 1
    assert lab.value(lab.run(tasks.Sum(), output, output)) == (expected, True)
    assert lab.value(lab.run(tasks.Sum(), output)) == (expected, True)
    assert lab.value(lab.run(tasks.Change(), [output[0]], [output[1]])) == [1.0]


def test_a_large_array_that_is_given_directly_is_mapped_and_not_changed(lab):
    array = np.ones(100_000)
    assert lab.value(lab.run(tasks.Sum(), array, array)) == (100_001.0, True)
    assert array.sum() == 100_000


def test_a_message_may_be_of_any_size(lab):
    assert lab.value(lab.run(tasks.Add(k=1), 5, y=int("9" * 4000))) == int("9" * 4000) + 6
    assert lab.value(lab.run(Task.of(len), "x" * 3_000_000)) == 3_000_000


# -- what cannot travel ----------------------------------------------------------------------------------------------------------------


def test_a_function_that_cannot_be_stored_comes_back_as_itself(lab):
    outcome = lab.run(tasks.Give(), "lambda")
    assert outcome.problem
    assert outcome.shared(4) == 4 * tasks.FACTOR
    assert outcome.notes == []


@pytest.mark.parametrize("what", ["lock", "generator"])
@pytest.mark.slow
def test_an_output_that_cannot_come_back_is_made_here(own_lab, what):
    outcome = own_lab.run(tasks.Give(), what)
    assert outcome.problem
    assert outcome.shared is not None
    assert "ran in the process of the run" in outcome.notes[-1]
    assert "cannot be kept" in outcome.notes[-1]


def test_a_job_whose_input_cannot_travel_runs_here(lab):
    for lock in (threading.Lock(), Output(Handle(shared=threading.Lock()))):
        outcome = lab.run(tasks.Held(), lock)
        assert lab.value(outcome) == os.getpid()
        assert "ran in the process of the run" in outcome.notes[-1]


def test_what_can_only_be_written_to_the_context_here_is_written_here(lab):
    context = Context({}).view()
    outcome = lab.run(tasks.WriteLock(), context=context)
    assert lab.value(outcome) == os.getpid()
    assert context.writes["lock"].acquire(blocking=False)


def test_classes_defined_anywhere_travel_with_their_values(lab):
    point, move = tasks.local_classes(5)
    outcome = lab.run(move(), point(1))
    assert lab.value(outcome) == 6
    assert outcome.notes == []


# -- workers ---------------------------------------------------------------------------------------------------------------------------


def test_a_worker_is_like_the_runner_but_for_threads_and_hashes(lab, monkeypatch):
    monkeypatch.setenv("LAB_GIVEN", "now")
    run = lab.open_run()
    assert lab.value(lab.run(tasks.Environment(), executor=run)) == {
        "hash": "0",
        "threads": str(share_threads(lab.pool.jobs)),
        "group": True,
        "folder": os.getcwd(),
        "stdin": "",
        "given": "now",
        "daemon": False,
    }


def test_initialized_tasks_stay_and_jobs_go_where_they_are(own_lab):
    homes = {k: own_lab.value(own_lab.run(tasks.Model(k=k), 0)) for k in range(3)}
    for x in range(3):
        for k in range(3):
            assert own_lab.value(own_lab.run(tasks.Model(k=k), x)) == homes[k]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux measures anew")
def test_a_call_is_said_to_use_what_it_alone_has_used(own_lab):
    """Two workers, three calls: one worker is asked a second time, and its large call came before."""
    outcomes = [own_lab.run(tasks.Fill(), size) for size in (200, 1, 1)]
    large, *small = [outcome.memory >> 20 for outcome in outcomes]
    assert large > 200
    assert all(each < large - 150 for each in small)
    assert all(outcome.cpu is not None and outcome.cpu < outcome.seconds + 1 for outcome in outcomes)


def test_jobs_run_at_the_same_time(lab, tmp_path):
    pending = [lab.submit(tasks.Wait(), str(tmp_path / "go")) for _ in range(2)]
    wait_until(lambda: len(lab.executor.process_ids()) == 2)
    (tmp_path / "go").touch()
    assert len({lab.value(each.wait()) for each in pending}) == 2
    assert lab.executor.process_ids() == ()


def test_a_job_that_is_not_wanted_any_more_is_dropped(lab):
    dropped = lab.submit(tasks.Add(), 1, start=lambda: False)
    assert lab.value(lab.run(tasks.Add(), 2)) == 3
    assert not dropped.outcomes


def test_a_call_is_made_later(lab):
    called = threading.Event()
    lab.executor.later(0.02, called.set)
    assert called.wait(PATIENCE)


def test_a_task_may_have_threads_and_processes(lab):
    assert lab.value(lab.run(tasks.Threads())) is True
    assert lab.value(lab.run(tasks.Children())) == [1, 2]
    assert lab.value(lab.run(tasks.Fork())) == "parent"


# -- how they end ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("_exit", "exited with status 3"),
        ("kill", "signal 9 (SIGKILL): most often the kernel, when memory runs out"),
        ("terminate", "signal 15 (SIGTERM)"),
        ("segfault", "signal 11 (SIGSEGV)"),
        ("abort", "signal 6 (SIGABRT)"),
    ],
)
def test_a_worker_that_ends_fails_its_job_alone(lab, tmp_path, how, message):
    other = lab.submit(tasks.Wait(), str(tmp_path / "go"))
    outcome = lab.run(tasks.End(), how)
    (tmp_path / "go").touch()
    assert type(outcome.error) is WorkerDiedError
    assert message in str(outcome.error)
    assert "last words" in "".join(outcome.effects.text)
    assert outcome.error.__notes__[0].startswith("the last that it printed:")
    if how == "segfault":
        assert "string_at" in "".join(outcome.effects.text)
        assert "tasks.py" in "".join(outcome.effects.text)
    assert lab.value(other.wait()) > 0
    assert lab.value(lab.run(tasks.Add(), 1)) == 2


def test_a_task_that_calls_exit_fails_and_its_worker_stays(lab):
    outcome = lab.run(tasks.End(), "exit")
    assert type(outcome.error) is TaskFailedError
    assert "exit(4)" in str(outcome.error)


WAYS = ("sleep", "deaf", "gil", "stop")
"""How a job is when it is ended: asleep, deaf to signals, in C code that keeps all threads waiting, stopped."""


@pytest.fixture
def wide_lab(tmp_path):
    lab = Lab(tmp_path / "lab", ROOT, jobs=len(WAYS) + 1)
    yield lab
    lab.close()


def start_busy(lab, folder, **options):
    """Start a job of each way; return them and the processes they have."""
    for how in WAYS:
        (folder / how).mkdir()
    pending = {how: lab.submit(tasks.Busy(), str(folder / how), how, **options) for how in WAYS}
    files = [folder / how / name for how in WAYS for name in ("child", "worker")]
    wait_until(lambda: all(file.exists() and file.read_text() for file in files))
    return pending, [int(file.read_text()) for file in files]


@pytest.mark.slow
def test_a_job_that_takes_too_long_ends_with_all_its_processes(wide_lab, tmp_path):
    pending, processes = start_busy(wide_lab, tmp_path, timeout=2)
    for how, each in pending.items():
        outcome = each.wait()
        assert type(outcome.error) is TaskTimeoutError
        assert "2 s" in str(outcome.error)
        if how != "stop":
            assert "in run" in "".join(outcome.effects.text)
    wait_until(lambda: all(map(is_gone, processes)))


def test_cancelling_a_run_ends_its_jobs_and_leaves_others(wide_lab, tmp_path):
    other = wide_lab.open_run()
    pending, processes = start_busy(wide_lab, tmp_path)
    kept = wide_lab.submit(tasks.Wait(), str(tmp_path / "go"), executor=other)
    queued = [wide_lab.submit(tasks.Add(), 1) for _ in range(3)]
    wide_lab.executor.close(cancel=True)
    assert all(is_gone(pid) for pid in processes[1::2])
    wait_until(lambda: all(map(is_gone, processes)))
    (tmp_path / "go").touch()
    assert wide_lab.value(kept.wait()) > 0
    assert wide_lab.value(wide_lab.run(tasks.Add(), 1, executor=other)) == 2
    assert not any(each.outcomes for each in (*pending.values(), *queued))


@pytest.mark.slow
def test_closing_ends_all_and_the_pool_can_be_used_again(own_lab):
    pid = own_lab.value(own_lab.run(tasks.Where()))
    folder = own_lab.pool.folder
    own_lab.pool.close()
    assert is_gone(pid)
    assert not os.path.exists(folder)
    assert own_lab.value(own_lab.run(tasks.Where(), executor=own_lab.open_run())) != pid


@pytest.mark.slow
def test_none_of_many_tiny_jobs_is_lost_when_workers_are_killed(own_lab):
    pending = [own_lab.submit(tasks.Add(), x) for x in range(400)]
    for number in (50, 150, 250):
        pending[number].wait()
        for pid in own_lab.executor.process_ids()[:1]:
            with contextlib.suppress(ProcessLookupError):  # it is the one before, which the pool has not buried yet
                os.kill(pid, 9)
    outcomes = [each.wait() for each in pending]
    died = [outcome for outcome in outcomes if outcome.error is not None]
    assert len(died) <= 3
    assert all(type(outcome.error) is WorkerDiedError for outcome in died)
    values = [own_lab.value(outcome) for outcome in outcomes if outcome.error is None]
    assert set(values) <= set(range(1, 401))
    assert len(set(values)) == len(values)


@pytest.mark.slow
def test_a_long_job_does_not_hold_up_tiny_ones_that_were_sent_behind_it(own_lab, tmp_path):
    """Workers get quick jobs ahead; one that turns out to be slow gives the others back."""
    quick = Task.of(lambda path: path and tasks.wait_for(path))
    for _ in range(10):
        own_lab.run(quick, "")
    stuck = own_lab.submit(quick, str(tmp_path / "go"))
    others = [own_lab.submit(quick, "") for _ in range(40)]
    for each in others:
        each.wait()
    assert not stuck.outcomes
    (tmp_path / "go").touch()
    assert stuck.wait().error is None


@pytest.mark.slow
def test_a_pool_whose_workers_cannot_start_says_so(tmp_path, monkeypatch):
    lab = Lab(tmp_path / "lab", ROOT)
    monkeypatch.setattr(lab.pool.equipment.__class__, "__reduce_ex__", lambda *_: (os._exit, (1,)))
    try:
        outcome = lab.run(tasks.Add(), 1)
        assert type(outcome.error) is WorkerDiedError
        assert "workers end as soon as they start" in str(outcome.error)
        assert "--executor sequential" in str(outcome.error)
    finally:
        lab.close()


@pytest.mark.parametrize("method", ["spawn", *slow(["fork"])])
@pytest.mark.slow
def test_workers_may_start_in_other_ways(tmp_path, method):
    lab = Lab(tmp_path / "lab", ROOT, start_method=method)
    try:
        point, move = tasks.local_classes(5)
        outcome = lab.run(move(), point(1))
        assert lab.value(outcome) == 6
        assert outcome.notes == []
        assert type(lab.run(tasks.End(), "kill").error) is WorkerDiedError
        assert lab.value(lab.run(tasks.Environment()))["threads"] == str(share_threads(lab.pool.jobs))
    finally:
        lab.close()


@pytest.mark.slow
def test_a_job_that_cannot_be_sent_has_failed_and_the_others_go_on(own_lab, monkeypatch):
    send = Worker.send

    def broken(self, item, *, wait):
        if item.job.args == (13,):
            raise MemoryError
        return send(self, item, wait=wait)

    monkeypatch.setattr(Worker, "send", broken)
    pending = [own_lab.submit(tasks.Add(), number) for number in (1, 13, 2)]
    outcomes = [each.wait() for each in pending]
    assert str(outcomes[1].error).startswith("it cannot be sent to a worker: MemoryError")
    assert [own_lab.value(outcomes[at]) for at in (0, 2)] == [2, 3]


@pytest.mark.slow
def test_an_error_that_exits_when_it_is_made_again_keeps_its_text(own_lab):
    assert str(own_lab.run(tasks.Call(), tasks.be_rude, "go away").error) == "Rude: go away"
