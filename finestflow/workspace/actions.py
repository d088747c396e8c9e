"""The workspace, whole: what runs and what runs again, over its parts below.

Invariant: each action is thin, over the module that owns the capability. Executors and their pool live as long as the workspace.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from finestflow.ending import polite_end
from finestflow.workspace.repeating import Repeating

if TYPE_CHECKING:
    from finestflow.compare import RunDiff
    from finestflow.console import Console
    from finestflow.executor.perform import Performer
    from finestflow.executor.process.pool import Pool
    from finestflow.executor.protocol import Executor
    from finestflow.model import Run, RunId
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.runner import Finished, Runner, RunOptions, RunRequest
    from finestflow.script import FinishedScript
    from finestflow.session.partial import Partial
    from finestflow.tracking import RepositoryTracking

__all__ = ["Workspace"]

Listener = Callable[[Mapping[str, Any]], None]


class Workspace(Repeating):
    """The surroundings of a process: where it works, the runs that are there, and how more are made."""

    def diff_present(self, run: Run) -> RunDiff:
        """Return how the files and the environment are now differ from those of a run; nothing has run, so all else is taken to be equal."""
        from dataclasses import replace

        from finestflow.compare import diff_runs
        from finestflow.git.snapshot import take_snapshot

        repository = self.require_repository()
        index = repository.state_dir / f"present-{os.urandom(4).hex()}.index"
        snapshot = take_snapshot(repository, self.tracking.snapshot_rules(), index=index)
        summary = replace(run.summary, name="the files as they are now", commit="", started=self.clock.time())
        present = replace(run, summary=summary, snapshot=snapshot, environment=self.read_environment())
        return diff_runs(run, present, repository)

    # -- running -----------------------------------------------------------------------------------------------------------------------

    def load_pipeline(
        self, target: str | None, settings: Mapping[str, Any] | None = None, *, over: Mapping[str, Any] | None = None
    ) -> tuple[Pipeline, dict[str, Any]]:
        """Return the pipeline that a target names, and its inputs from the settings.

        Args:
            target: A pipeline of ``.finestflow.toml``, a TOML file, ``file.py:Class`` or ``module:Class``; None takes ``default-pipeline``.
            settings: Values by path that will be set, for params that the pipeline cannot be made without.
            over: A configuration that is set over it, as ``read_config`` returns; the pipeline itself when no target is named.
        """
        from finestflow.configured import choose

        folders = (self.folder, self.root)
        return choose(target, self.config, folders, settings=settings, get=self._load_value, over=over)

    def read_config(self, name: str) -> Mapping[str, Any]:
        """Return the pipeline that a recorded run was of, or a TOML file tells of, as configuration."""
        from finestflow.configured import config_of_run, is_config_file, read_table

        return (
            read_table(name, [self.folder, self.root])[1]
            if is_config_file(name)
            else config_of_run(self.load_run(name))
        )

    def _load_value(self, digest: str) -> Any:
        return self.store.load(digest)

    def configure(
        self, pipeline: Pipeline, settings: Iterable[tuple[str, Any]], inputs: dict[str, Any]
    ) -> dict[str, Any]:
        """Set params and inputs by path; returns the inputs.

        Args:
            pipeline: Changed in place.
            settings: (path, value): a text is converted to the declared type.
            inputs: Inputs so far.

        Raises:
            ParamError: A path names nothing, or both a param and an input.
        """
        from finestflow.pipeline.settings import apply_settings

        return apply_settings(pipeline, settings, inputs)

    @cached_property
    def runner(self) -> Runner:
        """Makes runs here."""
        from finestflow.dotenv import hidden_here
        from finestflow.runner import Runner

        return Runner(
            store=self.store,
            open_store=self.open_store,
            open_executor=self.open_executor,
            fingerprinter=self.fingerprinter,
            clock=self.clock,
            environment=self.read_environment,
            root=self.root,
            warn=self.warn,
            sample=self.sample,
            hidden=lambda: hidden_here(self.environ, self.root, vars(sys.modules["__main__"])),
        )

    def open_executor(self, name: str, jobs: int) -> Executor:
        """Return the executor of that name for one run."""
        from finestflow.executor.perform import Performer
        from finestflow.executor.sequential import SequentialExecutor

        if name == "sequential":
            return SequentialExecutor(self._performer)
        from finestflow.executor.process.executor import ProcessExecutor
        from finestflow.session.lookup import code_of

        return ProcessExecutor(
            self._open_pool(jobs), Performer(self.clock, str(self.root)), self.clock, code_of=code_of
        )

    @cached_property
    def _performer(self) -> Performer:
        """Performs calls in this very thread; what it has initialised stays for the next run."""
        from finestflow.executor.perform import Performer

        return Performer(self.clock, str(self.root))

    def _open_pool(self, jobs: int) -> Pool:
        """Return the workers, kept between the runs of a process."""
        from finestflow import STARTED
        from finestflow.executor.process.messages import Equipment
        from finestflow.executor.process.pool import Pool

        if self._pool is not None and self._pool.jobs != jobs:
            self._close_pool()
        if self._pool is None:
            equipment = Equipment(
                root=self.root,
                objects=self.objects_dir,
                definitions=self.state_dir / "definitions",
                scratch=self.scratch,
                started=STARTED,
                salt=self.fingerprinter.salt,
                verify_always=self.config.store.verify == "always",
                inline=self._inline,
            )
            self._pool = Pool(equipment, jobs=jobs, start_method=self.config.run.start_method)
        return self._pool

    def prepare(self, target: str | None, options: RunOptions, words: Sequence[str]) -> None:
        """Get workers ready while a pipeline is imported, where it will be run with more than one job and not all of it is a hit.

        Args:
            target: The pipeline.
            options: How it will be run.
            words: The command line, which tells one run from another.
        """
        settled = self.settle(options)
        if settled.executor != "process" or settled.jobs == 1:
            return
        from finestflow.configured import locate
        from finestflow.executor.process.preload import Imports, find_imports
        from finestflow.workspace.foresight import Foresight

        place = locate(target, self.config, [self.folder, self.root])
        imports = find_imports(place, [str(self.root), *sys.path], self.root) if place is not None else Imports()
        self._foresight = Foresight(self.state_dir / "foresight", words, imports.files)
        if not self._foresight.is_known or not options.cache or options.forced:
            self._open_pool(int(settled.jobs or 1)).prepare(imports)

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def settle(self, options: RunOptions) -> RunOptions:
        """Return options with what they leave open taken from the settings, and with the executor that they amount to."""
        from dataclasses import replace

        from finestflow.executor.threads import count_cores, share_threads
        from finestflow.options import choose_executor

        config = self.config.run
        jobs = options.jobs
        if jobs is None and "run.jobs" in self.config.sources:
            jobs = config.jobs or "auto"
        name = config.executor if options.executor == "auto" else options.executor
        executor, count = choose_executor(name, jobs, count_cores())
        timeout = config.timeout if options.timeout is None else options.timeout
        threads = share_threads(count) if executor == "process" else None
        return replace(options, executor=executor, jobs=count, timeout=timeout, threads=threads)

    def console(self, options: RunOptions) -> Console | None:
        """Return what shows a run that a program makes: on a terminal its tasks, and the text of workers in any case."""
        from finestflow.console import Console

        is_elsewhere = options.executor != "sequential"
        shows = self.config.run.display == "auto" and sys.stderr is not None and sys.stderr.isatty()
        if not shows and not is_elsewhere:
            return None
        return Console(sys.stdout if is_elsewhere else None, sys.stderr if shows else None)

    def sample(self, emit: Callable[[dict[str, Any]], None]) -> AbstractContextManager[object]:
        """Return what tells, while it is open, what this process and all that it starts use of the machine."""
        if not self.config.run.resources:
            return nullcontext()
        from finestflow.resources import Sampler

        return Sampler(emit, path=self.environ.get("PATH", ""))

    def run(
        self,
        pipeline: Pipeline,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: RunOptions | None = None,
        argv: Sequence[str] = (),
        listener: Listener | None = None,
        reproduces: RunId | None = None,
        judge: Callable[[Run], dict[str, Any]] | None = None,
    ) -> Finished:
        """Make a run and record it; the error of a failed one is in the result.

        Args:
            pipeline: The pipeline.
            args: Positional inputs.
            kwargs: Inputs by name.
            options: How to run.
            argv: The command line that led to it.
            listener: Is told each event as it happens.
            reproduces: The run that this one runs again.
            judge: Asked at the end how the run compares; its answer is recorded.
        """
        from finestflow.handed import read_handed
        from finestflow.runner import RunOptions

        read_handed(self.environ).mark_runs()
        request = self._request(pipeline, args, kwargs or {}, options or RunOptions(), argv)
        request.reproduces, request.judge = reproduces, judge
        with polite_end():
            finished = self.runner.run(request, self.tracking, listener)
        if self._foresight is not None and finished.error is None:
            self._foresight.remember()
        return finished

    def plan(self, pipeline: Pipeline, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Finished:
        """Find out what would be a hit, what would run, and why; nothing runs."""
        from finestflow.runner import RunOptions

        return self.runner.plan(self._request(pipeline, args, kwargs or {}, RunOptions(echo=False), ()))

    def run_script(
        self,
        words: Sequence[str],
        *,
        node: str = "",
        name: str = "",
        note: str = "",
        tags: Sequence[str] = (),
        save: Sequence[str] = (),
        streams: Sequence[BinaryIO] = (),
        listener: Listener | None = None,
    ) -> FinishedScript:
        """Run a program that does not know finestflow, and record it.

        Args:
            words: Its command line; ``python`` as the first word is this interpreter.
            node: What is run, as a pipeline's name; the name of the program when left out.
            name: A name instead of the made-up one.
            note: What to remember of it.
            tags: Words to find it by.
            save: Patterns of files that are kept as artifacts when it has ended.
            streams: Where its stdout and stderr are shown.
            listener: Is told each event as it happens.
        """
        from finestflow.given import describe_command
        from finestflow.handed import read_handed
        from finestflow.journal.names import new_run_id, new_run_name
        from finestflow.model import RunId
        from finestflow.script import ScriptRequest, ScriptRunner

        handed = read_handed(self.environ)
        handed.mark_runs()
        command, title = describe_command(words, self.root, self.folder)
        runner = ScriptRunner(
            root=self.root,
            environ=self.environ,
            clock=self.clock,
            environment=self.read_environment,
            store=lambda: self.store,
            warn=self.warn,
            sample=self.sample,
        )
        request = ScriptRequest(
            command=command,
            node=node or title,
            run_id=RunId(handed.run_id) if handed.run_id else new_run_id(os.urandom(6)),
            name=name or new_run_name(os.urandom(4)),
            note=note,
            tags=tuple(tags),
            folder=os.path.relpath(self.folder, self.root),
            save=tuple(save),
            reproduces=RunId(handed.reproduces) if handed.reproduces else None,
            judge=self.judge_of(handed.reproduces) if handed.reproduces else None,
            streams=streams,
        )
        with polite_end():
            return runner.run(request, self.tracking, listener)

    def judge_of(self, run: str) -> Callable[[Run], dict[str, Any]]:
        """Return what is asked at the end of a run that runs another one again."""
        from finestflow.reproduce import judge

        return judge(self.load_run(run))

    def _request(
        self,
        pipeline: Pipeline,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: RunOptions,
        argv: Sequence[str],
    ) -> RunRequest:
        from finestflow.journal.names import new_run_id, new_run_name
        from finestflow.pipeline.calls import check_calls
        from finestflow.runner import RunRequest

        check_calls(pipeline)
        partial = self._bounds_of(options)
        if partial is not None:
            partial.refuse_unknown(pipeline, args, kwargs)
        return RunRequest(
            pipeline=pipeline,
            args=args,
            kwargs=dict(kwargs),
            options=self.settle(options),
            run_id=new_run_id(os.urandom(6)),
            name=new_run_name(os.urandom(4)),
            argv=tuple(argv),
            folder=os.path.relpath(self.folder, self.root),
            partial=partial,
        )

    def _bounds_of(self, options: RunOptions) -> Partial | None:
        """Return where a run starts and stops; None for a whole one."""
        if not (options.start or options.stop):
            return None
        from finestflow.session.partial import Partial, outputs_of

        run = self.load_run(options.from_run) if options.from_run else None
        if run is None:
            return Partial(tuple(options.start), tuple(options.stop))
        return Partial(tuple(options.start), tuple(options.stop), run.summary.id, outputs_of(run))

    @cached_property
    def tracking(self) -> RepositoryTracking:
        """What a run is recorded through."""
        from finestflow.tracking import RepositoryTracking

        return RepositoryTracking(
            repository=self.repository,
            config=self.config,
            journal=lambda: self.journal,
            take_in=lambda run: self.index.refresh(self.require_repository(), ended=run),
            clock=self.clock,
            warn=self.warn,
        )

    def close(self) -> None:
        """Write what is pending, close files, end the workers, and remove private copies of artifacts."""
        self._close_pool()
        if "store" in self.__dict__:
            self.store.close()
        for store in self._stores.values():
            store.close()
        if "index" in self.__dict__:
            self.index.close()
        if "scratch" in self.__dict__:
            self._drop_scratch()
