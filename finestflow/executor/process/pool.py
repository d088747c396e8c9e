"""The pool: the worker processes of one runner, kept warm between runs.

One thread waits for every worker's channel and for every worker's end, so that whatever happens to a process is seen, and nothing waits for
ever. Who submits a job sends it straight to an idle worker. Invariants: a job is in exactly one place, the queue or one worker; a job that a
worker had not begun when it died is given to another; each worker leads a process group, and no process of that group outlives it.
Made by ``runner``; ``executor`` submits to it.
"""

from __future__ import annotations

import atexit
import contextlib
import heapq
import itertools
import os
import pickle
import selectors
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from finestflow.cache.code.definitions import Definitions, FolderDefinitionCache
from finestflow.cache.objects import ObjectFolder
from finestflow.errors import WorkerDiedError, describe_error
from finestflow.executor.process.channel import ChannelClosedError
from finestflow.executor.process.guard import Guard
from finestflow.executor.process.handle import Item, Owner, Worker
from finestflow.executor.process.imports import Sources
from finestflow.executor.process.messages import Done, Equipment, Live, Refused
from finestflow.executor.process.preload import Imports
from finestflow.executor.process.waiting import QUICK, Waiting
from finestflow.executor.threads import thread_variables

if TYPE_CHECKING:
    from finestflow.executor.process.launch import Launcher

__all__ = ["Pool"]

_TAIL = 0.1
"""Seconds between two looks at the log of a worker that is busy."""
_STARTS = 5
"""Workers that end before they are ready, until the pool gives up."""
_LINGER = 1.0
"""Seconds for which the thread stays attentive after a job was sent, so that it need not be woken for the next."""
_GONE = 2.0
"""Seconds to wait for killed processes to be gone."""


class Pool:
    """Worker processes that start when they are needed.

    Args:
        equipment: What the workers work with.
        jobs: How many workers there are at most.
        start_method: How they start, see ``Launcher``.
    """

    def __init__(self, equipment: Equipment, *, jobs: int, start_method: str = "auto") -> None:
        self.equipment = equipment
        self.jobs = jobs
        self.folder = ""
        self.objects = ObjectFolder(equipment.objects)
        self.sources = Sources(equipment.root)
        self.definitions = Definitions(
            lambda data: blake3(data).hexdigest(), FolderDefinitionCache(equipment.definitions)
        )
        self._start_method = start_method
        self._launcher: Launcher
        self._lock = threading.RLock()
        self._gone = threading.Condition(self._lock)
        self._waiting = Waiting()
        self._workers: list[Worker] = []
        self._serial = itertools.count(1)
        self._starting = 0
        self._failed_starts = 0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._watcher: threading.Thread | None = None
        self._is_closed = False
        self._is_asleep = False
        self._busy_until = 0.0
        self._preparing: threading.Thread | None = None
        self._imports = Imports()

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of workers has besides the runner's own."""
        return {**thread_variables(self.jobs, os.environ), "PYTHONHASHSEED": "0"}

    def prepare(self, imports: Imports) -> None:
        """Get ready for workers in the background, while the pipeline is imported.

        Args:
            imports: What is loaded for the workers in advance.
        """
        with self._lock:
            if self._watcher is None and self._preparing is None:
                self._is_closed = False
                self._imports = imports
                self._preparing = threading.Thread(target=self._prepare, name="finestflow-prepare", daemon=True)
                self._preparing.start()

    def _prepare(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._open()
            launcher = self._launcher
        with contextlib.suppress(OSError):  # whoever starts a worker hears of it
            launcher.prepare(self._imports)

    def origins(self) -> dict[str, str | None]:
        """Return the files of the modules that were to be loaded in advance, as far as the runner has loaded them."""
        loaded = {name: sys.modules[name] for name, _ in self._imports.modules if name in sys.modules}
        return {name: getattr(getattr(module, "__spec__", None), "origin", None) for name, module in loaded.items()}

    # -- what an executor asks ---------------------------------------------------------------------------------------------------------

    def open(self) -> str:
        """Start what the pool needs besides workers; return its folder."""
        with self._lock:
            self._open()
            return self.folder

    def next_number(self) -> int:
        """Return a number that nothing else in this pool has."""
        return next(self._serial)

    def submit(self, item: Item) -> None:
        """Give a job to a worker, now or when one is idle."""
        with self._lock:
            self._open()
            item.serial = next(self._serial)
            self._waiting.add(item)
        self._feed()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Make a call after that time, from the thread of the pool."""
        with self._lock:
            self._open()
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._serial), call))
        self._wake()

    def process_ids(self, owner: Owner) -> tuple[int, ...]:
        """Return the workers that have jobs of an owner."""
        with self._lock:
            return tuple([worker.pid for worker in self._workers if any(item.owner is owner for item in worker.items)])

    def cancel(self, owner: Owner) -> None:
        """End the jobs of an owner at once, with the workers that have them; they get no outcome."""
        with self._lock:
            self._waiting.drop(owner)
            concerned = [worker for worker in self._workers if worker.cancel(owner)]
            self._wake()
            if threading.current_thread() is not self._watcher:
                self._gone.wait_for(lambda: not any(worker in self._workers for worker in concerned), _GONE)

    def close(self) -> None:
        """End all workers at once, and whatever belongs to the pool; it can be used again."""
        with self._lock:
            watcher = self._watcher
            self._is_closed = True
            self._preparing = None
            if watcher is None:
                return
            self._waiting.take_all()
            for worker in self._workers:
                worker.cancel(None)
                worker.kill()
        self._launcher.close()  # before the thread ends, which waits for workers that are about to start
        self._wake()
        if watcher is not threading.current_thread():
            watcher.join(_GONE)
        self._guard.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    # -- giving out --------------------------------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        """Send what can be sent."""
        while True:
            with self._lock:
                chosen = self._choose()
                if chosen is None:
                    self._start_missing()
                    return
            if not self._send(*chosen):
                return

    def _choose(self) -> tuple[Worker, Item] | None:
        """Take a job out of the queue and reserve a worker for it."""
        chosen = None if self._is_closed else self._waiting.choose(self._workers)
        if chosen is not None:
            worker, item = chosen
            worker.items.append(item)
            worker.is_sending = True
        return chosen

    def _send(self, worker: Worker, item: Item) -> bool:
        """Send a job to the worker that is reserved for it; return whether there is any use in sending more."""
        is_wanted, is_sent, problem = True, False, ""
        try:
            if not item.is_started:
                is_wanted = item.is_started = item.job.start()
            if is_wanted:
                is_sent = worker.send(item, wait=len(worker.items) == 1)
        except (ChannelClosedError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - no more memory; nobody may wait for this job, or this worker, in vain
            is_wanted, problem = False, f"it cannot be sent to a worker: {describe_error(error)}"
        with self._lock:
            worker.is_sending = False
            self._busy_until = time.monotonic() + _LINGER
            if not is_sent:
                worker.items.remove(item)
                if is_wanted and not item.is_cancelled:
                    self._waiting.put_back([item])
                    worker.retire_unless_busy()
            if worker.is_dead:
                self._gone.notify_all()
            is_asleep, is_full = self._is_asleep, is_wanted and not is_sent and bool(worker.items)
        if is_asleep or item.job.timeout is not None:
            self._wake()
        if problem:
            _call(item.owner.died, item, WorkerDiedError(problem, "run it without workers: --executor sequential"))
        return not is_full

    # -- processes ---------------------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Start what the pool needs besides workers."""
        if self._watcher is not None:
            return
        os.makedirs(self.equipment.scratch, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="pool-", dir=self.equipment.scratch)
        self._guard = Guard(self.folder)
        # multiprocess takes 60 ms, and a cached run needs none of it
        from finestflow.executor.process.launch import Launcher

        self._launcher = Launcher(
            self._start_method, lambda: self.variables, self.folder, self.equipment.root, self._guard
        )
        self._is_closed = False
        self._failed_starts = 0
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._watcher = threading.Thread(target=self._watch, name="finestflow-pool", daemon=True)
        self._watcher.start()
        atexit.register(self.close)
        _POOLS.add(self)

    def _start_missing(self) -> None:
        """Start a worker for each job that waits, as long as there may be more."""
        living = [worker for worker in self._workers if not worker.is_ending]
        coming = self._starting + sum(not worker.is_ready for worker in living)
        room = self.jobs - self._starting - len(living)
        for _ in range(min(len(self._waiting) - coming, room)):
            self._starting += 1
            threading.Thread(target=self._start_worker, name="finestflow-start", daemon=True).start()

    def _start_worker(self) -> None:
        worker, problem = None, ""
        try:
            worker = Worker(self.folder, self._launcher, self.equipment)
            self._guard.add(worker.pid)
        except Exception as error:  # noqa: BLE001 - no more processes, no more descriptors: whatever the system says
            problem = f"no worker can be started: {type(error).__name__}: {error}"
        with self._lock:
            self._starting -= 1
            is_alone = not self._workers and not self._starting
            if worker is not None:
                self._workers.append(worker)
                if self._is_closed:
                    worker.kill()
        if problem and is_alone:
            self._give_up(problem)
        self._wake()

    def _give_up(self, problem: str) -> None:
        """Fail all jobs that wait: they do not run in the runner instead, as what ends workers might end it too."""
        with self._lock:
            self._failed_starts = 0
            lost = self._waiting.take_all()
        for item in lost:
            _call(item.owner.died, item, WorkerDiedError(problem, "run it without workers: --executor sequential"))

    def _wake(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._waker.send(b"x")

    # -- the thread --------------------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Wait for whatever happens next, until the pool is closed and all workers are gone."""
        selector = selectors.DefaultSelector()
        selector.register(self._woken, selectors.EVENT_READ)
        watched: set[Worker] = set()
        while True:
            with self._lock:
                for worker in self._workers:
                    if worker not in watched:
                        watched.add(worker)
                        selector.register(worker.channel.end, selectors.EVENT_READ, worker)
                        selector.register(worker.sentinel, selectors.EVENT_READ, worker)
                if self._is_closed and not self._workers and not self._starting:
                    self._watcher = None
                    break
                timeout = self._time_to_wait()
                self._is_asleep = timeout is None
            for key, _ in selector.select(timeout):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(1 << 12)
                elif key.data not in watched:
                    continue
                elif key.fileobj is key.data.channel.end:
                    self._receive(key.data)
                else:
                    self._receive(key.data)
                    watched.discard(key.data)
                    selector.unregister(key.data.channel.end)
                    selector.unregister(key.data.sentinel)
                    self._bury(key.data)
            self._look_at_the_clock()
        selector.close()
        self._waker.close()
        self._woken.close()

    def _time_to_wait(self) -> float | None:
        """Return how many seconds nothing is due."""
        now = time.monotonic()
        times = [self._timers[0][0]] if self._timers else []
        if now < self._busy_until:
            times.append(now + _TAIL)
        for worker in self._workers:
            times += [at for at in (worker.deadline, worker.kill_at) if at is not None]
            if worker.items:
                times.append(worker.next_look)
        return max(0.0, min(times) - now) if times else None

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        due: list[Callable[[], None]] = []
        has_more = False
        with self._lock:
            while self._timers and self._timers[0][0] <= now:
                due.append(heapq.heappop(self._timers)[2])
            workers = list(self._workers)
            has_idle = not self._waiting and any(worker.is_idle for worker in workers)
        for worker in workers:
            worker.keep_deadline(now)
            if worker.items and now >= worker.next_look:
                worker.next_look = now + _TAIL
                if len(worker.items) == 1:
                    _call(worker.tell_text)
                elif has_idle and now - worker.began > QUICK:
                    has_more = self._take_back(worker) or has_more
        for call in due:
            _call(call)
        if has_more:
            self._feed()

    def _take_back(self, worker: Worker) -> bool:
        """Put the jobs that a worker has not begun back into the queue."""
        with self._lock:
            if worker.is_sending:
                return False
            unread = worker.take_back()
            self._waiting.put_back(unread)
        return bool(unread)

    # -- what workers say --------------------------------------------------------------------------------------------------------------

    def _receive(self, worker: Worker) -> None:
        """Take all that a worker has sent."""
        while True:
            try:
                data = worker.channel.receive(wait=False)
            except ChannelClosedError:
                return
            if data is None:
                return
            try:
                message = pickle.loads(data)
            except Exception:  # noqa: BLE001 - somebody else has written into its channel: nothing that it says counts
                worker.kill()
                return
            if type(message) is Live:
                item = worker.item_of(message.serial)
                if item is not None:
                    _call(getattr(item.job.sink, message.method), item.job.path, *message.values)
            else:
                self._end_item(worker, message)

    def _end_item(self, worker: Worker, message: Done | Refused | None) -> None:
        """Take the end of a job, or that a worker is ready for its first."""
        item = None
        with self._lock:
            if message is None:
                worker.note_ready()
                self._failed_starts = 0
            else:
                item = worker.item_of(message.serial)
                assert item is not None  # a worker answers each job once
                worker.items.remove(item)
                worker.begin_next()
                if worker.is_ending and not worker.items:
                    worker.kill()
                if isinstance(message, Refused):
                    worker.refuse(item, message)
                if item.is_cancelled:
                    return
                if isinstance(message, Refused):
                    if message.is_unfit:
                        self._launcher.start_afresh()
                        self._waiting.put_back([item])
                        item = None
                    elif not worker.is_fresh and item.refusals < self.jobs and not message.is_final:
                        item.refusals += 1
                        self._waiting.put_back([item])
                        item = None
        if isinstance(message, Done) and item is not None:
            worker.note_warm(item)
            self._waiting.note_duration(item, message.outcome["seconds"])
            _call(worker.tell_text, item, message.log)
        self._feed()
        if isinstance(message, Done) and item is not None:
            _call(item.owner.finished, item, message)
        elif isinstance(message, Refused) and item is not None:
            _call(item.owner.refused, item, message.reason)

    def _bury(self, worker: Worker) -> None:
        """Take leave of a worker that has ended: its job has failed, what it had not begun goes to another."""
        with self._lock:
            worker.is_dead = worker.is_ending = True
            self._gone.wait_for(lambda: not worker.is_sending)
            self._waiting.put_back(worker.take_back())
            lost = [item for item in worker.items if not item.is_cancelled]
            worker.items.clear()
            if not worker.is_ready:
                self._failed_starts += 1
            has_given_up = self._failed_starts >= _STARTS
        if lost:
            _call(worker.tell_text, lost[0])
        status = worker.end()
        self._guard.drop(worker.pid)
        with self._lock:
            self._workers.remove(worker)
            self._gone.notify_all()
        if has_given_up:
            self._give_up(f"workers end as soon as they start: {worker.last_words() or 'nobody knows why'}")
        for item in lost:
            _call(item.owner.died, item, worker.verdict(item, status))
        worker.close()
        self._feed()

    def abandon(self) -> None:
        """Forget everything in a forked child of the runner: the workers are the parent's."""
        if self._watcher is not None:
            for thing in (self._waker, self._woken, self._guard, self._launcher, *self._workers):
                with contextlib.suppress(OSError):
                    thing.close() if isinstance(thing, socket.socket) else thing.abandon()  # type: ignore[attr-defined]
            atexit.unregister(self.close)
        self.__init__(self.equipment, jobs=self.jobs, start_method=self._start_method)  # type: ignore[misc]


def _call(function: Callable[..., None], *args: Any) -> None:
    """Call back; nothing that goes wrong there may stop the thread of the pool."""
    try:
        function(*args)
    except BaseException:  # noqa: BLE001 - see above; an exit in a value of the user is no end of the pool either
        traceback.print_exc()


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


def _abandon_all() -> None:
    for pool in list(_POOLS):
        pool.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
