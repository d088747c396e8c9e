"""The live display: what it knows of a run, how it fits a terminal, how it is put there."""

from __future__ import annotations

import io
import os

import pytest

from finestflow.cli._board import Board
from finestflow.cli._frame import Drawing, Line, draw_frame
from finestflow.cli._lines import NodeLines, label_of
from finestflow.cli._screen import Screen
from finestflow.cli._text import width

TIMES = "\N{MULTIPLICATION SIGN}"
RUN = {"e": "run", "id": "k" * 12, "name": "brisk-lynx-41", "pipeline": "digits", "started": 0.0}


def begin(path, at=0.0, **fields):
    return {"e": "start", "path": path, "task": "m:T", "t": at, **fields}


def end(path, status="ok", at=1.0, **fields):
    return {"e": "node", "path": path, "task": "m:T", "status": status, "t": at, "seconds": 1.0, **fields}


def board_of(*events):
    board = Board()
    for event in (RUN, *events):
        board.apply(event)
    return board


def draw(board, columns=80, lines=24, *, color=False, unicode=True, elapsed=12.0, now=12.0):
    return draw_frame(board, Drawing(columns, lines, color=color, unicode=unicode), elapsed=elapsed, now=now)


def texts(*arguments, **options):
    return [line.text for line in draw(*arguments, **options)]


BUSY = (
    end("load", "hit", why="same code, params and inputs"),
    begin("fit", 2.0),
    {"e": "progress", "node": "fit", "done": 5, "total": 20},
    {"e": "metrics", "node": "fit", "rows": [["loss", 0.5, 1, 3.0], ["loss", 0.25, 2, 4.0]]},
    end("bad", "failed", error="ValueError: \x1b[31mno", at=3.0),
    end("late", "skipped", why="not started: 'bad' failed", seconds=0),
)


def test_rows_tell_status_time_and_what_matters():
    assert texts(board_of(*BUSY)) == [
        "  ◌ load    1.0s  same code, params and inputs",
        "  ◐ fit    10.0s  ━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  25%  30.0s left  loss=0.25",
        "  ✗ bad     1.0s  ValueError: no",
        "  ⊘ late          not started: 'bad' failed",
        "  12.0s  3/4 tasks  1 running, 1 hit, 1 failed, 1 skipped  loss=0.25",
    ]


def test_ten_thousand_items_are_one_line_and_failures_are_not_lost_in_it():
    events = [
        end(f"embed[{i}]", "failed" if i % 3000 == 7 else "ok", error="bad" if i % 3000 == 7 else "")
        for i in range(9999)
    ]
    board = board_of({"e": "expect", "nodes": {"embed": 10_000}}, begin("embed", 0.0), *events)

    assert texts(board, columns=90) == [
        f"  ◐ embed {TIMES}10,000   12.0s  ━━━━━━━━━━━━━━━━━━━━  9,995 done, 4 failed  0.00s left",
        "  12.0s  9,999/10,000 tasks  1 running, 4 failed",
    ]
    board.apply(end("embed", at=13.0))
    assert texts(board)[0] == f"  ✗ embed {TIMES}10,000   13.0s  9,996 done, 4 failed  bad"


def test_more_rows_than_lines_fold_what_was_finished_first():
    events = [end(f"n{i}", at=float(i)) for i in range(30)]
    board = board_of(*events[:3], end("x", "failed", error="no"), *events[3:], begin("now", 9.0))
    shown = texts(board, lines=6)

    assert [line.split()[1] for line in shown[1:-1]] == ["x", "n28", "n29", "now"][-len(shown) + 2 :]
    assert shown[0] == "  … 28 more: 28 done"
    assert len(shown) == 6
    assert "now" in texts(board, lines=3)[1]
    assert len(texts(board, lines=1)) == 1


@pytest.mark.parametrize("columns", [1, 7, 20, 40, 41, 60, 80, 200])
@pytest.mark.parametrize("lines", [1, 2, 3, 5, 100])
def test_a_frame_is_never_larger_than_the_terminal(columns, lines):
    items = [end(f"名前の長いノード[{i}]") for i in range(5)]
    board = board_of(*BUSY, *items, begin("名前の長いノード[9]"), begin("a/very/long/path/of/a/node/that/does/not/fit"))
    frame = draw(board, columns, lines, color=True)

    assert len(frame) <= lines
    assert all(line.width <= columns for line in frame)
    plain = draw(board, columns, lines)
    assert [line.width for line in plain] == [line.width for line in frame]
    assert all(width(line.text) == line.width for line in plain)


def test_a_terminal_without_unicode_gets_ascii():
    assert all(line.isascii() for line in texts(board_of(*BUSY, end("größe")), 30, unicode=False))


def test_without_colour_nothing_is_coloured():
    assert "\x1b" not in "".join(texts(board_of(*BUSY)))
    assert "\x1b" in "".join(texts(board_of(*BUSY), color=True))


def test_retries_and_pipelines_count_once():
    board = board_of(begin("p", kind="pipeline"), begin("p/a"), begin("p/a"), end("p/a"), end("p", kind="pipeline"))

    assert board.running == 0
    assert texts(board)[-1] == "  12.0s  1 task"


class TestScreen:
    def test_a_frame_takes_the_place_of_the_one_before_in_one_write(self):
        writes = []
        stream = io.StringIO()
        stream.write = writes.append
        screen = Screen(stream)
        screen.draw([Line("one", 3), Line("two", 3)])
        screen.draw([Line("three", 5)], ["above"])

        assert writes == ["\rone\x1b[K\ntwo\x1b[K\n\x1b[J", "\x1b[2Fabove\x1b[K\nthree\x1b[K\n\x1b[J"]

    def test_a_terminal_that_became_narrower_has_folded_the_lines(self, monkeypatch):
        stream = io.StringIO()
        screen = Screen(stream)
        screen.draw([Line("x" * 70, 70), Line("", 0)])
        monkeypatch.setattr(screen, "size", lambda: (40, 10))
        screen.draw([])

        assert "\x1b[3F" in stream.getvalue()

    def test_a_terminal_that_is_gone_is_left_alone(self):
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w", buffering=1) as stream:
            screen = Screen(stream)
            screen.draw([Line("one", 3)])
            assert screen.is_gone
            screen.draw([Line("two", 3)])
            stream.buffer.raw.close()


class TestLines:
    def test_lines_are_given_whole_and_safe(self):
        lines = NodeLines()

        assert lines.feed("a", "one") == []
        assert lines.feed("b", "\x1b[31mother\x1b[0m\x00\n") == ["other"]
        assert lines.feed("a", " two\nthree\nfo") == ["one two", "three"]
        assert lines.feed("a", "ur\r") == []
        assert lines.feed("a", "five\n") == ["five"]
        assert lines.feed("b", "rest") == []
        assert list(lines.flush("a")) == []
        assert list(lines.flush()) == [("b", "rest")]
        assert list(lines.flush()) == []

    def test_a_line_without_end_is_given_in_pieces(self):
        lines = NodeLines()
        pieces = [line for _ in range(40) for line in lines.feed("a", "x" * 5000)]

        assert sum(map(len, pieces)) + sum(len(line) for _, line in lines.flush()) == 200_000
        assert max(map(len, pieces)) < 100_000

    def test_characters_may_be_torn_between_pieces(self):
        lines = NodeLines()
        data = "größe 名\n".encode() + b"\xff\n"

        assert "".join(lines.decode("a", data[i : i + 1]) for i in range(len(data))) == "größe 名\n\ufffd\n"

    def test_a_label_names_the_node_in_a_colour_of_its_own(self):
        assert label_of("a\x1b[2J/b", color=False) == "[a/b] "
        assert label_of("fit", color=True) == label_of("fit", color=True) != label_of("fit", color=False)
