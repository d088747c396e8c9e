"""The recorded environment, built again: what it is built of, and how it is kept."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from finestflow.errors import UsageError
from finestflow.provision import Provisioner, plan_provision

RUNNING = "0.1.0"


def recorded(origins: dict[str, str] | None = None, **versions: str) -> dict:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name.replace("_", "-"): version for name, version in versions.items()},
        "origins": origins or {},
    }


class TestPlan:
    def test_what_an_index_or_a_commit_gives_is_the_lock(self):
        origin = "git+https://forge.example/lib@0123"
        plan = plan_provision(recorded({"lib": origin}, numpy="2.4.6", lib="1", finestflow=RUNNING), RUNNING)
        assert plan.lock == (f"lib @ {origin}  # lib==1", "numpy==2.4.6")
        assert (plan.inside, plan.outside, plan.notes, plan.has_own) == ((), (), (), True)

    def test_a_folder_of_the_project_is_installed_from_the_runs_own_files(self):
        plan = plan_provision(
            recorded({"mine": "-e .", "part": "./part"}, mine="1", part="2", finestflow=RUNNING), RUNNING
        )
        assert plan.inside == ("-e .  # mine==1", "./part  # part==2")
        assert plan.lock == ()
        assert "package mine is installed from the run's own files (-e .)" in plan.notes

    def test_a_folder_elsewhere_is_taken_as_it_is_now_or_left_out_and_that_is_said(self, tmp_path: Path):
        origins = {"here": f"-e {tmp_path.as_uri()}", "gone": "file:///nowhere/gone-1.whl"}
        plan = plan_provision(recorded(origins, here="1", gone="2", finestflow=RUNNING), RUNNING)
        assert plan.outside == (f"-e {tmp_path.as_uri()}  # here==1",)
        assert plan.notes == (
            "package gone 2 is left out: it came from '/nowhere/gone-1.whl', which is not here",
            f"package here 1 is installed from {str(tmp_path)!r} as that is now",
        )

    @pytest.mark.parametrize(
        ("versions", "origins", "expected"),
        [
            ({"finestflow": RUNNING}, {}, ("", True, ())),
            (
                {"finestflow": RUNNING},
                {"finestflow": "-e file:///x"},
                ("", True, ("finestflow 0.1.0 is the running one",)),
            ),
            ({"finestflow": "0.0.9"}, {}, ("0.0.9", False, ())),
            (
                {"finestflow": "0.0.9"},
                {"finestflow": "-e file:///x"},
                ("", True, ("finestflow 0.0.9 came from -e file:///x: the running one, 0.1.0, is used",)),
            ),
            ({"numpy": "1"}, {}, ("", True, ("finestflow was not installed: the running one, 0.1.0, is used",))),
        ],
    )
    def test_finestflow_is_the_recorded_version_or_the_running_one(self, versions, origins, expected):
        plan = plan_provision(recorded(origins, **versions), RUNNING)
        assert (plan.own, plan.has_own, plan.notes) == expected

    def test_finestflow_as_the_project_itself_comes_from_its_files(self):
        plan = plan_provision(recorded({"finestflow": "-e ."}, finestflow="0.0.9"), RUNNING)
        assert (plan.own, plan.has_own, plan.inside) == ("", False, ("-e .  # finestflow==0.0.9",))

    def test_a_package_may_be_left_out(self):
        environment = recorded(python_apt="2.6.0", numpy="1", finestflow=RUNNING)
        plan = plan_provision(environment, RUNNING, ["Python_Apt"])
        assert plan.lock == ("numpy==1",)
        assert plan.notes == ("package python-apt is left out, as you say",)
        with pytest.raises(UsageError, match="no package 'numpi'"):
            plan_provision(environment, RUNNING, ["numpi"])

    def test_what_no_installer_can_name_is_left_out_and_another_platform_is_said(self):
        environment = {**recorded(finestflow=RUNNING), "platform": "Darwin arm64"}
        environment["packages"]["odd name"] = "1"
        plan = plan_provision(environment, RUNNING)
        assert "package odd name 1 is left out: no installer can name it" in plan.notes
        assert plan.notes[0].startswith("it was recorded on Darwin arm64, and this is ")

    def test_recorded_variables_are_set_and_secrets_among_them_are_not(self, tmp_path: Path):
        environment = {
            **recorded(finestflow=RUNNING),
            "variables": {"SEED": "7", "API_TOKEN": "***", "INDEX": "https://h/x"},
        }
        plan = plan_provision(environment, RUNNING)
        assert plan.variables == {"SEED": "7", "INDEX": "https://h/x"}
        assert plan.notes == ("variable API_TOKEN was a secret: it is what it is now",)
        base = tmp_path / "base"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(base)], check=True)
        now = {"PATH": "/nowhere", "INDEX": "https://ada:hunter2@h/x", "SEED": "8"}
        with Provisioner(tmp_path / "kept", now, lambda _: None).layer(plan, base, tmp_path) as python:
            told = python.environ({**now, "PYTHONPATH": "/elsewhere"})
            prefix = answer_of(python.program, "import sys, finestflow; print(sys.prefix)")
        assert (told["SEED"], told["INDEX"], "PYTHONPATH" in told) == ("7", "https://ada:hunter2@h/x", False)
        assert told["VIRTUAL_ENV"] == prefix

    @pytest.mark.parametrize("environment", [{}, {"packages": {"a": "1"}}, {"python": "3.12.1"}])
    def test_an_environment_that_was_not_recorded_is_refused(self, environment):
        with pytest.raises(UsageError, match="was not recorded"):
            plan_provision(environment, RUNNING)


def make_wheel(folder: Path, version: str) -> None:
    """Write a wheel of the package ``tinylib`` by hand."""
    info = f"tinylib-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tinylib-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinylib.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinylib\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path) -> dict[str, str]:
    """An environment in which pip finds two versions of a package in a folder, and nothing anywhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        make_wheel(folder, version)
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull, "PIP_CONSTRAINT": ""}
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return {"PATH": path, "HOME": str(tmp_path), **settings}


def answer_of(program: str, code: str) -> str:
    return subprocess.run([program, "-c", code], capture_output=True, text=True, check=True, cwd="/").stdout.strip()


@pytest.mark.stress
def test_an_environment_is_built_once_and_only_a_complete_one_is_used(tmp_path: Path, index: dict[str, str]):
    """With pip, from a folder of wheels; what a killed builder left is not looked at, another version is another environment."""
    said: list[str] = []
    provisioner = Provisioner(tmp_path / "kept", index, said.append)
    plan = plan_provision(recorded(tinylib="1.0", finestflow=RUNNING), RUNNING)

    first = provisioner.build(plan)
    assert provisioner.build(plan) == first
    assert said == ["building the environment: 1 packages, with pip"]
    (first.parent / "ready").unlink()
    (first.parent / "half" / "bin").mkdir(parents=True)
    again = provisioner.build(plan)
    assert again not in {first, first.parent / "half"}
    assert sorted(path.name for path in first.parent.iterdir()) == sorted(
        ["bytes", "lock", "ready", "requirements.txt", again.name]
    )

    with provisioner.layer(plan, again, tmp_path) as python:
        told = answer_of(
            python.program, "import sys, tinylib, finestflow; print(tinylib.VERSION, sys.prefix, finestflow.__file__)"
        )
    version, prefix, own = told.split()
    assert (version, Path(prefix).exists()) == ("1.0", False)
    assert Path(own).parent.name == "finestflow"
    other = provisioner.build(plan_provision(recorded(tinylib="2.0", finestflow=RUNNING), RUNNING))
    assert other.parent != first.parent


@pytest.mark.stress
def test_a_package_that_no_index_has_is_named_and_nothing_is_left(tmp_path: Path, index: dict[str, str]):
    provisioner = Provisioner(tmp_path / "kept", index, lambda _: None)
    with pytest.raises(UsageError, match=r"tinylib==3\.0"):
        provisioner.build(plan_provision(recorded(tinylib="3.0", finestflow=RUNNING), RUNNING))
    assert [path.name for path in (tmp_path / "kept").glob("*/*")] == ["lock"]


def test_an_interpreter_that_is_not_here_is_said_before_anything_is_built(tmp_path: Path):
    """Where no uv could fetch it."""
    provisioner = Provisioner(tmp_path / "kept", {"PATH": "/nowhere"}, lambda _: None)
    plan = plan_provision({**recorded(finestflow=RUNNING), "python": "3.99.1"}, RUNNING)
    with pytest.raises(UsageError, match=r"no CPython 3\.99\.1 here") as caught:
        provisioner.build(plan)
    assert "python3.99" in caught.value.hint
    assert not (tmp_path / "kept").exists()


def test_another_last_number_of_the_interpreter_serves_and_is_said(tmp_path: Path):
    said: list[str] = []
    provisioner = Provisioner(tmp_path, {"PATH": "/nowhere"}, said.append)
    minor = ".".join(platform.python_version_tuple()[:2])
    plan = plan_provision({**recorded(finestflow=RUNNING), "python": f"{minor}.999"}, RUNNING)
    assert provisioner._find_python(plan) == sys.executable
    assert said == [f"there is no CPython {minor}.999 here: {platform.python_version()} is used"]
