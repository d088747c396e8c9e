"""Pipelines that are described in TOML, and runs that are made of a description again."""

import pytest

SCRIPT = """\
from finestflow import Task

class Load(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self, n: int = 4):
        return list(range(n)), [n]

class Fit(Task):
    factor: int = 1

    def run(self, train):
        return self.factor * sum(train)

class Pick(Task):
    def run(self, models: dict, test):
        self.log(best=max(models.values()))
        return max(models, key=models.get)

chain = Load() >> [Fit().named("small"), Fit(factor=5).named("large")]
"""

DESCRIBED = """\
[pipelines.best]
flow = "load >> [small, large] >> pick"
seed = 3
inputs = { n = 5 }

[pipelines.best.tasks]
load = "parts/tasks.py:Load"
small = { use = "parts/tasks.py:Fit" }
large = { use = "parts/tasks.py:Fit", factor = 3 }
pick = { use = "parts/tasks.py:Pick" }

[pipelines.best.edges]
"pick.models" = { small = "small", large = "large" }
"pick.test" = "load.test"
"""


@pytest.fixture
def described(project):
    """A repository with tasks in a folder below it and a pipeline that is described."""
    (project / "parts").mkdir()
    (project / "parts" / "tasks.py").write_text(SCRIPT)
    (project / ".finestflow.toml").write_text(DESCRIBED)
    return project


def digests(finestflow, run="@"):
    return {
        node["path"]: (node["key"], node["digest"]) for node in finestflow("show", run, "--json").json["run"]["nodes"]
    }


@pytest.mark.slow
def test_a_described_pipeline_runs_and_its_runs_say_how_to_make_them_again(described, finestflow):
    answer = finestflow("run", "best", "-p", "large.factor=7")
    assert "returned 'large'" in answer.err
    before = digests(finestflow)
    assert list(before) == ["load", "small", "large", "pick"]

    text = finestflow("show", "@", "--config").out
    assert "seed = 3" in text
    (described / "exp.toml").write_text(text)
    finestflow("run", "exp.toml", "--no-cache")
    assert digests(finestflow) == before
    assert finestflow("show", "@", "--config").out.splitlines()[1:] == text.splitlines()[1:]
    finestflow("reproduce", "@")


def test_a_run_of_a_class_is_made_again_from_its_configuration(project, finestflow):
    finestflow("run", "numbers", "-p", "scale.factor=3", "-p", "n=6")
    before = digests(finestflow)

    (project / "exp.toml").write_text("# mine\n" + finestflow("show", "@", "--config").out)
    assert 'target = "numbers_pipeline.py:Numbers"' in (project / "exp.toml").read_text()
    finestflow("run", "exp.toml")
    assert digests(finestflow) == before
    finestflow("run", "exp.toml", "-p", "n=2")
    assert digests(finestflow) != before


@pytest.mark.slow
def test_a_chain_of_a_script_in_a_folder_is_recorded_and_reproduced(described, finestflow):
    finestflow("run", "parts/tasks.py:chain")
    assert set(digests(finestflow)) == {"Load", "small", "large"}
    finestflow("reproduce", "@")


def test_config_of_a_run_or_file_is_set_over_a_pipeline(project, finestflow):
    finestflow("run", "numbers", "-p", "scale.factor=3", "-p", "n=6")
    first = digests(finestflow)
    finestflow("run", "numbers")

    finestflow("run", "numbers", "--config", "@~1")
    assert digests(finestflow) == first
    finestflow("run", "--config", "@", "-p", "scale.factor=4")
    assert digests(finestflow)["load"] == first["load"]
    assert digests(finestflow)["scale"] != first["scale"]
    plan = finestflow("run", "--config", "@", "-n", "--json").json
    assert {node["status"] for node in plan["nodes"]} == {"hit"}


@pytest.mark.slow
def test_the_code_of_an_earlier_run_is_run_with_the_params_of_now(project, finestflow):
    finestflow("run", "numbers")
    first = digests(finestflow)
    code = (project / "numbers_pipeline.py").read_text()
    (project / "numbers_pipeline.py").write_text(code.replace("self.factor * number", "self.factor + number"))
    finestflow("run", "numbers")
    assert digests(finestflow) != first
    before = (project / "numbers_pipeline.py").read_text()

    finestflow("run", "numbers", "--code", "@~1", "-p", "scale.factor=2", "--name", "old code")
    assert digests(finestflow) == first
    assert finestflow("show", "old code", "--json").json["run"]["status"] == "ok"
    assert (project / "numbers_pipeline.py").read_text() == before


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("flow = 'a >> b'\n[tasks]\na = 'nothing:At'\n", "cannot import 'nothing'"),
        ("flow = 'a >> '\n", "where a task should be"),
        ("flwo = 'a'\n", "did you mean 'flow'"),
        ("flow = ", "exp.toml"),
        ("[pipelines.a]\nflow = 'x'\n[pipelines.b]\nflow = 'x'\n", "exp.toml:a, exp.toml:b"),
        ("seed = -1\ntarget = 'numbers_pipeline.py:Numbers'\n", "seed is -1"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_without_a_traceback(project, finestflow, text, wrong):
    (project / "exp.toml").write_text(text)
    answer = finestflow("run", "exp.toml", code=None)

    assert answer.code in {2, 4}
    assert wrong in answer.err
    assert "Traceback" not in answer.err


def test_an_edge_in_doubt_is_told_before_anything_runs(described, finestflow):
    text = DESCRIBED[: DESCRIBED.index("[pipelines.best.edges]")]
    (described / ".finestflow.toml").write_text(text)
    answer = finestflow("run", "best", code=2)

    assert "not clear what 'pick' receives" in answer.err
    assert '"pick.models" = ["small", "large"]' in answer.err
    assert finestflow("log", "--json").json["runs"] == []
