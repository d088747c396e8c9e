"""A pipeline of fifty tasks, some of them with large outputs, to be hit by what may happen to processes. As a script it makes one run."""

from __future__ import annotations

import sys
import time

from finestflow import Pipeline, Task

SIZE = 25


class Start(Task):
    turn: int = 0

    def run(self, number):
        time.sleep(0.002 * (number % 5))
        return [self.turn, number] * (5000 if number % 4 == 0 else 1)


class Finish(Task):
    def run(self, values):
        time.sleep(0.001)
        return sum(values[:2])


class Storm(Pipeline):
    start: Start
    finish: Finish

    def __call__(self):
        begun = [self.start(number) for number in range(SIZE)]
        return [self.finish(values) for values in begun]


def expected(turn):
    """Return what the pipeline returns."""
    return [turn + number for number in range(SIZE)]


if __name__ == "__main__":
    storm = Storm(start=Start(turn=int(sys.argv[1])))
    print("begins", flush=True)
    assert storm.options(jobs=2)() == expected(int(sys.argv[1]))
