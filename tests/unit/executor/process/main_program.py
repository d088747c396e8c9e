"""A program without a ``__main__`` guard: what it defines has to reach its workers. Run with jobs; prints what came of it as JSON."""

import dataclasses
import enum
import functools
import json
import os
import typing
from collections import namedtuple

import library_of_lab

from finestflow import Pipeline, Task

print("the main module runs")
FACTOR = 3
TABLE = {"a": [1, 2]}
T = typing.TypeVar("T")
Old = namedtuple("Old", "p q")  # noqa: PYI024 - another kind than Pair


class Color(enum.Enum):
    RED = 1
    BLUE = 2

    def nice(self):
        return self.name.lower()


@dataclasses.dataclass
class Config:
    x: int = 1
    items: list = dataclasses.field(default_factory=list)

    def scaled(self, by):
        return Config(self.x * by, [FACTOR])


class Pair(typing.NamedTuple):
    a: int
    b: int = 2


class Shape(typing.Generic[T]):
    def __init__(self, size):
        self.size = size

    @property
    def area(self):
        return self.size**2

    @classmethod
    def unit(cls):
        return cls(1)


class Square(Shape[int]):
    __slots__ = ()

    def __init__(self, size):
        super().__init__(size)


def tenfold(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args) * 10

    return inner


@tenfold
def decorated(x):
    return x + 1


@functools.cache
def cached(x):
    return x + FACTOR


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n != 0 and is_even(n - 1)


if True:

    class Record(library_of_lab.Record):
        size: int = FACTOR

        def double(self):
            return 2 * self.fields["size"]


class OwnError(Exception):
    def __init__(self, text, *, code):
        super().__init__(text)
        self.code = code


class Make(Task):
    by: int = 2

    def run(self, config):
        assert isinstance(config, Config)
        return config.scaled(self.by), os.getpid()


class Use(Task):
    def run(self, made):
        config, maker = made
        return {
            "is the class": type(config) is Config,
            "elsewhere": [os.getpid() != HOME, maker != HOME],
            "values": [
                config.x,
                Color.BLUE.nice(),
                Pair(1),
                Old(1, 2),
                Square(3).area,
                Shape.unit().size,
                Record().double(),
            ],
            "functions": [decorated(2), cached(1), is_even(10), os.path.basename("a/b"), TABLE],
        }


class Fail(Task):
    def run(self):
        raise OwnError("no", code=4)


class Whole(Pipeline):
    make: Make
    check: Use
    fail: Fail
    plus: Task

    def __call__(self):
        made = self.make(Config(5))
        try:
            self.fail().value  # noqa: B018 - a look
        except OwnError as error:
            code = error.code
        return self.check(made), code, made[0], self.plus(1)


HOME = 0
whole = Whole(plus=Task.of(lambda x: x + FACTOR)).options(jobs=2, executor="process")
found, code, config, plus = whole()
notes = {
    path: node.notes for path, node in whole.last_run.nodes.items() if any("ran in" in note for note in node.notes)
}
print(json.dumps({**found, "code": code, "config": [type(config) is Config, config.x], "plus": plus, "notes": notes}))
