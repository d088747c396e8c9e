"""Settings: sources and their order, checks, what an error says, writing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finestflow.config import (
    Config,
    iter_settings,
    json_schema,
    load_config,
    parse_duration,
    parse_size,
    write_setting,
)
from finestflow.errors import ConfigError

EXAMPLE = """\
default-pipeline = "digits"

[pipelines.digits]
target = "docs/examples/digits.py:Digits"
params = { "svm.C" = 1.0 }
inputs = { test_size = 0.25 }

[run]
executor = "process"
jobs = "auto"
timeout = "90s"
record-env = ["CUDA_VISIBLE_DEVICES"]

[snapshot]
max-file-size = "10 MB"

[store]
path = "artifacts"
max-size = "20 GB"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".finestflow.toml").write_text(EXAMPLE)
    return tmp_path


def load(folder: Path, text: str | None = None, environ=None, **files) -> Config:
    if text is not None:
        (folder / ".finestflow.toml").write_text(text)
    return load_config(folder, environ=environ or {}, **files)


class TestReading:
    def test_without_any_file_everything_has_its_default(self, tmp_path):
        config = load(tmp_path)

        assert repr(Config()) == repr(Config(**{**config.given, "file": None}))
        assert (config.run.jobs, config.snapshot.max_file_size) == (None, 10_000_000)
        assert not config.sources

    def test_reads_every_kind_of_value(self, project):
        config = load(project)

        assert config.default_pipeline == "digits"
        assert config.pipelines["digits"].params == {"svm.C": 1.0}
        assert config.pipelines["digits"].inputs == {"test_size": 0.25}
        assert (config.run.timeout, config.run.record_env) == (90.0, ("CUDA_VISIBLE_DEVICES",))
        assert (config.store.path, config.store.max_size) == ("artifacts", 20_000_000_000)

    def test_the_nearest_file_upward_wins_whole(self, project):
        inner = project / "a" / "b"
        inner.mkdir(parents=True)
        (project / "a" / ".finestflow.toml").write_text("[run]\njobs = 3\n")

        config = load(inner)

        assert (config.run.jobs, config.default_pipeline) == (3, None)
        assert project / "a" / ".finestflow.toml" == config.file

    def test_pyproject_counts_only_when_there_is_no_file_of_ours(self, tmp_path):
        (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.finestflow.run]\njobs = 5\n")
        assert load(tmp_path).run.jobs == 5

        assert load(tmp_path, "[run]\njobs = 6\n").run.jobs == 6

    def test_a_dotted_param_may_be_written_as_a_table(self, tmp_path):
        config = load(tmp_path, "[pipelines.p.params]\nsvm.C = 2.0\n")

        assert config.pipelines["p"].params == {"svm": {"C": 2.0}}

    def test_a_pipeline_may_have_any_name(self, tmp_path):
        config = load(tmp_path, '[pipelines."a.b"]\ntarget = "m:P"\n')

        assert config.pipelines["a.b"].target == "m:P"


class TestOrder:
    LAYERS = ("default", "user", "project", "machine", "environment", "flag")

    @pytest.mark.parametrize("top", range(len(LAYERS)))
    def test_each_source_wins_over_those_below_it(self, tmp_path, top):
        active = self.LAYERS[1 : top + 1]
        files = {}
        for number, layer in enumerate(active, start=1):
            if layer in {"user", "machine"}:
                files[f"{layer}_file"] = tmp_path / f"{layer}.toml"
                files[f"{layer}_file"].write_text(f"[run]\njobs = {number}\n")
        text = "[run]\njobs = 2\n" if "project" in active else ""
        environ = {"FINESTFLOW_RUN_JOBS": "4"} if "environment" in active else {}
        overrides = [("run.jobs", 5)] if "flag" in active else []

        config = load(tmp_path, text, environ, overrides=overrides, **files)

        assert (top or None) == config.run.jobs
        assert self.LAYERS[top] == config.source("run.jobs").kind

    def test_a_source_names_file_and_line(self, project):
        source = load(project).source("run.timeout")

        assert f"project ({project}/.finestflow.toml:11)" == str(source)

    @pytest.mark.parametrize(
        ("name", "text", "key", "value"),
        [
            ("FINESTFLOW_DEFAULT_PIPELINE", "p", "default-pipeline", "p"),
            ("FINESTFLOW_SNAPSHOT_UNTRACKED", "no", "snapshot.untracked", False),
            ("FINESTFLOW_SNAPSHOT_MAX_FILE_SIZE", "5 MiB", "snapshot.max-file-size", 5 * 2**20),
            ("FINESTFLOW_RUN_RECORD_ENV", "A, B", "run.record-env", ("A", "B")),
            ("FINESTFLOW_RUN_JOBS", "auto", "run.jobs", None),
        ],
    )
    def test_variables_are_read_by_the_kind_of_the_setting(self, tmp_path, name, text, key, value):
        assert value == load(tmp_path, environ={name: text}).get(key)

    def test_flags_may_be_text(self, tmp_path):
        assert load(tmp_path, overrides=[("run.jobs", "7")]).run.jobs == 7


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "line", "message", "hint"),
        [
            ("[run]\nexecutor = 'process'\njob = 3\n", 3, "unknown key 'run.job'", "did you mean 'jobs'?"),
            ("defualt-pipeline = 'x'\n", 1, "unknown key 'defualt-pipeline'", "did you mean 'default-pipeline'?"),
            ("\n[runs]\njobs = 3\n", 2, "unknown key 'runs'", "did you mean 'run'?"),
            ("[pipelines.p]\ntargt = 'x'\n", 2, "unknown key 'pipelines.p.targt'", "did you mean 'target'?"),
            ("[run]\njobs = 'many'\n", 2, "'run.jobs' is 'many'", 'expected a whole number, 1 or more, or "auto"'),
            ("[run]\njobs = true\n", 2, "'run.jobs' is True", "expected a whole number"),
            ("[snapshot]\nmax-file-size = '10 potatoes'\n", 2, "'10 potatoes'", "expected a size"),
            ("run = 3\n", 1, "unknown key 'run'", ""),
            ("[store]\nverify = 'maybe'\n", 2, "'maybe'", 'expected one of "auto", "always"'),
        ],
    )
    def test_say_file_line_and_what_was_meant(self, tmp_path, text, line, message, hint):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, text)

        assert caught.value.message.startswith(f"{tmp_path}/.finestflow.toml:{line}: ")
        assert message in caught.value.message
        assert hint in caught.value.hint

    def test_a_broken_file_names_the_place(self, tmp_path):
        with pytest.raises(ConfigError, match=r"\.finestflow\.toml: .*line 2"):
            load(tmp_path, "[run]\njobs = = 3\n")

    def test_a_misspelled_variable_of_a_table_is_refused(self, tmp_path):
        with pytest.raises(ConfigError, match="FINESTFLOW_RUN_JOBS"):
            load(tmp_path, environ={"FINESTFLOW_RUN_JOB": "3"})

    def test_other_variables_are_left_alone(self, tmp_path):
        load(tmp_path, environ={"FINESTFLOW_SOMETHING": "3", "RUN_JOBS": "3"})

    def test_an_unknown_key_of_get_suggests_the_nearest(self):
        with pytest.raises(ConfigError, match=r"run\.jobs"):
            Config().get("run.job")


class TestWriting:
    def test_comments_and_order_stay(self, tmp_path):
        file = tmp_path / ".finestflow.toml"
        file.write_text("# mine\n[store]  # here\npath = 'x'\n\n[run]\njobs = 2  # two\n")

        write_setting(file, "run.jobs", "4")

        assert file.read_text() == "# mine\n[store]  # here\npath = 'x'\n\n[run]\njobs = 4  # two\n"

    def test_makes_the_file(self, tmp_path):
        write_setting(tmp_path / "new" / "config.toml", "snapshot.max-file-size", "3 MB")

        assert tomllib.loads((tmp_path / "new" / "config.toml").read_text()) == {"snapshot": {"max-file-size": "3 MB"}}

    def test_in_pyproject_it_goes_below_our_table(self, tmp_path):
        file = tmp_path / "pyproject.toml"
        file.write_text("[project]\nname = 'x'\n")

        write_setting(file, "run.jobs", "auto")

        assert tomllib.loads(file.read_text())["tool"]["finestflow"]["run"]["jobs"] == "auto"

    def test_writes_settings_of_a_pipeline(self, tmp_path):
        file = tmp_path / ".finestflow.toml"

        write_setting(file, "pipelines.digits.target", "digits.py:Digits")

        assert load(tmp_path).pipelines["digits"].target == "digits.py:Digits"

    @pytest.mark.parametrize(
        ("key", "text"), [("run.jobs", "many"), ("run.job", "3"), ("snapshot.untracked", "perhaps")]
    )
    def test_what_is_wrong_is_refused_and_the_file_stays(self, project, key, text):
        with pytest.raises(ConfigError):
            write_setting(project / ".finestflow.toml", key, text)

        assert (project / ".finestflow.toml").read_text() == EXAMPLE


class TestSchema:
    def test_names_every_setting_and_nothing_else(self):
        def walk(node, path=()):
            for name, child in node.get("properties", {}).items():
                inner = child.get("additionalProperties")
                if "properties" in child:
                    yield from walk(child, (*path, name))
                elif isinstance(inner, dict):
                    yield from walk(inner, (*path, name, "NAME"))
                else:
                    yield ".".join((*path, name))

        assert sorted(setting.key for setting in iter_settings()) == sorted(walk(json_schema()))

    def test_is_json(self):
        assert json_schema() == json.loads(json.dumps(json_schema()))

    def test_every_setting_has_a_sentence(self):
        assert all(setting.help.endswith(".") for setting in iter_settings())

    def test_values_are_listed_with_defaults_and_sources(self, project):
        values = {key: (value, source.kind) for key, value, source in load(project).iter_values()}

        assert values["run.timeout"] == ("90s", "project")
        assert values["run.jobs"] == ("auto", "project")
        assert values["snapshot.max-files"] == (2000, "default")
        assert values["pipelines.digits.target"] == ("docs/examples/digits.py:Digits", "project")


class TestKinds:
    @pytest.mark.parametrize(
        ("text", "size"), [("0", 0), ("10 MB", 10**7), ("1.5kb", 1500), ("2GiB", 2**31), (12, 12), ("1 K", 1000)]
    )
    def test_sizes(self, text, size):
        assert size == parse_size(text)

    @pytest.mark.parametrize("text", ["", "MB", "-1", "1 XB", True, None, 1.5, "1e3"])
    def test_what_is_no_size(self, text):
        with pytest.raises(ValueError):
            parse_size(text)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("90s", 90), ("1h30m", 5400), ("2d", 172800), ("250ms", 0.25), (3, 3), ("1.5m", 90), ("7", 7)],
    )
    def test_durations(self, text, seconds):
        assert seconds == parse_duration(text)

    @given(st.text())
    def test_any_other_text_is_a_value_error(self, text):
        for parse in (parse_size, parse_duration):
            try:
                assert parse(text) >= 0
            except ValueError:
                pass
