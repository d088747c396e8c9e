"""What a run was made with: interpreter, platform, GPU, packages and where they came from, chosen variables.

Invariant: of the environment variables only the named ones enter, and of those that are named like secrets only that they were there; no URL keeps
its user and password. Reading the installed packages takes milliseconds that each run would pay, seconds on a cold disk, so their list is
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
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from finestflow.given import BLANK, is_secret
from finestflow.requirements import Packages, normal_name, without_credentials

if TYPE_CHECKING:
    from importlib import metadata

__all__ = ["read_environment", "read_gpu", "read_packages"]

Stamp = int | tuple[str, ...]

_NVIDIA = Path("/proc/driver/nvidia")
_LAYOUT = 2
"""Of the file that keeps the list; one of another layout is not read."""


def read_environment(
    environ: Mapping[str, str], record: Iterable[str], kept: Path | None, root: Path | None = None
) -> dict[str, Any]:
    """Return interpreter, platform, GPU, packages with their origins, and the values of the named variables.

    Args:
        environ: The environment variables.
        record: Names of variables whose values are recorded.
        kept: File that keeps the list of packages between runs; None keeps nothing.
        root: The project: folders inside of it are told relative to it.
    """
    packages = read_packages(kept)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()} {platform.machine()}".strip(),
        "packages": packages.versions,
    }
    if packages.origins:
        found["origins"] = {name: _told_from(origin, root) for name, origin in packages.origins.items()}
    if gpu := read_gpu():
        found["gpu"] = gpu
    variables = {
        name: BLANK if is_secret(name) else without_credentials(environ[name])
        for name in sorted(record)
        if name in environ
    }
    if variables:
        found["variables"] = variables
    return found


def read_gpu(driver: Path = _NVIDIA) -> str:
    """Return the names of the NVIDIA GPUs and the version of their driver, as Linux tells them; empty where it knows of none."""
    names = []
    with contextlib.suppress(OSError):
        for card in sorted((driver / "gpus").iterdir()):
            found = re.search(r"^Model: *(.+?) *$", (card / "information").read_text("utf-8"), re.MULTILINE)
            names.append("GPU" if found is None else found[1].strip())
        version = re.search(r"Module\D* +(\d[\d.]*)", (driver / "version").read_text("utf-8"))
        names.append(f"driver {version[1]}" if version else "")
    return ", ".join(filter(None, names))


# -- packages --------------------------------------------------------------------------------------------------------------------------


def read_packages(kept: Path | None = None) -> Packages:
    """Return the installed distributions, and the origins of those that no index gave; see ``read_environment`` for ``kept``."""
    stamps = {os.path.abspath(entry): _stamp(entry) for entry in sys.path}
    stamp = json.dumps([_LAYOUT, sys.version, sorted(stamps.items())])
    if kept is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(kept.read_text("utf-8"))
            if data["stamp"] == stamp:
                return Packages(data["packages"], data["origins"])
    found = _list_packages(stamps)
    if kept is not None:
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            temporary = kept.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps({"stamp": stamp, "packages": found[0], "origins": found[1]}), "utf-8")
            temporary.replace(kept)
    return found


def _list_packages(stamps: Mapping[str, Stamp]) -> Packages:
    found: dict[str, tuple[str, str, str]] = {}
    for folder, stamp in stamps.items():
        for row in _list_folder(folder, stamp):
            found.setdefault(normal_name(row[0]), row)  # what comes first on the path is what is imported
    rows = [found[key] for key in sorted(found)]
    return Packages({name: version for name, version, _ in rows}, {name: origin for name, _, origin in rows if origin})


@lru_cache(maxsize=64)
def _list_folder(folder: str, stamp: Stamp) -> list[tuple[str, str, str]]:  # noqa: ARG001 - the stamp is part of the key
    """Return name, version and origin of what is installed in a folder; read again by a process when the stamp is another."""
    from importlib import metadata

    found = []
    for distribution in metadata.distributions(path=[folder]):
        with contextlib.suppress(Exception):  # a broken installation of one package is not our business
            found.append((*_name_and_version(distribution), _origin(distribution)))
    return found


def _name_and_version(distribution: metadata.Distribution) -> tuple[str, str]:
    """Read the two fields themselves: the parser of metadata takes ten times as long, for each of them."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    fields = dict(re.findall(r"^(Name|Version): *(.+?) *$", text.partition("\n\n")[0], re.MULTILINE))
    return fields["Name"], fields["Version"]


def _origin(distribution: metadata.Distribution) -> str:
    """Return where a distribution came from, as a requirement says it; empty for one of an index.

    Installers write that down (PEP 610), but for those that leave a link to a folder with metadata inside of it.
    """
    text = distribution.read_text("direct_url.json")
    if text is None:
        place = Path(str(distribution.locate_file("")))
        is_linked = (
            place.name not in _SITE and distribution.read_text("PKG-INFO") and not distribution.read_text("METADATA")
        )
        return f"-e {place.as_uri()}" if is_linked and place.is_absolute() else ""
    told = json.loads(text)
    parts = urlsplit(without_credentials(told["url"]))
    url = urlunsplit(parts._replace(query=""))  # signatures and tokens stand there
    inner = f"subdirectory={told['subdirectory']}" if told.get("subdirectory") else ""
    if "vcs_info" in told:
        version = told["vcs_info"]
        return f"{version['vcs']}+{url}@{version['commit_id']}{inner and '#' + inner}"
    if parts.scheme == "file" and (distribution.read_text("INSTALLER") or "").strip() == "conda":
        return ""  # the folder of whoever built the package for conda
    if "dir_info" in told:
        return f"{'-e ' if told['dir_info'].get('editable') else ''}{url}{inner and '#' + inner}"
    archive = told.get("archive_info", {})
    digest = archive.get("hash") or "&".join(f"{kind}={value}" for kind, value in archive.get("hashes", {}).items())
    fragment = "&".join(filter(None, (digest, inner)))
    return f"{url}{fragment and '#' + fragment}"


_SITE = frozenset({"site-packages", "dist-packages"})


def _told_from(origin: str, root: Path | None) -> str:
    """Return an origin with a folder of the project told from its root: ``-e ./lib``."""
    editable, url = ("-e ", origin[3:]) if origin.startswith("-e ") else ("", origin)
    if root is None or not url.startswith("file://") or "#" in url:
        return origin
    folder = Path(unquote(urlsplit(url).path))
    if not folder.is_dir():
        return origin
    if not folder.resolve().is_relative_to(root.resolve()):
        return origin
    inside = folder.resolve().relative_to(root.resolve()).as_posix()
    return f"{editable}{'.' if inside == '.' else f'./{inside}'}"


def _stamp(entry: str) -> Stamp:
    """Return what changes when a package is installed in a folder of the path; files of the user's own do not count."""
    folder = Path(entry or ".")
    try:
        if folder.name in _SITE:
            return folder.stat().st_mtime_ns
        return tuple(sorted(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info"))))
    except OSError:
        return 0
