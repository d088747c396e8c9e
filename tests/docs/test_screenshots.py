"""The pictures of the documentation say what the program says."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

PLACE = Path(__file__).parents[2] / "docs" / "screenshots.py"


@pytest.mark.slow
def test_the_pictures_of_the_terminal_ui_are_those_that_the_program_makes(tmp_path):
    """Made anew from real runs of the digits example, each picture has the same words; fonts and colours are not compared."""
    for library in ("sklearn", "matplotlib"):
        pytest.importorskip(library)
    spec = importlib.util.spec_from_file_location("screenshots", PLACE)
    assert spec is not None
    assert spec.loader is not None
    screenshots = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(screenshots)
    pictures = asyncio.run(screenshots.take(screenshots.make_lab(tmp_path)))
    assert set(pictures) == {path.stem for path in screenshots.IMAGES.glob("tui-*.svg")}
    for name, picture in pictures.items():
        stored = (screenshots.IMAGES / f"{name}.svg").read_text(encoding="utf-8")
        assert screenshots.words_of(picture) == screenshots.words_of(stored), (
            f'{name}: run "python docs/screenshots.py"'
        )


def test_each_picture_of_the_terminal_ui_is_shown():
    """No picture is kept that no page shows, and no page shows one that is not there."""
    root = PLACE.parents[1]
    pages = [root / "README.md", *(root / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if "_build" not in page.parts)
    for path in (root / "docs" / "images").glob("tui-*.svg"):
        assert f"images/{path.name}" in text, path.name
