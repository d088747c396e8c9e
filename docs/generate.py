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
    lines += ["## JSON", "", *_json(cli, root), "", "## Exit codes", "", *_exit_codes(), ""]
    return "\n".join(lines)


_WIDE = {"terminal_width": 100, "max_content_width": 100}


def _help(command: click.Command, parent: click.Context | None, name: str) -> str:
    settings = {**(command.context_settings or {}), **_WIDE}
    return command.get_help(click.Context(command, parent=parent, info_name=name, **settings)).rstrip()


def _json(cli: click.Group, root: click.Context) -> Iterator[str]:
    from finestflow.cli import COMMANDS

    found = {name: cli.get_command(root, name) for name in COMMANDS}
    without = [
        f"`{name}`"
        for name, command in found.items()
        if not isinstance(command, click.Group) and not any("--json" in each.opts for each in command.params)
    ]
    yield f"Every command but {', '.join(without[:-1])} and {without[-1]}, which are for people and shells, takes `--json`: stdout then has one document,"
    yield '`{"schema": 1, "kind": "...", ...}`, and nothing else. Fields are only ever added; what is not there is null; times are ISO 8601 with'
    yield "their zone. An error is a document of the kind `error` on stderr, with `message`, `hint` and `exit`."
    yield ""
    yield "| command | has |"
    yield "|---|---|"
    yield "| `run` | a line an event (`event.start`, `event.node`, `event.text` ...), and `run.end` with the run at the end of each run |"
    yield "| `logs` | a line for each that was printed: `run`, `node` (empty for the body of the pipeline), `text` as it was written; with `-f` also `run.end` |"
    yield "| `queue run` | a line an entry that has ended, `queue.end`: `entry`, `run` (null where none began), `exit`, `error` |"
    yield "| `get` | `output` with the `value`; of one that JSON cannot hold `value`, as `show RUN:NODE --value`; with `-o` `file` with `path` and `bytes` |"
    yield "| `tag note rename star rm restore undo redo` | `annotation`: `change`, `runs` (`id`, `name`), `step`: the commit that `undo` takes back, null where nothing changed |"
    yield "| `config schema` | a JSON Schema in any case |"


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
        if name == "Workspace":  # it is made of parts, each a class
            lines += ["   :inherited-members:"]
        made = _MADE.get(name)
        if made is not None:
            lines += ["", f".. autoclass:: {made}", "   :members:"]
        lines += ["```", ""]
    lines += ["The errors are listed in {doc}`errors`.", ""]
    return "\n".join(lines)


_MADE = {"start": "finestflow.started.StartedRun", "runs": "finestflow.history.RunList"}
"""Classes of which objects are only made by a public name."""


def tui_page() -> str:
    """Return the reference of the terminal UI: its keys, from the table that the screens use."""
    from finestflow_tui.keys import KEYS, LEADERS, key_text

    lines = [_NOTICE, *_TUI.split("\n")]
    for group in dict.fromkeys(key.group for key in KEYS):
        lines += [f"### {group}", "", "| key | id | does | where |", "|---|---|---|---|"]
        for key in KEYS:
            if key.group == group:
                where = "everywhere" if len(key.where) >= 7 else " ".join(sorted(key.where & _SCREENS)) or "in a pane"
                lines.append(f"| {_code(key_text(key.keys))} | `{key.id}` | {key.help} | {where} |")
        lines.append("")
    lines += ["### Two keys", "", "| keys | do |", "|---|---|"]
    lines += [
        f"| `{leader}{choice.key}` | {choice.text} |" for leader, choices in LEADERS.items() for choice in choices
    ]
    return "\n".join(lines) + "\n"


_SCREENS = {"runs", "run", "diff", "compare", "cache", "trash", "reproduce"}


def _code(keys: str) -> str:
    return " ".join(f"`{key}`" for key in keys.split(" "))


_TUI = """
# The terminal UI

`finestflow tui` shows the runs of the repository; `finestflow tui RUN` opens one (`finestflow tui RUN :logs` on that tab,
`finestflow tui RUN :reproduce` the plan of running it again), two names their
difference, more a comparison, `:cache` and `:trash` what they say, and `finestflow tui 'f1>0.9 since:2d'` begins with a query. `--read-only`
changes nothing; `--plain` prints what the screen would show and ends, for screen readers and pipes, with the same words: every screen has such a twin.
It prints all runs of the list, of a run what the preview says with its tasks, metrics and outputs, or one tab in full, and of a difference all tabs one after
the other; laid out for 120 columns whatever the terminal has, without colours, with `FINESTFLOW_ASCII=1` in ASCII. How a metric went is a line of blocks
behind it; what plots show, grids, shades and bands too, is told in numbers: first, least, median, most and last value of each line, of runs with equal params the
mean with its deviation.

![The list of runs](../images/tui-runs.svg)

The list is on the screen before anything of git is loaded, and a query answers while it is typed, at ten runs and at 100,000. Runs that are
going on are on top, with their progress, when the task that tells of it would be done, and how its metric goes; beside the list and in the table of
tasks too. A new run never moves the line under the cursor. A line that goes on to the right ends in `…`: `l` scrolls there.

| screen | shows |
|---|---|
| runs | the list: filter (`/`), sort (`s`), group (`b`) by the column under the cursor; beside it the run under the cursor and what differs from the run before |
| run | tasks with lanes and times, graph, logs, metrics, params, configuration, code, environment, outputs; the heading says how long its hits took when they were computed |
| diff | two runs, or a run and the files as they are now (`D`): code side by side with the words that differ and how many lines came and went in each file, params, metrics and how they went, environment, outputs and what differs inside them (pictures beside each other, rows of tables by their key), both graphs in one, logs node by node, and, on a wide terminal beside each of these, why tasks ran again |
| compare | the marked runs side by side: what differs, the best value of each metric, how metrics went, all of it as parallel coordinates (`v`); where there is no room for all runs, `l` goes on by one and the first one stays |
| reproduce | what would happen, with options (`,`): the recorded environment, a tolerance, from a task on; then the verdict, output by output; it goes on when the UI is left |
| cache | what the store holds, what it cost; `x` marks values to be evicted, `u` spares them, `,x` does it; what a clean-up would free, and what is damaged |
| trash | deleted runs, which come back with one key |

![The tasks of a run, with lanes, times and why each ran](../images/tui-run.svg)

**The list** shows two metrics first, then the params that vary most, then the rest: `\u203a3` at the end of the headings says that three columns lie to the right.
`+` shows and hides columns, among them how a
metric went in each run (`c.NAME`, or `courses.NAME` in `[tui] columns`): blocks from its least to its greatest value, read for the rows that are seen. A second key (`S`) orders runs that are equal by the first. `b` groups by the values of a column, a metric or another number with many values by ranges of
about as many runs each; the heading says mean, deviation and best of each metric, with the letter of the run that has it where that is marked. `2 new ↑` counts the runs that came since the top of the list was seen. The head
says a second later how the repository stands: `main ±3` is the branch with three changed files that git knows, `cache 1.2 GB` what the store holds,
`trash 2` how many deleted runs can come back.

**Logs** are those of all nodes, each line under the name of its node: in the order of writing while the run goes, afterwards node after node. `n` goes
to the next line that tells of an error, `/` searches, `f` chooses a node. Frames of tracebacks are links: enter or `e` opens the file of the last one that is seen, a double click that of its own, as
it was in that run.
`,l` leaves the lines that tell of a level or a louder one (`WARNING ...`, warnings of Python, tracebacks), `,m` puts the lines of all nodes into the order of
the times that they begin with: a record has no times of lines but those, and does not tell standard output and error apart.

**Outputs** are shown from inside: pictures, the first rows and statistics of tables and arrays, text, the first bytes of the rest. A process of its own loads
the value, and only values of this clone are loaded without being asked for. Enter shows a picture in full where the terminal can (kitty, iTerm, WezTerm, foot).

![The picture that a run made](../images/tui-outputs.svg)

**Plots** show a metric over those of the marked runs. With the keys (`tab`), `h` and `l` move a crosshair that reads all lines, `+` and `-` look closer
and from further away; `,` smooths, makes axes logarithmic, and plots over steps, epochs (where a metric of the task is called `epoch`) or seconds. `v` goes on
to the logarithm, to shades (a line a run, readable without colours), and to a grid of all metrics. In a comparison the grid begins with the metric in which the
runs differ most, `v` shows parallel coordinates too, and `,b` draws the mean of runs with equal params between its deviations: seeds as one line; on the
row of a param, the groups are its values. Where a font has no dots of braille, `[tui] plot = "blocks"` draws with blocks.

![Runs as lines over the params and metrics in which they differ](../images/tui-compare.svg)

**Graphs** light up what a node depends on and what depends on it; shift and the arrows, or dragging, move a large one. Items of a fan-out are one node until
enter opens them. `,d` writes how long each took, `,b` draws nodes in boxes, `,f` follows the node that runs.

![The graph of a run](../images/tui-graph.svg)

The **mouse** chooses, opens (twice), sorts (a heading), marks (the gutter), drags borders, and has the actions under its right button; nothing needs it.

![Two runs side by side](../images/tui-diff.svg)

Items of a fan-out of more than five are one row of a difference or a comparison: the mean of a metric, how many outputs differ; `,i` shows each.

`'` puts a letter on every row, node and pane that is seen: the next key goes there.

Marks (`space`) are letters that stay with runs on every screen. With two marks `d` compares them; with one, it and the run under the cursor;
without, the run under the cursor and the one before it. Stars, tags, notes and deletions are commits on `refs/finestflow/annotations`: `u` takes
the last one back, also after a restart. Edits of the view (marks, pins, columns, order, groups, `f`) are taken back by the same key, in the order in
which both were made, as long as the screen is open; `^r` makes them again. `@` lists the commands that would have done the same.

`R` offers the params and inputs of a run, or the command line of a program, and runs it anew with the files as they are now; what is not changed is
taken over from the record. `E` writes to a new file: none that is there is written over.

What was damaged, deleted or cannot be written is told where it is: a run whose record turned out to be unreadable has a `?`, a comparison leaves it out, an
index that is lost is made again while its rows stay, and a key that fails says why at the foot. Text of runs is shown without what a terminal would
obey, and without what terminals measure differently: what joins pictures (👩 and 👧 stay two), and more than three marks over a letter.

What is on the screen (query, order, columns, marks, widths of panes, the place in the list, the tab of a run) is kept in `.git/finestflow/tui.json`. Colours, columns, keys and named views are
[settings](configuration.md): `[tui] theme`, `columns`, `keys`; views are `[views.NAME]`, and `gv` lists them. With `NO_COLOR` no colour is written, with `FINESTFLOW_ASCII=1` nothing
but ASCII is drawn or printed. When it stops by a fault of its own, what happened is in `.git/finestflow/crash-tui.txt`.

## What is not there

Logs cannot be narrowed to standard output or error: both descriptors of a node go to one file, since the order in which lines were written is kept by that alone;
two files would lose it, and C code and child processes mark nothing. What a GPU was used is known of a run (`system/gpu0` among its metrics), not of a task:
the driver tells it of a card, and tasks that run at the same time share one.

## Keys

`[tui.keys]` gives an action another key by its id: `keys = { "delete" = "D" }`. `?` lists the keys of a screen, and does what is chosen.
"""


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "errors.md": errors_page,
    "api.md": api_page,
    "tui.md": tui_page,
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
