"""Two runs, or a run and the files as they are now: code side by side, params, metrics, environment, outputs, graph, logs, and why tasks ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.compare import RunDiff
from finestflow.model import RunSummary
from finestflow_tui.actions import RunScreenActions
from finestflow_tui.bindings import bindings
from finestflow_tui.keys import Choice
from finestflow_tui.screens.diff_outputs import OutputDiffs
from finestflow_tui.text import Row, Span, file_stem, row
from finestflow_tui.views import diff as view
from finestflow_tui.views.diff_values import metric_rows, value_rows
from finestflow_tui.views.plot import series_of
from finestflow_tui.views.tasks import Shape
from finestflow_tui.widgets.dagview import DagView
from finestflow_tui.widgets.line import Lines, spread
from finestflow_tui.widgets.rows import RowsView
from finestflow_tui.widgets.tabs import TabBar

if TYPE_CHECKING:
    from finestflow_tui.widgets.plot import Plot

__all__ = ["TABS", "DiffScreen"]

_WITH_WHY, _WITH_WHY_AND_PLOT = 120, 170
"""Columns from which there is room for why tasks ran beside what differs."""
_LATE = 0.15
"""Seconds after which lines are counted: the first file comes before."""
TABS = ("code", "params", "metrics", "env", "outputs", "graph", "logs")


class DiffScreen(RunScreenActions):
    """What differs between two runs, or a run and the files as they are now; ``begin`` says which. It may be made before any are asked for."""

    NAME = "diff"
    BINDINGS = bindings("diff")
    before: RunSummary
    after: RunSummary
    is_with_files: bool

    def __init__(self) -> None:
        super().__init__()
        self.head = Lines(self._head_rows, over="bar", id="head")
        self.tabs = TabBar(self._tab_texts, lambda: TABS.index(self.tab), id="tabs")
        self.list = RowsView(id="list", classes="side")
        self.pane = RowsView(id="pane", classes="main")
        self.graph = DagView(id="graph", classes="main hidden")
        self.plot: Plot | None = None
        self.outputs = OutputDiffs(self)
        self._forget()

    def _forget(self) -> None:
        """Begin with nothing known, and nothing chosen of how to look at it."""
        self.diff: RunDiff | None = None
        self.told: RunDiff | None = None
        """What is shown of it: large families of items are one row each, unless all are asked for."""
        self.tab = "code"
        self._shown = ""
        """The tab that was shown last: on the same one the cursor stays."""
        self._split: bool | None = None
        self._turned = False
        self._hunks: dict[str, list[view.Hunk]] = {}
        self._counts: dict[str, tuple[int, int]] | None = None
        self._pattern = ""
        self._around = 3
        self._ignores_space = False
        self._has_words = True
        self._printed: dict[str, str] | None = None
        self.outputs.forget()

    def begin(self, before: RunSummary, after: RunSummary | None) -> None:
        """Compare runs as if the screen were new.

        Args:
            before: The run to compare with.
            after: The run that is asked about; None for the files as they are now.
        """
        self.before, self.after, self.is_with_files = before, after or before, after is None
        self._forget()
        if self.is_mounted:
            self._compare()

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield self.tabs
        with Horizontal(classes="body"):
            yield self.list
            yield self.pane
            yield self.graph
        yield self.foot

    def on_mount(self) -> None:
        """Compare, if runs were named."""
        if self in self.app.screen_stack:
            self._compare()
        else:
            self.lay_out()

    def _compare(self) -> None:
        """Read what differs."""
        history, before, after = self.ff.history, self.before, self.after
        self.graph.add_class("hidden")
        if self.plot is not None:
            self.plot.add_class("hidden")
        self.list.remove_class("hidden")
        self.pane.remove_class("hidden")
        self.head.update()
        self.tabs.update()
        self.list.show([])
        self.pane.pattern = ""
        self.pane.show([row(("comparing ...", "dim"))])
        self.slow(
            lambda: history.diff_present(before) if self.is_with_files else history.diff(before, after),
            self._loaded,
            group="load",
            failed=self.pane.tell,
        )

    def _loaded(self, diff: RunDiff) -> None:
        if diff.before.summary.id != self.before.id or (
            not self.is_with_files and diff.after.summary.id != self.after.id
        ):
            return  # of what was compared before
        self.diff, self.told = diff, diff.folded()
        self.after = diff.after.summary if self.is_with_files else self.after
        self.head.update()
        if not self.is_with_files:
            counts = view.counts_of(diff)
            self.tab = next((tab for tab in ("code", "params", "metrics", "outputs") if counts[tab]), "code")
        self.show_tab()

    def current_run(self) -> RunSummary | None:
        """Return the later run."""
        return self.before if self.is_with_files else self.after

    def chosen_runs(self) -> list[RunSummary]:
        """Return the later run."""
        return [self.before if self.is_with_files else self.after]

    # -- lines -------------------------------------------------------------------------------------------------------------------------

    def _head_rows(self, columns: int) -> Sequence[Row]:
        spans = view.head_spans(self.before, self.after, self.ff.state.marks, self.ff.workspace.goals)
        place = [(f"{self._place} ", "dim")] if self.tab == "code" and self._place else []
        return [row(*spread(spans, place, columns))]

    @property
    def _place(self) -> str:
        """Which hunk of the file is at the top."""
        heads = self._heads()
        at = sum(head <= self.pane.scroll_offset.y for head in heads)
        return f"hunk {max(1, at)} of {len(heads)}" if heads else ""

    def _heads(self) -> list[int]:
        shown = self.pane.rows if self.tab in {"code", "logs"} else ()
        return [at for at, line in enumerate(shown) if line.key is not None]

    def _tab_texts(self, _columns: int) -> list[Span]:
        counts = {} if self.diff is None else view.counts_of(self.diff)
        texts = [(name.capitalize(), counts.get(name)) for name in TABS]
        return [(f"{text} {count}" if count else text, "dim" if count == 0 else "") for text, count in texts]

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        """Open the tab that was clicked."""
        self.action_tab(event.at)

    # -- tabs --------------------------------------------------------------------------------------------------------------------------

    def action_tab(self, at: int) -> None:
        """Open a tab by its number."""
        self.hush()  # what was said is of the tab before
        if at <= len(TABS):
            self.tab = TABS[at - 1]
            self.show_tab()
        else:
            self.say(f"there are {len(TABS)} tabs", "warning")

    def show_tab(self) -> None:
        """Show the tab that is open."""
        diff, shown = self.diff, self.told
        if diff is None or shown is None:
            return
        self.tabs.update()
        self.head.update()
        is_code = self.tab == "code"
        is_graph = self.tab == "graph" and not self.is_with_files
        has_list = is_code or (self.tab == "logs" and not self.is_with_files)
        has_plot = self.tab == "metrics" and any(
            len(metric.values) > 1 for run in (diff.before, diff.after) for metric in run.metrics.values()
        )
        least = _WITH_WHY_AND_PLOT if has_plot else _WITH_WHY
        tells_why = not has_list and not self.is_with_files and self.size.width >= least
        self.list.set_class(not (has_list or tells_why), "hidden")
        if tells_why:
            self.list.show(view.why_rows(diff)[1:])
        self.pane.set_class(is_graph, "hidden")
        self.graph.set_class(not is_graph, "hidden")
        self.pane.has_cursor = not has_list
        if is_code:
            self._list_files(diff)
            if self._shown:
                self._show_file()
            else:  # the list first: the file comes when it has been seen
                self.call_after_refresh(lambda: self._show_file() if diff is self.diff and self.tab == "code" else None)
        elif self.is_with_files and self.tab != "env":
            told = row(("nothing has run with these files: only their code and the environment are known", "dim"))
            self.pane.show([told, row(""), row(("R", "key"), " on the run makes a run with them")])
        elif is_graph:
            self._show_graph(diff)
        elif self.tab == "logs":
            self._show_logs(diff)
        else:
            rows: dict[str, Callable[[], list[Row]]] = {
                "params": lambda: value_rows([("params", diff.params), ("inputs", diff.inputs)]),
                "metrics": lambda: metric_rows(shown.metrics, self.ff.workspace.goals),
                "env": lambda: value_rows([("environment", diff.environment)]),
                "outputs": self.outputs.rows,
            }
            self.pane.show(rows[self.tab](), keep=self.tab == self._shown)
            if self.tab == "outputs":
                self.outputs.look_closer()
        self._shown = self.tab
        self._show_plot(diff)
        (self.graph if is_graph else self.list if has_list else self.pane).focus()

    def _list_files(self, diff: RunDiff) -> None:
        """List the files that differ, and why tasks ran again; how many lines came and went when that is known."""

        def show(counts: dict[str, tuple[int, int]]) -> None:
            if diff is self.diff:
                self._counts = counts
            if diff is self.diff and self.tab == "code":
                self._list_files(diff)

        whys = [] if self.is_with_files else view.why_rows(diff)
        self.list.show([*view.file_rows(diff.files, self._counts or {}), *whys], keep=True)
        if self._counts is None and diff.files:
            history, late = self.ff.history, 0.0 if self.app.is_headless else _LATE
            self.soon(late, lambda: self.slow(lambda: history.line_counts(diff), show, group="counts"))

    def _show_plot(self, diff: RunDiff) -> None:
        """Plot how the metric under the cursor went in both runs."""
        name = str(self.pane.key) if self.tab == "metrics" and not self.is_with_files else ""
        lines = [
            series_of(self.ff.state.marks.get(run.summary.id, letter), run.metrics[name])
            for letter, run in (("A", diff.before), ("B", diff.after))
            if name in run.metrics and len(run.metrics[name].values) > 1
        ]
        if lines and self.plot is None:
            from finestflow_tui.widgets.plot import Plot

            self.plot = Plot(id="plot", classes="aside")
            self.query_one(".body").mount(self.plot)
        if self.plot is not None:
            self.plot.set_class(not lines, "hidden")
            if lines:
                self.plot.show(name, lines)

    def _show_graph(self, diff: RunDiff) -> None:
        merged = view.graph_of(diff, turned=self._turned)
        self.graph.show(merged.drawing, Shape((), merged.edges), merged.roles)

    def _show_logs(self, diff: RunDiff) -> None:
        """List the nodes that printed something else, and show how the one under the cursor did."""
        workspace = self.ff.history.workspace

        def show(patches: dict[str, str]) -> None:
            if diff is self.diff:
                self._printed = patches
            if diff is self.diff and self.tab == "logs":
                self.list.show(view.printed_rows(patches, self.after.pipeline), keep=True)
                self._show_printed()

        if self._printed is None:
            self.slow(lambda: workspace.log_patches(diff), show, group="tab")
        else:
            show(self._printed)

    def _show_printed(self) -> None:
        workspace, columns, path = self.ff.history.workspace, self.pane.room, self.list.key
        if path in (self._printed or {}):
            hunks = view.parse_patch((self._printed or {})[path])
            name = path or self.after.pipeline
            self.pane.show(view.diff_rows(name, hunks, columns, split=self.is_split, words=self._has_words))
            return

        def show(rows: list[Row]) -> None:
            if self.tab == "logs" and self.list.key == path:
                self.pane.show(rows)

        self.slow(
            lambda: view.log_rows(workspace.read_log(self.before), workspace.read_log(self.after), columns),
            show,
            group="file",
        )

    @property
    def is_split(self) -> bool:
        """Whether both sides stand beside each other: where they fit, unless v was pressed."""
        return self.pane.room >= view.SPLIT_AT if self._split is None else self._split

    def _show_file(self) -> None:
        path = self.list.key
        if path is None:
            self.pane.show([row(("no file differs", "dim"))] if self.diff is not None and not self.diff.files else [])
            return
        known = self._hunks.get(path)
        if known is not None:
            columns = self.pane.room
            self.pane.show(view.diff_rows(path, known, columns, split=self.is_split, words=self._has_words))
            self.head.update()
            return
        history, diff = self.ff.history, self.diff
        assert diff is not None
        context, ignores, hunks_of = self._around, self._ignores_space, self._hunks

        def work() -> list[view.Hunk]:
            return view.parse_patch(history.patch_of(diff, path, context=context, ignores_space=ignores))

        def show(hunks: list[view.Hunk]) -> None:
            hunks_of[path] = hunks
            if hunks_of is self._hunks and self.list.key == path and self.tab == "code":
                self._show_file()

        self.slow(work, show, group="file")

    def on_rows_view_moved(self, event: RowsView.Moved) -> None:
        """Show the file under the cursor."""
        if event.view is self.list:
            (self._show_file if self.tab == "code" else self._show_printed)()
        elif self.tab == "outputs":
            self.outputs.look_closer()
        elif self.diff is not None:
            self._show_plot(self.diff)

    def on_rows_view_widened(self, event: RowsView.Widened) -> None:
        """Lay the sides out anew."""
        if event.view is self.pane and self.diff is not None and self.tab in {"code", "logs"}:
            (self._show_file if self.tab == "code" else self._show_printed)()

    # -- actions -----------------------------------------------------------------------------------------------------------------------

    def action_view(self) -> None:
        """Beside each other or one under the other; the graph top down or from left to right."""
        if self.tab == "graph" and self.diff is not None:
            self._turned = not self._turned
            self._show_graph(self.diff)
        elif self.tab in {"code", "logs"}:
            self._split = not self.is_split
            (self._show_file if self.tab == "code" else self._show_printed)()
        else:
            self.say("this tab has one view", "warning")

    def action_match(self, step: int) -> None:
        """Go to the next hunk, or the next match."""
        if self.tab not in {"code", "logs"} or self._pattern:
            if not self.pane.search(self._pattern or "→", step):
                self.say("/ searches", "warning")
            return
        heads = self._heads()
        top = self.pane.scroll_offset.y
        beyond = [at for at in heads if at > top] if step > 0 else [at for at in reversed(heads) if at < top]
        if not beyond or (self.pane.max_scroll_y <= top and step > 0):
            self.action_sibling(step)
            return
        self.pane.scroll_to(y=beyond[0], animate=False, immediate=True)
        self.head.update()

    def action_sibling(self, step: int) -> None:
        """Go to the next file."""
        before = self.list.key
        self.list.action_move(step)
        if self.list.key == before:
            self.say(f"there is no further {'file' if self.tab == 'code' else 'node'}", "warning")

    def action_filter(self) -> None:
        """Search."""

        def search(text: str | None) -> None:
            self._pattern = text or ""
            if self._pattern and not self.pane.search(self._pattern, 1):
                self.say(f"{self._pattern!r} is not here", "warning")

        self.ask("search", "n and N go on", self._pattern, search)

    def action_open(self) -> None:
        """Go into the file."""
        if self.tab in {"code", "logs"}:
            self.pane.focus()

    def action_why(self) -> None:
        """Show why tasks ran again."""
        self.action_tab(5)

    def _patch(self) -> str:
        assert self.diff is not None
        return self.ff.history.workspace.code_patch(self.diff)

    def action_edit(self) -> None:
        """Show the file in the editor, at the hunk that is seen; on other tabs the whole patch."""
        if self.diff is not None:
            line = next((at for at in self._heads() if at >= self.pane.scroll_offset.y), None)
            path = self.list.key if self.tab == "code" else None
            if path is not None and line is not None:
                self._edit_file(path, self._hunks[path][self.pane.rows[line].key].new)
            else:
                self.ff.edit_text(self._file, self._patch())

    def _edit_file(self, path: str, line: int) -> None:
        """Show the later file in the editor, at the hunk."""
        assert self.diff is not None
        data = self.ff.history.read_file(self.diff.after, path)
        self.ff.edit_text(path, data.decode("utf-8", "replace"), line)

    def action_save(self) -> None:
        """Write the patch to a file."""

        def write(name: str | None) -> None:
            if name:
                self.ff.write_file(name, self._patch())

        if self.diff is not None:
            self.ask("save the patch", "a file", self._file, write)

    @property
    def _file(self) -> str:
        """What a file of the patch may be called."""
        return f"{file_stem(self.before.name)}-{file_stem(self.after.name)}.patch"

    def text_of(self, run: RunSummary, what: str) -> str:
        """Return the difference of these two runs as a git command."""
        return f"git diff {self.before.commit} {self.after.commit}" if what == "diff" else super().text_of(run, what)

    def options(self) -> list[Choice]:
        """Return what else a diff can do."""
        return [
            Choice("s", "swap A and B", "swap"),
            Choice("v", "split or unified", "view"),
            Choice("w", "leave spaces out, or not", "spaces"),
            Choice("l", "mark words, or whole lines", "words"),
            Choice("i", "items of large families one by one, or as one row", "items"),
            *super().options(),
        ]

    def action_zoom(self, step: int) -> None:
        """Show more or fewer lines around what differs."""
        self._around = max(0, self._around + 3 * step)
        self.say(f"{self._around} lines around each hunk")
        self._read_again()

    def action_items(self) -> None:
        """Show the items of large families one by one, or each family as one row."""
        if self.diff is not None:
            self.told = self.diff.folded() if self.told is self.diff else self.diff
            self.say("all items" if self.told is self.diff else "a row for each large family of items")
            self.show_tab()

    def action_spaces(self) -> None:
        """Take lines that differ in nothing but spaces for equal, or not."""
        self._ignores_space = not self._ignores_space
        self.say("spaces are left out" if self._ignores_space else "spaces count")
        self._read_again()

    def action_words(self) -> None:
        """Mark the words that differ, or the whole lines alone."""
        self._has_words = not self._has_words
        self.show_tab()

    def _read_again(self) -> None:
        self._hunks = {}
        if self.tab == "code":
            self._show_file()

    def action_diff_files(self) -> None:
        """Compare the later run with the files as they are now, in place of this."""
        self.app.pop_screen()
        super().action_diff_files()

    def action_swap(self) -> None:
        """Look at it the other way round."""
        if self.is_with_files:
            self.say("the files as they are now are always on the right", "warning")
            return
        self.app.pop_screen()
        self.ff.open_diff(self.after, self.before)
