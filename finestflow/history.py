"""``finestflow.runs``: past runs, from Python.

``runs("f1>0.9", sort="-f1")`` finds them as ``finestflow log`` does, ``runs["@"]`` names one as every command does. Listings are read
from the index; a run's record when something is asked that the index does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from finestflow.errors import QueryError, UsageError
from finestflow.view import RunView
from finestflow.workspace import current

if TYPE_CHECKING:
    from finestflow.model import RunSummary
    from finestflow.workspace import Workspace

__all__ = ["History", "RunList", "runs"]

_SHOWN = 30
_ALWAYS = ("id", "name", "pipeline", "status", "started", "seconds", "tags", "note", "branch", "base", "commit")


class RunList(Sequence[RunView]):
    """Runs that a query found, in its order."""

    def __init__(self, workspace: Workspace, found: Sequence[RunSummary]) -> None:
        self._workspace = workspace
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, place: int) -> RunView: ...
    @overload
    def __getitem__(self, place: slice) -> RunList: ...
    def __getitem__(self, place: int | slice) -> RunView | RunList:
        if isinstance(place, slice):
            return RunList(self._workspace, self._found[place])
        return RunView(self._workspace, self._found[place])

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a flat dict a run: ``id``, ``name``, ``status`` ..., ``params.NAME``, ``metrics.NAME``; missing ones are left out."""
        return [_flat(RunView(self._workspace, run)) for run in self._found]

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame``, a row a run and a column for each key of ``to_dicts``.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise UsageError("pandas is not installed", "pip install 'finestflow[pandas]'") from None
        rows = self.to_dicts()
        return pd.DataFrame.from_records(rows, columns=_columns(rows))

    def to_polars(self) -> Any:
        """Return a ``polars.DataFrame``, a row a run and a column for each key of ``to_dicts``.

        Raises:
            UsageError: polars is not installed.
        """
        try:
            import polars as pl
        except ImportError:
            raise UsageError("polars is not installed", "pip install 'finestflow[polars]'") from None
        rows = self.to_dicts()
        columns = _columns(rows)
        return pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, strict=False)

    def __repr__(self) -> str:
        shown = ", ".join(run.name for run in self._found[:3])
        return f"<{len(self)} runs{': ' if shown else ''}{shown}{', ...' if len(self) > 3 else ''}>"

    def _repr_html_(self) -> str:
        """Show a table in a notebook, the first of many."""
        from finestflow.markup import table

        rows = [_flat(view) for view in self[:_SHOWN]]
        columns = [name for name in _columns(rows) if name not in {"id", "branch", "base", "commit"}]
        more = f", the first {_SHOWN}" if len(self) > _SHOWN else ""
        cells = [[row.get(name) for name in columns] for row in rows]
        return table(columns, cells, caption=f"{len(self)} runs{more}")


class History:
    """The runs of the repository around the working directory."""

    def __call__(self, query: str = "", *, sort: str | None = None, limit: int | None = None) -> RunList:
        """Return the runs that a query finds.

        Args:
            query: As for ``finestflow log``; every run when empty.
            sort: A field, a metric or ``p.NAME``, ``-KEY`` for descending; newest first, and live ones on top, when left out.
            limit: At most so many.

        Raises:
            QueryError: Something in the query is not understood.
            RepositoryError: There is no repository.
        """
        workspace = _fresh()
        problems = workspace.problems(query) if query else []
        if problems:
            raise QueryError(f"the query {query!r} is not understood: {problems[0]}", "see: finestflow log --help")
        return RunList(workspace, workspace.select(query, sort=sort, limit=limit))

    @overload
    def __getitem__(self, name: str | int) -> RunView: ...
    @overload
    def __getitem__(self, name: slice) -> RunList: ...
    def __getitem__(self, name: str | int | slice) -> RunView | RunList:
        """Return one run: an id or its beginning, ``@``, ``@~2``, ``@{pipeline}``, a name, a commit; or by place, as of a list.

        Raises:
            NotFoundError: None or several match.
        """
        if not isinstance(name, str):
            return self()[name]
        workspace = _fresh()
        return RunView(workspace, workspace.resolve(name))

    def __iter__(self) -> Iterator[RunView]:
        return iter(self())

    def __len__(self) -> int:
        return len(self())

    def __repr__(self) -> str:
        return repr(self())

    def _repr_html_(self) -> str:
        return self()._repr_html_()


runs = History()
"""Past runs: ``runs("f1>0.9", sort="-f1")`` finds them as ``finestflow log`` does, ``runs["@"]`` is the newest, and names as every command takes
them name one. Iterating goes over all of them, newest first."""


def _fresh() -> Workspace:
    workspace = current()
    workspace.refresh()
    return workspace


def _flat(run: RunView) -> dict[str, Any]:
    summary = run.summary
    row: dict[str, Any] = {
        "id": run.id,
        "name": run.name,
        "pipeline": run.pipeline,
        "status": run.status,
        "started": run.started,
        "seconds": run.seconds,
        "tags": " ".join(run.tags),
        "note": run.note,
        "branch": summary.branch,
        "base": summary.base,
        "commit": summary.commit,
    }
    row |= {f"params.{name}": value for name, value in summary.params.items()}
    row |= {f"metrics.{name}": value for name, value in summary.metrics.items()}
    return row


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of all columns: what every run has is there without any run too."""
    return list(dict.fromkeys([*_ALWAYS, *(name for row in rows for name in row)]))
