"""Repositories whose files are odd: their names, kinds, sizes and numbers."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from tests.compat.building import commit, committed, edited, git, odd, write

MAX_FILE_SIZE = 100_000
MAX_FILES = 120


@odd()
def names_that_are_no_text(folder: Path) -> Path:
    committed(folder)
    for name in (b"caf\xe9.txt", b"\xff\xfe", "größe.txt".encode()):
        write(folder / os.fsdecode(name))
    commit(folder, "names")
    write(folder / os.fsdecode(b"caf\xe9.txt"), "changed\n")
    write(folder / os.fsdecode(b"new\xe9") / "inner.txt")
    return folder


@odd()
def names_with_every_trap(folder: Path) -> Path:
    committed(folder)
    names = [
        "line\nbreak",
        "tab\tin",
        'quo"te',
        "back\\slash",
        "-dash",
        ":(glob)*",
        "*",
        "[a]",
        " lead",
        "trail ",
        "!x",
    ]
    for name in names:
        write(folder / name)
    commit(folder, "names")
    for name in names:
        write(folder / name, "changed\n")
        write(folder / "new" / name)
    return folder


@odd()
def long_names(folder: Path) -> Path:
    committed(folder)
    write(folder / ("n" * 250))
    write(folder.joinpath(*["d" * 100] * 12) / "deep.txt")
    return folder


@odd()
def names_that_differ_in_case(folder: Path) -> Path:
    committed(folder)
    write(folder / "Readme.md", "one\n")
    commit(folder, "readme")
    (folder / "Readme.md").rename(folder / "README.md")
    write(folder / "readme.MD", "three\n")
    return folder


@odd()
def symbolic_links(folder: Path) -> Path:
    committed(folder)
    (folder / "to_file").symlink_to("a.txt")
    (folder / "to_folder").symlink_to("src")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "outside").symlink_to("/")
    commit(folder, "links")
    (folder / "to_file").unlink()
    (folder / "to_file").symlink_to("b.txt")
    (folder / "new_link").symlink_to("src/deep")
    return folder


@odd()
def links_turned_off(folder: Path) -> Path:
    committed(folder)
    git(folder, "config", "core.symlinks", "false")
    write(folder / "a.txt", "changed\n")
    return folder


@odd()
def file_became_a_link(folder: Path) -> Path:
    committed(folder)
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to("b.txt")
    return folder


@odd()
def file_became_a_folder(folder: Path) -> Path:
    committed(folder)
    (folder / "a.txt").unlink()
    write(folder / "a.txt" / "inner.txt")
    return folder


@odd()
def folder_became_a_file(folder: Path) -> Path:
    committed(folder)
    shutil.rmtree(folder / "src")
    write(folder / "src", "a file now\n")
    return folder


@odd()
def folder_became_a_link(folder: Path) -> Path:
    committed(folder)
    (folder / "src").rename(folder / "moved")
    (folder / "src").symlink_to("moved")
    return folder


@odd()
def folder_became_a_link_to_outside(folder: Path) -> Path:
    work_tree = committed(folder / "work")
    (work_tree / "src").rename(folder / "outside")
    (work_tree / "src").symlink_to("../outside")
    return work_tree


@odd()
def execution_bits(folder: Path) -> Path:
    committed(folder)
    (folder / "a.txt").chmod(0o755)
    write(folder / "run.sh", "#!/bin/sh\n").chmod(0o755)
    return folder


@odd()
def execution_bits_turned_off(folder: Path) -> Path:
    git(committed(folder), "config", "core.fileMode", "false")
    return execution_bits_of(folder)


def execution_bits_of(folder: Path) -> Path:
    (folder / "a.txt").chmod(0o755)
    write(folder / "b.txt", "changed\n").chmod(0o755)
    return folder


@odd()
def empty_folders(folder: Path) -> Path:
    edited(committed(folder))
    (folder / "hollow" / "inner").mkdir(parents=True)
    return folder


@odd()
def pipes_and_sockets(folder: Path) -> Path:
    edited(committed(folder))
    os.mkfifo(folder / "pipe")
    descriptor = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{descriptor}/sock")
    os.close(descriptor)
    return folder


@odd(omitted=("a.txt",), before_reference=lambda work_tree: git(work_tree, "rm", "--quiet", "--cached", "a.txt"))
def tracked_file_became_a_pipe(folder: Path) -> Path:
    committed(folder)
    (folder / "a.txt").unlink()
    os.mkfifo(folder / "a.txt")
    return folder


def _root() -> str:
    return "root reads every file" if os.geteuid() == 0 else ""


@odd(omitted=("closed.txt", "shut/"), skip=_root)
def unreadable(folder: Path) -> Path:
    edited(committed(folder))
    write(folder / "closed.txt").chmod(0)
    write(folder / "shut" / "inner.txt")
    (folder / "shut").chmod(0)
    return folder


@odd(omitted=("large.bin", "data/large.bin"))
def large_files(folder: Path) -> Path:
    committed(folder)
    write(folder / "tracked.bin", b"t" * (MAX_FILE_SIZE + 1))
    commit(folder, "a large file")
    write(folder / "tracked.bin", b"changed" * MAX_FILE_SIZE)
    write(folder / "large.bin", b"x" * (MAX_FILE_SIZE + 1))
    write(folder / "data" / "large.bin", b"x" * (MAX_FILE_SIZE + 1))
    write(folder / "data" / "just.bin", b"x" * MAX_FILE_SIZE)
    return folder


@odd(omitted=("src/cache/",))
def many_files(folder: Path) -> Path:
    edited(committed(folder))
    write(folder / "src" / "beside.py")
    for number in range(MAX_FILES + 10):
        write(folder / "src" / "cache" / f"{number % 16:x}" / f"{number}.dat", "")
    return folder


@odd()
def many_tracked_files(folder: Path) -> Path:
    committed(folder)
    for number in range(MAX_FILES + 10):
        write(folder / "many" / f"{number}.txt", f"{number}\n")
    commit(folder, "many")
    for number in range(MAX_FILES + 10):
        write(folder / "many" / f"{number}.txt", f"changed {number}\n")
    return folder
