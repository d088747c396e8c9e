"""What the odd repositories are built with: git in an environment of its own, files, and the register."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada Test",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada Test",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}
SETTINGS = (
    "init.defaultBranch=main",
    "protocol.file.allow=always",
    "advice.addEmbeddedRepo=false",
    "gc.auto=0",
    "core.safecrlf=false",
)


def try_git(folder: Path, *words: str, data: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder."""
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    return subprocess.run(
        ["git", *settings, *words],
        cwd=folder,
        env={**ENVIRON, **variables},
        input=data,
        capture_output=True,
        check=False,
    )


def git(folder: Path, *words: str, data: bytes = b"", **variables: str) -> str:
    """Run git in a folder and return what it prints; it must succeed."""
    done = try_git(folder, *words, data=data, **variables)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode(errors="surrogateescape").strip()


def write(path: Path, content: str | bytes = "content\n") -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def committed(folder: Path, *init: str) -> Path:
    """Make a repository with one commit of four files: a copy of one made before, where that is the same, which takes a quarter of the time."""
    if all(word.startswith("--object-format") for word in init) and not (folder.exists() and os.listdir(folder)):
        shutil.copytree(_made_before(*init), folder, dirs_exist_ok=True)
        git(folder, "update-index", "-q", "--refresh")
        return folder
    return _committed(folder, *init)


@cache
def _made_before(*init: str) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="committed-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
    atexit.register(folder.cleanup)
    return _committed(Path(folder.name), *init)


def _committed(folder: Path, *init: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--template=", *init)
    git(folder, "config", "gc.auto", "0")
    write(folder / "a.txt", "a\n")
    write(folder / "b.txt", "b\n")
    write(folder / "src" / "code.py", "x = 1\n")
    write(folder / "src" / "deep" / "more.py", "y = 2\n")
    commit(folder)
    return folder


def commit(folder: Path, message: str = "first") -> None:
    """Commit all files."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def edited(folder: Path) -> Path:
    """Change, stage, delete and add files, so that there is something to record."""
    write(folder / "a.txt", "a, changed on disk\n")
    write(folder / "src" / "code.py", "x = 'staged'\n")
    git(folder, "add", "src/code.py")
    (folder / "b.txt").unlink()
    write(folder / "new.txt", "untracked\n")
    write(folder / "fresh" / "inner.txt", "untracked, in a folder\n")
    return folder


@dataclass(frozen=True)
class OddRepository:
    """A repository that something is odd about; call it with an empty folder to build it.

    ``omitted`` are the paths that a snapshot leaves out with a reason; ``reference`` runs before ``git add --all`` gives
    the tree to compare with; ``can_run`` says whether a pipeline can be run and recorded there; ``skip`` gives a reason where it cannot be built.
    """

    build: Callable[[Path], Path]
    omitted: Sequence[str] = ()
    before_reference: Callable[[Path], None] | None = None
    can_run: bool = True
    skip: Callable[[], str] | None = None

    @property
    def has_omissions(self) -> bool:
        return bool(self.omitted)

    def __call__(self, folder: Path) -> Path:
        return self.build(folder)

    def expected_tree(self, work_tree: Path) -> str:
        """Return the tree that plain git makes of the files; this changes the repository."""
        if self.before_reference is not None:
            self.before_reference(work_tree)
        excluded = [f":(exclude,literal){path.rstrip('/')}" for path in (*self.omitted, ".finestflow")]
        git(work_tree, "add", "--all", "--sparse", "--", ".", *excluded)
        return git(work_tree, "write-tree")


REPOSITORIES: dict[str, OddRepository] = {}


def odd(**details) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    """Register a builder under its own name."""

    def register(build: Callable[[Path], Path]) -> Callable[[Path], Path]:
        REPOSITORIES[build.__name__] = OddRepository(build, **details)
        return build

    return register
