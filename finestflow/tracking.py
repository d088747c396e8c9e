"""How a run is recorded in a repository: live folder, snapshot, commit; and what happens where it cannot be.

Invariant: unless ``tracking = "required"`` nothing here stops a run; it says once why a run is not recorded, or only in part. The runner calls
it in order; the workspace makes it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from finestflow.errors import FinestflowError, LockedError, RepositoryError

if TYPE_CHECKING:
    from finestflow.config import Config
    from finestflow.executor.perform import Clock
    from finestflow.git.repository import Repository
    from finestflow.git.snapshot import SnapshotRules
    from finestflow.journal.journal import Journal
    from finestflow.journal.live import LiveFolder
    from finestflow.model import Run, RunId, Snapshot

__all__ = ["RepositoryTracking"]

_SETTLE_SECONDS = 0.15
"""How long a run that believed itself alone may take to write what it has computed: its batches wait for 0.1 s."""
_LIVE_SECONDS = 0.005
"""How long it is believed that no other run has begun; a run takes longer from its folder to its first look-up."""


class RepositoryTracking:
    """Records runs in a repository.

    Args:
        repository: The repository; None where there is none.
        config: Settings.
        journal: Opens the journal.
        take_in: Brings the index up to date with a run that was appended.
        clock: Where the time comes from.
        warn: Says something to the person at the terminal.
    """

    def __init__(
        self,
        *,
        repository: Repository | None,
        config: Config,
        journal: Callable[[], Journal],
        take_in: Callable[[Run], object],
        clock: Clock,
        warn: Callable[[str], None],
    ) -> None:
        self._repository = repository
        self._config = config
        self._journal = journal
        self._take_in = take_in
        self._clock = clock
        self._warn = warn
        self._live_seen = (0, True)
        self._live_looked = 0.0
        self._live_folder = "" if repository is None else str(repository.state_dir / "live")

    @property
    def _is_required(self) -> bool:
        return self._config.tracking == "required"

    @property
    def _place(self) -> Repository:
        assert self._repository is not None  # a run has a live folder only in a repository
        return self._repository

    def open_live(self, run_id: RunId) -> LiveFolder | None:
        """Make the live folder of a run; None where it cannot be recorded.

        Raises:
            RepositoryError: It cannot, and tracking is required.
        """
        repository = self._repository
        if repository is None or repository.work_tree is None:
            problem = "there is no git work tree here"
            if self._is_required:
                raise RepositoryError(f"{problem}, and tracking is required", 'make one with "finestflow init"')
            self._warn(f'this run is not recorded: {problem} (make one with "finestflow init")')
            return None
        from finestflow.journal.live import LiveFolder

        try:
            return LiveFolder.create(repository.state_dir, run_id)
        except OSError as error:
            problem = f"{error.strerror}: {str(repository.state_dir)!r}"
            if self._is_required:
                raise RepositoryError(f"the run cannot be recorded: {problem}", "make it writable") from error
            self._warn(f"this run is not recorded: {problem}")
            return None

    def snapshot(self, run_id: RunId, live: LiveFolder) -> Snapshot | None:
        """Record the files as they are, and keep them from git's gc until the run is published.

        Raises:
            RepositoryError: They cannot be recorded, and tracking is required.
        """
        from finestflow.git.snapshot import take_snapshot

        try:
            snapshot = take_snapshot(self._place, self.snapshot_rules(), index=live.index_path)
            self._hold(run_id, snapshot)
        except (FinestflowError, OSError) as error:
            if self._is_required:
                raise
            self._warn(f"the code of this run is not recorded: {error}")
            return None
        finally:
            self._settle()
        return snapshot

    def snapshot_rules(self) -> SnapshotRules:
        """Return which files a snapshot takes, by the settings."""
        from finestflow.git.snapshot import SnapshotRules

        rules = self._config.snapshot
        store = self._config.store.path
        return SnapshotRules(
            untracked=rules.untracked,
            exclude=rules.exclude,
            max_file_size=rules.max_file_size,
            max_files=rules.max_files,
            leave_out=() if store.startswith((".git/", "/")) else (store.strip("/"),),
        )

    def publish(self, run: Run, live: LiveFolder) -> None:
        """Append a run that has ended to the journal, and let git pack what has gathered."""
        from finestflow.git.maintenance import start_maintenance

        self._journal().publish(live, run)
        with contextlib.suppress(LockedError):  # somebody makes a large index: whoever reads it next brings it forward
            self._take_in(run)
        start_maintenance(self._place, since=run.summary.started)

    def discard(self, live: LiveFolder) -> None:
        """Forget a run that is not to be recorded."""
        from finestflow.git.refs import LIVE_PREFIX, delete_ref

        delete_ref(self._place, LIVE_PREFIX + live.run_id)
        live.close(remove=True)

    def is_alone(self) -> bool:
        """Whether no other run is going on here; costs a look at one folder's time."""
        if self._repository is None:
            return True
        now = self._clock.monotonic()
        if now - self._live_looked >= _LIVE_SECONDS:
            self._live_looked = now
            try:
                changed = os.stat(self._live_folder).st_mtime_ns
                if changed != self._live_seen[0]:
                    self._live_seen = (changed, len(os.listdir(self._live_folder)) <= 1)
            except OSError:
                self._live_seen = (0, True)
        return self._live_seen[1]

    def alone_since(self) -> int | None:
        """Return since when that is so: another number after each run that came or went; None where nobody can tell."""
        return (self._live_seen[0] or None) if self.is_alone() else None

    def _settle(self) -> None:
        """Let another run that believed itself alone write what it has; from now on it knows of this one."""
        from finestflow.journal.live import iter_live

        if not self.is_alone() and sum(entry.is_alive for entry in iter_live(self._place.state_dir)) > 1:
            time.sleep(_SETTLE_SECONDS)

    def _hold(self, run_id: RunId, snapshot: Snapshot) -> None:
        """Keep a snapshot from git's gc; refs of others that stand in the way of ours are renamed."""
        from finestflow.git.refs import repair_refs

        try:
            self._journal().hold_snapshot(run_id, snapshot.tree)
        except RepositoryError:
            notes = repair_refs(self._place)
            if not notes:
                raise
            for note in notes:
                self._warn(note)
            self._journal().hold_snapshot(run_id, snapshot.tree)
