"""Where a process works, and what is opened there when it is first asked for: settings, store, fingerprints, journal, index.

Invariant: making one writes nothing, and loads a library only when an attribute needs it. The lowest part of a workspace.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from finestflow.config import Config, load_config
from finestflow.errors import ConfigError, RepositoryError
from finestflow.git.repository import Repository, find_repository

if TYPE_CHECKING:
    from finestflow.cache.store import Store
    from finestflow.executor.process.pool import Pool
    from finestflow.goals import Goals
    from finestflow.journal.annotations import Annotations
    from finestflow.journal.following import LiveRun
    from finestflow.journal.index import Index
    from finestflow.journal.journal import Journal
    from finestflow.model import RunId
    from finestflow.workspace.foresight import Foresight

__all__ = ["Places", "SystemClock"]


_TOLD_EVERY = 100
Item = TypeVar("Item")


class SystemClock:
    """The time of this machine."""

    monotonic = staticmethod(time.perf_counter)
    time = staticmethod(time.time)


class Places:
    """The surroundings of a process.

    Args:
        folder: Where it works.
        environ: Its environment variables.
        repository: The git repository around the folder; None where there is none.
        config: Settings.
        warn: Says something to the person at the terminal.
        tell: Is told what takes long: what it is, how far it is, and how far it goes (0 where nobody knows).
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        repository: Repository | None,
        config: Config,
        warn: Callable[[str], None] | None = None,
        tell: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.folder = folder
        self.environ = environ
        self.repository = repository
        self.config = config
        self.clock = SystemClock()
        self._pool: Pool | None = None
        self._foresight: Foresight | None = None
        self._warned: set[str] = set()
        self._stores: dict[Path, Store] = {}
        self._live: dict[RunId, LiveRun] = {}
        self._tell = tell or (lambda *_: None)
        self._say = warn or (lambda text: print(f"finestflow: warning: {text}", file=sys.stderr))  # noqa: T201 - the one line of a library

    @classmethod
    def find(
        cls,
        folder: Path,
        environ: Mapping[str, str],
        *,
        overrides: Iterable[tuple[str, Any]] = (),
        warn: Callable[[str], None] | None = None,
        tell: Callable[[str, int, int], None] | None = None,
    ) -> Self:
        """Return the workspace of a folder.

        Args:
            folder: Where to look from.
            environ: The environment variables.
            overrides: Settings from flags, by key.
            warn: Says something to the person at the terminal; one line on stderr when not given.
            tell: Is told what takes long; nobody is when not given.

        Raises:
            RepositoryError: Git refuses the repository, or is missing.
            ConfigError: A setting is unknown or wrong.
        """
        repository = find_repository(folder, environ)
        machine = repository.state_dir / "config.toml" if repository is not None else None
        home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
        user = Path(home) / "finestflow" / "config.toml" if home else None
        config = load_config(folder, environ=environ, machine_file=machine, user_file=user, overrides=overrides)
        return cls(folder, environ, repository, config, warn, tell)

    # -- places ------------------------------------------------------------------------------------------------------------------------

    @cached_property
    def root(self) -> Path:
        """The top of the work tree, or the folder itself where there is no repository."""
        if self.repository is not None and self.repository.work_tree is not None:
            return self.repository.work_tree
        return self.folder

    @cached_property
    def state_dir(self) -> Path:
        """Where finestflow keeps what is not in git: below the common git directory, or the user's cache folder."""
        if self.repository is not None:
            return self.repository.state_dir
        import hashlib

        return self.cache_dir / hashlib.blake2b(os.fsencode(self.root), digest_size=8).hexdigest()

    @cached_property
    def goals(self) -> Goals:
        """Which way of a metric is better."""
        from finestflow.goals import Goals

        return Goals(self.config.metrics.maximize, self.config.metrics.minimize)

    @property
    def cache_dir(self) -> Path:
        """Where finestflow keeps what belongs to no repository."""
        home = self.environ.get("HOME", "")
        cache = self.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "/tmp")  # noqa: S108 - a machine without homes
        return Path(cache) / "finestflow"

    @property
    def environments_dir(self) -> Path:
        """Where the environments lie that were built to reproduce runs in."""
        return self.cache_dir / "environments"

    @cached_property
    def objects_dir(self) -> Path:
        """Where large outputs lie."""
        path = self.config.store.path
        if path == ".git/finestflow/store":
            return self.state_dir / "store" / "objects"
        return self.root / path / "objects"

    @property
    def _inline(self) -> int:
        """Up to how many bytes values lie in the database: none where the folder of objects is in the work tree, to travel by other means."""
        from finestflow.cache.codec import INLINE

        return 0 if self._is_store_shared else INLINE

    @property
    def _is_store_shared(self) -> bool:
        """Whether outputs lie in the work tree, where git-lfs, dvc and the like can track them."""
        return self.objects_dir.is_relative_to(self.root) and not self.objects_dir.is_relative_to(self.state_dir)

    @cached_property
    def scratch(self) -> Path:
        """A folder of this process for private copies of artifacts; it goes when the process ends."""
        from finestflow.scratch import Scratch

        made = Scratch(self._scratch_parent)
        self._drop_scratch = weakref.finalize(self, made.close)
        return made.path

    @property
    def _scratch_parent(self) -> str | None:
        """Beside the outputs, where a copy may share their blocks, when temporary files lie on another disk; what the user set is obeyed."""
        if self.repository is None or self.environ.get("TMPDIR"):
            return None
        import tempfile

        try:
            is_elsewhere = os.stat(self.state_dir).st_dev != os.stat(tempfile.gettempdir()).st_dev
        except OSError:
            return None
        is_usable = self.state_dir.is_dir() and os.access(self.state_dir, os.W_OK)
        return str(self.state_dir) if is_elsewhere and is_usable else None

    def require_repository(self) -> Repository:
        """Return the repository, or raise with what to do about it."""
        if self.repository is None:
            raise RepositoryError(f"no git repository at {str(self.folder)!r}", 'make one with "finestflow init"')
        return self.repository

    def warn(self, text: str) -> None:
        """Say something to the person at the terminal, once."""
        if text not in self._warned:
            self._warned.add(text)
            self._say(text)

    def told(self, what: str, items: Iterable[Item], total: int) -> Iterator[Item]:
        """Yield items, and tell now and then how far it is.

        Args:
            what: What is done.
            items: What is gone through.
            total: How many there are.
        """
        for done, item in enumerate(items):
            if done and done % _TOLD_EVERY == 0:
                self._tell(what, done, total)
            yield item
        self._tell(what, total, total)

    # -- parts -------------------------------------------------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """Values and entries."""
        return self._make_store(self.state_dir / "store" / "store.sqlite", self.objects_dir)

    def open_store(self, folder: str) -> Store:
        """Return the store in a folder, for tasks that have one of their own; relative to the root."""
        try:
            path = self.root / Path(folder).expanduser()
        except RuntimeError as error:  # ~somebody who is not there
            raise ConfigError(f"the folder of a store, {folder!r}, is in no home: {error}", "name a folder") from None
        if path not in self._stores:
            self._stores[path] = self._make_store(path / "store.sqlite", path / "objects")
        return self._stores[path]

    def _make_store(self, database: Path, objects: Path) -> Store:
        from finestflow.cache.store import Store

        return Store(
            database,
            objects,
            verify_always=self.config.store.verify == "always",
            inline=self._inline,
            root=self.root,
            of_code=self._code_of,
            is_project=lambda code: self.fingerprinter.is_project(code),  # noqa: PLW0108 - made when it is first asked
            scratch=self.scratch,
            warn=self.warn,
        )

    def _code_of(self, code: Any) -> str:
        """Return the fingerprint of a function or class that is part of a value."""
        found = self.fingerprinter.of_class(code) if isinstance(code, type) else self.fingerprinter.of_function(code)
        return str(found.hash)

    @cached_property
    def fingerprinter(self) -> Any:
        """Fingerprints of code, with the definitions of files kept in the state folder."""
        from finestflow import STARTED
        from finestflow.cache.fingerprint import Fingerprinter, FolderDefinitionCache

        definitions = FolderDefinitionCache(self.state_dir / "definitions")
        return Fingerprinter([self.root], digest=self.store.digest, definitions=definitions, started=STARTED)

    @cached_property
    def journal(self) -> Journal:
        """The chain of run commits."""
        from finestflow.journal.journal import Journal

        return Journal(self.require_repository())

    @cached_property
    def index(self) -> Index:
        """The index over the journal."""
        from finestflow.journal.index import Index

        return Index(self.require_repository().state_dir / "index.sqlite", self._tell)

    @cached_property
    def annotations(self) -> Annotations:
        """What people say of runs."""
        from finestflow.journal.annotations import Annotations

        return Annotations(self.require_repository())
