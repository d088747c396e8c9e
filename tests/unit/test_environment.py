"""What a run records of the environment it ran in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finestflow.environment import read_environment, read_gpu, read_packages
from finestflow.requirements import Packages, dump_requirements, load_requirements, without_credentials

COMMIT = "0123456789012345678901234567890123456789"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages that is all there is on the path."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def install(site: Path, name: str, version: str = "1.0", **files: object) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: other\n")
    for file, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / (file if file.isupper() else f"{file}.json")).write_text(text)


def environment(site: Path) -> dict:
    return read_environment({}, (), None, site.parent / "project")


def test_a_package_is_recorded_with_where_it_came_from(site: Path, tmp_path: Path) -> None:
    """From an index: nothing. Else what pip wrote down, without users, passwords and signatures; a folder of the project by its path in it."""
    project = tmp_path / "project"
    (project / "libs" / "a").mkdir(parents=True)
    told = {
        "plain": None,
        "mine": {"url": project.as_uri(), "dir_info": {"editable": True}},
        "inner": {"url": (project / "libs" / "a").as_uri(), "dir_info": {}},
        "outer": {"url": "file:///elsewhere/lib", "dir_info": {"editable": True}},
        "forge": {
            "url": "https://ada:hunter22@forge.example/x.git",
            "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": COMMIT},
            "subdirectory": "python",
        },
        "forge-ssh": {"url": "ssh://git@forge.example/x", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
        "wheel": {
            "url": "https://t0ken-abc@host.example/wheel-1.0.whl?sig=s3cr3t",
            "archive_info": {"hash": "sha256=beef", "hashes": {"sha256": "beef"}},
        },
    }
    for name, content in told.items():
        install(site, name, **({} if content is None else {"direct_url": content}))
    install(site, "by-conda", direct_url={"url": "file:///croot/x", "dir_info": {}}, INSTALLER="conda\n")
    install(site, "broken", direct_url="{")

    found = environment(site)

    assert sorted(found["packages"]) == sorted(["by-conda", *told])
    assert found["origins"] == {
        "forge": f"git+https://forge.example/x.git@{COMMIT}#subdirectory=python",
        "forge-ssh": f"git+ssh://git@forge.example/x@{COMMIT}",
        "inner": "./libs/a",
        "mine": "-e .",
        "outer": "-e file:///elsewhere/lib",
        "wheel": "https://host.example/wheel-1.0.whl#sha256=beef",
    }


def test_a_folder_that_an_old_installer_linked_is_editable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its metadata lies in the folder itself, which is on the path."""
    (tmp_path / "old.egg-info").mkdir()
    (tmp_path / "old.egg-info" / "PKG-INFO").write_text("Name: old\nVersion: 3\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert read_environment({}, (), None, tmp_path)["origins"] == {"old": "-e ."}


def test_of_two_versions_the_one_that_is_imported_counts(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the spelling of their names."""
    second = site.parent / "more" / "site-packages"
    second.mkdir(parents=True)
    install(site, "some_lib", "2.0")
    install(second, "some-lib", "1.0")
    monkeypatch.setattr(sys, "path", [str(site), str(second)])
    assert read_packages().versions == {"some_lib": "2.0"}


def test_the_list_is_kept_until_something_is_installed(site: Path, tmp_path: Path) -> None:
    """Kept under the times of the folders; a file that is damaged or of an earlier version is no list."""
    kept = tmp_path / "state" / "environment.json"
    install(site, "one")
    assert read_packages(kept).versions == {"one": "1.0"}
    (site / "one-1.0.dist-info" / "METADATA").write_text("")
    assert read_packages(kept).versions == {"one": "1.0"}
    install(site, "two")
    assert read_packages(kept).versions == {"two": "1.0"}
    for text in ("{", "[]", json.dumps({"stamp": json.loads(kept.read_text())["stamp"], "packages": {}})):
        kept.write_text(text)
        assert read_packages(kept).versions == {"two": "1.0"}
    assert [path.name for path in kept.parent.iterdir()] == ["environment.json"]


def test_gpus_are_told_as_the_driver_tells_them(tmp_path: Path) -> None:
    assert read_gpu(tmp_path / "none") == ""
    for number, model in enumerate(("NVIDIA A100-SXM4-40GB", "NVIDIA T4")):
        card = tmp_path / "gpus" / f"0000:0{number}:00.0"
        card.mkdir(parents=True)
        (card / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 11\n")
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC 12\n"
    )
    assert read_gpu(tmp_path) == "NVIDIA A100-SXM4-40GB, NVIDIA T4, driver 535.104.05"


def test_a_named_variable_loses_the_password_of_its_url() -> None:
    found = read_environment({"PIP_INDEX_URL": "https://ada:hunter22@host/simple"}, ["PIP_INDEX_URL"], None)
    assert found["variables"] == {"PIP_INDEX_URL": "https://host/simple"}


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("https://u:p@h/x http://t0ken@h", "https://h/x http://h"),
        ("https://u:p@ss@h/x", "https://h/x"),
        ("ssh://git:p@h/x git+ssh://git@h", "ssh://git@h/x git+ssh://git@h"),
        ("https://h/x@v1 a@b", "https://h/x@v1 a@b"),
    ],
)
def test_credentials_are_taken_out_of_urls(text: str, bare: str) -> None:
    assert without_credentials(text) == bare


def test_the_lines_are_what_pip_and_uv_read() -> None:
    """Sorted by name, with the version where the line itself does not tell it; what no line can say is handed back."""
    packages = Packages(
        {"numpy": "2.4.6", "Mine": "0.1", "lib": "1+local", "odd name": "1", "spaced": "1"},
        {"Mine": "-e .", "lib": f"git+https://h/x@{COMMIT}", "spaced": "file:///a b"},
    )
    text, rest = dump_requirements(packages, "3.12.1")
    assert text.splitlines() == [
        "# python 3.12.1",
        f"lib @ git+https://h/x@{COMMIT}  # lib==1+local",
        "-e .  # Mine==0.1",
        "numpy==2.4.6",
    ]
    assert rest == Packages({"odd name": "1", "spaced": "1"}, {"spaced": "file:///a b"})


ODD = st.text("ab1. -@#=/:\n", max_size=6) | st.sampled_from(["-e .", "./x", "git+https://h/x@c", "file:///x#y"])


@given(st.dictionaries(ODD, st.tuples(ODD, st.none() | ODD)), ODD)
def test_nothing_is_lost_between_the_lines_and_the_rest(
    packages: dict[str, tuple[str, str | None]], python: str
) -> None:
    whole = Packages(
        {name: version for name, (version, _) in packages.items()},
        {name: origin for name, (_, origin) in packages.items() if origin},
    )
    text, rest = dump_requirements(whole, python)
    told = load_requirements(text)
    assert Packages(told.versions | rest.versions, told.origins | rest.origins) == whole
    assert not set(told.versions) & set(rest.versions)
