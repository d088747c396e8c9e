"""What code names, put together."""

from __future__ import annotations

from dataclasses import fields

import pytest

from finestflow.cache.code.scopes import Names


@pytest.mark.parametrize("computed", [(False, False), (True, False), (False, True), (True, True)])
def test_names_that_are_put_together_are_all_that_either_part_has(computed: tuple[bool, bool]) -> None:
    sets = [field.name for field in fields(Names) if field.name != "computed"]
    whole = Names(**{name: {("a",)} for name in sets}, computed=computed[0])
    whole.add(Names(**{name: {("b",)} for name in sets}, computed=computed[1]))

    kept = {name: getattr(whole, name) for name in sets if name != "stored"}
    assert kept == {name: {("a",), ("b",)} for name in sets if name != "stored"}
    assert whole.computed is any(computed)
