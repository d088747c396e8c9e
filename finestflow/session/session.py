"""What the calls in the body of a pipeline become: nodes, hits, jobs, Outputs.

Owns the nodes of one run while it goes: their inputs, keys, states and values. Invariants: a hit loads no value and initialises no task; a call
goes on as soon as its inputs have ended, whoever finds that out; after a failure nothing new starts until the body has seen it. ``runner`` opens
a session a run, and one without an executor to plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from finestflow.executor.protocol import Executor
from finestflow.journal.names import is_named_by
from finestflow.model import WHY_HIT, NodeStatus, RunId
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.output import Output, handle_of, part_of
from finestflow.session.bodies import Bodies
from finestflow.session.computing import Computing
from finestflow.session.events import Events
from finestflow.session.failures import Failures
from finestflow.session.inputs import read_inputs, tokens_of
from finestflow.session.lookup import Lookup, Static, compose_key
from finestflow.session.node import Call, LostError, Node, Stopped, UnknownValue, open_nodes, own_inputs
from finestflow.session.results import Results
from finestflow.session.schedule import Schedule
from finestflow.session.structure import Structure

if TYPE_CHECKING:
    from finestflow.cache.claims import Claims
    from finestflow.cache.store import Entry, ValueInfo
    from finestflow.executor.perform import Clock
    from finestflow.pipeline.context import Context as RunContext
    from finestflow.pipeline.task import Task
    from finestflow.session.partial import Partial

__all__ = ["Session"]


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
        use_cache: Whether entries are looked up and written; those before the start of a partial run always are looked up.
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
        holds_secret: Callable[[str], bool] = lambda _: False,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.run_id = run_id
        self.lookup = lookup
        self.store = lookup.store
        self.executor = executor
        self.events = Events(emit, emit_node, clock)
        self.clock = clock
        self.context = context
        self.nodes: dict[str, Node] = {}
        self.jobs = executor.jobs if executor is not None else 1
        self.is_parallel = executor is not None and executor.is_parallel
        self.schedule = Schedule(self._advance, is_parallel=self.is_parallel)
        self._lock = self.schedule.lock
        self._partial = partial
        if partial is not None:
            partial.make_ready = self.schedule.make_ready
        self.failures = Failures(keep_going=keep_going)
        self.bodies = Bodies(self)
        self.is_stopped = False
        self._use_cache = use_cache
        self._forced = tuple(forced)
        self.warn = warn or (lambda _: None)
        self.computing = (
            None if executor is None else Computing(self, executor, claims=claims, is_alone=is_alone, timeout=timeout)
        )
        self.results = Results(run_id, lookup, blank, holds_secret, self.warn)

    @property
    def is_partial(self) -> bool:
        """Whether not all calls are to be computed."""
        return self._partial is not None

    @property
    def files(self) -> Mapping[str, str]:
        """Files of the project that calls opened, with the digest of each."""
        return self.results.files

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
            if self.is_stopped:
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
        if self.schedule.has_work:
            self.schedule.work()
        return Output(node)

    def _advance(self, node: Node) -> None:
        """Take a call as far as it can go now; whatever goes wrong with that is its failure, which somebody may wait for."""
        try:
            self._go_on(node)
        except Exception as error:
            if self.computing is None or not node.is_open or self.is_stopped:
                raise
            self.fail(node, error, node.call.static if node.call is not None else None)

    def _go_on(self, node: Node) -> None:
        call = node.call
        if call is None or node.status is not NodeStatus.PENDING:
            if not self.is_stopped:
                node.step()
            return
        if self._partial is not None and not self._admit(self._partial, node, call):
            return
        if self.is_parallel or self.schedule.held or self._partial is not None:
            origins = open_nodes((*call.args, *call.kwargs.values()))
            if origins:
                self.defer(node, origins)
                return
        try:
            tokens, problem, obstacle = read_inputs(node, call, self.lookup)
        except LostError as lost:
            assert self.computing is not None  # a plan raises another error
            self.computing.recompute(lost.node)
            self.defer(node, (lost.node,))
            return
        if obstacle is not None:
            self.block(node, obstacle)
        elif self.failures.is_halting:
            self.hold(node)
        else:
            self._serve(node, call, tokens, call.static.problem or problem)

    def _admit(self, partial: Partial, node: Node, call: Call) -> bool:
        """Return whether a call is to go on in a partial run; what another run has of it is taken from there."""
        bodies = partial.find_bodies(call)
        if bodies:
            self.defer(node, bodies)
            return False
        self.make_own(node)
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
        self.end(node, call.static)
        return False

    def defer(self, node: Node, origins: Iterable[Node]) -> None:
        """Let a call go on when these have ended."""
        self.make_own(node)
        self.schedule.defer(node, origins)

    def hold(self, node: Node) -> None:
        """Keep a call back until the body has got over the failure, or has ended."""
        self.make_own(node)
        self.schedule.hold(node)

    def make_own(self, node: Node) -> Call | None:
        """Return what a call is computed from, copied: the body may change what it gave before the call runs."""
        call = node.call
        if call is not None and not call.is_own:
            node.task = call.static.own_task(node.task)
            args, kwargs = own_inputs(call.args, call.kwargs)
            call = node.call = call._replace(args=args, kwargs=kwargs, is_own=True)
        return call

    def view_of(self, node: Node) -> RunContext:
        """Return a call's view of the context: in the scope that the body was in."""
        scope = node.call.scope if node.call is not None else ""
        return self.context.view(scope) if scope else self.context

    def _serve(self, node: Node, call: Call, tokens: list[tuple[str, str]], problem: str) -> None:
        """Answer a call whose inputs are known: from the cache, or by running it."""
        static = call.static
        node.key = compose_key(static, tokens)
        node.store = static.store
        why = self._reason_to_run(node, static, problem)
        if why is None:
            return
        node.why = why
        if self.computing is None:
            self.events.tell(node, static)
            return
        if self._partial is not None and not node.is_downstream:
            self._partial.miss(node)
            return
        node.is_cached = self._use_cache and not problem
        if not node.is_cached or self.computing.take_claim(node, static):
            self.computing.run(node)

    def _reason_to_run(self, node: Node, static: Static, problem: str) -> str | None:
        """Return why a call has to run; None when it was a hit and is served."""
        if problem:
            if type(node.task).__finestflow_meta__.cache is not False:
                self.warn(f"task {node.path!r} is not cached: {problem}")
            return f"not cached: {problem}"
        if node.is_downstream is not False:  # what lies before the start of a partial run is never computed
            if not self._use_cache:
                return "the cache is off for this run"
            if self._forced and any(is_named_by(node.path, pattern) for pattern in self._forced):
                return "forced"
        verdict = self.lookup.find(node.key, self.view_of(node), static.store)  # type: ignore[arg-type]
        if verdict.entry is None:
            return verdict.why or self.lookup.explain_miss(node.path, static, partial(tokens_of, node))
        self.hit(node, static, verdict.entry, verdict.value)
        return None

    # -- hits --------------------------------------------------------------------------------------------------------------------------

    def hit(self, node: Node, static: Static, entry: Entry, value: ValueInfo | None) -> None:
        """Serve a call from the cache: nothing is loaded, what it did besides returning is told again."""
        node.status = NodeStatus.HIT
        node.info = value
        node.hit_of = RunId(entry.run)
        node.why = WHY_HIT
        if entry.observed:
            self.results.note_files(entry.observed)
        node.notes = static.notes
        effects = self.results.effects_of(entry) if entry.effects else {}
        if effects:
            self.results.replay(node, static.store, effects, self.view_of(node), self.events)
        self.end(node, static, log=effects.get("log"))

    def end(self, node: Node, static: Static | None, log: str | None = None) -> None:
        """Tell that a call has ended, give back what it held, and let go on what waits for it."""
        try:
            if self.computing is not None:
                self.computing.ended(node)
            self.events.tell(node, static, log)
        finally:
            info = node.info
            if node.status is not NodeStatus.HIT or (info is not None and info.data is not None):
                node.call = None  # only a hit whose value may turn out to be lost is ever computed again
            self.schedule.ended(node)
            if node.parent is not None and node.parent.child_ended(node):
                self.bodies.complete(node.parent)

    # -- fan-out -----------------------------------------------------------------------------------------------------------------------

    def static_of(self, task: Task) -> Static:
        """Return what all calls of a task share."""
        with self._lock:
            return self.lookup.static_of(task)

    def open_fan(self, fan: Structure) -> None:
        """Take up a fan-out, and let it go on as far as it can now."""
        with self._lock:
            self.bodies.take_up(fan)
            if self._partial is not None:
                self._partial.take_up(fan, FRAME.get())
            fan.step()
            if self._partial is not None:
                self._partial.take_up_fan(fan)
        self.schedule.work()
        if self.computing is None:
            self.bodies.complete(fan)

    def take_items(self, fan: Structure, items: Iterable[Node]) -> None:
        """Take up the nodes of a fan-out's items, now that there are any."""
        self.nodes.update((item.path, item) for item in items)
        self.events.emit({"e": "expect", "nodes": {fan.path: fan.open_calls}}, lazy=True)
        self.schedule.ended(fan)
        if not fan.open_calls:
            self.bodies.complete(fan)

    def begin_item(self, node: Node, call: Call) -> None:
        """Let the call of an item go on."""
        node.call = call
        if self._partial is not None:
            self._partial.take_up(node, None)
        self._advance(node)

    # -- failures ----------------------------------------------------------------------------------------------------------------------

    def fail(self, node: Node, error: BaseException, static: Static | None) -> None:
        """Take note that a call has failed."""
        node.status = NodeStatus.FAILED
        node.has_returned = True
        node.error = error
        error.add_note(f"finestflow: task {node.path!r} failed; see: finestflow logs {self.run_id}:{node.path}")
        self.failures.add(node)
        self.schedule.wake()
        self.end(node, static)

    def block(self, node: Node, obstacle: Node | Exception) -> None:
        """Take note that a call cannot be made: an input is not there, or in a plan not known."""
        if isinstance(obstacle, Exception):
            self.fail(node, obstacle, node.call.static if node.call is not None else None)
        elif obstacle.is_open:
            node.why = f"waits for {obstacle.path!r}, which has to run"
            self.events.tell(node, None)
        else:
            status = (
                NodeStatus.FAILED if obstacle.status is NodeStatus.RUNNING else obstacle.status
            )  # its body has, its calls go on
            is_told = obstacle.why.startswith("skipped: ")  # whose failure that was
            self._skip(node, obstacle.why if is_told else f"skipped: {obstacle.path!r} {status.value}", obstacle.error)

    def _skip(self, node: Node, why: str, error: BaseException | None) -> None:
        node.status = NodeStatus.SKIPPED
        node.has_returned = True
        node.why = why
        node.error = error
        self.end(node, None)

    def raised(self, error: BaseException) -> None:
        """Take note that a body is shown the error of a call; whether it gets over that is known when it goes on."""
        frame = FRAME.get()
        if frame is not None:
            frame.raised(error)

    def forgive(self, errors: Collection[BaseException], body: Structure | None) -> None:
        """Take note that a body went on after these errors: they were its business, and what was held may start."""
        with self._lock:
            self.failures.forget(errors, body)
            if not self.failures.is_halting:
                self.schedule.release()
        self.schedule.work()

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
        self.schedule.work()

    def wait(self, node: Node) -> None:
        """Return when a node has ended."""
        if node.is_open:
            if self.executor is None:
                raise UnknownValue(node.path)
            self.schedule.wait(node, self._check)

    def _check(self, node: Node) -> None:
        """Raise when a node will not end, as nothing new may start."""
        if self.is_stopped:
            raise Stopped
        if self._partial is not None:
            self._partial.check(node)
        if self.failures.is_halting and node.status is NodeStatus.PENDING:
            error = self.failures.error(self.nodes)
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
        if self.computing is None:
            return error
        self.failures.body_error = error
        if self._partial is not None:
            with self._lock:
                self._partial.take_result(result)
        self.schedule.join()
        with self._lock:
            failure, cause = self.failures.first(self.nodes), self.failures.error(self.nodes)
            held = list(self.schedule.held)
            self.schedule.held.clear()
            why = f"{failure.path!r} failed" if failure is not None else f"the pipeline raised {type(error).__name__}"
            for node in [part for each in held for part in each.unstarted]:
                self._skip(node, f"not started: {why}", cause)
            if self._partial is not None:
                skipped, problem = self._partial.close(self.nodes, error)
                error = error or problem
                for left_out in skipped:
                    self._skip(*left_out)
        self.schedule.work()
        return error

    def stop(self) -> None:
        """Let nothing go on: what has not ended is cancelled, and what still comes in is ignored."""
        now = self.clock.time()
        with self._lock:
            self.is_stopped = True
            for node in self.nodes.values():
                if node.status in {NodeStatus.PENDING, NodeStatus.RUNNING}:
                    if node.status is NodeStatus.RUNNING and node.started is not None:
                        node.seconds = max(0.0, now - node.started)
                    node.status = NodeStatus.CANCELLED
                    self.events.tell(node, None)
            self.schedule.wake()

    def close(self) -> None:
        """Give back what other runs may wait for."""
        if self.computing is not None:
            self.computing.close()

    def compute_again(self, node: Node) -> None:
        """Run a call whose hit turns out to have lost its value, and wait for it."""
        assert self.computing is not None
        with self._lock:
            self.computing.recompute(node)
        self.schedule.work(is_nested=True)
        self.wait(node)

    # -- values ------------------------------------------------------------------------------------------------------------------------

    def load(self, output: Output) -> Any:
        """Return a private copy of what an Output stands for, for a task."""
        return handle_of(output).load(part_of(output))  # type: ignore[attr-defined]

    def refer(self, output: Output) -> Any:
        """Return what travels to another process in place of an Output; NotPortableError when its value is in this one only."""
        return handle_of(output).refer(part_of(output))  # type: ignore[attr-defined]
