"""What makes a call a hit, across processes: values, classes, seeds, context, Meta, params."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e import processes
from tests.e2e.conftest import Project
from tests.sampling import slow


def why(project: Project, node: str) -> str:
    """Return what ``finestflow why`` says of a node of the newest run."""
    return project.do("why", f"@:{node}").out


def test_early_cutoff_does_not_hide_an_edited_class(project: Project):
    """A producer that runs again and gives an equal value leaves its consumer a hit, unless the value's class was edited."""
    project.write(
        "shapes.py",
        """
        import dataclasses

        @dataclasses.dataclass
        class Scale:
            factor: int

            def scale(self, x):
                return self.factor * x
        """,
    )
    project.write(
        "flow.py",
        """
        from finestflow import Pipeline, Task
        from shapes import Scale

        def offset():
            return 0

        class Make(Task):
            def run(self): return Scale(2 + offset())

        class Use(Task):
            def run(self, scale): return scale.scale(10)

        class Shapes(Pipeline):
            make: Make
            apply: Use
            def __call__(self): return self.apply(self.make())
        """,
    )
    project.do("run", "flow.py:Shapes")
    project.edit("flow.py", "return 0", "return 1 - 1")
    project.do("run", "flow.py:Shapes")
    assert project.statuses() == {"make": "ok", "apply": "hit"}
    assert "flow.offset" in why(project, "make")

    project.edit("shapes.py", "self.factor * x", "self.factor * x + 1")
    project.do("run", "flow.py:Shapes")

    assert project.statuses()["apply"] == "ok"
    assert "class" in why(project, "apply") or "Scale.scale" in why(project, "apply")
    assert project.do("get", "@:apply").out == "21\n"


RANDOM = """
import random, numpy
from finestflow import Pipeline, Task

class Random(Task):
    def run(self): return random.random()

class Sample(Task):
    def run(self): return random.sample(range(100), 5)

class Numpy(Task):
    def run(self): return float(numpy.random.rand())

class Permutation(Task):
    def run(self): return numpy.random.permutation(50).tolist()

class Own(Task):
    def run(self): return self.rng.random()

class Plain(Task):
    def run(self): return 1

class Draws(Pipeline):
    random: Random
    sample: Sample
    numpy: Numpy
    permutation: Permutation
    own: Own
    plain: Plain
    def __call__(self):
        return [self.random(), self.sample(), self.numpy(), self.permutation(), self.own(), self.plain()]
"""


@pytest.mark.slow
def test_random_draws_depend_on_the_seed_of_the_run(project: Project):
    """With an equal seed it is a hit, with another one it runs, and going back is a hit; what draws nothing does not care."""
    project.write("draws.py", RANDOM)
    for seed in ("0", "0", "5", "0"):
        project.do("run", "draws.py:Draws", "--seed", seed)
    runs = [project.nodes(f"@~{back}") for back in range(4)]

    assert project.do("reproduce", "@~1").out.count("identical") == 7
    for path in runs[0]:
        statuses = [run[path]["status"] for run in runs]
        digests = [run[path]["digest"] for run in runs]
        assert digests[0] == digests[2] == digests[3]
        if path == "plain":
            assert statuses == ["hit", "hit", "hit", "ok"]
        else:
            assert statuses == ["hit", "ok", "hit", "ok"], path
            assert digests[0] != digests[1]
            assert "seed changed" in runs[1][path]["why"]


@pytest.mark.slow
def test_numpy_that_a_task_loads_itself_is_seen(project: Project):
    """Drawing from a numpy that was not loaded before makes the call depend on the seed, too."""
    project.write(
        "draws.py",
        RANDOM.replace("import random, numpy", "import random").replace("numpy.random.", "__import__('numpy').random."),
    )
    for seed in ("0", "5"):
        project.do("run", "draws.py:Draws", "--seed", seed)

    assert project.statuses()["numpy"] == "ok"


@pytest.mark.slow
def test_random_draws_of_initialize_depend_on_the_seed_of_the_run(project: Project):
    """A model that is initialised at random is another one with another seed, and the same one when it is reproduced."""
    project.write(
        "draws.py",
        """
        import random
        from finestflow import Pipeline, Task

        class Draw(Task):
            def initialize(self): self.weight = random.random()
            def run(self): return self.weight

        class Draws(Pipeline):
            draw: Draw
            def __call__(self): return self.draw()
        """,
    )
    for seed in ("0", "5"):
        project.do("run", "draws.py:Draws", "--seed", seed)

    assert project.statuses() == {"draw": "ok"}
    project.do("reproduce", "@")


@pytest.mark.slow
def test_context_values_that_are_read_are_dependencies(project: Project):
    """A changed value makes its reader run; who does not read it is a hit; what a task wrote makes its reader uncached."""
    project.write(
        "contexts.py",
        """
        import sys
        from finestflow import Pipeline, Task

        class Reads(Task):
            def run(self): return self.context["mode"] * 2

        class Writes(Task):
            def run(self):
                self.context["written"] = 5
                return 0

        class ReadsWritten(Task):
            def run(self, after): return self.context["written"]

        class Contexts(Pipeline):
            reads: Reads
            writes: Writes
            late: ReadsWritten
            def __call__(self): return [self.reads(), self.late(self.writes())]

        if __name__ == "__main__":
            print(Contexts().options(context={"mode": sys.argv[1]})())
        """,
    )
    outs = [processes.python("contexts.py", mode, cwd=project.folder) for mode in ("a", "a", "b", "a")]
    assert [out.out for out in outs] == ["['aa', 5]\n", "['aa', 5]\n", "['bb', 5]\n", "['aa', 5]\n"], outs[0].err
    assert [project.statuses(f"@~{back}")["reads"] for back in range(4)] == ["hit", "ok", "hit", "ok"]
    assert "context value 'mode' changed" in project.do("why", "@~1:reads").out
    assert project.statuses()["writes"] == "hit"
    assert project.statuses()["late"] == "ok"
    assert "context" in why(project, "late")


HANDLES = """
from finestflow import Param, Pipeline, Task

def helper(): return 1

class Versioned(Task):
    class Meta: version = "1"
    def run(self): return helper()

class Never(Task):
    class Meta: cache = False
    def run(self): return 1

class Ignores(Task):
    class Meta: ignore = ("threads",)
    def run(self, x: int, threads: int): return x

class Undigested(Task):
    threads: int = Param(1, digest=False)
    level: int = 1
    def run(self): return self.level

class Handles(Pipeline):
    versioned: Versioned
    never: Never
    ignores: Ignores
    undigested: Undigested
    def __call__(self, x: int = 1, threads: int = 1):
        return [self.versioned(), self.never(), self.ignores(x, threads), self.undigested()]
"""


@pytest.mark.slow
def test_handles_of_a_task(project: Project):
    """``Meta.version``, ``Meta.cache``, ``Meta.ignore`` and ``Param(digest=False)`` do what they say."""
    project.write("handles.py", HANDLES)
    project.do("run", "handles.py:Handles")
    project.edit("handles.py", "def helper(): return 1", "def helper(): return 2")
    project.do("run", "handles.py:Handles", "-p", "threads=8", "-p", "undigested.threads=8")

    assert project.statuses() == {"versioned": "hit", "never": "ok", "ignores": "hit", "undigested": "hit"}
    assert "caching is off for this task" in why(project, "never")

    project.edit("handles.py", 'version = "1"', 'version = "2"')
    project.do("run", "handles.py:Handles", "-p", "x=2", "-p", "undigested.level=2")

    assert project.statuses() == dict.fromkeys(["versioned", "never", "ignores", "undigested"], "ok")
    assert "Meta.version" in why(project, "versioned")
    assert "input 'x' changed" in why(project, "ignores")
    assert "param 'level' 1 -> 2" in why(project, "undigested")


APART = """
from finestflow import Pipeline, Task

class Make(Task):
    class Meta: cache = "apart"
    def run(self, n: int) -> list: return list(range(n))

class Sum(Task):
    def run(self, numbers: list) -> int: return sum(numbers)

class Sums(Pipeline):
    make: Make
    sum: Sum
    def __call__(self, n: int = 50_000): return self.sum(self.make(n))
"""


@pytest.mark.parametrize("jobs", ["2", *slow(["1"])])
@pytest.mark.slow
def test_a_task_may_have_a_store_of_its_own(project: Project, jobs: str):
    """What is in it is a hit when the project's store is gone, also for workers, and only that."""
    project.write("apart.py", APART)
    project.write(".git/info/exclude", "apart/\n")
    project.do("run", "apart.py:Sums", "-j", jobs)
    assert project.statuses() == {"make": "ok", "sum": "ok"}

    shutil.rmtree(project.folder / ".git/finestflow/store")
    project.do("run", "apart.py:Sums", "-j", jobs)
    assert project.statuses() == {"make": "hit", "sum": "ok"}

    shutil.rmtree(project.folder / "apart")
    project.do("run", "apart.py:Sums", "-j", jobs, "-p", "n=50001")
    assert project.statuses() == {"make": "ok", "sum": "ok"}
    assert (project.folder / "apart").is_dir()


@pytest.mark.slow
def test_going_back_hits_again(project: Project):
    """Results of older code stay: back and forth between two versions computes nothing."""
    project.do("run", "numbers_pipeline.py:Numbers")
    project.edit("numbers_pipeline.py", "self.factor * number", "number * self.factor")
    project.do("run", "numbers_pipeline.py:Numbers")
    assert project.statuses() == {"load": "hit", "scale": "ok", "total": "hit"}
    assert "numbers_pipeline.Scale" in why(project, "scale")

    project.edit("numbers_pipeline.py", "number * self.factor", "self.factor * number")
    project.do("run", "numbers_pipeline.py:Numbers")
    assert set(project.statuses().values()) == {"hit"}


def test_a_hit_replays_metrics_and_log(project: Project):
    """Metrics and what was printed are the same first and cached, and the log says where it came from."""
    project.do("run", "numbers_pipeline.py:Numbers")
    first = project.show()
    project.do("run", "numbers_pipeline.py:Numbers")
    second = project.show()

    assert first["metrics"] == second["metrics"]
    log = project.do("logs", "@:load").out
    assert log.endswith("loading 4\n")
    assert first["id"] in log
    assert first["name"] in why(project, "load")


@pytest.mark.slow
def test_ways_to_start_a_pipeline_share_the_cache(project: Project):
    """``python x.py``, ``finestflow run x.py:P``, ``run module:P`` and an import from another script agree on every key."""
    path = project.folder / "numbers_pipeline.py"
    path.write_text(path.read_text() + "\nif __name__ == '__main__':\n    Numbers()()\n")
    project.write("other.py", "from numbers_pipeline import Numbers\nNumbers()()\n")
    assert processes.python("numbers_pipeline.py", cwd=project.folder).code == 0
    for turn in range(3):
        if turn == 0:
            project.do("run", "numbers_pipeline.py:Numbers")
        elif turn == 1:
            project.do("run", "numbers_pipeline:Numbers")
        else:
            assert processes.python("other.py", cwd=project.folder).code == 0
        assert set(project.statuses().values()) == {"hit"}
    assert "identical" in project.do("reproduce", "@~3").out


@pytest.mark.slow
def test_a_file_given_as_a_path_counts_by_its_content(project: Project):
    """An edited file is a miss, also with the same size; a touched one is a hit."""
    project.write("data.txt", "abc")
    project.write(
        "reads.py",
        """
        from pathlib import Path
        from finestflow import Pipeline, Task

        class Read(Task):
            def run(self, path: Path): return path.read_text()

        class Reads(Pipeline):
            read: Read
            def __call__(self, path: Path = Path("data.txt")): return self.read(path)
        """,
    )
    project.do("run", "reads.py:Reads")
    (project.folder / "data.txt").touch()
    project.do("run", "reads.py:Reads")
    assert project.statuses() == {"read": "hit"}

    project.write("data.txt", "xyz")
    project.do("run", "reads.py:Reads")
    assert project.statuses() == {"read": "ok"}
    assert "xyz" in project.do("get", "@:read").out
    project.do("reproduce", "@")
