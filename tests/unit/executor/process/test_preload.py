"""What a fork server loads before the workers are: what is installed and may be forked, and nothing that the runner has otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from finestflow.executor.process.preload import find_imports
from finestflow.executor.threads import count_cores
from tests.unit.executor.process import tasks
from tests.unit.executor.process.conftest import ROOT
from tests.unit.executor.process.lab import Lab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many threads a process has")

SEEN = "import os\nSEEN = {'pid': os.getpid(), 'flavour': os.environ.get('FLAVOUR')}\n"


class Place:
    """A project, and libraries that are installed for it."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.site = folder / "lib" / "site-packages"
        self.project.mkdir()
        self.site.mkdir(parents=True)
        self.labs: list[Lab] = []

    def library(self, name: str, text: str = "") -> None:
        (self.site / f"{name}.py").write_text(text + SEEN)

    def file(self, name: str, text: str) -> str:
        path = self.project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    def imports(self, text: str) -> list[str]:
        """Return the installed modules that a pipeline's file imports."""
        file = self.file("pipeline.py", text)
        return [name for name, _ in find_imports(file, [str(self.site)], self.project).modules]

    def prepared(self, text: str) -> Lab:
        """Return a pool that gets ready for a pipeline's file."""
        lab = Lab(self.project, ROOT)
        self.labs.append(lab)
        lab.pool.prepare(find_imports(self.file("pipeline.py", text), sys.path, ROOT))
        lab.pool._preparing.join()
        return lab

    def look(self, lab: Lab, module: str) -> dict:
        return lab.value(lab.run(tasks.Look(module=module), executor=lab.open_run()))


@pytest.fixture
def place(tmp_path, monkeypatch):
    made = Place(tmp_path)
    monkeypatch.syspath_prepend(made.site)
    yield made
    for lab in made.labs:
        lab.close()


class TestWhatIsNamed:
    def test_what_the_file_imports_at_its_top_level(self, place):
        for name in ("one", "two", "three", "four"):
            place.library(name)
        text = "import one\nfrom two import SEEN\nif one:\n    import three\ndef f():\n    import four\n"
        assert place.imports(text) == ["one", "two"]

    def test_what_modules_of_the_project_import_and_never_these(self, place):
        for name in ("one", "two", "three"):
            place.library(name)
        place.file("helper.py", "import one\n")
        place.file("parts/__init__.py", "from . import inner\n")
        place.file("parts/inner.py", "import two, helper\nfrom .deep import x\n")
        place.file("parts/deep.py", "import three, parts\nx = 1\n")
        assert place.imports("import helper\nfrom parts.inner import two\n") == ["one", "two", "three"]

    def test_no_library_that_must_not_be_forked_once_it_is_loaded(self, place):
        for name in ("torch", "polars", "cupy", "one"):
            place.library(name)
        assert place.imports("import torch.nn\nimport polars as pl\nfrom cupy import x\nimport one\n") == ["one"]

    def test_nothing_of_a_file_that_is_not_there_or_no_python(self, place):
        assert find_imports(str(place.project / "none.py"), [], place.project).modules == []
        assert place.imports("import one import") == []
        assert place.imports("import nowhere\nfrom ..... import x\n") == []


class TestWorkers:
    @pytest.mark.slow
    def test_have_what_is_installed_from_birth_and_what_is_the_projects_from_its_file_of_now(self, place, monkeypatch):
        place.library("flour")
        helper = Path(place.file("bakery.py", SEEN))
        monkeypatch.syspath_prepend(place.project)
        lab = place.prepared("import flour, bakery\n")
        helper.write_text(SEEN + "SEEN['edited'] = True\n")

        assert place.look(lab, "flour")["preloaded"]
        assert not place.look(lab, "bakery")["preloaded"]
        assert place.look(lab, "bakery")["edited"]

    @pytest.mark.slow
    def test_load_themselves_what_starts_a_thread_or_fails_or_brings_a_barred_library(self, place, capfd):
        place.library(
            "threaded_of_lab",
            "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
        )
        place.library("torch")
        place.library("trainer_of_lab", "import torch\n")
        place.library(
            "failing_of_lab",
            "import os\nif 'FORBIDDEN' not in os.environ:\n    raise SystemExit('it is not for you')\n",
        )
        place.library("salt_of_lab", "print('salt is loaded')\n")
        lab = place.prepared("import threaded_of_lab, trainer_of_lab, failing_of_lab, salt_of_lab\n")

        assert place.look(lab, "salt_of_lab")["preloaded"]
        assert [place.look(lab, name)["preloaded"] for name in ("threaded_of_lab", "torch", "trainer_of_lab")] == [
            False
        ] * 3
        assert capfd.readouterr().out == ""

    @pytest.mark.slow
    def test_load_themselves_what_a_module_of_the_project_stands_before(self, place):
        place.library("mixed", "import spice\n")
        place.library("spice")
        place.file("spice.py", SEEN)
        lab = place.prepared("import mixed\n")

        assert not place.look(lab, "mixed")["preloaded"]

    @pytest.mark.slow
    def test_are_made_anew_when_the_environment_was_another_when_libraries_were_loaded(self, place, monkeypatch):
        place.library("pepper")
        monkeypatch.setenv("FLAVOUR", "mild")
        lab = place.prepared("import pepper\n")
        monkeypatch.setenv("FLAVOUR", "hot")

        seen = place.look(lab, "pepper")

        assert seen["flavour"] == "hot"
        assert not seen["preloaded"]

    @pytest.mark.slow
    def test_are_made_anew_when_the_runner_has_a_library_from_elsewhere(self, place, monkeypatch, tmp_path):
        place.library("oil")
        lab = place.prepared("import oil\n")
        other = tmp_path / "other"
        other.mkdir()
        (other / "oil.py").write_text(SEEN + "SEEN['other'] = True\n")
        monkeypatch.syspath_prepend(other)
        monkeypatch.delitem(sys.modules, "oil", raising=False)
        __import__("oil")

        assert place.look(lab, "oil")["other"]

    @pytest.mark.slow
    def test_compute_with_all_their_threads_although_numpy_was_loaded_before_they_were_forked(self, place, monkeypatch):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
        lab = place.prepared("import numpy\n")

        assert lab.value(lab.run(tasks.Multiply())) == (True, 600.0, min(2, count_cores()))


@pytest.mark.slow
def test_a_pool_that_is_closed_while_it_gets_ready_leaves_nothing_behind(place):
    place.library("slow", "import time\ntime.sleep(60)\n")
    lab = place.prepared("import slow\n")
    server = lab.pool._launcher.server_pid
    folder = lab.pool.folder
    lab.pool.close()

    assert not Path(f"/proc/{server}").exists()
    assert not Path(folder).exists()
