"""``finestflow config``: settings with their origins, read and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from finestflow.cli._options import json_option
from finestflow.cli._output import Column, Styled
from finestflow.cli._session import Session, pass_session
from finestflow.config import PROJECT_FILE, json_schema, write_setting
from finestflow.errors import RepositoryError


@click.group("config")
def command() -> None:
    """List, read and write settings.

    A value comes from the first of: flag, FINESTFLOW_* variable, this machine's file in .git, project file, user file, default.
    """


@command.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List every setting, its value and where that came from."""
    config = session.workspace.config
    values = list(config.iter_values())
    if as_json:
        settings = [{"key": k, "value": v, "source": s.kind, "where": s.where or None} for k, v, s in values]
        session.out.json("config", settings=settings)
        return
    rows = [[key, _toml(value), Styled(str(source), "dim")] for key, value, source in values]
    session.out.table([Column("key"), Column("value", shrinks=True), Column("from", shrinks=True)], rows)


@command.command("get")
@click.argument("key")
@json_option
@pass_session
def get(session: Session, key: str, as_json: bool) -> None:
    """Print the value of one setting."""
    config = session.workspace.config
    config.get(key)
    value = next((value for name, value, _ in config.iter_values() if name == key), None)
    if as_json:
        source = config.source(key)
        session.out.json("config.value", key=key, value=value, source=source.kind, where=source.where or None)
    else:
        session.out.line(value if isinstance(value, str) else _toml(value))


@command.command("set")
@click.argument("key")
@click.argument("value")
@click.option("--user", "scope", flag_value="user", help="In the user's file, for all projects.")
@click.option("--machine", "scope", flag_value="machine", help="In .git, for this clone only.")
@json_option
@pass_session
def set_(session: Session, key: str, value: str, scope: str | None, as_json: bool) -> None:
    """Write one setting into the project's file; its comments and order stay."""
    file = _file_of(session, scope)
    written = write_setting(file, key, value)
    if as_json:
        session.out.json("config.value", key=key, value=written, source=scope or "project", where=file)
    else:
        session.out.note(f"{key} = {_toml(written)}  in {file}")


@command.command("schema")
@click.option("--json", is_flag=True, expose_value=False, help="It is JSON in any case.")
@pass_session
def schema(session: Session) -> None:
    """Print the JSON Schema of .finestflow.toml, for editors."""
    session.out.document(json_schema(), indent=2)


def _file_of(session: Session, scope: str | None) -> Path:
    workspace = session.workspace
    if scope == "user":
        return user_file(session)
    if scope == "machine":
        if workspace.repository is None:
            raise RepositoryError("no git repository here for --machine", 'make one with "finestflow init"')
        return Path(workspace.repository.common_dir) / "finestflow" / "config.toml"
    if workspace.config.file is not None:
        return workspace.config.file
    root = workspace.repository.work_tree if workspace.repository is not None else None
    return (root or session.folder) / PROJECT_FILE


def user_file(session: Session) -> Path:
    """Return the user's own file of settings."""
    folder = session.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "finestflow" / "config.toml"


def _toml(value: Any) -> str:
    """Return a value as a file would have it."""
    if value is None:
        return ""
    import tomlkit

    return str(tomlkit.item(value).as_string())
