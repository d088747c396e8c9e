"""``finestflow plan``: what a run would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from finestflow.cli._documents import node_document
from finestflow.cli._options import json_option, target_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line
from finestflow.cli.show import node_table
from finestflow.errors import UsageError
from finestflow.model import NodeRecord
from finestflow.sweep import iter_settings

if TYPE_CHECKING:
    from finestflow.runner import Finished


@click.command("plan")
@target_argument()
@click.option("-p", "settings", multiple=True, metavar="PATH=VALUE", help="Set a param or an input; may be repeated.")
@json_option
@pass_session
def command(session: Session, target: str | None, settings: Sequence[str], as_json: bool) -> None:
    """Show what would be a hit, what would run, and why; nothing runs.

    What needs the output of a task that has to run is unknown: when the output comes out as before, it is a hit. TARGET is what "finestflow run" takes.
    """
    show_plan(session, target, settings, as_json=as_json)


def show_plan(
    session: Session, target: str | None, settings: Sequence[str], *, config: str | None = None, as_json: bool
) -> None:
    """Write the plan of a pipeline; also ``run -n``."""
    combinations = list(iter_settings(settings))
    if len(combinations) > 1:
        raise UsageError("a plan is of one run", "give each path one value")
    workspace = session.workspace
    over = workspace.read_config(config) if config else None
    pipeline, inputs = workspace.load_pipeline(target, combinations[0], over=over)
    inputs = workspace.configure(pipeline, combinations[0].items(), inputs)
    plan = workspace.plan(pipeline, (), inputs)
    nodes = [*plan.run.nodes.values(), *_further(plan)]
    if as_json:
        session.out.json(
            "plan",
            pipeline=plan.run.summary.pipeline,
            nodes=[node_document(node) | {"status": _expect(node)} for node in nodes],
            known_up_to=plan.unknown or None,
        )
        return
    session.out.lines(node_table(nodes, session.out, status_of=_expect), page=True)
    if plan.unknown:
        session.out.note(
            f"the body looks at {one_line(plan.unknown)!r}, which has no value yet: what follows depends on it"
        )
        if plan.further is not None and plan.further.stopped:
            session.out.note(f"and is known up to here: {one_line(plan.further.stopped)}")
    counts = Counter(_expect(node) for node in nodes if node.kind == "task")
    session.out.note(", ".join(f"{count} {status}" for status, count in counts.items()) or "no tasks")


def _further(plan: Finished) -> Iterator[NodeRecord]:
    """Yield the nodes that may come after a look at a value that nobody has yet."""
    if plan.further is None:
        return
    for node in plan.further.nodes:
        if node.path in plan.run.nodes:
            continue
        looks = [edge.source for edge in plan.further.edges if edge.target == node.path and edge.kind == "control"]
        on = " and ".join(dict.fromkeys(map(repr, looks or [plan.unknown])))
        yield NodeRecord(
            path=node.path + ("" if node.count == 1 else "[*]"),
            task=node.task,
            kind=node.kind,
            why=f"{'only called in some branches: ' if node.is_maybe else ''}depends on {on}",
        )


def _expect(node: NodeRecord) -> str:
    """Return what would become of a node; a key is only known where all inputs are."""
    if node.status.value != "pending":
        return node.status.value
    return "run" if node.key else "unknown"
