"""What a user names: a run, a node in it, an output of that.

``RUN`` is resolved by the workspace; this module splits ``RUN:node.output`` and finds node and output in a run that was read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from finestflow.errors import NotFoundError, UsageError, nearest_hint

if TYPE_CHECKING:
    from finestflow.model import NodeRecord, Run

__all__ = ["find_node", "split_address"]

_ITEM = re.compile(r"\[(\d+)\]")


def split_address(text: str, *, needs_node: bool = False) -> tuple[str, str]:
    """Return (run, node and output) of ``RUN[:NODE[.OUTPUT]]``; an empty run means the newest.

    Raises:
        UsageError: when a node is needed and none is named.
    """
    run, _, node = text.partition(":")
    if needs_node and not node:
        raise UsageError(
            f"{text!r} names no node",
            f'write RUN:NODE, such as "{run or "@"}:fit"; "finestflow show {run or "@"}" lists them',
        )
    return run or "@", node


def find_node(run: Run, text: str) -> tuple[NodeRecord, str]:
    """Return the node that ``node``, ``node.part``, ``node[0]`` or the name of an output means, and the part (``[0]``, ``.x``) or ``""``.

    Raises:
        NotFoundError: when the run has no such node, or records no such part of its output.
    """
    from finestflow.address import find_artifact

    for candidate in dict.fromkeys((find_artifact(run, text) or text, run.outputs.get(text, ""))):
        if candidate in run.nodes:
            return run.nodes[candidate], ""
        prefixes = [path for path in run.nodes if candidate.startswith((f"{path}.", f"{path}["))]
        if prefixes:
            path = max(prefixes, key=len)
            rest = candidate[len(path) :]
            item = _ITEM.match(rest)
            if run.nodes[path].kind == "map" and item is not None:
                return find_node(run, f"{path}/{item[1]}{rest[item.end() :]}")
            return run.nodes[path], _find_part(run, path, rest)
    raise NotFoundError(
        f"run {run.summary.name!r} has no node {text!r}",
        nearest_hint(text, [*run.nodes, *run.outputs], "nodes and outputs"),
    )


def _find_part(run: Run, path: str, part: str) -> str:
    """Return a part of a node's output as the record labels it, ``[0]`` for ``.train``."""
    from finestflow.address import recorded_part, shown_parts

    output = run.nodes[path].output
    known = list(shown_parts(output)) if output is not None else []
    label = recorded_part(output, part) if output is not None else None
    if label is not None:
        return label
    hint = nearest_hint(part, known, f"parts of {path!r}") if known else ""
    message = f"run {run.summary.name!r} records no part {part!r} of {path!r}"
    raise NotFoundError(message, hint or f'it is a whole; "finestflow get {run.summary.name}:{path}" writes it')
