"""The root command: help, options, errors, exit codes."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import click
import pytest

from finestflow.cli import ALIASES, COMMANDS, _errors, cli
from finestflow.errors import CorruptionError, LockedError


class TestTable:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_line_of_help_is_the_first_sentence_of_its_command(self, name):
        module, _, attribute = COMMANDS[name].target.partition(":")
        command = getattr(importlib.import_module(f"finestflow.cli.{module}"), attribute)

        assert isinstance(command, click.Command)
        assert command.name == name
        assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name].help

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_option_has_help(self, name):
        module, _, attribute = COMMANDS[name].target.partition(":")
        command = getattr(importlib.import_module(f"finestflow.cli.{module}"), attribute)

        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, parameter.name

    def test_aliases_name_commands(self):
        assert set(ALIASES.values()) <= set(COMMANDS)


class TestHelp:
    def test_lists_every_command(self, finestflow):
        out = finestflow("--help").out

        assert all(f"  {name} " in out for name in COMMANDS)

    def test_is_what_no_arguments_give(self, finestflow):
        assert finestflow().out == finestflow("-h").out

    def test_of_a_command(self, finestflow):
        assert "Usage: finestflow log" in finestflow("log", "--help").out

    def test_version(self, finestflow):
        assert finestflow("--version").out == "finestflow 0.1.0\n"


class TestUsageErrors:
    def test_an_unknown_command_suggests_the_nearest(self, finestflow):
        answer = finestflow("lgo", code=2)

        assert answer.err == "finestflow: error: no command 'lgo'\nhint: did you mean 'log'?\n"
        assert not answer.out

    def test_an_unknown_option_names_the_help(self, finestflow):
        answer = finestflow("log", "--wrong", code=2)

        assert answer.err.startswith("finestflow: error: no such option")
        assert 'hint: see "finestflow log --help"' in answer.err

    def test_a_folder_that_is_not_there(self, finestflow):
        assert "no folder 'nowhere'" in finestflow("-C", "nowhere", "log", code=2).err

    def test_quiet_and_verbose_exclude_each_other(self, finestflow):
        finestflow("-q", "-v", "log", code=2)

    def test_outside_a_repository_reading_runs_is_no_such_repository(self, finestflow, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        answer = finestflow("log", code=4)

        assert "no git repository" in answer.err
        assert 'hint: make one with "finestflow init"' in answer.err

    def test_with_json_an_error_is_an_object_on_stderr(self, finestflow, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        answer = finestflow("log", "--json", code=4)
        document = json.loads(answer.err)

        assert (document["schema"], document["kind"], document["exit"]) == (1, "error", 4)
        assert document["error"] == "RepositoryError"


class TestFailures:
    """What a command raises becomes a message and an exit code."""

    @pytest.fixture
    def raising(self, monkeypatch):
        def install(error):
            def fail(*_args, **_kwargs):
                raise error

            monkeypatch.setattr(cli, "invoke", fail)

        return install

    @pytest.mark.parametrize(
        ("error", "code"), [(CorruptionError("x"), 5), (LockedError("x"), 6), (KeyboardInterrupt(), 130)]
    )
    def test_exit_codes(self, raising, finestflow, error, code):
        raising(error)
        finestflow("log", code=code)

    def test_a_bug_leaves_its_traceback_in_a_file(self, raising, finestflow, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        raising(RuntimeError("boom"))
        answer = finestflow("log", code=70)
        file = next(tmp_path.glob("finestflow-*.txt"))

        assert "internal error: RuntimeError: boom" in answer.err
        assert str(file) in answer.err
        assert "Traceback" not in answer.err
        assert "Traceback" in file.read_text()

    def test_a_file_that_cannot_be_read_is_no_bug(self, raising, finestflow):
        raising(PermissionError(13, "Permission denied", "secret.txt"))
        answer = finestflow("log", code=1)

        assert answer.err == "finestflow: error: Permission denied: 'secret.txt'\n"

    def test_control_characters_in_a_message_do_not_reach_the_terminal(self, raising, finestflow):
        raising(CorruptionError("bad \x1b[31mname\x07"))

        assert finestflow("log", code=5).err == "finestflow: error: bad name\n"

    def test_every_exit_code_has_a_sentence(self):
        assert {code.value for code in _errors.ExitCode} == {0, 1, 2, 3, 4, 5, 6, 70, 130, 141}


class TestProcess:
    def test_a_closed_pipe_is_141_and_silent(self):
        command = [
            sys.executable,
            "-c",
            "import time, sys; from finestflow.cli import main; time.sleep(0.3); sys.exit(main(['--help']))",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()

        assert process.wait() == 141
        assert err == b""

    def test_as_a_module(self, spawn):
        done = spawn("--version")

        assert (done.returncode, done.stdout) == (0, "finestflow 0.1.0\n")


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_prints_a_script(self, finestflow, shell):
        assert "_FINESTFLOW_COMPLETE" in finestflow("completion", shell).out

    def test_completes_commands(self, spawn):
        environ = dict(os.environ, _FINESTFLOW_COMPLETE="bash_complete", COMP_WORDS="finestflow re", COMP_CWORD="1")
        done = spawn(env=environ)

        assert {line.split(",")[1] for line in done.stdout.split()} >= {"reproduce", "restore"}


def test_an_option_of_the_program_behind_a_command_is_told_where_it_stands(finestflow):
    assert finestflow("log", "-q", code=2).err.splitlines()[1] == (
        "hint: -q is for all commands and stands before theirs: finestflow -q log ..."
    )
