"""The table of keys is whole: each is described, bound, listed by help, pressed in some test, and clashes with no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding

from finestflow_tui.bindings import bindings, bindings_of_app
from finestflow_tui.keys import FOOTERS, KEYS, LEADERS, iter_keys, key_text
from finestflow_tui.text import plain_text, width
from finestflow_tui.widgets.rows import RowsView
from tests.sampling import slow
from tests.tui.driving import drive, run

SCREENS = ("runs", "run", "diff", "compare", "cache", "trash", "reproduce")


def test_keys_of_a_screen_do_not_clash_and_say_what_they_do():
    ids = [key.id for key in KEYS]
    assert len(ids) == len(set(ids))
    for where in (*SCREENS, "table", "rows", "graph"):
        pressed = [each for key in iter_keys(where) for each in key.keys.split(",")]
        assert len(pressed) == len(set(pressed)), where
    for key in KEYS:
        assert key.help.endswith("."), key
        assert len(key.text) <= 14, key
        assert key_text(key.keys), key
    for screen in SCREENS:
        assert set(FOOTERS[screen]) <= {key.id for key in (*iter_keys(screen), *iter_keys("table"))}, screen
    for choices in LEADERS.values():
        assert len({choice.key for choice in choices}) == len(choices)


def test_every_key_is_described_and_pressed_in_some_test():
    """A key has a sentence for help, a binding with its id and that sentence, and a test that presses it; in ASCII it is written in ASCII."""
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py")))
    for key in KEYS:
        names = key.keys.replace("full_stop", ".").split(",")
        assert any(f'"{name}"' in tests for name in names), key.id
        assert key_text(key.keys, is_ascii=True).isascii(), key.id
        for where in key.where:
            made = [*bindings(where), *bindings_of_app()]
            by_id = {binding.id: binding for binding in made if isinstance(binding, Binding)}
            found = by_id[key.id if key.id != "tab" else "tab-1"]
            assert found.tooltip == key.help, key.id
            assert found.description, key.id


@pytest.mark.parametrize("environ", [{}, *slow([{"FINESTFLOW_ASCII": "1"}])])
def test_help_lists_every_key_of_a_screen_in_a_column(lab, environ):
    """? names each key of the screen and of the pane that has the keys, with what it does from one column on; the foot fits 80 columns."""

    async def body():
        async with drive(lab, (80, 24), environ=environ) as ui:
            assert width(ui.foot) <= 80
            assert ui.foot.endswith("? keys")
            await ui.press("?")
            rows = [plain_text(row) for row in ui.app.screen._view.rows]
            for key in {**{key.id: key for key in (*iter_keys("runs"), *iter_keys("table"))}}.values():
                start = f"  {key_text(key.keys, is_ascii=bool(environ)):<12}"
                assert any(row.startswith(start + key.help[:20]) for row in rows), key.id

    run(body)


def test_every_key_of_a_screen_has_its_action():
    from finestflow_tui.screens.cache import CacheScreen
    from finestflow_tui.screens.compare import CompareScreen
    from finestflow_tui.screens.diff import DiffScreen
    from finestflow_tui.screens.reproduce import ReproduceScreen
    from finestflow_tui.screens.run import RunScreen
    from finestflow_tui.screens.runs import RunsScreen
    from finestflow_tui.screens.trash import TrashScreen
    from finestflow_tui.widgets.dagview import DagView
    from finestflow_tui.widgets.table import RunTable

    places = {
        screen.NAME: screen
        for screen in (CacheScreen, CompareScreen, DiffScreen, ReproduceScreen, RunScreen, RunsScreen, TrashScreen)
    }
    for where, cls in {**places, "table": RunTable, "rows": RowsView, "graph": DagView}.items():
        for key in iter_keys(where):
            assert hasattr(cls, f"action_{key.action.partition('(')[0]}"), (where, key.id)


@pytest.mark.slow
def test_each_question_names_its_keys(lab):
    """Over every screen a question says what enter does and what leaves it; while a query is typed the foot says so."""

    async def body():
        async with drive(lab, (80, 24)) as ui:
            for keys in (("+",), ("?",), ("ctrl+p",), (":",), ("t",), ("m",), ("E",), ("g",), ("y",), ("comma",)):
                await ui.press(*keys)
                assert "esc leaves" in ui.text, keys
                assert keys[0] in {"g", "y", "comma"} or "⏎ " in ui.text.split("esc leaves", maxsplit=1)[0][-60:], keys
                await ui.press("escape")
            await ui.press("/")
            assert ui.foot.startswith("⏎ keeps the filter   esc as it was")
            await ui.press("escape")
            assert ui.foot.endswith("? keys")

    run(body)
