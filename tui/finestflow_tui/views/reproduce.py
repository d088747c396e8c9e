"""Running a run again: what is known before, and the verdict."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from textwrap import wrap
from typing import Any, NamedTuple

from finestflow.model import NodeStatus, Run
from finestflow.reproduce import Comparison, Preflight, Verdict
from finestflow_tui.peek import find_document
from finestflow_tui.text import Row, columns_of, cut, duration, one_line, plural, row, title, value_text

__all__ = ["Options", "ending_text", "plan_rows", "verdict_rows"]

_ROOM = 76
_GOOD = frozenset({"identical", "within tolerance"})


class Options(NamedTuple):
    """How a run is run again.

    Attributes:
        node: The node from which on the pipeline is run with the files as they are now; empty for the whole run as it was.
        env: In the recorded environment, which is built where it is not kept yet.
        tolerance: Largest difference of numbers that still counts as equal.
        into: Folder in which the work tree is kept.
        given: Values that no record holds, such as secrets, as ``path=value``.
    """

    node: str = ""
    env: bool = False
    tolerance: str = ""
    into: str = ""
    given: tuple[str, ...] = ()

    def hidden(self) -> Options:
        """Return the same with nothing of the values that no record holds: what is shown and kept."""
        return self._replace(given=tuple(f"{each.partition('=')[0]}=..." for each in self.given))

    def words(self, run: Run) -> list[str]:
        """Return the command that does it, without the name of the program."""
        given = [word for each in self.given for word in ("-p", each)]
        if self.node:
            params = [
                word for name, value in run.summary.params.items() for word in ("-p", f"{name}={value_text(value)}")
            ]
            target = run.target or run.summary.pipeline
            return ["run", target, "--from", self.node, "--from-run", run.summary.id, *params, *given]
        words = ["reproduce", run.summary.id, "--json"]
        words += ["--env"] if self.env else []
        words += ["--tolerance", self.tolerance] if self.tolerance else []
        words += ["--into", self.into] if self.into else []
        return [*words, *given]


def plan_rows(run: Run, preflight: Preflight, options: Options, notes: Sequence[str] = ()) -> list[Row]:
    """Return what would happen, and what may make a difference.

    Args:
        run: The run.
        preflight: What is not as it was.
        options: How it would be run.
        notes: What a built environment cannot have, one sentence each.
    """
    tasks = [node for node in run.nodes.values() if node.kind == "task"]
    seconds = sum(node.seconds for node in tasks if node.status is not NodeStatus.HIT)
    hits = sum(node.status is NodeStatus.HIT for node in tasks)
    took = f"they took {duration(seconds)}" + (f", and {plural(hits, 'hit')} will be computed" if hits else "")
    if options.node:
        told = [
            f"the pipeline is run from {one_line(options.node)!r} on, with the files as they are now and the params of the run",
            "what lies before comes from the run; it is a run of its own, and nothing is compared",
        ]
    else:
        place = one_line(options.into) if options.into else "a temporary folder"
        told = [
            f"a work tree of its commit {run.summary.commit[:10]} is made in {place}; your files stay as they are",
            f"{plural(len(tasks), 'task')} run without the cache, in a process of their own; {took}",
            "every output is compared with the recorded one, by digest, and the new run is recorded",
        ]
    told.append("leaving this screen or the whole UI does not stop it")
    lines = [line for text in told for line in wrap(text, _ROOM, initial_indent="  ", subsequent_indent="    ")]
    rows = [title("what will happen"), *map(row, lines), row("")]
    rows += [*_option_rows(options), row("")]
    changes = [] if options.node else notes if options.env else preflight.changes
    if preflight.missing and not options.node:
        rows += [title("missing: it will fail or differ", str(len(preflight.missing)))]
        rows += [row(("  " + one_line(text), "error")) for text in preflight.missing]
        rows.append(row(""))
    if changes:
        rows += [title("not as it was", str(len(changes)))]
        rows += [row(("  " + one_line(text), "warning")) for text in changes]
        rows.append(row(""))
    elif not preflight.missing and not options.node:
        rows += [row(("  everything is as it was: interpreter, platform, packages, files", "good")), row("")]
    shown = " ".join(shlex.quote(word) for word in options.hidden().words(run) if word != "--json")
    return [*rows, row(("  finestflow " + one_line(shown), "dim"))]


def _option_rows(options: Options) -> list[Row]:
    """Return what can be chosen, with the key of each after a comma."""
    told = [
        ("e", "environment", "the recorded one, built with uv or pip" if options.env else "this one"),
        ("o", "tolerance", options.tolerance or "none: digests are equal or not"),
        ("f", "work tree", one_line(options.into) or "a temporary one"),
        ("p", "values", " ".join(map(one_line, options.hidden().given)) or "those of the record"),
        ("n", "from", one_line(options.node) or "the beginning"),
    ]
    return [
        title("options"),
        *(row("  ", (f",{key}", "key"), (f"  {name:<12}", "dim"), (value, "")) for key, name, value in told),
    ]


def _verdict_of(document: Mapping[str, Any]) -> Verdict:
    """Return the verdict that ``finestflow reproduce --json`` gave."""
    known = {field.name for field in fields(Comparison)}
    nodes = ({name: value for name, value in node.items() if name in known} for node in document["nodes"])
    return Verdict(
        identical=bool(document["identical"]),
        nodes=tuple(Comparison(**{"before": None, "after": None, **node}) for node in nodes),
        first=document["first"] or "",
    )


def ending_text(text: str, code: int) -> str:
    """Return in one line how a command ended, from what it wrote: the verdict where it gave one, else its last line.

    Args:
        text: What it wrote.
        code: Its exit code.
    """
    document = find_document(text, "reproduction")
    if document is not None:
        return one_line(_verdict_of(document).summary())
    lines = [line for line in text.strip().splitlines() if line and not line.startswith(("{", "}", "hint: "))]
    last = lines[-1].removeprefix("finestflow: error: ") if lines else ""
    return last or ("done" if code == 0 else f"exit code {code}")


def verdict_rows(document: Mapping[str, Any]) -> list[Row]:
    """Return the verdict that ``finestflow reproduce --json`` gave, output by output."""
    verdict = _verdict_of(document)
    rows = [row((one_line(verdict.summary()), "good" if verdict.identical else "bad"))]
    cells = [
        [
            ("  " + one_line(node.path), "bold"),
            (
                "failed again" if node.failed else node.verdict,
                "good" if node.verdict in _GOOD else "dim" if node.verdict == "not comparable" else "bad",
            ),
            ((node.before or "")[:10], "id"),
            ((node.after or "")[:10] if node.after != node.before else "", "id"),
            (cut(one_line(node.detail), 100), "dim"),
        ]
        for node in verdict.nodes
    ]
    return [*rows, row(""), *columns_of(cells, keys=[node.path for node in verdict.nodes])]
