"""The metrics that say most of a run."""

from __future__ import annotations

import pytest

from finestflow.journal.headline import format_headline


@pytest.mark.parametrize(
    ("metrics", "line"),
    [
        ({"fit/loss": 0.5, "f1": 0.9, "pick/f1": 0.8}, "f1=0.9  pick/f1=0.8  loss=0.5"),
        ({"ask/0/tokens": 2, "judge/score": 3.25, "ask/1/tokens": 7}, "score=3.25"),
        ({"ask[1]/tokens": 2, "judge/score": 3.25}, "score=3.25"),
        ({"ask/0/tokens": 2, "ask/1/tokens": 7}, "ask/1/tokens=7  ask/0/tokens=2"),
        ({}, ""),
    ],
)
def test_a_headline_names_the_run_then_its_last_nodes_and_items_only_alone(
    metrics: dict[str, float], line: str
) -> None:
    """What thousands of items report says nothing of the run that one of them would not crowd out."""
    assert format_headline(metrics) == line
