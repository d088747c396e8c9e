"""The command line: reads what the user typed, asks the library, formats the answer.

Invariant: a command only formats; what it shows comes from ``workspace`` and the modules below it. A command's module is imported when the
command is chosen: the table below is all that ``finestflow --help`` needs. Called by the console script and ``python -m finestflow``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from finestflow.cli._errors import guard, leave

if TYPE_CHECKING:
    from finestflow.cli._session import Session

__all__ = ["ALIASES", "COMMANDS", "COMPLETION_VARIABLE", "Entry", "cli", "main"]


class Entry(NamedTuple):
    """A command in the table: where it is defined, the group it is listed in, its line of help."""

    target: str
    group: str
    help: str


COMMANDS: dict[str, Entry] = {
    "init": Entry("init:command", "Start", "Prepare a repository for finestflow; safe to repeat."),
    "demo": Entry("demo:command", "Start", "Run the digits example in a scratch repository."),
    "run": Entry("run:command", "Run", "Run a pipeline or a program and record it."),
    "plan": Entry("plan:command", "Run", "Show what would be a hit, what would run, and why; nothing runs."),
    "stop": Entry("stop:command", "Run", "Stop a run that is going on."),
    "queue": Entry("queue:command", "Run", "Keep runs that wait for their turn."),
    "reproduce": Entry("reproduce:command", "Run", "Run a record again and compare it, output by output."),
    "log": Entry("log:command", "Look", "List the runs, newest first."),
    "show": Entry("show:command", "Look", "Show one run, one node or one output."),
    "diff": Entry("diff:command", "Look", "Show what differs between two runs."),
    "compare": Entry("compare:command", "Look", "Put runs side by side: what differs between them, and the best."),
    "report": Entry("report:command", "Look", "Write a page about some runs, in one HTML file."),
    "why": Entry("why:command", "Look", "Say why a node ran, or which run its hit came from."),
    "bisect": Entry("bisect:command", "Look", "Find the run at which a metric broke."),
    "for": Entry("for_:command", "Look", "List the runs of exactly the files of a commit."),
    "taint": Entry("taint:command", "Look", "List the runs and outputs that used a function or a text."),
    "tui": Entry("tui:command", "Look", "Browse runs, graphs, logs and differences in the terminal."),
    "graph": Entry("graph:command", "Look", "Draw the graph of a run or a pipeline."),
    "logs": Entry("logs:command", "Look", "Print what a run or a node wrote, also while it goes."),
    "env": Entry(
        "env:command", "Look", "Show the environment that a run ran in, or with two runs what differs between theirs."
    ),
    "get": Entry("get:command", "Take out", "Copy an output out of the store."),
    "checkout": Entry("checkout:command", "Take out", "Make a work tree of the files of a run."),
    "promote": Entry("promote:command", "Take out", "Make a branch from a run."),
    "recover": Entry("recover:command", "Take out", "Print a file as a run had it."),
    "tag": Entry("annotate:tag", "Annotate", "Add tags to runs, or take them away."),
    "note": Entry("annotate:note", "Annotate", "Write a note on a run."),
    "rename": Entry("annotate:rename", "Annotate", "Give a run another name."),
    "star": Entry("annotate:star", "Annotate", "Star runs: no rule ever removes them."),
    "rm": Entry("annotate:rm", "Annotate", "Remove runs from every listing."),
    "restore": Entry("annotate:restore", "Annotate", "Bring removed runs back."),
    "undo": Entry("annotate:undo", "Annotate", "Take the last change of annotations back."),
    "redo": Entry("annotate:redo", "Annotate", "Make the change again that the last undo took back."),
    "cache": Entry("cache:command", "Keep house", "Look at the values of the store, and evict single ones."),
    "gc": Entry("gc:command", "Keep house", "Drop removed runs and the outputs that no run needs."),
    "du": Entry("du:command", "Keep house", "Show how much room runs and outputs take."),
    "verify": Entry("verify:command", "Keep house", "Check records and outputs for damage."),
    "config": Entry("config:command", "Keep house", "List, read and write settings."),
    "completion": Entry("completion:command", "Keep house", "Print the script that completes commands in a shell."),
}
ALIASES = {"ls": "log"}
COMPLETION_VARIABLE = "_FINESTFLOW_COMPLETE"

_current: list[Session] = []


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are chosen."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if entry is None:
            return None
        import importlib

        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(f"finestflow.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from finestflow.errors import UsageError, nearest_hint

            raise UsageError(f"no command {name!r}", nearest_hint(name, [*COMMANDS, *ALIASES], "commands"))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        room = max(map(len, COMMANDS))
        for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
            with formatter.section(group):
                rows = [(name.ljust(room), entry.help) for name, entry in COMMANDS.items() if entry.group == group]
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=e.help) for name, e in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"finestflow {version('finestflow')}")
        ctx.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
    invoke_without_command=True,
    epilog='Each command explains itself: "finestflow run --help". RUN is an id, its first letters, a name, "@" (newest) or "@~2".',
)
@click.option("-C", "folder", metavar="DIR", help="Work as if started in DIR.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True, help="When to colour."
)
@click.option("-q", "--quiet", is_flag=True, help="Only data, warnings and errors.")
@click.option("-v", "--verbose", is_flag=True, help="More about what happens.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
@click.pass_context
def cli(ctx: click.Context, *, folder: str | None, color: str, quiet: bool, verbose: bool) -> None:
    """Track experiments in the git repository that you already have.

    Every run of a pipeline is a commit on a hidden ref, and every output of a task is cached by the content of its code and inputs.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit()
    from pathlib import Path

    from finestflow.cli._output import Output
    from finestflow.cli._session import Session
    from finestflow.errors import UsageError

    if quiet and verbose:
        raise UsageError("-q and -v contradict each other")
    start = Path.cwd() / folder if folder else Path.cwd()
    if not start.is_dir():
        raise UsageError(f"no folder {folder!r}")
    session = Session(start, Output(color=color, verbosity=int(verbose) - int(quiet)))
    _current[:] = [session]
    ctx.obj = session


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        argv: Arguments without the program's name; those of the process when None.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us, as some daemons do
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - it is open as long as the process
    _current.clear()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files and runs may hold bytes that the terminal cannot show
            stream.reconfigure(errors="backslashreplace")

    def action() -> object:
        instruction = os.environ.get(COMPLETION_VARIABLE)
        if instruction:
            from click.shell_completion import shell_complete

            return shell_complete(cli, {}, "finestflow", COMPLETION_VARIABLE, instruction)
        # Not cli.main(): it would turn a closed pipe into exit code 1.
        try:
            with cli.make_context("finestflow", arguments) as context:
                return cli.invoke(context)
        finally:
            for session in _current:
                session.close()

    code = guard(action, arguments, lambda: _current[0] if _current else None)
    if argv is None:  # the process ends next
        leave(code)
    return code
