"""Targets: what a name on the command line stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from finestflow.errors import UsageError
from finestflow.target import import_file, load_pipeline, target_of

HEAD = "from finestflow import Each, Pipeline, Task\n"
PIPELINE = "class {name}(Pipeline):\n    def __call__(self):\n        return 1\n\n\n"


def test_a_file_with_one_pipeline_needs_no_class_name(tmp_path: Path) -> None:
    """What it imports from finestflow, such as ``Each``, is none of its pipelines."""
    (tmp_path / "only_one.py").write_text(HEAD + PIPELINE.format(name="Only"))

    assert type(load_pipeline("only_one.py", tmp_path)).__name__ == "Only"


def test_a_pipeline_that_a_file_imports_is_taken_where_it_has_none_itself(tmp_path: Path) -> None:
    """A file that only brings a pipeline and its settings together is one."""
    (tmp_path / "brings_it.py").write_text("from has_it import Brought\n")
    (tmp_path / "has_it.py").write_text(HEAD + PIPELINE.format(name="Brought"))

    assert type(load_pipeline("brings_it.py", tmp_path)).__name__ == "Brought"


def test_the_pipelines_of_a_file_with_several_are_listed(tmp_path: Path) -> None:
    """The hint lists what can be written, and nothing that the file imports from finestflow."""
    (tmp_path / "has_two.py").write_text(HEAD + PIPELINE.format(name="One") + PIPELINE.format(name="Two"))

    with pytest.raises(UsageError, match="several pipelines") as caught:
        load_pipeline("has_two.py", tmp_path)

    assert caught.value.hint == "name one: has_two.py:One, has_two.py:Two"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A project with its package below ``src``, which is not installed."""
    folder = tmp_path / "src" / f"app_{tmp_path.name}"
    folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (folder / "__init__.py").touch()
    (folder / "words.py").write_text("WORD = 'from the package'\n")
    flow = HEAD + "from .words import WORD\n\n" + PIPELINE.format(name="Flow").replace("return 1", "return WORD")
    (folder / "flow.py").write_text(flow)
    return folder


def test_a_file_of_a_package_is_a_module_of_it(package: Path, tmp_path: Path) -> None:
    """It imports its neighbours relatively, and is the same module as by its dotted name."""
    place = f"src/{package.name}/flow.py"

    flow = load_pipeline(f"{place}:Flow", tmp_path)

    assert type(flow).__module__ == f"{package.name}.flow"
    assert type(load_pipeline(f"{package.name}.flow:Flow", tmp_path)) is type(flow)
    assert target_of(flow, tmp_path) == f"{place}:Flow"


def test_a_script_of_a_package_may_import_its_neighbours_as_scripts_do(package: Path, tmp_path: Path) -> None:
    """``import neighbour`` works for ``python pkg/script.py``, so it does here."""
    (package / f"beside_{package.name}.py").write_text("VALUE = 3\n")
    (package / "script.py").write_text(f"from beside_{package.name} import VALUE\n")

    assert import_file(package / "script.py").VALUE == 3


def test_the_top_of_a_work_tree_is_no_package(package: Path, tmp_path: Path) -> None:
    """What its folder is called differs between clones."""
    (tmp_path / "__init__.py").touch()
    (tmp_path / "at_the_top.py").touch()

    assert import_file(tmp_path / "at_the_top.py").__name__ == "at_the_top"


def test_a_file_that_does_not_parse_is_named_with_its_line_once(tmp_path: Path) -> None:
    (tmp_path / "half_done.py").write_text("x = 1\ny = (\n")

    with pytest.raises(UsageError, match=r"raised SyntaxError: .* \(.*half_done.py, line 2\)") as caught:
        load_pipeline("half_done.py", tmp_path)

    assert str(caught.value).count("line 2") == 1
