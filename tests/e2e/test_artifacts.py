"""``finestflow.log``, ``save`` and ``track`` inside of pipelines: they are the task's, or the body's own."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Project
from tests.sampling import slow

FLOW = """
from pathlib import Path

import finestflow
from finestflow import Pipeline, Task

class Fit(Task):
    fails: bool = False

    def run(self, x: int) -> int:
        for step in finestflow.track(range(3)):
            finestflow.log(loss=1 / (step + 1), step=step)
        Path("model.txt").write_text(f"weights {x}")
        finestflow.save("model.txt")
        finestflow.save({"x": x}, "about/input")
        finestflow.log(text="no number", deep={"er": 1})
        if self.fails:
            raise ValueError("boom")
        return x * x

class Fits(Pipeline):
    fit: Fit = Fit()

    def __call__(self, x: int = 4) -> int:
        y = self.fit(x)
        self.log(square=y)
        finestflow.save([1, 2], "of_body")
        return y
"""


@pytest.mark.parametrize("executor", ["sequential", *slow(["process"])])
def test_what_a_task_reports_is_its_own_and_a_hit_reports_it_again(project: Project, executor: str):
    project.write("flow.py", FLOW)

    for status in ("ok", "hit"):
        project.do("run", "flow.py", "--executor", executor, "-j", "1")

        assert project.statuses() == {
            "fit": status,
            "fit/model.txt": status,
            "fit/about/input": status,
            "of_body": "ok",
        }
        assert project.show()["metrics"] == {"square": 16, "fit/loss": 1 / 3, "fit/deep/er": 1}
        assert project.do("get", "@:model.txt").out == "weights 4"
        assert project.do("get", "@:fit.about/input").out.split() == ["{", '"x":', "4", "}"]
    project.do("gc")
    assert project.do("get", "@:fit/model.txt").out == "weights 4"
    assert "identical: all 4" in project.do("reproduce", "@").out


def test_a_thread_of_a_task_reports_for_it(project: Project):
    project.write(
        "flow.py",
        """
        import threading
        import finestflow
        from finestflow import Pipeline, Task

        class Fit(Task):
            def run(self) -> int:
                thread = threading.Thread(target=lambda: finestflow.log(from_thread=1))
                thread.start()
                thread.join()
                return 1

        class Fits(Pipeline):
            fit: Fit = Fit()
            def __call__(self): return self.fit()
        """,
    )
    project.do("run", "flow.py")

    assert project.show()["metrics"] == {"fit/from_thread": 1}


def test_what_a_task_saved_before_it_failed_is_kept(project: Project):
    project.write("flow.py", FLOW)

    project.do("run", "flow.py", "-p", "fit.fails=true", code=1)

    assert project.statuses() == {"fit": "failed", "fit/model.txt": "ok", "fit/about/input": "ok"}
    assert project.do("get", "@:model.txt").out == "weights 4"
