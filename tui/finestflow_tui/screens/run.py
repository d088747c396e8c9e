"""One run: tasks, graph, logs, metrics, params, configuration, code, environment, outputs; and its neighbours in the list.

Invariant: the head is painted at once from the summary, the record follows from a worker; what arrives for another run or tab is dropped. A
live run is followed: the same screen, fed by its events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from textual.app import ComposeResult

from finestflow.model import Run, RunStatus, RunSummary
from finestflow_tui.ahead import load_ahead
from finestflow_tui.bindings import bindings
from finestflow_tui.keys import Choice
from finestflow_tui.screens.run_content import RunContent
from finestflow_tui.screens.run_files import FileTabs
from finestflow_tui.screens.run_logs import LogTab
from finestflow_tui.screens.run_metrics import MetricTab
from finestflow_tui.screens.run_outputs import OutputTab
from finestflow_tui.screens.run_tasks import TaskTab
from finestflow_tui.start import RUN_TABS
from finestflow_tui.text import Row, Span, one_line, row, word_for_shell, wrapped
from finestflow_tui.views import record
from finestflow_tui.widgets.dagview import DagView
from finestflow_tui.widgets.line import Lines, spread
from finestflow_tui.widgets.painted import Body
from finestflow_tui.widgets.rows import RowsView
from finestflow_tui.widgets.tabs import TabBar

__all__ = ["TABS", "RunScreen"]

TABS = RUN_TABS
_BESIDE = frozenset({"tasks", "graph", "metrics", "code", "outputs"})
_FIRST = {
    "tasks": ("open", "why", "logs", "view"),
    "graph": ("view", "open", "why"),
    "logs": ("only", "filter", "next-match", "bottom", "edit"),
    "metrics": ("open", "view", "options"),
    "code": ("edit",),
    "outputs": ("open", "save", "outside", "maximise"),
}
Value = TypeVar("Value")


class RunScreen(RunContent):
    """A run; ``begin`` says which. It may be made before one is asked for."""

    NAME = "run"
    BINDINGS = bindings("run")

    def __init__(self) -> None:
        super().__init__()
        self.whole: Run | None = None
        self.tab = TABS[0]
        self.head = Lines(self._head_rows, over="bar", id="head")
        self.tabs = TabBar(self._tab_texts, lambda: TABS.index(self.tab), id="tabs")
        self.list = RowsView(id="list", classes="main")
        self.graph = DagView(id="graph", classes="main")
        self.graph.display = False
        self.detail = RowsView(id="detail", has_cursor=False, classes="aside")
        self.logs = LogTab(self)
        self.metrics = MetricTab(self)
        self.outputs = OutputTab(self)
        self.tasks = TaskTab(self)
        self.files = FileTabs(self)
        self._place = ""
        self._room = 0
        """Columns of the list that the rows are made for."""

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield self.tabs
        with Body(classes="body"):
            yield self.list
            yield self.graph
            yield self.detail
        yield self.foot

    def on_mount(self) -> None:
        """Load the record, if a run was asked for."""
        if self in self.app.screen_stack:
            self.show_run(self.summary)
        else:
            self.lay_out()

    def on_screen_resume(self) -> None:
        """Load what the tabs need."""
        load_ahead(self)

    # -- which run ---------------------------------------------------------------------------------------------------------------------

    def current_run(self) -> RunSummary | None:
        """Return the run of this screen."""
        return self.summary

    def current_node(self) -> str:
        """Return the node under the cursor, where it can be run from."""
        key = self.key if self.tab in {"tasks", "graph"} else None
        return str(key) if self.whole is not None and key in self.whole.nodes else ""

    def chosen_runs(self) -> list[RunSummary]:
        """Return the run of this screen: marks belong to the list."""
        return [self.summary]

    def show_run(self, run: RunSummary, *, tab: str = "", node: str = "") -> None:
        """Show a run, on the tab that is open or on another one."""
        is_other = run.id != self.summary.id
        self.summary = run
        self.tab = tab or self.tab
        self.tasks.wanted = node or self.tasks.wanted
        if is_other:
            self.whole = None
        self.head.update()
        self.tabs.update()
        history = self.ff.history
        known = history.find_loaded(run)
        if known is not None:  # by the preview of the list: then all is painted at once
            self._loaded(known)
        else:
            self.slow(lambda: history.load(run), self._loaded, group="load", failed=self._broken)

    def begin(self, run: RunSummary, tab: str, node: str = "") -> None:
        """Show a run as if the screen were new.

        Args:
            run: The run.
            tab: The tab to begin with.
            node: The node to begin with.
        """
        self.summary, self.whole = run, None
        self.tab, self.tasks.wanted = tab, node
        self._place, self.pattern = self._find_place(), ""
        self.tasks.unfolded.clear()
        self.logs.reset()
        if self.is_mounted:
            self.list.show([])
            self.detail.show([])
            self.show_run(run)

    def _find_place(self) -> str:
        """Return where the run stands in the list."""
        from finestflow_tui.screens.runs import RunsScreen

        runs, number = self.ff.screen_stack[0], self.ff.history.number_of(self.summary.id)
        if number is None or not isinstance(runs, RunsScreen) or number not in runs.table.order:
            return ""
        return f"run {runs.table.order.index(number) + 1:,} of {len(runs.table.order):,}"

    def _loaded(self, whole: Run) -> None:
        if whole.summary.id != self.summary.id:
            return
        self.whole = whole
        self.tasks.load(whole)
        self.show_tab(keep=True)
        self.tasks.find_all_saved(whole)
        if whole.summary.status is not RunStatus.RUNNING:
            self.tasks.draw_soon()

    def _broken(self, text: str) -> None:
        self.list.display, self.graph.display = True, False
        rows = [
            row(("this record cannot be read", "error")),
            row(""),
            *wrapped(text, self.list.room),
            row(""),
            row(("^l", "key"), " tries again · the other runs are not touched by it"),
        ]
        self.list.show(rows)
        self.detail.show([])

    def action_sibling(self, step: int) -> None:
        """Go to the next run of the list, on the same tab."""
        from finestflow_tui.screens.runs import RunsScreen

        runs = self.app.screen_stack[0]
        found = runs.neighbours(self.summary.id, step) if isinstance(runs, RunsScreen) else None
        if found is None:
            self.say("there is no further run in the list", "warning")
            return
        run, at, count = found
        self._place = f"run {at:,} of {count:,}"
        self.show_run(run)

    def on_history_changed(self) -> None:
        """Show tags and notes that were changed, and the record of a run that ended."""
        number = self.ff.history.number_of(self.summary.id)
        found = self.ff.history.find(number) if number is not None else None
        if found is not None and found != self.summary:
            self.show_run(found)

    def on_live_changed(self) -> None:
        """Follow a run that is going on."""
        live = self.ff.history.find_live(self.summary.id)
        if live is not None:
            self.summary = live.summary
            self.head.update()
            self._loaded(live.run)

    # -- lines -------------------------------------------------------------------------------------------------------------------------

    def _head_rows(self, columns: int) -> Sequence[Row]:
        letter = self.ff.state.marks.get(self.summary.id, "")
        left = record.head_spans(self.summary, letter, self.ff.workspace.clock.time())
        said = self.logs.said if self.tab == "logs" else ""
        right: list[Span] = [(f"  {said}  ", "warning")] if said else []
        saved = self.tasks.saved_spans(self.summary.id)
        return [row(*spread(left, [*saved, *right, (f"{self._place} ", "dim")], columns))]

    def _tab_texts(self, columns: int) -> list[Span]:
        return [(name.capitalize()[: None if columns >= 76 or name == self.tab else 4], "dim") for name in TABS]

    def foot_keys(self) -> Sequence[str]:
        """Return what the last line names: first what this tab can do."""
        return [*self.pane_keys(), *super().foot_keys()]

    def pane_keys(self) -> Sequence[str]:
        """Return what this tab can do."""
        return _FIRST.get(self.tab, ())

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        """Open the tab that was clicked."""
        self.action_tab(event.at)

    # -- tabs --------------------------------------------------------------------------------------------------------------------------

    def action_tab(self, at: int) -> None:
        """Open a tab by its number."""
        if at <= len(TABS):
            self.hush()  # what was said is of the tab before
            self.tab = self.ff.state.tab = TABS[at - 1]
            self.show_tab()

    def show_tab(self, *, keep: bool = False) -> None:
        """Show the tab that is open: what is there stays until its content has come, then the panes are laid out and painted once."""
        if self.whole is None:
            return
        self.tabs.update()
        self.foot.update()
        self._room = self._room_to_come()
        self._fill(keep)

    def _fill(self, keep: bool) -> None:
        if self.tab in {"tasks", "params", "env", "metrics"}:  # of the others a worker brings what they show
            self.place_panes()
        getattr(self, f"_show_{self.tab}")(keep)

    def _room_to_come(self) -> int:
        """Return how many columns the list will have when the panes stand as this tab wants them."""
        if self.maximized is not None:
            return self.list.room
        room = self.app.size.width - self.list.styles.scrollbar_size_vertical
        pane = self.metrics.plot if self.tab == "metrics" and self.metrics.plot is not None else self.detail
        wide = pane.styles.width
        if self.tab not in _BESIDE or self.has_class("-aside") or wide is None or self.has_class("-narrow"):
            return room
        return room - int(wide.resolve(self.app.size, self.app.size)) - pane.styles.margin.width

    def place_panes(self) -> None:
        """Give the panes the places that this tab wants."""
        is_graph = self.tab == "graph"
        self.list.display, self.graph.display = not is_graph, is_graph  # a class would have their styles computed anew
        self.detail.set_class(self.tab not in _BESIDE or self.tab == "metrics", "hidden")
        if self.metrics.plot is not None:
            self.metrics.plot.set_class(self.tab != "metrics", "hidden")
        self.list.has_cursor = self.tab != "logs"  # a log of a million lines has nothing to choose
        self.list.follows = self.list.follows and self.tab == "logs"
        pane = self.graph if is_graph else self.list
        if self.focused is None or not self.focused.display or self.focused in {self.list, self.graph}:
            pane.focus()

    def slow_for_tab(
        self,
        work: Callable[[], Value],
        then: Callable[[Value], None],
        *,
        group: str = "tab",
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Do something in a worker, then something with what it returns, unless another run or tab was opened meanwhile."""
        tab, run = self.tab, self.summary.id

        def show(value: Value) -> None:
            if (tab, run) == (self.tab, self.summary.id):
                if group == "tab":
                    self.place_panes()
                then(value)

        def fail(text: str) -> None:
            if (tab, run) == (self.tab, self.summary.id):
                if group == "tab":
                    self.place_panes()
                (failed or (lambda said: self.list.show([row((said, "error"))])))(text)

        self.slow(work, show, group=group, failed=fail)

    def fill(self, work: Callable[[], Sequence[Row]], *, keep: bool) -> None:
        """Fill the list from a worker."""

        def show(rows: Sequence[Row]) -> None:
            self.list.show(rows, keep=keep)
            self.show_detail()

        self.slow_for_tab(work, show)

    @property
    def _run(self) -> Run:
        assert self.whole is not None
        return self.whole

    @property
    def columns(self) -> int:
        """The room of a line of the list."""
        return max(30, self._room)

    def _show_tasks(self, keep: bool) -> None:
        self.tasks.show(self._run, keep=keep)

    def _show_graph(self, _keep: bool) -> None:
        self.tasks.show_graph()

    def _show_logs(self, keep: bool) -> None:
        self.logs.show(keep=keep)

    def _show_metrics(self, keep: bool) -> None:
        self.metrics.show(keep=keep)

    def _show_params(self, keep: bool) -> None:
        self.list.show(record.param_rows(self._run), keep=keep)

    def _show_env(self, keep: bool) -> None:
        self.list.show(record.environment_rows(self._run), keep=keep)

    def _show_config(self, keep: bool) -> None:
        self.files.show_config(keep=keep)

    def _show_code(self, keep: bool) -> None:
        self.files.show_code(keep=keep)

    def _show_outputs(self, keep: bool) -> None:
        self.outputs.show(keep=keep)

    # -- beside ------------------------------------------------------------------------------------------------------------------------

    def show_detail(self) -> None:
        """Show beside the list what the cursor is on."""
        key, run = self.key, self._run
        if key is None or self.tab not in _BESIDE:
            self.detail.show([])
        elif self.tab in {"tasks", "graph"}:
            self.tasks.show_node(run, key)
        elif self.tab == "metrics":
            self.metrics.show_metric()
        elif self.tab == "outputs":
            self.outputs.show_detail()
        elif self.tab == "code":
            self.files.show_file(key)

    def on_rows_view_moved(self, event: RowsView.Moved) -> None:
        """Show what the cursor is on."""
        if event.view is self.list:
            self.show_detail()

    def on_dag_view_moved(self) -> None:
        """Show the node."""
        self.show_detail()

    def on_rows_view_widened(self, event: RowsView.Widened) -> None:
        """Make the lines for a width that is not the one they were made for; a picture fills its pane."""
        if event.view is self.list and self.whole is not None and self.list.room != self._room:
            self._room = self.list.room
            self._fill(keep=True)
        elif event.view is self.detail and self.tab == "outputs":
            self.outputs.show_detail()

    # -- actions -----------------------------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Open or fold a fan-out; else give the second pane the keys."""
        key = self.key
        is_node = self.tab in {"tasks", "graph"} and key is not None
        if is_node and self.whole is not None and self.tasks.fold(self.whole, key):
            self.show_tab(keep=True)
            return
        if self.tab == "outputs" and key is not None and self.outputs.open():
            return
        if self.tab == "logs":
            self.logs.edit()
            return
        beside = self.metrics.plot if self.tab == "metrics" else self.detail
        if beside is not None and beside.display:
            beside.focus()

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        """Open what was clicked twice: of a log, the frame of a traceback."""
        if event.view is self.list and self.tab == "logs":
            self.logs.edit(event.key)
        elif event.view is self.list:
            self.action_open()

    def action_preview(self) -> None:
        """Show or hide the second pane."""
        if self.tab in _BESIDE:
            super().action_preview()
        else:
            self.say("this tab has nothing beside it", "warning")

    def action_view(self) -> None:
        """See the pane in another way."""
        if self.tab == "tasks":
            self.action_tab(2)
        elif self.tab == "graph":
            self.tasks.turn()
        elif self.tab == "metrics":
            self.metrics.turn()
        else:
            self.say("this tab has one view", "warning")

    def action_why(self) -> None:
        """Say why the task ran."""
        key = self.key if self.tab in {"tasks", "graph"} else None
        if key is None:
            self.tab = "tasks"
            self.show_tab()
            return
        self.ff.log_command(f"finestflow why {word_for_shell(self.summary.name, self.summary.id)}:{one_line(key)}")
        whys = self.tasks.whys(self._run, key)
        self.say(f"{key}: {whys[0] if whys else 'nothing is recorded'}")

    def action_logs(self) -> None:
        """Show the log of the task under the cursor."""
        key = self.key if self.tab in {"tasks", "graph"} else None
        self.logs.node = key if key in (self.whole.nodes if self.whole else ()) else None
        self.tab = "logs"
        self.show_tab()
        self.say(f"the log of {self.logs.node}: f shows all tasks" if self.logs.node else "the log of all tasks")

    def action_plot(self) -> None:
        """Show the metrics."""
        self.action_tab(4)

    def action_only(self, wanted: bool) -> None:
        """Show the log of one task, or of all."""
        if self.tab == "logs":
            self.logs.choose()
        else:
            self.say("f chooses a task in the logs (3)", "warning")

    async def run_chosen(self, action: str) -> None:
        """Do an action by its name: what a plot can do is done by the plot, whichever pane has the keys."""
        plot = self.metrics.plot
        if self.tab == "metrics" and plot is not None and hasattr(plot, f"action_{action.partition('(')[0]}"):
            await self.app.run_action(action, plot)
        else:
            await super().run_chosen(action)

    def action_log(self, what: str, *words: str) -> None:
        """Do what the tab of logs can do."""
        getattr(self.logs, what)(*words)

    def action_task(self, what: str) -> None:
        """Do what the tabs of tasks can do."""
        getattr(self.tasks, what)()

    def action_turn_axis(self) -> None:
        """Plot over steps, epochs or the time since the start."""
        self.metrics.turn_axis()

    def options(self) -> list[Choice]:
        """Return what else this tab can do."""
        more = {
            "logs": self.logs.options(),
            "metrics": self.metrics.options(),
            "graph": self.tasks.options(),
        }
        return [*more.get(self.tab, []), *super().options()]
