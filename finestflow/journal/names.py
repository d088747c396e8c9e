"""Names of runs: ids, readable names, file names for any name.

A run id is 12 letters from ``k`` to ``z``, one for every 4 bits: it has no letter in common with the hexadecimal digits of a
commit id. The runner makes ids and names from random bytes that it passes in.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from finestflow.journal.prefixes import SHORTEST_PREFIX
from finestflow.journal.words import ADJECTIVES, ANIMALS
from finestflow.model import RunId

__all__ = [
    "ID_LENGTH",
    "NAME_BYTES",
    "family_of",
    "is_named_by",
    "is_run_id",
    "new_run_id",
    "new_run_name",
    "quote_name",
    "unquote_name",
]

ID_LENGTH = 12
NAME_BYTES = 4
_LETTERS = "klmnopqrstuvwxyz"
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-.")
_LONGEST_FILE_NAME = 120
_member = re.compile(r"(.+?)(?:\[\d+\]|/\d+(?:/.*)?)", re.DOTALL).fullmatch


def family_of(path: str) -> str | None:
    """Return the node whose items or repeats a node belongs to: ``embed`` for ``embed/3``, ``embed/3/clean`` and ``embed[3]``, or None."""
    match = _member(path)
    return None if match is None else match[1]


def is_named_by(path: str, pattern: str) -> bool:
    """Say whether a pattern names a node: ``*`` and ``?`` are wildcards, brackets are those of a repeat such as ``fit[1]``."""
    return path == pattern or fnmatchcase(path, pattern.replace("[", "[[]"))


def new_run_id(random_bytes: bytes) -> RunId:
    """Make a run id of six random bytes.

    Args:
        random_bytes: At least 6 bytes, such as ``os.urandom(6)``.
    """
    digits = random_bytes[: ID_LENGTH // 2].hex()
    if len(digits) < ID_LENGTH:
        message = f"a run id needs {ID_LENGTH // 2} random bytes, not {len(random_bytes)}"
        raise ValueError(message)
    return RunId("".join(_LETTERS[int(digit, 16)] for digit in digits))


def new_run_name(random_bytes: bytes) -> str:
    """Make a name such as ``brisk-lynx-41`` of four random bytes.

    All three parts are random, the number too: a count of the runs would have to be read before a run can start, and is the
    same in two clones.
    """
    number = int.from_bytes(random_bytes[:NAME_BYTES], "big")
    number, adjective = divmod(number, len(ADJECTIVES))
    number, animal = divmod(number, len(ANIMALS))
    return f"{ADJECTIVES[adjective]}-{ANIMALS[animal]}-{number % 100:02d}"


def is_run_id(text: str) -> bool:
    """Say whether a text is a whole run id."""
    return len(text) == ID_LENGTH and all(letter in _LETTERS for letter in text)


def is_run_id_prefix(text: str) -> bool:
    """Say whether a text can be the beginning of a run id, long enough to name a run."""
    return SHORTEST_PREFIX <= len(text) <= ID_LENGTH and all(letter in _LETTERS for letter in text)


def quote_name(name: str) -> str:
    """Return a file name for any name, never the same for two of them, also where case is folded."""
    raw = name.encode("utf-8", "surrogatepass")
    quoted = "".join(
        chr(byte) if byte in _SAFE and not (byte == ord(".") and at == 0) else f"%{byte:02x}"
        for at, byte in enumerate(raw)
    )
    if len(quoted) > _LONGEST_FILE_NAME or not quoted:
        import hashlib  # 4 ms that a list of runs need not pay

        return f"{quoted[:_LONGEST_FILE_NAME]}%~{hashlib.blake2b(raw, digest_size=8).hexdigest()}"
    return quoted


def unquote_name(quoted: str) -> str:
    """Return the name that a file name stands for; of one that was cut, what is left of it."""
    first, *parts = quoted.partition("%~")[0].encode().split(b"%")
    try:
        raw = first + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in parts)
    except ValueError:
        return quoted
    return raw.decode("utf-8", "replace")
