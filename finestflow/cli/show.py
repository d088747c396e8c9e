"""``finestflow show``: a run, a node or an output, in full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from finestflow.address import shown_parts
from finestflow.cli._address import find_node, split_address
from finestflow.cli._documents import node_document, run_document
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._output import STATUS_STYLE, Column, Output, Styled
from finestflow.cli._session import Session, pass_session
from finestflow.cli._standing import standing_text
from finestflow.cli._text import (
    ago,
    cut,
    duration,
    iso,
    many_lines,
    number,
    one_line,
    plural,
    size,
    sparkline,
    value_text,
)
from finestflow.families import gather_families, mean_of
from finestflow.model import OutputRecord

if TYPE_CHECKING:
    from finestflow.model import NodeRecord, Run, RunSummary

_MOST_APART = 5
_PREVIEW_ROOM = 60
_DIGEST_LENGTH = 64


@click.command("show")
@run_argument(metavar="[RUN[:NODE[.OUTPUT]]]")
@click.option("--logs", is_flag=True, help="What it wrote, too.")
@click.option("--config", is_flag=True, help="Only its configuration, as TOML.")
@click.option("--graph", is_flag=True, help="Its graph, too.")
@click.option("--items", is_flag=True, help="Each item of a fan-out, however many there are.")
@click.option("--value", is_flag=True, help="Only the value of the output: its first rows or lines, and statistics.")
@json_option
@pass_session
def command(
    session: Session, run: str, logs: bool, config: bool, graph: bool, items: bool, value: bool, as_json: bool
) -> None:
    """Show one run, one node or one output.

    More than five items of a fan-out, or repeats of a call, are one line: the mean of a metric, how many nodes there are. Those that failed have a line each.
    --value loads the output, which runs code of its classes; the rest shows what the record says.
    """
    workspace = session.history
    name, place = split_address(run, needs_node=value)
    if value:
        _print_value(session, name, place, as_json=as_json)
        return
    if config:
        _print_config(session, name, as_json=as_json)
        return
    found = workspace.load_run(name)
    out = session.out
    if place:
        node, part = find_node(found, place)
        if as_json:
            document = node_document(node)
            if part and node.output is not None:
                document |= {"part": part, "digest": node.output.parts.get(part)}
            out.json(
                "node", run=found.summary.id, node=document, **_log_fields(session, found, node.path, is_wanted=logs)
            )
            return
        lines = list(_node_lines(node, part, out))
    elif as_json:
        out.json("run", run=run_document(found), **_log_fields(session, found, "", is_wanted=logs))
        return
    else:
        lines = list(_run_lines(found, session, with_items=items))
    if graph and not place:
        from finestflow.cli.graph import text_graph

        lines += ["", *text_graph(found, out)]
    if logs:
        lines += ["", *many_lines(workspace.read_log(name, place or None).decode("utf-8", "replace")).splitlines()]
    out.lines(lines, page=True)


def _log_fields(session: Session, run: Run, node: str, *, is_wanted: bool) -> dict[str, dict[str, str]]:
    """Return what a node printed, or each node of the run, when that is asked for."""
    if not is_wanted:
        return {}
    workspace = session.workspace
    logs = {node: workspace.read_log(run.summary, node)} if node else workspace.read_logs(run)
    return {"logs": {each: data.decode("utf-8", "replace") for each, data in logs.items()}}


def _print_config(session: Session, name: str, *, as_json: bool) -> None:
    """Write what "finestflow run" takes to make such a run again."""
    from finestflow.journal.toml import dump_toml

    summary = session.workspace.resolve(name)
    if as_json:
        session.out.json("run.config", run=summary.id, config=session.workspace.read_config(summary.id))
        return
    text = f"# run {summary.name} ({summary.id})\n" + dump_toml(session.workspace.read_config(summary.id))
    session.out.raw(text.encode())


def _print_value(session: Session, name: str, place: str, *, as_json: bool) -> None:
    """Write the beginning of a value."""
    from finestflow.cli._excerpt import excerpt_lines
    from finestflow.excerpt import excerpt_of

    run = session.workspace.load_run(name)
    excerpt = excerpt_of(session.workspace.load_output(run, place))
    if as_json:
        session.out.json("value", run=run.summary.id, output=place, value=excerpt.document())
    else:
        session.out.lines(excerpt_lines(excerpt, f"{run.summary.name}:{place}", session.out), page=True)


def _run_lines(run: Run, session: Session, *, with_items: bool) -> Iterator[str]:
    out, summary = session.out, run.summary
    status = out.style(summary.status.value, STATUS_STYLE[summary.status.value])
    star = " ★" if summary.star else ""
    yield f"{out.style(one_line(summary.name), 'bold')}  {out.style(summary.id, 'yellow')}  {status}{star}"
    yield from _fields(_summary_fields(run, session), out)
    for title, pairs in (
        ("params", ((key, value_text(value)) for key, value in summary.params.items())),
        ("inputs", ((key, value_text(value)) for key, value in run.inputs.items())),
        ("metrics", _metrics(run, with_items=with_items)),
        ("outputs", ((key, value) for key, value in run.outputs.items())),
        ("returned", [("", run.returned)] if run.returned else []),
    ):
        yield from _section(title, pairs, out)
    if run.nodes:
        yield ""
        yield from node_table(run.nodes.values() if with_items else _folded(run.nodes), out)
    if run.notes:
        yield ""
        yield from (f"note: {one_line(note)}" for note in run.notes)
    if run.snapshot is not None and run.snapshot.omitted:
        yield ""
        yield f"left out of the snapshot ({len(run.snapshot.omitted)}):"
        yield from (f"  {one_line(item.path)}  {item.reason}  {size(item.size)}" for item in run.snapshot.omitted[:20])
    if run.traceback:
        yield ""
        yield from many_lines(run.traceback).rstrip().splitlines()


def _summary_fields(run: Run, session: Session) -> Iterator[tuple[str, str]]:
    from finestflow.compare import seed_of

    summary = run.summary
    yield "pipeline", one_line(summary.pipeline) + (f"  ({one_line(run.target)})" if run.target else "")
    yield "started", f"{iso(summary.started)}  ({ago(summary.started, session.now)})"
    yield "took", f"{duration(summary.seconds)}  {plural(summary.nodes, 'task')}, {plural(summary.hits, 'hit')}"
    live = None if summary.commit else session.workspace.find_live(summary.id)
    if live is not None:
        from finestflow.journal.standing import standing_of

        yield "so far", standing_text(standing_of(live.state, session.now))
    if run.resources:
        yield "used", _used_text(run)
    yield "code", _code_text(summary)
    if seed_of(run):
        yield "seed", str(seed_of(run))
    if summary.commit:
        yield "commit", summary.commit
    if summary.tags:
        yield "tags", " ".join(f"#{one_line(tag)}" for tag in summary.tags)
    if summary.note:
        yield "note", one_line(summary.note)
    if summary.reproduces:
        yield "reproduces", summary.reproduces
    if summary.error:
        yield "error", session.out.style(one_line(summary.error), "red")


def _metrics(run: Run, *, with_items: bool) -> Iterator[tuple[str, str]]:
    """Yield the metrics of a run with what is told of each, those of a large family by their mean."""
    values = run.summary.metrics
    families = {name: [name] for name in values} if with_items else gather_families(values, of_metrics=True)
    for name, members in families.items():
        if name in values:
            yield name, _metric_text(run, name, values[name])
        else:
            yield name, f"{number(mean_of(map(values.get, members)) or 0.0):<8}  mean of {len(members)}"


def _folded(nodes: Mapping[str, NodeRecord]) -> Iterator[NodeRecord]:
    """Yield nodes, of a large family one for those that ended in the same way; a few that did not end well have a line each."""
    for name, members in gather_families(nodes).items():
        if name in nodes:
            yield nodes[name]
            continue
        by_status: dict[str, list[NodeRecord]] = {}
        for path in members:
            by_status.setdefault(nodes[path].status.value, []).append(nodes[path])
        for status, alike in by_status.items():
            if status not in {"ok", "hit"} and len(alike) <= _MOST_APART:
                yield from alike
                continue
            reasons = list(dict.fromkeys(node.error or node.why for node in alike))
            whole = alike[0].output or OutputRecord(digest=None)
            yield alike[0]._replace(
                path=name,
                seconds=sum(node.seconds for node in alike),
                cpu=None,
                memory=None,
                output=whole._replace(preview=f"{len(alike)} of {len(members)}"),
                error="",
                why=reasons[0] + (f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""),
            )


def _metric_text(run: Run, name: str, last: float) -> str:
    """Return the last value of a metric and, when it has had several, their course."""
    metric = run.metrics.get(name)
    if metric is None or metric.count < 2:
        return number(last)
    best = "" if metric.best is None else f"  best {number(metric.best)}"
    course = sparkline([value for _, value, _ in metric.values])
    return f"{number(last):<8}  {course}  {plural(metric.count, 'value')}{best}"


def _used_text(run: Run) -> str:
    """Return what a run used of its machine: percent of a core, and the most memory."""
    told = []
    for name, used in run.resources.items():
        label = one_line(name.removeprefix("system/"))
        if name.endswith("memory"):
            told.append(f"{label} {size(int(used.peak))} at most")
        else:
            told.append(f"{label} {used.mean:.0f}% (peak {used.peak:.0f}%)")
    return ", ".join(told)


def _code_text(summary: RunSummary) -> str:
    base = (summary.base or "no commit")[:10]
    branch = f" on {one_line(summary.branch)}" if summary.branch else ""
    changed, untracked = summary.dirty
    dirty = f" + {changed} changed, {untracked} untracked" if changed or untracked else ""
    return f"{base}{branch}{dirty}"


def _fields(pairs: Iterable[tuple[str, str]], out: Output) -> Iterator[str]:
    for key, value in pairs:
        yield f"  {out.style(f'{key:<10}', 'dim')}  {value}"


def _section(title: str, pairs: Iterable[tuple[str, str]], out: Output) -> Iterator[str]:
    listed = [(one_line(key), value) for key, value in pairs]
    if not listed:
        return
    yield ""
    yield out.style(title, "bold")
    room = max(len(key) for key, _ in listed)
    yield from (f"  {key:<{room}}  {value}" for key, value in listed)


def _status_of(node: NodeRecord) -> str:
    return node.status.value


def node_table(
    nodes: Iterable[NodeRecord], out: Output, *, status_of: Callable[[NodeRecord], str] = _status_of
) -> Iterator[str]:
    """Yield the lines of a table of nodes: status, time, why; a plan has words of its own for the status."""
    from finestflow.cli._output import format_table

    nodes = list(nodes)
    is_measured = any(node.memory is not None for node in nodes)
    used = [Column("cpu", right=True), Column("memory", right=True)] if is_measured else []
    columns = [
        Column("node"),
        Column("status"),
        Column("took", right=True),
        *used,
        Column("output", shrinks=True),
        Column("why", shrinks=True, style="dim"),
    ]
    rows = [
        [
            one_line(node.path),
            Styled(status_of(node), STATUS_STYLE[status_of(node)]),
            duration(node.seconds) if node.seconds else "",
            *(_used_texts(node) if is_measured else ()),
            cut(one_line(node.output.preview), _PREVIEW_ROOM) if node.output else "",
            one_line((node.status.value == "skipped" and node.why) or node.error or node.why),
        ]
        for node in nodes
    ]
    return format_table(columns, rows, room=out.columns if out.is_terminal else None, color=out.color)


def _used_texts(node: NodeRecord) -> tuple[str, str]:
    """Return what a call used: CPU and the most memory; empty where nobody measured."""
    return (
        "" if node.cpu is None else duration(node.cpu),
        "" if node.memory is None else size(node.memory),
    )


def _node_lines(node: NodeRecord, part: str, out: Output) -> Iterator[str]:
    status = out.style(node.status.value, STATUS_STYLE[node.status.value])
    yield f"{out.style(one_line(node.path), 'bold')}  {one_line(node.task)}  {status}"
    yield from _fields(_node_fields(node), out)
    yield from _section("params", ((key, value_text(value)) for key, value in node.params.items()), out)
    inputs = (
        (
            key,
            f"{(item.digest or 'no digest')[:12]}  {'from ' + item.source if item.source else one_line(item.preview)}",
        )
        for key, item in node.inputs.items()
    )
    yield from _section("inputs", inputs, out)
    if node.output is not None:
        yield from _section("output", _output_fields(node.output, part), out)
    yield from _section("code", ((key, _code_value(value)) for key, value in node.code.items()), out)
    if node.error:
        yield ""
        yield from many_lines(node.error).splitlines()
    yield from (f"note: {one_line(note)}" for note in node.notes)


def _code_value(value: str) -> str:
    """Return what a person reads of a component: the constant or version itself, else the beginning of its hash."""
    digest, _, constant = value.partition(" ")
    return one_line(constant) or (value if len(value) < _DIGEST_LENGTH else digest[:12])


def _node_fields(node: NodeRecord) -> Iterator[tuple[str, str]]:
    if node.why:
        yield "why", one_line(node.why)
    if node.hit_of:
        yield "hit of", node.hit_of
    if node.started is not None:
        yield "started", iso(node.started) or ""
    yield "took", duration(node.seconds)
    if node.cpu is not None:
        most = "" if node.memory is None else f", {size(node.memory)} of memory at most"
        yield "used", f"{duration(node.cpu)} of CPU{most}"
    if len(node.attempts) > 1:
        yield "attempts", ", ".join(f"{attempt.status.value} {duration(attempt.seconds)}" for attempt in node.attempts)
    if node.key:
        yield "key", node.key
    if node.seed is not None:
        yield "seed", str(node.seed)


def _output_fields(output: OutputRecord, part: str) -> Iterator[tuple[str, str]]:
    if part:
        yield f"digest of {part}", str(output.parts.get(part, "unknown"))
    yield "digest", output.digest or "none"
    yield "type", one_line(output.type)
    if output.size is not None:
        yield "size", size(output.size)
    if output.preview:
        yield "preview", one_line(output.preview)
    if output.note:
        yield "note", one_line(output.note)
    yield from ((one_line(name), digest[:12]) for name, digest in list(shown_parts(output).items())[:20])
