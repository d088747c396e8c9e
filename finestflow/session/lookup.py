"""When a call is a hit: its key, the entries under it, and why it has to run.

Owns the composition of a key: task identity, code, params, the digest of each input, the code of the project's classes inside the inputs.
Invariant: what cannot be part of the key makes the call uncached, with a reason; it is never left out. ``session`` asks once a call;
``static_of`` is paid once a task and run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from finestflow.cache.components import explain
from finestflow.cache.fingerprint import task_identity
from finestflow.cache.names import load_named
from finestflow.errors import FinestflowError, ValueNotStorableError
from finestflow.model import Digest, Fingerprint
from finestflow.pipeline.task import Task, signature_of

if TYPE_CHECKING:
    from finestflow.cache.fingerprint import CodeFingerprint, Fingerprinter
    from finestflow.cache.store import Entry, Store, ValueInfo
    from finestflow.executor.protocol import Outcome
    from finestflow.pipeline.context import Context

__all__ = ["Lookup", "Static", "Verdict", "code_of", "compose_key", "seed_of"]

_SCALARS = frozenset({int, float, str, bool, bytes, type(None)})


@dataclass(slots=True)
class Static:
    """What stays the same over all calls of one task object in a run.

    Attributes:
        identity: The task's identity (``module:Class`` or ``Meta.name``).
        hash: Identity, code and digested params in one hash; the first half of every key.
        warm_key: The same with all params: identity of an initialised task.
        params: Params for people: secrets blanked.
        code: Components of the code fingerprint.
        notes: What the fingerprint cannot see.
        names: Names of positional inputs; the last one repeats when ``is_open``.
        problem: Why calls cannot be cached; empty when they can.
        is_volatile: Whether a param may be changed in place.
        store: Where entries and outputs go.
        digests: Digest of each param, with the code of classes inside.
        fingerprint: Of its code alone; empty where ``Meta.version`` stands for it.
        about: Digest of the stored description that ``why`` compares with.
        task: The task as it is now, for calls that run later; see ``own_task``.
        is_secret: Whether the params hold a secret; None until somebody has looked.
    """

    identity: str
    hash: str
    warm_key: str
    params: dict[str, Any]
    code: Mapping[str, str]
    notes: tuple[str, ...]
    names: tuple[str, ...]
    is_open: bool
    ignore: frozenset[str]
    problem: str
    is_volatile: bool
    store: Store
    digests: Mapping[str, str]
    fingerprint: str = ""
    about: str = ""
    task: Task | None = None
    is_secret: bool | None = None

    def own_task(self, task: Task) -> Task:
        """Return a task that stays as it is, whatever params the body sets on its own one next."""
        if self.task is None:
            self.task = task.copy()
            self.task.__dict__["_static"] = task.__dict__.get("_static")
        return self.task


@dataclass(slots=True)
class Verdict:
    """What a look-up found: an entry and its value, or why there is none that serves."""

    entry: Entry | None = None
    value: ValueInfo | None = None
    why: str = ""


@dataclass(slots=True)
class Lookup:
    """Keys and entries for one run.

    Args:
        store: Where entries are.
        fingerprinter: Fingerprints code.
        seed: The run's seed.
        root: Top of the project; observed files are named relative to it.
        open_store: Opens the store in a folder, for tasks with one of their own.
        earlier: Key of each node of the pipeline's last run, by path.
    """

    store: Store
    fingerprinter: Fingerprinter
    seed: int
    root: Path
    open_store: Callable[[str], Store]
    earlier: Mapping[str, str] = field(default_factory=dict)
    looks_again: bool = False
    """Whether the code of a task is looked at before each call: the body of the pipeline changes what tasks read."""
    _classes: dict[str, CodeFingerprint] = field(default_factory=dict)
    _changes: dict[tuple[str, str], Sequence[str] | None] = field(default_factory=dict)

    # -- the part of a key that stays the same -----------------------------------------------------------------------------------------

    def static_of(self, task: Task) -> Static:
        """Return what all calls of the task share; kept on the task for the length of the run."""
        kept = task.__dict__.get("_static")
        if kept is not None and kept[0] is self and not (kept[1].is_volatile or self.looks_again):
            static: Static = kept[1]
            return static
        if self.looks_again:
            self.fingerprinter.refresh()
        static = self._make_static(task)
        task.__dict__["_static"] = (self, static)
        return static

    def _make_static(self, task: Task) -> Static:
        meta = type(task).__finestflow_meta__
        identity = meta.name or task_identity(task.code)
        problem = ""
        notes: tuple[str, ...] = ()
        code: Mapping[str, str] = {}
        code_hash = fingerprint_hash = ""
        if meta.version is not None:
            code, code_hash = {"Meta.version": meta.version}, f"version:{meta.version}"
        else:
            try:
                fingerprint = self.fingerprinter.of_task(task)
                code, code_hash, notes = fingerprint.components, fingerprint.hash, fingerprint.notes
                fingerprint_hash = fingerprint.hash
            except FinestflowError as error:
                problem = f"its code cannot be fingerprinted: {error}"
        tokens, all_tokens, shown, volatile = [], [], {}, False
        digests: dict[str, str] = {}
        for name, spec in type(task).__finestflow_params__.items():
            value = task.__dict__.get(name)
            volatile = volatile or type(value) not in _SCALARS
            shown[name] = "***" if spec.secret else value
            try:
                token = self._param_token(name, value)
            except ValueNotStorableError as error:
                token = f"{name}=@{id(value)}"
                if spec.digest:
                    problem = f"param {name!r} cannot be digested: {error}"
            digests[name] = token.partition("=")[2]
            all_tokens.append(token)
            if spec.digest:
                tokens.append(token)
        names, is_open = _input_names(task)
        base = f"{identity}|{code_hash}|{';'.join(tokens)}"
        static_hash = blake3(base.encode()).hexdigest()
        warm = blake3(f"{base}|{';'.join(all_tokens)}".encode()).hexdigest()
        if meta.cache is False:
            problem = "caching is off for this task (Meta.cache = False)"
        return Static(
            identity,
            static_hash,
            warm,
            shown,
            code,
            tuple(notes),
            names,
            is_open,
            frozenset(meta.ignore),
            problem,
            volatile,
            self.open_store(meta.cache) if isinstance(meta.cache, str) else self.store,
            digests,
            fingerprint_hash,
        )

    def _param_token(self, name: str, value: Any) -> str:
        digested = self.store.digest(value)
        return f"{name}={digested.digest}{self.class_tokens(digested.classes)}"

    def describe(self, static: Static) -> str:
        """Store what ``why`` compares later; return its digest. Once a task and run, and only when it runs."""
        if not static.about:
            static.about = self._put_text({"code": dict(static.code), "params": _shown_params(static)})
        return static.about

    # -- the code of classes inside inputs ---------------------------------------------------------------------------------------------

    def class_tokens(self, classes: Sequence[str]) -> str:
        """Return the code of the project's classes inside a value, as part of a key; empty for most values."""
        return "".join(f"~{name}:{self._class_hash(name)}" for name in classes)

    def _class_hash(self, name: str) -> str:
        found = self._classes.get(name)
        if found is None:
            try:
                target: Any = load_named(name)
            except (ImportError, AttributeError) as error:
                raise FinestflowError(f"its class {name!r} cannot be found: {error}") from error
            found = self._classes[name] = self.fingerprinter.of_class(target)
        return found.hash

    def describe_classes(self, tokens: Iterable[str]) -> dict[str, str]:
        """Store of what the code of classes inside inputs consists; return the digest of that by class."""
        names = sorted({code.rpartition(":")[0] for token in tokens for code in token.split("~")[1:]})
        return {name: self._put_text(dict(self._classes[name].components)) for name in names}

    def _put_text(self, data: Any) -> str:
        encoded = self.store.encode(json.dumps(data, sort_keys=True))
        self.store.add_value(encoded)
        return encoded.digest

    # -- inputs ------------------------------------------------------------------------------------------------------------------------

    def value_token(self, value: Any) -> tuple[Digest, str]:
        """Return the digest of a plain value, and its token in a key."""
        digested = self.store.digest(value)
        return digested.digest, digested.digest + self.class_tokens(digested.classes)

    # -- entries -----------------------------------------------------------------------------------------------------------------------

    def find(self, key: Fingerprint, context: Context, store: Store, *, fresh: bool = False) -> Verdict:
        """Return the entry that serves a key, its observed dependencies verified and its output there.

        Args:
            key: Key of a call.
            context: The call's view of the context.
            store: Where to look.
            fresh: Look for what other processes have added meanwhile.
        """
        ahead = None if fresh else store.find_ahead(key)
        if ahead is not None and not (ahead.observed and self._stale_reason(ahead.observed, key, context)):
            value = store.find_value(ahead.value)
            if value is not None:
                return Verdict(ahead, value)
        why = ""
        for entry in store.find_entries(key, fresh=fresh):
            reason = self._stale_reason(entry.observed, key, context)
            if reason:
                why = why or reason
            elif (value := store.find_value(entry.value)) is not None:
                return Verdict(entry, value)
            else:
                why = "its stored output is missing or damaged"
        return Verdict(why=why)

    def _stale_reason(self, observed: Iterable[tuple[str, str]], key: Fingerprint, context: Context) -> str:
        for name, token in observed:
            if name == "seed":
                if token != str(seed_of(self.seed, key)):
                    return "it draws random numbers and the run's seed changed"
            elif name.startswith("context:") and self.value_token(context.given_locally(name[8:]))[1] != token:
                return f"the context value {name[8:]!r} changed"
            elif name.startswith("file:") and self._file_token(str(self.root / name[5:])) != token:
                return f"file {name[5:]!r}, which it reads, changed"
            elif name.startswith("folder:") and _folder_token(str(self.root / name[7:])) != token:
                return f"folder {name[7:]!r}, which it lists, changed"
        return ""

    def observed(self, key: Fingerprint, context: Context, outcome: Outcome) -> tuple[tuple[str, str], ...]:
        """Return the dependencies that a call was seen to have, each with its digest.

        Raises:
            FinestflowError: A file changed while the call ran, so that nobody knows what it read.
        """
        if not (outcome.drew_random or context.reads or outcome.files or outcome.folders):
            return ()
        found = [("seed", str(seed_of(self.seed, key)))] if outcome.drew_random else []
        found += [
            (f"context:{context.local(name)}", self.value_token(value)[1])
            for name, value in sorted(context.reads.items())
        ]
        for place in outcome.files:
            if os.path.exists(place) and os.stat(place).st_mtime > outcome.started:
                raise FinestflowError(f"it reads {place!r}, which changed meanwhile")
        found += [(f"file:{self._relative(place)}", self._file_token(place)) for place in outcome.files]
        found += [(f"folder:{self._relative(place)}", _folder_token(place)) for place in outcome.folders]
        return tuple(found)

    def _relative(self, place: str) -> str:
        return os.path.relpath(place, self.root)

    def _file_token(self, place: str) -> str:
        try:
            return self.store.digest(Path(place)).digest if os.path.isfile(place) else "absent"
        except (FinestflowError, OSError):
            return "unreadable"

    # -- why ---------------------------------------------------------------------------------------------------------------------------

    def explain_miss(self, path: str, static: Static, inputs: Callable[[], Mapping[str, str | None]]) -> str:
        """Say what changed since the last run of the pipeline at this node; ``inputs`` returns their digests."""
        earlier = self.earlier.get(path)
        described = static.store.find_about(earlier) if earlier else ""
        if not described:
            return "no earlier result"
        before = json.loads(described)
        changes = self._changes_since(before.get("about", ""), static)
        if changes is None:
            return "no description of the earlier result is left"
        reasons = [*changes]
        reasons += _input_changes(before.get("in", {}), inputs())
        for name, digest in before.get("classes", {}).items():
            if name in self._classes and self.store.has(digest):
                reasons += explain(json.loads(self.store.load(digest)), self._classes[name].components)
        return "; ".join(reasons) or "the format of keys changed"

    def _changes_since(self, about: str, static: Static) -> Sequence[str] | None:
        """Return what changed in the code and the params of a task since they were described; None where that is lost.

        Many calls of a task have the same answer.
        """
        key = (about, static.warm_key)
        if key not in self._changes:
            try:
                told = json.loads(self.store.load(about))
            except (FinestflowError, KeyError, ValueError):
                self._changes[key] = None
            else:
                changes = explain(told["code"], static.code)
                self._changes[key] = changes + _changes("param", told["params"], _shown_params(static))
        return self._changes[key]


def code_of(task: Task) -> str:
    """Return the fingerprint of the code of a task that has been called in this run; empty where nobody made one."""
    kept = task.__dict__.get("_static")
    return kept[1].fingerprint if kept is not None else ""


def _folder_token(place: str) -> str:
    """Return a digest of the names in a folder."""
    try:
        names = sorted(name for name in os.listdir(place) if name not in {"__pycache__", ".git"})
    except OSError:
        return "absent"
    return blake3("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def compose_key(static: Static, tokens: Sequence[tuple[str, str]]) -> Fingerprint:
    """Return the key of a call from its static part and the tokens of its inputs, by name."""
    text, ignored = static.hash, static.ignore
    for name, token in tokens:
        if name not in ignored:
            text += f"|{len(name)}:{name}={token}"
    return Fingerprint(blake3(text.encode()).hexdigest())


def seed_of(run_seed: int, key: str) -> int:
    """Return the seed of a call: 32 bits of a hash of the run's seed and the call's key."""
    return int.from_bytes(blake3(f"{run_seed}:{key}".encode()).digest()[:4], "big")


def _input_names(task: Task) -> tuple[tuple[str, ...], bool]:
    signature = signature_of(task)
    if signature is None:
        return ("args",), True
    positional, is_open = [], False
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            positional.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            positional.append(parameter.name)
            is_open = True
    return tuple(positional), is_open


def _shown_params(static: Static) -> dict[str, str]:
    """Return the params as a person reads them; of a file, its name and the beginning of its digest."""
    return {
        name: _short(value) + (f" ({static.digests[name][:8]})" if isinstance(value, Path) else "")
        for name, value in static.params.items()
    }


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _changes(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            found.append(f"{kind} {name!r} {'added' if old is None else 'removed'}")
        elif old != new:
            found.append(f"{kind} {name!r} {old} -> {new}")
    return found


def _input_changes(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> list[str]:
    """Return which inputs differ by their digests; the code of classes inside them stands behind tildes."""
    found = []
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            found.append(f"input {name!r} {'added' if name in after else 'removed'}")
            continue
        if (before[name] or "").partition("~")[0] != (after[name] or "").partition("~")[0]:
            found.append(f"input {name!r} changed")
    return found
