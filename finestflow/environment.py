"""What a run was made with: interpreter, platform, packages, chosen variables.

Invariant: of the environment variables only the named ones enter, and of those that are named like secrets only that they were there. Reading the installed packages takes a tenth of a second, so their list is
kept in the state folder under the modification times of the folders they lie in. Called by ``runner`` and by ``reproduce``.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finestflow.given import BLANK, is_secret

if TYPE_CHECKING:
    from importlib import metadata

__all__ = ["read_environment", "read_packages"]


def read_environment(environ: Mapping[str, str], record: Iterable[str], kept: Path | None) -> dict[str, Any]:
    """Return interpreter, platform, packages, and the values of the named variables.

    Args:
        environ: The environment variables.
        record: Names of variables whose values are recorded.
        kept: File that keeps the list of packages between runs; None keeps nothing.
    """
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()} {platform.machine()}".strip(),
        "packages": read_packages(kept),
    }
    variables = {name: BLANK if is_secret(name) else environ[name] for name in sorted(record) if name in environ}
    if variables:
        found["variables"] = variables
    return found


def read_packages(kept: Path | None = None) -> dict[str, str]:
    """Return the versions of the installed distributions by name; see ``read_environment`` for ``kept``."""
    stamp = json.dumps([sys.version, sorted(_stamp(entry) for entry in set(sys.path))])
    if kept is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(kept.read_text("utf-8"))
            if data["stamp"] == stamp:
                packages: dict[str, str] = data["packages"]
                return packages
    from importlib import metadata

    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        with contextlib.suppress(Exception):  # a broken installation of one package is not our business
            found.setdefault(*_name_and_version(distribution))
    found = dict(sorted(found.items(), key=lambda item: str(item[0]).lower()))
    if kept is not None:
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            temporary = kept.with_suffix(".new")
            temporary.write_text(json.dumps({"stamp": stamp, "packages": found}), "utf-8")
            temporary.replace(kept)
    return found


def _name_and_version(distribution: metadata.Distribution) -> tuple[str, str]:
    """Read the two fields themselves: the parser of metadata takes ten times as long, for each of them."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    fields = dict(re.findall(r"^(Name|Version): *(.+?) *$", text.partition("\n\n")[0], re.MULTILINE))
    return fields["Name"], fields["Version"]


def _stamp(entry: str) -> tuple[str, object]:
    """Return what changes when a package is installed in a folder of the path; files of the user's own do not count."""
    folder = Path(entry or ".")
    try:
        if folder.name in {"site-packages", "dist-packages"}:
            return entry, folder.stat().st_mtime_ns
        return entry, sorted(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))
    except OSError:
        return entry, 0
