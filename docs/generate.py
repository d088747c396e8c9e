"""Writes the reference pages that follow from the code: commands, configuration, errors, API.

``python docs/generate.py`` writes them; ``tests/docs`` fails when one of them is not current.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

_REFERENCE = Path(__file__).parent / "reference"
_NOTICE = "<!-- Written by docs/generate.py: change the code, not this page. -->"


def commands_page() -> str:
    """Return the reference of the command line, from click's own help."""
    from finestflow.cli import COMMANDS, cli

    lines = [_NOTICE, "", "# Commands", "", "```text", _help(cli, None, "finestflow"), "```", ""]
    root = click.Context(cli, info_name="finestflow", **{**cli.context_settings, **_WIDE})
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        lines += [f"## {name}", "", "```text", _help(command, root, name), "```", ""]
        if isinstance(command, click.Group):
            inner = click.Context(command, parent=root, info_name=name, **_WIDE)
            for child in command.list_commands(inner):
                sub = command.get_command(inner, child)
                assert sub is not None
                lines += [f"### {name} {child}", "", "```text", _help(sub, inner, child), "```", ""]
    lines += ["## Exit codes", "", *_exit_codes(), ""]
    return "\n".join(lines)


_WIDE = {"terminal_width": 100, "max_content_width": 100}


def _help(command: click.Command, parent: click.Context | None, name: str) -> str:
    settings = {**(command.context_settings or {}), **_WIDE}
    return command.get_help(click.Context(command, parent=parent, info_name=name, **settings)).rstrip()


def _exit_codes() -> Iterator[str]:
    from finestflow.cli._errors import ExitCode

    yield "| code | meaning |"
    yield "|---|---|"
    source = inspect.getsource(ExitCode)
    for code in ExitCode:
        sentence = source.split(f"{code.name} = {code.value}\n")[1].split('"""')[1]
        yield f"| {code.value} | {sentence.replace('``', '`')} |"
    yield ""
    yield "Any other code means failure."


def configuration_page() -> str:
    """Return the reference of the settings."""
    from finestflow.config import iter_settings

    lines = [
        _NOTICE,
        "",
        "# Configuration",
        "",
        "Settings live in `.finestflow.toml`; the nearest one upward from the working directory counts, whole.",
        "Where there is none, `[tool.finestflow]` of the nearest `pyproject.toml` is read.",
        "A value is taken from the first of: a flag, a `FINESTFLOW_*` variable, `.git/finestflow/config.toml` (this machine), "
        "the project's file, the user's file (`~/.config/finestflow/config.toml`), the default.",
        "`finestflow config list` says where each value came from, and `finestflow config schema` prints a JSON Schema for editors.",
        "",
        'Sizes are written as `"10 MB"` (millions) or `"10 MiB"` (2²⁰), spans of time as `"90s"` or `"1h30m"`.',
        "",
    ]
    table = None
    for setting in iter_settings():
        *tables, name = setting.key.split(".")
        if tables != table:
            table = tables
            heading = f"`[{'.'.join(tables)}]`" if tables else "Top level"
            lines += [f"## {heading}", "", "| key | default | is | meaning |", "|---|---|---|---|"]
        default = "" if setting.default is None else f"`{json.dumps(setting.default)}`"
        help_text = setting.help.replace("|", "\\|")
        lines.append(f"| `{name}` | {default} | {setting.expected} | {help_text} |")
        if setting is not None and _is_last(setting.key):
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _is_last(key: str) -> bool:
    from finestflow.config import iter_settings

    table = key.rpartition(".")[0]
    return key == [setting.key for setting in iter_settings() if setting.key.rpartition(".")[0] == table][-1]


def errors_page() -> str:
    """Return the reference of the errors."""
    from finestflow import errors

    lines = [
        _NOTICE,
        "",
        "# Errors",
        "",
        "Every error of finestflow is a `FinestflowError` with a `message`, a `hint` that says what to do next, and an exit code.",
        "All of them live in `finestflow.errors`, survive a pickle round trip, and are shown by the command line as",
        "",
        "```text",
        "finestflow: error: no run matches 'kxqp'",
        'hint: list runs with "finestflow log"',
        "```",
        "",
        "| error | kind of | exit code | when |",
        "|---|---|---|---|",
    ]
    for cls in _iter_errors(errors.FinestflowError):
        sentence = (inspect.getdoc(cls) or "").split("\n")[0].replace("``", "`")
        lines.append(f"| `{cls.__name__}` | `{cls.__base__.__name__}` | {cls.exit_code} | {sentence} |")
    return "\n".join(lines) + "\n"


def _iter_errors(cls: type) -> Iterator[type]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == cls.__module__:
            yield from _iter_errors(child)


def api_page() -> str:
    """Return the page that lists the public names; Sphinx fills it from their docstrings."""
    import finestflow

    lines = [
        _NOTICE,
        "",
        "# Python API",
        "",
        "These names are importable from `finestflow`; importing it loads no third-party module.",
        "",
    ]
    names = [name for name in finestflow.__all__ if not name.startswith("__")]
    for name in names:
        found = getattr(finestflow, name)
        if isinstance(found, type) and issubclass(found, BaseException):
            continue
        directive = (
            "autoclass"
            if isinstance(found, type)
            else "autofunction"
            if callable(found) and hasattr(found, "__name__")
            else "autodata"
        )
        lines += [f"## {name}", "", "```{eval-rst}", f".. {directive}:: finestflow.{name}"]
        made = _MADE.get(name)
        if made is not None:
            lines += ["", f".. autoclass:: {made}", "   :members:"]
        lines += ["```", ""]
    lines += ["The errors are listed in {doc}`errors`.", ""]
    return "\n".join(lines)


_MADE = {"start": "finestflow.started.StartedRun", "runs": "finestflow.history.RunList"}
"""Classes of which objects are only made by a public name."""


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "errors.md": errors_page,
    "api.md": api_page,
}


def main() -> int:
    """Write every page that is not current."""
    for name, make in PAGES.items():
        file = _REFERENCE / name
        text = make()
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{file.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
