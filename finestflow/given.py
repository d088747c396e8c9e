"""What a program was given: its params as a flat mapping, and its command line so that it can be given again.

Pure. ``started`` describes the process it is in with it, ``script`` the process that it starts.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any, NamedTuple

from finestflow.errors import UsageError

__all__ = [
    "BLANK",
    "Command",
    "Words",
    "command_of_process",
    "describe_command",
    "flat_values",
    "hidden_values",
    "is_python",
    "is_secret",
    "parse_words",
]

BLANK = "***"
"""What stands for the value of a secret."""
_SCALARS = (str, int, float, bool, type(None))
_LONGEST = 200
_SECRET = frozenset(
    {"password", "passwd", "passphrase", "secret", "secrets", "token", "apikey", "credential", "credentials"}
)
_SECRET_KEYS = frozenset({"api", "access", "private", "account", "encryption", "signing"})
_SHORTEST_SECRET = 6
"""Shorter values of secrets are not looked for in other texts: they would be found in words that have nothing to do with them."""
_WORD_BORDER = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")
_NUMBER = re.compile(r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_OPTION = re.compile(r"--?(?P<name>[A-Za-z_][\w.-]*)(?:=(?P<value>.*))?", re.DOTALL)
_SETTING = re.compile(r"\+{0,2}(?P<name>[A-Za-z_][\w./-]*)=(?P<value>.*)", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line.

    Attributes:
        words: The words; ``python`` as the first one stands for the interpreter of whoever runs it.
        target: The file or module that it runs, the file relative to the root of the project.
    """

    words: tuple[str, ...] = ()
    target: str = ""


# -- params ----------------------------------------------------------------------------------------------------------------------------


def flat_values(values: object, prefix: str = "") -> dict[str, Any]:
    """Return params by path, such as ``optimizer.lr``; what is named like a secret is blanked.

    Args:
        values: A mapping, an ``argparse.Namespace``, a dataclass, or an object with attributes; mappings and dataclasses inside are opened.
        prefix: Stands before each path.

    Raises:
        UsageError: It has no names.
    """
    pairs = _pairs(values)
    if pairs is None:
        raise UsageError(f"params cannot be a {type(values).__name__}", "give a mapping, a namespace or a dataclass")
    found: dict[str, Any] = {}
    for name, value in pairs:
        path = f"{prefix}{name}"
        inner = None if isinstance(value, type) else _pairs(value, is_inside=True)
        if inner:
            found.update(flat_values(value, f"{path}."))
        else:
            found[path] = BLANK if is_secret(path) and value is not None else _plain(value)
    return found


def _pairs(values: Any, *, is_inside: bool = False) -> list[tuple[str, Any]] | None:
    """Return names and values; None for what has none. Inside of params only what is clearly a structure is opened."""
    if isinstance(values, Mapping):
        return [(str(name), value) for name, value in values.items()]
    if dataclasses.is_dataclass(values) and not isinstance(values, type):
        return [(field.name, getattr(values, field.name, None)) for field in dataclasses.fields(values)]
    if isinstance(values, argparse.Namespace) or (not is_inside and hasattr(values, "__dict__")):
        return [(name, value) for name, value in vars(values).items() if not name.startswith("_")]
    return None


def _plain(value: Any) -> Any:
    """Return a value as a record can hold it; what has no such form is shown."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, _SCALARS) for item in value):
        return list(value)
    try:
        return value.item()  # a number of numpy or torch
    except Exception:  # noqa: BLE001 - whatever a class of the user raises
        return _shown(value)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - see above
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# -- command lines ---------------------------------------------------------------------------------------------------------------------


class Words(NamedTuple):
    """What the words of a command line say: params, the words with secrets blanked, and these secrets."""

    params: dict[str, Any]
    shown: tuple[str, ...]
    secrets: tuple[str, ...]


def parse_words(words: Sequence[str]) -> Words:
    """Return the params that the words of a command line say, and the words with secrets blanked.

    ``--lr 0.1``, ``--lr=0.1``, ``-l 0.1`` and ``lr=0.1`` are params; an option that no value follows is True, one that is repeated a list.
    Other words are ``arg1``, ``arg2`` and so on. Values are numbers, true and false, or text.
    """
    found: dict[str, Any] = {}
    shown = list(words)
    secrets = []
    others = 0
    at = 0
    while at < len(words):
        word = words[at]
        match = _OPTION.fullmatch(word) or _SETTING.fullmatch(word)
        if match is None or _is_number(word):
            others += 1
            found[f"arg{others}"] = _value(word)
            at += 1
            continue
        name, text, place = match["name"].replace("-", "_"), match["value"], at
        at += 1
        if text is None and at < len(words) and _is_value(words[at]):
            text, place = words[at], at
            at += 1
        if text and is_secret(name):
            shown[place] = shown[place].removesuffix(text) + BLANK
            secrets.append(text)
            text = BLANK
        _add(found, name, True if text is None else _value(text))
    return Words(found, tuple(shown), _long_ones(secrets))


def hidden_values(environ: Mapping[str, str], variables: Mapping[str, object] | None = None) -> tuple[str, ...]:
    """Return the values of the environment variables that are named like secrets, and the passwords of addresses in the others.

    Args:
        environ: The environment variables.
        variables: Those of the program, of which the texts that are named like secrets count too.
    """
    both = (*environ.items(), *dict(variables or {}).items())  # a copy: threads may add to them
    named = [value for name, value in both if isinstance(value, str) and is_secret(name)]
    in_addresses = (match[1] for value in environ.values() if "://" in value for match in _PASSWORD.finditer(value))
    return _long_ones((*named, *in_addresses))


def _long_ones(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return the secrets that can be looked for in texts, the longest first: one may be part of another."""
    return tuple(sorted({text for text in secrets if len(text) >= _SHORTEST_SECRET}, key=len, reverse=True))


@functools.lru_cache(1024)
def is_secret(name: str) -> bool:
    """Whether a param, option or variable by its name holds what no record may show."""
    parts = _WORD_BORDER.split(name)
    words = [part.lower() for part in parts if part]
    return bool(_SECRET.intersection(words)) or (words[-1:] == ["key"] and bool(_SECRET_KEYS.intersection(words)))


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    if name in found:
        before = found[name]
        found[name] = [*(before if isinstance(before, list) else [before]), value]
    else:
        found[name] = value


def _is_value(word: str) -> bool:
    return not word.startswith("-") or _is_number(word) or word == "-"


def _is_number(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None


def _value(text: str) -> Any:
    """Return a number or a truth where a word is written as one, else the word: ``007`` is a name."""
    if text in {"true", "True", "false", "False"}:
        return text in {"true", "True"}
    if not _is_number(text):
        return text
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def command_of_process(original: Sequence[str], main: ModuleType | None, root: Path, folder: Path) -> Command:
    """Return how this process was started, so that it can be again; no words where it was typed at a prompt.

    Args:
        original: ``sys.orig_argv``.
        main: The module ``__main__``.
        root: Top of the project.
        folder: Where the process works.
    """
    file = getattr(main, "__file__", None)
    spec = getattr(main, "__spec__", None)
    is_text = "-c" in original[1:]
    if (file is None and not is_text) or len(original) < 2:
        return Command()
    words = ["python", *(_relative(word, root, folder) for word in original[1:])]
    if is_text or file is None:
        return Command(words=tuple(words))
    path = Path(file).resolve()
    if spec is not None and "-m" in original[1:]:
        return Command(words=tuple(words), target=spec.name.removesuffix(".__main__"))
    inside = path.is_relative_to(root.resolve())
    return Command(words=tuple(words), target=path.relative_to(root.resolve()).as_posix() if inside else str(path))


def describe_command(words: Sequence[str], root: Path, folder: Path) -> tuple[Command, str]:
    """Return a command line as it is run and recorded, and what its run is called: a script without its suffix, a module, a program.

    Args:
        words: What the user typed; a Python file that comes first is run by Python.
        root: Top of the project.
        folder: Where it is run.
    """
    whole = (["python", *words] if words[0].endswith(".py") else [*words]) if words else []
    if not whole:
        raise UsageError("no program is named", "finestflow run script.py ..., or finestflow run -- program ...")
    at = 0
    if is_python(whole[0]):
        at = next((i for i, word in enumerate(whole[1:], 1) if word in {"-m", "-c"} or not word.startswith("-")), 0)
    chosen = whole[at]
    if at and chosen in {"-m", "-c"}:
        target = whole[at + 1] if chosen == "-m" and at + 1 < len(whole) else ""
        title = target or "python"
    else:
        path = (folder / chosen).resolve()
        is_inside = path.is_file() and path.is_relative_to(root.resolve())
        target = path.relative_to(root.resolve()).as_posix() if is_inside else ""
        title = Path(chosen).stem if chosen.endswith(".py") else Path(chosen).name
    words = tuple(_relative(word, root, folder) if place <= at else word for place, word in enumerate(whole))
    return Command(words=words, target=target), re.sub(r"[/\[\]:*?]", "-", title) or "program"


def is_python(word: str) -> bool:
    """Whether a program is a Python interpreter, by its name."""
    return re.fullmatch(r"python[\d.]*", Path(word).name) is not None


def _relative(word: str, root: Path, folder: Path) -> str:
    """Return a path of the project as it is from the working folder, so that it means the same in another work tree."""
    if os.path.isabs(word) and Path(word).is_relative_to(root) and os.path.lexists(word):
        return os.path.relpath(word, folder)
    return word
