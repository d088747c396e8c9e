"""Generated pages are current, and complete."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load_generator():
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = load_generator()


@pytest.mark.parametrize("name", generator.PAGES)
def test_a_generated_page_is_current(name):
    assert (ROOT / "docs" / "reference" / name).read_text("utf-8") == generator.PAGES[name](), (
        "run: python docs/generate.py"
    )


def test_every_word_of_the_glossary_is_there_once():
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    words = [
        before
        for before, after in zip(text.splitlines(), text.splitlines()[1:], strict=False)
        if after.startswith("  ") and before[:1].isalpha()
    ]

    assert len(words) == len(set(words))
    assert words == sorted(words)


def test_every_dependency_has_a_line_that_says_why():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text("utf-8")
    for requirement in project["dependencies"]:
        name = requirement.split(">")[0]

        assert f"| {name} |" in page
