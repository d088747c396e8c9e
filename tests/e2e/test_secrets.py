"""What must not be recorded is nowhere below ``.git``."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e import processes
from tests.e2e.conftest import Project

SECRET = b"abracadabra-7391"
HIDDEN = b"correct-horse-battery"


def places_with(folder: Path, text: bytes) -> list[str]:
    """Return where a text stands below ``.git``: in files as they are, and in every object of git."""
    found = [str(path) for path in (folder / ".git").rglob("*") if path.is_file() and text in path.read_bytes()]
    listed = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=folder, capture_output=True, check=True
    )
    return found + (["a git object"] if text in listed.stdout else [])


def take_token(project: Project, body: str) -> None:
    """Give the task ``scale`` a secret param ``token``, and another body."""
    file, factor = "numbers_pipeline.py", "factor: float = Param(2.0)"
    project.edit(file, factor, f'{factor}\n    token: str = Param("", secret=True)')
    project.edit(file, "return [self.factor * number for number in numbers]", body)


def test_a_secret_param_is_nowhere(project: Project):
    """Neither in the command line, params, logs, errors, nor in the store; not in a failed run and not in a killed one's files."""
    take_token(
        project,
        'print("token is", self.token)\n        if self.factor < 0: raise ValueError("bad " + self.token)\n        return numbers',
    )
    secret = SECRET.decode()
    project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret}")
    project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret}")
    project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret}", "-p", "scale.factor=-1", code=1)

    assert "token is ***" in project.do("logs", "@~2:scale").out
    assert places_with(project.folder, SECRET) == []
    shown = project.do("show", "@", "--json").out + project.do("log", "--json").out + project.do("show", "@~1").out
    assert secret not in shown


def with_secrets(**variables: str) -> dict[str, str]:
    return {**os.environ, **variables}


@pytest.mark.slow
def test_a_secret_of_the_environment_is_nowhere(project: Project):
    """Not when a task prints it or fails with it, not when it is to be recorded, not in a script, a started run, or a program's error."""
    environ = with_secrets(API_TOKEN=HIDDEN.decode())
    project.write(".finestflow.toml", '[run]\nrecord-env = ["API_TOKEN", "COLOR"]\n')
    project.edit(
        "numbers_pipeline.py",
        "return [self.factor * number for number in numbers]",
        'import os; print("token is", os.environ["API_TOKEN"])\n'
        '        if self.factor < 0: raise ValueError("bad " + os.environ["API_TOKEN"])\n        return numbers',
    )
    project.write(
        "show.py", 'import os, sys\nprint(os.environ["API_TOKEN"])\nsys.exit("bad " + os.environ["API_TOKEN"])'
    )
    project.write(
        "begin.py",
        'import finestflow, os\nwith finestflow.start("begin") as run:\n    print(os.environ["API_TOKEN"])\n'
        '    raise ValueError("bad " + os.environ["API_TOKEN"])',
    )
    for jobs in ("1", "2"):
        project.do("run", "numbers_pipeline.py:Numbers", "-j", jobs, env=environ)
        project.do("run", "numbers_pipeline.py:Numbers", "-j", jobs, "-p", "scale.factor=-1", env=environ, code=1)
    project.do("run", "show.py", env=environ, code=1)
    project.do("run", "begin.py", env=environ, code=1)
    processes.python("begin.py", cwd=project.folder, env=environ)

    assert len(project.runs()) == 7
    assert "token is ***" in project.do("logs", "@~6:scale").out
    assert project.do("env", "@", "--json").json["environment"]["variables"] == {"API_TOKEN": "***"}
    assert places_with(project.folder, HIDDEN) == []


@pytest.mark.slow
def test_a_secret_on_a_command_line_is_nowhere(project: Project):
    """By the name of its option or setting, in words, params and what the program prints; and in what a killed program left."""
    project.write("show.py", "import sys, time\nprint(sys.argv)\nif sys.argv[-1] == 'wait': time.sleep(60)")
    secret = SECRET.decode()
    for words in (
        ["--api-key", secret],
        [f"--password={secret}"],
        [f"TOKEN={secret}"],
        [f"+db.passwd={secret}"],
        ["--accessToken", secret],
        ["-secret", secret],
    ):
        project.do("run", "show.py", *words)
        processes.python("-m", "finestflow", "run", "--", "echo", *words, cwd=project.folder)
    killed = project.start("run", "show.py", "--api-key", secret, "wait")
    live = project.folder / ".git" / "finestflow" / "live"
    while not any("***" in path.read_text() for path in live.glob("*/logs/*.txt")):
        time.sleep(0.05)
    killed.send(signal.SIGKILL)
    killed.wait()
    left = places_with(project.folder, SECRET)

    assert [run["status"] for run in project.runs()] == ["killed"] + ["ok"] * 12
    assert left == places_with(project.folder, SECRET) == []


@pytest.mark.slow
def test_a_param_of_a_started_run_that_is_called_like_a_secret_is_nowhere(project: Project):
    project.write(
        "begin.py",
        "import finestflow, sys\n"
        'with finestflow.start("begin", api_key=sys.argv[2], auth={"hfToken": sys.argv[2]}) as run:\n'
        "    run.add_params(password=sys.argv[2], tokens=3)",
    )
    processes.python("begin.py", "--api-key", SECRET.decode(), cwd=project.folder)

    assert project.show()["params"] == {"api_key": "***", "auth.hfToken": "***", "password": "***", "tokens": 3}
    assert places_with(project.folder, SECRET) == []


@pytest.mark.slow
def test_neither_the_queue_nor_a_sweep_writes_a_secret_down(project: Project):
    take_token(project, "return [self.factor * number * len(self.token) for number in numbers]")
    secret = SECRET.decode()
    words = ["run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret}", "-p", "scale.factor=1,2"]

    assert "keeps no secrets: 'scale.token'" in project.do(*words, "--queue", code=2).err
    project.do(*words, "-j", "2")
    assert sorted(run["metrics"]["total/total"] for run in project.runs()) == [6 * len(secret), 12 * len(secret)]
    project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret},another-one")
    assert places_with(project.folder, SECRET) == []


def test_a_setting_that_is_called_like_a_secret_and_would_be_recorded_is_refused(project: Project):
    """Unless its param says that it is none."""
    project.edit("numbers_pipeline.py", "factor: float = Param(2.0)", 'factor: float = 2.0\n    token: str = "a"')
    said = project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={SECRET.decode()}", code=2).err
    assert "declare it as Param(secret=True)" in said
    assert places_with(project.folder, SECRET) == []

    project.edit("numbers_pipeline.py", 'token: str = "a"', 'token: str = Param("a", secret=False)')
    project.do("run", "numbers_pipeline.py:Numbers", "-p", "scale.token=b")
    assert project.show()["params"]["scale.token"] == "b"


def test_files_that_hold_secrets_are_left_out(project: Project):
    """An untracked ``.env``, key or certificate is not in the snapshot, and a line tells so; variables are not recorded."""
    for name in (".env", ".env.local", "server.pem", "deploy.key", "id_rsa", "conf/.env"):
        project.write(name, b"PASSWORD=" + HIDDEN)
    answer = project.do(
        "run",
        "numbers_pipeline.py:Numbers",
        env={"PATH": __import__("os").environ["PATH"], "HOME": "/nonexistent", "API_TOKEN": HIDDEN.decode()},
    )

    assert "not in the snapshot" in answer.err
    assert places_with(project.folder, HIDDEN) == []


def test_an_ignored_file_is_left_out(project: Project):
    """What ``.gitignore`` names never enters."""
    project.write(".gitignore", "private/\n")
    project.write("private/notes.txt", HIDDEN)
    project.do("run", "numbers_pipeline.py:Numbers")

    assert places_with(project.folder, HIDDEN) == []


ATTACK = """
import os
from finestflow import Param, Pipeline, Task

TOKEN = os.environ["API_TOKEN"]

class Tell(Task):
    label: str = Param("x")
    def run(self, n: int) -> int:
        print("index is", os.environ["PIP_INDEX_URL"])
        self.log(**{"score-" + os.environ["API_TOKEN"]: 1.0})
        self.context["seen-" + os.environ["API_TOKEN"]] = os.environ["API_TOKEN"]
        if n > 3:
            raise ValueError("cannot reach " + os.environ["DATABASE_URL"].split("@")[0])
        return n

class Flow(Pipeline):
    tell: Tell
    def __call__(self, n: int = 1) -> int:
        return self.tell(n)
"""
BEGIN = """
import finestflow, os
token = os.environ["API_TOKEN"]
with finestflow.start("begin", url=os.environ["PIP_INDEX_URL"], header="Bearer " + token) as run:
    run.log(**{"m/" + token: 1})
    run.note("note " + token)
    run.tag("tag-" + token)
    run.add_params(other=token)
    open("x.txt", "w").write("hello")
    run.save("x.txt", name="saved-" + token)
    if os.fork() == 0:
        finestflow.log(**{"child-" + token: 1})
        os._exit(0)
    os.wait()
"""
LATER = """
import finestflow, os
finestflow.log(**{"joined-" + os.environ["API_TOKEN"]: 1.0})
print(os.environ["DATABASE_URL"])
"""


@pytest.mark.slow
def test_a_secret_of_the_environment_is_nowhere_whatever_a_program_does_with_it(project: Project):
    """As a name of a metric, tag or artifact, in a note, param or context; an address gives away no password; the remote of git is not recorded."""
    environ = with_secrets(
        API_TOKEN=HIDDEN.decode(),
        PIP_INDEX_URL="https://carl:index-pass-22@host/simple",
        DATABASE_URL="postgres://dora:db-pass-3333@db/x",
    )
    project.write("flow.py", ATTACK)
    project.write("begin.py", BEGIN)
    project.write("later.py", LATER)
    project.write("show.py", "import sys; print(sys.argv)")
    project.write(".finestflow.toml", '[run]\nrecord-env = ["PIP_INDEX_URL"]\n')
    project.git("remote", "add", "origin", "https://ada:remote-pass-99@forge.example/x.git")
    token = HIDDEN.decode()
    words = ("-p", f"tell.label={token}", "--name", f"n-{token}", "--tag", f"t-{token}", "-m", f"note {token}")
    project.do("run", "flow.py:Flow", env=environ)
    project.do("run", "flow.py:Flow", "-j", "2", "-p", "n=2", env=environ)
    project.do("run", "flow.py:Flow", "-p", "n=5", env=environ, code=1)
    noted = project.do("run", "flow.py:Flow", *words, env=environ).err
    project.do("run", "flow.py:Flow", "-p", f"tell.label={token}", "--queue", env=environ, code=2)
    processes.python("begin.py", cwd=project.folder, env=environ)
    project.do("run", "later.py", env=environ)
    project.do("run", "show.py", "--header", f"Bearer {token}", "--url", "https://eve:arg-pass-555@host", env=environ)
    project.do("tag", "@", f"x-{token}", env=environ)
    project.do("note", "@", f"seen with {token}", env=environ)

    assert "not cached: a param, metric or context value holds a secret" in noted
    assert len(project.runs()) == 7
    assert project.show("@")["params"] == {"header": "Bearer ***", "url": "https://eve:***@host"}
    (project.folder / ".git" / "config").unlink()  # git itself keeps the password of its remote there
    project.git("init", "--quiet")
    for secret in (HIDDEN, b"index-pass-22", b"db-pass-3333", b"remote-pass-99", b"arg-pass-555"):
        assert places_with(project.folder, secret) == [], secret


@pytest.mark.slow
def test_a_secret_that_a_notebook_holds_is_nowhere(project: Project):
    """In a cell that a task is defined in, in a variable that is called like one and printed, in a variable of the environment that a cell sets."""
    pytest.importorskip("IPython")
    cells = [
        'import os\nos.environ["OPENAI_TOKEN"] = "cell-env-secret-1"\nAPI_KEY = "cell-const-secret-2"',
        PIPELINE_OF_CELLS,
        "F()()",
        'API_KEY = "cell-const-secret-22"',
        "F()()",
    ]
    project.write(
        "../cells.py",
        "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()\n"
        f"for cell in {cells!r}:\n    shell.run_cell(cell).raise_error()\n",
    )
    processes.python("../cells.py", cwd=project.folder)

    assert [run["status"] for run in project.runs()] == ["ok", "ok"]
    assert project.do("logs", "@:t").out == "*** *** 19\n"
    for secret in (b"cell-env-secret", b"cell-const-secret", b"cell-local-secret"):
        assert places_with(project.folder, secret) == [], secret


PIPELINE_OF_CELLS = """
from finestflow import Pipeline, Task
api_key = "cell-const-secret-3"
class T(Task):
    def run(self) -> int:
        password = "cell-local-secret-4"
        print(os.environ["OPENAI_TOKEN"], API_KEY, len(api_key) + len(password) - 19)
        return len(API_KEY)
class F(Pipeline):
    t: T
    def __call__(self) -> int:
        return self.t()
"""


TELL = """
import finestflow, os, pathlib, sys
text = pathlib.Path(".env").read_text()
values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
password = values["export DB_PASS"].strip("'")
print(text)
with finestflow.start("tell", model=values["MODEL"], key=values["OPENAI_KEY"]) as run:
    run.log(**{"m/" + password: 1.0})
    run.note("note " + values["WEBHOOK"])
    run.tag("t-" + password)
    print(text)
    if os.fork() == 0:
        finestflow.log(**{"child-" + password: 1})
        os._exit(0)
    os.wait()
    raise ValueError("bad " + values["WEBHOOK"])
"""
DOTENV = """# of this machine
OPENAI_KEY=sk-proj-Ab12Cd34Ef56
MODEL=gpt-4o-mini
export DB_PASS='quiet horse'
WEBHOOK="T00AB12CD/hooks/x9y8z7w6"
DATABASE_URL=postgres://dora:db-pass-3333@db/x
CERTIFICATE="-----BEGIN-----
MIIB9zCCAWCgAwIBAgI1
-----END-----"
"""


@pytest.mark.slow
def test_the_values_of_a_dotenv_file_are_nowhere_whatever_a_program_does_with_them(project: Project):
    """A task, a script and a started run print the file, and put values into metrics, notes, tags, params, contexts and errors."""
    project.write(".env", DOTENV)
    project.write("conf.env", "export SIGNING_SALT=anchovy-pie\n")
    project.write("tell.py", TELL)
    project.write("show.py", "print(open('.env').read(), open('conf.env').read())")
    project.write(
        "join.py", "import finestflow\nfinestflow.log(**{'j-' + open('conf.env').read().strip()[-11:]: 1.0})\n"
    )
    project.edit(
        "numbers_pipeline.py",
        "return [self.factor * number for number in numbers]",
        'print(open(".env").read(), open("conf.env").read())\n'
        '        if self.factor < 0: raise ValueError("bad " + open(".env").read())\n        return numbers',
    )
    for jobs in ("1", "2"):
        project.do("run", "numbers_pipeline.py:Numbers", "-j", jobs)
        project.do("run", "numbers_pipeline.py:Numbers", "-j", jobs, "-p", "scale.factor=-1", code=1)
    processes.python("tell.py", cwd=project.folder)
    project.do("run", "tell.py", code=1)
    project.do("run", "show.py")
    project.do("run", "join.py")
    project.do("run", "--", "cat", ".env")
    project.do("note", "@", "with anchovy-pie")

    assert "OPENAI_KEY=***\nMODEL=gpt-4o-mini\n" in project.do("logs", "@").out
    assert {run["params"].get("model") for run in project.runs() if run["pipeline"] == "tell"} == {"gpt-4o-mini"}
    secrets = (b"sk-proj-Ab12Cd34Ef56", b"quiet horse", b"x9y8z7w6", b"db-pass-3333", b"MIIB9zCC", b"anchovy-pie")
    assert {secret: places for secret in secrets if (places := places_with(project.folder, secret))} == {}
