"""Edits that Python does not see: the same length, within a second."""

from __future__ import annotations

import os
import py_compile

import pytest

from finestflow.cache.code.modules import _has_old_bytecode


@pytest.mark.parametrize(
    ("text", "nanoseconds", "is_old"),
    [
        ("x = 1\n", 0, False),  # compiled after it was written
        ("x = 2\n", 500_000_000, True),  # written again in the second in which it was compiled
        ("x = 22\n", 500_000_000, False),  # another length: Python compiles it again
        ("x = 2\n", 3_000_000_000, False),  # another second: likewise
    ],
)
def test_bytecode_is_old_when_the_source_changed_after_it_and_python_cannot_tell(tmp_path, text, nanoseconds, is_old):
    source = tmp_path / "module.py"
    source.write_text("x = 1\n")
    os.utime(source, ns=(1_000_000_000, 1_000_000_000))
    cached = py_compile.compile(str(source))
    os.utime(cached, ns=(1_200_000_000, 1_200_000_000))
    source.write_text(text)
    written = 1_000_000_000 + nanoseconds
    os.utime(source, ns=(written, written))

    assert _has_old_bytecode(str(source), source.stat()) is is_old
