"""The logs of a run in its record: cut in the middle where they are long, the items of a fan-out in one file.

Called by ``record`` to write and by the journal to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from finestflow.journal.names import family_of, quote_name

__all__ = ["LONGEST_LOG", "dump_logs", "is_cut", "load_log", "load_logs", "path_of_log"]

LONGEST_LOG = 1 << 20
_SHORTEST_ITEM = 1024
_ITEMS = ".items.txt"
_gap = re.compile(rb"\n\.\.\. \d+ bytes left out \.\.\.\n").search
_header = re.compile(rb"==> (.*) \((\d+) bytes\)", re.DOTALL).fullmatch


def dump_logs(logs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files for what each node printed."""
    files: dict[str, bytes] = {}
    items: dict[str, dict[str, bytes]] = {}
    for node, data in logs.items():
        family = family_of(node)
        if family is None:
            files[path_of_log(node)] = _cut(data, LONGEST_LOG)
        else:
            items.setdefault(family, {})[node] = data
    for parent, parts in items.items():
        room = max(_SHORTEST_ITEM, LONGEST_LOG // len(parts))
        files[_path_of_items(parent)] = b"".join(_section(node, _cut(data, room)) for node, data in parts.items())
    return files


def load_log(read: Callable[[str], bytes | None], node: str) -> bytes | None:
    """Return what a node printed, as far as the record has it; None when it printed nothing.

    Args:
        read: Gives the bytes of a file of the record, or None.
        node: Path of the node.
    """
    return load_logs(read, [node]).get(node)


def load_logs(read: Callable[[str], bytes | None], nodes: Iterable[str]) -> dict[str, bytes]:
    """Return what each of the nodes printed, as far as the record has it; those that printed nothing are left out.

    Args:
        read: Gives the bytes of a file of the record, or None.
        nodes: Paths of nodes.
    """
    logs: dict[str, bytes] = {}
    items: dict[str, dict[bytes, bytes]] = {}
    for node in nodes:
        path = path_of_log(node)
        if not path.endswith(_ITEMS):
            data = read(path)
        else:
            if path not in items:
                items[path] = dict(_iter_sections(read(path) or b""))
            data = items[path].get(_name_in_header(node))
        if data is not None:
            logs[node] = data
    return logs


def is_cut(data: bytes) -> bool:
    """Say whether the middle of a log was left out of the record."""
    return _gap(data) is not None


def path_of_log(node: str) -> str:
    """Return the path of the file that has what a node printed."""
    family = family_of(node)
    return f"logs/{quote_name(node)}.txt" if family is None else _path_of_items(family)


def _iter_sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, log) of each item in a file of items, up to where it is damaged."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        header = _header(data[at:end])
        if end < 0 or header is None:
            return
        size = int(header[2])
        yield header[1], data[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _path_of_items(parent: str) -> str:
    return f"logs/{quote_name(parent)}{_ITEMS}"


def _name_in_header(node: str) -> bytes:
    return node.encode("utf-8", "backslashreplace").replace(b"\n", b"\\n")


def _section(node: str, data: bytes) -> bytes:
    return b"==> %s (%d bytes)\n%s\n" % (_name_in_header(node), len(data), data)


def _cut(data: bytes, room: int) -> bytes:
    if len(data) <= room:
        return data
    half = room // 2
    return b"%s\n... %d bytes left out ...\n%s" % (data[:half], len(data) - 2 * half, data[-half:])
