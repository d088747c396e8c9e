"""``--json`` of every command: one document on stdout, or lines of them, each with ``schema`` and ``kind``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from finestflow.cli import COMMANDS, cli, main
from tests.cli.conftest import PIPELINE, SETTINGS

IDENTITY = ("-c", "user.name=T", "-c", "user.email=t@example.org")
WITHOUT = {"demo", "tui", "completion"}
"""What prints for people and shells alone."""

MORE = """

class Thing:
    def __init__(self):
        self.size = 3


class Make(Task):
    def run(self) -> Thing:
        return Thing()


class Things(Pipeline):
    make: Make

    def __call__(self) -> Thing:
        return self.make()
"""

CASES: dict[str, tuple[str, list[list[str]]]] = {
    "init": ("init", [["init"]]),
    "run": ("run.end", [["run"]]),
    "plan": ("plan", [["plan"]]),
    "queue": ("queue", [["queue"]]),
    "queue list": ("queue", [["queue", "list"]]),
    "queue run": ("queue.end", [["run", "--queue"], ["queue", "run"]]),
    "queue rm": ("queue.rm", [["run", "--queue"], ["queue", "rm", "--ended"]]),
    "reproduce": ("reproduction", [["reproduce", "one"]]),
    "log": ("run.list", [["log"]]),
    "show": ("run", [["show", "one"]]),
    "diff": ("diff", [["diff", "one", "two"]]),
    "compare": ("compare", [["compare", "one", "two"]]),
    "report": ("report", [["report", "-o", "page.html"]]),
    "why": ("why", [["why", "one:scale"]]),
    "bisect": ("bisect", [["bisect", "total > 1"]]),
    "for": ("run.list", [["for"]]),
    "taint": ("taint", [["taint", "Scale"]]),
    "graph": ("graph", [["graph", "one"]]),
    "logs": ("log", [["logs", "one"]]),
    "env": ("environment", [["env", "one"]]),
    "get": ("output", [["get", "one:scale"]]),
    "checkout": ("checkout", [["checkout", "one", "{new}"]]),
    "promote": ("promote", [["promote", "one", "{new.name}"]]),
    "recover": ("file.versions", [["recover", "numbers_pipeline.py"]]),
    "tag": ("annotation", [["tag", "one", "good"]]),
    "note": ("annotation", [["note", "one", "good"]]),
    "rename": ("annotation", [["rename", "one", "other"], ["rename", "other", ""]]),
    "star": ("annotation", [["star", "one"]]),
    "rm": ("annotation", [["rm", "two"], ["restore", "two"], ["rm", "two"], ["restore", "two"], ["rm", "-n", "two"]]),
    "restore": ("annotation", [["rm", "two"], ["restore", "two"]]),
    "undo": ("annotation", [["star", "-d", "two"], ["star", "two"], ["undo"]]),  # of a change, in any order of tests
    "redo": ("annotation", [["star", "-d", "two"], ["star", "two"], ["undo"], ["redo"]]),
    "cache": ("cache", [["cache"]]),
    "cache list": ("cache", [["cache", "list"]]),
    "cache rm": ("cache.rm", [["cache", "rm", "-n", "{digest}"]]),
    "gc": ("gc", [["gc", "-n"]]),
    "du": ("usage", [["du"]]),
    "verify": ("verification", [["verify"]]),
    "config list": ("config", [["config", "list"]]),
    "config get": ("config.value", [["config", "get", "run.jobs"]]),
    "config set": ("config.value", [["config", "set", "--machine", "run.jobs", "2"]]),
}
OF_PROCESSES = {"queue run", "reproduce"}
ELSEWHERE = {"queue retry", "stop", "config schema"}
"""Tested below, or in the file of what they need: an entry that failed, a run that goes on. A schema is a document of its own kind."""


def iter_commands() -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something by itself, with its words."""
    root = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        if not isinstance(command, click.Group):
            yield name, command
            continue
        if command.invoke_without_command:
            yield name, command
        yield from ((f"{name} {each}", inner) for each, inner in command.commands.items())


def test_every_command_has_it_but_those_that_are_for_people_alone():
    """A new command fails here until it has the option and a case below."""
    having = {words for words, command in iter_commands() if any("--json" in each.opts for each in command.params)}

    assert {words for words, _ in iter_commands()} - having == WITHOUT
    assert having == CASES.keys() | ELSEWHERE


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A repository with two runs, and one of a value that JSON cannot hold."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "numbers_pipeline.py").write_text(PIPELINE + MORE)
    (folder / ".finestflow.toml").write_text(SETTINGS)
    for words in (["init", "-q"], ["add", "-A"], [*IDENTITY, "commit", "-qm", "begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def ask(recorded, capfd, monkeypatch):
    """Run a command in the repository; return the documents on its stdout."""
    monkeypatch.chdir(recorded)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "numbers_pipeline", raising=False)

    def ask(*words: str, code: int = 0) -> list[Any]:
        capfd.readouterr()
        answer = main(words)
        out, err = capfd.readouterr()
        assert answer == code, err
        return [json.loads(line) for line in out.splitlines()] if "--json" in words else []

    if not ask("log", "--json")[0]["runs"]:
        for words in (
            ["--name", "one"],
            ["--name", "two", "-p", "n=3"],
            ["numbers_pipeline.py:Things", "--name", "own"],
        ):
            ask("run", *words)
    return ask


@pytest.mark.parametrize(
    "words", [pytest.param(each, marks=pytest.mark.slow) if each in OF_PROCESSES else each for each in CASES]
)
def test_its_stdout_is_json_and_says_what_kind_it_is(words, ask, tmp_path):
    """One document a line, all of them with a version; the last one has the kind of the command."""
    kind, steps = CASES[words]
    filled = {"{new}": str(tmp_path / "new"), "{new.name}": tmp_path.name}
    if words == "cache rm":
        filled["{digest}"] = ask("cache", "list", "--json")[0]["values"][0]["digest"]
    *before, last = [[filled.get(word, word) for word in step] for step in steps]
    for step in before:
        ask(*step)
    documents = ask(*last, "--json")

    assert all(each["schema"] == 1 and each["kind"] for each in documents)
    assert documents[-1]["kind"] == kind


def test_a_schema_is_json_with_and_without_it(ask, capfd):
    with_it = ask("config", "schema")
    main(["config", "schema", "--json"])
    assert "properties" in json.loads(capfd.readouterr().out)
    assert with_it == []


def test_an_annotation_tells_the_runs_and_the_step_that_undo_takes_back(ask, recorded):
    ask("star", "-d", "one", "two")
    starred, again = ask("star", "one", "two", "--json")[0], ask("star", "one", "--json")[0]
    undone = ask("undo", "--json")[0]

    assert [run["name"] for run in starred["runs"]] == ["one", "two"]
    assert (starred["change"], undone["change"]) == ("starred", "took back: starred one, two")
    assert sorted(run["id"] for run in undone["runs"]) == sorted(run["id"] for run in starred["runs"])
    assert again["step"] is None
    said = subprocess.run(
        ["git", "log", "-1", "--format=%s", starred["step"]], cwd=recorded, capture_output=True, text=True
    )
    assert said.stdout == "starred one, two\n"
    assert [run["name"] for run in ask("redo", "--json")[0]["runs"]]


def test_a_note_is_told_without_a_text(ask):
    ask("note", "one", "quite good")

    assert ask("note", "one", "--json")[0]["note"] == "quite good"


def test_logs_are_a_line_a_line_with_their_node(ask):
    lines, of_node, followed = (
        ask("logs", "one", "--json"),
        ask("logs", "one:load", "--json"),
        ask("logs", "one", "-f", "--json"),
    )

    assert [(line["node"], line["text"]) for line in lines] == [("load", "loading 4 numbers")]
    assert of_node == lines
    assert followed[:-1] == lines
    assert (followed[-1]["kind"], followed[-1]["run"]["name"]) == ("run.end", "one")
    ask("logs", "one", "--raw", "--json", code=2)


def test_get_gives_a_value_that_json_has_and_tells_another(ask, tmp_path):
    value, other = ask("get", "one:scale", "--json")[0], ask("get", "own:make", "--json")[0]
    written = ask("get", "one:scale", "-o", str(tmp_path / "scaled.csv"), "--json")[0]

    assert (value["kind"], value["type"], value["value"]) == ("output", "list", [0.0, 2.0, 4.0, 6.0])
    assert other == ask("show", "own:make", "--value", "--json")[0]
    assert (written["kind"], Path(written["path"]).stat().st_size) == ("file", written["bytes"])


def test_recover_tells_where_it_wrote(ask, tmp_path):
    written = ask("recover", "numbers_pipeline.py", "--at", "one", "-o", str(tmp_path / "then.py"), "--json")[0]

    assert written["bytes"] == len((tmp_path / "then.py").read_bytes())


def test_a_configuration_and_logs_are_shown_as_json_too(ask):
    config, shown = ask("show", "one", "--config", "--json")[0], ask("show", "one", "--logs", "--json")[0]

    assert config["config"]["target"] == "numbers_pipeline.py:Numbers"
    assert shown["logs"] == {"load": "loading 4 numbers\n"}


@pytest.mark.slow
def test_an_entry_of_the_queue_tells_how_it_ended_and_may_wait_again(ask):
    ask("run", "broken", "--queue")
    ended = ask("queue", "run", "--json", code=1)[0]
    again = ask("queue", "retry", str(ended["entry"]), "--json")[0]
    removed = ask("queue", "rm", str(ended["entry"]), "--json")[0]

    assert (ended["run"]["status"], ended["exit"]) == ("failed", 1)
    assert "TypeError" in ended["error"]
    assert again["entries"] == removed["entries"] == [ended["entry"]]


def test_it_stands_behind_the_whole_name_of_a_command(ask):
    ask("queue", "--json", "list", code=2)
    ask("cache", "--json", "list", code=2)


def test_init_tells_what_it_has_made(capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    documents = []
    for _ in range(2):
        assert main(["init", "--json"]) == 0
        documents.append(json.loads(capfd.readouterr().out))

    assert [(each["created"], each["written"]) for each in documents] == [(True, True), (False, False)]
    assert documents[0]["settings"] == documents[1]["settings"] == str(tmp_path / ".finestflow.toml")
