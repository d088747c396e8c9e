"""What can be done with runs, on whichever screen they are chosen: star, tag, note, delete, copy, diff, compare, reproduce and so on.

Invariant: a change goes through the workspace, or through the command line as a process of its own where it takes long; either way the command
that would have done the same is kept for ``@``. A screen gives the runs; nothing here looks at widgets.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from finestflow.model import Run, RunStatus, RunSummary
from finestflow_tui.screens.frame import Frame
from finestflow_tui.text import file_stem, number, one_line, plural, value_text, word_for_shell

__all__ = ["RunScreenActions"]

_LONGEST_VALUE = 500
"""Characters of a value that can be changed in a line."""


class RunScreenActions(Frame):
    """A screen on which runs can be chosen."""

    command = ""
    """What shows the same on the command line, where it was known when the screen was opened."""

    def current_run(self) -> RunSummary | None:
        """Return the run under the cursor."""
        raise NotImplementedError

    def chosen_runs(self) -> list[RunSummary]:
        """Return the marked runs, else the one under the cursor."""
        marked = self.ff.marked_runs()
        current = self.current_run()
        return marked or ([current] if current is not None else [])

    def _writable(self, what: str) -> list[RunSummary]:
        """Return the runs to change, or say why nothing is changed."""
        runs = self.chosen_runs()
        if self.ff.read_only:
            self.say(f"cannot {what}: this is read-only", "warning")
            return []
        if not runs:
            self.say(f"there is no run to {what}", "warning")
        live = [run for run in runs if run.status is RunStatus.RUNNING]
        if live:
            self.say(f"cannot {what} {live[0].name!r}: it is still going on", "warning")
            return []
        return runs

    # -- annotations -------------------------------------------------------------------------------------------------------------------

    def annotate(
        self, runs: list[RunSummary], said: str, command: str, *, among_removed: bool = False, **change: Any
    ) -> None:
        """Change what is said of runs, and tell how to take it back; ``command`` is its twin, with ``{}`` for the runs."""
        ids = [run.id for run in runs]
        named = " ".join(word_for_shell(run.name, run.id) for run in runs)
        self.ff.log_command(f"finestflow {command.replace('{}', named, 1)}")
        workspace = self.ff.history.workspace

        def done(_: object) -> None:
            names = one_line(runs[0].name) if len(runs) == 1 else plural(len(runs), "run")
            self.ff.say(f"{said} {names} · u takes it back", "good")

        steps = self.ff.steps
        steps.note_annotation()
        self.ff.change_runs(
            lambda: workspace.annotate(ids, among_removed=among_removed, **change), done, failed=steps.forget_annotation
        )

    def action_star(self) -> None:
        """Star, or take the star away."""
        runs = self._writable("star")
        if runs:
            wanted = not runs[0].star
            self.annotate(
                runs, "starred" if wanted else "took the star from", "star {}" if wanted else "star -d {}", star=wanted
            )

    def action_delete(self) -> None:
        """Remove from every list."""
        runs = self._writable("delete")
        starred = [run for run in runs if run.star]
        if starred:
            self.say(f"{starred[0].name!r} is starred: take the star away first (.)", "warning")
        elif runs:
            self.annotate(runs, "deleted", "rm {}", removed=True)

    def action_tags(self) -> None:
        """Ask for tags."""
        runs = self._writable("tag")
        if not runs:
            return

        def apply(text: str | None) -> None:
            words = (text or "").replace("#", "").split()
            add = tuple(word for word in words if not word.startswith("-"))
            remove = tuple(word[1:] for word in words if word.startswith("-"))
            if add or remove:
                twin = f"tag {{}} {shlex.join(add)}" if add else f"tag -d {{}} {shlex.join(remove)}"
                self.annotate(runs, f"tagged {' '.join(words)}:", twin, add_tags=add, remove_tags=remove)

        has = " ".join(f"#{tag}" for tag in runs[0].tags)
        self.ask(f"tags of {_names(runs)}", f"words; -word takes one away{f'; it has {has}' if has else ''}", "", apply)

    def action_note(self) -> None:
        """Ask for a note."""
        runs = self._writable("note")
        if not runs:
            return

        def apply(text: str | None) -> None:
            if text is not None and text != one_line(runs[0].note):
                self.annotate(runs, "noted", f"note {{}} {shlex.quote(text)}", note=text)

        self.ask(f"note on {_names(runs)}", "empty takes it away", runs[0].note, apply)

    def action_unmark(self) -> None:
        """Take all marks away."""
        if self.ff.state.marks:
            self.ff.set_marks({})
            self.say("the marks are gone · u brings them back")
        else:
            self.say("no run is marked: space marks one in the list", "warning")

    # -- looking -----------------------------------------------------------------------------------------------------------------------

    def action_diff(self) -> None:
        """Show what differs between two runs."""
        marked, current = self.ff.marked_runs(), self.current_run()
        if len(marked) == 2:
            self.ff.open_diff(marked[0], marked[1])
        elif len(marked) == 1 and current is not None and marked[0].id != current.id:
            self.ff.open_diff(marked[0], current)
        elif len(marked) > 2:
            self.say(f"d needs two runs, {len(marked)} are marked: c compares them all", "warning")
        elif current is not None:
            before = self.ff.history.reading.before(current)
            if before is None:
                self.say(f"d needs two different runs: {current.name!r} is the first of its pipeline", "warning")
            else:
                self.ff.open_diff(before, current)
                if before.status is not RunStatus.OK and current.status is RunStatus.OK:
                    said = f"{before.name} is {before.status.value}: mark a run with space to compare with that one"
                    self.ff.call_after_refresh(self.ff.say, said, "warning")

    def action_diff_files(self) -> None:
        """Show how the files as they are now differ from those of the run."""
        current = self.current_run()
        if current is not None:
            self.ff.open_diff(current, None)

    def action_compare(self) -> None:
        """Put runs side by side."""
        runs, current = self.ff.marked_runs(), self.current_run()
        if len(runs) < 2 and current is not None and current.id not in {run.id for run in runs}:
            runs = [*runs, current]
        if len(runs) < 2:
            self.say("c needs two runs or more: mark them with space", "warning")
        else:
            self.ff.open_compare(runs)

    def action_logs(self) -> None:
        """Show what the run has printed."""
        run = self.current_run()
        if run is not None:
            self.ff.open_run(run, tab="logs")

    def action_plot(self) -> None:
        """Show how the metrics went."""
        run = self.current_run()
        if run is not None:
            self.ff.open_run(run, tab="metrics")

    def action_why(self) -> None:
        """Show why its tasks ran."""
        run = self.current_run()
        if run is not None:
            self.ff.open_run(run, tab="tasks")

    # -- making ------------------------------------------------------------------------------------------------------------------------

    def action_reproduce(self) -> None:
        """Open the plan of running it again."""
        run = self.current_run()
        if run is None or self._refuse("reproduce"):
            return
        if not run.commit:
            self.say(f"{run.name!r} is still going on", "warning")
            return
        self.ff.open_reproduce(run, self.current_node())

    def current_node(self) -> str:
        """Return the path of the node under the cursor; empty where there is none."""
        return ""

    def action_rerun(self) -> None:
        """Ask for params, and run the pipeline with them."""
        run = self.current_run()
        if run is None or self._refuse("run"):
            return
        if not run.commit:
            self.say(f"{run.name!r} is still going on", "warning")
            return
        self.slow(lambda: self.ff.history.load(run), self._ask_anew, group="rerun")

    def _ask_anew(self, run: Run) -> None:
        """Ask for values of a pipeline, or for the command line of a program."""
        name = one_line(run.summary.pipeline)
        had = {key: value_text(value) for key, value in (*run.summary.params.items(), *run.inputs.items())}

        def start(text: str | None) -> None:
            try:
                words = shlex.split(text or "")
            except ValueError as error:
                self.say(f"nothing was started: {one_line(error).lower()}", "warning")
                return
            if text is None or not (words or run.description):
                return
            if not run.description:
                self.ff.start_process(["run", "--", *words], f"run {name}")
                return
            given = dict(word.partition("=")[::2] for word in words if "=" in word)
            changed = [f"{key}={value}" for key, value in given.items() if had.get(key) != value]
            anew = ["run", "--config", run.summary.id, *(part for each in changed for part in ("-p", each))]
            self.ff.start_process(anew, f"run {' '.join(changed) or 'again'}")

        if run.description:
            shown = " ".join(
                f"{key}={shlex.quote(value)}" for key, value in had.items() if len(value) <= _LONGEST_VALUE
            )
            hint = "change values, what you leave out stays as it was; enter starts it"
        else:
            shown, hint = shlex.join(run.argv), "its command line; enter starts it"
        self.ask(f"run {name} anew, with the files as they are now", hint, shown, start)

    def action_stop(self) -> None:
        """Stop a live run."""
        run = self.current_run()
        if run is None or self._refuse("stop"):
            return
        if run.status is not RunStatus.RUNNING:
            self.say(f"X stops live runs: {run.name!r} is {run.status.value}", "warning")
            return
        self.ff.start_process(["stop", run.id], f"stop {run.name}")

    def action_checkout(self) -> None:
        """Ask for a folder, and make a work tree there."""
        run = self.current_run()
        if run is None or self._refuse("make a work tree"):
            return

        def start(text: str | None) -> None:
            if text:
                self.ff.start_process(["checkout", run.id, text], f"work tree of {run.name} in {text}")

        self.ask(
            f"work tree of {one_line(run.name)}",
            "a new folder; your own files stay as they are",
            f"../{file_stem(run.name)}",
            start,
        )

    def _refuse(self, what: str) -> bool:
        if self.ff.read_only:
            self.say(f"cannot {what}: this is read-only", "warning")
        return self.ff.read_only

    # -- taking out --------------------------------------------------------------------------------------------------------------------

    def action_copy(self, what: str) -> None:
        """Put something of the run into the clipboard."""
        run = self.current_run()
        text = self.twin() if what == "command" else self.text_of(run, what) if run is not None else ""
        if not text:
            self.say("there is nothing to copy", "warning")
            return
        self.app.copy_to_clipboard(text)
        self.say(f"copied {one_line(text.splitlines()[0])[:60]}", "good")

    def twin(self) -> str:
        """Return the command that shows the same as the screen."""
        run = self.current_run()
        return self.command or (f"finestflow show {word_for_shell(run.name, run.id)}" if run is not None else "")

    def text_of(self, run: RunSummary, what: str) -> str:
        """Return something of a run as text to be pasted elsewhere."""
        marked = self.ff.marked_runs()
        before = marked[0] if marked and marked[0].id != run.id else self.ff.history.reading.before(run)
        texts: dict[str, Callable[[], str]] = {
            "id": lambda: run.id,
            "name": lambda: run.name,
            "commit": lambda: run.commit,
            "params": lambda: "".join(f"{_toml_key(name)} = {_toml(value)}\n" for name, value in run.params.items()),
            "metrics": lambda: (
                "| metric | value |\n|---|---|\n"
                + "".join(f"| {name} | {number(value)} |\n" for name, value in run.metrics.items())
            ),
            "diff": lambda: f"git diff {before.commit if before else run.base} {run.commit}",
        }
        return texts[what]()


def _names(runs: list[RunSummary]) -> str:
    return one_line(runs[0].name) if len(runs) == 1 else plural(len(runs), "run")


def _toml_key(name: str) -> str:
    return f'"{name}"' if "." in name or " " in name else name


def _toml(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
