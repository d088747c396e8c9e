"""``reproduce``: the same outputs from a record alone, or a verdict that names the first difference."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from finestflow.options import RunOptions
from finestflow.workspace import Workspace
from tests.compat.test_runs_untouched import users_files, users_view
from tests.e2e import processes
from tests.e2e.conftest import Project
from tests.sampling import slow

TARGET = "numbers_pipeline.py:Numbers"


@pytest.mark.slow
def test_in_a_fresh_clone_without_a_cache_the_outputs_are_identical(project: Project, tmp_path: Path):
    """Exit 0, a table, a verdict, and a record of its own that says what it reproduces; a run of hits is computed."""
    for _ in range(2):
        project.do("run", TARGET, "-p", "n=7", "-p", "scale.factor=3")
    original = project.show()
    clone = project.clone(tmp_path / "clone")

    answer = clone.do("reproduce", clone.git("rev-parse", "refs/finestflow")[:10])

    assert [line.split()[:2] for line in answer.out.splitlines()[1:4]] == [
        ["load", "identical"],
        ["scale", "identical"],
        ["total", "identical"],
    ]
    assert answer.out.splitlines()[-1].startswith("identical: all 3 ")
    new = clone.show()
    assert (new["reproduces"], new["status"], new["metrics"]) == (original["id"], "ok", original["metrics"])
    assert new["code"] == original["code"]
    assert {node["status"] for node in new["nodes"]} == {"ok"}
    assert f"Reproduces: {original['id']}" in clone.git("log", "-1", "--format=%B", "refs/finestflow")
    assert clone.do("get", "@:total").out == "63.0\n"


@pytest.mark.slow
def test_it_leaves_no_trace_in_the_work_tree(project: Project, tmp_path: Path):
    """No file, no worktree, no temporary folder is left, and git status is what it was."""
    project.do("run", TARGET)
    project.write("numbers_pipeline.py", "raise RuntimeError('not this file')\n")
    before = users_files(project.folder), users_view(project.folder)
    (tmp_path / "temporary").mkdir()

    project.do("reproduce", "@", env={**os.environ, "TMPDIR": str(tmp_path / "temporary")})

    assert users_files(project.folder) == before[0]
    assert users_view(project.folder) == before[1]
    assert list((tmp_path / "temporary").iterdir()) == []
    assert project.git("worktree", "list").count("\n") == 0


@pytest.mark.slow
def test_into_keeps_the_work_tree(project: Project):
    """With ``--into`` the files of the run stay in a folder; one that is not empty is refused."""
    project.do("run", TARGET)
    project.do("reproduce", "@", "--into", "again")

    assert (project.folder / "again" / "numbers_pipeline.py").read_text() == (
        project.folder / "numbers_pipeline.py"
    ).read_text()
    assert (project.folder / "again" / ".finestflow" / "run.json").is_file()
    assert "not empty" in project.do("reproduce", "@", "--into", "again", code=2).err


@pytest.mark.slow
def test_what_is_not_deterministic_is_exit_3_and_named(project: Project):
    """The first task that diverges is named; what comes before it is identical; the verdict is in the record."""
    project.edit("numbers_pipeline.py", "import finestflow", "import os")
    project.edit("numbers_pipeline.py", "self.factor * number for", "self.factor * number + os.urandom(3)[0] for")
    project.do("run", TARGET, "-p", "n=40")

    answer = project.do("reproduce", "@", code=3)

    verdicts = {line.split()[0]: line.split()[1] for line in answer.out.splitlines()[1:4]}
    assert verdicts == {"load": "identical", "scale": "differs", "total": "differs"}
    assert answer.out.splitlines()[-1].startswith("differs: first at 'scale'")
    assert project.do("reproduce", "@~1", "--json", code=3).json["first"] == "scale"


@pytest.mark.slow
def test_a_tolerance_lets_close_numbers_pass(project: Project):
    """Numbers that differ by less than the tolerance are within it, more are not."""
    project.edit("numbers_pipeline.py", "import finestflow", "import os")
    project.edit("numbers_pipeline.py", "self.factor * number for", "self.factor * number + os.urandom(3)[0] / 1e9 for")
    project.do("run", TARGET)

    assert "within tolerance" in project.do("reproduce", "@", "--tolerance", "1e-6").out
    project.do("reproduce", "@~1", "--tolerance", "1e-15", code=3)


@pytest.mark.slow
def test_random_numbers_are_drawn_again(project: Project):
    """Seeds come from the record, so random draws are identical, also with a seed of one's own."""
    project.edit("numbers_pipeline.py", "import finestflow", "import random")
    project.edit("numbers_pipeline.py", "self.factor * number for", "self.factor * random.random() for")
    project.do("run", TARGET, "--seed", "7")

    project.do("reproduce", "@")


@pytest.mark.slow
def test_a_failed_run_fails_again_and_that_is_identical(project: Project, tmp_path: Path):
    """The same error at the same task is a run that is reproduced."""
    project.edit("numbers_pipeline.py", "return sum(numbers)", "raise ValueError(f'no sum of {len(numbers)}')")
    project.do("run", TARGET, code=1)
    clone = project.clone(tmp_path / "clone")

    answer = clone.do("reproduce", "@")

    assert "identical" in answer.out.splitlines()[-1]
    assert "no sum of 4" in answer.out
    assert clone.show()["status"] == "failed"


@pytest.mark.slow
def test_a_run_that_fails_only_now_differs(project: Project):
    """An output where an error was, or an error where an output was, is a difference."""
    project.write("data.txt", "1")
    project.write(".git/info/exclude", "data.txt\n")
    project.edit("numbers_pipeline.py", "return list(range(n))", "return [int(open('data.txt').read())]")
    project.do("run", TARGET)
    (project.folder / "data.txt").unlink()

    answer = project.do("reproduce", "@", code=3)

    assert "differs: first at 'load'" in answer.out
    assert "FileNotFoundError" in answer.out


@pytest.mark.slow
def test_a_script_without_a_guard(project: Project):
    """A script that calls its pipeline at the top is run again once, not twice."""
    project.edit("numbers_pipeline.py", "    def __call__(self, n: int = 4)", "    def __call__(self, n: int)")
    path = project.folder / "numbers_pipeline.py"
    path.write_text(path.read_text() + "\nprint('result', Numbers(scale={'factor': 5})(3))\nprint('after')\n")

    assert processes.python("numbers_pipeline.py", cwd=project.folder).out.splitlines() == [
        "loading 3",
        "result 15.0",
        "after",
    ]
    answer = project.do("reproduce", "@")

    assert "identical: all 3" in answer.out
    assert len(project.runs()) == 2
    assert "after" not in answer.err


@pytest.mark.slow
def test_a_pipeline_in_a_folder_run_from_there(project: Project):
    """Modules beside the file, and files relative to the working directory, are found again."""
    project.write("deep/inside/helper.py", "def read():\n    return open('numbers.txt').read().split()\n")
    project.write("deep/inside/numbers.txt", "1 2 3\n")
    project.write(
        "deep/inside/flow.py",
        """
        import helper
        from finestflow import Pipeline, Task

        class Read(Task):
            def run(self): return helper.read()

        class Reading(Pipeline):
            read: Read
            def __call__(self): return self.read()
        """,
    )
    project.do("run", "flow.py:Reading", cwd="deep/inside")

    assert "identical: all 1" in project.do("reproduce", "@").out
    assert "identical: all 1" in project.do("reproduce", "@~1", cwd="deep").out


@pytest.mark.slow
def test_a_package_imported_by_module_name(project: Project):
    """A target ``module:Class`` of a package is imported from the worktree, relative imports and all."""
    project.write("pack/__init__.py", "")
    project.write("pack/helper.py", "FACTOR = 3\n")
    project.write(
        "pack/flow.py",
        """
        from finestflow import Pipeline, Task
        from .helper import FACTOR

        class Triple(Task):
            def run(self, x: int): return FACTOR * x

        class Tripling(Pipeline):
            triple: Triple
            def __call__(self, x: int = 2): return self.triple(x)
        """,
    )
    project.do("run", "pack.flow:Tripling")
    project.edit("pack/helper.py", "3", "4")

    assert "identical: all 1" in project.do("reproduce", "@").out


@pytest.mark.slow
def test_a_large_input_that_a_clone_lacks_is_named_before_it_starts(project: Project, tmp_path: Path):
    """An input that is kept by digest alone is missing in a clone: it says which, and where it may come from."""
    project.write(
        "arrays.py",
        """
        import array
        from finestflow import Pipeline, Task

        class Sum(Task):
            def run(self, data): return sum(data)

        class Sums(Pipeline):
            sum: Sum
            def __call__(self, data): return self.sum(data)

        if __name__ == "__main__":
            Sums()(array.array("q", range(100)))
        """,
    )
    done = processes.python("arrays.py", cwd=project.folder)
    assert done.code == 0, done.err
    assert "identical: all 1" in project.do("reproduce", "@").out
    clone = project.clone(tmp_path / "clone")

    answer = clone.do("reproduce", "@", code=None)

    assert answer.code not in {0, 1, 70}
    assert "'data'" in answer.err.splitlines()[0]
    assert "hint:" in answer.err
    assert len(clone.runs()) == 2


@pytest.mark.slow
def test_a_secret_has_to_be_given_again(project: Project):
    """Without the secret it says which one is missing; with it the run is reproduced."""
    project.edit(
        "numbers_pipeline.py",
        "factor: float = Param(2.0)",
        "factor: float = Param(2.0)\n    token: str = Param('', secret=True)",
    )
    project.do("run", TARGET, "-p", "scale.token=abracadabra")

    answer = project.do("reproduce", "@", code=2)

    assert "scale.token" in answer.err
    assert "identical" in project.do("reproduce", "@", "-p", "scale.token=abracadabra").out
    assert "abracadabra" not in project.do("show", "@", "--json").out


@pytest.mark.parametrize("change", [*slow(["missing", "same"]), "changed"])
@pytest.mark.slow
def test_a_file_left_out_of_the_snapshot_is_checked_before_it_starts(project: Project, change: str):
    """A large file is copied when it is as it was, and named when it is gone or changed."""
    project.write(".finestflow.toml", '[snapshot]\nmax-file-size = "1 KB"\n')
    project.write("large.txt", "1\n" * 2000)
    project.edit("numbers_pipeline.py", "return list(range(n))", "return open('large.txt').read().split()")
    project.edit("numbers_pipeline.py", "self.factor * number", "self.factor * int(number)")
    assert "large.txt" in project.do("run", TARGET).err
    if change == "missing":
        (project.folder / "large.txt").unlink()
    elif change == "changed":
        project.write("large.txt", "2\n" * 2000)

    answer = project.do("reproduce", "@", code=0 if change == "same" else 3)

    assert ("'large.txt' was left out" in answer.err) == (change != "same")
    assert change == "same" or change in answer.err.splitlines()[0]


@pytest.mark.slow
def test_a_changed_package_and_interpreter_are_named_before_it_starts(project: Project, tmp_path: Path):
    """What is installed now is compared with the record."""
    package = tmp_path / "site"
    info = package / "ourlib-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ourlib\nVersion: 1.0\n")
    (package / "ourlib.py").write_text("VALUE = 1\n")
    project.edit("numbers_pipeline.py", "import finestflow", "import ourlib")
    environment = {**processes.environment(), "PYTHONPATH": str(package)}
    run = processes.python("-m", "finestflow", "run", TARGET, cwd=project.folder, env=environment)
    assert run.code == 0, run.err
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ourlib\nVersion: 1.1\n")
    info.rename(package / "ourlib-1.1.dist-info")

    answer = processes.python("-m", "finestflow", "reproduce", "@", cwd=project.folder, env=environment)

    assert answer.code == 0, answer.err
    assert "package ourlib 1.0 -> 1.1" in answer.err.splitlines()[0]


@pytest.mark.slow
def test_a_run_without_a_snapshot_says_that_there_is_nothing_to_run(project: Project):
    """A class made in a function cannot be imported again, and it says so before anything starts."""
    project.write(
        "inner.py",
        """
        from finestflow import Pipeline, Task

        def make():
            class One(Task):
                def run(self): return 1
            class Inner(Pipeline):
                one: One
                def __call__(self): return self.one()
            return Inner()

        make()()
        """,
    )
    assert processes.python("inner.py", cwd=project.folder).code == 0
    answer = project.do("reproduce", "@", code=2)

    assert "cannot be imported again" in answer.err
    assert len(project.runs()) == 1


@pytest.mark.slow
def test_files_that_git_ignores_are_brought_along_or_named_before_it_starts(project: Project):
    """An input below an ignored folder, and a file that a task opens by itself, are copied while they are unchanged."""
    project.write(".gitignore", "data/\n")
    project.write("data/given.txt", "given")
    project.write("data/opened.txt", "opened")
    project.write(
        "ignored.py",
        """
        from pathlib import Path
        from finestflow import Pipeline, Task

        class Given(Task):
            def run(self, path): return path.read_text()

        class Opened(Task):
            def run(self): return open("data/opened.txt").read()

        class Both(Pipeline):
            given: Given
            opened: Opened
            def __call__(self, path: Path = Path("data/given.txt")): return self.given(path), self.opened()
        """,
    )
    for name in ("given", "opened"):
        os.utime(project.folder / "data" / f"{name}.txt", (1e9, 1e9))
    project.commit()
    project.do("run", "ignored.py")

    assert "identical: all 2" in project.do("reproduce", "@").out
    project.write("data/given.txt", "changed")
    (project.folder / "data" / "opened.txt").unlink()
    answer = project.do("reproduce", "@~1", code=3)
    assert "'data/given.txt', which it read, is not in the snapshot (ignored by git?) and is changed" in answer.err
    assert "'data/opened.txt', which it read, is not in the snapshot (ignored by git?) and is missing" in answer.err


@pytest.mark.slow
def test_code_on_the_path_of_python_is_that_of_the_run(project: Project):
    """A package of the project that is importable by PYTHONPATH, or because it is installed to be edited: the present one is not taken."""
    project.write("src/inner/__init__.py", "NUMBER = 1\n")
    project.write(
        "jobs/train.py", "import inner, finestflow\nwith finestflow.start('train') as run: run.log(x=inner.NUMBER)"
    )
    project.edit("numbers_pipeline.py", "return sum(numbers)", "import inner; return inner.NUMBER")
    environ = {**os.environ, "PYTHONPATH": f"{project.folder / 'src'}:{os.environ.get('PYTHONPATH', '')}"}

    def do(*words: str) -> str:
        return processes.python("-m", "finestflow", *words, cwd=project.folder, env=environ).out

    do("run", TARGET)
    do("run", "jobs/train.py")
    project.write("src/inner/__init__.py", "NUMBER = 2\n")

    for run in ("@", "@~2"):
        assert "identical: all" in do("reproduce", run)


@pytest.mark.slow
def test_of_a_partial_run_the_same_part_runs_again(project: Project, tmp_path: Path):
    """What lay before its start comes from the record; where the store has lost that, it is computed."""
    project.do("run", TARGET)
    project.do("run", "--from", "scale", "--to", "scale", "--force", "scale", TARGET)
    assert project.statuses() == {"load": "hit", "scale": "ok", "total": "skipped"}

    answer = project.do("reproduce", "@")
    assert "it was a partial run, and runs again from 'scale' to 'scale'\n" in answer.err
    assert project.statuses() == {"load": "hit", "scale": "ok", "total": "skipped"}
    assert answer.out.splitlines()[-1].startswith("identical: all 2 ")

    clone = project.clone(tmp_path / "clone")
    answer = clone.do("reproduce", clone.git("rev-parse", "refs/finestflow~1")[:10])
    assert "runs again to 'scale': what lay before its start is not in this store\n" in answer.err
    assert clone.statuses() == {"load": "ok", "scale": "ok", "total": "skipped"}


@pytest.mark.slow
def test_a_run_made_again_is_found_where_the_index_was_deleted_meanwhile(project: Project):
    """The process that made it has brought another file forward than the one that is open here."""
    project.do("run", TARGET)
    with closing(Workspace.find(project.folder, dict(os.environ))) as workspace:
        workspace.refresh()
        run = workspace.load_run("@")

        def delete_index() -> None:
            for path in workspace.state_dir.glob("index.sqlite*"):
                path.unlink()

        delete_index()
        assert workspace.reproduce(run, workspace.inspect(run)).identical
        delete_index()
        pipeline, inputs = workspace.load_pipeline(TARGET)
        again = workspace.run_code_of(run.summary.id, pipeline, inputs, RunOptions())
        assert again.summary.status == "ok"
        assert len(workspace.select()) == 3
