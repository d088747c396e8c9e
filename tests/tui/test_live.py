"""A real run of the digits example, started beside the terminal UI: it is followed without a row that moves and without flicker."""

from __future__ import annotations

import pytest

from tests.bench.live import build, follow, open_screen


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    pytest.importorskip("sklearn")
    found = open_screen(build(tmp_path_factory.mktemp("live")))
    yield found
    found.terminal.close()


@pytest.mark.stress
@pytest.mark.timeout(1800)  # two runs are built and three followed, however busy the machine is
@pytest.mark.parametrize("kills", [False, True], ids=["ends", "killed"])
def test_a_run_is_followed_to_its_end(screen, kills):
    """The row under the cursor stays on its line, nothing is wiped, no cell is something else for an instant; what is written is bounded."""
    found = follow(screen, kills=kills)
    assert found.stayed
    assert not found.wipes
    columns = {column for _, column, _ in found.flickers}
    assert len(columns) <= 1, (
        found.flickers
    )  # the thumb of the scroll bar, drawn in eighths, may go there and back by one of them
    assert found.bytes_per_second < 100_000
