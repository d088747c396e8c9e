"""Settings of the command line that no record may show: which they are, and what is refused for their sake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from finestflow.blanking import Blanking
from finestflow.dotenv import hidden_here
from finestflow.errors import UsageError
from finestflow.given import BLANK, is_secret
from finestflow.pipeline.settings import find_spec

if TYPE_CHECKING:
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.workspace import Workspace

__all__ = ["blank_secrets", "refuse_open_secrets", "take_secrets"]


def blank_secrets(words: Iterable[str], pipeline: Pipeline, paths: Iterable[str]) -> tuple[str, ...]:
    """Return a command line without what it sets secret params to: a run of a sweep knows its own value, and not those of the others."""
    starts = [f"{path}=" for path in paths if (spec := find_spec(pipeline, path)) is not None and spec.secret]
    return tuple(
        next((word[: word.index(start) + len(start)] + BLANK for start in starts if start in word), word)
        for word in words
    )


def refuse_open_secrets(pipeline: Pipeline, paths: Iterable[str]) -> None:
    """Refuse what is named like a secret and would be recorded.

    Raises:
        UsageError: A path names such a param or input.
    """
    for path in paths:
        spec = find_spec(pipeline, path)
        if is_secret(path) and (spec is None or not (spec.secret or spec.is_open)):
            what = "an input" if spec is None else "a param"
            raise UsageError(
                f"{path!r} is called like a secret, and {what} like that is recorded",
                "declare it as Param(secret=True), or as Param(secret=False) when it is none",
            )


def take_secrets(pipeline: Pipeline, runs: Sequence[dict[str, str]], workspace: Workspace) -> Mapping[str, str]:
    """Take the secrets out of the settings of some runs and return them: secret params, and values that hold a secret of the environment or of a ``.env`` file.

    Raises:
        UsageError: They differ from run to run.
    """
    found: dict[str, str] = {}
    blank = Blanking(hidden=hidden_here(workspace.environ, workspace.root)).blank
    for values in runs:
        for path in [path for path, value in values.items() if blank(value) != value or _is_secret(pipeline, path)]:
            value = values.pop(path)
            if found.setdefault(path, value) != value:
                raise UsageError(f"{path!r} is a secret, and has several values", "sweep over it without -j or --queue")
    return found


def _is_secret(pipeline: Pipeline, path: str) -> bool:
    spec = find_spec(pipeline, path)
    return spec is not None and spec.secret
