"""Each edit of a small project is a hit or a miss as it must be, and says why."""

from pathlib import Path

import pytest

from finestflow.cache.components import explain
from tests.cache_edits.fingerprints import Fingerprints
from tests.cache_edits.scenarios import SCENARIOS, Scenario
from tests.sampling import sampled


@pytest.fixture(scope="module")
def fingerprints():
    with Fingerprints() as process:
        yield process


def written(scenario: Scenario, side: str, root: Path):
    """Write one side of a scenario and return the job that asks for its fingerprint."""
    for path, text in getattr(scenario, side).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return (str(root), scenario.entry, scenario.argument, scenario.paths)


@pytest.mark.parametrize("scenario", sampled(SCENARIOS, 40), ids=lambda scenario: scenario.name)
def test_an_edit_is_a_hit_or_a_miss_and_says_why(scenario: Scenario, fingerprints, tmp_path):
    before, after = (fingerprints.of(written(scenario, side, tmp_path / side)) for side in ("before", "after"))
    assert "error" not in before, before["error"]
    assert "error" not in after, after["error"]
    reasons = explain(before["components"], after["components"])
    if scenario.expected == "hit":
        assert before["hash"] == after["hash"], reasons
        assert reasons == []
    else:
        assert before["hash"] != after["hash"], before["components"]
        assert any(scenario.reason in reason for reason in reasons), reasons
    for answer in (before, after):
        assert any(scenario.note in note for note in answer["notes"] or [""]), answer["notes"]
        assert scenario.note or not answer["notes"], answer["notes"]


def test_scenarios_have_names_of_their_own():
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 40
