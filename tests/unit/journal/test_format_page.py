"""The page on the journal format shows what the code writes, to the letter."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from finestflow.journal.annotations import Annotation, dump_annotation
from finestflow.journal.message import format_message
from finestflow.journal.record import dump_record
from finestflow.journal.state import RunState

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "journal-format.md"
START = 1_795_338_842.25


def made_up(text: str, length: int = 64) -> str:
    return sha256(text.encode()).hexdigest()[:length]


def example() -> tuple[RunState, dict[str, bytes]]:
    """The run of the page."""
    load, fit = {"path": "load", "task": "digits:Load"}, {"path": "fit", "task": "digits:Fit"}
    omitted = {"path": "data/big.npy", "reason": "larger than 10 MB", "size": 64_000_128, "digest": made_up("big")}
    model = {"digest": made_up("model"), "object": made_up("object"), "size": 40_213, "type": "sklearn.svm:SVC"}
    parts = {"names": ["train", "test"], "parts": {"[0]": made_up("train"), "[1]": made_up("test")}}
    told = [
        {"e": "run", "id": "kzpqwvmnrsto", "name": "brisk-lynx-41", "pipeline": "digits", "target": "digits.py:Digits"}
        | {"started": START, "argv": ["digits.py"], "params": {"svm.C": 1.0, "svm.kind": "rbf"}, "seed": 7, "jobs": 4}
        | {"inputs": {"test_size": 0.25}, "input_digests": {"images": made_up("images")}, "executor": "process"}
        | {"environment": {"python": "3.12.1", "host": "lab", "packages": {"numpy": "2.4.6", "scikit-learn": "1.9.1"}}}
        | {"description": {"flow": "load >> fit", "tasks": {"fit": {"use": "digits:Fit", "C": 1.0}}}}
        | {"note": "try bigger C", "tags": ["wip"]},
        {"e": "snapshot", "tree": made_up("tree", 40), "base": made_up("base", 40), "branch": "main"}
        | {"changed": 2, "untracked": 1, "omitted": [omitted]},
        {"e": "node", **load, "status": "hit", "key": made_up("load"), "t": START + 0.15}
        | {"hit_of": "zzpmlkvvnorq", "output": {"digest": made_up("data"), "size": 812, "type": "tuple"} | parts},
        {"e": "start", **fit, "t": START + 0.2},
        *({"e": "metric", "node": "fit", "name": "loss", "value": value, "step": step, "t": START + step}
          for step, value in enumerate((0.9, 0.34, 0.21), start=1)),
        {"e": "node", **fit, "status": "ok", "key": made_up("fit"), "why": "first run", "seconds": 3.1, "cpu": 3.02, "memory": 214958080, "t": START + 3.3}
        | {"params": {"C": 1.0}, "code": {"digits.Fit.run": made_up("run"), "numpy": "2.4.6"}}
        | {"inputs": {"train": {"digest": made_up("train"), "from": "load[0]", "preview": "ndarray 1347x64"}}}
        | {"output": {**model, "preview": "SVC(C=1.0)"}},
        {"e": "metric", "name": "f1", "value": 0.972, "t": START + 192, "goal": "max"},
        {"e": "end", "status": "ok", "ended": START + 192.34, "outputs": {"model": "fit"}},
    ]  # fmt: skip
    state = RunState()
    for event in told:
        state.apply(event)
    return state, dump_record(state.run, {"fit": b"fitted\n"})


def blocks() -> dict[str, str]:
    """The code blocks that name what they show in a comment before them."""
    found = re.findall(r"<!-- shown: (\S+) -->\n+```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(found)


def expected() -> dict[str, str]:
    state, files = example()
    said = Annotation(
        name="best so far",
        note="C above 10 does not help",
        removed=True,
        star=True,
        tags=("paper",),
        untagged=("wip",),
        times={"removed": 1_795_339_001.5, "star": 1_795_338_990.0},
    )
    shown = {path: data.decode() for path, data in files.items()}
    return {**shown, "message": format_message(state.run), "annotation": dump_annotation(said).decode()}


@pytest.mark.parametrize("name", sorted(blocks()) or ["none"])
def test_a_block_of_the_page_is_what_is_written(name: str) -> None:
    assert blocks()[name] == expected()[name]


def test_every_file_of_the_example_is_shown() -> None:
    assert expected().keys() - blocks().keys() <= {"logs/fit.txt"}


def test_the_page_lists_every_event_that_is_understood() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in page for kind in RunState()._handlers)
