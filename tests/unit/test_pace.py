"""Reports in batches: nothing lost, little told."""

from __future__ import annotations

import threading

from finestflow.pace import Paced


class Told:
    """Takes what is passed on."""

    def __init__(self):
        self.batches = []
        self.progress = []
        self.has_progress = threading.Event()

    def take(self, done, total):
        self.progress.append((done, total))
        if done == total:
            self.has_progress.set()

    def rows(self):
        return [row[:3] for batch in self.batches for row in batch]


def test_the_first_report_passes_at_once():
    told = Told()
    paced = Paced(told.batches.append, told.take)
    paced.metric("loss", 0.5, 1.0)

    assert told.rows() == [("loss", 0.5, 1.0)]


def test_a_flood_is_told_in_order_and_in_few_batches():
    told = Told()
    paced = Paced(told.batches.append, told.take)
    for step in range(50_000):
        paced.metric("loss", float(step), step)
        paced.progress(step, 50_000)
    paced.flush()

    assert told.rows() == [("loss", float(step), step) for step in range(50_000)]
    assert told.progress[-1] == (49_999, 50_000)
    assert len(told.batches) < 500
    assert len(told.progress) < 500


def test_the_latest_progress_is_told_when_the_call_falls_silent():
    told = Told()
    paced = Paced(told.batches.append, told.take)
    for done in range(11):
        paced.progress(done, 10)

    assert told.has_progress.wait(30)
    assert told.progress[0] == (0, 10)
    assert len(told.progress) < 11


def test_reports_of_two_threads_are_all_told():
    told = Told()
    paced = Paced(told.batches.append, told.take)

    def report(name):
        for step in range(5_000):
            paced.metric(name, 1.0, step)

    threads = [threading.Thread(target=report, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paced.flush()

    for name in "ab":
        assert [step for each, _, step in told.rows() if each == name] == list(range(5_000))
