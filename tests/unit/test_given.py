"""What a program was given: params in any form, and command lines."""

from __future__ import annotations

import argparse
import enum
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from finestflow.errors import UsageError
from finestflow.given import command_of_process, describe_command, flat_values, is_secret, parse_words


class Color(enum.Enum):
    RED = 1


@dataclass
class Optimizer:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)


@dataclass
class Config:
    name: str = "resnet"
    optimizer: Optimizer = field(default_factory=Optimizer)


class Odd:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ({"a": 1, "b": {"c": {"d": None}}}, {"a": 1, "b.c.d": None}),
        (argparse.Namespace(lr=0.1, name="x"), {"lr": 0.1, "name": "x"}),
        (Config(), {"name": "resnet", "optimizer.lr": 0.1, "optimizer.betas": [0.9, 0.99]}),
        (
            {"path": Path("data/x.csv"), "color": Color.RED, "empty": {}},
            {"path": "data/x.csv", "color": "RED", "empty": "{}"},
        ),
        ({"odd": Odd(), "kind": int}, {"odd": "<Odd>", "kind": "<class 'int'>"}),
    ],
)
def test_params_come_in_any_form_with_names(values, flat):
    assert flat_values(values) == flat


def test_numbers_of_other_libraries_are_plain_numbers():
    numpy = pytest.importorskip("numpy")

    found = flat_values({"lr": numpy.float32(0.5), "n": numpy.int64(3), "many": numpy.zeros(1000)})

    assert (found["lr"], found["n"], type(found["n"])) == (0.5, 3, int)
    assert len(found["many"]) <= 200


@pytest.mark.parametrize("values", [3, "text", [1, 2]])
def test_params_without_names_are_an_error(values):
    with pytest.raises(UsageError, match="params cannot be"):
        flat_values(values)


@pytest.mark.parametrize(
    ("line", "params"),
    [
        ("--lr 0.1 --epochs=3 --name resnet", {"lr": 0.1, "epochs": 3, "name": "resnet"}),
        ("--flag --no-cuda -v", {"flag": True, "no_cuda": True, "v": True}),
        ("--shift -0.5 -x -3", {"shift": -0.5, "x": -3}),
        ("model=gpt optimizer.lr=1e-3 +extra=true", {"model": "gpt", "optimizer.lr": 0.001, "extra": True}),
        ("--tag a --tag b data.csv 7", {"tag": ["a", "b"], "arg1": "data.csv", "arg2": 7}),
        ("--id 007 --version 1.10 --size 1_000", {"id": "007", "version": 1.1, "size": "1_000"}),
        ("--empty= --dash -", {"empty": "", "dash": "-"}),
    ],
)
def test_the_words_of_a_command_line_are_params(line, params):
    assert parse_words(line.split())[0] == params


@pytest.mark.parametrize(
    "line", ["--password sesame", "--api-key=sesame", "--hf_token sesame", "aws.secret=sesame", "--db-passwd=sesame"]
)
def test_a_secret_is_blanked_in_params_and_words(line):
    params, words, _ = parse_words(line.split())

    assert "sesame" not in f"{params} {words}"
    assert "***" in words[-1]


def test_a_count_of_tokens_is_no_secret():
    assert parse_words(["--max-tokens", "512"])[0] == {"max_tokens": 512}


@pytest.mark.parametrize(
    ("words", "title", "target"),
    [
        (["sub/train.py", "--lr", "1"], "train", "sub/train.py"),
        (["python", "-u", "sub/train.py"], "train", "sub/train.py"),
        (["python3", "-m", "pkg.train", "x"], "pkg.train", "pkg.train"),
        (["./run.sh", "a"], "run.sh", "run.sh"),
        (["ls", "-l"], "ls", ""),
        (["python", "-c", "print(1)"], "python", ""),
    ],
)
def test_a_program_has_a_name_and_a_place(words, title, target, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("sub/train.py", "run.sh"):
        (tmp_path / name).touch()

    command, found = describe_command(words, tmp_path, tmp_path)

    assert (found, command.target) == (title, target)
    assert command.words[-1] == words[-1]


def test_no_program_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no program"):
        describe_command([], tmp_path, tmp_path)


def test_this_process_knows_how_it_was_started(tmp_path):
    script = tmp_path / "train.py"
    script.touch()
    main = ModuleType("__main__")
    main.__file__ = str(script)

    command = command_of_process([sys.executable, str(script), "--lr", "1"], main, tmp_path, tmp_path)

    assert command.words == ("python", "train.py", "--lr", "1")
    assert command.target == "train.py"


def test_a_prompt_has_no_command():
    assert command_of_process(["python"], ModuleType("__main__"), Path("/x"), Path("/x")).words == ()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "--db-password",
        "API_KEY",
        "apiKey",
        "openai.api_key",
        "hfToken",
        "AWS_SECRET_ACCESS_KEY",
        "privateKey",
        "token",
    ],
)
def test_secrets_are_known_by_their_names(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["tokenizer", "max_tokens", "key", "sort_key", "keyboard", "secretary", "author", ""])
def test_names_that_only_look_like_one_are_none(name):
    assert not is_secret(name)
