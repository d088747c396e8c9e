"""What the calls in the body of a pipeline become: nodes, hits, jobs, Outputs.

Owns the nodes of one run while it goes: their paths, inputs, keys, states and values. Invariant: a hit loads no value and initialises no
task; a value is loaded when somebody looks at it. ``runner`` opens a session a run, and one without an executor to plan.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from finestflow.cache.store import Entry
from finestflow.errors import FinestflowError
from finestflow.executor.protocol import Effects, Executor, Job, Outcome
from finestflow.lookup import Lookup, Static, compose_key, seed_of
from finestflow.model import Digest, NodeStatus, RunId
from finestflow.node import BlockedError, Node, Structure
from finestflow.pipeline.output import Output, handle_of, holds_output, part_of, part_text

if TYPE_CHECKING:
    from finestflow.cache.claims import Claims
    from finestflow.executor.perform import Clock
    from finestflow.pipeline.context import Context
    from finestflow.pipeline.task import Task

__all__ = ["Session"]

_LONGEST_WAIT = 86_400.0
"""Seconds to wait for another run that computes the same key; a claim ends with its owner, so this is no risk of hanging."""

_dump_effects = json.JSONEncoder(separators=(",", ":")).encode
_NOTHING_TO_REPLAY = '{"about"'
"""How the effects of a call begin that did nothing but return: what is replayed comes first."""

Inputs = list[tuple[str, Any]]


class Session:
    """The nodes of one run.

    Args:
        run_id: Identity of the run.
        lookup: Keys and entries.
        executor: Runs what is no hit; None plans only.
        emit: Takes events; ``lazy`` ones may be written later.
        clock: Where the time comes from.
        context: The run's shared context.
        claims: Which keys other runs are computing; None when nobody else can be.
        is_alone: Whether no other run is going on, so that nobody waits for what is not in the database yet.
        use_cache: Whether entries are looked up and written.
        forced: Patterns of node paths that run although they are hits.
        keep_going: Whether what does not depend on a failure still runs.
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
        clock: Clock,
        context: Context,
        claims: Claims | None = None,
        is_alone: Callable[[], bool] = lambda: True,
        use_cache: bool = True,
        forced: Iterable[str] = (),
        keep_going: bool = False,
        blank: Callable[[str], str] = str,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.run_id = run_id
        self.lookup = lookup
        self.store = lookup.store
        self.executor = executor
        self.emit = emit
        self.clock = clock
        self.context = context
        self.nodes: dict[str, Node] = {}
        self.failure: Node | None = None
        self._claims = claims
        self._is_alone = is_alone
        self._use_cache = use_cache
        self._forced = tuple(forced)
        self._keep_going = keep_going
        self._blank = blank
        self._warn = warn or (lambda _: None)
        self.files: dict[str, str] = {}
        self._described: set[str] = set()

    # -- one call ----------------------------------------------------------------------------------------------------------------------

    def call_task(self, path: str, task: Task, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Output:
        """Make a call a node: a hit, a job, or skipped."""
        static = self.lookup.static_of(task)
        node = Node(path, static.identity, self, task)
        self.nodes[path] = node
        given = _named(static, args, kwargs)
        tokens, problem, blocked = self._inputs_of(node, given)
        if blocked is not None:
            self._block(node, blocked)
        elif self.failure is not None and not self._keep_going:
            self._skip(node, f"not started: {self.failure.path!r} failed", self.failure)
        else:
            self._serve(node, static, tokens, static.problem or problem, args, kwargs)
        return Output(node)

    def _inputs_of(self, node: Node, given: Inputs) -> tuple[list[tuple[str, str]], str, Node | None]:
        """Return the tokens of the inputs, why they cannot be part of a key, and a node that failed or is unknown."""
        tokens: list[tuple[str, str]] = []
        problem = ""
        for name, value in given:
            try:
                tokens.append((name, self._token(node, name, value)))
            except BlockedError as error:
                return tokens, problem, error.node
            except FinestflowError as error:
                problem = problem or f"input {name!r} cannot be digested: {error}"
                tokens.append((name, ""))
        return tokens, problem, None

    def _token(self, node: Node, name: str, value: Any) -> str:
        """Return the token of one input, and note where it came from."""
        if type(value) is Output:
            handle, part = handle_of(value), part_of(value)
            if type(handle) is Structure:
                return self._token(node, name, handle.take(part))
            origin: Node = handle  # type: ignore[assignment]
            if origin.info is None:
                origin.require()
            digest, token = origin.token(part)
            node.inputs[name] = {"digest": digest, "from": origin.path + part_text(part) if part else origin.path}
            if token != digest:
                node.tokens = {**node.tokens, name: token}
            if digest is None:
                raise FinestflowError(f"the output of {origin.path!r} is shared: {origin.problem}")
            return token
        if holds_output(value):
            return self._container_token(node, name, value)
        digest, token = self.lookup.value_token(value)
        node.inputs[name] = (
            {"digest": digest, "preview": repr(value)[:80]} if type(value) in _SHOWN else {"digest": digest}
        )
        if token != digest:
            node.tokens = {**node.tokens, name: token}
        return token

    def _container_token(self, node: Node, name: str, value: Any) -> str:
        """Return the token of a list, tuple, dict or dataclass that holds Outputs: of its shape and its items."""
        if isinstance(value, dict):
            items = [(f"{name}[{key!r}]", value[key]) for key in sorted(value, key=repr)]  # their order does not count
        elif isinstance(value, (list, tuple)):
            items = [(f"{name}[{index}]", item) for index, item in enumerate(value)]
        else:
            items = [(f"{name}.{field}", getattr(value, field)) for field in type(value).__dataclass_fields__]
        hasher = blake3(f"{type(value).__module__}.{type(value).__qualname__}".encode())
        for label, item in items:
            hasher.update(f"|{len(label) - len(name)}:{label[len(name) :]}={self._token(node, label, item)}".encode())
        return hasher.hexdigest()

    def _serve(
        self,
        node: Node,
        static: Static,
        tokens: list[tuple[str, str]],
        problem: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        """Answer a call whose inputs are known: from the cache, or by running it."""
        key = compose_key(static, tokens)
        node.key = key
        node.store = static.store
        why = self._reason_to_run(node, static, problem)
        if why is None:
            if node.info is not None and node.info.data is None:  # not in memory: it may turn out to be lost
                node.call = (static, args, kwargs)
            return
        node.why = why
        if self.executor is None:
            node.status = NodeStatus.PENDING
            self._tell(node, static)
            return
        is_cached = self._use_cache and not problem
        if is_cached and self._claims is not None and not self._claims.take(key) and self._wait_for_other(node, static):
            node.call = (static, args, kwargs)
            return
        self._run(node, static, args, kwargs, is_cached=is_cached)

    def _reason_to_run(self, node: Node, static: Static, problem: str) -> str | None:
        """Return why a call has to run; None when it was a hit and is served."""
        if problem:
            if type(node.task).__finestflow_meta__.cache is not False:
                self._warn(f"task {node.path!r} is not cached: {problem}")
            return f"not cached: {problem}"
        if not self._use_cache:
            return "the cache is off for this run"
        if self._forced and any(fnmatchcase(node.path, pattern) for pattern in self._forced):
            return "forced"
        verdict = self.lookup.find(node.key, self.context, static.store)  # type: ignore[arg-type]
        if verdict.entry is None:
            return verdict.why or self.lookup.explain_miss(node.path, static, _tokens_of(node))
        self._hit(node, static, verdict.entry)
        return None

    def _wait_for_other(self, node: Node, static: Static) -> bool:
        """Wait while another run computes the same key; return whether its result serves."""
        self.emit({"e": "note", "node": node.path, "text": "waiting: another run is computing this"})
        assert self._claims is not None
        self._claims.take(node.key, wait=_LONGEST_WAIT)  # type: ignore[arg-type]
        verdict = self.lookup.find(node.key, self.context, static.store, fresh=True)  # type: ignore[arg-type]
        if verdict.entry is None:
            return False
        self._claims.release(node.key)  # type: ignore[arg-type]
        self._hit(node, static, verdict.entry)
        return True

    # -- hits --------------------------------------------------------------------------------------------------------------------------

    def _hit(self, node: Node, static: Static, entry: Any) -> None:
        node.status = NodeStatus.HIT
        node.info = static.store.info(entry.value)
        node.hit_of = entry.run
        node.why = "same code, params and inputs"
        node.saved = entry.seconds
        if entry.observed:
            self._note_files(entry.observed)
        node.notes = static.notes
        if entry.effects.startswith(_NOTHING_TO_REPLAY):
            self._tell(node, static)
            return
        effects = json.loads(entry.effects)
        self._replay(node, effects)
        self._tell(node, static, log=effects.get("log"))

    def _replay(self, node: Node, effects: Mapping[str, Any]) -> None:
        for name, value, step in effects.get("metrics", ()):
            self.emit(
                {"e": "metric", "node": node.path, "name": name, "value": value, "step": step, "t": self.clock.time()},
                lazy=True,
            )
        for name, digest in effects.get("context", {}).items():
            self.context.replay(name, self.store.load(digest))

    def compute_again(self, node: Node) -> None:
        """Run a call whose hit turns out to have lost its value."""
        assert node.call is not None
        static, args, kwargs = node.call
        node.why = "its stored output was damaged or removed"
        node.hit_of = None
        self._run(node, static, args, kwargs, is_cached=True)
        self.wait(node)

    # -- misses ------------------------------------------------------------------------------------------------------------------------

    def _run(
        self, node: Node, static: Static, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, is_cached: bool
    ) -> None:
        assert self.executor is not None
        context = self.context.view()
        node.status = NodeStatus.RUNNING
        key: str = node.key or ""
        node.seed = seed_of(self.lookup.seed, key)
        job = Job(
            path=node.path,
            task=node.task,
            warm_key=static.warm_key,
            args=args,
            kwargs=kwargs,
            load=self.load,
            refer=self.refer,
            encode=static.store.encode,
            seed=node.seed,
            setup_seed=seed_of(self.lookup.seed, static.warm_key),
            context=context,
            sink=self,
            start=lambda: True,
        )
        meta = type(node.task).__finestflow_meta__
        if meta.timeout is not None:
            node.notes += (f"Meta.timeout is not kept by the {self.executor.name} executor",)
        self.submit(_Tries(self, node, static, job, 1 + meta.retries, is_cached))

    def submit(self, tries: _Tries) -> None:
        """Try a call, for the first time or again."""
        node = tries.node
        self.emit({"e": "start", "path": node.path, "task": node.identity, "key": node.key, "t": self.clock.time()})
        self.executor.submit(tries.job, tries.done)  # type: ignore[union-attr]

    def finish(self, node: Node, static: Static, outcome: Outcome, context: Context, *, is_cached: bool) -> None:
        """Take what came of a call after its last try."""
        node.seconds = outcome.seconds
        node.started = outcome.started
        node.notes += (*static.notes, *outcome.notes)
        if outcome.error is not None:
            self._fail(node, static, outcome)
        else:
            node.status = NodeStatus.OK
            if node.attempts:
                node.attempts = (*node.attempts, _attempt(outcome))
            self._keep(node, static, outcome, context, is_cached=is_cached)
            self._tell(node, static)
        if is_cached and self._claims is not None:
            if self._is_alone():
                self._claims.release(node.key)  # type: ignore[arg-type]
            else:
                self.store.release_when_written(self._claims, node.key)  # type: ignore[arg-type]

    def _keep(self, node: Node, static: Static, outcome: Outcome, context: Context, *, is_cached: bool) -> None:
        """Store the output, and the entry when the call may be cached."""
        encoded = outcome.encoded
        if encoded is None:
            node.set_shared(outcome.shared, outcome.problem)
            node.notes += (f"not cached: the output cannot be stored: {outcome.problem}",)
            self._warn(f"task {node.path!r} is not cached: its output cannot be stored: {outcome.problem}")
            return
        static.store.add_value(encoded)
        node.info = encoded
        if not is_cached:
            return
        if context.is_hidden:
            node.notes += ("not cached: it read a context value that another task of this run wrote",)
            return
        try:
            observed = self.lookup.observed(node.key, context, outcome)  # type: ignore[arg-type]
            effects = self._effects(node, static, outcome.effects)
        except FinestflowError as error:
            node.notes += (f"not cached: {error}",)
            self._warn(f"task {node.path!r} is not cached: {error}")
            return
        self._note_files(observed)
        static.store.add_entry(Entry(node.key, observed, encoded.digest, self.run_id, outcome.seconds, effects))  # type: ignore[arg-type]

    def _note_files(self, observed: Iterable[tuple[str, str]]) -> None:
        self.files.update((name[5:], token) for name, token in observed if name.startswith("file:"))

    def _effects(self, node: Node, static: Static, effects: Effects) -> str:
        kept: dict[str, Any] = {}
        if effects.metrics:
            kept["metrics"] = effects.metrics
        if effects.text:
            kept["log"] = self._put(self._blank("".join(effects.text)))
        if effects.context:
            kept["context"] = {name: self._put(value) for name, value in effects.context.items()}
        kept["about"] = self.lookup.describe(static)
        if node.inputs:
            kept["in"] = _tokens_of(node)
        if node.tokens:
            kept["classes"] = self.lookup.describe_classes(node.tokens.values())
        return _dump_effects(kept)

    def _put(self, value: Any) -> Digest:
        encoded = self.store.encode(value)
        self.store.add_value(encoded)
        return Digest(encoded.digest)

    # -- failures ----------------------------------------------------------------------------------------------------------------------

    def _fail(self, node: Node, static: Static, outcome: Outcome) -> None:
        error = outcome.error
        assert error is not None
        node.status = NodeStatus.FAILED
        node.error = error
        if node.attempts:
            node.attempts = (*node.attempts, _attempt(outcome))
        error.add_note(f"finestflow: task {node.path!r} failed; see: finestflow logs {self.run_id}:{node.path}")
        self.failure = self.failure or node
        self._tell(node, static)

    def _skip(self, node: Node, why: str, cause: Node) -> None:
        node.status = NodeStatus.SKIPPED
        node.why = why
        node.error = cause.error
        self._tell(node, None)

    def _block(self, node: Node, cause: Node) -> None:
        if cause.status is NodeStatus.PENDING:
            node.status = NodeStatus.PENDING
            node.why = f"waits for {cause.path!r}, which has to run"
            self._tell(node, None)
        else:
            self._skip(node, f"skipped: {cause.path!r} {cause.status.value}", cause)

    def status_below(self, node: Node) -> NodeStatus:
        """Return how a nested pipeline stands whose body has ended."""
        failure = self.failure
        if failure is not None and failure.path.startswith(node.path + "/"):
            node.error = failure.error
            return NodeStatus.FAILED
        if failure is not None and not self._keep_going:
            node.error = failure.error
            node.why = f"not started: {failure.path!r} failed"
            return NodeStatus.SKIPPED
        return NodeStatus.OK

    def handled(self, node: Node) -> None:
        """Take note that the body has seen an error: when it goes on, the failure was its business."""
        if self.failure is not None and (self.failure is node or self.failure.error is node.error):
            self.failure = None

    # -- values ------------------------------------------------------------------------------------------------------------------------

    def wait(self, node: Node) -> None:
        """Return when a node has its result."""
        if self.executor is not None and node.status in {NodeStatus.PENDING, NodeStatus.RUNNING}:
            message = "a sequential run has no open node"
            raise AssertionError(message)

    def refer(self, output: Output) -> Any:
        """Return what travels to another process in place of an Output."""
        raise NotImplementedError

    def load(self, output: Output) -> Any:
        """Return a private copy of what an Output stands for, for a task."""
        return handle_of(output).load(part_of(output))  # type: ignore[attr-defined]

    # -- telling -----------------------------------------------------------------------------------------------------------------------

    def _tell(self, node: Node, static: Static | None, log: str | None = None) -> None:
        """Emit what became of a node; what all calls of its task share is told once."""
        event = node.event(self.clock.time())
        if static is not None:
            event["static"] = static.hash
            if static.hash not in self._described:
                self._described.add(static.hash)
                self.emit(
                    {"e": "static", "id": static.hash, "params": static.params, "code": dict(static.code)}, lazy=True
                )
        if log is not None:
            event["log"] = log
        self.emit(event, lazy=node.status not in _TOLD_AT_ONCE)

    def metric(self, path: str, name: str, value: float, step: float | None) -> None:
        """Emit one number of a call."""
        self.emit(
            {"e": "metric", "node": path, "name": name, "value": value, "step": step, "t": self.clock.time()}, lazy=True
        )

    def progress(self, path: str, done: float, total: float | None) -> None:
        """Emit how far a call is."""
        self.emit({"e": "progress", "node": path, "done": done, "total": total, "t": self.clock.time()})

    def text(self, path: str, text: str) -> None:
        """Emit what a call printed."""
        self.emit({"e": "text", "node": path, "text": text})

    def note(self, path: str, text: str) -> None:
        """Emit a remark."""
        self.emit({"e": "note", "node": path, "text": text})


@dataclass(slots=True)
class _Tries:
    """One call that is being computed; a plain object, as a closure that submits itself again would be a cycle for each call."""

    session: Session
    node: Node
    static: Static
    job: Job
    left: int
    is_cached: bool

    def done(self, outcome: Outcome) -> None:
        """Try again after an error while there are tries left."""
        self.left -= 1
        if outcome.error is not None and self.left > 0:
            self.node.attempts = (*self.node.attempts, _attempt(outcome))
            self.session.submit(self)
            return
        self.session.finish(self.node, self.static, outcome, self.job.context, is_cached=self.is_cached)


_TOLD_AT_ONCE = frozenset({NodeStatus.FAILED, NodeStatus.CANCELLED})
_SHOWN = frozenset({int, float, str, bool, type(None)})


def _named(static: Static, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Inputs:
    """Return the inputs by the names of the parameters that receive them."""
    names = static.names
    size = len(names)
    if len(args) <= size and not static.is_open:
        given = list(zip(names, args, strict=False))
    else:
        fixed = size - 1 if static.is_open else size
        given = [
            (names[i] if i < fixed else f"{names[fixed] if static.is_open else 'argument'}[{i - fixed}]", v)
            for i, v in enumerate(args)
        ]
    if kwargs:
        given += sorted(kwargs.items())
    return given


def _tokens_of(node: Node) -> dict[str, str]:
    """Return the digest of each input and, where there are any, the code of the project's classes inside it."""
    return {**{name: entry["digest"] for name, entry in node.inputs.items()}, **node.tokens}


def _attempt(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "started": outcome.started,
        "seconds": outcome.seconds,
        "status": "ok" if error is None else "failed",
        "error": "" if error is None else f"{type(error).__name__}: {error}",
    }
