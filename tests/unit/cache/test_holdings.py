"""What the values of the store are called."""

from __future__ import annotations

from finestflow.cache.holdings import CODE, LOG, join_held
from finestflow.cache.rows import Entry
from finestflow.cache.store import ValueInfo


def info(digest: str, kind: str = "str") -> ValueInfo:
    return ValueInfo(digest, (), None, None, None, 10, kind, "'...'")


def test_a_log_and_what_a_call_depends_on_are_told_from_outputs():
    """Also where an output has the same text as a log: then it is an output."""
    about = '{"about":"cc","classes":{"a:A":"dd"}}'
    entries = [
        Entry("k1", (), "aa", "run-1", 2.0, '{"log":"bb"}', about),
        Entry("k2", (), "ee", "run-2", 1.0, '{"log":"ee"}', '{"about":"cc"}'),
    ]
    held = {each.info.digest: each for each in join_held(map(info, ("aa", "bb", "cc", "dd", "ee", "ff")), entries)}
    assert [held[digest].kind for digest in held] == ["", LOG, CODE, CODE, "", ""]
    assert (held["cc"].entries, held["cc"].run, held["cc"].seconds) == (2, "run-1", 0.0)
    assert (held["aa"].type, held["bb"].type) == ("str", LOG)
    assert held["ff"].entries == 0
