"""Installed packages as lines that pip and uv install: ``environment.txt`` of a record, and what ``finestflow env --requirements`` prints.

Pure. A package of an index is ``name==version``. One that came from elsewhere is a line with its origin: a folder (``-e ./lib``, ``./lib``),
or what stands after ``name @``; a comment names its version. Invariant: what a line cannot say is left out by ``dump_requirements``, and nothing
of a damaged text is guessed at. Called by ``environment``, the journal's record, ``provision`` and the command line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Packages", "dump_requirements", "is_folder", "load_requirements", "normal_name", "without_credentials"]

_PINNED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[A-Za-z0-9][\w.+!-]*)", re.ASCII)
_FROM = re.compile(r"(?P<requirement>-e \S+|\.\S*|[A-Za-z0-9][\w.-]* @ \S+)  # (?P<pinned>\S+)", re.ASCII)
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/\s@:]*)(?P<password>:[^/\s]*)?@(?=[^/\s@]*)")


class Packages(NamedTuple):
    """Installed packages: their versions by name, and where those came from that no index gave."""

    versions: dict[str, str]
    origins: dict[str, str]


def dump_requirements(packages: Packages, python: str = "") -> tuple[str, Packages]:
    """Return a requirements file, sorted, and the packages that it cannot name.

    Args:
        packages: What is installed.
        python: Version of the interpreter, for a comment.
    """
    lines, rest = [], Packages({}, {})
    for name, version in packages.versions.items():
        line = _line(name, version, packages.origins.get(name, ""))
        if line:
            lines.append(line)
            continue
        rest.versions[name] = version
        if name in packages.origins:
            rest.origins[name] = packages.origins[name]
    lines.sort(key=lambda line: line.rpartition("# ")[2].lower())
    if python and python.isprintable():
        lines.insert(0, f"# python {python}")
    return "".join(f"{line}\n" for line in lines), rest


def load_requirements(text: str) -> Packages:
    """Return the packages that ``dump_requirements`` wrote down."""
    found = Packages({}, {})
    for line in text.splitlines():
        elsewhere = _FROM.fullmatch(line)
        pinned = _PINNED.fullmatch(elsewhere["pinned"] if elsewhere else line)
        if pinned is None:
            continue
        found.versions[pinned["name"]] = pinned["version"]
        if elsewhere:
            found.origins[pinned["name"]] = elsewhere["requirement"].removeprefix(f"{pinned['name']} @ ")
    return found


def _line(name: str, version: str, origin: str) -> str:
    """Return the line of a package; empty where there is none that says it."""
    pinned = f"{name}=={version}"
    if _PINNED.fullmatch(pinned) is None:
        return ""
    if not origin:
        return pinned
    line = f"{origin if is_folder(origin) else f'{name} @ {origin}'}  # {pinned}"
    return line if _FROM.fullmatch(line) else ""


def is_folder(origin: str) -> bool:
    """Whether an origin is a folder: an editable one, or one of the project itself."""
    return origin.startswith(("-e ", "."))


def normal_name(name: str) -> str:
    """Return what two spellings of a package's name have in common (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def without_credentials(text: str) -> str:
    """Return a text with the users and passwords of its URLs taken out; the user of an ssh address is no secret, and stays."""

    def bare(match: re.Match[str]) -> str:
        keeps = match["scheme"].endswith("ssh") and match["user"]
        return f"{match['scheme']}://{match['user']}@" if keeps else f"{match['scheme']}://"

    return _USER.sub(bare, text)
