"""Past runs and live ones, and the values of their outputs, as a person names them.

Invariant: nothing is changed but what finestflow derives or owes: the index is brought up to date, and a killed run is recorded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from finestflow.errors import FinestflowError, NotFoundError, nearest_hint
from finestflow.workspace.places import Places

if TYPE_CHECKING:
    from finestflow.compare import RunDiff
    from finestflow.git.repository import Repository
    from finestflow.journal.following import LiveRun
    from finestflow.journal.query import Query
    from finestflow.model import Run, RunSummary

__all__ = ["Reading"]

Row = TypeVar("Row")


class Reading(Places):
    """What a workspace tells of runs."""

    def refresh(self) -> None:
        """Record what killed processes left, and bring the index up to date."""
        repository = self.require_repository()
        if self._has_live():
            try:
                self.journal.recover(self.clock.time())
            except (FinestflowError, OSError) as error:
                self.warn(f"a killed run could not be recorded: {error}")
            for problem in self.journal.problems:
                self.warn(problem)
        self.index.refresh(repository)
        if self.index.is_empty and (note := self._adopt_journal(repository)):
            self.warn(note)
            self.index.refresh(repository)

    def _adopt_journal(self, repository: Repository) -> str:
        """Take in the runs that were fetched under the short name of the journal; say so."""
        from finestflow.git.refs import adopt_journal

        try:
            return adopt_journal(repository)
        except FinestflowError:  # nobody may write here
            return ""

    def parse_query(self, text: str) -> Query:
        """Parse a query; it never fails, ``problems`` says what it does not understand."""
        from finestflow.journal.query import parse

        metrics, params = self.index.known_names()
        return parse(text, now=self.clock.time(), known=metrics | params, find=self.find_named)

    def find_named(self, name: str) -> RunSummary | None:
        """Return the run that a person names, or None."""
        try:
            return self.resolve(name)
        except NotFoundError:
            return None

    def select(self, query: str = "", *, sort: str | None = None, limit: int | None = None) -> list[RunSummary]:
        """Return the runs that a query finds, newest first or sorted by a key; live ones are on top."""
        return self._select(query, sort, limit, self.index.summaries, lambda run: run)

    def select_rows(
        self, fields: Sequence[str], query: str = "", *, sort: str | None = None, limit: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Return what ``select`` does as plain rows of ``Index.rows``, at a tenth of the cost: for long lists."""

        def of_live(run: RunSummary) -> tuple[Any, ...]:
            from finestflow.journal.index_update import fields_of

            return fields_of(run, fields)

        return self._select(query, sort, limit, partial(self.index.rows, fields), of_live)

    def _select(
        self,
        query: str,
        sort: str | None,
        limit: int | None,
        read: Callable[..., list[Row]],
        of_live: Callable[[RunSummary], Row],
    ) -> list[Row]:
        parsed = self.parse_query(query) if query else None
        if sort is not None:
            self.index.check_key(sort.removeprefix("-"))
        found = read(parsed, sort=sort or "-started", limit=limit)
        if sort is None:
            found = [
                of_live(run.summary) for run in self.watch() if parsed is None or parsed.is_fulfilled_by(run.state.run)
            ] + found
        return found if limit is None else found[:limit]

    def problems(self, query: str) -> list[str]:
        """Return what a query says that is not understood."""
        return [
            f"{problem.text}{f': {problem.hint}' if problem.hint else ''}"
            for problem in self.parse_query(query).problems
        ]

    def live_runs(self) -> list[RunSummary]:
        """Return the runs that are going on, newest first."""
        return [run.summary for run in self.watch()]

    def watch(self) -> list[LiveRun]:
        """Return the runs that are going on, newest first, to be followed as their events come."""
        if not self._has_live():
            return []
        from finestflow.journal.following import list_live_runs

        return list_live_runs(self.require_repository().state_dir, self._live)

    def find_live(self, name: str) -> LiveRun | None:
        """Return the run that a person names when it is going on."""
        chosen = self._choose_live(name)
        return None if isinstance(chosen, str) else chosen

    def _choose_live(self, name: str) -> LiveRun | str:
        """Return the live run that is meant, or what the name means among those that have ended."""
        live = self.watch()
        if not live:
            return name
        from finestflow.journal.following import choose_live

        return choose_live(live, name)

    def _has_live(self) -> bool:
        """Whether any run is going on or was killed: when not, reading history loads nothing of the journal but its index."""
        if self.repository is None:
            return False
        try:
            return bool(os.listdir(self.repository.state_dir / "live"))
        except OSError:
            return False

    def short_ids(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the shortest beginning of each id that names it alone."""
        return self.index.prefixes(ids)

    def resolve(self, name: str) -> RunSummary:
        """Return the run that a person names: an id or its beginning, ``@``, ``@~2``, ``@{digits}``, a name, a commit.

        Raises:
            NotFoundError: None or several match.
        """
        chosen = self._choose_live(name)
        return self.index.resolve(chosen) if isinstance(chosen, str) else chosen.summary

    def load_run(self, run: str | RunSummary) -> Run:
        """Return a run, whole; a live one as far as it has come."""
        summary = self.resolve(run) if isinstance(run, str) else run
        if not summary.commit:
            live = self.find_live(summary.id)
            if live is not None:
                return live.state.run
            self.refresh()  # it has ended meanwhile
            summary = self.index.resolve(summary.id)
        return self.journal.load(summary)

    def load_runs(
        self, runs: Iterable[RunSummary], *, with_series: bool = True, files: Sequence[str] | None = None
    ) -> Iterator[Run]:
        """Yield runs in their order, whole or what some files of their records tell: many at once cost less than one by one."""
        from finestflow.journal.record import FIXED_FILES

        files = FIXED_FILES if files is None else files
        for is_recorded, chosen in groupby(runs, key=lambda run: bool(run.commit)):
            if is_recorded:
                yield from self.journal.load_many(chosen, with_series=with_series, files=files)
            else:
                yield from map(self.load_run, chosen)

    def read_log(self, run: str | RunSummary, node: str | None = None) -> bytes:
        """Return what a node printed, or what the whole run did, node after node under a heading.

        Raises:
            NotFoundError: The run has no such node.
        """
        whole = self.load_run(run)
        if node is not None:
            if node and node not in whole.nodes:
                raise NotFoundError(
                    f"run {whole.summary.name!r} has no node {node!r}", f"its nodes: {', '.join(whole.nodes)}"
                )
            return self._node_log(whole, node) or b""
        parts = []
        for path, text in self.read_logs(whole).items():
            end = b"" if text.endswith(b"\n") else b"\n"
            parts += [f"== {path or whole.summary.pipeline} ==\n".encode(), text, end]
        return b"".join(parts)

    def read_logs(self, run: Run) -> dict[str, bytes]:
        """Return what each node printed; what the body of the pipeline did is under the empty path."""
        paths = ["", *run.nodes]
        if run.summary.commit:
            return self.journal.read_logs(run.summary.commit, paths)
        live = self.find_live(run.summary.id)
        return {} if live is None else {path: text for path in paths if (text := live.entry.read_log(path))}

    def log_patches(self, diff: RunDiff) -> dict[str, str]:
        """Return what was printed differently in two runs, as a unified patch for each node where it differs."""
        from finestflow.compare import diff_logs

        return diff_logs(self.read_logs(diff.before), self.read_logs(diff.after))

    def _node_log(self, run: Run, node: str) -> bytes | None:
        if run.summary.commit:
            return self.journal.read_log(run.summary.commit, node)
        live = self.find_live(run.summary.id)
        return None if live is None else live.entry.read_log(node)

    def why(self, run: Run, node: str) -> list[str]:
        """Return why a node ran or where its hit came from, in sentences."""
        from finestflow.why import explain_node

        return explain_node(run, node, self.resolve)

    # -- outputs -----------------------------------------------------------------------------------------------------------------------

    def load_output(self, run: str | Run, address: str = "") -> Any:
        """Return the value of an output, by ``node[.part]`` or the name of a result; this unpickles.

        Raises:
            NotFoundError: There is no such output, or its value is not in the store.
        """
        from finestflow.address import encoded_of, find_items, find_output, main_output, shown_parts, take_named

        whole = self.load_run(run) if isinstance(run, str) else run
        address = address or main_output(whole)
        items = find_items(whole, address)
        if items is not None:
            return [self.load_output(whole, item) for item in items]
        _, output, rest = find_output(whole, address)
        assert output.digest is not None  # find_output saw to it
        self._import_project(whole)
        if not self.store.adopt(encoded_of(output)):
            fetch = "fetch it with git-lfs, dvc or whatever tracks the store, or: " if self._is_store_shared else ""
            raise NotFoundError(
                f"the value of {address!r} of run {whole.summary.name!r} is not in this store",
                f"{fetch}finestflow reproduce {whole.summary.id}",
            )
        value = self.store.load(output.digest)
        try:
            return take_named(value, rest, output.names)
        except (AttributeError, LookupError, TypeError) as error:
            raise NotFoundError(
                f"the output {address!r} of run {whole.summary.name!r} has no such part: {error}",
                nearest_hint(rest, shown_parts(output), "its parts") if output.parts else f"its type is {output.type}",
            ) from error

    def _import_project(self, run: Run) -> None:
        """Make the project's modules importable, as they are needed to load values of their classes."""
        place = run.target.partition(":")[0]
        folders = [str(self.root)] + ([str((self.root / place).parent)] if place.endswith(".py") else [])
        sys.path.extend(folder for folder in folders if folder not in sys.path)
