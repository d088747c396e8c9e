"""Seeds of the global random number generators, and seeing whether a call drew from them.

A call is seeded with H(run seed, key), so what it draws depends on neither order nor worker. Whether it drew is seen by comparing the next
draw with the one expected after seeding. Invariant: the user's own generator states are put back. Called by ``perform`` around each call.
Generators: ``random``, numpy's legacy global one, torch's CPU one; the latter two only when they are loaded. What cannot be seen: unseeded
``numpy.random.default_rng()``, ``uuid4``, ``os.urandom``, the time.
"""

from __future__ import annotations

import random
import sys
from typing import Any

__all__ = ["SeededGenerators"]

_FRESH = 624
"""Position of a Mersenne Twister that nobody has drawn from since it was seeded."""

_private = random.Random()  # noqa: S311 - seeds of experiments, not secrets


def _numpy_random() -> Any:
    """Return numpy's generators when numpy is loaded: it loads them itself at the first look, which would be too late to seed them."""
    numpy = sys.modules.get("numpy")
    return getattr(numpy, "random", None)


def _has_drawn(generators: Any) -> bool:
    """Whether numpy's generator, loaded during the call and so never seeded by us, has been drawn from or seeded since."""
    return generators is not None and generators.get_state()[2] != _FRESH


class SeededGenerators:
    """The global generators, seeded for one call."""

    __slots__ = (
        "_numpy",
        "_numpy_after",
        "_numpy_before",
        "_python_before",
        "_python_next",
        "_torch",
        "_torch_after",
        "_torch_before",
    )

    def __init__(self, seed: int) -> None:
        self._python_before = random.getstate()
        _private.seed(seed)
        self._python_next = _private.getrandbits(32)
        random.seed(seed)
        modules = sys.modules
        self._numpy: Any = _numpy_random()
        if self._numpy is not None:
            self._numpy_before = self._numpy.get_state()
            self._numpy.seed(seed)
            self._numpy_after = self._numpy.get_state()
        self._torch: Any = modules.get("torch")
        if self._torch is not None and hasattr(self._torch, "get_rng_state"):
            self._torch_before = self._torch.get_rng_state()
            self._torch.default_generator.manual_seed(seed)
            self._torch_after = self._torch.get_rng_state()
        else:
            self._torch = None

    def finish(self) -> bool:
        """Put the user's states back; return whether the call drew from any generator."""
        drew = random.getrandbits(32) != self._python_next
        random.setstate(self._python_before)
        if self._numpy is not None:
            now = self._numpy.get_state()
            drew = (
                drew
                or now[2] != self._numpy_after[2]
                or now[3] != self._numpy_after[3]
                or bool((now[1] != self._numpy_after[1]).any())
            )
            self._numpy.set_state(self._numpy_before)
        else:
            drew = drew or _has_drawn(sys.modules.get("numpy.random"))
        if self._torch is not None:
            drew = drew or not bool(self._torch.equal(self._torch.get_rng_state(), self._torch_after))
            self._torch.set_rng_state(self._torch_before)
        return drew
