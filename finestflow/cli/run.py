"""``finestflow run``: one run, or one for each combination of a sweep."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._documents import summary_document
from finestflow.cli._errors import ExitCode, Presses
from finestflow.cli._follow import make_follower, summary_line
from finestflow.cli._options import check_jobs, target_argument
from finestflow.cli._output import SCHEMA, dump_json
from finestflow.cli._queue import taken_from_queue
from finestflow.cli._script import PROGRAM, ProgramCommand, run_program
from finestflow.cli._secrets import blank_secrets, refuse_open_secrets
from finestflow.cli._session import Session, pass_session
from finestflow.cli._sweep import plan_runs, sweep
from finestflow.cli._text import many_lines, one_line
from finestflow.config.kinds import parse_duration
from finestflow.ending import polite_end
from finestflow.errors import FinestflowError, TaskFailedError, UsageError
from finestflow.handed import read_handed
from finestflow.model import RunStatus
from finestflow.search import SAMPLERS

if TYPE_CHECKING:
    from finestflow.cli._follow import Follower
    from finestflow.model import Run
    from finestflow.runner import Finished, RunOptions

_NOTES_SHOWN = 5


@click.command("run", cls=ProgramCommand)
@target_argument()
@click.option(
    "-p",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Set a param or an input; a=1,2,3 and a=linspace:0:1:5 make a run of each, a=uniform:0:1 draws.",
)
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="How often values are drawn.")
@click.option(
    "--trials", type=click.IntRange(min=1), metavar="N", help="Search: so many runs, each with what those before tell."
)
@click.option("--metric", metavar="NAME", help="What a search is for.")
@click.option(
    "--goal", type=click.Choice(["max", "min"]), help="Which way is better; by the metric's name when left out."
)
@click.option("--sampler", type=click.Choice(SAMPLERS), help="How a search proposes settings; tpe when left out.")
@click.option("--resume", metavar="SEARCH", help="Go on with a search, up to --trials in all.")
@click.option(
    "--sweep",
    "table",
    metavar="FILE.csv",
    help="Settings from a table: its first line names params, each other one is a run.",
)
@click.option(
    "-j", "--jobs", metavar="N", callback=check_jobs, help='How many tasks run at a time, or "auto": one a core.'
)
@click.option("--executor", type=click.Choice(["auto", "sequential", "process"]), help="How tasks run.")
@click.option("--timeout", metavar="S", help='End a task after so long, such as 90 or "2m".')
@click.option("--from", "start", multiple=True, metavar="NODE", help="Start here: what lies before is not computed.")
@click.option("--to", "stop", multiple=True, metavar="NODE", help="Stop here: nothing is computed that is not needed.")
@click.option("--from-run", metavar="RUN", help="Where outputs before --from come from, when not from the cache.")
@click.option(
    "--force",
    "force",
    multiple=True,
    metavar="NODE",
    is_flag=False,
    flag_value="*",
    help="Run these nodes although they are hits.",
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--name", metavar="NAME", help="A name for the run.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag; may be repeated.")
@click.option("-m", "--note", metavar="NOTE", help="What to remember of it.")
@click.option("--seed", type=int, metavar="S", help="Seed of random numbers.")
@click.option(
    "--repeat", type=click.IntRange(min=1), default=1, metavar="N", help="So many runs, each with the next seed."
)
@click.option(
    "--config",
    metavar="RUN|FILE",
    help="Take params, tasks and inputs of a run or a TOML file; all of it without TARGET.",
)
@click.option("--code", metavar="RUN", help="Run the code of that run with these params, in a worktree of its own.")
@click.option("--save", multiple=True, metavar="GLOB", help="Files of a program to keep as artifacts; may be repeated.")
@click.option("--keep-going", is_flag=True, help="After a failure, run what does not depend on it.")
@click.option("--queue", "is_queued", is_flag=True, help="Let the runs wait in the queue; see finestflow queue.")
@click.option("--queued", type=int, hidden=True, help="The entry of the queue that this is.")
@click.option("--detach", is_flag=True, help="Go on in the background, and return when the run has begun.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan; nothing runs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line an event, the run at the end.")
@pass_session
def command(
    session: Session,
    /,
    target: str | None,
    settings: Sequence[str],
    table: str | None,
    samples: int | None,
    trials: int | None,
    metric: str | None,
    goal: str | None,
    sampler: str | None,
    resume: str | None,
    repeat: int,
    is_queued: bool,
    queued: int | None,
    detach: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Run a pipeline or a program and record it.

    TARGET is a pipeline of .finestflow.toml, a TOML file of its own, module:Class, or file.py:Class; the default pipeline when left out. A Python file that defines
    no pipeline is run as a program, with all that stands after it; so is what follows "--", such as: run -- ./train.sh a b
    """
    if detach and not dry_run:
        from finestflow.cli._detach import detach as go_on_without

        code_of_parent = go_on_without(session, as_json=as_json)
        if code_of_parent is not None:
            return code_of_parent
    program = click.get_current_context().meta.get(PROGRAM)
    wanted = {"trials": trials, "metric": metric, "goal": goal, "sampler": sampler, "resume": resume}
    if program is not None and (table or samples or is_queued or any(wanted.values())):
        raise UsageError("a sweep, a search and the queue are for pipelines", "a program takes its words as they are")
    if program is not None:
        return run_program(
            session, program, {"settings": settings, "repeat": repeat, "dry_run": dry_run, **given}, as_json=as_json
        )
    if given.pop("save"):
        raise UsageError("--save is for programs", "a pipeline keeps what its tasks return, and what they save")
    if dry_run:
        from finestflow.cli.plan import show_plan

        show_plan(session, target, settings, config=given["config"], as_json=as_json)
        return ExitCode.DONE
    handed = read_handed(session.workspace.environ).settings if queued is not None else {}
    settings = [*settings, *(f"{path}={json.dumps(value)}" for path, value in handed.items())]

    def run_once(values: Mapping[str, str], turn: int, options: Mapping[str, Any]) -> bool:
        return _run_once(session, options.get("target", target), values, turn, options, as_json=as_json)

    if any(wanted.values()):
        from finestflow.cli._search import search

        if table or samples or is_queued or repeat > 1:
            raise UsageError("a search makes its own runs", "leave out --sweep, --samples, --repeat and --queue")
        return search(session, run_once, target, settings, given, wanted, as_json=as_json)
    plan = plan_runs(session, settings, table, samples=samples, repeat=repeat, seed=given["seed"])
    with polite_end(Presses(session.out)), taken_from_queue(session, queued):
        return sweep(session, plan, run_once, target, given, is_queued=is_queued, as_json=as_json)


def _run_once(
    session: Session,
    target: str | None,
    values: Mapping[str, str],
    turn: int,
    given: Mapping[str, Any],
    *,
    as_json: bool,
) -> bool:
    """Make one run; return whether it went well.

    Raises:
        UsageError: It was to start or stop at a node that there is not, also where that was only known at its end.
    """
    out, workspace = session.out, session.workspace
    if not given["code"]:
        workspace.prepare(target, _options(given, turn), sys.argv[1:])
    over = workspace.read_config(given["config"]) if given["config"] else None
    pipeline, inputs = workspace.load_pipeline(target, values, over=over)
    if given["seed"] is None:
        given = {**given, "seed": pipeline.run_options.get("seed")}
    refuse_open_secrets(pipeline, values)
    pipeline = pipeline.copy()
    inputs = workspace.configure(pipeline, values.items(), inputs)
    if given["code"]:
        options = _options(given, turn)
        return _show_ended(session, workspace.run_code_of(given["code"], pipeline, inputs, options), as_json=as_json)
    captures = workspace.config.run.capture == "auto" and session.follower is None
    with contextlib.ExitStack() as stack:
        is_apart = captures and stack.enter_context(out.apart())
        follower = stack.enter_context(session.follower or make_follower(out, as_json=as_json))
        options = replace(_options(given, turn), descriptors=is_apart)
        argv = blank_secrets(sys.argv, pipeline, values)
        listener = _telling(session.begun, follower)
        finished = workspace.run(pipeline, (), inputs, options=options, argv=argv, listener=listener)
    if not as_json:
        for path, text in _notes(finished):
            out.note(f"note: {one_line(path)}: {one_line(text)}")
        if finished.error is not None and not finished.is_misused:
            _show_failure(session, finished)
    is_ok = _show_ended(session, finished.run, as_json=as_json)
    if finished.is_misused and finished.error is not None:
        raise finished.error
    return is_ok


def _telling(begun: Callable[[str], None] | None, follower: Follower) -> Callable[[Mapping[str, Any]], None]:
    """Return what follows a run and tells that it has begun, where somebody wants to know."""
    if begun is None:
        return follower

    def listen(event: Mapping[str, Any]) -> None:
        if event["e"] == "run":
            begun(event["id"])
        follower(event)

    return listen


def _show_ended(session: Session, run: Run, *, as_json: bool) -> bool:
    """Say how a run ended; return whether it went well."""
    out, workspace, summary = session.out, session.workspace, run.summary
    session.last_run = summary
    if as_json:
        if workspace.repository is not None:
            summary = workspace.resolve(summary.id)  # it has its commit now
        out.line(dump_json({"schema": SCHEMA, "kind": "run.end", "run": summary_document(summary)}, ascii_only=True))
    else:
        if run.returned:
            out.note(f"returned {one_line(run.returned)}")
        out.note(summary_line(summary, color=out.color_err))
    return summary.status is RunStatus.OK


def _notes(finished: Finished) -> list[tuple[str, str]]:
    """Return the remarks on nodes, each text once, with the first node that has it."""
    found: dict[str, str] = {}
    for path, node in finished.nodes.items():
        for text in node.notes:
            found.setdefault(text, path)
    return [(path, text) for text, path in itertools.islice(found.items(), _NOTES_SHOWN)]


def _options(given: Mapping[str, Any], turn: int) -> RunOptions:
    from finestflow.options import RunOptions

    jobs = given["jobs"]
    seed = (given["seed"] or 0) + turn
    return RunOptions(
        executor=given["executor"] or "auto",
        jobs=int(jobs) if jobs and jobs != "auto" else jobs,
        timeout=_seconds(given["timeout"]),
        start=given["start"],
        stop=given["stop"],
        from_run=given["from_run"] or "",
        cache=not given["no_cache"],
        force=tuple(given["force"]),
        name=given["name"] or "",
        note=given["note"] or "",
        tags=tuple(given["tags"]),
        keep_going=given["keep_going"],
        seed=seed,
        echo=False,  # the follower shows what tasks print
    )


def _seconds(text: str | None) -> float | None:
    """Return a duration that was typed."""
    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise UsageError(f"--timeout is {text!r}", 'expected a duration such as 90 or "2m"')
    return seconds


def _show_failure(session: Session, finished: Finished) -> None:
    """Say what went wrong: an error of ours in one line, one of the user's code with its traceback."""
    error = finished.error
    # An error whose class stayed in a worker is one of ours by its class, and the user's by its traceback.
    is_theirs = type(error) is TaskFailedError and '\n  File "' in finished.run.traceback
    if isinstance(error, FinestflowError) and error.__cause__ is None and not is_theirs:
        where = next((f"{one_line(path)!r}: " for path, node in finished.nodes.items() if node.error is error), "")
        session.out.failure(f"error: {where}{many_lines(error.message)}", "red")
        if error.hint:
            session.out.failure(f"hint: {many_lines(error.hint)}")
    else:
        session.out.failure(many_lines(finished.run.traceback).rstrip("\n"))
