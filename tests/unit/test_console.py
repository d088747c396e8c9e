"""What a program that calls a pipeline shows of the run."""

from __future__ import annotations

import io

from finestflow.console import Console

RUN = {"e": "run", "id": "k" * 12, "name": "brisk-lynx-41", "pipeline": "p", "started": 10.0}
END = {"e": "end", "status": "failed", "ended": 13.0}


def node(path, status="ok", **fields):
    return {"e": "node", "path": path, "task": "m:T", "status": status, "seconds": 1.0, "why": "first run", **fields}


def tell(console, *events):
    for event in (RUN, *events, END):
        console(event)


def test_a_line_tells_what_was_computed_and_hits_are_counted():
    err = io.StringIO()
    failed = node("fit", "failed", error="ValueError: \x1b[31mno")
    tell(
        Console(None, err), node("load", "hit"), node("p", kind="pipeline"), node("clean"), failed, node("x", "pending")
    )

    assert err.getvalue().splitlines() == [
        "  ok         1.0s  clean             first run",
        "  failed     1.0s  fit               ValueError: no",
        "brisk-lynx-41: failed in 3.0s, 3 tasks, 1 hit",
    ]


def test_of_many_calls_the_first_and_the_failed_have_a_line():
    err = io.StringIO()
    tell(Console(None, err), *(node(f"e/{i}", "failed" if i == 700 else "ok") for i in range(1000)))

    assert len(err.getvalue().splitlines()) == 10 + 1 + 1


def test_text_of_workers_is_shown_in_whole_lines_with_the_node_before_them():
    out = io.StringIO()
    texts = [("a", "one"), ("b", "two\nth"), ("", "body> "), ("a", " more\n"), ("b", "ree"), ("a", "rest")]
    tell(Console(out, None), *({"e": "text", "node": path, "text": text} for path, text in texts), node("b"))

    assert out.getvalue() == "[b] two\nbody> [a] one more\n[b] three\n[a] rest\n"


def test_text_of_this_process_is_left_to_itself():
    out = io.StringIO()
    tell(Console(None, out), {"e": "text", "node": "a", "text": "printed already\n"})

    assert "printed" not in out.getvalue()
