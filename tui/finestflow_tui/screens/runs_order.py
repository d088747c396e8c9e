"""What is listed and how: the filter, sort and group keys, and columns."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from textual.widgets import Input

from finestflow.model import RunSummary
from finestflow_tui.keys import named_key
from finestflow_tui.screens.choose import Chooser, Entry
from finestflow_tui.screens.runs_list import RunList
from finestflow_tui.text import Row, one_line, row, value_text
from finestflow_tui.views.runs import (
    Column,
)
from finestflow_tui.widgets.line import fitted

__all__ = ["RunOrder"]

_SINGULAR = frozenset({"id", "name", "when", "took", "commit"})
"""What each run has of its own: groups of it would be of one run each."""
_TYPING = (
    ("enter", "keeps the filter"),
    ("escape", "as it was"),
    ("tab", "completes"),
    ("up", "earlier ones"),
)
"""Keys of the line for a query."""
_ROLES = {"m.": "metric", "c.": "metric", "p.": "param"}


class RunOrder(RunList):
    """The keys that change what is listed."""

    def _foot_rows(self, columns: int) -> Sequence[Row]:
        """Name the keys of the line that is typed in, while one is."""
        if not self.has_class("-filtering"):
            return super()._foot_rows(columns)
        return [row(" ", *fitted([named_key(*key, is_ascii=self.ff.is_ascii) for key in _TYPING], columns - 1, gap=""))]

    # -- filter ----------------------------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type a query."""
        self._before_filter = self.ff.state.query
        self._left_at = self.current_id(), self.table.line
        self.input.older = self.ff.state.queries
        self.add_class("-filtering")
        self.input.value = self.ff.state.query
        self.input.cursor_position = len(self.input.value)
        self.input.focus()
        self.foot.update()
        self.ff.hold_keys(lambda: self.input.has_focus or not self.has_class("-filtering"))
        self.hint()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply what is typed."""
        if self.has_class("-filtering") and event.value != self.ff.state.query:
            self.ff.state.query = event.value
            self.list_runs(reset=True, is_typing=True, keeps_columns=True)
        self.hint()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the query."""
        text = event.value.strip()
        if text:
            self.ff.state.queries = [text, *(each for each in self.ff.state.queries if each != text)]
            self.ff.log_command(shlex.join(["finestflow", "log", text]))
        self.set_query(text)
        self._leave_filter()

    def on_query_input_left(self) -> None:
        """Go back to the query there was, and to the run."""
        self.set_query(self._before_filter, keeps_columns=True)
        if self.ff.state.group:
            self._lost, self._line = self._left_at
        else:
            self._return_to(*self._left_at)
        self._leave_filter()

    def _leave_filter(self) -> None:
        self.remove_class("-filtering")
        self.table.focus()
        self.status.update()
        self.foot.update()

    def set_query(self, text: str, *, keeps_columns: bool = False) -> None:
        """Filter by another query."""
        self.ff.state.query = text.strip()
        self.list_runs(reset=True, keeps_columns=keeps_columns)
        self.status.update()

    def action_only(self, wanted: bool) -> None:
        """Add a condition on the value under the cursor."""
        run, column = self.current_run(), self.table.current_column
        if run is None or column is None:
            return
        term = _term(run, column)
        if not term:
            self.say(f"no query can tell runs by {column.title or column.key!r}", "warning")
            return
        self.ff.steps.keep("the filter", "query")
        self.set_query(f"{self.ff.state.query} {'' if wanted else '-'}{term}", keeps_columns=True)

    # -- order -----------------------------------------------------------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Sort by the column under the cursor; numbers begin with the greatest."""
        column = self.table.current_column
        if column is not None:
            self._sort([self._direction(column)])

    def action_sort_second(self) -> None:
        """Sort equals by the column under the cursor; one that is sorted by turns round."""
        column, sorts = self.table.current_column, self.ff.state.sorts
        if column is not None:
            known, direction = [sort.removeprefix("-") for sort in sorts], self._direction(column)
            if column.sort in known:
                at = known.index(column.sort)
                self._sort([*sorts[:at], direction, *sorts[at + 1 :]])
            else:
                self._sort([*sorts[:1], direction])

    def _direction(self, column: Column) -> str:
        first = column.sort if column.key in {"name", "status", "pipeline", "tags", "note"} else f"-{column.sort}"
        other = first.removeprefix("-") if first.startswith("-") else f"-{first}"
        return other if first in self.ff.state.sorts else first

    def _sort(self, sorts: list[str]) -> None:
        self.ff.steps.keep("the order", "sorts")
        self.ff.state.sorts = sorts
        self.ff.log_command(self._list_command())
        self.list_runs(reset=True, keeps_columns=True)
        self.status.update()

    def _list_command(self) -> str:
        query = [self.ff.state.query] if self.ff.state.query else []
        return shlex.join(["finestflow", "log", *query, "--sort", ",".join(self._sorts)])

    def twin(self) -> str:
        """Return the command that lists the same runs; on an empty list, the one that it names."""
        return "finestflow run tiny.py" if self.has_class("-empty") else self._list_command()

    def on_run_table_header_clicked(self) -> None:
        """Sort by the column that was clicked."""
        self.action_sort()

    def action_group(self) -> None:
        """Group by the column under the cursor, or end it."""
        column = self.table.current_column
        self.folded.clear()
        if column is not None and column.key in _SINGULAR and not self.ff.state.group:
            self.say(f"no two runs have the same {column.title!r}: group by a param, a tag or a status", "warning")
        elif column is not None:
            self.ff.steps.keep("the groups", "group")
            self.ff.state.group = "" if self.ff.state.group else column.sort
            self.list_runs()
            self.ff.hold_keys_for_list()
            self.status.update()

    def action_differing(self) -> None:
        """Show only params that differ, or all."""
        state = self.ff.state
        self._keep_columns()
        state.everything = not state.everything
        state.hidden.clear()
        state.columns.clear()
        self.choose_columns(self.table.order)
        self.load_all(self.current_id())
        self.say("all params" if state.everything else "only params that differ in this list")

    def action_hide_column(self) -> None:
        """Hide the column under the cursor."""
        column = self.table.current_column
        if column is not None and column.key in {"status", "name"}:
            self.say(f"the {column.key} is never hidden", "warning")
        elif column is not None:
            self._keep_columns()
            self.ff.state.hidden.append(column.key)
            self.table.set_columns([each for each in self.table.columns if each is not column])
            self.say(f"hid {column.title!r}: + or u brings it back")

    def _keep_columns(self) -> None:
        self.ff.steps.keep("the columns", "columns", "hidden", "everything")

    def action_shift_column(self, step: int) -> None:
        """Move the column under the cursor."""
        keys = [column.key for column in self.table.columns]
        at = self.table.column
        to = at + step
        if not (2 <= at < len(keys) and 2 <= to < len(keys)):
            self.say("status and name stay first" if min(at, to) < 2 else "this is the last column", "warning")
            return
        self._keep_columns()
        keys[at], keys[to] = keys[to], keys[at]
        self.ff.state.columns = keys
        self.choose_columns(self.table.order)

    def action_columns(self) -> None:
        """Choose columns."""
        shown = {column.key for column in self.table.columns}
        metrics, params = self.ff.history.reading.index.known_names()
        names = ["id", "pipeline", "when", "took", "tags", "note", "hits", "branch", "base", "commit", "error"]
        names += [
            f"{kind}.{name}"
            for kind, known in (("m", metrics), ("p", params), ("c", metrics))
            for name in sorted(known)
        ]
        entries = [
            Entry(
                (
                    ("● " if name in shown else "· ", "ok" if name in shown else "dim"),
                    (one_line(name), _ROLES.get(name[:2], "")),
                    ("  how it went" if name.startswith("c.") else "", "dim"),
                ),
                name,
            )
            for name in names
        ]

        def toggle(name: str | None) -> None:
            if name is None:
                return
            keys = [column.key for column in self.table.columns]
            state = self.ff.state
            self._keep_columns()
            state.hidden = [each for each in state.hidden if each != name]
            state.columns = [key for key in keys if key != name] if name in keys else _with_column(keys, name)
            self.choose_columns(self.table.order)
            shown = [column.key for column in self.table.columns]
            if name in shown:
                self.table.action_aside(shown.index(name) - self.table.column)
            self.load_all(self.current_id())

        self.app.push_screen(Chooser("columns", entries, enter="shows or hides it"), toggle)


def _with_column(keys: list[str], name: str) -> list[str]:
    """Put a column behind the last one of its kind: metrics with metrics, params with params; how a metric went behind the metric."""
    if name.startswith("c.") and f"m.{name[2:]}" in keys:
        at = keys.index(f"m.{name[2:]}") + 1
        return [*keys[:at], name, *keys[at:]]
    kin = [at for at, key in enumerate(keys) if key[:2] == name[:2] and name[1:2] == "."]
    at = kin[-1] + 1 if kin else min(len(keys), 4) if name.startswith("m.") else len(keys)
    return [*keys[:at], name, *keys[at:]]


def _term(run: RunSummary, column: Column) -> str:
    """Return the query that finds the runs with the value of a cell."""
    key = column.key
    if key.startswith(("m.", "p.")):
        values: Mapping[str, Any] = run.metrics if key.startswith("m.") else run.params
        name = key[2:]
        return f"{key}={_quoted(value_text(values[name]))}" if name in values else ""
    if key == "status":
        return f"status:{run.status.value}"
    if key == "tags":
        return " ".join(f"#{tag}" for tag in run.tags[:1])
    if key in {"name", "pipeline", "branch", "id", "commit", "base"}:
        return f"{key}:{_quoted(str(getattr(run, key) or ''))}"
    return ""


def _quoted(text: str) -> str:
    return f'"{text}"' if any(letter in text for letter in ' ()"') else text
