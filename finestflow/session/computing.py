"""How the calls of a run are computed: who computes a key, jobs, tries, and what came of them.

Invariants: one call computes a key, here and in all other runs, unless it was to run anyway; a job that is not wanted any more when it is its turn
does not start. ``Session`` hands over calls that are no hits; the executor answers from any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from finestflow.cache.codec import MissingValueError
from finestflow.errors import describe_error
from finestflow.executor.protocol import Executor, Job, Outcome
from finestflow.model import Attempt, NodeStatus
from finestflow.pipeline.output import handle_of, iter_outputs
from finestflow.session.lookup import Static, seed_of
from finestflow.session.node import LostError, Node

if TYPE_CHECKING:
    from finestflow.cache.claims import Claims
    from finestflow.pipeline.context import Context
    from finestflow.session.session import Session

__all__ = ["Computing"]

_LONGEST_WAIT = 86_400.0
"""Seconds to wait for another run that computes the same key; a claim ends with its owner, so this is no risk of hanging."""
_FIRST_LOOK, _LAST_LOOK = 0.01, 0.2
"""Seconds until a parallel run asks again whether another run has computed a key: at first, and at most."""
_BRISK = 0.001
"""Seconds: after a call that took less, the next one claims all keys with its own, and tells its start together with others."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""Seconds before a failed call is tried again, on average: the first time, and at most."""


class Computing:
    """The calls of one run that are no hits.

    Args:
        session: The run.
        executor: Runs jobs.
        claims: Which keys other runs are computing; None when nobody else can be.
        is_alone: Whether no other run is going on, so that nobody waits for what is not in the database yet.
        timeout: Seconds after which a call is ended, where its task says nothing else.
    """

    def __init__(
        self,
        session: Session,
        executor: Executor,
        *,
        claims: Claims | None,
        is_alone: Callable[[], bool],
        timeout: float | None,
    ) -> None:
        self._session = session
        self._executor = executor
        self._schedule = session.schedule
        self._lock = session.schedule.lock
        self._claims = claims
        self._is_alone = is_alone
        self._timeout = timeout
        self._computing: dict[str, Node] = {}
        self._is_brisk = False
        self._setup_seeds: dict[str, int] = {}

    # -- who computes a key ------------------------------------------------------------------------------------------------------------

    def take_claim(self, node: Node, static: Static) -> bool:
        """Return whether this call is the one to compute its key; else it goes on when the key has been computed."""
        key = node.key
        assert key is not None
        if self._session.is_parallel:
            other = self._computing.get(key)
            if other is not None and other is not node and other.is_open and node.why != "forced":
                self._session.defer(node, (other,))
                return False
            self._computing[key] = node
        if self._claims is None or self._claims.take(key, with_all=self._is_brisk and self._is_alone()):
            return True
        self._session.events.emit({"e": "note", "node": node.path, "text": "waiting: another run is computing this"})
        if self._session.is_parallel:
            self._look_later(node, _FIRST_LOOK)
            return False
        self._claims.take(key, wait=_LONGEST_WAIT)
        return not self._is_computed(node, static)

    def _is_computed(self, node: Node, static: Static) -> bool:
        """Return whether another run has computed a key that is now claimed; if so it is a hit."""
        verdict = self._session.lookup.find(node.key, self._session.view_of(node), static.store, fresh=True)  # type: ignore[arg-type]
        if verdict.entry is None:
            return False
        self._claims.release(node.key)  # type: ignore[union-attr, arg-type]
        self._session.hit(node, static, verdict.entry, verdict.value)
        return True

    def _look_later(self, node: Node, pause: float) -> None:
        look = partial(self._look_again, node, min(2 * pause, _LAST_LOOK))
        self._ask(node, partial(self._executor.later, pause, look))

    def _ask(self, node: Node, request: Callable[[], None]) -> None:
        """Ask something of the executor; a call for which it cannot even be asked has failed."""

        def failed(error: Exception) -> None:
            if node.is_open and not self._session.is_stopped:
                self._schedule.end_work()
                self._session.fail(node, error, node.call.static if node.call is not None else None)

        self._schedule.begin_work(request, failed)

    def _look_again(self, node: Node, pause: float) -> None:
        """Ask once more whether another run has computed a key."""
        with self._lock:
            self._schedule.end_work()
            call = node.call
            if self._session.is_stopped or call is None:
                return
            if self._session.failures.is_halting:
                self._session.hold(node)
            elif not self._claims.take(node.key):  # type: ignore[union-attr, arg-type]
                self._look_later(node, pause)
            elif not self._is_computed(node, call.static):
                self.run(node)
        self._schedule.work()

    # -- jobs --------------------------------------------------------------------------------------------------------------------------

    def run(self, node: Node) -> None:
        """Have a call computed; its task and inputs are those of the time of the call."""
        assert self._executor is not None
        call = self._session.make_own(node) if self._session.is_parallel else node.call
        assert call is not None
        static, task = call.static, node.task
        node.status = NodeStatus.PENDING
        node.seed = seed_of(self._session.lookup.seed, node.key or "")
        context = self._session.context.view(call.scope)
        meta = type(task).__finestflow_meta__
        session, store = self._session, static.store
        job = Job(  # by position: a third of the time that keywords take
            node.path,
            task,
            static.warm_key,
            call.args,
            call.kwargs,
            session.load,
            session.refer,
            store.encode,
            node.seed,
            self._setup_seed_of(static.warm_key),
            context,
            session.events,
            partial(self._start, node),
            str(store.objects.root) if store is not session.store else "",
            meta.timeout or self._timeout,
        )
        self._ask(node, partial(self._executor.submit, job, partial(self._finish, node, context)))

    def _setup_seed_of(self, warm_key: str) -> int:
        """Return the seed of ``initialize``, which many calls share."""
        seed = self._setup_seeds.get(warm_key)
        if seed is None:
            seed = self._setup_seeds[warm_key] = seed_of(self._session.lookup.seed, warm_key)
        return seed

    def recompute(self, node: Node) -> None:
        """Run a call again, a hit whose value is lost."""
        if node.status is NodeStatus.HIT:
            node.why = "its stored output was damaged or removed"
            node.hit_of = None
            node.is_cached = True
            if node.parent is not None:
                node.parent.open_calls += 1
            self.run(node)

    def _start(self, node: Node) -> bool:
        """Take note that a call begins; False when it is not to: then it is held, and asked for again later."""
        with self._lock:
            if self._session.is_stopped:
                return False
            if self._session.failures.is_halting:
                self._session.hold(node)
                self._schedule.end_work()
                return False
            node.status = NodeStatus.RUNNING
            self._session.events.start(node, lazy=self._is_brisk)
            return True

    def _finish(self, node: Node, context: Context, outcome: Outcome) -> None:
        """Take what came of a call."""
        with self._lock:
            if self._session.is_stopped:
                return
            self._schedule.end_work()
            try:
                self._take_try(node, context, outcome)
            except Exception as error:
                if not node.is_open:
                    raise
                self._session.fail(node, error, None)
        self._schedule.work()

    def _take_try(self, node: Node, context: Context, outcome: Outcome) -> None:
        """Take what came of a try: the last one, or another has to follow."""
        error = outcome.error
        if error is not None and self._is_recovered(node, error):
            return
        if error is not None and len(node.attempts) < type(node.task).__finestflow_meta__.retries:
            node.attempts = (*node.attempts, _attempt(outcome))
            self._try_again(node)
        else:
            self._take(node, context, outcome)

    def _try_again(self, node: Node) -> None:
        node.status = NodeStatus.PENDING
        assert self._executor is not None
        pause = _pause_before(len(node.attempts), node.seed or 0)
        self._ask(node, partial(self._executor.later, pause, partial(self._run_again, node)))

    def _run_again(self, node: Node) -> None:
        with self._lock:
            self._schedule.end_work()
            if not self._session.is_stopped:
                self.run(node)
        self._schedule.work()

    def _is_recovered(self, node: Node, error: BaseException) -> bool:
        """Whether a call failed because stored inputs are lost, and will go on when they have been computed again."""
        call = node.call
        if call is None or not isinstance(error, (LostError, MissingValueError)):
            return False
        origins = {handle_of(output) for value in (*call.args, *call.kwargs.values()) for output in iter_outputs(value)}
        lost = [origin for origin in origins if isinstance(origin, Node) and origin.is_lost]
        for origin in lost:
            self.recompute(origin)
        if lost:
            node.status = NodeStatus.PENDING
            self._session.defer(node, lost)
        return bool(lost)

    def _take(self, node: Node, context: Context, outcome: Outcome) -> None:
        """Take the outcome of the last try."""
        call = node.call
        assert call is not None
        node.seconds, node.cpu, node.memory = outcome.seconds, outcome.cpu, outcome.memory
        self._is_brisk = outcome.seconds < _BRISK
        node.notes += (*call.static.notes, *outcome.notes, *outcome.remarks)
        for text in outcome.remarks:
            self._session.warn(f"task {node.path!r}: {text}")
        for name, encoded in outcome.effects.artifacts.items():
            call.static.store.add_value(encoded)
            self._session.events.artifact(node.path, name, encoded)
        if node.attempts:
            node.attempts = (*node.attempts, _attempt(outcome))
        if outcome.error is not None:
            self._session.fail(node, outcome.error, call.static)
        else:
            if self._session.is_parallel:
                for name, value in outcome.effects.context.items():
                    self._session.context.replay(name, value)
            self._session.results.keep(node, call.static, outcome, context)
            node.status = NodeStatus.OK
            self._session.end(node, call.static)

    def ended(self, node: Node) -> None:
        """Give back what a call held that has ended."""
        if self._session.is_parallel and node.key is not None and self._computing.get(node.key) is node:
            del self._computing[node.key]
        if self._claims is not None and node.is_cached and node.status is not NodeStatus.HIT:
            if self._is_alone():
                self._claims.release(node.key)  # type: ignore[arg-type]
            else:
                self._session.store.release_when_written(self._claims, node.key)  # type: ignore[arg-type]

    def close(self) -> None:
        """Give back all keys."""
        if self._claims is not None:
            self._claims.close()


def _pause_before(attempt: int, seed: int) -> float:
    """Return the seconds to wait before a try: twice as long each time, and no two calls at once after a common cause."""
    jitter = seed_of(seed, f"attempt {attempt}") / 2**32
    return min(_FIRST_PAUSE * 2.0 ** (attempt - 1), _LONGEST_PAUSE) * (0.5 + jitter)


def _attempt(outcome: Outcome) -> Attempt:
    error = outcome.error
    return Attempt(
        started=outcome.started,
        seconds=outcome.seconds,
        status=NodeStatus.OK if error is None else NodeStatus.FAILED,
        error="" if error is None else describe_error(error),
    )
