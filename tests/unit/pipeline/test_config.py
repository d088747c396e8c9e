"""Pipelines as configuration, and back."""

import enum
import tomllib
from pathlib import Path

import pytest

from finestflow.errors import FinestflowError, GraphError, ParamError, UsageError
from finestflow.journal.toml import dump_toml
from finestflow.pipeline.chain import Chain
from finestflow.pipeline.config import dump_config, load_config, write_config
from finestflow.pipeline.param import Param
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task


class Mode(enum.Enum):
    FAST = 1
    SLOW = 2


class Load(Task):
    path: Path = Path("data")
    mode: Mode = Mode.FAST
    rows: tuple[int, ...] = (1, 2)
    limit: int | None = 3
    key: str = Param("", secret=True)

    def run(self):
        return list(self.rows)


class Fit(Task):
    factor: float

    def run(self, rows):
        return self.factor * sum(rows)


class Whole(Pipeline):
    depth: int = 1
    load: Load
    fit: Fit = Fit(factor=2)
    after: Task | None = None

    def __call__(self):
        return self.fit(self.load())


USE = f"{__name__}:"
FLOW = f"""
flow = "load >> [small, large] >> pick"

[tasks]
load = {{ use = "{USE}Load", rows = [1, 2, 3], mode = "SLOW", path = "x/y" }}
small = {{ use = "{USE}Fit", factor = 0.5 }}
large = {{ use = "{USE}Fit", factor = 4 }}
pick = {{ use = "builtins:max" }}

[edges]
"small.rows" = "load"
"""


def test_a_described_pipeline_is_loaded_and_dumped():
    chain = Pipeline.load(tomllib.loads(FLOW))

    assert isinstance(chain, Chain)
    assert chain() == 24
    assert chain.children["load"].mode is Mode.SLOW
    assert chain.children["load"].path == Path("x/y")
    config = dump_config(chain)
    assert config["flow"] == "load >> [small, large] >> pick"
    assert config["edges"] == {"small.rows": "load"}
    assert config["tasks"]["load"] == {
        "use": f"{USE}Load",
        "path": "x/y",
        "mode": "SLOW",
        "rows": [1, 2, 3],
        "limit": 3,
    }
    assert dump_config(load_config(tomllib.loads(dump_toml(config)))) == config


def test_a_class_is_dumped_with_its_params_and_tasks():
    whole = Whole(depth=2, fit=Fit(factor=3), load=Load(limit=None))
    config = dump_config(whole)

    assert config["target"] == f"{USE}Whole"
    assert config["params"] == {"depth": 2}
    assert config["tasks"]["fit"] == {"use": f"{USE}Fit", "factor": 3.0}
    assert config["tasks"]["after"] == {"$none": True}
    other = Pipeline.load(tomllib.loads(dump_toml(config)))
    assert repr(other) == repr(whole)
    assert other() == 9


def test_what_is_inside_is_described_the_same_way():
    inner = (Load() >> sorted).named("data")
    chain = [inner, Whole().named("whole")] >> Task.of(max)
    config = dump_config(chain)

    assert config["tasks"]["data"]["flow"] == "Load >> sorted"
    assert config["tasks"]["data"]["name"] == "data"
    assert config["tasks"]["whole"]["fit"] == {"use": f"{USE}Fit", "factor": 2.0}
    assert repr(load_config(config)) == repr(chain)
    assert dump_config(load_config(config)) == config


def test_params_by_path_and_tasks_without_a_class_change_what_is_there():
    whole = load_config({"target": f"{USE}Whole", "params": {"fit.factor": 7}, "tasks": {"load": {"rows": [5]}}})

    assert whole() == 35


def test_secrets_are_not_dumped():
    assert "key" not in dump_config(Load(key="open sesame") >> sorted)["tasks"]["Load"]


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ({"flow": "a"}, "nothing says what 'a'"),
        ({"tasks": {}}, "nothing says what the pipeline is"),
        ({"flow": "a", "target": "x:Y"}, "both a target and a flow"),
        ({"flow": "a >>", "tasks": {"a": f"{USE}Load"}}, "where a task should be"),
        ({"flow": "a", "tasks": {"a": f"{USE}Load", "b": f"{USE}Load"}}, "no task 'b'"),
        ({"flow": "a", "tasks": {"a": {"use": f"{USE}Laod"}}}, "did you mean 'Load'"),
        ({"flow": "a", "tasks": {"a": {"use": f"{USE}Load", "rwos": 1}}}, r"in tasks.a: 'Load' has no param 'rwos'"),
        ({"flow": "a", "tasks": {"a": {"use": "builtins:len", "n": 1}}}, "takes no params: n"),
        ({"flwo": "a"}, "did you mean 'flow'"),
        ({"target": f"{USE}Whole", "tasks": {"ftt": {"factor": 1}}}, "did you mean 'fit'"),
        ({"target": f"{USE}Whole", "params": {"detph": 1}}, "did you mean 'depth'"),
        ({"target": f"{USE}Load"}, "is no pipeline"),
    ],
)
def test_what_is_wrong_is_named(config, wrong):
    with pytest.raises((ParamError, UsageError, GraphError), match=wrong):
        load_config(config)


def test_what_cannot_be_written_down_is_named():
    class Local(Task):
        def run(self):
            return 1

    with pytest.raises(UsageError, match=r"'tasks.Local.use'"):
        dump_config(Local() >> abs)
    with pytest.raises(UsageError, match=r"'tasks.lambda.use'"):
        dump_config(Load() >> (lambda x: x))

    class Holder(Pipeline):
        def __call__(self):
            return 1

    with pytest.raises(UsageError, match="'target'"):
        dump_config(Holder())


def test_a_file_keeps_its_comments(tmp_path):
    file = tmp_path / "exp.toml"
    text = "# mine\n" + FLOW.replace("factor = 4", "factor = 4.0").replace("\n[tasks]", "\n# the tasks\n[tasks]")
    file.write_text(text)
    chain = load_config(tomllib.loads(file.read_text()))

    chain.large.factor = 8
    write_config(file, dump_config(chain))

    written = file.read_text()
    assert written.startswith("# mine\n")
    assert "# the tasks" in written
    assert 'small = { use = "' in written
    assert repr(load_config(tomllib.loads(written))) == repr(chain)


def test_a_pipeline_is_written_among_others(tmp_path):
    file = tmp_path / "exp.toml"
    file.write_text("# all\n[pipelines.other]\ntarget = 'a:B'  # as it was\n")
    write_config(file, dump_config(Load() >> sorted), "mine")

    assert "target = 'a:B'  # as it was" in file.read_text()
    assert tomllib.loads(file.read_text())["pipelines"]["mine"]["flow"] == "Load >> sorted"
    file.write_text("no toml")
    with pytest.raises(FinestflowError, match="toml"):
        write_config(file, {}, "mine")
