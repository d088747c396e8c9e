"""Which untracked files enter a snapshot."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from finestflow.git.selection import Excluded, digest_file, find_pattern, leave_out_crowds, omit

PATHS = st.sets(
    st.lists(st.sampled_from(string.ascii_lowercase[:4]), min_size=1, max_size=4).map("/".join), max_size=60
).map(lambda paths: [path.encode() + b".x" for path in paths])


@given(PATHS, st.integers(0, 30))
def test_at_most_the_limit_stays_and_what_goes_lies_in_a_named_folder(paths, limit):
    kept, gone = leave_out_crowds(paths, limit)
    assert len(kept) <= limit
    assert sorted(kept) == kept
    left = set(paths) - set(kept)
    assert sum(gone.values()) == len(left)
    for path in left:
        assert any(path.startswith(folder + b"/") if folder else b"/" not in path for folder in gone)


@given(PATHS)
def test_nothing_goes_while_the_limit_holds(paths):
    assert leave_out_crowds(paths, len(paths)) == (sorted(paths), {})


def test_the_deepest_folder_that_suffices_goes():
    paths = [b"src/a.py", *(b"src/cache/%d/%d" % (number % 4, number) for number in range(20))]
    kept, gone = leave_out_crowds(paths, 5)
    assert (kept, gone) == ([b"src/a.py"], {b"src/cache": 20})


def test_the_first_pattern_that_matches_is_named_with_its_folder():
    patterns = ("*.key", "secrets", "/build/*.o")
    assert find_pattern(b"a/b.key", patterns) == Excluded("*.key", None)
    assert find_pattern(b"a/secrets/b.key", ("secrets", "*.key")) == Excluded("secrets", b"a/secrets")
    assert find_pattern(b"build/x.o", patterns) == Excluded("/build/*.o", None)
    assert find_pattern(b"src/build/x.o", patterns) is None
    assert find_pattern(b"keys", patterns) is None
    assert find_pattern(b"x", ()) is None


def test_patterns_match_bytes_that_are_no_text():
    assert find_pattern(b"caf\xe9.key", ("*.key",)) == Excluded("*.key", None)
    assert find_pattern(b"line\nbreak.key", ("*.key",)) == Excluded("*.key", None)


def test_a_name_that_is_no_text_is_shown_with_escapes():
    assert omit(b"caf\xe9", "why").path == "caf\\xe9"


def test_the_digest_of_a_file_is_of_its_bytes_and_none_where_there_is_none(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    assert digest_file(str(tmp_path / "x")) == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert digest_file(str(tmp_path / "none")) is None
