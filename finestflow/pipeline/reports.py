"""What may be reported of a run: numbers by name, and artifacts.

Called wherever metrics and artifacts are reported, so that tasks, started runs and scripts take and refuse the same.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from finestflow.errors import UsageError

__all__ = ["as_step", "iter_metrics", "named_artifact"]


def iter_metrics(
    values: Mapping[Any, Any], warn: Callable[[str], None], prefix: str = ""
) -> Iterator[tuple[str, float]]:
    """Yield names and numbers; a mapping inside gives ``name/inner``, and what is no number is warned about and left out.

    Args:
        values: Numbers by name, or whatever ``float`` makes numbers of: an array with one element, a tensor.
        warn: Is told what is no number.
        prefix: Stands before each name.
    """
    for name, value in values.items():
        if type(value) is not float:
            if isinstance(value, Mapping):
                yield from iter_metrics(value, warn, f"{prefix}{name}/")
                continue
            try:
                value = float(value)  # noqa: PLW2901 - the same value as a number
            except Exception:  # noqa: BLE001 - whatever a class of the user raises
                warn(f"metric {prefix + str(name)!r} is no number: {_shown(value)}")
                continue
        yield prefix + str(name), value


def as_step(step: Any) -> float | None:
    """Return a step as a number; None for what is none."""
    if step is None or type(step) is int:
        return step
    try:
        number = float(step)
    except Exception:  # noqa: BLE001 - see above
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001 - see above
        return f"a {type(value).__name__}"


def named_artifact(value: Any, name: str) -> tuple[Any, str]:
    """Return what is kept of an artifact, and what it is called.

    A path is a file or folder, and so is a text, unless it has a name and no file is there.

    Raises:
        UsageError: There is no such file, or a value has no name.
    """
    if isinstance(value, os.PathLike) or (isinstance(value, str) and (not name or os.path.lexists(value))):
        path = Path(os.fspath(value))
        if not path.exists():
            raise UsageError(f"there is no file or folder {str(path)!r}", "save it once it is written")
        is_below = not path.is_absolute() and ".." not in path.parts and path.parts
        return path.absolute(), name or (path.as_posix() if is_below else path.resolve().name)
    if not name:
        raise UsageError(f"a value of type {type(value).__name__} is saved without a name", 'write save(value, "name")')
    return value, name
