"""What a run has printed, as rows: by node, by level, by time, with its colours and nothing else of its escapes."""

from __future__ import annotations

import pytest

from finestflow.workspace import Workspace
from finestflow_tui.text import plain_text
from finestflow_tui.theme import make_palette
from finestflow_tui.views.logs import LogRows, NodeLog, by_stamp, frame_in


def log_of(*parts: bytes | tuple[str, bytes], named: bool = False) -> LogRows:
    """Return the rows of what was printed: bytes, or a node and its bytes."""
    pairs = (("", part) if isinstance(part, bytes) else part for part in parts)
    return LogRows((NodeLog(data, node) for node, data in pairs), named=named)


def test_a_log_is_an_index_of_its_lines():
    """Lines are found by position and by text, going round both ways; without a text, those that tell of an error."""
    rows = log_of(b"one\nError: two\n\nfour")
    assert [plain_text(rows[at]) for at in range(len(rows))] == ["one", "Error: two", "", "four"]
    assert rows[1].spans[0][1] == "error"
    assert rows.find("FOUR", 0, 1) == 3
    assert rows.find("one", 3, -1) == 0
    assert rows.find("one", 2, 1) == 0
    assert rows.find("", 3, 1) == 1
    assert rows.find("no such", 0, 1) is None
    assert not len(log_of(b""))


def test_the_lines_of_all_nodes_stand_under_their_names():
    """A node has a colour and a name on each line, wherever its lines come; a search goes through all of them."""
    rows = log_of(("fit", b"a\nb\n"), ("load", b"c\n"), ("fit", b"d\n"), named=True)
    assert [plain_text(line) for line in rows] == ["fit  │ a", "fit  │ b", "load │ c", "fit  │ d"]
    assert rows[0].spans[0][1] == rows[3].spans[0][1] != rows[2].spans[0][1]
    assert [rows.find("c", 0, 1), rows.find("a", 2, 1), rows.find("d", 0, -1), rows.find("b", 3, -1)] == [2, 0, 3, 1]
    copy = rows.copy()
    rows.add(NodeLog(b"e\n", "load"))
    assert (len(copy), len(rows)) == (4, 5)


def test_colours_of_a_log_are_kept_and_nothing_else_of_its_escapes():
    """What a program coloured has that colour; without colours it is bold at most; a bar that overwrote itself has its last state."""
    row = log_of(b"\x1b[1;31mbad\x1b[0m plain \x1b[38;5;208morange\x1b]0;title\x07\x1b[2J\x1b[39m end\n")[0]
    assert row.spans == (("bad", "sgr:1;31"), (" plain ", ""), ("orange", "sgr:38;5;208"), (" end", ""))
    palette, plain = make_palette("finestflow-dark"), make_palette("x", colored=False)
    assert palette["sgr:1;31"].bold
    assert palette["sgr:1;31"].color is not None
    assert palette["sgr:38;5;208"].color.name == "color(208)"
    assert plain["sgr:1;31"].color is None
    assert plain["sgr:1;31"].bold
    for codes in ("38", "38;2;300;0", "38;5", "999", ";;", "48;2;1;2;3"):
        palette[f"sgr:{codes}"]
    assert plain_text(log_of(b"10%\r50%\r100%\r\n")[0]) == "100%"


def test_the_last_frame_of_a_traceback_is_found():
    """The file and line of the innermost frame are what an editor is opened at."""
    rows = log_of(b'Traceback:\n  File "/lab/train.py", line 3, in run\n  File "/lab/x.py", line 7, in f\nValueError\n')
    assert frame_in(rows[0:4]) == ("/lab/x.py", 7)
    assert frame_in(rows[0:1]) is None


TALKING = b"""plain
INFO app: ready
2026-01-05 10:00:01,123 - app - WARNING - watch out
  and this
[12:00:01] ERROR bad
x.py:3: UserWarning: hm
  warn("hm")
done
Traceback (most recent call last):
  File "x.py", line 3, in f
ValueError: no
INFORMATION is no level
"""


@pytest.mark.parametrize(
    ("level", "begins"),
    [
        ("", ["plain", "INFO", "2026", "  and", "[12:", "x.py", "  war", "done", "Trace", "  Fil", "Value", "INFOR"]),
        ("info", ["INFO", "2026", "  and", "[12:", "x.py", "  war", "Trace", "  Fil", "Value"]),
        ("warning", ["2026", "  and", "[12:", "x.py", "  war", "Trace", "  Fil", "Value"]),
        ("error", ["[12:", "Trace", "  Fil", "Value"]),
        ("critical", []),
    ],
)
def test_a_log_is_narrowed_to_a_level(level, begins):
    """Lines that say a level at their beginning, warnings of Python and tracebacks stay, with the lines that are set in below them."""
    rows = log_of(TALKING).from_level(level)
    texts = [plain_text(row) for row in rows]
    assert len(texts) == len(begins)
    assert all(text.startswith(begin) for text, begin in zip(texts, begins, strict=True))


def test_logs_are_merged_by_the_times_in_their_lines(lab):
    """Lines of several nodes stand in the order of their own times; what has none stays behind the line before it."""
    workspace = Workspace.find(lab, {})
    run = workspace.load_run("baseline-1")
    workspace.close()
    logs = {
        "load": b"12:00:01 one\n  more\n12:00:04 four\n",
        "fit": b"12:00:02,5 two\n12:00:03.1 three\n",
        "clean": b"silent\n",
    }
    lines = [plain_text(row).split("\u2502 ")[1] for row in by_stamp(run, logs)]
    assert lines == ["silent", "12:00:01 one", "  more", "12:00:02,5 two", "12:00:03.1 three", "12:00:04 four"]


def test_a_log_of_one_line_of_ten_megabytes_is_cut():
    rows = log_of(b"y" * 10_000_000)
    assert len(rows) == 1
    assert len(plain_text(rows[0])) <= 4000
