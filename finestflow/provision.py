"""Builds the environment that a run was recorded with: its interpreter, and every package at its version.

Two layers. The *lock*, what an index, a commit or an archive gives, is a virtual environment in the user's cache folder, named by its digest and
shared by all runs that had it. Invariant: one is used only once it is complete; it is built under a name of its own, and a file that names it
appears when it is. What belongs to one reproduction lies in a thin layer over it that goes afterwards: the folders of the project as
the run had them, folders elsewhere as they are now, and finestflow. Uses uv where it is there, else venv and pip. Called by ``workspace``.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from finestflow.errors import UsageError
from finestflow.given import BLANK
from finestflow.journal.lock import hold_lock
from finestflow.provisioned import find_ready, mark_ready, used
from finestflow.requirements import (
    Packages,
    dump_requirements,
    load_requirements,
    normal_name,
    without_credentials,
)
from finestflow.rerun import Interpreter

__all__ = ["Provision", "Provisioner", "plan_provision"]

_PATIENCE = 3600.0
"""Seconds that one waits for another process that builds the same environment."""
_OWN = "finestflow"
_LONGEST = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What a recorded environment is built of.

    Attributes:
        implementation: Of the interpreter, such as ``CPython``.
        python: Its version.
        lock: Lines of requirements, sorted: the shared part.
        inside: Folders of the project that are installed from the worktree, as requirements relative to it.
        outside: Folders elsewhere that are installed as they are now, likewise.
        own: Version of finestflow that is to be installed; empty where the running one serves, or a folder has it.
        has_own: Whether the running finestflow is lent.
        variables: Environment variables that are set to what they were.
        notes: What is not as it was, one sentence each.
    """

    implementation: str
    python: str
    lock: tuple[str, ...]
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    own: str
    has_own: bool
    variables: Mapping[str, str]
    notes: tuple[str, ...]


def plan_provision(environment: Mapping[str, Any], running: str, without: Collection[str] = ()) -> Provision:
    """Return what an environment is built of, and what cannot be had and what is done about it.

    Args:
        environment: The recorded one.
        running: The version of the finestflow that runs.
        without: Names of packages that are left out.

    Raises:
        UsageError: It was not recorded, or a package that is to be left out is not in it.
    """
    packages = Packages(environment.get("packages", {}), environment.get("origins", {}))
    if not packages.versions or not environment.get("python"):
        raise UsageError("the environment of the run was not recorded", "without --env it runs in the present one")
    left = {normal_name(name) for name in without}
    unknown = left - {normal_name(name) for name in packages.versions}
    if unknown:
        raise UsageError(f"the run had no package {min(unknown)!r} to leave out", "finestflow env RUN lists them")
    notes = list(_differences(environment))
    kept = Packages(
        {name: version for name, version in packages.versions.items() if normal_name(name) not in left},
        packages.origins,
    )
    text, rest = dump_requirements(kept)
    notes += [
        f"package {name} {version} is left out: no installer can name it" for name, version in rest.versions.items()
    ]
    notes += [f"package {name} is left out, as you say" for name in packages.versions if normal_name(name) in left]
    lines: dict[str, list[str]] = {"lock": [], "inside": [], "outside": []}
    own, has_own = "", False
    for line in text.splitlines():
        (name, version), *_ = load_requirements(line).versions.items()
        origin = packages.origins.get(name, "")
        kind, note = _place(name, version, origin)
        if normal_name(name) == _OWN and kind != "inside":
            own, has_own, note = _own_version(version, origin, running)
            kind = ""
        if note:
            notes.append(note)
        if kind:
            lines[kind].append(line)
    if not own and not any(normal_name(name) == _OWN for name in kept.versions):
        has_own = True  # it was importable without being installed
        notes.append(f"finestflow was not installed: the running one, {running}, is used")
    return Provision(
        implementation=str(environment.get("implementation", "CPython")),
        python=str(environment["python"]),
        lock=tuple(lines["lock"]),
        inside=tuple(lines["inside"]),
        outside=tuple(lines["outside"]),
        own=own,
        has_own=has_own,
        variables={name: value for name, value in _variables(environment).items() if BLANK not in value},
        notes=tuple(notes),
    )


def _differences(environment: Mapping[str, Any]) -> Iterator[str]:
    present = f"{platform.system()} {platform.machine()}".strip()
    recorded = environment.get("platform")
    if recorded and recorded != present:
        yield f"it was recorded on {recorded}, and this is {present}"
    for name, value in _variables(environment).items():
        if BLANK in value:
            yield f"variable {name} was a secret: it is what it is now"


def _variables(environment: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = environment.get("variables", {})
    return found


def _place(name: str, version: str, origin: str) -> tuple[str, str]:
    """Return where a package comes from now, nowhere when it cannot be had, and what there is to say of it."""
    if not origin:
        return "lock", ""
    editable, where = ("-e ", origin[3:]) if origin.startswith("-e ") else ("", origin)
    if where.startswith("."):
        return "inside", f"package {name} is installed from the run's own files ({editable}{where})"
    if not where.startswith("file:"):
        return "lock", ""
    path = Path(unquote(urlsplit(where).path))
    if path.is_file():
        return "lock", ""  # an archive; its digest stands behind it where it was known
    if path.is_dir():
        return "outside", f"package {name} {version} is installed from {str(path)!r} as that is now"
    return "", f"package {name} {version} is left out: it came from {str(path)!r}, which is not here"


def _own_version(version: str, origin: str, running: str) -> tuple[str, bool, str]:
    """Return which finestflow is installed, whether the running one is lent, and what there is to say."""
    if version == running:
        return "", True, f"finestflow {version} is the running one" if origin else ""
    if origin:
        return "", True, f"finestflow {version} came from {origin}: the running one, {running}, is used"
    return version, False, ""


# -- building --------------------------------------------------------------------------------------------------------------------------


class Provisioner:
    """Builds environments and keeps them.

    Args:
        folder: Where they are kept.
        environ: The environment variables, for installers.
        say: Is told what happens, a line each.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._folder = folder
        self._path = environ.get("PATH", os.defpath)
        self._uv = shutil.which("uv", path=self._path)
        leaving = {
            "PYTHONPATH",
            "PYTHONHOME",
            "VIRTUAL_ENV",
            "PIP_TARGET",
            "PIP_USER",
            "PIP_PREFIX",
            "PIP_REQUIRE_VIRTUALENV",
        }
        self._environ = {name: value for name, value in environ.items() if name not in leaving} | {
            "GIT_TERMINAL_PROMPT": "0"
        }
        self._say = say

    def build(self, plan: Provision) -> Path:
        """Return the virtual environment with the locked packages, built when it is not there yet.

        Raises:
            UsageError: There is no such interpreter, or a package cannot be installed.
        """
        python = self._find_python(plan)
        identity = json.dumps([os.path.realpath(python), _ask(python), plan.lock])
        home = self._folder / blake2b(identity.encode(), digest_size=12).hexdigest()
        if (place := find_ready(home)) is not None:
            return place
        with hold_lock(home, patience=_PATIENCE):
            if (place := find_ready(home)) is not None:
                return place
            for other in home.iterdir():
                if other.is_dir():  # of a builder that was killed
                    shutil.rmtree(other, ignore_errors=True)
            place = home / os.urandom(4).hex()
            try:
                self._fill(place, python, plan.lock)
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
            mark_ready(home, place, plan.lock)
        return place

    def _fill(self, place: Path, python: str, lock: Sequence[str]) -> None:
        self._say(f"building the environment: {len(lock)} packages, with {'uv' if self._uv else 'pip'}")
        if self._uv:
            self._run([self._uv, "venv", "--quiet", "--python", python, str(place)])
        else:
            self._run([python, "-I", "-m", "venv", str(place)])
        if lock:
            with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lock))
                file.flush()
                self._install(place, ["-r", file.name])

    @contextmanager
    def layer(self, plan: Provision, base: Path, tree: Path) -> Iterator[Interpreter]:
        """Give an interpreter that has what ``build`` returned, and what belongs to one reproduction.

        Args:
            plan: What the environment is built of.
            base: What ``build`` returned.
            tree: The worktree of the run.
        """
        with used(base.parent), tempfile.TemporaryDirectory(prefix="finestflow-env-") as folder:
            place = Path(folder)
            site = _make_layer(place, base)
            for line in plan.inside:
                editable, _, where = line.partition("  #")[0].rpartition(" ")
                self._install(place, [*editable.split(), str(tree / where)])
            for line in plan.outside:
                self._install(place, _words(line))
            if plan.own and not self._has_own(place, plan.own):
                self._say(f"finestflow {plan.own} cannot be had: the running one is used")
            if not any((entry / _OWN).exists() for entry in (site, _site_of(base))) and (plan.has_own or plan.own):
                (site / _OWN).symlink_to(Path(__file__).resolve().parent)
            yield Interpreter(
                program=str(place / "bin" / "python"),
                variables={
                    **{name: value for name, value in plan.variables.items() if self._differs(name, value)},
                    "PATH": os.pathsep.join([str(place / "bin"), str(base / "bin"), self._path]),
                    "VIRTUAL_ENV": str(place),
                    "PYTHONPATH": None,
                    "PYTHONHOME": None,
                },
            )

    def _differs(self, name: str, value: str) -> bool:
        """Whether a variable is not as it was, as far as a record tells: it has no passwords."""
        return without_credentials(self._environ.get(name, "")) != value

    def _has_own(self, place: Path, version: str) -> bool:
        try:
            self._install(place, [f"{_OWN}=={version}"])
        except UsageError:
            return False
        return True

    def _install(self, place: Path, what: Sequence[str]) -> None:
        """Install requirements without what they depend on: a lock has all of it."""
        python = str(place / "bin" / "python")
        if self._uv:
            words = [self._uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *what]
            if not self._try([*words, "--offline"]):  # what is in uv's cache needs no network
                self._run(words)
        else:
            self._run([python, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", *what])

    def _try(self, words: Sequence[str]) -> bool:
        return self._call(words).returncode == 0

    def _run(self, words: Sequence[str]) -> None:
        done = self._call(words)
        if done.returncode:
            lines = [
                line
                for line in (done.stderr or done.stdout).splitlines()
                if not line.startswith(("WARNING", "warning"))
            ]
            said = without_credentials(" ".join(" ".join(lines).split()))[-_LONGEST:]
            raise UsageError(
                f"the environment cannot be built: {said}",
                "indexes are set in the settings of pip and uv; --without NAME leaves a package out",
            )

    def _call(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    # -- the interpreter ---------------------------------------------------------------------------------------------------------------

    def _find_python(self, plan: Provision) -> str:
        """Return an interpreter of that very version, else one that differs in its last number, which is said.

        Raises:
            UsageError: There is neither.
        """
        wanted = f"{plan.implementation} {plan.python}"
        minor = ".".join(plan.python.split(".")[:2])
        name = {"CPython": "python", "PyPy": "pypy"}.get(plan.implementation, plan.implementation.lower())
        found: dict[str, str] = {}
        for candidate in self._candidates(name, minor, plan.python):
            version = _ask(candidate)
            found.setdefault(version, candidate)
            if version == wanted:
                return candidate
        near = [version for version in found if version.startswith(f"{plan.implementation} {minor}.")]
        if self._uv and self._try(
            [self._uv, "python", "install", "--quiet", f"{name}{plan.python}" if name != "python" else plan.python]
        ):
            return self._uv_python(plan.python, name)
        if near:
            self._say(f"there is no {wanted} here: {near[0].split()[1]} is used")
            return found[near[0]]
        raise UsageError(
            f"there is no {wanted} here",
            f"install it so that {name}{minor} is on the PATH"
            + ("" if self._uv else ", or install uv, which can fetch it"),
        )

    def _candidates(self, name: str, minor: str, version: str) -> Iterator[str]:
        yield sys.executable
        if self._uv:
            yield self._uv_python(version, name)
        for folder in self._path.split(os.pathsep):
            if (program := shutil.which(f"{name}{minor}", path=folder)) is not None:
                yield program
        if self._uv:
            yield self._uv_python(minor, name)

    def _uv_python(self, version: str, name: str) -> str:
        assert self._uv is not None
        request = version if name == "python" else f"{name}{version}"
        return self._call([self._uv, "python", "find", "--system", request]).stdout.strip()


def _ask(python: str) -> str:
    """Return implementation and version of an interpreter; empty where it does not run."""
    if not python:
        return ""
    if python == sys.executable:
        return f"{platform.python_implementation()} {platform.python_version()}"
    code = "import platform as p; print(p.python_implementation(), p.python_version())"
    try:
        done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _make_layer(place: Path, base: Path) -> Path:
    """Make a virtual environment over another one; return its folder of packages.

    By hand, as PEP 405 says what one is: it costs a millisecond, ``venv`` a tenth of a second, and a seed of pip is not wanted.
    """
    inner = _site_of(base)
    site = place / inner.relative_to(base)
    site.mkdir(parents=True)
    (place / "bin").mkdir()
    shutil.copyfile(base / "pyvenv.cfg", place / "pyvenv.cfg")
    program = os.path.realpath(base / "bin" / "python")
    for name in ("python", "python3", inner.parent.name):
        if not (place / "bin" / name).is_symlink():
            (place / "bin" / name).symlink_to(program)
    (site / "_finestflow_base.pth").write_text(f"import site; site.addsitedir({str(inner)!r})\n", "utf-8")
    return site


def _site_of(place: Path) -> Path:
    return next(place.glob("lib/*/site-packages"))


def _words(line: str) -> list[str]:
    """Return a requirement as words of a command line."""
    requirement = re.sub(r"  # \S+$", "", line)
    return requirement.split(" ", 1) if requirement.startswith("-e ") else [requirement]
