"""View models: what rows say, and that nothing a run says can do more than be read."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finestflow.cache.holdings import CODE, Held
from finestflow.cache.store import Usage, ValueInfo
from finestflow.compare import Change
from finestflow.comparison import Row as Line
from finestflow.comparison import SideBySide
from finestflow.goals import Goals
from finestflow.model import (
    WHY_HIT,
    Metric,
    NodeRecord,
    NodeStatus,
    OutputRecord,
    Resource,
    Run,
    RunId,
    RunStatus,
    RunSummary,
)
from finestflow.picture import write_png
from finestflow.workspace import Workspace
from finestflow_tui.plain import iter_lines
from finestflow_tui.screens.choose import rank
from finestflow_tui.state import ViewState
from finestflow_tui.termimage import find_protocol, picture_codes
from finestflow_tui.text import asciify, fit, plain_text, width
from finestflow_tui.theme import choose_theme, make_palette
from finestflow_tui.views import diff_values, record, tasks
from finestflow_tui.views.compare import compare_rows
from finestflow_tui.views.diff import diff_rows, excerpts, log_rows, parse_patch, why_rows
from finestflow_tui.views.disk import usage_rows, value_rows
from finestflow_tui.views.excerpt import excerpt_rows
from finestflow_tui.views.logs import LogRows, NodeLog
from finestflow_tui.views.numbers import number_rows
from finestflow_tui.views.plot import bands
from finestflow_tui.views.reproduce import ending_text, verdict_rows
from finestflow_tui.views.runs import cells_of, choose_columns, preview, preview_more

HOSTILE = (
    "\x1b]0;owned\x07\x1b[31mred\x1b[2J [bold]markup[/bold] \u202eright to left\u202c e\u0301\u0301 漢字 \t\r\n"
    + "x" * 5000
)
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def hostile_run() -> Run:
    summary = RunSummary(
        id=RunId("kkkkkkkkkkkk"),
        name=HOSTILE,
        pipeline=HOSTILE,
        status=RunStatus.FAILED,
        started=0.0,
        seconds=1.0,
        branch=HOSTILE,
        params={HOSTILE: HOSTILE, "p": [HOSTILE]},
        metrics={HOSTILE: math.nan, "x": math.inf},
        tags=(HOSTILE,),
        note=HOSTILE,
        error=HOSTILE,
    )
    node = NodeRecord(
        path=HOSTILE,
        task=HOSTILE,
        status=NodeStatus.FAILED,
        why=HOSTILE,
        error=HOSTILE,
        output=OutputRecord(digest=None, type=HOSTILE, preview=HOSTILE, note=HOSTILE),
        notes=(HOSTILE,),
    )
    metric = Metric(name=HOSTILE, last=1.0, count=2, values=((0, 1.0, 0.0), (1, math.nan, 1.0)))
    return Run(
        summary=summary,
        nodes={HOSTILE: node},
        metrics={HOSTILE: metric},
        notes=(HOSTILE,),
        traceback=HOSTILE,
        environment={"python": HOSTILE, "packages": {HOSTILE: HOSTILE}},
    )


def test_no_view_lets_an_escape_through():
    run = hostile_run()
    shape = tasks.shape_of(run)
    rows = [
        *preview(run.summary, run.summary, 0.0),
        *preview_more(run),
        *tasks.task_rows(run, shape, 100, 0.0),
        *tasks.node_rows(run, HOSTILE, [HOSTILE], 0.0),
        *record.param_rows(run),
        *record.environment_rows(run),
        *record.output_rows(run, lambda digest: False),
        *record.output_text(run, HOSTILE),
        *record.metric_rows(run.metrics, 100),
        *log_rows(HOSTILE.encode(), b"other", 100),
        *LogRows([NodeLog(HOSTILE.encode(), HOSTILE)], named=True),
        *diff_rows(HOSTILE, parse_patch(f"@@ -1 +1 @@ {HOSTILE}\n-{HOSTILE}\n+{HOSTILE}y"), 100, split=True),
    ]
    rows = [*rows, *(line for line in [tasks.text_rows(HOSTILE)] for line in line)]
    for line in rows:
        assert not ESCAPES.search(plain_text(line)), plain_text(line)[:200]
    columns = choose_columns([run.summary], 0.0)
    for text, _ in cells_of(run.summary, columns, 0.0):
        assert not ESCAPES.search(text)
        assert "\n" not in text
    for pieces in tasks.drawing_of(shape, turned=False).rows:
        assert not ESCAPES.search("".join(text for text, _ in pieces))


@pytest.mark.slow
def test_a_hostile_run_breaks_no_screen(own_lab):
    """Names, params, notes, logs, outputs, files and branches with escapes, markup, wide letters and 5,000 characters stay in their cells."""
    from dataclasses import replace

    from finestflow.workspace import Workspace
    from tests.tui.driving import drive, run

    workspace = Workspace.find(own_lab, {})
    last = workspace.load_run("dusty-fox-6")
    hostile = hostile_run()
    for at, name in enumerate(("kkkkkkkkkkkk", "llllllllllll")):
        summary = replace(hostile.summary, id=RunId(name), started=1_767_600_000.0 + at)
        changed = {**hostile.nodes, f"{HOSTILE}{at}": hostile.nodes[HOSTILE]._replace(path=f"{HOSTILE}{at}")}
        whole = replace(
            hostile,
            summary=summary,
            nodes=changed,
            snapshot=last.snapshot,
            ended=1_767_600_001.0,
            inputs={HOSTILE: HOSTILE + str(at)},
            argv=(HOSTILE,),
            outputs={HOSTILE: HOSTILE},
            returned=HOSTILE,
        )
        workspace.journal.append(whole, {HOSTILE: HOSTILE.encode() * (at + 3), "": b"z" * 10_000_000})
    workspace.close()
    (own_lab / "\u202e\u6f22 [bold]x.py").write_text(HOSTILE + "\n")
    places = (
        (), ("enter",), ("2",), ("3",), ("n",), ("4",), ("5",), ("6",), ("7",), ("8",), ("9",), ("comma",),
        ("escape", "@"), ("escape", "r"), ("escape", "escape", "d"), ("2",), ("3",), ("4",), ("5",), ("6",), ("7",), ("j",),
        ("escape", "D"), ("v",), ("escape", "space", "space", "c"), ("v",), ("escape", "ctrl+p"), ("escape", "t"),
        ("escape", "'"), ("escape", "g", "c"), ("escape", "home", "x"), ("x",), ("g", "t"),
    )  # fmt: skip

    async def body():
        async with drive(own_lab, (100, 30)) as ui:
            for keys in places:
                await ui.press(*keys)
                assert "cannot be read" not in ui.text, keys  # or nothing of it would have been shown
                for strip in ui.strips:
                    assert sum(segment.cell_length for segment in strip) == 100, keys
                    text = "".join(segment.text for segment in strip)
                    assert not ESCAPES.search(text), keys

    run(body)


def test_what_is_inside_a_value_cannot_break_out():
    """Names of columns, cells, facts and texts of an excerpt are data, whatever they hold."""
    table = {"kind": "table", "type": HOSTILE, "facts": {HOSTILE: HOSTILE}, "more": HOSTILE}
    table |= {"columns": [HOSTILE, "b"], "rows": [[HOSTILE, "1.5"], ["x", "nan"]]}
    text = {"kind": "text", "type": "str", "facts": {"file": "a.py"}, "text": HOSTILE, "more": ""}
    data = {"kind": "bytes", "type": "bytes", "facts": {}, "data": b64encode(bytes(range(256))).decode(), "more": ""}
    for value in (table, text, {**text, "facts": {}}, data):
        for line in excerpt_rows(value, 80, 30, colored=True):
            assert not ESCAPES.search(plain_text(line))


def test_a_picture_is_cells_of_two_pixels_or_letters():
    """In colours a cell is an upper and a lower half; without, letters are as dark as the pixels."""
    pixels = bytes([0, 0, 0] * 2 + [248, 248, 248] * 2)
    picture = {
        "kind": "picture",
        "type": "file",
        "facts": {"file": "p.png"},
        "more": "",
        "width": 2,
        "height": 2,
        "data": "",
    }
    picture["pixels"] = b64encode(pixels).decode()
    assert excerpt_rows(picture, 80, 30, colored=True)[0].spans == (("▀▀", "#000000/#f8f8f8"),)
    assert excerpt_rows({**picture, "height": 1, "pixels": b64encode(pixels[:6]).decode()}, 80, 30, colored=False)[
        0
    ].spans == (("@@", ""),)
    style = make_palette("finestflow-dark")["#000000/#f8f8f8"]
    assert (style.color.name, style.bgcolor.name) == ("#000000", "#f8f8f8")


def test_a_terminal_that_can_gets_the_whole_picture():
    """Kitty takes a PNG in chunks, iTerm whole, foot as sixels; a terminal inside another one gets nothing."""
    assert find_protocol({"TERM": "xterm-kitty"}) == "kitty"
    assert find_protocol({"TERM_PROGRAM": "iTerm.app"}) == "iterm"
    assert find_protocol({"TERM": "xterm-kitty", "TMUX": "x"}) == ""
    assert find_protocol({"TERM": "xterm-256color"}) == ""
    codes = picture_codes(bytes(9000), "kitty")
    assert codes.startswith("\x1b_Ga=T,f=100,m=1;")
    assert codes.count("\x1b_G") == 3
    assert "m=0;" in codes
    assert picture_codes(b"abc", "iterm") == "\x1b]1337;File=inline=1;size=3;height=90%:YWJj\a"
    assert find_protocol({"TERM": "foot"}) == "sixel"
    pixels = bytes((255, 0, 0)) * 5 * 6 + bytes((0, 0, 255)) * 5
    codes = picture_codes(write_png(5, 7, 3, pixels), "sixel")
    assert codes == '\x1bPq"1;1;5;7#5;2;0;0;100#180;2;100;0;0#180!5~-#5!5@-\x1b\\'


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("same code, params and inputs", "same code + inputs"),
        ("param 'lr' 0.1 -> 0.3; param 'epochs' 20 -> 30", "lr 0.1 → 0.3; epochs 20 → 30"),
        ("changed `train.Fit.run`; input 'numbers' changed", "code Fit.run; input numbers"),
        ("changed `helper`; changed `a.b.c.d`; changed `a.b`", "code helper; code c.d; code a.b"),
        ("input \"models['a']\" changed; input \"models['b']\" changed; input 'test'", "input models; input test"),
        ("input 'scores[0]' changed; input 'scores[1]' changed; input 'w' changed", "input scores; input w"),
        ("skipped: 'fit' failed", "fit failed"),
        ("no earlier call", "no earlier call"),
    ],
)
def test_a_table_says_in_few_words_why_a_task_ran(why, told):
    """The kind of change and what changed, without the sentence around it."""
    assert tasks.terse(why) == told


def test_why_a_task_ran_has_room_before_its_time_line(lab):
    """The time line gives way to why tasks ran, takes what is left, and gives its place to what hits saved."""
    workspace = Workspace.find(lab, {})
    run = workspace.load_run("dusty-fox-6")
    workspace.close()
    shape = tasks.shape_of(run)
    narrow, wide = (
        [plain_text(line) for line in tasks.task_rows(run, shape, columns, 0.0, {"load": 2.0})] for columns in (79, 140)
    )
    assert "epochs 20 → 30; lr 0.3 → 0.05 ▕" in narrow[2]
    assert narrow[0].endswith("saved 2.0s")
    assert wide[2].index("▏") - wide[2].index("▕") > narrow[2].index("▏") - narrow[2].index("▕")
    assert max(map(width, narrow)) <= 79
    short = replace(run, nodes={path: node._replace(why="changed `f`") for path, node in run.nodes.items()})
    assert "code f" in plain_text(tasks.task_rows(short, tasks.shape_of(short), 140, 0.0)[2])


def test_a_fan_out_says_how_many_of_its_items_ran(lab):
    """A count where some were hits, else the reason alone: the name says how many there are."""
    workspace = Workspace.find(lab, {})
    run = workspace.load_run("dusty-fox-6")
    workspace.close()
    told = []
    for hits in (0, 4, 5):
        items = [path for path in run.nodes if path.startswith("score")]
        changed = {path: run.nodes[path]._replace(status=NodeStatus.HIT, why=WHY_HIT) for path in items[:hits]}
        nodes = {**run.nodes, **changed}
        other = replace(run, nodes=nodes)
        lines = [plain_text(line) for line in tasks.task_rows(other, tasks.shape_of(other), 100, 0.0)]
        told.append(next(line for line in lines if "score ×5" in line))
    assert "ok      input weight" in told[0]
    assert "ok      1 of 5 ran: input weight" in told[1]
    assert "hit     same code + inputs" in told[2]


def test_items_that_ran_again_for_the_same_reason_are_told_as_one(lab):
    """Why tasks ran again, in few words, once for the items of a fan-out."""
    workspace = Workspace.find(lab, {})
    told = [plain_text(line) for line in why_rows(workspace.diff("icy-owl-4", "calm-wren-5"))]
    workspace.close()
    assert told[told.index("fit  ok") :][:3] == ["fit  ok", "  lr 9.0 → 0.3", "  input numbers"]
    assert sum(line.startswith("score") for line in told) == 1
    assert told[told.index("score ×5  ok") + 1] == "  input weight"


def test_items_of_a_map_are_one_line():
    """A thousand items of a fan-out are one line and one box, whether they are called embed[3] or embed/3."""
    nodes = {"embed": NodeRecord(path="embed", task="m:Embed", kind="map", status=NodeStatus.OK)}
    for at in range(1000):
        nodes[f"embed/{at}"] = NodeRecord(path=f"embed/{at}", task="m:Embed", status=NodeStatus.OK)
        nodes[f"old[{at}]"] = NodeRecord(path=f"old[{at}]", task="m:Old", status=NodeStatus.HIT)
    whole = Run(summary=hostile_run().summary, nodes=nodes)
    assert [line.label for line in tasks.shape_of(whole).lines] == ["embed ×1000", "old ×1000"]
    assert len(tasks.shape_of(whole, {"embed"}).lines) == 1002
    assert tasks.base_of(whole, "embed/7") == "embed"
    assert plain_text(tasks.node_rows(whole, "embed", [], 0.0, is_folded=True)[0]) == "embed ×1000"


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60), st.integers(1, 30))
def test_spans_are_cut_and_filled_to_a_width(text, columns):
    from finestflow_tui.text import one_line

    assert width("".join(each for each, _ in fit([(one_line(text), "")], columns))) == columns


def test_a_task_says_what_it_used(lab):
    """CPU, its share of a core and the most memory stand with a task, and in the table where there is room; nothing where it was not measured."""
    workspace = Workspace.find(lab, {})
    run = workspace.load_run("baseline-1")
    workspace.close()
    fit = run.nodes["fit"]._replace(cpu=4.0, memory=300_000_000, seconds=2.0)
    measured = replace(run, nodes={**{k: v._replace(cpu=None) for k, v in run.nodes.items()}, "fit": fit})
    said = "\n".join(map(plain_text, tasks.node_rows(measured, "fit", (), 0.0)))
    assert "used  cpu 4.0s (200% of a core), 300 MB" in said
    assert "used" not in "\n".join(map(plain_text, tasks.node_rows(measured, "load", (), 0.0)))
    wide, narrow = (
        list(map(plain_text, tasks.task_rows(measured, tasks.shape_of(measured), c, 0.0))) for c in (110, 80)
    )
    assert [line.endswith("cpu 4.0s      300 MB") for line in wide] == ["fit" in line.split() for line in wide]
    assert not any("cpu" in line for line in narrow)


def test_a_run_says_what_it_used_of_its_machine():
    """Mean, most and course of each resource, memory in bytes of thousands; nothing where nothing was sampled."""
    run = hostile_run()
    assert record.resource_rows(run, 80) == []
    values = tuple((float(at), at * 1e8) for at in range(5))
    cpu = Resource(name="system/cpu", mean=50.0, peak=180.0, values=values)
    memory = Resource(name="system/memory", mean=2e8, peak=4e8, values=values)
    rows = record.resource_rows(replace(run, resources={"system/cpu": cpu, "system/memory": memory}), 80)
    assert [row.key for row in rows] == [None, None, "system/cpu", "system/memory"]
    assert plain_text(rows[2]).split() == ["system/cpu", "50%", "180%", "\u2581\u2583\u2585\u2586\u2588"]
    assert plain_text(rows[3]).split()[:5] == ["system/memory", "200", "MB", "400", "MB"]


def test_outputs_that_are_equal_to_another_than_the_base_say_to_which():
    """An equal sign alone is the base; a letter says which run has the same output."""
    runs = [replace(hostile_run().summary, id=RunId(each * 12), name=each) for each in "klmn"]
    lines = [Line(kind="output", name="fit", values=("aa11", "bb22", "bb22", "aa11"))]
    rows = compare_rows(SideBySide(runs=tuple(runs), rows=tuple(lines)), {}, 120, everything=False)
    said = next(line for line in map(plain_text, rows) if line.startswith("  fit"))
    assert said.split() == ["fit", "aa11", "bb22", "bb22", "=B", "="]
    assert "›" not in plain_text(rows[0])
    narrow = compare_rows(SideBySide(runs=tuple(runs), rows=tuple(lines)), {}, 40, everything=False)
    assert plain_text(narrow[0]).startswith("›2 (l)")


def test_a_value_that_only_has_another_name_is_told_as_moved():
    """What is gone and what is new become one line where the value is the same and it is clear which; else they stay two."""
    told = [
        *(("fit.lr", 0.1, None), ("train.lr", None, 0.1), ("depth", 3, None), ("levels", None, 3)),
        *(("a", True, None), ("b", True, None), ("c", None, True), ("seed", 1, 2)),
    ]
    changes = [Change(name=name, before=before, after=after) for name, before, after in told]
    said = [plain_text(row).strip() for row in diff_values.value_rows([("params", changes)])]
    assert "fit.lr now train.lr  0.1" in said
    assert "depth now levels  3" in said
    assert sum("(absent)" in line for line in said) == 3
    assert said[0] == "params  8"


def test_words_that_differ_stand_out():
    patch = "@@ -3,2 +3,2 @@ class A:\n lr = 1\n-x = fit(3e-4, a)\n+x = fit(1e-3, a)\n"
    rows = diff_rows("a.py", parse_patch(patch), 120, split=False)
    words = {(text, role) for line in rows for text, role in line.spans if "word" in role}
    assert words == {("3e-4", "removed-word"), ("1e-3", "added-word")}


@pytest.mark.parametrize(
    ("name", "goal"), [("fit/loss", "min"), ("acc", "max"), ("val_f1", "max"), ("epochs", None), ("rmse", "min")]
)
def test_the_name_of_a_metric_says_which_is_better(name, goal):
    assert Goals().of(name) == goal


def test_the_best_value_of_a_series_is_told_where_a_direction_is_known():
    course = tuple((step, value, float(step)) for step, value in enumerate([0.5, 0.25, math.nan, 0.75]))
    metric = Metric(name="fit/gap", last=0.75, best=None, count=4, values=course)
    told = [
        [text.strip() for text, _ in rows[1].spans]
        for rows in (
            record.metric_rows({"fit/gap": metric}, 100, goals) for goals in (Goals(minimize=["gap"]), Goals())
        )
    ]
    assert "0.25" in told[0]
    assert "0.25" not in told[1]


def test_typing_finds_the_start_of_words_first():
    assert rank("lr", "fit.lr") < rank("lr", "color")
    assert rank("bl3", "brisk-lynx-3") is not None
    assert rank("zz", "brisk") is None


def test_themes_follow_the_terminal():
    assert choose_theme("auto", {"COLORFGBG": "0;15"}) == "finestflow-light"
    assert choose_theme("auto", {"TERM": "linux"}) == "ansi-dark"
    assert choose_theme("auto", {}) == "finestflow-dark"
    assert choose_theme("nord", {}) == "nord"
    palette = make_palette("finestflow-dark", colored=False)
    assert not any(style.color or style.bgcolor for style in palette.values())
    assert palette["cursor"].reverse


def test_the_arrangement_survives_and_a_damaged_file_is_an_empty_one(tmp_path):
    path = tmp_path / "tui.json"
    state = ViewState.read(path)
    state.query, state.marks = "f1>0.9", {"k" * 12: "A"}
    state.write(path)
    assert ViewState.read(path) == state
    path.write_text("{")
    assert ViewState.read(path) == ViewState()


def test_the_plain_twin_prints_the_list_and_a_run(lab, environ):
    from finestflow.workspace import Workspace

    workspace = Workspace.find(lab, environ)
    workspace.refresh()
    lines = list(iter_lines(workspace, []))
    assert lines[0].split()[:3] == ["name", "when", "took"]
    assert len(lines) == 7
    assert [line.split()[1] for line in iter_lines(workspace, ["status:failed"])][1:] == ["icy-owl-4"]
    assert any("score ×5" in line for line in iter_lines(workspace, ["dusty-fox-6"]))
    workspace.close()


@pytest.mark.slow
def test_the_plain_twin_tells_plots_in_numbers(study, environ):
    """Of each metric with a course: least, median, most, a line a run; and the mean of runs with equal params, with its deviation."""
    from finestflow.workspace import Workspace

    workspace = Workspace.find(study, environ)
    workspace.refresh()
    runs = [str(name) for (name,) in workspace.index.rows(["name"])]
    ended = [name for name in runs if "icy-owl" not in name]
    text = list(iter_lines(workspace, ended))
    told = text[text.index("how metrics went") + 1 :]
    assert told[0].split() == ["metric", "line", "n", "first", "least", "median", "most", "last"]
    assert [line.split()[:3] for line in told if line.startswith("fit/gap")][:4] == [
        ["fit/gap", letter, "40"] for letter in "ABCD"
    ]
    lone = list(iter_lines(workspace, [ended[0], ":metrics"]))
    assert any(line.startswith("fit/gap") and len(line.split()) == 8 for line in lone)
    workspace.close()


def test_the_mean_of_a_group_is_told_with_its_deviation():
    lines = bands(
        [("0.1", [(0.0, 1.0), (1.0, 2.0)]), ("0.1", [(0.0, 1.0), (1.0, 4.0)]), ("0.3", [(0.0, math.nan)])], 80
    )
    said = [plain_text(line).split() for line in number_rows([("loss", line) for line in lines])]
    assert said[1][:9] == ["loss", "0.1", "×2", "2", "1", "1", "2", "3", "3"]
    assert said[1][9] == "±1"
    assert len(said) == 2


def test_the_plain_twin_prints_the_plan_of_running_again(lab, environ):
    from finestflow.workspace import Workspace

    workspace = Workspace.find(lab, environ)
    workspace.refresh()
    lines = list(iter_lines(workspace, ["baseline-1", ":reproduce"]))
    assert lines[0] == "what will happen"
    assert lines[-1].startswith("  finestflow reproduce ")
    assert list(iter_lines(workspace, [":reproduce"]))[-1] != lines[-1]  # that of the latest run
    workspace.close()


def test_a_failure_that_came_again_is_told_as_one():
    nodes = [{"path": "fit", "verdict": "identical", "before": None, "after": None, "detail": "boom", "failed": True}]
    document = {"identical": True, "first": None, "nodes": nodes}
    text = "\n".join(map(plain_text, verdict_rows(document)))
    assert "identical: 'fit' failed again with the same error" in text
    assert "failed again" in text.splitlines()[-1]


def test_the_plain_twin_is_ascii_where_that_is_asked_for(lab, environ):
    from finestflow.workspace import Workspace

    workspace = Workspace.find(lab, {**environ, "FINESTFLOW_ASCII": "1"})
    workspace.refresh()
    lines = [*iter_lines(workspace, []), *iter_lines(workspace, ["dusty-fox-6"]), *iter_lines(workspace, [":cache"])]
    workspace.close()
    assert all(line.isascii() for line in lines)
    assert lines[1].startswith("*  dusty-fox-6")


def test_a_process_that_ended_is_told_of_in_words():
    """The verdict of a reproduction, whatever was printed before it; else the last line that is not data."""
    nodes = [{"path": "fit", "verdict": verdict} for verdict in ("identical", "differs")]
    verdict = {"schema": 1, "kind": "reproduction", "identical": False, "first": "fit", "nodes": nodes}
    assert ending_text(f"loading\n{json.dumps(verdict)}\n", 1) == "differs: first at 'fit'; 1 of 2 outputs are the same"
    same = {**verdict, "identical": True, "first": None, "nodes": nodes[:1]}
    assert ending_text(json.dumps(same), 0) == "identical: all 1 compared outputs have the same digest"
    assert ending_text("one\nfreed 3 MB\n\n", 0) == "freed 3 MB"
    assert ending_text("", 0) == "done"
    assert ending_text('{"kind": "other"}', 3) == "exit code 3"


def test_the_disk_bar_is_in_proportion_and_says_each_kind_by_its_sign():
    """29 MB of 20 GB is one column of sixty, and the rest is free; without a limit the bar is what there is."""
    usage = Usage(entries=3, values=3, inline_bytes=0, objects=2, object_bytes=20_000_000, database_bytes=9_000_000)
    bar, legend = map(plain_text, usage_rows(usage, 20_000_000_000, 100)[:2])
    assert bar.split() == ["█▒" + "░" * 58, "29.0", "MB", "of", "20.0", "GB"]
    assert legend.split("   ") == [" █ 2 files 20.0 MB", "▒ database 9.0 MB", "░ free 20.0 GB"]
    assert asciify(bar).split()[0] == "#+" + "." * 58
    half = plain_text(usage_rows(usage, 58_000_000, 100)[0]).split()[0]
    assert (half.count("█"), half.count("▒"), half.count("░")) == (21, 9, 30)
    assert "░" not in plain_text(usage_rows(usage, 0, 100)[0])
    assert plain_text(usage_rows(usage._replace(object_bytes=0, database_bytes=0), 0, 100)[0]).split()[0] == "░" * 60


def test_what_why_compares_is_not_shown_as_an_output():
    info = ValueInfo("9c" * 32, (), None, None, None, 500, "str", '\'{"code": {"(wiring)": "1f"}}\'')
    shown = [plain_text(line) for line in value_rows([Held(info, 0.0, 0, "", CODE)], {}, "size")]
    assert "what a call depends on" in shown[1]
    assert "(wiring)" not in shown[1]


def test_long_values_are_shown_from_shortly_before_their_difference():
    before, after = excerpts("a" * 300 + "x" + "c" * 50, "a" * 300 + "y" + "c" * 50, 60)
    assert before != after
    assert before.startswith("…aaa")
    assert "x" in before
    assert "y" in after
    assert max(width(before), width(after)) <= 60
    assert excerpts("same", None, 60) == ("same", "(absent)")
    assert excerpts("short", "shorn", 60) == ("short", "shorn")


def test_a_run_without_a_first_commit_says_so():
    run = hostile_run().summary
    for branch, said in (("master", "master, no commit"), ("", "no commit")):
        lines = [plain_text(line) for line in preview(replace(run, branch=branch, base=None, dirty=(0, 0)), None, 0.0)]
        assert said in lines
    lines = [
        plain_text(line) for line in preview(replace(run, branch="main", base="1684" * 10, dirty=(1, 0)), None, 0.0)
    ]
    assert "main@1684168 ±1" in lines


def test_ascii_keeps_the_width():
    text = "●◌✗├─│╰▌★…▁█“”"
    assert asciify(text).isascii()
    assert len(asciify(text)) == len(text)
