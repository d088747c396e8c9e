"""Lists of runs that have a name: ``[views.best]`` of the settings, asked for by ``log --view best``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.errors import ConfigError, nearest_hint

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from finestflow.config import Config

__all__ = ["View", "complete_view", "get_view"]


class View(NamedTuple):
    """What to list, and how; None and empty where the view does not say."""

    query: str = ""
    sort: str | None = None
    columns: str | None = None
    group: str | None = None
    limit: int | None = None

    def narrowed(self, words: str) -> str:
        """Return the query with further words."""
        return f"({self.query}) {words}" if self.query and words else self.query or words


def get_view(config: Config, name: str) -> View:
    """Return a view by its name.

    Raises:
        ConfigError: There is none, or it says something that is not understood.
    """
    views = config.views
    if name not in views:
        raise ConfigError(f"no view {name!r}", nearest_hint(name, views, "views") if views else _HINT)
    given = views[name]
    if not isinstance(given, Mapping):
        raise ConfigError(f"the view {name!r} is no table", _HINT)
    fields: dict[str, Any] = dict(given)
    if isinstance(given.get("columns"), list):
        fields["columns"] = ",".join(map(str, given["columns"]))
    for key, value in fields.items():
        if key not in View._fields:
            raise ConfigError(f"the view {name!r} has an unknown key {key!r}", nearest_hint(key, View._fields, "keys"))
        if not isinstance(value, int if key == "limit" else str) or isinstance(value, bool):
            raise ConfigError(f"{key!r} of the view {name!r} is {value!r}", _HINT)
    return View(**fields)


_HINT = 'a view is a table such as [views.best] with query = "f1>0.9", sort = "-f1", columns = ["name", "f1"]'


def complete_view(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a view; a completion never fails, it is empty."""
    from click.shell_completion import CompletionItem

    from finestflow.workspace import Workspace

    try:
        folder = ctx.find_root().params.get("folder") or "."
        views = Workspace.find(Path.cwd() / folder, os.environ).config.views
        return [
            CompletionItem(name, help=str(view.get("query", "")) if isinstance(view, Mapping) else None)
            for name, view in views.items()
            if name.startswith(incomplete)
        ]
    except Exception:  # noqa: BLE001 - a broken repository must not spoil the user's prompt
        return []
