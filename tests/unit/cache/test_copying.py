"""Copies of files: shared with the original where the file system can, and files of their own wherever."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from finestflow.cache.copying import BLOCK, clone_into, copy_file, copy_span
from tests.e2e.conftest import Project

SIZES = [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5, 1 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_has_bytes_times_and_permissions_and_is_a_file_of_its_own(tmp_path: Path, size: int):
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "a").chmod(0o750)
    os.utime(tmp_path / "a", ns=(10**18, 10**18))
    (tmp_path / "b").write_bytes(b"something longer that was there before" * 100_000)

    copy_file(tmp_path / "a", tmp_path / "b")

    assert (tmp_path / "b").read_bytes() == data
    status = (tmp_path / "b").stat()
    assert (status.st_mode & 0o777, status.st_mtime_ns, status.st_nlink) == (0o750, 10**18, 1)
    (tmp_path / "b").write_bytes(b"edited")
    assert (tmp_path / "a").read_bytes() == data


def test_a_folder_is_copied_with_it(tmp_path: Path):
    (tmp_path / "from" / "inner").mkdir(parents=True)
    (tmp_path / "from" / "inner" / "x").write_text("x")
    (tmp_path / "from" / "link").symlink_to("inner/x")
    shutil.copytree(tmp_path / "from", tmp_path / "to", symlinks=True, copy_function=copy_file)
    assert (tmp_path / "to" / "inner" / "x").read_text() == "x"
    assert (tmp_path / "to" / "link").is_symlink()


@pytest.mark.parametrize("path", ["there", "gone"])
def test_a_part_of_a_file_is_written_also_when_the_file_has_gone(tmp_path: Path, path: str):
    """What the kernel cannot copy is written from memory, behind what is there already."""
    data = os.urandom(5 * BLOCK)
    (tmp_path / "there").write_bytes(data)
    with (tmp_path / "out").open("wb", buffering=0) as file:
        file.write(b"head")
        copy_span(str(tmp_path / path), 100, memoryview(data)[100 : 100 + 3 * BLOCK], file.fileno())
        file.write(b"tail")
    assert (tmp_path / "out").read_bytes() == b"head" + data[100 : 100 + 3 * BLOCK] + b"tail"


def test_what_cannot_be_shared_is_told_and_changes_nothing(tmp_path: Path):
    """A file of the system that has no blocks."""
    with Path("/proc/self/status").open("rb") as source, (tmp_path / "out").open("wb") as target:
        assert not clone_into(source.fileno(), target.fileno(), 0, 10)
    assert (tmp_path / "out").read_bytes() == b""


# -- a file system that shares ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[Path]:
    """A folder of a file system of our own that shares blocks, where we may mount one."""
    if os.geteuid() or shutil.which("mkfs.xfs") is None:
        pytest.skip("an XFS is made and mounted by root, with xfsprogs")
    image, folder = tmp_path / "disk", tmp_path / "mounted"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


ARTIFACT = """
import os
from pathlib import Path
from finestflow import Pipeline, Task

class Make(Task):
    def run(self) -> Path:
        folder = Path("made")
        folder.mkdir(exist_ok=True)
        for name, size in (("a", 8 << 20), ("b", (8 << 20) + 77), ("small", 10)):
            (folder / name).write_bytes(os.urandom(size))
        return folder

class Use(Task):
    def run(self, folder: Path) -> int:
        (folder / "a").write_bytes(b"edited")
        return sum(len((folder / name).read_bytes()) for name in ("b", "small"))

class Flow(Pipeline):
    make: Make
    count: Use
    def __call__(self) -> int:
        return self.count(self.make())
"""


@pytest.mark.stress
def test_an_artifact_takes_its_place_on_the_disk_once(sharing: Path, first_repository: Path):
    """In the work tree, in the store, and what was got of it; a task that edits its copy changes nobody else's."""
    shutil.copytree(first_repository, sharing / "repository")
    project = Project(sharing / "repository")
    project.write("flow.py", ARTIFACT)
    project.write(".gitignore", "made\n")

    def used() -> int:
        os.sync()
        status = os.statvfs(sharing)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    before = used()
    project.do("run", "flow.py:Flow")
    project.do("get", "@:make", "-o", "got")
    assert used() - before < 24 << 20  # 16 MB once; 48 MB without

    for name in ("a", "b", "small"):
        assert (project.folder / "got" / name).read_bytes() == (project.folder / "made" / name).read_bytes()
    (project.folder / "got" / "b").write_bytes(b"edited")
    assert project.do("verify", "--deep").code == 0
    project.do("get", "@:make", "-o", "again")
    assert (project.folder / "again" / "b").read_bytes() == (project.folder / "made" / "b").read_bytes()
