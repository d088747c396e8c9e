"""What a call leaves behind: its output and entry in the store, and what a hit replays of it.

Invariant: an entry is written only when everything that it depends on is known; else the call says why it is not cached. ``session`` asks once a
call that ran, and once a hit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any

from finestflow.cache.store import Entry, Store
from finestflow.errors import FinestflowError
from finestflow.executor.protocol import Effects, Outcome
from finestflow.model import Digest, NodeStatus, RunId
from finestflow.pipeline.context import Context
from finestflow.session.inputs import tokens_of
from finestflow.session.lookup import Lookup, Static
from finestflow.session.node import Node

if TYPE_CHECKING:
    from finestflow.session.events import Events

__all__ = ["Results"]

_dump = json.JSONEncoder(separators=(",", ":")).encode


class Results:
    """What the calls of one run leave behind.

    Args:
        run_id: Identity of the run.
        lookup: Knows the store and what calls depend on.
        blank: Takes the secrets out of a text that is kept.
        holds_secret: Whether a text that would be kept as it is has one in it.
        warn: Says something to the person at the terminal.
    """

    def __init__(
        self,
        run_id: RunId,
        lookup: Lookup,
        blank: Callable[[str], str],
        holds_secret: Callable[[str], bool],
        warn: Callable[[str], None],
    ) -> None:
        self.files: dict[str, str] = {}
        """Files of the project that calls opened, with the digest of each."""
        self._run_id = run_id
        self._lookup = lookup
        self._store = lookup.store
        self._blank = blank
        self._holds_secret = holds_secret
        self._warn = warn

    def keep(self, node: Node, static: Static, outcome: Outcome, context: Context) -> None:
        """Store the output, and the entry when the call may be cached."""
        encoded = outcome.encoded
        if encoded is None:
            node.set_shared(outcome.shared, outcome.problem)
            node.notes += (f"not cached: the output cannot be stored: {outcome.problem}",)
            self._warn(f"task {node.path!r} is not cached: its output cannot be stored: {outcome.problem}")
            return
        static.store.add_value(encoded)
        node.info = encoded
        if outcome.plain:
            node.set_plain(outcome.plain[0])
        if not node.is_cached:
            return
        if context.is_hidden:
            node.notes += ("not cached: it read a context value that another task of this run wrote",)
            return
        try:
            observed = self._lookup.observed(node.key, context, outcome)  # type: ignore[arg-type]
            if self._is_secret(static, outcome.effects):
                node.notes += ("not cached: a param, metric or context value holds a secret; see Param(secret=True)",)
                return
            effects = self._effects(outcome.effects, context)
            about = self._about(node, static)
        except (FinestflowError, OSError) as error:
            node.notes += (f"not cached: {error}",)
            self._warn(f"task {node.path!r} is not cached: {error}")
            return
        if observed:
            self.note_files(observed)
        static.store.add_entry(Entry(node.key, observed, encoded.digest, self._run_id, outcome.seconds, effects, about))  # type: ignore[arg-type]

    def _is_secret(self, static: Static, effects: Effects) -> bool:
        """Return whether what is kept of a call would hold a secret; of its params that is known once all calls of the task share them."""
        if static.is_secret is None:
            static.is_secret = self._holds_secret(str(static.params))
        told = effects.metrics or effects.context
        return static.is_secret or (bool(told) and self._holds_secret(f"{effects.metrics}{effects.context}"))

    def effects_of(self, entry: Entry) -> Mapping[str, Any]:
        """Return what a hit of an entry replays that has anything."""
        effects: dict[str, Any] = json.loads(entry.effects)
        return effects

    def replay(self, node: Node, store: Store, effects: Mapping[str, Any], context: Context, events: Events) -> None:
        """Tell again what the call did besides returning whose result is a hit.

        Args:
            node: The hit.
            store: Where its outputs are.
            effects: What ``effects_of`` returned.
            context: The call's view of the context.
            events: Where it is told.
        """
        now = events.clock.time()
        if rows := [(name, value, step, now) for name, value, step in effects.get("metrics", ())]:
            events.metrics(node.path, rows)
        for name, digest in effects.get("context", {}).items():
            context.replay(name, self._store.load(digest))
        for name, digest in effects.get("saved", {}).items():
            info = store.info(digest)
            if info is not None:
                events.artifact(node.path, name, info, NodeStatus.HIT)

    def note_files(self, observed: Iterable[tuple[str, str]]) -> None:
        """Take note of the files that a call depends on."""
        self.files.update((name[5:], token) for name, token in observed if name.startswith("file:"))

    def _effects(self, effects: Effects, context: Context) -> str:
        """Return what a hit replays; nothing for most calls."""
        kept: dict[str, Any] = {}
        if effects.metrics:
            kept["metrics"] = effects.metrics
        if effects.text:
            kept["log"] = self._put(self._blank("".join(effects.text)))
        if effects.context:
            kept["context"] = {context.local(name): self._put(value) for name, value in effects.context.items()}
        if effects.artifacts:
            kept["saved"] = {name: encoded.digest for name, encoded in effects.artifacts.items()}
        return _dump(kept) if kept else ""

    def _about(self, node: Node, static: Static) -> str:
        """Return what ``why`` compares a later call with."""
        text = f'{{"about":"{static.about or self._lookup.describe(static)}"'
        if node.inputs:
            text += f',"in":{{{",".join([_dump_token(*token) for token in tokens_of(node).items()])}}}'
        if node.tokens:
            text += f',"classes":{_dump(self._lookup.describe_classes(node.tokens.values()))}'
        return text + "}"

    def _put(self, value: Any) -> Digest:
        encoded = self._store.encode(value)
        self._store.add_value(encoded)
        return Digest(encoded.digest)


def _dump_token(name: str, token: str | None) -> str:
    return f'{quote(name)}:"{token}"' if token is not None else f"{quote(name)}:null"
