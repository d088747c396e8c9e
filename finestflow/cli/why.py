"""``finestflow why``: why a node ran, or which run its hit came from."""

from __future__ import annotations

import click

from finestflow.cli._address import find_node, split_address
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._output import STATUS_STYLE
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line


@click.command("why")
@run_argument(metavar="[RUN[:NODE]]")
@json_option
@pass_session
def command(session: Session, run: str, as_json: bool) -> None:
    """Say why a node ran, or which run its hit came from.

    Without a node it speaks of every node of the run.
    """
    workspace = session.history
    name, place = split_address(run)
    found = workspace.load_run(name)
    nodes = [find_node(found, place)[0]] if place else list(found.nodes.values())
    reasons = {node.path: workspace.why(found, node.path) for node in nodes}
    if as_json:
        documents = [
            {
                "path": node.path,
                "status": node.status.value,
                "why": reasons[node.path],
                "hit_of": node.hit_of,
                "key": node.key,
            }
            for node in nodes
        ]
        session.out.json("why", run=found.summary.id, nodes=documents)
        return
    out = session.out
    if not nodes:
        out.note(f"no task of {one_line(found.summary.name)} began: it is {found.summary.status.value}")
    for node in nodes:
        status = out.style(node.status.value, STATUS_STYLE[node.status.value])
        out.line(f"{out.style(one_line(node.path), 'bold')}  {status}")
        out.lines(f"  {one_line(reason)}" for reason in reasons[node.path])
