"""Numbers by name, from whatever a program calls a metric.

Called wherever metrics are reported, so that tasks, started runs and scripts take and refuse the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["as_step", "iter_metrics"]


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
