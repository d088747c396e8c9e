"""Whom the call of a pipeline reaches: a run, a frame, or the plain method."""

import pytest

from finestflow.errors import UsageError
from finestflow.pipeline import call
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task


class Add(Task):
    by: int = 1

    def run(self, x):
        return x + self.by


class Base(Pipeline):
    add: Add

    def __call__(self, x):
        return self.add(x)


class Child(Base):
    more: Add = Add(by=10)

    def __call__(self, x):
        """Add more."""
        return self.more(super().__call__(x))


class Frame:
    """Runs bodies in frames of their own and notes each call."""

    def __init__(self, pipeline, told):
        self.pipeline, self.told = pipeline, told

    def is_running(self, pipeline):
        return pipeline is self.pipeline

    def call(self, task, args, kwargs, name):
        self.told.append((type(task).__name__, name))
        if isinstance(task, Pipeline):
            return run_body(task, self.told, *args, **kwargs)
        return task.run(*args, **kwargs)


def run_body(pipeline, told, *args, **kwargs):
    token = FRAME.set(Frame(pipeline, told))
    try:
        return pipeline.body(*args, **kwargs)
    finally:
        FRAME.reset(token)


def test_without_a_launcher_a_pipeline_is_plain_python():
    assert Base()(1) == 2
    assert Child()(1) == 12


def test_a_call_from_plain_python_is_a_run():
    told = []
    call.set_launcher(lambda pipeline, args, kwargs: told.append((pipeline, args, kwargs)) or "run")
    child = Child()

    assert child(1, x=2) == "run"
    assert child.named("a")(1) == "run"
    assert told == [(child, (1,), {"x": 2}), (child, (1,), {})]


def test_super_in_a_body_is_the_plain_method():
    told = []

    assert run_body(Child(), told, 1) == 12
    assert told == [("Add", None), ("Add", None)]


def test_super_goes_up_through_every_level():
    class Grandchild(Child):
        def __call__(self, x):
            return super().__call__(x) * 2

    told = []

    assert run_body(Grandchild(), told, 1) == 24
    assert len(told) == 2


def test_a_body_that_is_inherited_is_run_once():
    class Same(Child):
        pass

    told = []

    assert run_body(Same(), told, 1) == 12
    assert len(told) == 2


def test_another_instance_in_a_body_is_a_nested_pipeline():
    class Down(Pipeline):
        depth: int = 0
        add: Add

        def __call__(self, x):
            if self.depth:
                return self.add(Down(depth=self.depth - 1)(x))
            return x

    told = []

    assert run_body(Down(depth=2), told, 0) == 2
    assert told == [("Down", None), ("Down", None), ("Add", None), ("Add", None)]


def test_a_named_call_reaches_the_frame_with_its_name():
    class Named(Pipeline):
        add: Add

        def __call__(self, x):
            return self.add.named("first")(x)

    told = []
    run_body(Named(), told, 1)

    assert told == [("Add", "first")]


def test_a_pipeline_without_a_body_says_what_to_write():
    class Empty(Pipeline):
        add: Add

    for call_it in (Empty(), Empty().body):
        with pytest.raises(UsageError, match="'Empty' has no method '__call__'"):
            call_it()


def test_the_wrapped_body_keeps_its_name_and_words():
    assert Child.__call__.__doc__ == "Add more."
    assert Child.__call__.__qualname__ == "Child.__call__"
