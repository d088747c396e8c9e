"""A handle that is there already, for tests of what an Output does with its value."""

from __future__ import annotations

from finestflow.pipeline.output import Output, take_part

__all__ = ["FakeHandle", "output_of"]


class FakeHandle:
    """Counts looks; knows the children of lists and tuples when told to."""

    def __init__(self, value, path="fit", knows_children=True):
        self.path = path
        self.looks = 0
        self._value = value
        self._knows_children = knows_children

    def value(self, part):
        self.looks += 1
        return take_part(self._value, part)

    def children(self, part):
        value = take_part(self._value, part)
        return tuple(range(len(value))) if self._knows_children and isinstance(value, (list, tuple)) else None

    def describe(self):
        return "ok"


def output_of(value, **options):
    """Return an Output that stands for a plain value."""
    return Output(FakeHandle(value, **options))
