"""What the fingerprint says when the code in the process is not what lies on the disk, or changes while it runs."""

import functools
import importlib
import importlib.metadata
import json
import linecache
import math
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

from finestflow.cache.components import explain
from finestflow.cache.digest import digest_value
from finestflow.cache.fingerprint import Fingerprinter, FolderDefinitionCache, task_identity
from tests.cache_edits.fingerprints import Fingerprints
from tests.cache_edits.scenarios import SCENARIOS

REPOSITORY = Path(__file__).resolve().parents[3]


class Project:
    """A folder of modules that are imported into this process."""

    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def load(self, name: str, text: str | None = None):
        if text is not None:
            self.write(name.replace(".", "/") + ".py", text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def fingerprinter(self, **options) -> Fingerprinter:
        def digest(value):
            return digest_value(value, of_code=lambda code: made.of_function(code).hash, is_project=made.is_project)

        made = Fingerprinter([self.folder], digest=digest, **options)
        return made

    def of(self, function):
        return self.fingerprinter().of_function(function)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


# Source and process differ


def test_code_edited_since_its_import_is_not_filed_as_the_new_code(project):
    module = project.load("edited", "def f(x):\n    return x + 1\n")
    as_imported = project.of(module.f)
    project.write("edited.py", "def f(x):\n    return x + 2\n")
    after_edit = project.of(module.f)
    del sys.modules["edited"]
    new = project.of(project.load("edited").f)
    assert len({as_imported.hash, after_edit.hash, new.hash}) == 3
    assert "is not what runs" in after_edit.notes[0]
    assert not as_imported.notes
    assert not new.notes


def test_a_fingerprint_that_is_known_survives_an_edit_of_the_file(project):
    module = project.load("known", "def f(x):\n    return x + 1\n")
    fingerprinter = project.fingerprinter()
    before = fingerprinter.of_function(module.f)
    project.write("known.py", "def f(x):\n    return x + 2\n")
    fingerprinter.refresh()
    assert fingerprinter.of_function(module.f) == before


def test_a_comment_added_since_the_import_makes_no_difference(project):
    module = project.load("moved", "def f(x):\n    '''Doc.'''\n    return x + 1\n")
    before = project.of(module.f)
    project.write("moved.py", "# one\n# two\ndef g():\n    pass\n\ndef f(x):\n    '''Text.'''\n    return x + 1\n")
    assert project.of(module.f) == before


def test_reloaded_code_is_the_new_code(project):
    module = project.load("reloaded", "def f(x):\n    return x + 1\n")
    fingerprinter = project.fingerprinter()
    old = fingerprinter.of_function(module.f)
    project.write("reloaded.py", "def f(x):\n    return x + 22\n")
    importlib.reload(module)
    fingerprinter.refresh()
    new = fingerprinter.of_function(module.f)
    assert not new.notes
    assert explain(old.components, new.components) == ["changed `reloaded.f`"]
    del sys.modules["reloaded"]
    assert project.of(project.load("reloaded").f) == new


def test_a_stale_pyc_is_seen(project, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    project.write("stale.py", "def f(x):\n    return x + 1\n")
    os.utime(project.folder / "stale.py", (10_000, 10_000))
    first = project.of(project.load("stale").f)
    project.write("stale.py", "def f(x):\n    return x + 2\n")
    os.utime(project.folder / "stale.py", (10_000, 10_000))
    del sys.modules["stale"]
    module = project.load("stale")
    assert module.f(1) == 2, "Python takes the file of the same size and time for the same"
    second = project.of(module.f)
    assert "is not what runs" in second.notes[0]
    assert second.hash != first.hash


def test_a_monkeypatched_function_counts_as_it_is(project):
    module = project.load("patched", "def g(x):\n    return x\n\ndef f(x):\n    return g(x)\n")
    fingerprinter = project.fingerprinter()
    old = fingerprinter.of_function(module.f)
    namespace = dict(vars(module))
    exec("def g(x):\n    return -x\n", namespace)
    module.g = namespace["g"]
    fingerprinter.refresh()
    new = fingerprinter.of_function(module.f)
    assert new.hash != old.hash
    assert "`patched.g`" in new.notes[0]
    module.g = lambda x: -x
    fingerprinter.refresh()
    assert fingerprinter.of_function(module.f).hash not in {old.hash, new.hash}


def test_a_library_function_that_was_replaced_by_the_project_counts(project, monkeypatch):
    module = project.load("hooked", "import math\ndef mine(x):\n    return 1\ndef f(x):\n    return math.floor(x)\n")
    old = project.of(module.f)
    monkeypatch.setattr(math, "floor", module.mine)
    assert "added `hooked.mine`" in explain(old.components, project.of(module.f).components)


def test_replaced_code_of_a_function_is_seen(project):
    module = project.load("swapped", "def f(x):\n    return x\n\ndef g(x):\n    return -x\n")
    fingerprinter = project.fingerprinter()
    old = fingerprinter.of_function(module.f)
    module.f.__code__ = module.g.__code__
    fingerprinter.refresh()
    assert fingerprinter.of_function(module.f).hash != old.hash


def test_a_function_made_by_exec_counts_by_its_bytecode(project):
    made = []
    for text in ("x + 1", "x + 1", "x + 2"):
        namespace = {"__name__": "made_by_exec"}
        exec(f"def f(x):\n    return {text}\n", namespace)
        made.append(project.of(namespace["f"]))
    assert made[0] == made[1]
    assert made[0].hash != made[2].hash
    assert "at run time" in made[0].notes[0]


def test_what_bytecode_names_is_followed(project):
    module = project.load("deep", "import math\nK = 1\ndef helper(x):\n    return x + K\n")
    namespace = {"__name__": "made_by_exec", "deep": module, "math": math}
    exec("def f(x):\n    def inner():\n        return deep.helper(x)\n    return inner()\n", namespace)
    components = project.of(namespace["f"]).components
    assert {"deep.helper", "deep.K"} <= components.keys()


def test_a_function_of_a_notebook_cell_has_a_source(project):
    source = "def f(x):\n    # a comment\n    return x + 1\n"
    name = "<cell-1>"
    namespace = {"__name__": "__main__"}
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)
    try:
        found = project.of(namespace["f"])
    finally:
        del linecache.cache[name]
    assert not found.notes


def test_what_only_the_source_can_tell_is_not_trusted_after_an_edit(project):
    text = "POOL = (i for i in [1])\ndef f(x):\n    return POOL\n"
    module = project.load("pool", text)
    fingerprinter = project.fingerprinter()
    old = fingerprinter.of_function(module.f)
    assert "cannot be digested" in old.notes[0]
    assert project.of(module.f).hash == old.hash
    project.write("pool.py", text.replace("[1]", "[2, 3]"))
    fingerprinter.refresh()
    edited = fingerprinter.of_function(module.f)
    assert any("edited since its import" in note for note in edited.notes)
    fresh = project.fingerprinter(started=1.0).of_function(module.f)
    assert len({old.hash, edited.hash, fresh.hash, project.of(module.f).hash}) == 4


# Values change while the process runs


def test_a_value_that_changed_is_seen_after_a_refresh_and_not_before(project):
    module = project.load("values", "N = 1\nTABLE = {'a': [1]}\ndef f(x):\n    return N, TABLE\n")
    fingerprinter = project.fingerprinter()
    old = fingerprinter.of_function(module.f)
    module.N = 2
    assert fingerprinter.of_function(module.f) is old
    fingerprinter.refresh()
    new = fingerprinter.of_function(module.f)
    assert explain(old.components, new.components) == ["`values.N` 1 -> 2"]
    module.TABLE["a"].append(2)
    fingerprinter.refresh()
    newer = fingerprinter.of_function(module.f)
    assert explain(new.components, newer.components) == ["`values.TABLE` {'a': [1]} -> {'a': [1, 2]}"]
    fingerprinter.refresh()
    assert fingerprinter.of_function(module.f) is newer


def test_a_name_that_appears_later_is_seen(project):
    module = project.load("later", "def f(x):\n    return LATER\n")
    fingerprinter = project.fingerprinter()
    old = fingerprinter.of_function(module.f)
    module.LATER = 3
    fingerprinter.refresh()
    assert explain(old.components, fingerprinter.of_function(module.f).components) == ["added `later.LATER`"]


def test_a_change_is_seen_from_every_root_that_reaches_it(project):
    module = project.load(
        "roots",
        "N = 1\ndef shared(x):\n    return N\ndef f(x):\n    return shared(x)\ndef g(x):\n    return shared(x)\n",
    )
    fingerprinter = project.fingerprinter()
    old = [fingerprinter.of_function(module.f), fingerprinter.of_function(module.g)]
    module.N = 2
    fingerprinter.refresh()
    new = [fingerprinter.of_function(module.g), fingerprinter.of_function(module.f)]
    assert all(one.hash != other.hash for one, other in zip(old, reversed(new), strict=True))
    assert new == [project.of(module.g), project.of(module.f)]


def test_a_mutated_instance_inside_a_container_is_seen(project):
    module = project.load(
        "nested",
        "class M:\n    def __init__(self):\n        self.k = [1]\nALL = {'m': M()}\ndef f(x):\n    return ALL\n",
    )
    fingerprinter = project.fingerprinter()
    old = fingerprinter.of_function(module.f)
    module.ALL["m"].k.append(2)
    fingerprinter.refresh()
    new = fingerprinter.of_function(module.f)
    assert explain(old.components, new.components) == ["`nested.ALL['m'].k` [1] -> [1, 2]"]


# Order, recursion, hash seeds


RECURSIVE = """
    def even(n):
        return n == 0 or odd(n - 1)
    def odd(n):
        return n != 0 and even(n - 1)
    class Tree:
        def grow(self):
            return Tree(), even, KEEP
    KEEP = [even, Tree]
    KEEP.append(KEEP)
    """


def test_who_is_asked_first_makes_no_difference(project):
    module = project.load("recursive", RECURSIVE)
    things = [module.even, module.odd, module.Tree.grow]
    alone = [project.of(thing) for thing in things]
    together = project.fingerprinter()
    assert [together.of_function(thing) for thing in things] == alone
    backwards = project.fingerprinter()
    assert [backwards.of_function(thing) for thing in reversed(things)] == alone[::-1]


def test_a_library_object_that_leads_back_to_itself_has_one_fingerprint(project):
    module = project.load(
        "cyclic",
        """
        from collections import UserList
        def first(x):
            return HOLD, second
        def second(x):
            return HOLD
        HOLD = UserList([first, second])
        """,
    )
    alone = [project.of(module.first), project.of(module.second)]
    together = project.fingerprinter()
    assert [together.of_function(module.second), together.of_function(module.first)] == alone[::-1]
    assert not alone[0].notes


def test_a_value_that_two_modules_share_is_the_same_whoever_is_asked_first(project):
    project.load("owner", "IT = iter([1])\nTABLE = {'a': [1]}\nOP = lambda x: x\n")
    one = project.load("one_user", "from owner import IT, TABLE, OP\ndef f(x):\n    return IT, TABLE, OP\n")
    two = project.load("two_user", "from owner import IT, TABLE, OP\ndef f(x):\n    return IT, TABLE, OP\n")
    alone = [project.of(one.f), project.of(two.f)]
    together = project.fingerprinter()
    assert [together.of_function(two.f), together.of_function(one.f)] == alone[::-1]
    assert {"one_user.TABLE", "one_user.OP"} <= alone[0].components.keys()


def test_keys_that_look_alike_are_kept_apart(project):
    module = project.load(
        "alike",
        """
        def make(k):
            def inner():
                return k
            return inner
        D = {make(1): make(2), make(3): make(4)}
        def f(x):
            return D
        """,
    )
    shown = [one.rpartition(" ")[2] for name, one in project.of(module.f).components.items() if name.endswith(".k")]
    assert len(shown) == 1, "one name stands for all of the closures"
    old = project.of(module.f)
    for key in list(module.D):
        value = module.D.pop(key)
        module.D[key] = module.make(5) if value() == 2 else value
    assert project.of(module.f).hash != old.hash


@pytest.mark.slow
def test_every_hash_seed_gives_the_same_fingerprints(tmp_path):
    jobs = []
    for index, scenario in enumerate(SCENARIOS[::4]):
        for path, text in scenario.before.items():
            file = tmp_path / str(index) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        jobs.append((str(tmp_path / str(index)), scenario.entry, scenario.argument, scenario.paths))
    text = "S = {'a', 'b', 'c', len, max}\nF = {1, 'x'}\ndef f(x):\n    return x in {'p', 'q', 'r'} or S\n"
    (tmp_path / "sets.py").write_text(f"{text}class Fit:\n    def run(self, x):\n        return f(x), S, F\n")
    jobs.append((str(tmp_path), "sets:Fit", "1", ()))
    seeds = []
    for seed in ("0", "1", "42", "4294967295"):
        with Fingerprints(PYTHONHASHSEED=seed) as process:
            seeds.append([process.of(job) for job in jobs])
    assert all(one == seeds[0] for one in seeds)
    assert not [one["error"] for one in seeds[0] if "error" in one]


# Which code is the project's


def test_an_environment_inside_the_project_is_not_the_project(project):
    project.write("env/pyvenv.cfg", "home = /usr\n")
    project.write("env/lib/python3/site-packages/installed.py", "def f():\n    pass\n")
    project.write("env/lib/odd/copied.py", "def f():\n    pass\n")
    project.write("env/src/editable.py", "def f():\n    pass\n")
    fingerprinter = project.fingerprinter()
    sys.path[:0] = [str(project.folder / path) for path in ("env/lib/python3/site-packages", "env/lib/odd", "env/src")]
    names = ["installed", "copied", "editable"]
    try:
        answers = [fingerprinter.is_project(project.load(name).f) for name in names]
    finally:
        del sys.path[:3]
    assert answers == [False, False, True]


def test_a_module_outside_the_project_and_outside_of_site_packages_is_followed(project, tmp_path_factory):
    elsewhere = Project(tmp_path_factory.mktemp("elsewhere"))
    sys.path.insert(0, str(elsewhere.folder))
    try:
        elsewhere.load("outside", "K = 1\ndef f(x):\n    return K\n")
        module = project.load("inside", "import outside\ndef g(x):\n    return outside.f(x)\n")
        assert {"outside.f", "outside.K"} <= project.of(module.g).components.keys()
    finally:
        sys.path.remove(str(elsewhere.folder))
        del sys.modules["outside"]


def test_finestflow_and_the_standard_library_are_never_the_project():
    from finestflow.errors import FinestflowError, nearest_hint

    fingerprinter = Fingerprinter([REPOSITORY], digest=lambda value: digest_value(value).digest)
    things = [FinestflowError, nearest_hint, json, json.dumps, Path, math.floor, int, pytest, pytest.fixture]
    assert [thing for thing in things if fingerprinter.is_project(thing)] == []
    assert fingerprinter.is_project(Project)
    assert fingerprinter.is_project(Project(Path()))
    assert fingerprinter.is_project(test_finestflow_and_the_standard_library_are_never_the_project)


def test_the_version_of_an_installed_library_is_that_of_its_folder(project):
    module = project.load("uses", "import click\ndef f(x):\n    return click.echo(x)\n")
    components = project.of(module.f).components
    assert components["click"] == importlib.metadata.version("click")


def test_a_compiled_extension_of_the_project_counts_by_its_file(project):
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    original = Path(math.__file__) if getattr(math, "__file__", None) else None
    candidates = [original] if original else []
    import _json

    if getattr(_json, "__file__", None):
        candidates.append(Path(_json.__file__))
    if not candidates:
        pytest.skip("this Python has its extensions built in")
    name = candidates[-1].name.split(".")[0]
    target = project.folder / f"{name}{suffix}"
    shutil.copy(candidates[-1], target)
    spec = importlib.util.spec_from_file_location(name, target)
    compiled = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compiled)
    module = project.load("uses_compiled", "def f(x):\n    return fast\n")
    module.fast = compiled
    old = project.of(module.f)
    with target.open("ab") as file:
        file.write(b"\0")
    assert project.of(module.f).hash != old.hash


# Tasks


def _task_class(project, name: str, body: str):
    return project.load(name, "class Fit:\n    __finestflow_params__ = {'C': None}\n    C = 1\n" + textwrap.indent(
        textwrap.dedent(body), "    "
    )).Fit  # fmt: skip


def test_params_do_not_count(project):
    cls = _task_class(project, "params", "def run(self, x):\n    return self.C")
    one, two = cls(), cls()
    two.C = 5
    fingerprinter = project.fingerprinter()
    assert fingerprinter.of_task(one) == fingerprinter.of_task(two)


def test_an_attribute_that_is_set_from_outside_counts_and_what_initialize_sets_does_not(project):
    cls = _task_class(
        project,
        "state",
        "def initialize(self):\n    self.model = 1\ndef run(self, x):\n    return self.model + self.extra",
    )
    fingerprinter = project.fingerprinter()
    task = cls()
    plain = fingerprinter.of_task(task)
    task.model = object()
    assert fingerprinter.of_task(task) == plain
    task.extra = 3
    three = fingerprinter.of_task(task)
    assert explain(plain.components, three.components) == ["added `state.Fit.extra`"]
    task.extra = 4
    assert explain(three.components, fingerprinter.of_task(task).components) == ["`state.Fit.extra` 3 -> 4"]


def test_secret_params_of_tasks_that_are_called_inside_are_not_shown(project):
    text = """
        from finestflow import Param, Task
        class Other(Task):
            key: int = Param(SECRET, secret=True)
            threads: int = Param(4, digest=False)
            def run(self, x):
                return x
        OTHER = Other(key=SECRET + 1)
        class Fit(Task):
            def run(self, x):
                return OTHER(x), Other()(x)
        """
    found = []
    for secret in ("12345", "98765"):
        module = project.load("secret_params", text.replace("SECRET", secret))
        found.append(project.fingerprinter().of_task(module.Fit()))
        del sys.modules["secret_params"]
    assert "1234" not in json.dumps(dict(found[0].components))
    assert found[0] == found[1]


def test_a_task_of_a_function_is_its_function(project):
    module = project.load("functions", "K = 1\ndef f(x):\n    return K\n")

    class TaskOf:
        def __init__(self, function):
            self.function = function

    fingerprinter = project.fingerprinter()
    assert fingerprinter.of_task(TaskOf(module.f)) == fingerprinter.of_function(module.f)
    assert fingerprinter.of_task(TaskOf(json.loads)).components["python"]


def test_a_script_is_the_same_as_the_module_of_its_name(project):
    project.write(
        "script.py",
        f"""
        import sys
        sys.path.insert(0, {str(REPOSITORY)!r})
        from pathlib import Path
        from finestflow.cache.digest import digest_value
        from finestflow.cache.fingerprint import Fingerprinter, task_identity
        K = 2
        class Fit:
            def run(self, x):
                return helper(x)
        def helper(x):
            return x * K
        def show():
            made = Fingerprinter([Path(__file__).parent], digest=digest_value)
            found = made.of_task(Fit())
            print(found.hash, sorted(found.components), task_identity(Fit), task_identity(Fit()), found.notes)
        if __name__ == "__main__":
            show()
        """,
    )
    import_it = "import sys; sys.path.insert(0, '.'); import script; script.show()"
    commands = [["script.py"], ["-m", "script"], ["-c", import_it]]
    outputs = {
        subprocess.run(
            [sys.executable, *command], cwd=project.folder, capture_output=True, text=True, check=True
        ).stdout
        for command in commands
    }  # fmt: skip
    assert len(outputs) == 1
    assert "script:Fit" in outputs.pop()


def test_identities_are_module_and_qualified_name():
    assert task_identity(Project) == f"{__name__}:Project"
    assert task_identity(Project(Path())) == f"{__name__}:Project"
    assert task_identity(functools.partial(json.loads, cls=None)) == "json:loads"
    assert task_identity(test_identities_are_module_and_qualified_name).endswith(
        ":test_identities_are_module_and_qualified_name"
    )


# Values that are code, and what is said about them


def test_texts_from_elsewhere_are_not_shown(project, monkeypatch):
    monkeypatch.setenv("THE_KEY", "s3cret")
    module = project.load(
        "secrets_", "import os\nKEY = os.environ['THE_KEY']\nMODE = 'fast'\ndef f(x):\n    return KEY, MODE\n"
    )
    components = project.of(module.f).components
    assert "s3cret" not in json.dumps(dict(components))
    assert components["secrets_.MODE"].endswith(" 'fast'")
    monkeypatch.setattr(module, "KEY", "other")
    assert "changed `secrets_.KEY`" in explain(components, project.of(module.f).components)


def test_paths_in_constants_count_by_their_text_below_the_project(project, tmp_path_factory):
    text = "from pathlib import Path\nHERE = Path(__file__).parent\ndef f(x):\n    return HERE\n"
    first = project.of(project.load("paths", text).f)
    del sys.modules["paths"]
    other = Project(tmp_path_factory.mktemp("clone"))
    sys.path.insert(0, str(other.folder))
    try:
        assert other.of(other.load("paths", text).f) == first
    finally:
        sys.path.remove(str(other.folder))
        sys.modules.pop("paths", None)


def test_locks_loggers_and_sentinels_are_no_obstacle(project):
    module = project.load(
        "harmless",
        """
        import logging, threading, contextvars
        LOCK, LOG, NONE, VAR = threading.Lock(), logging.getLogger("a"), object(), contextvars.ContextVar("v")
        def f(x):
            return LOCK, LOG, NONE, VAR
        """,
    )
    assert not project.of(module.f).notes


def test_names_imported_from_libraries_are_not_taken_for_values(project):
    module = project.load("env", "from os import environ\nfrom sys import argv\ndef f(x):\n    return environ\n")
    fingerprinter = project.fingerprinter()
    before = fingerprinter.of_function(module.f)
    os.environ["FINGERPRINT_TEST"] = "1"
    try:
        fingerprinter.refresh()
        assert fingerprinter.of_function(module.f) == before
    finally:
        del os.environ["FINGERPRINT_TEST"]
    assert before.notes == (
        "`env.f` reads environ: environment variables do not count: pass what they hold as a param",
    )


@pytest.mark.slow  # it loads scikit-learn
def test_a_decorated_function_of_a_library_counts_by_its_version_alone(project):
    module = project.load(
        "scores", "from sklearn.metrics import accuracy_score\ndef f(a, b):\n    return accuracy_score(a, b)\n"
    )

    assert set(project.of(module.f).components) == {"scores.f", "scikit-learn", "(wiring)"}


@pytest.mark.parametrize(
    "statements",
    [
        "import lazylib\n    return lazylib.size(x)",
        "import lazylib.deep.er\n    return lazylib.deep.er.size(x)",
        "from lazylib import deep\n    return deep.size(x)",
        "from lazylib.deep.er import size as measure\n    return measure(x)",
        "import lazyspace.part\n    return lazyspace.part.size(x)",
        "from lazyspace.part import size\n    return size(x)",
        "import tabnanny\n    return tabnanny.check",
        "import lazymine\n    return lazymine.size(x)",
        "import lazypackage.inner\n    return lazypackage.inner.size(x)",
        "from lazypackage import inner\n    return inner.size(x)",
        "from lazypackage import found\n    return found(x)",
        "from lazyfolder.inner import size\n    return size(x)",
    ],
)
def test_what_a_function_imports_counts_the_same_before_and_after_it_ran(project, monkeypatch, statements):
    """A fingerprint is of the code, not of what this process happens to have loaded: else the second run of a process misses."""
    installed = "lib/site-packages/"
    for name in ("lazylib/__init__", "lazylib/deep/__init__", "lazylib/deep/er", "lazyspace/part"):
        project.write(f"{installed}{name}.py", "def size(x):\n    return x\n")
    for name, top in (("lazylib-1.2.dist-info", "lazylib"), ("other_thing-3.4-py3.11.egg-info", "lazyspace")):
        project.write(f"{installed}{name}/top_level.txt", top + "\n")
    for name in ("lazymine", "lazypackage/inner", "lazyfolder/inner"):
        project.write(f"{name}.py", "def size(x):\n    return x\n")
    project.write(
        "lazypackage/__init__.py",
        "def __getattr__(name):\n    if name != 'found':\n        raise AttributeError(name)\n"
        "    from lazypackage.inner import size\n    globals()[name] = size\n    return size\n",
    )
    monkeypatch.syspath_prepend(str(project.folder / installed))
    monkeypatch.delitem(sys.modules, "tabnanny", raising=False)
    module = project.load("late", f"def f(x):\n    {statements}\n")
    fingerprinter = project.fingerprinter()

    before = fingerprinter.of_function(module.f)
    module.f(1)
    fingerprinter.refresh()

    assert fingerprinter.of_function(module.f) == before
    assert project.of(module.f) == before
    assert not any("cannot be imported" in note for note in before.notes)
    library = (
        {"lazylib": "1.2"} if "lazylib" in statements else {"other-thing": "3.4"} if "lazyspace" in statements else {}
    )
    assert library.items() <= before.components.items()


def test_a_function_put_into_a_library_counts_where_it_is_imported_late(project):
    module = project.load(
        "patch_",
        "import colorsys\ndef mine(x):\n    return 1\ndef f(x):\n    import colorsys\n    return colorsys.mine(x)\n",
    )
    plain = project.of(module.f)
    module.colorsys.mine = module.mine
    try:
        assert "patch_.mine" in project.of(module.f).components.keys() - plain.components.keys()
    finally:
        del module.colorsys.mine


def test_what_cannot_be_seen_is_noted(project):
    module = project.load(
        "notes_",
        "import importlib\ndef f(x):\n    importlib.import_module(x)\n    return globals()[x]\n"
        "def g(x):\n    from notes_missing import a\n    import notes_broken\n    return a\n",
    )
    project.write("notes_broken.py", "raise ValueError('broken')\n")
    notes = " ".join(project.of(module.f).notes)
    assert "uses globals" in notes
    assert "name is computed" in notes
    assert "notes_broken" in " ".join(project.of(module.g).notes)


def test_walking_changes_nothing_that_it_hashes(project):
    module = project.load(
        "walked",
        """
        import dataclasses, enum, functools
        class Slots:
            __slots__ = ("a",)
            def __init__(self):
                self.a = 1
        @dataclasses.dataclass
        class Data:
            a: int = 1
        class Color(enum.Enum):
            RED = 1
        class Lazy:
            @functools.cached_property
            def value(self):
                raise AssertionError("it ran")
            @property
            def other(self):
                raise AssertionError("it ran")
        S, D, L = Slots(), Data(), Lazy()
        def f(x):
            return S, D, L, Color.RED
        """,
    )
    watched = [module.Slots, module.Data, module.Color, module.Lazy]
    before = [dict(vars(cls)) for cls in watched] + [dict(vars(module)), dict(vars(module.L))]
    fingerprinter = project.fingerprinter()
    first = fingerprinter.of_function(module.f)
    after = [dict(vars(cls)) for cls in watched] + [dict(vars(module)), dict(vars(module.L))]
    assert before == after
    import copy

    copy.copy(module.S)  # leaves `__slotnames__` on the class
    fingerprinter.refresh()
    assert fingerprinter.of_function(module.f).hash == first.hash


# Kept definitions


def test_kept_definitions_give_the_same_fingerprints_and_damage_is_harmless(project):
    module = project.load("kept", "import math\nK = 'a'\ndef f(x):\n    return K, math.pi\n")
    kept = project.folder / "definitions"
    fresh = project.of(module.f)
    for _ in range(2):
        assert project.fingerprinter(definitions=FolderDefinitionCache(kept)).of_function(module.f) == fresh
    files = list(kept.iterdir())
    assert files
    for file in files:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    assert project.fingerprinter(definitions=FolderDefinitionCache(kept)).of_function(module.f) == fresh


def test_a_folder_that_cannot_be_written_is_no_obstacle(project):
    (project.folder / "file").write_text("")
    module = project.load("unwritable", "def f(x):\n    return x\n")
    cache = FolderDefinitionCache(project.folder / "file" / "below")
    assert project.fingerprinter(definitions=cache).of_function(module.f) == project.of(module.f)


# Explanations


def test_explanations_name_the_most_specific_first():
    digest = "0123456789abcdef" * 4
    other = digest[::-1]
    old = {
        "b.f": digest,
        "a.K": f"{digest} 0.5",
        "numpy": "2.4.5",
        "gone": digest,
        "(wiring)": digest,
        "a.T": f"{digest} 1",
    }
    new = {"b.f": other, "a.K": f"{other} 0.6", "numpy": "2.4.6", "new": digest, "(wiring)": other, "a.T": other}
    assert explain(old, new) == [
        "`a.K` 0.5 -> 0.6",
        "changed `a.T`",
        "changed `b.f`",
        "numpy 2.4.5 -> 2.4.6",
        "added `new`",
        "removed `gone`",
    ]
    assert explain(old, old) == []
