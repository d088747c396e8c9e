"""``RUN:node.output``."""

from __future__ import annotations

import pytest

from finestflow.cli._address import find_node, split_address
from finestflow.errors import NotFoundError, UsageError
from finestflow.model import Digest, NodeRecord, OutputRecord, Run, RunId, RunStatus, RunSummary


@pytest.fixture
def run() -> Run:
    summary = RunSummary(
        id=RunId("k" * 12), name="brisk-lynx-41", pipeline="p", status=RunStatus.OK, started=0.0, seconds=1.0
    )
    parts = {"load": "[0]", "train/fit": ".model", "embed[3]": ".x", "fit.final": "['a']"}
    nodes = {
        path: NodeRecord(path=path, task="t", output=OutputRecord(None, parts={part: Digest("d")}, names=("train",)))
        for path, part in parts.items()
    }
    return Run(summary=summary, nodes=nodes, outputs={"best": "train/fit.model"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("@", ("@", "")), ("@:fit", ("@", "fit")), (":fit", ("@", "fit")), ("x:a/b[0].c", ("x", "a/b[0].c"))],
)
def test_splits_at_the_first_colon(text, expected):
    assert split_address(text) == expected


def test_a_node_that_is_needed_and_missing_is_a_usage_error():
    with pytest.raises(UsageError, match="names no node"):
        split_address("@", needs_node=True)


@pytest.mark.parametrize(
    ("text", "path", "part"),
    [
        ("load", "load", ""),
        ("load[0]", "load", "[0]"),
        ("load.train", "load", "[0]"),
        ("train/fit.model", "train/fit", ".model"),
        ("embed[3]", "embed[3]", ""),
        ("embed[3].x", "embed[3]", ".x"),
        ("fit.final", "fit.final", ""),
        ("fit.final.a", "fit.final", "['a']"),
        ("best", "train/fit", ".model"),
    ],
)
def test_finds_node_and_part(run, text, path, part):
    node, found = find_node(run, text)

    assert (node.path, found) == (path, part)


def test_an_unknown_node_suggests_the_nearest(run):
    with pytest.raises(NotFoundError) as caught:
        find_node(run, "laod")

    assert caught.value.hint == "did you mean 'load'?"
