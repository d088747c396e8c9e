"""The parts of a query: each answers in SQL and in Python, and must answer the same.

Invariant: an SQL expression is 0 or 1 and never null, and holds no text of the query: that is bound. Made by ``query``. Named tuples, because nine dataclasses cost
4 ms whenever a list is shown.
"""

# ruff: noqa: D102 - the methods of every condition are those of Condition

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from finestflow.journal.compared import fold_text, is_path_meant, likeness_of, number_of, same_text, text_of, words_of

if TYPE_CHECKING:
    from finestflow.journal.inside import Inside
    from finestflow.model import RunSummary

__all__ = [
    "AllOf",
    "AnyOf",
    "CallStatus",
    "CallTask",
    "Changed",
    "Condition",
    "File",
    "Like",
    "Not",
    "Number",
    "OutputDigest",
    "State",
    "Tag",
    "Text",
    "Value",
    "Word",
    "find_value",
    "look_up_each",
]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
}
_SQL_OPERATORS = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}

_AMONG = "runs.seq IN (SELECT seq FROM {} WHERE "
_OF_EACH = "EXISTS (SELECT 1 FROM {} WHERE seq = runs.seq AND "

Sql = tuple[str, list[Any]]


class Condition(Protocol):
    """A part of a query."""

    def to_sql(self) -> Sql:
        """Return an SQL expression over ``runs``, 0 or 1 and never null, and its parameters."""

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        """Say whether a run fulfils it, with what is inside of it."""


def find_value(values: Mapping[str, Any], key: str, separator: str) -> tuple[Any] | None:
    """Find a value by its name: the run's own, else the only one whose last part it is.

    Args:
        values: Params or metrics.
        key: A whole name, or its last part.
        separator: What stands before the last part: ``/`` for metrics, ``.`` for params.
    """
    if key in values:
        return (values[key],)
    ending = separator + key
    found = [value for name, value in values.items() if name.endswith(ending) and separator not in key]
    return (found[0],) if len(found) == 1 else None


class AllOf(NamedTuple):
    """All of its parts; true without any."""

    parts: tuple[Condition, ...]

    def to_sql(self) -> Sql:
        return _join(self.parts, " AND ", "1")

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return all(part.matches(run, inside) for part in self.parts)


class AnyOf(NamedTuple):
    """At least one of its parts."""

    parts: tuple[Condition, ...]

    def to_sql(self) -> Sql:
        return _join(self.parts, " OR ", "0")

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return any(part.matches(run, inside) for part in self.parts)


class Not(NamedTuple):
    """What its part does not match."""

    part: Condition

    def to_sql(self) -> Sql:
        sql, values = self.part.to_sql()
        return f"NOT ({sql})", values

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return not self.part.matches(run, inside)


class Word(NamedTuple):
    """A word somewhere in what a run is called and what is said of it."""

    word: str

    def to_sql(self) -> Sql:
        return "instr(runs.words, ?) > 0", [self.word]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return self.word in words_of(run)


class Tag(NamedTuple):
    """A tag, whole, without regard to case."""

    tag: str

    def to_sql(self) -> Sql:
        return "instr(runs.tagset, ?) > 0", [f"\n{self.tag}\n"]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return any(fold_text(tag) == self.tag for tag in run.tags)


class Text(NamedTuple):
    """A text field that contains (``:``), is (``=``), is not (``!=``) or begins with (``^``) something."""

    column: str
    op: str
    text: str

    def to_sql(self) -> Sql:
        # a column name comes from the tables above, never from the query
        plain = f"runs.{'commit_id' if self.column == 'commit' else self.column}"
        column = f"fold({plain})"
        if self.op == ":":
            return f"instr({column}, ?) > 0", [self.text]
        if self.op == "^":  # of ids of git, which are in small letters: the indexes on them can be asked
            sql = f"SELECT seq FROM runs WHERE {plain} >= ? AND {plain} < ?"  # noqa: S608
            return f"runs.seq IN ({sql})", [self.text, self.text + "\U0010ffff"]
        return f"{column} {_SQL_OPERATORS[self.op]} ?", [self.text]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        value = fold_text(getattr(run, self.column))
        if self.op == ":":
            return self.text in value
        if self.op == "^":
            return value.startswith(self.text)
        return _COMPARE[self.op](value, self.text)


class Number(NamedTuple):
    """A number that every run has."""

    column: str
    op: str
    number: float

    def to_sql(self) -> Sql:
        return f"runs.{self.column} {_SQL_OPERATORS[self.op]} ?", [self.number]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return _COMPARE[self.op](getattr(run, self.column), self.number)


class State(NamedTuple):
    """``is:live`` and its like, and every status."""

    state: str

    def to_sql(self) -> Sql:
        if self.state in ("star", "removed"):
            return f"runs.{self.state} = 1", []
        if self.state == "dirty":
            return "runs.changed + runs.untracked > 0", []
        return "runs.status = ?", ["running" if self.state == "live" else self.state]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        if self.state == "star":
            return run.star
        if self.state == "removed":
            return run.removed
        if self.state == "dirty":
            return sum(run.dirty) > 0
        return run.status == ("running" if self.state == "live" else self.state)


class Value(NamedTuple):
    """A metric or a param, by its name."""

    table: str
    key: str
    op: str
    text: str
    number: float | None

    def to_sql(self) -> Sql:
        test: str
        values: list[Any]
        if self.op == ":":
            test, values = "instr(fold(text), ?) > 0", [fold_text(self.text)]
        elif self.op == "=":
            test, values = "(num = ? OR text = ?)", [self.number, self.text]
        elif self.op == "!=":
            test, values = "NOT (coalesce(num = ?, 0) OR text = ?)", [self.number, self.text]
        else:
            test, values = f"num {_SQL_OPERATORS[self.op]} ?", [self.number]
        return f"{_AMONG.format(self.table)}key = ? AND {test})", [self.key, *values]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        is_metric = self.table == "metrics"
        found = find_value(run.metrics if is_metric else run.params, self.key, "/" if is_metric else ".")
        if found is None:
            return False
        value, text = number_of(found[0]), text_of(found[0])
        if self.op == ":":
            return fold_text(self.text) in fold_text(text)
        if self.op in ("=", "!="):
            is_equal = text == self.text or (value is not None and value == self.number)
            return is_equal is (self.op == "=")
        return value is not None and self.number is not None and _COMPARE[self.op](value, self.number)


class CallTask(NamedTuple):
    """A call of a task, by its path, the last part of that, or what the task is called: contains (``:``) or is (``=``)."""

    op: str
    text: str

    def to_sql(self) -> Sql:
        if self.op == ":":
            return "runs.seq IN (SELECT seq FROM calls WHERE instr(path, ?) OR instr(task, ?))", [self.text] * 2
        return "runs.seq IN (SELECT seq FROM calls WHERE ? IN (path, name, task))", [self.text]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        if self.op == ":":
            return any(self.text in call.path or self.text in call.task for call in inside.calls)
        return any(self.text in (call.path, call.name, call.task) for call in inside.calls)


class CallStatus(NamedTuple):
    """A call that ended in some way."""

    status: str

    def to_sql(self) -> Sql:
        return "runs.seq IN (SELECT seq FROM calls WHERE status = ?)", [self.status]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return any(call.status == self.status for call in inside.calls)


class OutputDigest(NamedTuple):
    """An output of a call, by the beginning of its digest."""

    digits: str

    def to_sql(self) -> Sql:
        of_few = "SELECT seq FROM outputs WHERE digest >= ? AND digest < ?"
        of_many = "SELECT seq FROM many_outputs WHERE instr(digests, ?)"
        places = [self.digits, self.digits + "g", f" {self.digits}"]  # g comes after all digits
        return f"runs.seq IN ({of_few} UNION ALL {of_many})", places

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return any(digest.startswith(self.digits) for digest in inside.outputs)


class Changed(NamedTuple):
    """A param, the code of a task, or any file (``code``), that changed since the run of the same pipeline before."""

    name: str

    def to_sql(self) -> Sql:
        return "runs.seq IN (SELECT seq FROM changes WHERE name = ?)", [self.name]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return self.name in inside.changes


class File(NamedTuple):
    """A file that changed since the run of the same pipeline before, by a pattern."""

    pattern: str

    def to_sql(self) -> Sql:
        return "runs.seq IN (SELECT seq FROM files WHERE is_path_meant(path, ?))", [self.pattern]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return any(is_path_meant(path, self.pattern) for path in inside.files)


class Like(NamedTuple):
    """The runs of a pipeline with these params, whatever their code, seed and outcome."""

    pipeline: str
    params: str

    def to_sql(self) -> Sql:
        sql = "SELECT seq FROM runs INDEXED BY runs_likeness WHERE likeness = ? AND pipeline = ? AND same(params) = ?"
        return f"runs.seq IN ({sql})", [likeness_of(self.params), self.pipeline, self.params]

    def matches(self, run: RunSummary, inside: Inside) -> bool:
        return run.pipeline == self.pipeline and same_text(run.params) == self.params


def look_up_each(sql: str) -> str:
    """Return an expression that asks for the value of one run after the other, in place of all runs that have such a value.

    That is quicker where only the first runs are wanted and many fulfil it.
    """
    for table in ("metrics", "params"):
        sql = sql.replace(_AMONG.format(table), _OF_EACH.format(table))
    return sql


def _join(parts: tuple[Condition, ...], word: str, empty: str) -> Sql:
    if not parts:
        return empty, []
    texts, values = [], []
    for part in parts:
        sql, its = part.to_sql()
        texts.append(f"({sql})" if len(parts) > 1 else sql)
        values += its
    return word.join(texts), values
