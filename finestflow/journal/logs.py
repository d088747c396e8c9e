"""The logs of a run in its record: cut in the middle where they are long, the items of a fan-out in one file.

Called by ``record`` to write and by the journal to read the log of one node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from finestflow.journal.names import quote_name

__all__ = ["LONGEST_LOG", "dump_logs", "load_log"]

LONGEST_LOG = 1 << 20
_SHORTEST_ITEM = 1024
_item = re.compile(r"(.+)\[\d+\]", re.DOTALL)


def dump_logs(logs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files for what each node printed."""
    files: dict[str, bytes] = {}
    items: dict[str, dict[str, bytes]] = {}
    for node, data in logs.items():
        match = _item.fullmatch(node)
        if match is None:
            files[f"logs/{quote_name(node)}.txt"] = _cut(data, LONGEST_LOG)
        else:
            items.setdefault(match[1], {})[node] = data
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
    match = _item.fullmatch(node)
    if match is None:
        return read(f"logs/{quote_name(node)}.txt")
    data = read(_path_of_items(match[1])) or b""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        header = re.fullmatch(rb"==> (.*) \((\d+) bytes\)", data[at:end], re.DOTALL)
        if end < 0 or header is None:
            return None
        size = int(header[2])
        if header[1] == _name_in_header(node):
            return data[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return None


def _path_of_items(parent: str) -> str:
    return f"logs/{quote_name(parent)}.items.txt"


def _name_in_header(node: str) -> bytes:
    return node.encode("utf-8", "backslashreplace").replace(b"\n", b"\\n")


def _section(node: str, data: bytes) -> bytes:
    return b"==> %s (%d bytes)\n%s\n" % (_name_in_header(node), len(data), data)


def _cut(data: bytes, room: int) -> bytes:
    if len(data) <= room:
        return data
    half = room // 2
    return b"%s\n... %d bytes left out ...\n%s" % (data[:half], len(data) - 2 * half, data[-half:])
