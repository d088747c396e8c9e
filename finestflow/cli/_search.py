"""``finestflow run --trials``: trials of a search, one after another or several at a time, and the best of them at the end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from finestflow.cli._errors import ExitCode
from finestflow.cli._output import STATUS_STYLE, Column, Styled
from finestflow.cli._queue import run_apart, say_ended
from finestflow.cli._secrets import refuse_open_secrets, take_secrets
from finestflow.cli._session import Session
from finestflow.cli._sweep import words_of
from finestflow.cli._text import number, one_line, plural
from finestflow.ending import polite_end
from finestflow.errors import UsageError
from finestflow.handed import Handed
from finestflow.sweep import axes_of

if TYPE_CHECKING:
    from finestflow.search import Plan, Search, Trial

__all__ = ["search"]

RunOnce = Callable[[Mapping[str, str], int, Mapping[str, Any]], bool]
_SHOWN = 10
_KEPT = ("no_cache", "keep_going", "executor", "timeout", "name", "note", "config", "code", "from_run")
_KEPT_LISTS = ("force", "tags", "start", "stop")


def search(
    session: Session,
    run_once: RunOnce,
    target: str | None,
    texts: Sequence[str],
    given: Mapping[str, Any],
    wanted: Mapping[str, Any],
    *,
    as_json: bool,
) -> int:
    """Make the trials of a search; returns the exit code.

    Args:
        session: The command.
        run_once: Makes a run of settings, the number of the repeat, and options.
        target: What is run.
        texts: ``PATH=VALUE`` each.
        given: The options of the command for runs.
        wanted: Its options for the search: ``trials``, ``metric``, ``goal``, ``sampler``, ``resume``.
        as_json: Whether output is JSON lines.
    """
    session.workspace.require_repository()
    found = (
        _resume(session, target, texts, wanted) if wanted["resume"] else _begin(session, target, texts, given, wanted)
    )
    ended = len(found.trials())
    left = max(0, (wanted["trials"] or 0) - ended)
    jobs = given["jobs"]
    at_once = (os.cpu_count() or 1) if jobs == "auto" else int(jobs or 1)
    if not as_json:
        session.out.note(
            f"{found.tag}: {plural(left, 'trial')} to go, {ended} there; {found.plan.goal} of {one_line(found.plan.metric)}"
        )
    trials = _Trials(session, found, run_once, is_apart=at_once > 1 and not as_json, as_json=as_json)
    try:
        with polite_end():
            trials.make(left, min(at_once, left))
    except KeyboardInterrupt:
        session.out.note(f'"finestflow run --resume {found.tag} --trials {wanted["trials"]}" goes on')
        raise
    _show(session, found, as_json=as_json)
    return ExitCode.FAILED if trials.has_failed else ExitCode.DONE


def _begin(
    session: Session, target: str | None, texts: Sequence[str], given: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Search:
    from finestflow.search import Plan, Search

    metric = wanted["metric"]
    if not wanted["trials"]:
        raise UsageError("nothing says how many runs the search has", "add --trials N")
    if not metric:
        raise UsageError("nothing says which metric the search is for", "add --metric NAME")
    goal = wanted["goal"] or session.workspace.goals.of(metric)
    if goal is None:
        raise UsageError(
            f"{metric!r} does not say whether more or less of it is better",
            "add --goal max or --goal min, or name it under [metrics] in .finestflow.toml",
        )
    workspace = session.workspace
    first = {path: axis[0] if isinstance(axis, list) else f"{axis.low:g}" for path, axis in axes_of(texts).items()}
    over = workspace.read_config(given["config"]) if given["config"] else None
    pipeline, inputs = workspace.load_pipeline(target, first, over=over)
    refuse_open_secrets(pipeline, first)
    axes = axes_of(texts).items()
    values = [{path: value} for path, axis in axes if isinstance(axis, list) for value in axis]
    if secrets := [path for each in values for path in take_secrets(pipeline, [each], workspace)]:
        raise UsageError(
            f"a search keeps no secrets: {', '.join(map(repr, secrets))}", "let the task read it from the environment"
        )
    for path, axis in axes:  # what is wrong is said before anything is kept
        for value in axis if isinstance(axis, list) else (first[path],):
            workspace.configure(pipeline.copy(), [(path, value)], dict(inputs))
    plan = Plan(
        target=target,
        texts=tuple(texts),
        metric=metric,
        goal=goal,
        sampler=wanted["sampler"] or "tpe",
        seed=given["seed"] or 0,
        options={name: given[name] for name in _KEPT} | {name: list(given[name]) for name in _KEPT_LISTS},
    )
    return Search(workspace.state_dir / "searches", f"search-{os.urandom(3).hex()}", plan)


def _resume(session: Session, target: str | None, texts: Sequence[str], wanted: Mapping[str, Any]) -> Search:
    from finestflow.search import Search

    if target is not None or texts or any(wanted[name] for name in ("metric", "goal", "sampler")):
        raise UsageError("--resume goes on with a search as it was begun", "with it go --trials and -j only")
    return Search(session.workspace.state_dir / "searches", wanted["resume"])


class _Trials:
    """Makes the trials that are left.

    Args:
        session: The command.
        search: Proposes settings, and is told what came of them.
        run_once: Makes a run in this process.
        is_apart: Whether each trial has a process of its own.
        as_json: Whether output is JSON lines.
    """

    def __init__(self, session: Session, search: Search, run_once: RunOnce, *, is_apart: bool, as_json: bool) -> None:
        self._session = session
        self._search = search
        self._run_once = run_once
        self._is_apart = is_apart
        self._as_json = as_json
        self._guard = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self.has_failed = False
        self._is_over = False

    def make(self, count: int, at_once: int) -> None:
        """Make so many trials; a failed one is the last unless all are to be made."""
        self._left = count
        if not self._is_apart:
            self._work()
            return
        with ThreadPoolExecutor(at_once) as pool:
            try:
                for done in [pool.submit(self._work) for _ in range(at_once)]:
                    done.result()
            except BaseException:
                self._is_over = True
                for child in list(self._children):  # each ends its run properly, and records it
                    child.send_signal(signal.SIGINT)
                raise

    def _work(self) -> None:
        while True:
            with self._guard:
                if self._is_over or self._left == 0:
                    return
                self._left -= 1
                trial = self._search.ask()
            try:
                ended = self._run(trial)
            except BaseException:
                self._is_over = True
                with self._guard:
                    self._search.tell(replace(trial, state="lost"))
                raise
            with self._guard:
                self._search.tell(ended)
                if ended.state in {"failed", "lost"}:
                    self.has_failed = True
                    if not self._search.plan.options["keep_going"]:
                        self._is_over = True

    def _run(self, trial: Trial) -> Trial:
        """Make the run of a trial; return what came of it."""
        plan = self._search.plan
        given = {**plan.options, "tags": (*plan.options["tags"], self._search.tag), "seed": plan.seed}
        if self._is_apart:
            words = words_of(plan.target, trial.settings, given)
            session = self._session
            environ = {**session.workspace.environ, **Handed().environment()}
            child = run_apart(session.folder.absolute(), words, self._children, environ)
            say_ended(session, child, f"trial {trial.number}")
            if child.ended is None:
                return replace(trial, state="lost")
            told = child.ended
            return self._judge(trial, told["id"], told["status"], told["error"] or "", told["metrics"])
        self._run_once(trial.settings, 0, {**given, "jobs": None, "target": plan.target})
        made = self._session.last_run
        assert made is not None
        return self._judge(trial, made.id, made.status.value, made.error, made.metrics)

    def _judge(self, trial: Trial, run: str, status: str, error: str, metrics: Mapping[str, float]) -> Trial:
        from finestflow.search import choose_metric

        if status in {"cancelled", "killed"}:
            return replace(trial, state="lost", run=run)
        if status != "ok":
            is_pruned = error.startswith("TrialPruned")
            return replace(trial, state="pruned" if is_pruned else "failed", run=run)
        value = float(choose_metric(metrics, self._search.plan.metric))
        is_number = value == value  # noqa: PLR0124 - NaN is what differs from itself
        return replace(trial, state="ok" if is_number else "failed", value=value if is_number else None, run=run)


# -- what came of it -------------------------------------------------------------------------------------------------------------------


def _show(session: Session, search: Search, *, as_json: bool) -> None:
    out, trials = session.out, search.trials()
    best = trials[0] if trials and trials[0].value is not None else None
    if as_json:
        out.json(
            "search.end",
            search=search.tag,
            metric=search.plan.metric,
            goal=search.plan.goal,
            best=None if best is None else _document(best),
            trials=[_document(trial) for trial in sorted(trials, key=lambda trial: trial.number)],
        )
        return
    paths = list(dict.fromkeys(path for trial in trials for path in trial.settings))
    rows = [
        [
            str(trial.number),
            Styled(trial.state, STATUS_STYLE.get(trial.state, "dim")),
            "" if trial.value is None else number(trial.value),
            *(one_line(trial.settings.get(path, "")) for path in paths),
            trial.run,
        ]
        for trial in trials[:_SHOWN]
    ]
    columns = [Column("trial", right=True), Column("state"), Column(one_line(search.plan.metric), right=True)]
    out.table([*columns, *(Column(one_line(path)) for path in paths), Column("run")], rows)
    if best is not None:
        out.note(f"the best again: {_command(search.plan, best)}")
    out.note(f"finestflow compare '#{search.tag}'   shows the runs; --resume {search.tag} --trials N goes on")


def _command(plan: Plan, best: Trial) -> str:
    words = ["finestflow", "run", *([] if plan.target is None else [plan.target])]
    return one_line(
        shlex.join([*words, *(word for path, value in best.settings.items() for word in ("-p", f"{path}={value}"))])
    )


def _document(trial: Trial) -> dict[str, object]:
    return {
        "trial": trial.number,
        "state": trial.state,
        "value": trial.value,
        "settings": dict(trial.settings),
        "run": trial.run or None,
    }
