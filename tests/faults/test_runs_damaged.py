"""What is damaged, missing, full or not writable: named in one line, and the rest goes on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.conftest import run_git
from tests.e2e import processes
from tests.e2e.conftest import PIPELINE, Project
from tests.sampling import slow

TARGET = "numbers_pipeline.py:Numbers"


@pytest.fixture
def project(repository: Path) -> Project:
    """A repository with a committed pipeline."""
    return Project.begun(repository)


def is_clean(answer: processes.Answer) -> bool:
    """Whether an answer is free of tracebacks and of what we call a bug."""
    return "Traceback" not in answer.err and "internal error" not in answer.err


def object_path(project: Project, name: str) -> Path:
    """Return the file of a loose object."""
    oid = project.git("rev-parse", name)
    return project.folder / ".git" / "objects" / oid[:2] / oid[2:]


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run.json", "tasks.json"])
def test_a_corrupt_record_is_named_and_the_others_list(project: Project, name: str):
    """``log`` lists all runs, ``show`` of the damaged one says what is damaged, ``verify`` names it, and new runs go on."""
    for number in range(3):
        project.do("run", TARGET, "-p", f"n={number}")
    damage(object_path(project, f"refs/finestflow~1:.finestflow/{name}"), b"garbage")

    assert len(project.runs()) == 3
    shown = project.do("show", "@~1", code=5)
    assert is_clean(shown)
    assert "hint:" in shown.err
    commit = project.git("rev-parse", "refs/finestflow~1")
    verified = project.do("verify", code=5)
    assert commit[:7] in verified.out + verified.err
    project.do("show", "@")
    project.do("show", "@~2")
    project.do("run", TARGET)
    assert len(project.runs()) == 4


def test_a_record_that_is_no_json_is_named(project: Project):
    """A record that somebody rewrote by hand is damaged, and only that one."""
    project.do("run", TARGET)
    run_git(project.folder, "worktree", "add", "--quiet", "--detach", "../edit", "refs/finestflow")
    edit = project.folder.parent / "edit"
    (edit / ".finestflow" / "run.json").write_text("{")
    run_git(edit, "commit", "--quiet", "--all", "--message", "no run of ours")
    run_git(edit, "update-ref", "refs/refs/finestflow", "HEAD")
    project.do("run", TARGET)

    assert is_clean(project.do("log", code=None))
    assert [run["status"] for run in project.runs()][:1] == ["ok"]
    assert is_clean(project.do("verify", code=5))


@pytest.mark.parametrize("damaged", ["garbage", *slow(["empty", "truncated", "folder"])])
def test_a_damaged_index_is_rebuilt(project: Project, damaged: str):
    """The index is derived: whatever happens to it, the runs are listed."""
    project.do("run", TARGET)
    index = project.folder / ".git" / "finestflow" / "index.sqlite"
    data = index.read_bytes()
    index.unlink()
    for extra in index.parent.glob("index.sqlite-*"):
        extra.unlink()
    if damaged == "folder":
        index.mkdir()
    else:
        index.write_bytes({"garbage": b"x" * 5000, "empty": b"", "truncated": data[: len(data) // 2]}[damaged])

    answer = project.do("log", "--json", code=None)
    assert is_clean(answer)
    assert answer.code == (answer.code if damaged == "folder" else 0)
    if damaged != "folder":
        assert [run["status"] for run in answer.json["runs"]] == ["ok"]
    project.do("run", TARGET)


@pytest.mark.parametrize("damaged", ["garbage", *slow(["empty", "truncated", "missing"])])
def test_a_damaged_database_is_an_empty_cache(project: Project, damaged: str):
    """The store's database is a cache: the run computes again, says so once, and the runs are all there."""
    project.do("run", TARGET)
    database = project.folder / ".git" / "finestflow" / "store" / "store.sqlite"
    data = database.read_bytes()
    for extra in database.parent.glob("store.sqlite*"):
        extra.unlink()
    if damaged != "missing":
        database.write_bytes({"garbage": b"x" * 50_000, "empty": b"", "truncated": data[: len(data) // 2]}[damaged])

    answer = project.do("run", TARGET)
    assert is_clean(answer)
    assert set(project.statuses().values()) == {"ok"}
    project.do("run", TARGET)
    assert set(project.statuses().values()) == {"hit"}
    assert len(project.runs()) == 3


LARGE = """
from finestflow import Pipeline, Task

class Make(Task):
    def run(self): return bytes(range(256)) * 4000

class Size(Task):
    def run(self, data, salt: int): return len(data) + salt

class Large(Pipeline):
    make: Make
    size: Size
    def __call__(self, salt: int = 0): return self.size(self.make(), salt)
"""


@pytest.mark.parametrize("damaged", ["flipped", "truncated", *slow(["deleted", "empty"])])
def test_a_damaged_output_is_computed_again_not_served(project: Project, damaged: str):
    """A short or missing file of the store is a miss; a flipped bit is found by ``verify --deep``."""
    project.write("large.py", LARGE)
    project.do("run", "large.py:Large")
    (file,) = [path for path in (project.folder / ".git/finestflow/store/objects").rglob("*") if path.is_file()]
    data = bytearray(file.read_bytes())
    file.chmod(0o644)
    if damaged == "deleted":
        file.unlink()
    elif damaged == "flipped":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    else:
        file.write_bytes(data[: len(data) // 2] if damaged == "truncated" else b"")

    verified = project.do("verify", "--deep", code=5)
    assert is_clean(verified)
    if damaged == "flipped":
        return
    project.do("run", "large.py:Large", "-p", "salt=1")
    assert project.statuses() == {"make": "ok", "size": "ok"}
    assert project.do("get", "@:size").out == "1024001\n"
    project.do("verify", "--deep")


@pytest.mark.slow
def test_a_damaged_file_is_found_before_it_is_used_when_so_configured(project: Project):
    """With ``[store] verify = "always"`` a flipped bit is a miss too."""
    project.write("large.py", LARGE)
    project.do("run", "large.py:Large")
    (file,) = [path for path in (project.folder / ".git/finestflow/store/objects").rglob("*") if path.is_file()]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    project.write(".finestflow.toml", '[store]\nverify = "always"\n')

    answer = project.do("run", "large.py:Large", "-p", "salt=1")
    assert is_clean(answer)
    assert project.statuses() == {"make": "ok", "size": "ok"}


def test_a_torn_live_folder_is_recovered(project: Project):
    """Whatever a crash leaves in a live folder, the next command goes on, and the folder goes."""
    live = project.folder / ".git" / "finestflow" / "live"
    project.do("run", TARGET)
    for name, text in (("kkkkkkkkkkkk", b""), ("llllllllllll", b'{"e":"run"'), ("mmmmmmmmmmmm", b"\x00\xff\n{}\n[]\n")):
        (live / name / "logs").mkdir(parents=True)
        (live / name / "events.jsonl").write_bytes(text)
        (live / name / "alive").touch()

    assert [run["status"] for run in project.runs()] == ["ok"]
    assert list(live.iterdir()) == []


@pytest.mark.parametrize("command", [["run", TARGET], *slow([["log"], ["reproduce", "@"]])])
def test_no_git_binary(project: Project, tmp_path: Path, command: list[str]):
    """Without git every command says what is missing, and how to get it; nothing is lost."""
    project.do("run", TARGET)
    (tmp_path / "empty").mkdir()
    environment = {**processes.environment(), "PATH": str(tmp_path / "empty")}
    answer = processes.python("-m", "finestflow", *command, cwd=project.folder, env=environment)
    assert answer.code in {4, 2, 1}, answer.err
    assert is_clean(answer)
    assert "git" in answer.err.splitlines()[0]
    assert "hint:" in answer.err
    assert len(project.runs()) == 1


def test_no_repository(tmp_path: Path):
    """A run works and is cached, one line says that it is not recorded; ``log`` is exit 4 with a hint; required is an error."""
    folder = Project(tmp_path)
    folder.write("numbers_pipeline.py", PIPELINE)
    environment = {**processes.environment(), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = folder.do("run", TARGET, env=environment)
    second = folder.do("run", TARGET, env=environment)

    assert first.err.count("not recorded") == 1
    assert second.err.count("hit ") == 3
    answer = folder.do("log", code=4, env=environment)
    assert "finestflow init" in answer.err
    folder.write(".finestflow.toml", 'tracking = "required"\n')
    answer = folder.do("run", TARGET, code=None, env=environment)
    assert answer.code != 0
    assert is_clean(answer)


def test_a_state_folder_that_cannot_be_written_is_a_run_without_a_record(project: Project):
    """A file where ``.git/finestflow`` should be: the run computes, one line says that nothing is recorded."""
    (project.folder / ".git" / "finestflow").write_text("in the way")
    answer = project.do("run", TARGET)

    assert is_clean(answer)
    assert "not recorded" in answer.err
    assert "ok in" in answer.err
    listed = project.do("log", code=None)
    assert is_clean(listed)


@pytest.fixture
def open_folder():
    """A folder that every user of the machine can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="open-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_a_repository_of_somebody_else_that_cannot_be_written(project: Project, open_folder: Path):
    """Another user who may read but not write can list and run; nothing is recorded, and it says so."""
    project.do("run", TARGET)
    folder = shutil.copytree(project.folder, open_folder / "repository", symlinks=True)
    (open_folder / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "finestflow"]
    environment = {**processes.environment(), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(open_folder)}

    def do(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    if do("--version").returncode:
        pytest.skip("another user cannot start this Python")
    answers = [do(*words) for words in (["log"], ["show", "@"], ["run", TARGET])]

    for answer in answers:
        assert answer.returncode == 0, answer.stderr
        assert "Traceback" not in answer.stderr
    assert "Numbers" in answers[0].stdout
    assert "not recorded" in answers[2].stderr
    assert len(Project(folder).runs()) == 1


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from finestflow.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [3_000, 40_000, 400_000])
def test_a_disk_that_is_full(project: Project, limit: int):
    """When no file can grow any more the run ends, or says in one line why not; later all runs list and nothing is torn."""
    project.write("large.py", LARGE)
    project.do("run", TARGET)
    answer = processes.run_code(FULL, str(limit), "run", "large.py:Large", cwd=project.folder, code=None)

    assert is_clean(answer), answer.err
    assert answer.code in {0, 1, 4}, answer
    assert answer.code == 0 or "finestflow: error:" in answer.err or "Error" in answer.err
    statuses = [run["status"] for run in project.runs()]
    assert statuses[-1] == "ok"
    project.do("run", "large.py:Large")
    assert project.runs()[0]["status"] == "ok"
    assert project.do("get", "@:size").out == "1024000\n"
    project.do("verify", "--deep")
    project.git("fsck", "--no-dangling", "refs/finestflow")


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 3 MB, where mounting is permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_real_full_disk(small_disk: Path):
    """On a full file system a run ends without a traceback; with room again it is recorded, and the rest is whole."""
    folder = small_disk / "repository"
    folder.mkdir()
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    project = Project(folder)
    project.write("large.py", LARGE)
    project.commit()
    project.do("run", "large.py:Large")
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    answer = project.do("run", "--no-cache", "large.py:Large", code=None)
    said = [line for line in answer.err.splitlines() if line.startswith("finestflow: ")]
    assert any("could not be recorded" in line and "No space" in line for line in said), answer.err
    assert "internal error" not in answer.err
    assert "Traceback" not in answer.err
    assert is_clean(project.do("log", code=None))
    filler.unlink()

    assert project.runs()[-1]["status"] == "ok"
    project.do("run", "large.py:Large", "-p", "salt=2")
    project.do("verify", "--deep")


@pytest.mark.parametrize("name", [*slow(["index.sqlite"]), "store/store.sqlite"])
@pytest.mark.slow
def test_a_database_that_somebody_holds_is_waited_for(project: Project, name: str):
    """A program that writes one of the databases for a moment delays a run, and no more."""
    project.do("run", TARGET)
    holder = sqlite3.connect(project.folder / ".git" / "finestflow" / name, isolation_level=None)
    holder.execute("begin immediate")
    started = project.start("run", TARGET, "-p", "n=9")
    time.sleep(0.5)
    holder.execute("rollback")
    holder.close()

    assert started.wait().code == 0
    assert [run["status"] for run in project.runs()] == ["ok", "ok"]
    project.do("run", TARGET, "-p", "n=9")
    assert set(project.statuses().values()) == {"hit"}
