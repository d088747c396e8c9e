"""Seeds of the global random number generators, and seeing whether a call drew from them.

A call is seeded with H(run seed, key), so what it draws depends on neither order nor worker. Whether it drew is seen by comparing the generators
with what they were after seeding. Invariant: the user's own generators go on afterwards as if the call had not been. Called by ``perform``
around each call.
Generators: ``random``, numpy's legacy global one, torch's CPU one; the latter two only when they are loaded. What cannot be seen: unseeded
``numpy.random.default_rng()``, ``uuid4``, ``os.urandom``, the time.

Reading the 624 words of a Mersenne Twister takes 7 us in ``random`` and 24 us in numpy, writing them 2 and 26. So they are read where they lie in
memory (0.1 us), and those of ``random`` are put back there; numpy's are not touched: another bit generator takes its place for the call.
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

__all__ = ["SeededGenerators"]


class _Other(Protocol):
    """The global generator of a library, seeded for one call."""

    def finish(self) -> bool:
        """Put the user's back; return whether the call drew."""


_generator: Any = random.seed.__self__  # type: ignore[attr-defined]
_seed = super(random.Random, _generator).seed
"""Without what ``random.Random.seed`` adds for texts, which takes a microsecond."""


class _Access(NamedTuple):
    """How the state of ``random`` is read and put back."""

    read: Callable[[], Any]
    write: Callable[[Any], None]


@functools.cache
def _access() -> _Access:
    """Return the way to the words of ``random`` in memory, where it can be shown that they are there."""
    probe = random.Random(1)  # noqa: S311 - no secret
    words, inside = _words_of(_generator), _words_of(probe)
    if words is not None and inside is not None:
        fresh, number, drawn = inside.tobytes(), probe.getrandbits(32), inside.tobytes()
        inside[:] = fresh
        if drawn != fresh and probe.getrandbits(32) == number and inside.tobytes() == drawn:
            return _Access(words.tobytes, functools.partial(words.__setitem__, slice(None)))
    return _Access(random.getstate, random.setstate)


def _words_of(generator: random.Random) -> memoryview | None:
    """Return the memory behind the head of the object, where CPython has a position and 624 words."""
    head, size = object.__basicsize__, random.Random.__mro__[1].__basicsize__
    return _memory(id(generator) + head, size - head) if sys.implementation.name == "cpython" else None


def _memory(start: int, size: int) -> memoryview | None:
    """Return the memory at an address; None in a Python that was built without ``ctypes``."""
    try:
        from ctypes import c_char
    except ImportError:
        return None
    return memoryview((c_char * size).from_address(start)).cast("B")


class SeededGenerators:
    """The global generators, seeded for one call.

    Args:
        seed: Seed of the call, below 2**32.
    """

    __slots__ = ("_after", "_before", "_has_numpy", "_others")

    def __init__(self, seed: int) -> None:
        read = _access().read
        self._before = read(), _generator.gauss_next
        _seed(seed)
        _generator.gauss_next = None
        self._after = read()
        self._others: list[_Other] = []
        modules = sys.modules
        numpy = modules.get("numpy")
        # numpy loads its generators itself at the first look, which would be too late to seed them
        self._has_numpy = getattr(numpy, "random", None) is not None
        if self._has_numpy:
            self._others.append(_Numpy(numpy, seed))
        if "torch" in modules and hasattr(modules["torch"], "get_rng_state"):
            self._others.append(_Torch(modules["torch"], seed))

    def finish(self) -> bool:
        """Put the user's generators back; return whether the call drew from any."""
        read, write = _access()
        drew: bool = read() != self._after
        words, kept_normal = self._before
        write(words)
        _generator.gauss_next = kept_normal
        if not self._has_numpy and _has_drawn(sys.modules.get("numpy.random")):
            drew = True
        for other in self._others:
            drew = other.finish() or drew
        return drew


# -- numpy -------------------------------------------------------------------------------------------------------------


class _StandIn:
    """A bit generator that numpy's functions draw from during a call, and its twin."""

    __slots__ = ("_seeder", "_twin", "_twin_seeder", "bits")

    def __init__(self, module: Any) -> None:
        self.bits, self._twin = module.MT19937(0), module.MT19937(0)
        self._seeder, self._twin_seeder = module.RandomState(self.bits), module.RandomState(self._twin)

    def seed(self, seed: int) -> None:
        self._seeder.seed(seed)
        self._twin_seeder.seed(seed)

    def has_drawn(self) -> bool:
        return bool(self.bits.random_raw() != self._twin.random_raw())


_idle: list[_StandIn] = []
_WORDS = 2500
"""Bytes of the state of numpy's MT19937: 624 words and a position."""


class _Numpy:
    __slots__ = ("_before", "_module", "_stand_in", "_users")

    _looked: tuple[Any, memoryview, bytes] | None = None
    """The user's bit generator, its memory and its words when half a pair of normal numbers was last seen not to be kept."""

    def __init__(self, numpy: Any, seed: int) -> None:
        self._module = module = numpy.random
        self._stand_in = _idle.pop() if _idle else _StandIn(module)
        self._stand_in.seed(seed)
        self._users = _bits_of(module)
        self._before = self._kept_normal()
        _set_bits(module, self._stand_in.bits)

    def _kept_normal(self) -> Any:
        """Return the whole state where the other half of a pair of normal numbers is kept: that would be lost by the exchange."""
        looked = _Numpy._looked
        if looked is not None and looked[0] is self._users and looked[1].tobytes() == looked[2]:
            return None
        state, _Numpy._looked = self._module.get_state(legacy=False), None
        if state["has_gauss"]:
            return state
        if type(self._users) is self._module.MT19937:
            memory = _memory(self._users.ctypes.state_address, _WORDS)
            _Numpy._looked = None if memory is None else (self._users, memory, memory.tobytes())
        return None

    def finish(self) -> bool:
        drew = _bits_of(self._module) is not self._stand_in.bits or self._stand_in.has_drawn()
        _set_bits(self._module, self._users)
        if self._before is not None:
            self._module.set_state(self._before)
        _idle.append(self._stand_in)
        return drew


def _bits_of(module: Any) -> Any:
    """Return the bit generator of numpy's global functions; numpy before 1.24 has no name for that."""
    get = getattr(module, "get_bit_generator", None)
    return get() if get is not None else module.mtrand._rand._bit_generator  # noqa: SLF001


def _set_bits(module: Any, bits: Any) -> None:
    put = getattr(module, "set_bit_generator", None) or module.mtrand._rand.__init__  # noqa: SLF001
    put(bits)


def _has_drawn(module: Any) -> bool:
    """Whether numpy's generator, loaded during the call and so never seeded by us, has been drawn from or seeded since."""
    fresh = 624
    return module is not None and module.get_state()[2] != fresh


# -- torch -------------------------------------------------------------------------------------------------------------


class _Torch:
    __slots__ = ("_after", "_before", "_torch")

    def __init__(self, torch: Any, seed: int) -> None:
        self._torch = torch
        self._before = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        self._after = torch.get_rng_state()

    def finish(self) -> bool:
        drew = not bool(self._torch.equal(self._torch.get_rng_state(), self._after))
        self._torch.set_rng_state(self._before)
        return drew
