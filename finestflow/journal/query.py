"""Queries of runs: parsed once, answered by SQLite or by Python.

Invariant: for every text, ``to_sql`` on the index and ``matches`` on summaries choose the same runs; text only ever enters SQL as a
bound parameter; parsing never fails: what is not understood is a ``Problem`` and does not restrict. The CLI, the terminal
UI and the Python API use it; the grammar is::

    query = all ("or" all)*          all  = (item "and"?)*
    item  = not* term | not* "(" query ")"        not = "-" | "not"
    term  = word | "#"tag | key op value          op  = : = != > >= < <=    with spaces around it, but for ":"
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, NamedTuple

from finestflow.errors import nearest_hint
from finestflow.journal.compared import fold_text, same_text
from finestflow.journal.conditions import (
    AllOf,
    AnyOf,
    CallStatus,
    CallTask,
    Changed,
    Condition,
    File,
    Like,
    Not,
    Number,
    OutputDigest,
    State,
    Tag,
    Text,
    Value,
    Word,
)
from finestflow.journal.inside import NOTHING, Inside, inside_of
from finestflow.journal.quantity import parse_duration, parse_moment, parse_number
from finestflow.model import NodeStatus, Run, RunStatus, RunSummary

__all__ = ["KEYS", "Problem", "Query", "parse"]

_NEEDS = {"task": "calls", "task.status": "calls", "out": "calls", "changed": "calls", "file": "files"}
"""Keys about what is inside of runs, and which part of it has to be read for them."""
_TEXTS = {
    "id": "id",
    "name": "name",
    "pipeline": "pipeline",
    "note": "note",
    "error": "error",
    "branch": "branch",
    "from": "origin",
    "reproduces": "reproduces",
}
_PREFIXES = {"commit": "commit", "base": "base", "code": "code"}
_NUMBERS = {"dur": "seconds", "seconds": "seconds", "cached": "hits", "hits": "hits", "nodes": "nodes"}
_STATES = ("live", "star", "dirty", "removed")
KEYS = tuple(
    sorted(
        [*_TEXTS, *_PREFIXES, *_NUMBERS, *_NEEDS, "like", "before", "is", "since", "status", "tag", "m.NAME", "p.NAME"]
    )
)
"""What may stand before an operator, besides names of metrics and params."""

_token = re.compile(
    r"""\s+ | (?P<open>\() | (?P<close>\)) | (?P<minus>-)(?=[^\s)]) |
    (?P<spaced>(?!(?:or|and|not)\s)(?P<key>(?:"[^"]*"|[^\s():=<>!"#])+)(?:\s+(?P<op>[!<>]=|[=<>])\s*|(?P<near>[!<>]=|[=<>])\s+)
        (?P<value>(?:[^\s()":=<>!]|"[^"]*(?:"|$))+)) |
    (?P<term>(?:[^\s()"]|"[^"]*(?:"|$))+)""",
    re.VERBOSE | re.IGNORECASE,
)
_operator = re.compile(r"""(?P<key>(?:"[^"]*"|[^\s:=<>!"])+)(?P<op>!=|>=|<=|:|=|>|<)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A part of a query that is not understood: where it begins, what it says, what could be meant."""

    position: int
    text: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query of runs that was parsed."""

    text: str
    condition: Condition
    problems: tuple[Problem, ...] = ()
    shows_removed: bool = False
    """The query asks for removed runs by ``is:removed``; else a listing leaves them out."""
    needs: frozenset[str] = frozenset()
    """What of the inside of runs has to be read: ``calls``, ``files``."""

    def to_sql(self) -> tuple[str, tuple[Any, ...]]:
        """Return an SQL expression over the table ``runs`` of the index, and its parameters."""
        sql, values = self.condition.to_sql()
        return sql, tuple(values)

    def matches(self, run: RunSummary, inside: Inside = NOTHING) -> bool:
        """Say whether a run fulfils the query, with what is inside of it where ``needs`` says that this counts."""
        return self.condition.matches(run, inside)

    def is_fulfilled_by(self, run: Run) -> bool:
        """Say whether a whole run fulfils the query, such as one that goes on."""
        return self.matches(run.summary, inside_of(run) if self.needs else NOTHING)


Find = Callable[[str], RunSummary | None]


def parse(
    text: str, *, now: float, known: Iterable[str] = (), zone: tzinfo | None = None, find: Find | None = None
) -> Query:
    """Parse a query; this never fails.

    Args:
        text: What was typed.
        now: The time, for ``since:2d``.
        known: Names of metrics and params that exist; with them, a name that does not is told as a problem.
        zone: Whose midnight counts for dates; None is the machine's.
        find: Finds the run that a person names, for ``like:RUN``.
    """
    return _Parser(text, now, frozenset(known), zone, find).parse()


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_SIGNS = {"or": "or", "and": "", "not": "minus"}
"""Words that are signs, and the kind of token that each is: "and" says nothing that a space does not."""
_DEEPEST = 50
"""Parentheses deeper than this are not understood; SQLite stops at a depth of 1,000 and Python's stack is not endless."""
_MOST_TERMS = 500
"""For the same reason."""


class _Parser:
    def __init__(self, text: str, now: float, known: frozenset[str], zone: tzinfo | None, find: Find | None) -> None:
        self._text = text.encode("utf-8", "replace").decode()  # half surrogates cannot be bound
        self._now = now
        self._known = known
        self._zone = zone
        self._find = find
        self._needs: set[str] = set()
        self._tokens = list(_iter_tokens(self._text))
        self._at = 0
        self._depth = 0
        self._terms = 0
        self._problems: list[Problem] = []
        self._shows_removed = False

    def parse(self) -> Query:
        parts: list[Condition] = []
        while self._at < len(self._tokens):
            condition = self._parse_any()
            if condition is not None:
                parts.append(condition)
            if self._at < len(self._tokens):  # only a parenthesis that closes nothing stops it
                self._complain(self._tokens[self._at], "no parenthesis is open here")
                self._at += 1
        return Query(
            text=self._text,
            condition=AllOf(tuple(parts)),
            problems=tuple(sorted(self._problems, key=lambda problem: problem.position)),
            shows_removed=self._shows_removed,
            needs=frozenset(self._needs),
        )

    def _complain(self, token: _Token, hint: str) -> None:
        self._problems.append(Problem(position=token.position, text=token.text, hint=hint))

    def _parse_any(self) -> Condition | None:
        choices: list[Condition] = []
        while True:
            before = self._at
            condition = self._parse_all()
            if condition is not None:
                choices.append(condition)
            token = self._peek()
            if token is None or token.kind != "or":
                break
            self._at += 1
            following = self._peek()
            if self._at - 1 == before or following is None or following.kind in ("or", "close"):
                self._complain(token, 'nothing is beside this "or"; to look for the word, write it in quotes')
        if len(choices) > 1:
            return AnyOf(tuple(choices))
        return choices[0] if choices else None

    def _parse_all(self) -> Condition | None:
        parts = []
        while (token := self._peek()) is not None and token.kind not in ("or", "close"):
            condition = self._parse_item()
            if condition is not None:
                parts.append(condition)
        return AllOf(tuple(parts)) if parts else None

    def _parse_item(self) -> Condition | None:
        is_not = False
        sign = token = self._peek()
        while token is not None and token.kind == "minus":
            is_not, sign = not is_not, token
            self._at += 1
            token = self._peek()
        if token is not None and token.kind == "open":
            condition = self._parse_group(token)
        elif token is not None and token.kind == "term":
            self._at += 1
            condition = self._parse_term(token)
        else:
            if sign is not None and sign.kind == "minus":
                self._complain(sign, f'nothing is after "{sign.text}"; to look for the word, write it in quotes')
            return None
        return Not(condition) if is_not and condition is not None else condition

    def _parse_group(self, token: _Token) -> Condition | None:
        self._at += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            self._complain(token, f"parentheses may be {_DEEPEST} deep")
            self._at = len(self._tokens)
            return None
        condition = self._parse_any()
        self._depth -= 1
        if self._peek() is None:
            self._complain(token, "this parenthesis is not closed")
        else:
            self._at += 1
        return condition

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _parse_term(self, token: _Token) -> Condition | None:
        self._terms += 1
        if self._terms > _MOST_TERMS:
            self._at = len(self._tokens)
            return self._fail(token, f"a query may have {_MOST_TERMS} terms")
        if token.text.count('"') % 2:
            self._complain(token, "this quote is not closed")
        if token.text.startswith("#"):
            tag = _unquote(token.text[1:])
            return self._fail(token, "a tag is missing after the #") if not tag else Tag(fold_text(tag))
        match = _operator.match(token.text)
        if match is None and re.fullmatch("[:=<>!]+", token.text):
            return self._fail(token, "a name is missing before it, or a value after it")
        if match is None:
            word = _unquote(token.text)
            return Word(fold_text(word)) if word else None
        key, op, value = match["key"], match["op"], _unquote(token.text[match.end() :])
        if not value:
            return self._fail(token, f'a value is missing after "{key}{op}"')
        return self._parse_comparison(token, _unquote(key), op, value)

    def _parse_comparison(self, token: _Token, key: str, op: str, value: str) -> Condition | None:
        name = key.lower()
        if name in _TEXTS or name in _PREFIXES or name in ("status", "is", "tag"):
            if op not in (":", "=", "!="):
                return self._fail(token, f'"{key}" is text: use : = or !=')
            return self._parse_text(token, name, op, value)
        if name in ("since", "before"):
            return self._parse_moment(token, name, op, value)
        if name in _NUMBERS:
            number = parse_duration(value) if _NUMBERS[name] == "seconds" else parse_number(value)
            if number is None or math.isnan(number):
                example = "10m or 1h30m" if _NUMBERS[name] == "seconds" else "5"
                return self._fail(token, f'a number is expected after "{key}{op}", such as {example}')
            return Number(_NUMBERS[name], "=" if op == ":" else op, number)
        if name in _NEEDS or name == "like":
            if op not in (":", "=", "!="):
                return self._fail(token, f'"{key}" is text: use : = or !=')
            condition = self._parse_inside(token, name, op, fold_text(value), value)
            return Not(condition) if condition is not None and op == "!=" else condition
        return self._parse_value(token, key, op, value)

    def _parse_text(self, token: _Token, name: str, op: str, value: str) -> Condition | None:
        folded = fold_text(value)
        if name == "tag":
            return Not(Tag(folded)) if op == "!=" else Tag(folded)
        if name in ("status", "is"):
            states = [status.value for status in RunStatus] + (list(_STATES) if name == "is" else [])
            if folded not in states:
                return self._fail(token, nearest_hint(folded, states, f"after {name}: comes one of"))
            self._shows_removed = self._shows_removed or folded == "removed"
            return Not(State(folded)) if op == "!=" else State(folded)
        if name in _PREFIXES:
            begins = Text(_PREFIXES[name], "^", folded)
            return Not(begins) if op == "!=" else begins
        return Text(_TEXTS[name], op, folded)

    def _parse_inside(self, token: _Token, name: str, op: str, folded: str, value: str) -> Condition | None:
        """Return what is asked of the inside of runs; ``!=`` is turned round by the caller."""
        statuses = [status.value for status in NodeStatus]
        if name == "like":
            run = self._find(value) if self._find is not None else None
            if run is None:
                return self._fail(token, f"no run is called {value!r}")
            return Like(run.pipeline, same_text(run.params))
        if name == "task.status" and folded not in statuses:
            return self._fail(token, nearest_hint(folded, statuses, "after task.status: comes one of"))
        if name == "out" and re.fullmatch("[0-9a-f]{1,64}", folded) is None:
            return self._fail(token, "the beginning of a digest is expected, of digits and letters from a to f")
        self._needs.add(_NEEDS[name])
        if name == "task":
            return CallTask(":" if op == ":" else "=", folded)
        single: dict[str, Callable[[str], Condition]] = {
            "task.status": CallStatus,
            "out": OutputDigest,
            "changed": Changed,
            "file": File,
        }
        return single[name](folded)

    def _parse_moment(self, token: _Token, name: str, op: str, value: str) -> Condition | None:
        moment = parse_moment(value, self._now, self._zone)
        if moment is None or op not in (":", "="):
            return self._fail(token, f"write {name}:2d, {name}:12h, {name}:2026-11-01 or {name}:yesterday")
        return Number("started", ">=" if name == "since" else "<", moment)

    def _parse_value(self, token: _Token, key: str, op: str, value: str) -> Condition | None:
        number = parse_number(value)
        number = None if number is None or math.isnan(number) else number
        if number is None and op not in (":", "=", "!="):
            return self._fail(token, f'a number is expected after "{key}{op}", such as 0.9, 1e-3, 10k or 2GB')
        kind, _, rest = key.partition(".")
        tables = {"m": ("metrics",), "p": ("params",)}.get(kind if rest else "", ("metrics", "params"))
        name = rest if len(tables) == 1 else key
        if self._known and not self._is_known(name):
            names = [*self._known, *(each for each in KEYS if not each.endswith(".NAME"))]
            self._complain(token, nearest_hint(name, names, "metrics, params and keys"))
        found = tuple(Value(table, name, op, value, number) for table in tables)
        return found[0] if len(found) == 1 else AnyOf(found)

    def _is_known(self, name: str) -> bool:
        return name in self._known or any(each.endswith(("/" + name, "." + name)) for each in self._known)

    def _fail(self, token: _Token, hint: str) -> Condition | None:
        """Tell that a term is not understood; it then restricts nothing."""
        self._complain(token, hint)
        return None


def _iter_tokens(text: str) -> Iterator[_Token]:
    for match in _token.finditer(text):
        kind = match.lastgroup
        if kind is None:
            continue
        word = match[0]
        if match["spaced"] is not None:
            kind, word = "term", match["key"] + (match["op"] or match["near"]) + match["value"]
        elif kind == "term" and word.lower() in _SIGNS:
            kind = _SIGNS[word.lower()]
        if kind:
            yield _Token(kind, word, match.start())


def _unquote(text: str) -> str:
    return text.replace('"', "")
