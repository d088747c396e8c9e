"""``-p PATH=VALUE``: params and inputs by path, and the sweeps that lists of values mean.

The text of a value is kept as text: its declared type decides later what it is. ``a=1,2,3`` is three values; quoted or bracketed text is one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence

from finestflow.errors import UsageError

__all__ = ["iter_settings", "parse_setting"]


def parse_setting(text: str) -> tuple[str, list[str]]:
    """Return the path and the values of ``PATH=VALUE[,VALUE...]``.

    Raises:
        UsageError: when there is no path or no ``=``.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path:
        raise UsageError(f"{text!r} is no setting", "write -p PATH=VALUE, such as -p svm.C=0.5")
    return path, _split(value)


def _split(value: str) -> list[str]:
    stripped = value.strip()
    if stripped[:1] in {'"', "[", "{"}:
        try:
            whole = json.loads(stripped)
        except ValueError:
            return [value]
        return [whole if isinstance(whole, str) else stripped]
    if len(stripped) > 1 and stripped[0] == stripped[-1] == "'":
        return [stripped[1:-1]]
    parts = [part.strip() for part in value.split(",")]
    return parts if len(parts) > 1 and all(parts) else [value]


def iter_settings(texts: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the settings of each run that the options ask for: one, or all combinations of a sweep, the last option fastest.

    Raises:
        UsageError: when a path is set twice.
    """
    paths: list[str] = []
    values: list[list[str]] = []
    for text in texts:
        path, options = parse_setting(text)
        if path in paths:
            raise UsageError(f"{path!r} is set twice", "name each path once; -p a=1,2 sweeps")
        paths.append(path)
        values.append(options)
    for combination in itertools.product(*values):
        yield dict(zip(paths, combination, strict=True))
