"""``finestflow run`` of more than one run: their settings, the tag they share, one after another or several at a time, the table at the end."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finestflow.cli._errors import ExitCode
from finestflow.cli._queue import open_queue, work_off
from finestflow.cli._secrets import refuse_open_secrets, take_secrets
from finestflow.cli._session import Session
from finestflow.cli._text import number, one_line, plural
from finestflow.errors import UsageError
from finestflow.sweep import count_settings, iter_settings, load_rows, mean_of_repeats

if TYPE_CHECKING:
    from finestflow.model import RunSummary

__all__ = ["Plan", "plan_runs", "sweep", "words_of"]

_CHECKED = 10_000
_FLAGS = ("no_cache", "keep_going")
_VALUES = ("executor", "timeout", "name", "note", "config", "code", "from_run")
_LISTS = (("force", "--force"), ("tags", "--tag"), ("start", "--from"), ("stop", "--to"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The runs that were asked for.

    Attributes:
        texts: ``PATH=VALUE`` each.
        rows: Settings that belong together, of a table.
        samples: How many draws there are.
        repeat: How many runs there are of each setting.
        seed: Seed of the first repeat, and of the draws.
    """

    texts: Sequence[str]
    rows: Sequence[Mapping[str, str]]
    samples: int | None
    repeat: int
    seed: int

    @property
    def count(self) -> int:
        """How many runs there are."""
        return count_settings(self.texts, rows=self.rows, samples=self.samples) * self.repeat

    def __iter__(self) -> Iterator[tuple[dict[str, str], int]]:
        """Yield the settings of each run, and which repeat it is."""
        for values in iter_settings(self.texts, rows=self.rows, samples=self.samples, seed=self.seed):
            for turn in range(self.repeat):
                yield values, turn


def plan_runs(
    session: Session, texts: Sequence[str], table: str | None, *, samples: int | None, repeat: int, seed: int | None
) -> Plan:
    """Return the runs that the options of a command ask for.

    Raises:
        UsageError: A table cannot be read, or settings contradict each other.
    """
    rows: list[dict[str, str]] = []
    if table is not None:
        try:
            rows = load_rows((session.folder / table).read_bytes().decode(), table)
        except OSError as error:
            raise UsageError(f"{table!r} cannot be read: {error.strerror}", "--sweep takes a CSV file") from None
        except UnicodeDecodeError:
            raise UsageError(f"{table!r} is no text in UTF-8", "--sweep takes a CSV file") from None
    plan = Plan(texts=texts, rows=rows, samples=samples, repeat=repeat, seed=seed or 0)
    next(iter(plan), None)  # what is wrong is said before anything runs
    return plan


def sweep(
    session: Session,
    plan: Plan,
    run_once: Callable[[Mapping[str, str], int, Mapping[str, Any]], bool],
    target: str | None,
    given: Mapping[str, Any],
    *,
    is_queued: bool,
    as_json: bool,
) -> int:
    """Make several runs, or put them into the queue; returns the exit code.

    Args:
        session: The command.
        plan: The runs.
        run_once: Makes a run of settings, the number of the repeat, and options.
        target: What is run.
        given: The options of the command.
        is_queued: Whether they wait in the queue instead.
        as_json: Whether output is JSON lines.
    """
    tag = f"sweep-{os.urandom(3).hex()}"
    given = {**given, "tags": (*given["tags"], *([tag] if plan.count > 1 else []))}
    jobs = given["jobs"]
    is_parallel = (
        plan.count > 1 and jobs not in {None, "1"} and session.workspace.repository is not None and not as_json
    )
    if plan.count > 1 or is_queued:
        _check(session, target, plan, given)
    if is_queued or is_parallel:
        runs = [(dict(values), turn) for values, turn in plan]
        secrets = _secrets_of(session, target, runs, given)
        if secrets and is_queued:
            names = ", ".join(map(repr, secrets))
            raise UsageError(
                f"the queue keeps no secrets: {names}",
                "run it without --queue, or let the task read it from the environment",
            )
        seeded = given["seed"] is not None or plan.repeat > 1
        words = [
            words_of(target, values, {**given, "seed": plan.seed + turn if seeded else None}) for values, turn in runs
        ]
        numbers = open_queue(session).add(words, folder=session.folder.absolute(), batch=tag)
        if is_queued:
            if as_json:
                session.out.json("queue.added", batch=tag, entries=numbers)
                return ExitCode.DONE
            shown = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
            session.out.note(f'queued {plural(len(numbers), "run")} as {shown}; "finestflow queue run" works them off')
            return ExitCode.DONE
        at_once = (os.cpu_count() or 1) if jobs == "auto" else int(jobs)
        try:
            code = work_off(session, jobs=at_once, keep_going=given["keep_going"], batch=tag, secrets=secrets)
        except KeyboardInterrupt:
            _say_what_is_left(session, tag)
            raise
        left = 0
    else:
        code, left = _one_by_one(session, plan, run_once, given)
    if plan.count > 1 and not as_json and session.workspace.repository is not None:
        _show_table(session, tag, plan)
    if left:
        session.out.note(
            f"{left} of {plan.count} runs have not been made: run it with --keep-going, or again when it is mended"
        )
    elif is_parallel and code:
        _say_what_is_left(session, tag)
    return code


def _one_by_one(
    session: Session,
    plan: Plan,
    run_once: Callable[[Mapping[str, str], int, Mapping[str, Any]], bool],
    given: Mapping[str, Any],
) -> tuple[int, int]:
    """Make the runs; returns the exit code, and how many were not made because one failed."""
    code = ExitCode.DONE
    for made, (values, turn) in enumerate(plan):
        try:
            is_good = run_once(values, turn, given)
        except KeyboardInterrupt:
            if made:
                session.out.note(
                    f"{made} of {plan.count} runs were made; the same command again finds them in the cache"
                )
            raise
        if not is_good:
            code = ExitCode.FAILED
            if not given["keep_going"]:
                return code, plan.count - made - 1
    return code, 0


def _say_what_is_left(session: Session, tag: str) -> None:
    """Say after an interrupt or a failure which entries of a sweep have not run, and how they do."""
    entries = open_queue(session).entries(batch=tag)
    cancelled = [str(entry.number) for entry in entries if entry.state in {"cancelled", "killed"}]
    if cancelled:
        session.out.note(f'"finestflow queue retry {" ".join(cancelled)}" lets the cancelled ones wait again')
    waiting = sum(entry.state == "waiting" for entry in entries)
    if waiting or cancelled:
        session.out.note(f'{plural(waiting, "run")} waiting; "finestflow queue run" works off what waits')


def _check(session: Session, target: str | None, plan: Plan, given: Mapping[str, Any]) -> None:
    """Say what is wrong with the settings of any of the first runs before one is made.

    Raises:
        ParamError: A path names nothing, or a value is not of its type.
    """
    workspace = session.workspace
    over = workspace.read_config(given["config"]) if given["config"] else None
    first = next(iter(plan))[0]
    pipeline, inputs = workspace.load_pipeline(target, first, over=over)
    for values, turn in itertools.islice(plan, _CHECKED):
        if turn == 0:
            workspace.configure(pipeline.copy(), values.items(), dict(inputs))


def _secrets_of(
    session: Session, target: str | None, runs: Sequence[tuple[dict[str, str], int]], given: Mapping[str, Any]
) -> Mapping[str, str]:
    """Take the secrets out of the settings of runs; what is wrong with the first of them is said before anything waits."""
    workspace = session.workspace
    over = workspace.read_config(given["config"]) if given["config"] else None
    pipeline, _ = workspace.load_pipeline(target, runs[0][0], over=over)
    refuse_open_secrets(pipeline, runs[0][0])
    return take_secrets(pipeline, [values for values, _ in runs], workspace)


def words_of(target: str | None, values: Mapping[str, str], given: Mapping[str, Any]) -> list[str]:
    """Return what stands after ``finestflow run`` for one of the runs.

    Args:
        target: What is run.
        values: Its settings by path.
        given: Its options.
    """
    words = [] if target is None else [target]
    for path, value in values.items():
        words += ["-p", f"{path}={_quoted(value)}"]
    if given["seed"] is not None:
        words += ["--seed", str(given["seed"])]
    words += [word for name in _FLAGS if given[name] for word in (f"--{name.replace('_', '-')}",)]
    words += [word for name in _VALUES if given[name] for word in (f"--{name.replace('_', '-')}", str(given[name]))]
    words += [word for name, flag in _LISTS for value in given[name] for word in (flag, value)]
    return words


def _quoted(value: str) -> str:
    """Return a value as text that means itself alone, not a sweep."""
    import json

    is_plain = value and not set(value) & set(",:'\"[{") and value == value.strip()
    return value if is_plain or value[:1] in {"[", "{"} else json.dumps(value)


def _show_table(session: Session, tag: str, plan: Plan) -> None:
    """Show what came of the runs: mean and deviation of repeats, or all of them side by side."""
    from finestflow.cli.compare import show_runs

    session.workspace.refresh()
    runs = session.workspace.select(f"#{tag}")
    if not runs:
        return
    session.out.note("")
    if len(runs) > 1 and plan.repeat > 1:
        _show_repeats(session, runs)
    elif len(runs) > 1:
        show_runs(session, runs)
    session.out.note(f"finestflow compare '#{tag}'   shows them again")


def _show_repeats(session: Session, runs: Sequence[RunSummary]) -> None:
    groups: dict[tuple[tuple[str, str], ...], list[RunSummary]] = {}
    for run in reversed(runs):
        groups.setdefault(tuple((name, str(value)) for name, value in run.params.items()), []).append(run)
    varied = {pair for group in groups for pair in group if not all(pair in other for other in groups)}
    for group, members in groups.items():
        means = mean_of_repeats([run.metrics for run in members])
        shown = [f"{one_line(name)} {number(m.mean)} ± {number(m.deviation)}" for name, m in means.items()]
        label = " ".join(f"{name}={value}" for name, value in group if (name, value) in varied)
        session.out.line(f"{one_line(label)}{': ' if label else ''}{', '.join(shown)}  (n={len(members)})")
