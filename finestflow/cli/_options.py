"""Options and arguments that several commands share, with their completion."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finestflow.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = [
    "check_jobs",
    "dry_run_option",
    "format_option",
    "json_option",
    "query_argument",
    "run_argument",
    "runs_argument",
    "target_argument",
]

_LISTED = 60


def _iter_runs(ctx: click.Context) -> Iterator[CompletionItem]:
    """Yield the newest runs; a completion never fails, it is empty."""
    from click.shell_completion import CompletionItem

    from finestflow.workspace import Workspace

    folder = ctx.find_root().params.get("folder") or "."
    workspace = Workspace.find(Path.cwd() / folder, os.environ)
    for summary in workspace.select("", limit=_LISTED):
        yield CompletionItem(summary.name, help=f"{summary.pipeline} {summary.status.value}")


def _complete_run(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        run, colon, node = incomplete.partition(":")
        if not colon:
            return [
                item
                for item in [CompletionItem("@", help="newest"), *_iter_runs(ctx)]
                if item.value.startswith(incomplete)
            ]
        from finestflow.address import shown_parts
        from finestflow.workspace import Workspace

        found = Workspace.find(Path.cwd() / (ctx.find_root().params.get("folder") or "."), os.environ).load_run(
            run or "@"
        )
        places = [path for path in found.nodes if path.startswith(node)]
        for path, record in found.nodes.items():
            if record.output is not None and node.startswith(path):
                places += [path + part for part in shown_parts(record.output) if (path + part).startswith(node)]
        return [CompletionItem(f"{run}:{place}") for place in places]
    except Exception:  # noqa: BLE001 - a broken repository must not spoil the user's prompt
        return []


def _complete_target(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        from finestflow.workspace import Workspace

        folder = ctx.find_root().params.get("folder") or "."
        names = Workspace.find(Path.cwd() / folder, os.environ).config.pipelines
        return [CompletionItem(name) for name in names if name.startswith(incomplete)] or [
            CompletionItem(incomplete, type="file")
        ]
    except Exception:  # noqa: BLE001 - see above
        return []


def run_argument(name: str = "run", *, required: bool = False, metavar: str = "RUN") -> Callable[[Any], Any]:
    """Declare the argument that names a run; the newest when it is left out."""
    default: dict[str, Any] = (
        {} if required else {"default": "@"}
    )  # for click a default of None is one, and nothing is missing then
    return click.argument(name, required=required, metavar=metavar, shell_complete=_complete_run, **default)


def runs_argument(name: str = "runs") -> Callable[[Any], Any]:
    """Declare the argument that names one or more runs."""
    return click.argument(name, nargs=-1, required=True, metavar="RUN...", shell_complete=_complete_run)


def target_argument() -> Callable[[Any], Any]:
    """Declare the argument that names a pipeline."""
    return click.argument("target", required=False, metavar="[TARGET]", shell_complete=_complete_target)


def query_argument() -> Callable[[Any], Any]:
    """Declare the words of a query, which need no quotes."""
    return click.argument("query", nargs=-1, metavar="[QUERY]...")


def format_option() -> Callable[[Any], Any]:
    """Declare how a table is written; ``json`` is what ``--json`` asks for."""
    forms = click.Choice(["text", "md", "csv", "json"])
    return click.option("--format", "form", type=forms, default="text", show_default=True, help="How it is written.")


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


def check_jobs(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return what ``-j`` was given, when it is a number of jobs.

    Raises:
        UsageError: It is none.
    """
    if text is not None and text != "auto" and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UsageError(f"-j is {text!r}", 'expected a whole number, 1 or more, or "auto"')
    return text
