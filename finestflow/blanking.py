"""The texts that no record may hold, and how they are taken out of what is written.

Pure. A secret that was declared, or given under the name of one, is blanked everywhere. So is the value of an environment variable that is called like
one, but for a value that is an ordinary word: that is blanked only in what a program prints, and in errors. The password in an address
(``https://user:password@host``) is blanked wherever it stands. Called by whoever tells of a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from finestflow.given import BLANK, is_secret

__all__ = ["Blanking", "blank_addresses", "blank_source"]

# A scheme begins where its letters do: tried from each letter on, a line of megabytes would take hours.
_ADDRESS = re.compile(r"(?P<before>(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://[^\s/:@\"'\\]*):(?P<password>[^\s/@\"'\\]+)@")
_TOKEN = re.compile(r"(?P<before>https?://)(?P<token>[^\s/:@\"'\\]{20,})@")
_WORD = re.compile(r"[A-Za-z]+|\d+")
_ASSIGNED = re.compile(
    r"""(?P<before>(?:\b|["'])(?P<name>[A-Za-z_][\w-]*)["']?\]?[ \t]*(?::[ \t]*[\w.\[\]| ]+)?[=:][ \t]*)(?P<quote>["'])(?P<text>[^"'\n]{6,})(?P=quote)"""
)


class Blanking:
    """Takes the secrets out of texts and events.

    Args:
        secrets: Texts that are blanked everywhere.
        hidden: Texts that are blanked everywhere when they are no ordinary words, else only in what a program says.
    """

    def __init__(self, secrets: Iterable[str] = (), hidden: Iterable[str] = ()) -> None:
        secrets, hidden = tuple(filter(None, secrets)), tuple(filter(None, hidden))
        self._said = _longest_first({*secrets, *hidden})
        self._everywhere = _longest_first({*secrets, *(text for text in hidden if _WORD.fullmatch(text) is None)})
        self._needles = {True: _needles(self._said), False: _needles(self._everywhere)}

    def is_in(self, text: str, *, is_said: bool = False) -> bool:
        """Return whether a text, or an event as JSON, may hold a secret; costs next to nothing.

        Args:
            text: The text.
            is_said: Whether a program says it.
        """
        for needle in self._needles[is_said]:  # no ``any``: each event of a run is asked about
            if needle in text:
                return True
        return "://" in text and "@" in text

    def blank(self, data: Any, *, is_said: bool = False) -> Any:
        """Return a text, or an event, with every secret in it replaced by stars; see ``is_in``."""
        if isinstance(data, str):
            for secret in self._said if is_said else self._everywhere:
                data = data.replace(secret, BLANK)
            return blank_addresses(data)
        if isinstance(data, Mapping):
            return {self.blank(key, is_said=is_said): self.blank(value, is_said=is_said) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self.blank(item, is_said=is_said) for item in data]
        return data


def blank_addresses(text: str) -> str:
    """Return a text with the passwords of the addresses in it replaced by stars, and what stands there alone and is as long as a token."""
    if "://" not in text or "@" not in text:
        return text
    return _TOKEN.sub(rf"\g<before>{BLANK}@", _ADDRESS.sub(rf"\g<before>:{BLANK}@", text))


def blank_source(text: str) -> str:
    """Return code with the texts replaced by stars that are given to names of secrets: ``api_key = "..."``, ``os.environ["TOKEN"] = "..."``."""

    def blanked(match: re.Match[str]) -> str:
        return f"{match['before']}{match['quote']}{BLANK}{match['quote']}" if is_secret(match["name"]) else match[0]

    return blank_addresses(_ASSIGNED.sub(blanked, text))


def _longest_first(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts so that one that is part of another comes after it."""
    return tuple(sorted(texts, key=len, reverse=True))


def _needles(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what to look for: the texts, and the texts as JSON has them."""
    return tuple(
        {form for text in texts for form in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])}
    )
