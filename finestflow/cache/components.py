"""What the components of a code fingerprint say: what changed between two, and which are the project's own code.

A component is a name with the hash of a function, class or constant, with the value behind it where that is short, or with the version of a package.
Apart from what finds them, so that reading a record does not load that. Called by the runner, ``why``, and comparisons of runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["WIRING", "explain", "own_code"]

WIRING = "(wiring)"
"""The component that stands for how the others are linked."""

_DIGEST = re.compile(r"([0-9a-f]{64})(?: (.*))?", re.DOTALL)


def explain(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return what changed between two fingerprints, one sentence each, the most specific first.

    Args:
        old: Components of the earlier fingerprint.
        new: Components of the later one.
    """
    values: list[str] = []
    code: list[str] = []
    versions: list[str] = []
    for name in sorted(old.keys() & new.keys() - {WIRING}):
        if old[name] == new[name]:
            continue
        before, after = _DIGEST.fullmatch(old[name]), _DIGEST.fullmatch(new[name])
        if before is None or after is None:
            versions.append(f"{name} {old[name]} -> {new[name]}")
        elif before[2] and after[2] and before[2] != after[2]:
            values.append(f"`{name}` {before[2]} -> {after[2]}")
        else:
            code.append(f"changed `{name}`")
    found = [*values, *code, *versions]
    found += [f"added {_named(name, new[name])}" for name in sorted(new.keys() - old.keys() - {WIRING})]
    found += [f"removed {_named(name, old[name])}" for name in sorted(old.keys() - new.keys() - {WIRING})]
    if not found and old.get(WIRING) != new.get(WIRING):
        found.append("the same parts are used in another way")
    return found


def own_code(components: Mapping[str, str]) -> dict[str, str]:
    """Return the components that are the project's own code, without the versions of packages."""
    return {name: value for name, value in components.items() if _DIGEST.fullmatch(value)}


def _named(name: str, value: str) -> str:
    return f"`{name}`" if _DIGEST.fullmatch(value) else f"{name} {value}"
