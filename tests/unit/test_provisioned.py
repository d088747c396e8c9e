"""Environments that were built: measured, and deleted when nobody uses them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from finestflow.journal.lock import hold_lock
from finestflow.provisioned import find_ready, iter_built, mark_ready, remove_built, used

DAY = 86400


def build(folder: Path, name: str, *, days: float = 0) -> Path:
    """An environment of two packages that was last used so many days ago."""
    home = folder / name
    place = home / "abcd"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").write_bytes(b"x" * 100)
    mark_ready(home, place, ["a==1", "b==2"])
    then = time.time() - days * DAY
    os.utime(home / "ready", (then, then))
    return home


def test_environments_are_told_with_size_and_last_use(tmp_path: Path) -> None:
    """Also one that was built before sizes were written, and not one that was never finished."""
    old, new = build(tmp_path, "old", days=40), build(tmp_path, "new")
    (old / "bytes").unlink()
    (tmp_path / "half" / "abcd").mkdir(parents=True)

    built = list(iter_built(tmp_path))

    assert [(each.home, each.packages) for each in built] == [(old, 2), (new, 2)]
    assert [each.bytes >= 100 for each in built] == [True, True]
    assert built[0].used == pytest.approx(time.time() - 40 * DAY, abs=60)


def test_an_environment_that_is_looked_for_counts_as_used(tmp_path: Path) -> None:
    home = build(tmp_path, "old", days=40)
    assert find_ready(home) == home / "abcd"
    assert next(iter_built(tmp_path)).used > time.time() - 60


def test_an_environment_goes_unless_somebody_builds_or_uses_it(tmp_path: Path) -> None:
    home = build(tmp_path, "old", days=40)
    [built] = iter_built(tmp_path)
    with used(home):
        assert not remove_built(built)
    with hold_lock(home):
        assert not remove_built(built)
    assert find_ready(home) is not None

    assert remove_built(built)

    assert find_ready(home) is None
    assert [path.name for path in home.iterdir()] == ["lock"]
    assert list(iter_built(tmp_path)) == []
