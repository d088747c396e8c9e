"""Targets: what a name on the command line stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from finestflow.errors import UsageError
from finestflow.target import load_pipeline

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
