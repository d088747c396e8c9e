"""Recorded runs made again: reproduced, in the present environment or in the recorded one, and their code with other params.

Invariant: each action is thin, over the module that owns the capability. Called by ``finestflow.cli``, the terminal UI and the public names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finestflow.errors import NotFoundError, UsageError
from finestflow.workspace.keeping import Keeping

if TYPE_CHECKING:
    from finestflow.model import Run
    from finestflow.options import RunOptions
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.provision import Provision
    from finestflow.reproduce import Preflight, Verdict
    from finestflow.rerun import Prepare

__all__ = ["Repeating"]


class Repeating(Keeping):
    """A workspace in which runs are made again."""

    def inspect(self, run: Run) -> Preflight:
        """Find out what is not as it was when a run was made: to be told before it is run again."""
        from finestflow.reproduce import inspect_run

        present = self.read_environment()
        recorded = self.recorded_files(run)

        def is_unrecorded(name: str) -> bool:
            place = self.root / name
            if not place.is_dir():
                return name not in recorded
            return any(
                path.relative_to(self.root).as_posix() not in recorded for path in place.rglob("*") if path.is_file()
            )

        return inspect_run(
            run, present, self.root, self.store.has, is_unrecorded, lambda path: self.store.digest(path).digest
        )

    def recorded_files(self, run: Run) -> set[str]:
        """Return the paths in a run's snapshot."""
        from finestflow.git.objects import Objects

        if run.snapshot is None:
            return set()
        with Objects(self.require_repository()) as objects:
            return {path for path, _, _ in objects.iter_files(run.snapshot.tree)}

    def reproduce(
        self,
        run: Run,
        preflight: Preflight,
        *,
        into: Path | None = None,
        given: Mapping[str, str] | None = None,
        tolerance: float | None = None,
        prepare: Prepare | None = None,
    ) -> Verdict:
        """Run a recorded run again from its snapshot, in a process and worktree of its own, and compare every output.

        Args:
            run: The run.
            preflight: What ``inspect`` found.
            into: Folder for the worktree, kept afterwards; a temporary one when not given.
            given: Params and inputs by path that are not in the record, such as secrets.
            tolerance: Largest difference of numbers that still counts as equal.
            prepare: Gives the interpreter, as ``provide`` returns it; the running one when not given.
        """
        from finestflow.reproduce import compare_nodes
        from finestflow.rerun import reproduce_in_child

        new = reproduce_in_child(
            run, self.require_repository(), preflight, self.root, into=into, given=given, prepare=prepare
        )
        self.refresh()
        try:
            again = self.load_run(new)
        except NotFoundError:
            raise UsageError(
                f"run {run.summary.name!r} was not made again",
                "its program ended before it, as its messages above tell",
            ) from None
        return compare_nodes(run, again, store=self.store, tolerance=tolerance)

    def plan_provision(self, run: Run, without: Collection[str] = ()) -> Provision:
        """Return what the recorded environment of a run is built of, with what cannot be had told in its notes.

        Args:
            run: The run.
            without: Names of packages that are left out.
        """
        from finestflow import __version__
        from finestflow.provision import plan_provision

        return plan_provision(run.environment, __version__, without)

    def provide(self, plan: Provision, say: Callable[[str], None]) -> Prepare:
        """Build a recorded environment, or take the one that was built before; returns what ``reproduce`` runs in.

        Args:
            plan: What ``plan_provision`` returned.
            say: Is told what happens, a line each.
        """
        from functools import partial

        from finestflow.provision import Provisioner

        provisioner = Provisioner(self.environments_dir, self.environ, say)
        return partial(provisioner.layer, plan, provisioner.build(plan))

    def read_environment(self) -> dict[str, Any]:
        """Return what a run is made with here: interpreter, platform, GPU, packages, chosen variables."""
        from finestflow.environment import read_environment

        return read_environment(
            self.environ, self.config.run.record_env, self.state_dir / "environment.json", self.root
        )

    def run_code_of(self, name: str, pipeline: Pipeline, inputs: Mapping[str, Any], options: RunOptions) -> Run:
        """Run a pipeline with the code that a recorded run had, in a worktree and process of its own.

        Args:
            name: The run whose code is taken.
            pipeline: The pipeline with its params; its tasks are those of that code.
            inputs: Inputs by name.
            options: How to run.
        """
        from finestflow.cache.fingerprint import task_identity
        from finestflow.pipeline.describe import dump_task, dump_value, given_secrets
        from finestflow.rerun import run_code_in_child
        from finestflow.target import place_of

        def put(value: Any) -> str:
            encoded = self.store.encode(value)
            self.store.add_value(encoded)
            return encoded.digest

        run = self.load_run(name)
        request = {
            "description": dump_task(pipeline, lambda thing: place_of(thing, self.root), put),
            "inputs": {name: dump_value(value, put, task_identity) for name, value in inputs.items()},
            "given": given_secrets(pipeline),
            "options": {
                "name": options.name,
                "note": options.note,
                "tags": list(options.tags),
                "seed": options.seed,
                "cache": options.cache,
                "force": list(options.forced),
                "keep_going": options.keep_going,
                "jobs": options.jobs,
                "executor": options.executor,
            },
            "argv": list(sys.argv),
        }
        self.store.flush()
        new = run_code_in_child(run, self.require_repository(), self.inspect(run), self.root, request)
        self.refresh()
        return self.load_run(new)
