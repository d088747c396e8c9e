"""``finestflow completion``: the script that a shell reads."""

from __future__ import annotations

import click

from finestflow.cli._session import Session, pass_session
from finestflow.errors import UsageError

_WHERE = {
    "bash": 'eval "$(finestflow completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(finestflow completion zsh)"  in ~/.zshrc',
    "fish": "finestflow completion fish | source  in ~/.config/fish/config.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_session
def command(session: Session, shell: str) -> None:
    """Print the script that completes commands in a shell.

    Commands, options, runs and nodes are completed.
    """
    from click.shell_completion import get_completion_class

    from finestflow.cli import COMPLETION_VARIABLE, cli

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"no completion for {shell!r}")
    session.out.line(kind(cli, {}, "finestflow", COMPLETION_VARIABLE).source())
    if session.out.is_terminal:
        session.out.note(f"put this into your shell's start-up file: {_WHERE[shell]}")
