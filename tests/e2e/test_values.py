"""Values that cannot be digested or stored: the run goes on, and one line says which value, where in it, and why."""

from __future__ import annotations

import pytest

from tests.e2e import processes
from tests.e2e.conftest import Project

FLOW = """
import sqlite3, threading
from finestflow import Param, Pipeline, Task

MAKERS = {
    "generator": lambda: (i for i in range(3)),
    "lock": threading.Lock,
    "file": lambda: open(__file__),
    "connection": lambda: sqlite3.connect(":memory:"),
    "nested": lambda: {"model": [1, {"lock": threading.Lock()}]},
    "closure": lambda: (lambda handle: lambda: handle)(open(__file__)),
}

class Make(Task):
    kind: str
    def run(self): return MAKERS[self.kind]()

class Use(Task):
    def run(self, value): return type(value).__name__

class After(Task):
    def run(self, name: str): return name + "!"

class Odd(Pipeline):
    generator: Make = Make(kind="generator")
    lock: Make = Make(kind="lock")
    file: Make = Make(kind="file")
    connection: Make = Make(kind="connection")
    nested: Make = Make(kind="nested")
    closure: Make = Make(kind="closure")
    use: Use
    after: After

    def __call__(self):
        made = [getattr(self, name)() for name in MAKERS]
        return [self.after(self.consume(value)) for value in made]

    consume: Use
"""


def test_outputs_and_inputs_that_cannot_be_stored(project: Project):
    """Maker and consumer run each time, what follows the consumer is a hit; a note names the value, the place, the reason."""
    project.write("odd.py", FLOW.replace("    use: Use\n", ""))
    for _ in range(2):
        project.do("run", "odd.py:Odd")
    nodes = project.nodes()
    names = ["generator", "lock", "file", "connection", "nested", "closure"]

    for index, name in enumerate(names):
        made, used = nodes[name], nodes["consume" + (f"[{index}]" if index else "")]
        after = nodes["after" + (f"[{index}]" if index else "")]
        assert (made["status"], used["status"], after["status"]) == ("ok", "ok", "hit"), name
        note = " ".join(made["notes"])
        assert "not cached" in note
        assert made["digest"] is None
        assert used["why"].startswith("not cached: input 'value'"), used["why"]
        assert "\n" not in note
        assert not name.startswith("ne") or "['model'][1]['lock']" in note, note
        assert "not cached" in project.do("why", f"@:{name}").out
    assert {name: next(w for w in WORDS[name] if w in " ".join(nodes[name]["notes"])) for name in names}


WORDS = {
    "generator": ("generator",),
    "lock": ("lock",),
    "file": ("TextIOWrapper", "file"),
    "connection": ("Connection", "connection"),
    "nested": ("lock",),
    "closure": ("TextIOWrapper", "file", "function", "lambda"),
}


def test_one_line_is_said_while_it_runs(project: Project):
    """The person at the terminal sees that, and why, a task is not cached."""
    project.write("odd.py", FLOW.replace("    use: Use\n", ""))
    err = project.do("run", "odd.py:Odd").err

    lines = [line for line in err.splitlines() if "nested" in line or "['model']" in line]
    assert any("not cached" in line and "['model'][1]['lock']" in line for line in lines), err


@pytest.mark.slow
def test_params_and_inputs_of_the_run_that_cannot_be_digested(project: Project):
    """A lock as a param, or as an input of the pipeline, makes its task uncached, and the run is recorded."""
    project.write(
        "locks.py",
        """
        import threading
        from finestflow import Pipeline, Task

        class Hold(Task):
            lock: object = None
            def run(self, other): return 1

        class Holds(Pipeline):
            first: Hold
            second: Hold
            def __call__(self, other): return [self.first(1), self.second(other)]

        if __name__ == "__main__":
            print(Holds(first=Hold(lock=threading.Lock()))(threading.Lock()))
        """,
    )
    for _ in range(2):
        answer = processes.python("locks.py", cwd=project.folder)
        assert answer.out == "[1, 1]\n", answer.err
    nodes = project.nodes()
    assert "param 'lock'" in nodes["first"]["why"]
    assert "input 'other'" in nodes["second"]["why"]
    assert {node["status"] for node in nodes.values()} == {"ok"}


@pytest.mark.slow
def test_a_mutated_input_is_seen_by_nobody_else(project: Project):
    """A task may change its input in place: each consumer has a copy of its own, in a first run and in a cached one."""
    project.write(
        "mutate.py",
        """
        from finestflow import Pipeline, Task

        class Make(Task):
            def run(self): return [3, 1, 2]

        class Sort(Task):
            def run(self, items):
                items.sort()
                return items

        class Copy(Task):
            def run(self, items): return list(items)

        class Mutate(Pipeline):
            make: Make
            sort: Sort
            copied: Copy
            def __call__(self, salt: int = 0):
                made = self.make()
                return {"sorted": self.sort(made), "copied": self.copied(made), "looked": made.value}
        """,
    )
    for force in ((), ("--force", "copied")):
        project.do("run", "mutate.py:Mutate", *force)
        assert project.do("get", "@:copied").json == [3, 1, 2]
        assert project.do("get", "@:sort").json == [1, 2, 3]


@pytest.mark.slow
def test_a_local_class_is_made_again_or_not_cached(project: Project):
    """A value of a class made in a function goes on to the next task, whatever can be done with it."""
    project.write(
        "local.py",
        """
        from finestflow import Pipeline, Task

        def make():
            class Inner:
                x = 5
            return Inner()

        class Make(Task):
            def run(self): return make()

        class Read(Task):
            def run(self, value): return value.x

        class Local(Pipeline):
            make: Make
            read: Read
            def __call__(self): return self.read(self.make())
        """,
    )
    for _ in range(2):
        project.do("run", "local.py:Local")
        assert project.do("get", "@:read").out == "5\n"
    assert "not cached" in " ".join(project.nodes()["make"]["notes"])


def test_an_attribute_error_of_a_task_comes_back_as_it_is(project: Project):
    """A task that raises AttributeError fails with it, however its output is looked at."""
    project.write(
        "attribute.py",
        """
        from finestflow import Pipeline, Task

        class Bad(Task):
            def run(self): return self.foo

        class Looks(Pipeline):
            bad: Bad
            def __call__(self): return int(self.bad()) + 1
        """,
    )
    project.do("run", "attribute.py", code=1)

    assert project.show()["error"] == "AttributeError: 'Bad' object has no attribute 'foo'"


def test_a_task_that_exits_has_failed(project: Project):
    """``exit(3)`` in a task is a failure of that task: exit code 3 means something else."""
    project.write(
        "leaves.py",
        """
        from finestflow import Pipeline, Task

        class Leave(Task):
            def run(self): exit(3)

        class Leaves(Pipeline):
            leave: Leave
            def __call__(self): return self.leave()
        """,
    )
    project.do("run", "leaves.py", code=1)

    assert project.show()["status"] == "failed"
