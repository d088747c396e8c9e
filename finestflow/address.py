"""What ``node.part`` and the name of a result mean in a recorded run.

Called by the workspace; nothing is loaded here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finestflow.errors import NotFoundError, nearest_hint

if TYPE_CHECKING:
    from finestflow.cache.codec import Encoded
    from finestflow.model import NodeRecord, OutputRecord, Run

__all__ = [
    "encoded_of",
    "find_artifact",
    "find_items",
    "find_output",
    "main_output",
    "parse_part",
    "recorded_part",
    "shown_parts",
    "take_named",
]

_ITEM = re.compile(r"\[(\d+)\]")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<key>[^\]]*)\]")


def find_output(run: Run, address: str) -> tuple[NodeRecord, OutputRecord, str]:
    """Return the node, its output, and which part of it an address names.

    Raises:
        NotFoundError: There is no such node, or it has no output.
    """
    address = run.outputs.get(address, address)
    path = find_artifact(run, address) or next((p for p in _iter_beginnings(address) if p in run.nodes), None)
    if path is None:
        hint = nearest_hint(address, [*run.nodes, *run.outputs], "nodes and outputs")
        raise NotFoundError(f"run {run.summary.name!r} has no node {address!r}", hint)
    node = run.nodes[path]
    item = _ITEM.match(address, len(path))
    if node.kind == "map" and item is not None and f"{path}/{item[1]}" in run.nodes:
        return find_output(run, f"{path}/{item[1]}{address[item.end() :]}")
    if node.output is None and node.kind == "pipeline":
        hint = "such as: " + ", ".join([each for each in run.nodes if each.startswith(f"{path}/")][-3:])
        raise NotFoundError(f"{path!r} of run {run.summary.name!r} is a pipeline: its tasks have the outputs", hint)
    if node.output is None or node.output.digest is None:
        reason = node.output.note if node.output is not None else f"it is {node.status.value}"
        raise NotFoundError(f"{path!r} of run {run.summary.name!r} has no stored output: {reason}", "run it again")
    return node, node.output, address[len(path) :] if address.startswith(path) else ""


def find_items(run: Run, address: str) -> list[str] | None:
    """Return the paths of the items of the fan-out that an address names, in their order; None where it names anything else."""
    path = run.outputs.get(address, address)
    if path not in run.nodes or run.nodes[path].kind != "map":
        return None
    items = [each for each in run.nodes if each.startswith(f"{path}/") and each[len(path) + 1 :].isdigit()]
    return sorted(items, key=lambda each: int(each[len(path) + 1 :]))


def find_artifact(run: Run, name: str) -> str | None:
    """Return the node of the artifact that ``model.pt``, ``train/model.pt`` or ``train.model.pt`` names."""
    paths = [path for path, node in run.nodes.items() if node.kind == "artifact"]
    found = [path for path in paths if name in {path, path.replace("/", ".", 1)} or path.endswith(f"/{name}")]
    return name if name in found else found[0] if len(found) == 1 else None


def encoded_of(output: OutputRecord) -> Encoded:
    """Return what a record tells of a stored value; its classes are not in it."""
    from finestflow.cache.codec import Encoded

    parts = {label: str(digest) for label, digest in output.parts.items()} or None
    return Encoded(
        str(output.digest),
        (),
        parts,
        None,
        output.object,
        output.size or 0,
        output.type,
        output.preview,
    )


def main_output(run: Run) -> str:
    """Return the address of what a run returned.

    Raises:
        NotFoundError: It returned several things, or nothing that a task made.
    """
    if "result" in run.outputs:
        return run.outputs["result"]
    names = ", ".join([*run.outputs, *run.nodes])
    raise NotFoundError(f"run {run.summary.name!r} returned no single output", f"name one: {names}")


def parse_part(text: str) -> tuple[tuple[str, Any], ...]:
    """Return the part that ``[0].model['a']`` names, as ``pipeline.output`` has it."""
    part: list[tuple[str, Any]] = []
    for match in _STEP.finditer(text):
        if match["name"] is not None:
            part.append(("attribute", match["name"]))
        else:
            try:
                part.append(("item", ast.literal_eval(match["key"])))
            except (ValueError, SyntaxError):
                part.append(("item", match["key"]))
    return tuple(part)


def take_named(value: Any, text: str, names: Sequence[str] = ()) -> Any:
    """Return the part of a value that a person names: ``.x`` may also be the item ``x`` of a dict, or the one that its task calls so.

    Args:
        value: The output of a node.
        text: Which part of it: ``.train[0]``.
        names: What the record has as the names of its parts.

    Raises:
        AttributeError, LookupError, TypeError: It has no such part.
    """
    for step, label in enumerate(parse_part(text)):
        value = _take_step(value, *label, () if step else names)
    return value


def _take_step(value: Any, kind: str, key: Any, names: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        if kind == "item" and key not in value and type(key) is int and key < len(names):
            key = names[key]  # the body took the parts apart: ``train, test = load``
        if kind == "item" or key in value:
            return value[key]
    elif kind == "attribute" and key in names and isinstance(value, (tuple, list)) and not hasattr(value, key):
        return value[names.index(key)]
    return value[key] if kind == "item" else getattr(value, key)


def recorded_part(output: OutputRecord, text: str) -> str | None:
    """Return a part that a person names as the record labels it, ``.train`` as ``[0]``; None where the record has none such."""
    steps = parse_part(text)
    if not steps:
        return None
    kind, key = steps[0]
    labels = [f".{key}", f"[{key!r}]"] if kind == "attribute" else [f"[{key!r}]"]
    if key in output.names:
        labels.append(f"[{output.names.index(key)}]")
    elif type(key) is int and 0 <= key < len(output.names):
        labels.append(f"[{output.names[key]!r}]")
    found = next((label for label in labels if label in output.parts), None)
    return None if found is None else found + "".join(_label(*step) for step in steps[1:])


def shown_parts(output: OutputRecord) -> dict[str, str]:
    """Return the digest of each part under what a person writes behind the node: ``.train``, ``[3]``."""
    return {_shown(label, output.names): str(digest) for label, digest in output.parts.items()}


def _shown(label: str, names: Sequence[str]) -> str:
    kind, key = next(iter(parse_part(label)), ("", None))
    if type(key) is int and key < len(names):
        return f".{names[key]}"
    return f".{key}" if kind == "item" and isinstance(key, str) and key.isidentifier() else label


def _label(kind: str, key: Any) -> str:
    return f".{key}" if kind == "attribute" else f"[{key!r}]"


def _iter_beginnings(address: str) -> Iterator[str]:
    """Yield an address and its beginnings before a ``.`` or ``[``, the longest first."""
    yield address
    for position in range(len(address) - 1, 0, -1):
        if address[position] in ".[":
            yield address[:position]
