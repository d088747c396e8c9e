"""``finestflow config`` and ``init``."""

from __future__ import annotations

import json
import tomllib


class TestConfig:
    def test_list_says_where_each_value_came_from(self, project, finestflow, monkeypatch):
        monkeypatch.setenv("FINESTFLOW_RUN_JOBS", "3")
        settings = {item["key"]: item for item in finestflow("config", "list", "--json").json["settings"]}

        assert (settings["run.jobs"]["value"], settings["run.jobs"]["source"]) == (3, "environment")
        assert settings["default-pipeline"]["where"] == f"{project}/.finestflow.toml:1"
        assert settings["snapshot.max-files"]["source"] == "default"

    def test_list_as_a_table(self, project, finestflow):
        out = finestflow("config", "list").out

        assert "default-pipeline" in out
        assert '"10 MB"' in out

    def test_set_and_get(self, project, finestflow):
        finestflow("config", "set", "run.jobs", "3")

        assert finestflow("config", "get", "run.jobs").out == "3\n"
        assert tomllib.loads((project / ".finestflow.toml").read_text())["run"]["jobs"] == 3

    def test_set_for_this_machine(self, project, finestflow):
        finestflow("config", "set", "--machine", "run.jobs", "4")

        assert (project / ".git" / "finestflow" / "config.toml").read_text() == "[run]\njobs = 4\n"
        assert finestflow("config", "get", "run.jobs").out == "4\n"

    def test_set_for_the_user(self, project, finestflow, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
        finestflow("config", "set", "--user", "run.jobs", "5")

        assert finestflow("config", "get", "run.jobs").out == "5\n"

    def test_an_unknown_key_is_a_usage_error(self, project, finestflow):
        answer = finestflow("config", "set", "run.job", "3", code=2)

        assert "did you mean 'run.jobs'?" in answer.err

    def test_a_broken_file_is_a_usage_error_of_every_command(self, project, finestflow):
        (project / ".finestflow.toml").write_text("[run]\njob = 3\n")

        assert ".finestflow.toml:2: unknown key 'run.job'" in finestflow("log", code=2).err

    def test_schema_is_json(self, project, finestflow):
        assert json.loads(finestflow("config", "schema").out)["title"] == ".finestflow.toml"


class TestInit:
    def test_makes_a_repository_and_a_file(self, tmp_path, monkeypatch, finestflow):
        monkeypatch.chdir(tmp_path)
        finestflow("init")

        assert (tmp_path / ".git").is_dir()
        tomllib.loads((tmp_path / ".finestflow.toml").read_text())

    def test_is_safe_to_repeat(self, tmp_path, monkeypatch, finestflow):
        monkeypatch.chdir(tmp_path)
        finestflow("init")
        (tmp_path / ".finestflow.toml").write_text("[run]\njobs = 7\n")
        config = (tmp_path / ".git" / "config").read_text()
        finestflow("init")

        assert (tmp_path / ".finestflow.toml").read_text() == "[run]\njobs = 7\n"
        assert (tmp_path / ".git" / "config").read_text() == config

    def test_hides_the_names_of_runs_from_git_log(self, project, finestflow, git):
        finestflow("init")

        assert git("config", "--get", "log.excludeDecoration") == "refs/refs/"
