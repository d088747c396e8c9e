"""Names of runs."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finestflow.journal.names import (
    family_of,
    is_run_id,
    new_run_id,
    new_run_name,
    quote_name,
    unquote_name,
)
from finestflow.journal.prefixes import shortest_prefixes
from finestflow.journal.words import ADJECTIVES, ANIMALS


def test_a_run_id_is_twelve_letters_that_no_commit_id_has() -> None:
    assert new_run_id(bytes([0x01, 0x23, 0x45, 0x67, 0x89, 0xAB])) == "klmnopqrstuv"
    assert is_run_id(new_run_id(os.urandom(6)))
    assert is_run_id(new_run_id(os.urandom(7)))  # what is too much is not looked at
    assert not set(new_run_id(os.urandom(6))) & set("0123456789abcdef")


def test_a_run_id_of_too_few_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="6 random bytes"):
        new_run_id(b"12345")


def test_a_name_is_adjective_animal_number() -> None:
    step = len(ADJECTIVES) * len(ANIMALS)
    names = [new_run_name((step * turn).to_bytes(4, "big")).split("-") for turn in range(201)]
    assert {number for _, _, number in names} == {f"{number:02d}" for number in range(100)}
    assert all(adjective in ADJECTIVES and animal in ANIMALS for adjective, animal, _ in names)


def test_the_words_of_names_are_distinct_lower_case_and_short() -> None:
    for words in (ADJECTIVES, ANIMALS):
        assert len(set(words)) == len(words)
        assert all(word.isascii() and word.isalpha() and word.islower() and len(word) < 11 for word in words)


@given(st.lists(st.text("kl", min_size=12, max_size=12), max_size=20))
def test_prefixes_are_the_shortest_that_are_unique(ids: list[str]) -> None:
    for each, prefix in shortest_prefixes(ids).items():
        assert [other for other in set(ids) if other.startswith(prefix)] == [each]
        assert len(prefix) >= 4
        if len(prefix) > 4:
            assert sum(other.startswith(prefix[:-1]) for other in set(ids)) > 1


@given(st.text(), st.text())
def test_file_names_of_two_names_differ_where_case_is_folded(left: str, right: str) -> None:
    if left != right:
        assert quote_name(left).casefold() != quote_name(right).casefold()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_short_name_can_be_read_from_its_file_name(name: str) -> None:
    if len(quote_name(name)) <= 120:
        assert unquote_name(quote_name(name)) == name


@given(st.text(max_size=300))
def test_a_file_name_is_safe_and_short(name: str) -> None:
    quoted = quote_name(name)
    assert 0 < len(quoted) < 150
    assert not quoted.startswith(".")
    assert "/" not in quoted
    assert quoted.isascii()


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("embed", None), ("a/b", None), ("embed/3", "embed"), ("a/embed/12", "a/embed"), ("embed/3/clean", "embed"),
        ("fit[1]", "fit"), ("a/fit[10]", "a/fit"), ("embed/3/fit[1]", "embed"), ("fit[1]/0", "fit[1]"), ("fit/3d", None),
        ("a\nb[0]", "a\nb"),
    ],
)  # fmt: skip
def test_items_and_repeats_of_a_node_are_a_family(path: str, family: str | None) -> None:
    assert family_of(path) == family
