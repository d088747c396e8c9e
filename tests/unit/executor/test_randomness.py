"""Seeding the global generators for a call, and seeing whether it drew."""

# ruff: noqa: NPY002 - the legacy generators are what is tested

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from finestflow.executor import randomness
from finestflow.executor.randomness import SeededGenerators


@pytest.fixture(autouse=True, params=["memory", "state"])
def generators_of_others(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the generators of the other tests alone; look at the words of ``random`` in memory, or ask for its state."""
    if request.param == "state":
        monkeypatch.setattr(randomness, "_access", lambda: randomness._Access(random.getstate, random.setstate))
    state, legacy, bits = random.getstate(), np.random.get_state(), np.random.get_bit_generator()
    yield
    random.setstate(state)
    np.random.set_bit_generator(bits)
    np.random.set_state(legacy)


def nothing() -> None:
    """Draw nothing."""


DRAWS: list[Callable[[], Any]] = [
    random.random,
    lambda: random.gauss(0, 1),
    lambda: random.shuffle([1, 2, 3]),
    lambda: random.seed(3),
    np.random.random,
    np.random.normal,
    lambda: np.random.seed(3),
    lambda: np.random.set_bit_generator(np.random.MT19937(3)),
]


def call(seed: int, *actions: Callable[[], Any]) -> tuple[list[Any], bool]:
    """Return what a seeded call draws, and whether that was seen."""
    generators = SeededGenerators(seed)
    drawn = [action() for action in actions]
    return drawn, generators.finish()


@pytest.mark.parametrize("draw", DRAWS)
def test_a_draw_is_seen(draw: Callable[[], Any]) -> None:
    assert call(7, draw)[1]


def test_no_draw_is_seen_where_there_is_none() -> None:
    assert not call(7, nothing)[1]
    assert not call(7, lambda: np.random.default_rng(3).random())[1]


def test_a_call_draws_what_its_seed_says_whatever_came_before() -> None:
    draws = (random.random, np.random.random, np.random.normal, np.random.normal)
    first = call(7, *draws)
    random.seed(1)
    np.random.seed(1)
    np.random.normal()
    call(8, *draws)
    assert call(7, *draws) == first
    assert call(9, *draws) != first


def test_the_words_of_random_are_found_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert randomness._access().read is not random.getstate


@pytest.mark.parametrize("draws", [0, 1, 623, 624, 625])
def test_the_state_of_random_is_put_back_to_the_letter(draws: int) -> None:
    random.seed(5)
    for _ in range(draws):
        random.getrandbits(32)
    state = random.getstate()
    for _ in range(2):
        call(7, random.random)
        assert random.getstate() == state


BETWEEN: list[Callable[[], Any]] = [
    nothing,
    random.random,
    lambda: random.gauss(0, 1),
    lambda: random.seed(11),
    lambda: random.getrandbits(32 * 623),
    np.random.random,
    np.random.normal,
    lambda: np.random.seed(11),
    lambda: np.random.set_bit_generator(np.random.PCG64(11)),
]


@pytest.mark.parametrize("seed", range(3))
def test_the_users_generators_go_on_as_if_no_call_had_been(seed: int) -> None:
    def body(between: Callable[[], Any]) -> list[Any]:
        """Draw in the body of a pipeline, with something between the draws."""
        np.random.set_bit_generator(np.random.MT19937(0))
        random.seed(seed)
        np.random.seed(seed)
        order = [*BETWEEN, *BETWEEN[::-1], *BETWEEN, *BETWEEN]
        random.Random(seed).shuffle(order)
        found = []
        for action in order:
            between()
            found.append(hash(action()))
            between()
            found += [random.gauss(0, 1), np.random.normal()] if action is nothing else []
        return found

    def calls() -> None:
        for at in range(3):
            call(at, *(DRAWS if at else ()))

    assert body(calls) == body(nothing)


def test_calls_inside_calls_have_generators_of_their_own() -> None:
    draws = (random.random, np.random.random)
    alone = call(7, *draws, *draws)
    assert call(7, *draws, lambda: call(8, *draws), *draws)[0][:2] == alone[0][:2]
    nested = call(7, *draws, lambda: call(8, *draws), *draws)
    assert [nested[0][index] for index in (0, 1, 3, 4)] == alone[0]
    assert nested[0][2] == call(8, *draws)
    assert not call(7, lambda: call(8, *draws))[1]
