"""Scratch folders: each goes with its process, at the latest when the next one comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from finestflow.scratch import Scratch

HOLD = "import sys; from finestflow.scratch import Scratch; made = Scratch(sys.argv[1]); print(made.path, flush=True); input()"


@pytest.fixture
def owner(tmp_path):
    """A process with a scratch folder, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_folder_goes_when_it_is_closed(tmp_path):
    made = Scratch(str(tmp_path))
    (made.path / "file").write_text("x")
    made.close()
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_process_that_lives_stays_and_that_of_a_killed_one_goes_with_the_next(tmp_path, owner):
    process, folder = owner
    Scratch(str(tmp_path)).close()
    assert os.path.isdir(folder)

    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.path.isdir(folder)
    Scratch(str(tmp_path)).close()
    assert list(tmp_path.iterdir()) == []


def test_two_folders_of_one_process_do_not_take_each_other_for_leftovers(tmp_path):
    one, other = Scratch(str(tmp_path)), Scratch(str(tmp_path))
    assert one.path.is_dir()
    one.close()
    other.close()


def test_a_forked_child_neither_removes_the_folder_nor_leaves_it_unlocked(tmp_path):
    made = Scratch(str(tmp_path))
    child = os.fork()
    if not child:
        made.close()
        os._exit(0)
    os.waitpid(child, 0)
    Scratch(str(tmp_path)).close()
    assert made.path.is_dir()
    made.close()


def test_folders_that_are_nobodys_scratch_are_left_alone(tmp_path):
    (tmp_path / "finestflow-demo-x").mkdir()
    (tmp_path / "finestflow-file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "owner").touch()
    (tmp_path / "finestflow-link").symlink_to(tmp_path / "other")
    Scratch(str(tmp_path)).close()
    assert {path.name for path in tmp_path.iterdir()} == {
        "finestflow-demo-x",
        "finestflow-file",
        "finestflow-link",
        "other",
    }
