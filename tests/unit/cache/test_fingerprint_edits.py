"""Each edit of a small project is a hit or a miss as it must be, and says why."""

import pytest

from finestflow.cache.fingerprint import explain
from tests.cache_edits.fingerprints import fingerprint_projects
from tests.cache_edits.scenarios import SCENARIOS, Scenario


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    jobs = []
    for index, scenario in enumerate(SCENARIOS):
        for side in ("before", "after"):
            root = folder / f"{index}-{side}"
            for path, text in getattr(scenario, side).items():
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            jobs.append((str(root), scenario.entry, scenario.argument, scenario.paths))
    found = fingerprint_projects(jobs)
    return {scenario.name: (found[2 * i], found[2 * i + 1]) for i, scenario in enumerate(SCENARIOS)}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_edit_is_a_hit_or_a_miss_and_says_why(scenario: Scenario, answers):
    before, after = answers[scenario.name]
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
