"""``finestflow logs``: what a run or a node wrote, also while it goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._address import split_address
from finestflow.cli._documents import summary_document
from finestflow.cli._errors import ExitCode
from finestflow.cli._follow import summary_line
from finestflow.cli._lines import NodeLines, label_of
from finestflow.cli._options import run_argument
from finestflow.cli._output import SCHEMA, dump_json
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import many_lines, one_line
from finestflow.errors import NotFoundError, UsageError, nearest_hint

if TYPE_CHECKING:
    from finestflow.journal.following import LiveRun
    from finestflow.model import Run, RunSummary

_PAUSE = 0.1


@click.command("logs")
@run_argument(metavar="[RUN[:NODE]]")
@click.option("-f", "--follow", is_flag=True, help="Go on while the run goes, all nodes in the order of writing.")
@click.option("--raw", is_flag=True, help="Bytes as they were written, escape sequences included.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a line; with -f the run at the end.")
@pass_session
def command(session: Session, run: str, follow: bool, raw: bool, as_json: bool) -> int:
    """Print what a run or a node wrote, also while it goes.

    With -f a run that is going on is followed until it ends; Ctrl-C stops following, not the run.
    """
    workspace = session.history
    name, node = split_address(run)
    if raw and as_json:
        raise UsageError(
            "--raw and --json contradict each other", "the text of a JSON line has every character as it was"
        )
    if raw and session.out.is_terminal:
        raise UsageError("--raw would send control characters to the terminal", "send it to a file or a pipe")
    live = workspace.find_live(name) if follow else None
    if live is not None:
        return _Following(session, live, node, raw=raw, as_json=as_json).follow()
    if as_json:
        _print_json(session, name, node, is_followed=follow)
        return ExitCode.DONE
    data = workspace.read_log(name, node or None)
    if raw:
        session.out.raw(data)
    elif data:
        text = many_lines(data.decode("utf-8", "replace"))
        session.out.out.write(text if text.endswith("\n") else text + "\n")
    if follow:
        session.out.note(f"has ended: {summary_line(workspace.resolve(name), color=session.out.color_err)}")
    return ExitCode.DONE


def _print_json(session: Session, name: str, node: str, *, is_followed: bool) -> None:
    """Write the lines of a run that has ended, node after node."""
    workspace = session.workspace
    run = workspace.load_run(name)
    logs = {node: workspace.read_log(run.summary, node)} if node else workspace.read_logs(run)
    for each, data in logs.items():
        for line in data.decode("utf-8", "replace").removesuffix("\n").split("\n") if data else ():
            session.out.line(_line_document(run.summary, each, line))
    if is_followed:
        session.out.line(_end_document(run.summary))


def _line_document(run: RunSummary, node: str, text: str) -> str:
    told = {"schema": SCHEMA, "kind": "log", "run": run.id, "node": node, "text": text}
    return dump_json(told, ascii_only=True)


def _end_document(run: RunSummary) -> str:
    return dump_json({"schema": SCHEMA, "kind": "run.end", "run": summary_document(run)}, ascii_only=True)


class _Following:
    """Prints what a live run writes, until it has ended.

    Args:
        session: The command.
        live: The run, as it was found.
        node: Only this node, its items and what is below it; empty for all.
        raw: Bytes as they were written, in place of lines that name their node.
        as_json: Lines as JSON, and the run at the end.
    """

    def __init__(self, session: Session, live: LiveRun, node: str, *, raw: bool, as_json: bool) -> None:
        from finestflow.journal.following import LogReader

        self._session = session
        self._live = type(live)(live.entry)  # read from the beginning: the events say in which order logs were written
        self._reader = LogReader(live.entry)
        self._lines = NodeLines(str) if as_json else NodeLines()
        self._found = live.summary
        self._node = node
        self._raw = raw
        self._as_json = as_json

    def follow(self) -> int:
        """Return the exit code when the run has ended, or nobody wants to follow it any more."""
        live, out = self._live, self._session.out
        try:
            while True:
                is_last = not live.entry.is_locked()  # asked before reading: what it wrote until then is read now
                self._print(live.read_new(whole=is_last))
                if is_last or live.state.has_ended:
                    break
                time.sleep(_PAUSE)
            self._end()
        except KeyboardInterrupt:
            name = one_line(self._found.name)
            out.note(f"\nrun {name} goes on; stop it with: finestflow stop {name}")
            return ExitCode.INTERRUPTED
        return ExitCode.DONE

    def _print(self, events: list[dict[str, Any]]) -> None:
        for node, data in self._reader.read_new(events):
            self._write(node, data)
        self._session.out.out.flush()

    def _write(self, node: str, data: bytes) -> None:
        out = self._session.out
        if not self._is_wanted(node):
            return
        if self._raw:
            out.raw(data)
            return
        for line in self._lines.feed(node, self._lines.decode(node, data)):
            out.line(self._text(node, line))

    def _text(self, node: str, line: str) -> str:
        return _line_document(self._found, node, line) if self._as_json else f"{self._label(node)}{line}"

    def _label(self, node: str) -> str:
        if node and node == self._node:
            return ""
        return label_of(node or self._found.pipeline, color=self._session.out.color)

    def _is_wanted(self, node: str) -> bool:
        wanted = self._node
        return not wanted or node == wanted or node.startswith((f"{wanted}[", f"{wanted}/"))

    def _end(self) -> None:
        """Print what the live folder had no more, and say how the run has ended."""
        out, workspace, run_id = self._session.out, self._session.history, self._live.entry.run_id
        if not self._live.entry.path.exists():
            self._print_rest(workspace.load_run(run_id))
        for node, line in self._lines.flush():
            out.line(self._text(node, line))
        out.out.flush()
        ended = self._live.state.run if self._live.state.has_ended else workspace.load_run(run_id)
        if self._node and not any(map(self._is_wanted, ended.nodes)):
            raise NotFoundError(
                f"run {self._found.name!r} has no node {self._node!r}", nearest_hint(self._node, ended.nodes, "nodes")
            )
        if self._as_json:
            out.line(_end_document(ended.summary))
        else:
            out.note(summary_line(ended.summary, color=out.color_err))

    def _print_rest(self, run: Run) -> None:
        """Print what was written between the last look and the end: it is in the record now."""
        from finestflow.journal.logs import is_cut
        from finestflow.model import NodeStatus

        for node, data in self._session.workspace.read_logs(run).items():
            if node in run.nodes and run.nodes[node].status is NodeStatus.HIT:
                continue  # it printed in another run
            if is_cut(data):
                self._session.out.note(
                    f"the end of a long log is in: finestflow logs {run.summary.name}:{one_line(node)}"
                )
            elif len(data) > self._reader.position(node):
                self._write(node, data[self._reader.position(node) :])
