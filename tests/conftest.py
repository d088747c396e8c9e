"""What every test stands on: a machine without a past, and repositories to work in.

Nothing of the developer's own set-up (git, home folder, terminal, settings of finestflow) reaches a test.
"""

from __future__ import annotations

import compileall
import gc
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

# A third of the time went into compiling the same modules again in every process: pytest compiles each module of its plug-ins by
# itself, and there are a hundred of hypothesis, so this stands before it. Projects of tests get no bytecode, see below.
sys.dont_write_bytecode = False

from hypothesis import HealthCheck, settings  # noqa: E402

# A busy machine is no failure: what hypothesis measures with a clock is off. Each run draws other examples; `make slow` five times as many
# as `make test`, `make stress` a hundred times.
settings.register_profile(
    "quick", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("wide", settings.get_profile("quick"), max_examples=50)
settings.register_profile("deep", settings.get_profile("quick"), max_examples=1000)
settings.load_profile("quick")


def examples(count: int) -> int:
    """Return how many examples a test draws that wants another number than 100: in proportion to what others draw."""
    return max(1, count * settings.default.max_examples // 100)


_ROOT = Path(__file__).resolve().parents[1]
compileall.compile_dir(_ROOT / "finestflow", quiet=2)

# A file system in memory has no disk to wait for, and a test run writes a hundred thousand small files.
_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 2 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

# A shell ignores Ctrl-C for what it starts in the background, and children inherit that: tests of Ctrl-C would fail there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_PREFIXES = ("GIT_", "FINESTFLOW_", "XDG_", "LC_", "PYTHONHASHSEED")
_NAMES = ("HOME", "EMAIL", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "PAGER", "LESS")


def _scrub(environ: dict[str, str] | os._Environ[str]) -> None:
    for name in list(environ):
        if name.startswith(_PREFIXES) or name in _NAMES:
            del environ[name]


_scrub(os.environ)
os.environ.setdefault("TERM", "dumb")

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Test",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada Test",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def pytest_collection_finish() -> None:
    """Write no bytecode of what tests import from now on; look for garbage seldom, and not in what collecting tests has left."""
    sys.dont_write_bytecode = True
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured, told by ``record_property("figures", text)``."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for text in (value for name, value in report.user_properties if name == "figures"):
                terminalreporter.section(f"figures of {report.nodeid}")
                terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def home_of_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home folder with the least that git needs."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada Test\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n\ttemplateDir =\n",
        encoding="utf-8",
    )
    return home


@pytest.fixture(autouse=True)
def machine_without_a_past(monkeypatch: pytest.MonkeyPatch, home_of_session: Path) -> Iterator[None]:
    """Give each test a home folder of ours and no settings from outside."""
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name in _NAMES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home_of_session))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # Python takes the .pyc of a file that was edited within the same second, to the same size, for current: projects get none.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    state = random.getstate()
    yield
    random.setstate(state)


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment of the test as a plain dict, to be passed down."""
    return dict(os.environ)


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """A known author in the environment, as a hook or CI would set it."""
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    return IDENTITY


Git = Callable[..., str]


def run_git(cwd: Path, *args: str, stdin: bytes | None = None) -> str:
    """Run git in a folder and return what it prints, without the last newline; fail with its stderr."""
    done = subprocess.run(["git", *args], cwd=cwd, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode(errors="surrogateescape").removesuffix("\n")


@pytest.fixture(scope="session")
def first_repository(home_of_session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every ``repository`` is a copy of: that takes a tenth of the time of making one."""
    folder = tmp_path_factory.mktemp("first") / "repository"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("HOME", str(home_of_session))
        run_git(folder, "init", "--quiet", "--initial-branch=main")
        (folder / "a.txt").write_text("a\n", encoding="utf-8")
        run_git(folder, "add", "a.txt")
        run_git(folder, "commit", "--quiet", "--message=first")
    return folder


@pytest.fixture
def repository(first_repository: Path, tmp_path: Path) -> Path:
    """The work tree of a repository with one commit (file ``a.txt``) on branch main."""
    folder = tmp_path / "repository"
    shutil.copytree(first_repository, folder)
    return folder


@pytest.fixture
def git(repository: Path) -> Git:
    """Call git in ``repository``: ``git("log", "--oneline")``."""

    def call(*args: str, stdin: bytes | None = None) -> str:
        return run_git(repository, *args, stdin=stdin)

    return call
