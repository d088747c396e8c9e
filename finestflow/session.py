"""What the calls in the body of a pipeline become: nodes, hits, jobs, Outputs.

Owns the nodes of one run while it goes: their inputs, keys, states and values. Invariants: a hit loads no value and initialises no task; a call
goes on as soon as its inputs have ended, whoever finds that out; after a failure nothing new starts until the body has seen it. ``runner`` opens
a session a run, and one without an executor to plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import Context, copy_context
from fnmatch import fnmatchcase
from functools import partial as bound
from threading import Thread
from typing import TYPE_CHECKING, Any

from finestflow.cache.codec import MissingValueError
from finestflow.executor.perform import own_value
from finestflow.executor.protocol import Executor, Job, Outcome
from finestflow.inputs import read_inputs, tokens_of
from finestflow.lookup import Lookup, Static, compose_key, seed_of
from finestflow.model import WHY_HIT, Attempt, NodeStatus, RunId
from finestflow.node import Call, LostError, Node, Stopped, Structure, UnknownValue, open_nodes
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.output import Output, handle_of, iter_outputs, part_of
from finestflow.reporter import artifact_event
from finestflow.results import Results
from finestflow.schedule import Schedule

if TYPE_CHECKING:
    from finestflow.cache.claims import Claims
    from finestflow.cache.codec import Encoded
    from finestflow.cache.store import Entry, Store, ValueInfo
    from finestflow.executor.perform import Clock
    from finestflow.pace import Row
    from finestflow.partial import Partial
    from finestflow.pipeline.context import Context as RunContext
    from finestflow.pipeline.task import Task

__all__ = ["Session"]

_LONGEST_WAIT = 86_400.0
"""Seconds to wait for another run that computes the same key; a claim ends with its owner, so this is no risk of hanging."""
_FIRST_LOOK, _LAST_LOOK = 0.01, 0.2
"""Seconds until a parallel run asks again whether another run has computed a key: at first, and at most."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""Seconds before a failed call is tried again, on average: the first time, and at most."""
_MAX_THREADS = 64
"""So many bodies of nested pipelines go on at a time; more run in the thread of their caller."""


class Session:
    """The nodes of one run.

    Args:
        run_id: Identity of the run.
        lookup: Keys and entries.
        executor: Runs what is no hit; None plans only.
        emit: Takes events from any thread; ``lazy`` ones may be written later.
        emit_node: Takes, likewise, how a node stands.
        clock: Where the time comes from.
        context: The run's shared context.
        claims: Which keys other runs are computing; None when nobody else can be.
        is_alone: Whether no other run is going on, so that nobody waits for what is not in the database yet.
        use_cache: Whether entries are looked up and written.
        forced: Patterns of node paths that run although they are hits.
        keep_going: Whether what does not depend on a failure still runs.
        timeout: Seconds after which a call is ended, where its task says nothing else.
        partial: Where it starts and stops, when that is not at the beginning and the end.
        blank: Takes the secrets out of a text that is kept.
        warn: Says something to the person at the terminal.
    """

    def __init__(
        self,
        *,
        run_id: RunId,
        lookup: Lookup,
        executor: Executor | None,
        emit: Callable[..., None],
        emit_node: Callable[..., None],
        clock: Clock,
        context: RunContext,
        claims: Claims | None = None,
        is_alone: Callable[[], bool] = lambda: True,
        use_cache: bool = True,
        forced: Iterable[str] = (),
        keep_going: bool = False,
        timeout: float | None = None,
        partial: Partial | None = None,
        blank: Callable[[str], str] = str,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.run_id = run_id
        self.lookup = lookup
        self.store = lookup.store
        self.executor = executor
        self.emit = emit
        self.emit_node = emit_node
        self.clock = clock
        self.context = context
        self.nodes: dict[str, Node] = {}
        self.jobs = executor.jobs if executor is not None else 1
        self.is_parallel = executor is not None and executor.is_parallel
        self._schedule = Schedule(self._advance, is_parallel=self.is_parallel)
        self._lock = self._schedule.lock
        self._partial = partial
        if partial is not None:
            partial.make_ready = self._schedule.make_ready
        self._failures: dict[Node, None] = {}
        self._computing: dict[str, Node] = {}
        self._threads = 0
        self._body_error: BaseException | None = None
        self._is_stopped = False
        self._claims = claims
        self._is_alone = is_alone
        self._use_cache = use_cache
        self._forced = tuple(forced)
        self._keep_going = keep_going
        self._timeout = timeout
        self.warn = warn or (lambda _: None)
        self._results = Results(run_id, lookup, blank, self.warn)
        self._described: set[str] = set()

    @property
    def is_partial(self) -> bool:
        """Whether not all calls are to be computed."""
        return self._partial is not None

    @property
    def files(self) -> Mapping[str, str]:
        """Files of the project that calls opened, with the digest of each."""
        return self._results.files

    # -- one call ----------------------------------------------------------------------------------------------------------------------

    def call_task(
        self,
        path: str,
        task: Task,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        scope: str = "",
        parent: Structure | None = None,
        after: tuple[str, ...] = (),
    ) -> Output:
        """Make a call a node: a hit, a job, or one that waits for its inputs.

        Args:
            path: Path of the node.
            task: What is called.
            args: Positional inputs.
            kwargs: Inputs by name.
            scope: Scope of the context that the body is in.
            parent: The nested pipeline that calls.
            after: Paths of nodes that the body has looked at since its last call.
        """
        with self._lock:
            if self._is_stopped:
                raise Stopped
            static = self.lookup.static_of(task)
            node = Node(path, static.identity, self, task)
            node.call = Call(static, args, kwargs, scope)
            if parent is not None:
                node.parent = parent
                parent.open_calls += 1
            if after:
                node.after = after
            self.nodes[path] = node
            if self._partial is not None:
                self._partial.take_up(node, FRAME.get())
            self._advance(node)
        if self._schedule.has_work:
            self._schedule.work()
        return Output(node)

    def _advance(self, node: Node) -> None:
        """Take a call as far as it can go now."""
        call = node.call
        if call is None or node.status is not NodeStatus.PENDING:
            if not self._is_stopped:
                node.step()
            return
        if self._partial is not None and not self._admit(self._partial, node, call):
            return
        if self.is_parallel or self._schedule.held or self._partial is not None:
            origins = open_nodes((*call.args, *call.kwargs.values()))
            if origins:
                self._defer(node, origins)
                return
        try:
            tokens, problem, obstacle = read_inputs(node, call, self.lookup)
        except LostError as lost:
            self._recompute(lost.node)
            self._defer(node, (lost.node,))
            return
        if obstacle is not None:
            self.block(node, obstacle)
        elif self.is_halted:
            self._hold(node)
        else:
            self._serve(node, call, tokens, call.static.problem or problem)

    def _admit(self, partial: Partial, node: Node, call: Call) -> bool:
        """Return whether a call is to go on in a partial run; what another run has of it is taken from there."""
        bodies = partial.find_bodies(call)
        if bodies:
            self._defer(node, bodies)
            return False
        self._make_own(node)
        if not partial.admit(node, call):
            return False
        digest = partial.output_of(node)
        store = call.static.store
        if digest is None or not store.has(digest):
            return True
        node.status = NodeStatus.HIT
        node.info = store.info(digest)
        node.store = store
        node.hit_of = partial.run
        node.why = "before the start of a partial run"
        self._end(node, call.static)
        return False

    def _defer(self, node: Node, origins: Iterable[Node]) -> None:
        """Let a call go on when these have ended."""
        self._make_own(node)
        self._schedule.defer(node, origins)

    def _hold(self, node: Node) -> None:
        """Keep a call back until the body has got over the failure, or has ended."""
        self._make_own(node)
        self._schedule.hold(node)

    def _make_own(self, node: Node) -> Call:
        """Return what a call is computed from, copied: the body may change what it gave before the call runs."""
        call = node.call
        assert call is not None
        if not call.is_own:
            node.task = call.static.own_task(node.task)
            args = tuple([own_value(value, _as_it_is) for value in call.args])
            kwargs = {name: own_value(value, _as_it_is) for name, value in call.kwargs.items()}
            call = node.call = call._replace(args=args, kwargs=kwargs, is_own=True)
        return call

    def _serve(self, node: Node, call: Call, tokens: list[tuple[str, str]], problem: str) -> None:
        """Answer a call whose inputs are known: from the cache, or by running it."""
        static = call.static
        node.key = compose_key(static, tokens)
        node.store = static.store
        why = self._reason_to_run(node, static, problem)
        if why is None:
            return
        node.why = why
        if self.executor is None:
            self._tell(node, static)
            return
        if self._partial is not None and not node.is_downstream:
            self._partial.miss(node)
            return
        node.is_cached = self._use_cache and not problem
        if not node.is_cached or self._take_claim(node, static):
            self._run(node)

    def _reason_to_run(self, node: Node, static: Static, problem: str) -> str | None:
        """Return why a call has to run; None when it was a hit and is served."""
        if problem:
            if type(node.task).__finestflow_meta__.cache is not False:
                self.warn(f"task {node.path!r} is not cached: {problem}")
            return f"not cached: {problem}"
        if not self._use_cache:
            return "the cache is off for this run"
        if self._forced and any(fnmatchcase(node.path, pattern) for pattern in self._forced):
            return "forced"
        verdict = self.lookup.find(node.key, self.context, static.store)  # type: ignore[arg-type]
        if verdict.entry is None:
            return verdict.why or self.lookup.explain_miss(node.path, static, tokens_of(node))
        self._hit(node, static, verdict.entry, verdict.value)
        return None

    # -- who computes a key ------------------------------------------------------------------------------------------------------------

    def _take_claim(self, node: Node, static: Static) -> bool:
        """Return whether this call is the one to compute its key; else it goes on when the key has been computed."""
        key = node.key
        assert key is not None
        if self.is_parallel:
            other = self._computing.get(key)
            if other is not None and other is not node and other.is_open and node.why != "forced":
                self._defer(node, (other,))
                return False
            self._computing[key] = node
        if self._claims is None or self._claims.take(key):
            return True
        self.emit({"e": "note", "node": node.path, "text": "waiting: another run is computing this"})
        if self.is_parallel:
            self._look_later(node, _FIRST_LOOK)
            return False
        self._claims.take(key, wait=_LONGEST_WAIT)
        return not self._is_computed(node, static)

    def _is_computed(self, node: Node, static: Static) -> bool:
        """Return whether another run has computed a key that is now claimed; if so it is a hit."""
        verdict = self.lookup.find(node.key, self.context, static.store, fresh=True)  # type: ignore[arg-type]
        if verdict.entry is None:
            return False
        self._claims.release(node.key)  # type: ignore[union-attr, arg-type]
        self._hit(node, static, verdict.entry, verdict.value)
        return True

    def _look_later(self, node: Node, pause: float) -> None:
        look = bound(self._look_again, node, min(2 * pause, _LAST_LOOK))
        self._schedule.begin_work(bound(self.executor.later, pause, look))  # type: ignore[union-attr]

    def _look_again(self, node: Node, pause: float) -> None:
        """Ask once more whether another run has computed a key."""
        with self._lock:
            self._schedule.end_work()
            call = node.call
            if self._is_stopped or call is None:
                return
            if self.is_halted:
                self._hold(node)
            elif not self._claims.take(node.key):  # type: ignore[union-attr, arg-type]
                self._look_later(node, pause)
            elif not self._is_computed(node, call.static):
                self._run(node)
        self._schedule.work()

    # -- hits --------------------------------------------------------------------------------------------------------------------------

    def _hit(self, node: Node, static: Static, entry: Entry, value: ValueInfo | None) -> None:
        node.status = NodeStatus.HIT
        node.info = value
        node.hit_of = RunId(entry.run)
        node.why = WHY_HIT
        if entry.observed:
            self._results.note_files(entry.observed)
        node.notes = static.notes
        effects = self._results.effects_of(entry)
        if effects:
            self._replay(node, static.store, effects)
        self._end(node, static, log=effects.get("log"))

    def _replay(self, node: Node, store: Store, effects: Mapping[str, Any]) -> None:
        now = self.clock.time()
        if rows := [(name, value, step, now) for name, value, step in effects.get("metrics", ())]:
            self.metrics(node.path, rows)
        for name, digest in effects.get("context", {}).items():
            self.context.replay(name, self.store.load(digest))
        for name, digest in effects.get("saved", {}).items():
            info = store.info(digest)
            if info is not None:
                self.artifact(node.path, name, info, NodeStatus.HIT)

    def compute_again(self, node: Node) -> None:
        """Run a call whose hit turns out to have lost its value, and wait for it."""
        with self._lock:
            self._recompute(node)
        self._schedule.work(is_nested=True)
        self._schedule.wait(node, self._check)

    def _recompute(self, node: Node) -> None:
        if node.status is NodeStatus.HIT:
            node.why = "its stored output was damaged or removed"
            node.hit_of = None
            node.is_cached = True
            if node.parent is not None:
                node.parent.open_calls += 1
            self._run(node)

    # -- misses ------------------------------------------------------------------------------------------------------------------------

    def _run(self, node: Node) -> None:
        """Have a call computed."""
        assert self.executor is not None
        call = self._make_own(node) if self.is_parallel else node.call
        assert call is not None
        static, task = call.static, node.task
        node.status = NodeStatus.PENDING
        node.seed = seed_of(self.lookup.seed, node.key or "")
        context = self.context.view(call.scope)
        meta = type(task).__finestflow_meta__
        job = Job(
            path=node.path,
            task=task,
            warm_key=static.warm_key,
            args=call.args,
            kwargs=call.kwargs,
            load=self.load,
            refer=self.refer,
            encode=static.store.encode,
            seed=node.seed,
            setup_seed=seed_of(self.lookup.seed, static.warm_key),
            context=context,
            sink=self,
            start=bound(self._start, node),
            store=str(static.store.objects.root) if static.store is not self.store else "",
            timeout=meta.timeout or self._timeout,
        )
        self._schedule.begin_work(bound(self.executor.submit, job, bound(self._finish, node, context)))

    def _start(self, node: Node) -> bool:
        """Take note that a call begins; False when it is not to: then it is held, and asked for again later."""
        with self._lock:
            if self._is_stopped:
                return False
            if self.is_halted:
                self._hold(node)
                self._schedule.end_work()
                return False
            node.status = NodeStatus.RUNNING
            now = self.clock.time()
            if node.started is None:
                node.started = now
            self.emit({"e": "start", "path": node.path, "task": node.identity, "key": node.key, "t": now})
            return True

    def _finish(self, node: Node, context: RunContext, outcome: Outcome) -> None:
        """Take what came of a call."""
        with self._lock:
            if self._is_stopped:
                return
            self._schedule.end_work()
            error = outcome.error
            if error is not None and self._is_recovered(node, error):
                pass
            elif error is not None and len(node.attempts) < type(node.task).__finestflow_meta__.retries:
                node.attempts = (*node.attempts, _attempt(outcome))
                self._try_again(node)
            else:
                self._take(node, context, outcome)
        self._schedule.work()

    def _try_again(self, node: Node) -> None:
        node.status = NodeStatus.PENDING
        assert self.executor is not None
        pause = _pause_before(len(node.attempts), node.seed or 0)
        self._schedule.begin_work(bound(self.executor.later, pause, bound(self._run_again, node)))

    def _run_again(self, node: Node) -> None:
        with self._lock:
            self._schedule.end_work()
            if not self._is_stopped:
                self._run(node)
        self._schedule.work()

    def _is_recovered(self, node: Node, error: BaseException) -> bool:
        """Whether a call failed because stored inputs are lost, and will go on when they have been computed again."""
        call = node.call
        if call is None or not isinstance(error, (LostError, MissingValueError)):
            return False
        origins = {handle_of(output) for value in (*call.args, *call.kwargs.values()) for output in iter_outputs(value)}
        lost = [origin for origin in origins if isinstance(origin, Node) and origin.is_lost]
        for origin in lost:
            self._recompute(origin)
        if lost:
            node.status = NodeStatus.PENDING
            self._defer(node, lost)
        return bool(lost)

    def _take(self, node: Node, context: RunContext, outcome: Outcome) -> None:
        """Take the outcome of the last try."""
        call = node.call
        assert call is not None
        node.seconds = outcome.seconds
        node.notes += (*call.static.notes, *outcome.notes)
        for name, encoded in outcome.effects.artifacts.items():
            call.static.store.add_value(encoded)
            self.artifact(node.path, name, encoded)
        if node.attempts:
            node.attempts = (*node.attempts, _attempt(outcome))
        if outcome.error is not None:
            self._fail(node, outcome.error, call.static)
        else:
            node.status = NodeStatus.OK
            if self.is_parallel:
                for name, value in outcome.effects.context.items():
                    self.context.replay(name, value)
            self._results.keep(node, call.static, outcome, context)
            self._end(node, call.static)

    def _end(self, node: Node, static: Static | None, log: str | None = None) -> None:
        """Tell that a call has ended, give back what it held, and let go on what waits for it."""
        if self.is_parallel and node.key is not None and self._computing.get(node.key) is node:
            del self._computing[node.key]
        if self._claims is not None and node.is_cached and node.status is not NodeStatus.HIT:
            if self._is_alone():
                self._claims.release(node.key)  # type: ignore[arg-type]
            else:
                self.store.release_when_written(self._claims, node.key)  # type: ignore[arg-type]
        self._tell(node, static, log)
        info = node.info
        if node.status is not NodeStatus.HIT or (info is not None and info.data is not None):
            node.call = None  # only a hit whose value may turn out to be lost is ever computed again
        self._schedule.ended(node)
        if node.parent is not None and node.parent.child_ended(node):
            self._complete(node.parent)

    # -- nested pipelines --------------------------------------------------------------------------------------------------------------

    def open_body(self, node: Structure, body: Callable[[], None]) -> None:
        """Take up a nested pipeline and run its body: in a thread of its own where calls run in parallel."""
        with self._lock:
            self._take_up(node)
            has_thread = self.is_parallel and self._threads < _MAX_THREADS
            if has_thread:
                self._start_thread(node, body, copy_context())
        if has_thread:
            self._schedule.work()
        else:
            body()

    def _take_up(self, node: Structure) -> None:
        if self._is_stopped:
            raise Stopped
        if node.parent is not None:
            node.parent.open_calls += 1
        self.nodes[node.path] = node
        self._tell_start(node)

    def _tell_start(self, node: Structure, **fields: int) -> None:
        node.began = self.clock.monotonic()
        node.started = now = self.clock.time()
        self.emit(
            {"e": "start", "path": node.path, "task": node.identity, "kind": node.kind, "t": now, **fields}, lazy=True
        )

    def _start_thread(self, node: Structure, body: Callable[[], None], context: Context) -> None:
        self._threads += 1
        target = bound(context.run, self._run_body, node, body)
        self._schedule.begin_work(Thread(target=target, name=f"finestflow {node.path}", daemon=True).start)

    def _run_body(self, node: Structure, body: Callable[[], None]) -> None:
        """Run a body in a thread of its own; whatever it raises is known to the run."""
        try:
            body()
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - a thread that just ends would be waited for in vain
            self.close_body(node, error)
        with self._lock:
            self._threads -= 1
            self._schedule.end_work()
        self._schedule.work()

    def close_body(self, node: Structure, error: BaseException | None, seen: Collection[BaseException] = ()) -> None:
        """Take what became of a body: its error stays in its Output.

        Args:
            node: The nested pipeline.
            error: What its body raised.
            seen: Errors of its calls that it looked at and did not get over; its own error stands for them.
        """
        with self._lock:
            if self._is_stopped:
                raise Stopped
            node.has_returned = True
            if error is not None:
                node.error = error
                self._forget(seen, node)
                self._failures[node] = None
                self._schedule.wake()
            self._schedule.ended(node)
            if not node.open_calls or self.executor is None:
                self._complete(node)
        self._schedule.work()

    def _complete(self, node: Structure) -> None:
        """Tell how a nested pipeline stands when its body and all its calls have ended."""
        if not node.has_returned:
            return
        below = node.failed or next((each for each in self._failures if each.path.startswith(node.path + "/")), None)
        if node.error is not None or below is not None:
            node.status = NodeStatus.FAILED
            node.why = f"{below.path!r} failed" if below is not None else ""
        else:
            node.status = NodeStatus.SKIPPED if node.has_skipped and self.is_halted else NodeStatus.OK
        node.seconds = self.clock.monotonic() - node.began
        self._end(node, None)

    # -- fan-out -----------------------------------------------------------------------------------------------------------------------

    def static_of(self, task: Task) -> Static:
        """Return what all calls of a task share."""
        with self._lock:
            return self.lookup.static_of(task)

    def open_fan(self, fan: Structure) -> None:
        """Take up a fan-out, and let it go on as far as it can now."""
        with self._lock:
            self._take_up(fan)
            if self._partial is not None:
                self._partial.take_up(fan, FRAME.get())
            fan.step()
            if self._partial is not None:
                self._partial.take_up_fan(fan)
        self._schedule.work()

    def take_items(self, fan: Structure, items: Iterable[Node]) -> None:
        """Take up the nodes of a fan-out's items, now that there are any."""
        self.nodes.update((item.path, item) for item in items)
        self.emit({"e": "expect", "nodes": {fan.path: fan.open_calls}}, lazy=True)
        self._schedule.ended(fan)
        if not fan.open_calls:
            self._complete(fan)

    def begin_item(self, node: Node, call: Call) -> None:
        """Let the call of an item go on."""
        node.call = call
        if self._partial is not None:
            self._partial.take_up(node, None)
        self._advance(node)

    def begin_item_body(self, node: Structure, body: Callable[[], None], context: Context) -> None:
        """Let the body of a nested pipeline that is an item begin."""
        self._tell_start(node)
        node.status = NodeStatus.RUNNING
        if self.is_parallel:
            self._start_thread(node, body, context)
        else:
            self._schedule.begin_work(bound(self._run_item_body, body))

    def _run_item_body(self, body: Callable[[], None]) -> None:
        self._schedule.run_apart(body)
        self._schedule.end_work()

    def hold(self, fan: Structure) -> None:
        """Keep a fan-out from letting more items begin."""
        self._schedule.hold(fan)

    def defer(self, fan: Structure, origins: Iterable[Node]) -> None:
        """Let a fan-out go on when these have ended."""
        self._schedule.defer(fan, origins)

    def make_ready(self, fan: Structure) -> None:
        """Let a fan-out go on soon."""
        self._schedule.make_ready(fan)

    # -- failures ----------------------------------------------------------------------------------------------------------------------

    @property
    def is_halted(self) -> bool:
        """Whether nothing new may start."""
        return (bool(self._failures) or self._body_error is not None) and not self._keep_going

    @property
    def failure(self) -> Node | None:
        """The failure that the run ends with: of those that no body got over, the first in the order of calls."""
        if len(self._failures) < 2:
            return next(iter(self._failures), None)
        places = {path: place for place, path in enumerate(self.nodes)}

        def order(node: Node) -> list[int]:
            names = node.path.split("/")
            return [places["/".join(names[:depth])] for depth in range(1, len(names) + 1)]

        return min(self._failures, key=order)

    def _fail(self, node: Node, error: BaseException, static: Static | None) -> None:
        node.status = NodeStatus.FAILED
        node.has_returned = True
        node.error = error
        error.add_note(f"finestflow: task {node.path!r} failed; see: finestflow logs {self.run_id}:{node.path}")
        self._failures[node] = None
        self._schedule.wake()
        self._end(node, static)

    def block(self, node: Node, obstacle: Node | Exception) -> None:
        """Take note that a call cannot be made: an input is not there, or in a plan not known."""
        if isinstance(obstacle, Exception):
            self._fail(node, obstacle, node.call.static if node.call is not None else None)
        elif obstacle.is_open:
            node.why = f"waits for {obstacle.path!r}, which has to run"
            self._tell(node, None)
        else:
            status = (
                NodeStatus.FAILED if obstacle.status is NodeStatus.RUNNING else obstacle.status
            )  # its body has, its calls go on
            self._skip(node, f"skipped: {obstacle.path!r} {status.value}", obstacle.error)

    def _skip(self, node: Node, why: str, error: BaseException | None) -> None:
        node.status = NodeStatus.SKIPPED
        node.has_returned = True
        node.why = why
        node.error = error
        self._end(node, None)

    def raised(self, error: BaseException) -> None:
        """Take note that a body is shown the error of a call; whether it gets over that is known when it goes on."""
        frame = FRAME.get()
        if frame is not None:
            frame.raised(error)

    def forgive(self, errors: Collection[BaseException], body: Structure | None) -> None:
        """Take note that a body went on after these errors: they were its business, and what was held may start."""
        with self._lock:
            self._forget(errors, body)
            if not self.is_halted:
                self._schedule.release()
        self._schedule.work()

    def _forget(self, errors: Collection[BaseException], body: Structure | None) -> None:
        for node in [each for each in self._failures if any(each.error is error for error in errors)]:
            del self._failures[node]
            parent = node.parent
            while parent is not None and parent is not body:  # the bodies in between have not got over it
                parent.failed = parent.failed or node
                parent = parent.parent

    # -- waiting -----------------------------------------------------------------------------------------------------------------------

    def look(self, node: Node) -> None:
        """Return when a node has ended that a body looks at.

        Raises:
            UnknownValue: In a plan it never does.
            Stopped: The run has been cancelled.
        """
        frame = FRAME.get()
        if frame is not None:
            frame.look(node.path)
        if self._partial is not None:
            self._demand(self._partial, node)
        self.wait(node)
        if self._partial is not None:
            with self._lock:
                self._partial.look(frame, node)

    def _demand(self, partial: Partial, node: Node) -> None:
        with self._lock:
            partial.demand(node)
        self._schedule.work()

    def wait(self, node: Node) -> None:
        """Return when a node has ended."""
        if node.is_open:
            if self.executor is None:
                raise UnknownValue(node.path)
            self._schedule.wait(node, self._check)

    def _check(self, node: Node) -> None:
        """Raise when a node will not end, as nothing new may start."""
        if self._is_stopped:
            raise Stopped
        if self._partial is not None:
            self._partial.check(node)
        if self.is_halted and node.status is NodeStatus.PENDING:
            failure = self.failure
            error = failure.error if failure is not None else self._body_error
            assert error is not None
            self.raised(error)
            raise error

    def finish(self, error: BaseException | None, result: Any = None) -> BaseException | None:
        """Return when all calls have ended: what has begun is finished, what may not start is skipped.

        Args:
            error: What the body of the outermost pipeline raised.
            result: What it returned.

        Returns:
            The error, or that of a partial run that cannot be.
        """
        self._body_error = error
        if self._partial is not None:
            with self._lock:
                self._partial.take_result(result)
        self._schedule.join()
        with self._lock:
            failure = self.failure
            held = list(self._schedule.held)
            self._schedule.held.clear()
            why = f"{failure.path!r} failed" if failure is not None else f"the pipeline raised {type(error).__name__}"
            for node in [part for each in held for part in each.unstarted]:
                self._skip(node, f"not started: {why}", self._body_error if failure is None else failure.error)
            if self._partial is not None:
                skipped, problem = self._partial.close(self.nodes)
                error = error or problem
                for node, reason in skipped:
                    self._skip(node, reason, problem)
        self._schedule.work()
        return error

    def stop(self) -> None:
        """Let nothing go on: what has not ended is cancelled, and what still comes in is ignored."""
        with self._lock:
            self._is_stopped = True
            for node in self.nodes.values():
                if node.status in {NodeStatus.PENDING, NodeStatus.RUNNING}:
                    node.status = NodeStatus.CANCELLED
                    self._tell(node, None)
            self._schedule.wake()

    # -- values ------------------------------------------------------------------------------------------------------------------------

    def load(self, output: Output) -> Any:
        """Return a private copy of what an Output stands for, for a task."""
        return handle_of(output).load(part_of(output))  # type: ignore[attr-defined]

    def refer(self, output: Output) -> Any:
        """Return what travels to another process in place of an Output.

        Raises:
            NotPortableError: Its value is in this process only.
        """
        return handle_of(output).refer(part_of(output))  # type: ignore[attr-defined]

    # -- telling -----------------------------------------------------------------------------------------------------------------------

    def _tell(self, node: Node, static: Static | None, log: str | None = None) -> None:
        """Emit what became of a node; what all calls of its task share is told once."""
        now, name = self.clock.time(), ""
        if static is not None:
            name = static.hash
            if name not in self._described:
                self._described.add(name)
                self.emit({"e": "static", "id": name, "params": static.params, "code": dict(static.code)}, lazy=True)
        is_lazy = node.status not in _TOLD_AT_ONCE
        self.emit_node(node.record(static, now), now, static=name, log=log, lazy=is_lazy)

    def metrics(self, path: str, rows: list[Row]) -> None:
        """Emit numbers of a call."""
        self.emit({"e": "metrics", "node": path, "rows": rows}, lazy=True)

    def artifact(self, path: str, name: str, encoded: Encoded, status: NodeStatus = NodeStatus.OK) -> None:
        """Emit what a call has saved, or would have, as a node below its own."""
        place = f"{path}/{name}" if path else name
        self.emit(artifact_event(place, encoded, self.clock.time(), by=path) | {"status": status.value}, lazy=True)

    def progress(self, path: str, done: float, total: float | None) -> None:
        """Emit how far a call is."""
        self.emit({"e": "progress", "node": path, "done": done, "total": total, "t": self.clock.time()}, lazy=True)

    def text(self, path: str, text: str) -> None:
        """Emit what a call printed."""
        self.emit({"e": "text", "node": path, "text": text})

    def note(self, path: str, text: str) -> None:
        """Emit a remark."""
        self.emit({"e": "note", "node": path, "text": text})


_TOLD_AT_ONCE = frozenset({NodeStatus.FAILED, NodeStatus.CANCELLED})


def _as_it_is(output: Output) -> Output:
    return output


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
        error="" if error is None else f"{type(error).__name__}: {error}",
    )
