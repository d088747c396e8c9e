"""The values of ``.env`` files: which of them no record may hold.

Owns how such a file is read and what in it counts. Such a file is private as a whole, so more of its values count than of the environment, which holds much
that is no secret. Invariant: reading never fails, a file that cannot be read gives nothing. Called by whoever begins to tell of a run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from finestflow.given import hidden_values, is_secret

__all__ = ["hidden_here", "private_values"]

_LARGEST = 1 << 18
"""Larger files are no settings."""
_SHORTEST = 8
"""Shorter values count by their names alone."""
_TEMPLATES = frozenset({"example", "sample", "template", "dist", "defaults"})
_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*=[ \t]*"""
    r"""(?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|`(?P<back>[^`]*)`|(?P<bare>[^\r\n]*))""",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"[ \t]+#.*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_KEPT = frozenset({"pass", "pwd", "pw", "auth", "key", "keys", "salt", "cookie", "session", "private", "dsn", "pin"})
"""Words of names that mean a secret in such a file, and much else where the environment has them."""
_BORDER = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_PLACE = re.compile(r"(?:~|\.{0,2})/|[A-Za-z]:\\|[A-Za-z][A-Za-z0-9+.-]*://")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_ORDINARY = re.compile(r"[A-Za-z]{1,20}|[A-Z]?[a-z]{1,19}\d{1,2}|\d{1,20}|[A-Za-z0-9]{1,5}")


def hidden_here(
    environ: Mapping[str, str], root: str | Path, variables: Mapping[str, object] | None = None
) -> tuple[str, ...]:
    """Return the secrets of the environment, of a program's variables, and of the ``.env`` files at the top of a project.

    Args:
        environ: The environment variables.
        root: Top of the project; empty where none is known.
        variables: Those of the program; see ``given.hidden_values``.
    """
    return (*hidden_values(environ, variables), *(private_values(root) if root else ()))


def private_values(root: str | Path) -> tuple[str, ...]:
    """Return the values of the ``.env`` files at the top of a project that count as secrets.

    Those whose names say so, the passwords in addresses, and all others but words, numbers, names made of both, paths and addresses.
    """
    named: dict[str, str] = {}
    for count, (name, value) in enumerate(pair for path in _files(root) for pair in _assignments(path)):
        wanted = is_secret(name) or not _KEPT.isdisjoint(_BORDER.split(name.lower())) or not _is_ordinary(value)
        named[f"{'token' if wanted else 'value'} {count}"] = value
    return hidden_values(named)


def _files(root: str | Path) -> list[Path]:
    """Return the ``.env``, ``.env.*`` and ``*.env`` at the top of a project; a pattern for others to fill in holds nothing."""
    try:
        names = os.listdir(root)
    except OSError:
        return []
    found = [name for name in names if name.startswith(".env.") or name.endswith(".env")]
    return [Path(root, name) for name in sorted(found) if name.rpartition(".")[2] not in _TEMPLATES]


def _assignments(path: Path) -> Iterator[tuple[str, str]]:
    """Yield names and values as they stand in a file and as a program gets them, and each line of a value of several."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return
    for match in _ASSIGNMENT.finditer(text):
        name, bare = match["name"], match["bare"]
        if bare is not None:
            yield name, bare.strip()
            yield name, _COMMENT.sub("", bare).strip()
            continue
        raw = next(text for text in match.group("single", "double", "back") if text is not None)
        meant = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), raw)
        for value in dict.fromkeys((raw, meant)):
            yield name, value
            yield from ((name, line.strip()) for line in value.splitlines() if line != value)


def _is_ordinary(value: str) -> bool:
    """Whether a value says what many may know: short, a place, or made of words and numbers, such as ``us-east-1``."""
    if len(value) < _SHORTEST or _PLACE.match(value):
        return True
    return all(_ORDINARY.fullmatch(piece) for piece in _PIECE.findall(value))
