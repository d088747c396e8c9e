"""Edits of small projects: after each, must a task run again, and what is the reason?

Data alone. Each scenario is a project before and after one edit; its task is called with the same argument
both times. `fingerprints` computes code fingerprints of them, and whole runs use the same list.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One edit.

    Attributes:
        name: What is edited.
        before: Files of the project, path to text.
        after: The same after the edit; a file that is missing here is deleted.
        expected: ``hit`` or ``miss``.
        reason: What the explanation of a miss must contain.
        entry: The task, as ``module:Class``.
        argument: What it is called with: an expression over the names of its module.
        paths: Folders besides the project's own that modules are imported from.
        note: What a note of the fingerprint must contain, before and after.
    """

    name: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    expected: str
    reason: str = ""
    entry: str = "tasks:Fit"
    argument: str = "3"
    paths: tuple[str, ...] = ()
    note: str = ""


SCENARIOS: list[Scenario] = []


def _edit(
    name: str,
    files: Mapping[str, str],
    old: str,
    new: str,
    reason: str | None,
    *,
    argument: str = "3",
    paths: tuple[str, ...] = (),
    note: str = "",
) -> None:
    """Add a scenario that replaces one text in the one file that has it; no reason means a hit."""
    before = {path: textwrap.dedent(text).lstrip("\n") for path, text in files.items()}
    places = [path for path, text in before.items() if old in text]
    assert len(places) == 1, (name, places)
    after = {path: text.replace(old, new) for path, text in before.items()}
    assert after != before, name
    SCENARIOS.append(
        Scenario(
            name=name,
            before=before,
            after=after,
            expected="hit" if reason is None else "miss",
            reason=reason or "",
            argument=argument,
            paths=paths,
            note=note,
        )
    )


def _task(body: str, *, above: str = "", inside: str = "", base: str = "Task") -> str:
    """Return the source of a module with one task."""
    return "\n".join(
        [
            "from finestflow import Task",
            textwrap.dedent(above).strip("\n"),
            "",
            f"class Fit({base}):",
            *(f"    {line}" for line in textwrap.dedent(inside).strip("\n").splitlines()),
            "    def run(self, x):",
            *(f"        {line}" for line in textwrap.dedent(body).strip("\n").splitlines()),
            "",
        ]
    )


# What makes no difference

_PLAIN = {
    "tasks.py": """
        import json
        import math

        from finestflow import Task


        def helper(x):
            '''Say what it does.'''
            # one more
            return math.floor(x) + 1


        class Fit(Task):
            '''Fit.'''

            def run(self, x):
                y = helper(x)
                return {"y": y, "s": json.dumps(y)}
        """
}
_edit("comment", _PLAIN, "# one more", "# one more than before, and a longer line", None)
_edit("docstring of a helper", _PLAIN, "Say what it does.", "Return the next integer.", None)
_edit("docstring of the task", _PLAIN, "'''Fit.'''", "'''Fit, at last.'''", None)
_edit("docstring removed", _PLAIN, "    '''Say what it does.'''\n", "", None)
_edit("blank lines", _PLAIN, "import math\n", "import math\n\n\n", None)
_edit("blank line in a function", _PLAIN, "y = helper(x)\n", "y = helper(x)\n\n", None)
_edit("reformatted", _PLAIN, '{"y": y, "s": json.dumps(y)}', "{\n  'y': y,\n  's': (json.dumps(\n y)),\n}", None)
_edit("imports in another order", _PLAIN, "import json\nimport math\n", "import math\nimport json\n", None)
_edit("unused function added", _PLAIN, "class Fit(Task):", "def other():\n    return 2\n\n\nclass Fit(Task):", None)
_edit("unused constant added", _PLAIN, "class Fit(Task):", "OTHER = 7\n\n\nclass Fit(Task):", None)
_edit("unused import added", _PLAIN, "import math\n", "import math\nimport string\n", None)
_edit("annotations only", _PLAIN, "def helper(x):", "def helper(x: float) -> int:", None)
_edit("annotation of a local variable", _PLAIN, "y = helper(x)", "y: int = helper(x)", None)
_edit("pass and a bare constant", _PLAIN, "y = helper(x)", "pass\n        'here'\n        y = helper(x)", None)
_edit(
    "method that is not called",
    {"tasks.py": _task("return x", inside="def report(self):\n    return 1")},
    "return 1",
    "return 2",
    None,
)
_edit(
    "another task of the module",
    {"tasks.py": _task("return x", above="class Other(Task):\n    def run(self, x):\n        return 1")},
    "return 1",
    "return 2",
    None,
)
_edit(
    "another function of a module that is used by name",
    {
        "tasks.py": _task("return data.clean(x)", above="import data"),
        "data.py": "def clean(x):\n    return x\n\ndef other(x):\n    return 1\n",
    },
    "return 1",
    "return 2",
    None,
)
_edit("file that nothing imports", {"tasks.py": _task("return x"), "notes.py": "A = 1\n"}, "A = 1", "A = 2", None)
_edit(
    "annotation of a dataclass field",
    {
        "tasks.py": _task(
            "return Cfg().lr * x",
            above="from dataclasses import dataclass\n@dataclass\nclass Cfg:\n    lr: float = 0.1",
        )
    },
    "lr: float",
    "lr: 'float | None'",
    "changed `tasks.Cfg`",
)
_edit(
    "order of a dict constant",
    {"tasks.py": _task("return [stage for stage in STAGES]", above="STAGES = {'a': 1, 'b': 2}")},
    "{'a': 1, 'b': 2}",
    "{'b': 2, 'a': 1}",
    "`tasks.STAGES`",
)
_edit(
    "order of functions in a dict",
    {
        "tasks.py": _task(
            "for f in STAGES.values():\n    x = f(x)\nreturn x",
            above="STAGES = {'a': lambda x: x + 1, 'b': lambda x: x * 2}",
        )
    },
    "{'a': lambda x: x + 1, 'b': lambda x: x * 2}",
    "{'b': lambda x: x * 2, 'a': lambda x: x + 1}",
    "`tasks.STAGES`",
)
_edit(
    "logger of the module",
    {"tasks.py": _task("log.info('x')\nreturn x", above="import logging\nlog = logging.getLogger('a')")},
    "getLogger('a')",
    "getLogger('b')",
    None,
)

# The task itself

_edit("operator", {"tasks.py": _task("return x + 1")}, "x + 1", "x - 1", "changed `tasks.Fit.run`")
_edit("comparison", {"tasks.py": _task("return x > 1")}, "x > 1", "x >= 1", "changed `tasks.Fit.run`")
_edit("literal", {"tasks.py": _task("return x + 1")}, "x + 1", "x + 2", "changed `tasks.Fit.run`")
_edit("type of a literal", {"tasks.py": _task("return x + 1")}, "x + 1", "x + 1.0", "changed `tasks.Fit.run`")
_edit("f-string", {"tasks.py": _task("return f'{x:.2f} m'")}, ".2f", ".3f", "changed `tasks.Fit.run`")
_edit("text of an f-string", {"tasks.py": _task("return f'{x} m'")}, " m'", " km'", "changed `tasks.Fit.run`")
_edit(
    "walrus",
    {"tasks.py": _task("if (n := x) > 1:\n    return n\nreturn 0")},
    "(n := x)",
    "(n := x * 2)",
    "changed `tasks.Fit.run`",
)
_edit(
    "match statement",
    {"tasks.py": _task("match x:\n    case 3:\n        return 'a'\n    case _:\n        return 'b'")},
    "case 3",
    "case 3 | 4",
    "changed `tasks.Fit.run`",
)
_edit(
    "guard of a case",
    {"tasks.py": _task("match x:\n    case int() if x > 1:\n        return 1\nreturn 0")},
    "x > 1",
    "x > 9",
    "changed `tasks.Fit.run`",
)
_edit(
    "order of statements",
    {"tasks.py": _task("x += 1\nx *= 2\nreturn x")},
    "x += 1\n        x *= 2",
    "x *= 2\n        x += 1",
    "changed `tasks.Fit.run`",
)
_edit(
    "except clause",
    {"tasks.py": _task("try:\n    return 1 / x\nexcept ZeroDivisionError:\n    return 0")},
    "except ZeroDivisionError",
    "except ArithmeticError",
    "changed `tasks.Fit.run`",
)
# Local names could be renamed without a difference, but `locals()` and frames can see them.
_edit(
    "local variable renamed",
    {"tasks.py": _task("y = x\nreturn y")},
    "y = x\n        return y",
    "z = x\n        return z",
    "changed `tasks.Fit.run`",
)
_edit(
    "comprehension",
    {"tasks.py": _task("return [i * 2 for i in range(x)]")},
    "i * 2",
    "i * 3",
    "changed `tasks.Fit.run`",
)
_edit(
    "condition of a comprehension",
    {"tasks.py": _task("return [i for i in range(x) if i]")},
    "if i]",
    "if not i]",
    "changed `tasks.Fit.run`",
)
_edit(
    "nested function",
    {"tasks.py": _task("def inner(y):\n    return y + 1\nreturn inner(x)")},
    "y + 1",
    "y + 2",
    "changed `tasks.Fit.run`",
)
_edit(
    "lambda in a function",
    {"tasks.py": _task("return (lambda y: y + 1)(x)")},
    "y + 1",
    "y + 2",
    "changed `tasks.Fit.run`",
)
_edit(
    "initialize",
    {"tasks.py": _task("return x + self.k", inside="def initialize(self):\n    self.k = 1")},
    "self.k = 1",
    "self.k = 2",
    "changed `tasks.Fit.initialize`",
)
_edit(
    "default of run",
    {"tasks.py": _task("return x").replace("self, x", "self, x, k=1")},
    "k=1",
    "k=2",
    "`tasks.Fit.run.k` 1 -> 2",
)

# Helpers

_edit(
    "helper in the module",
    {"tasks.py": _task("return helper(x)", above="def helper(x):\n    return x + 1")},
    "x + 1",
    "x + 2",
    "changed `tasks.helper`",
)
_edit(
    "helper in another module",
    {"tasks.py": _task("return clean(x)", above="from data import clean"), "data.py": "def clean(x):\n    return x\n"},
    "    return x\n",
    "    return -x\n",
    "changed `data.clean`",
)
_TWO_DEEP = {
    "tasks.py": _task("return first(x)", above="from one import first"),
    "one.py": "import two\n\ndef first(x):\n    return two.second(x)\n",
    "two.py": "def second(x):\n    return x + 1\n",
}
_edit("helper two levels down", _TWO_DEEP, "x + 1", "x + 2", "changed `two.second`")
_edit(
    "import under another name",
    {
        "tasks.py": _task("return tidy(x)", above="from data import clean as tidy"),
        "data.py": "def clean(x):\n    return x + 1\n",
    },
    "x + 1",
    "x + 2",
    "changed `data.clean`",
)
_edit(
    "what a name is imported from",
    {
        "tasks.py": _task("return clean(x)", above="from one import clean"),
        "one.py": "def clean(x):\n    return x\n",
        "two.py": "def clean(x):\n    return -x\n",
    },
    "from one",
    "from two",
    "added `two.clean`",
)
_edit(
    "what a library name is imported from",
    {"tasks.py": _task("return f(x)", above="from math import floor as f")},
    "import floor",
    "import sqrt",
    "used in another way",
)
_DOTTED = {
    "tasks.py": _task("return a.b.c.f(x)", above="import a.b.c"),
    "a/__init__.py": "",
    "a/b/__init__.py": "",
    "a/b/c.py": "def f(x):\n    return x + 1\n\ndef g(x):\n    return 0\n",
}
_edit("dotted chain", _DOTTED, "x + 1", "x + 2", "changed `a.b.c.f`")
_edit("neighbour of a dotted chain", _DOTTED, "return 0", "return 1", None)
_edit(
    "function that a package re-exports",
    {
        "tasks.py": _task("return pkg.clean(x)", above="import pkg"),
        "pkg/__init__.py": "from .inner import clean\n",
        "pkg/inner.py": "def clean(x):\n    return x + 1\n",
    },
    "x + 1",
    "x + 2",
    "changed `pkg.inner.clean`",
)
_edit(
    "package that loads lazily",
    {
        "tasks.py": _task("return pkg.clean(x)", above="import pkg"),
        "pkg/__init__.py": "import importlib\n\ndef __getattr__(name):\n"
        "    return getattr(importlib.import_module('pkg.inner'), name)\n",
        "pkg/inner.py": "def clean(x):\n    return x + 1\n",
    },
    "x + 1",
    "x + 2",
    "changed `pkg.inner.clean`",
)
_LAZY = {"tasks.py": _task("from data import clean\nreturn clean(x)"), "data.py": "def clean(x):\n    return x + 1\n"}
_edit("import inside a function", _LAZY, "x + 1", "x + 2", "changed `data.clean`")
_edit(
    "module import inside a function",
    {
        "tasks.py": _task("import pkg.data as d\nreturn d.clean(x)"),
        "pkg/__init__.py": "",
        "pkg/data.py": "def clean(x):\n    return x + 1\n\ndef other():\n    return 0\n",
    },
    "x + 1",
    "x + 2",
    "changed `pkg.data.clean`",
)
_edit(
    "relative import inside a function",
    {
        "tasks.py": _task("return pkg.go(x)", above="import pkg"),
        "pkg/__init__.py": "def go(x):\n    from .data import clean\n    return clean(x)\n",
        "pkg/data.py": "def clean(x):\n    return x + 1\n",
    },
    "x + 1",
    "x + 2",
    "changed `pkg.data.clean`",
)
_edit(
    "mutual recursion",
    {
        "tasks.py": _task(
            "return even(x)",
            above="""
        def even(n):
            return True if n == 0 else odd(n - 1)
        def odd(n):
            return False if n == 0 else even(n - 1)
        """,
        )
    },
    "False if n == 0",
    "False if n <= 0",
    "changed `tasks.odd`",
)
_edit(
    "generator function",
    {"tasks.py": _task("return list(gen(x))", above="def gen(n):\n    for i in range(n):\n        yield i")},
    "yield i",
    "yield i * 2",
    "changed `tasks.gen`",
)
_edit(
    "async function",
    {
        "tasks.py": _task(
            "return asyncio.run(work(x))",
            above="import asyncio\nasync def work(n):\n    await asyncio.sleep(0)\n    return n",
        )
    },
    "return n",
    "return n + 1",
    "changed `tasks.work`",
)
_edit(
    "star import",
    {"tasks.py": _task("return clean(x)", above="from data import *"), "data.py": "def clean(x):\n    return x + 1\n"},
    "x + 1",
    "x + 2",
    "changed `data.clean`",
)
_edit(
    "global that shadows a builtin",
    {"tasks.py": _task("return len([x])", above="import math")},
    "import math",
    "def len(x):\n    return 7",
    "added `tasks.len`",
)

# Values

_edit(
    "constant",
    {"tasks.py": _task("return x > THRESHOLD", above="THRESHOLD = 0.5")},
    "0.5",
    "0.6",
    "`tasks.THRESHOLD` 0.5 -> 0.6",
)
_edit(
    "text constant",
    {"tasks.py": _task("return MODE * x", above="MODE = 'fast'")},
    "'fast'",
    "'exact'",
    "`tasks.MODE` 'fast' -> 'exact'",
)
_edit(
    "type of a constant", {"tasks.py": _task("return x * K", above="K = 1")}, "K = 1", "K = True", "`tasks.K` 1 -> True"
)
_edit(
    "constant of another module",
    {"tasks.py": _task("return x > conf.T", above="import conf"), "conf.py": "T = 1\n"},
    "T = 1",
    "T = 2",
    "`conf.T` 1 -> 2",
)
_edit(
    "value in a dict",
    {"tasks.py": _task("return CONF['a'] + x", above="CONF = {'a': 1, 'b': [1, 2]}")},
    "'a': 1",
    "'a': 2",
    "`tasks.CONF` {'a': 1, 'b': [1, 2]} -> {'a': 2, 'b': [1, 2]}",
)
_edit(
    "value deep in a dict",
    {"tasks.py": _task("return CONF['a'] + x", above="CONF = {'a': 1, 'b': [1, 2]}")},
    "[1, 2]",
    "[1, 3]",
    "`tasks.CONF`",
)
_edit(
    "lambda in a dict",
    {"tasks.py": _task("return OPS['a'](x)", above="OPS = {'a': lambda v: v + 1, 'n': 3}")},
    "v + 1",
    "v + 2",
    "changed `tasks.OPS['a']`",
)
_edit(
    "lambdas of one line swapped",
    {"tasks.py": _task("return OPS[0](x)", above="OPS = [lambda v: v + 1, lambda v: v + 2]")},
    "[lambda v: v + 1, lambda v: v + 2]",
    "[lambda v: v + 2, lambda v: v + 1]",
    "changed `tasks.OPS[0]`",
)
_edit(
    "which lambda of a line is taken",
    {"tasks.py": _task("return OP(x)", above="OP = (lambda v: v + 1, lambda v: v + 2)[0]")},
    "[0]",
    "[1]",
    "changed `tasks.OP`",
)
_edit(
    "list of functions",
    {
        "tasks.py": _task(
            "for f in STEPS:\n    x = f(x)\nreturn x",
            above="def a(x):\n    return x + 1\ndef b(x):\n    return x * 2\nSTEPS = [a, b]",
        )
    },
    "x * 2",
    "x * 3",
    "changed `tasks.b`",
)
_edit(
    "order of a list of functions",
    {
        "tasks.py": _task(
            "for f in STEPS:\n    x = f(x)\nreturn x",
            above="def a(x):\n    return x + 1\ndef b(x):\n    return x * 2\nSTEPS = [a, b]",
        )
    },
    "[a, b]",
    "[b, a]",
    "the same parts are used in another way",
)
_MAKE = "def make(k):\n    def inner(x):\n        return x * k\n    return inner\n"
_edit(
    "closure cell",
    {"tasks.py": _task("return double(x)", above=_MAKE + "double = make(2)")},
    "make(2)",
    "make(3)",
    "`tasks.make.inner.k` 2 -> 3",
)
_edit(
    "closures of one factory swapped",
    {"tasks.py": _task("return F[0](x)", above=_MAKE + "F = [make(2), make(3)]")},
    "[make(2), make(3)]",
    "[make(3), make(2)]",
    "changed `tasks.make.inner.k`",
)
_edit(
    "partial",
    {
        "tasks.py": _task(
            "return scale(x)",
            above="""
        import functools
        def times(k, x):
            return k * x
        scale = functools.partial(times, 2)
        """,
        )
    },
    "(times, 2)",
    "(times, 3)",
    "`tasks.scale.args` (2,) -> (3,)",
)
_edit(
    "function of a partial",
    {
        "tasks.py": _task(
            "return scale(x)",
            above="""
        import functools
        def times(k, x):
            return k * x
        scale = functools.partial(times, 2)
        """,
        )
    },
    "k * x",
    "k ** x",
    "changed `tasks.times`",
)
_edit(
    "default of a helper",
    {"tasks.py": _task("return h(x)", above="def h(x, k=1):\n    return x + k")},
    "k=1",
    "k=2",
    "`tasks.h.k` 1 -> 2",
)
_edit(
    "keyword default of a helper",
    {"tasks.py": _task("return h(x)", above="def h(x, *, k=1):\n    return x + k")},
    "k=1",
    "k=2",
    "`tasks.h.k` 1 -> 2",
)
_edit(
    "default that names a constant",
    {"tasks.py": _task("return h(x)", above="K = 1\ndef h(x, k=K):\n    return x + k")},
    "K = 1",
    "K = 2",
    "`tasks.h.k` 1 -> 2",
)
_edit(
    "global that another function sets",
    {"tasks.py": _task("return x + T", above="T = 0\ndef configure():\n    global T\n    T = 5\nconfigure()")},
    "T = 5",
    "T = 6",
    "`tasks.T` 5 -> 6",
)
_edit(
    "registry that decorators fill",
    {
        "tasks.py": _task(
            "return REGISTRY['a'](x)",
            above="""
        REGISTRY = {}
        def register(name):
            def add(f):
                REGISTRY[name] = f
                return f
            return add
        @register("a")
        def op(x):
            return x + 1
        """,
        )
    },
    "x + 1",
    "x + 2",
    "changed `tasks.op`",
)
_edit(
    "pattern",
    {"tasks.py": _task("return bool(P.match(str(x)))", above="import re\nP = re.compile('a+')")},
    "'a+'",
    "'3+'",
    "changed `tasks.P`",
)
_edit(
    "value that cannot be digested",
    {
        "tasks.py": _task("return next(IT) + x", above="def g():\n    yield 1\nIT = g()"),
    },
    "yield 1",
    "yield 2",
    "changed `tasks",
    note="cannot be digested",
)
_edit(
    "array",
    {"tasks.py": _task("return int(W[0]) * x", above="import numpy\nW = numpy.array([1, 2])")},
    "[1, 2]",
    "[2, 2]",
    "changed `tasks.W`",
)
_edit(
    "function of numpy",
    {"tasks.py": _task("return int(U(x, 2))", above="import numpy\nU = numpy.add")},
    "numpy.add",
    "numpy.multiply",
    "add -> multiply",
)
_edit(
    "method of a function of numpy",
    {"tasks.py": _task("return int(U([x, 2]))", above="import numpy\nU = numpy.add.reduce")},
    "numpy.add",
    "numpy.multiply",
    "add -> multiply",
)
_edit(
    "function made a function of numpy",
    {
        "tasks.py": _task(
            "return int(U(x))", above="import numpy\ndef f(x):\n    return x + 1\nU = numpy.frompyfunc(f, 1, 1)"
        )
    },
    "x + 1",
    "x + 2",
    "changed `tasks",
    note="cannot be digested",
)
_edit(
    "environment under another name",
    {"tasks.py": _task("return len(E['PATH']) + x + 1", above="from os import environ as E")},
    "+ 1",
    "+ 2",
    "changed `tasks",
    note="environment variables do not count",
)
_edit(
    "import_module under another name",
    {
        "tasks.py": _task("return load('ops').f(x) + 1", above="from importlib import import_module as load"),
        "ops.py": "def f(x):\n    return x\n",
    },
    "+ 1",
    "+ 2",
    "changed `tasks",
    note="cannot be seen",
)
_edit(
    "order of what a match takes apart",
    {
        "tasks.py": _task(
            "match P():\n            case P(a, b):\n                return a - b + x",
            above="class P:\n    __match_args__ = ('a', 'b')\n    a, b = 1, 2\n",
        )
    },
    "('a', 'b')",
    "('b', 'a')",
    "`tasks.P.__match_args__`",
)

# Decorators

_DECO = """
    import functools
    def deco(k):
        def outer(f):
            @functools.wraps(f)
            def wrapper(*a):
                return f(*a) + k
            return wrapper
        return outer
    @deco(10)
    def helper(x):
        return x
    """
_edit(
    "body of a decorator",
    {"tasks.py": _task("return helper(x)", above=_DECO)},
    "f(*a) + k",
    "f(*a) - k",
    "changed `tasks.deco.outer.wrapper`",
)
_edit(
    "argument of a decorator",
    {"tasks.py": _task("return helper(x)", above=_DECO)},
    "@deco(10)",
    "@deco(20)",
    "`tasks.deco.outer.wrapper.k` 10 -> 20",
)
_edit(
    "function under a decorator",
    {"tasks.py": _task("return helper(x)", above=_DECO)},
    "def helper(x):\n    return x",
    "def helper(x):\n    return -x",
    "changed `tasks.helper`",
)
_edit(
    "decorator without wraps",
    {
        "tasks.py": _task(
            "return helper(x)",
            above="""
        def deco(f):
            return lambda *a: f(*a) + 1
        @deco
        def helper(x):
            return x * 2
        """,
        )
    },
    "x * 2",
    "x * 3",
    "changed `tasks.helper`",
)
_edit(
    "decorator that is a class",
    {
        "tasks.py": _task(
            "return helper(x)",
            above="""
        class Deco:
            def __init__(self, f):
                self.f = f
            def __call__(self, *a):
                return self.f(*a) + 1
        @Deco
        def helper(x):
            return x * 2
        """,
        )
    },
    "+ 1",
    "+ 2",
    "changed `tasks.Deco.__call__`",
)
_edit(
    "function under lru_cache",
    {"tasks.py": _task("return h(x)", above="from functools import lru_cache\n@lru_cache\ndef h(x):\n    return x")},
    "    return x\n",
    "    return -x\n",
    "changed `tasks.h`",
)
_edit(
    "function under contextmanager",
    {
        "tasks.py": _task(
            "with ctx(x) as y:\n    return y",
            above="""
        from contextlib import contextmanager
        @contextmanager
        def ctx(x):
            yield x + 1
        """,
        )
    },
    "x + 1",
    "x + 2",
    "changed `tasks.ctx`",
)
_edit(
    "implementation of a singledispatch function",
    {
        "tasks.py": _task(
            "return show(x)",
            above="""
        from functools import singledispatch
        @singledispatch
        def show(x):
            return 0
        @show.register
        def _(x: int):
            return 1
        """,
        )
    },
    "return 1",
    "return 2",
    "changed `tasks._`",
)

# Classes

_BASES = {
    "tasks.py": _task("return self.scale(x)", above="from bases import Middle", base="Middle"),
    "bases.py": """
        from finestflow import Task
        class Top(Task):
            FACTOR = 2
            OTHER = 5
            def scale(self, x):
                return x * self.FACTOR
            def other(self, x):
                return self.OTHER
        class Middle(Top):
            def scale(self, x):
                return super().scale(x) + 1
        """,
}
_edit(
    "override in a base class", _BASES, "super().scale(x) + 1", "super().scale(x) + 2", "changed `bases.Middle.scale`"
)
_edit("method through super()", _BASES, "x * self.FACTOR", "x ** self.FACTOR", "changed `bases.Top.scale`")
_edit("constant of a base class", _BASES, "FACTOR = 2", "FACTOR = 3", "`bases.Top.FACTOR` 2 -> 3")
_edit("constant that is not used", _BASES, "OTHER = 5", "OTHER = 6", None)
_edit(
    "inherited method",
    {
        "tasks.py": _task(
            "return self.h(x)", base="Base", above="class Base(Task):\n    def h(self, x):\n        return x + 1"
        )
    },
    "x + 1",
    "x + 2",
    "changed `tasks.Base.h`",
)
_edit(
    "inherited run",
    {
        "tasks.py": "from base import Base\n\nclass Fit(Base):\n    K = 1\n",
        "base.py": "from finestflow import Task\n\nclass Base(Task):\n    def run(self, x):\n        return x + self.K\n",
    },
    "K = 1",
    "K = 2",
    "`tasks.Fit.K` 1 -> 2",
)
_edit(
    "override added",
    {
        "tasks.py": _task(
            "return self.h(x)",
            base="Base",
            inside="pass",
            above="class Base(Task):\n    def h(self, x):\n        return x + 1",
        )
    },
    "    pass\n",
    "    def h(self, x):\n        return 0\n",
    "added `tasks.Fit.h`",
)
_edit(
    "property",
    {"tasks.py": _task("return x + self.p", inside="@property\ndef p(self):\n    return 1")},
    "return 1",
    "return 2",
    "changed `tasks.Fit.p`",
)
_edit(
    "staticmethod",
    {"tasks.py": _task("return self.s(x)", inside="@staticmethod\ndef s(x):\n    return x + 1")},
    "x + 1",
    "x + 2",
    "changed `tasks.Fit.s`",
)
_edit(
    "classmethod",
    {"tasks.py": _task("return self.c(x)", inside="K = 1\n@classmethod\ndef c(cls, x):\n    return x + cls.K")},
    "K = 1",
    "K = 2",
    "`tasks.Fit.K` 1 -> 2",
)
_edit(
    "cached property",
    {
        "tasks.py": _task(
            "return x + self.p",
            above="from functools import cached_property",
            inside="@cached_property\ndef p(self):\n    return 1",
        )
    },
    "return 1",
    "return 2",
    "changed `tasks.Fit.p`",
)
_edit(
    "private method",
    {"tasks.py": _task("return self.__h(x)", inside="def __h(self, x):\n    return x + 1")},
    "x + 1",
    "x + 2",
    "changed `tasks.Fit.__h`",
)
_edit(
    "method by a computed name",
    {"tasks.py": _task("return getattr(self, 'do_' + str(x))()", inside="def do_3(self):\n    return 1")},
    "return 1",
    "return 2",
    "changed `tasks.Fit.do_3`",
)
_edit(
    "method by a literal name",
    {"tasks.py": _task("return getattr(self, 'h')(x)", inside="def h(self, x):\n    return 1")},
    "return 1",
    "return 2",
    "changed `tasks.Fit.h`",
)
_edit(
    "self handed to a helper",
    {
        "tasks.py": _task(
            "return helper(self)", above="def helper(t):\n    return t.h()", inside="def h(self):\n    return 1"
        )
    },
    "return 1",
    "return 2",
    "changed `tasks.Fit.h`",
)
_edit(
    "class named in code",
    {
        "tasks.py": _task(
            "return M(2).fit(x)",
            above="""
        class M:
            def __init__(self, k):
                self.k = k
            def fit(self, x):
                return x * self.k
        """,
        )
    },
    "x * self.k",
    "x ** self.k",
    "changed `tasks.M.fit`",
)
_edit(
    "base of a class named in code",
    {
        "tasks.py": _task("return M().fit(x)", above="from base import B\nclass M(B):\n    pass"),
        "base.py": "class B:\n    def fit(self, x):\n        return x + 1\n",
    },
    "x + 1",
    "x + 2",
    "changed `base.B.fit`",
)
_INSTANCE = """
    class M:
        def __init__(self, k):
            self.k = k
        def __call__(self, x):
            return x * self.k
    MODEL = M(2)
    """
_edit(
    "__call__ of an instance",
    {"tasks.py": _task("return MODEL(x)", above=_INSTANCE)},
    "x * self.k",
    "x - self.k",
    "changed `tasks.M.__call__`",
)
_edit(
    "state of an instance",
    {"tasks.py": _task("return MODEL(x)", above=_INSTANCE)},
    "M(2)",
    "M(3)",
    "`tasks.MODEL.k` 2 -> 3",
)
_edit(
    "state in slots",
    {
        "tasks.py": _task(
            "return P.a + x",
            above="""
        class Point:
            __slots__ = ("a",)
            def __init__(self, a):
                self.a = a
        P = Point(1)
        """,
        )
    },
    "Point(1)",
    "Point(2)",
    "`tasks.P.a` 1 -> 2",
)
_edit(
    "method of an instance",
    {"tasks.py": _task("return step(x)", above=_INSTANCE + "\n    step = MODEL.__call__")},
    "M(2)",
    "M(3)",
    "2 -> 3",
)
_edit(
    "member of an enum",
    {"tasks.py": _task("return Color.RED.value + x", above="import enum\nclass Color(enum.Enum):\n    RED = 1")},
    "RED = 1",
    "RED = 2",
    "`tasks.Color.RED` 1 -> 2",
)
_edit(
    "method of an enum",
    {
        "tasks.py": _task(
            "return Color.RED.f() + x",
            above="import enum\nclass Color(enum.Enum):\n    RED = 1\n    def f(self):\n        return 5",
        )
    },
    "return 5",
    "return 6",
    "changed `tasks.Color.f`",
)
_edit(
    "default of a dataclass",
    {
        "tasks.py": _task(
            "return Cfg().lr * x",
            above="from dataclasses import dataclass\n@dataclass\nclass Cfg:\n    lr: float = 0.1",
        )
    },
    "0.1",
    "0.2",
    "`tasks.Cfg.lr` 0.1 -> 0.2",
)
_edit(
    "order of the fields of a dataclass",
    {
        "tasks.py": _task(
            "return Cfg(1, 2).a * x",
            above="from dataclasses import dataclass\n@dataclass\nclass Cfg:\n    a: int\n    b: int",
        )
    },
    "    a: int\n    b: int",
    "    b: int\n    a: int",
    "changed `tasks.Cfg`",
)
_edit(
    "default factory of a dataclass",
    {
        "tasks.py": _task(
            "return Cfg().a[0] * x",
            above="""
        from dataclasses import dataclass, field
        def three():
            return [3]
        @dataclass
        class Cfg:
            a: list = field(default_factory=three)
        """,
        )
    },
    "[3]",
    "[4]",
    "changed `tasks.three`",
)
_edit(
    "default of a named tuple",
    {
        "tasks.py": _task(
            "return P().a * x", above="from typing import NamedTuple\nclass P(NamedTuple):\n    a: int = 1"
        )
    },
    "a: int = 1",
    "a: int = 2",
    "tasks.P",
)
_CFG = """
    class Cfg:
        def __init__(self, k):
            self.k = k
        def scale(self, x):
            return x * self.k
    """
_edit(
    "class of an argument",
    {"tasks.py": _task("return x.scale(3)", above=_CFG)},
    "x * self.k",
    "x + self.k",
    "changed `tasks.Cfg.scale`",
    argument="Cfg(2)",
)
_edit(
    "class inside an argument",
    {"tasks.py": _task("return x[0]['a'].scale(3)", above=_CFG)},
    "x * self.k",
    "x + self.k",
    "changed `tasks.Cfg.scale`",
    argument="[{'a': Cfg(2)}]",
)
_edit(
    "metaclass",
    {
        "tasks.py": _task(
            "return M.k * x",
            above="""
        class Meta(type):
            @property
            def k(cls):
                return 1
        class M(metaclass=Meta):
            pass
        """,
        )
    },
    "return 1",
    "return 2",
    "changed `tasks.Meta.k`",
)
_edit(
    "__init_subclass__",
    {
        "tasks.py": _task(
            "return M.k * x",
            above="""
        class Base:
            def __init_subclass__(cls, k=0):
                cls.k = k + 1
        class M(Base, k=2):
            pass
        """,
        )
    },
    "k=2",
    "k=3",
    "`tasks.M.k` 3 -> 4",
)
_edit(
    "class decorator",
    {
        "tasks.py": _task(
            "return M().k * x",
            above="""
        def deco(cls):
            cls.k = 1
            return cls
        @deco
        class M:
            pass
        """,
        )
    },
    "cls.k = 1",
    "cls.k = 2",
    "`tasks.M.k` 1 -> 2",
)
_edit(
    "__getattr__ of the task",
    {
        "tasks.py": _task(
            "return x + self.k",
            inside="def __getattr__(self, name):\n    if name == 'k':\n        return 1\n    raise AttributeError(name)",
        )
    },
    "return 1",
    "return 2",
    "changed `tasks.Fit.__getattr__`",
)

# Methods that do not look like methods

for _name, _above, _line in [
    ("a decorator of the project", "def deco(f):\n    return lambda *a: f(*a)", "@deco"),
    (
        "a decorator that is a class",
        """
        class deco:
            def __init__(self, f):
                self.f = f
            def __get__(self, obj, owner):
                return lambda *a: self.f(obj, *a)
        """,
        "@deco",
    ),
    ("lru_cache", "from functools import lru_cache", "@lru_cache"),
    ("contextmanager", "from contextlib import contextmanager as deco", "@deco"),
    ("singledispatchmethod", "from functools import singledispatchmethod", "@singledispatchmethod"),
]:
    _edit(
        f"constant behind a method under {_name}",
        {
            "tasks.py": _task(
                "return self.h(x)", above=_above, inside=f"K = 1\n{_line}\ndef h(self, x):\n    return x + self.K"
            )
        },
        "K = 1",
        "K = 2",
        "`tasks.Fit.K` 1 -> 2",
    )
_edit(
    "constant behind a partialmethod",
    {
        "tasks.py": _task(
            "return self.twice(x)",
            above="from functools import partialmethod",
            inside="K = 1\ndef h(self, n, x):\n    return n * x * self.K\ntwice = partialmethod(h, 2)",
        )
    },
    "K = 1",
    "K = 2",
    "`tasks.Fit.K` 1 -> 2",
)
_edit(
    "function that is assigned as run",
    {
        "tasks.py": "from finestflow import Task\ndef go(self, x):\n    return x * self.K\n"
        "class Fit(Task):\n    K = 1\n    run = go\n"
    },
    "K = 1",
    "K = 2",
    "`tasks.Fit.K` 1 -> 2",
)
_edit(
    "run under a decorator",
    {
        "tasks.py": "import functools\nfrom finestflow import Task\ndef deco(f):\n    @functools.wraps(f)\n"
        "    def go(self, x):\n        return f(self, x)\n    return go\n"
        "class Fit(Task):\n    K = 1\n    @deco\n    def run(self, x):\n        return x * self.K\n"
    },
    "K = 1",
    "K = 2",
    "`tasks.Fit.K` 1 -> 2",
)
_edit(
    "default factory of a defaultdict",
    {"tasks.py": _task("return D[x]", above="from collections import defaultdict\nD = defaultdict(lambda: 5, f=len)")},
    "lambda: 5",
    "lambda: 6",
    "changed `tasks.D`",
)
_edit(
    "attribute of a namespace",
    {
        "tasks.py": _task(
            "return N.f(x)", above="from types import SimpleNamespace\nN = SimpleNamespace(f=lambda v: v + 1)"
        )
    },
    "v + 1",
    "v + 2",
    "changed `tasks.N`",
)
_edit(
    "another task that is called inside",
    {
        "tasks.py": _task(
            "return Other(k=2)(x)",
            above="class Other(Task):\n    k: int = 1\n    def run(self, x):\n        return x + self.k",
        )
    },
    "x + self.k",
    "x - self.k",
    "changed `tasks.Other.run`",
)
_edit(
    "param of another task that is called inside",
    {
        "tasks.py": _task(
            "return OTHER(x)",
            above="class Other(Task):\n    k: int = 1\n"
            "    def run(self, x):\n        return x + self.k\nOTHER = Other(k=2)",
        )
    },
    "k=2",
    "k=3",
    "`tasks.OTHER.k` 2 -> 3",
)
_edit(
    "annotation that a decorator of the project reads",
    {
        "tasks.py": _task(
            "return h(x)",
            above="""
        def convert(f):
            kind = f.__annotations__["x"]
            return lambda x: f(eval(str(kind)) if isinstance(kind, str) else kind(x))
        @convert
        def h(x: int):
            return x
        """,
        )
    },
    "x: int",
    "x: str",
    "tasks",
    note="uses eval",
)
_edit(
    "annotation that a base class reads",
    {
        "tasks.py": _task(
            "return M.names",
            above="""
        class Base:
            def __init_subclass__(cls):
                cls.names = sorted(map(str, cls.__annotations__.values()))
        class M(Base):
            a: int
        """,
        )
    },
    "a: int",
    "a: str",
    "tasks.M",
)

# Modules as a whole, and libraries

_WHOLE = {
    "tasks.py": _task("return getattr(ops, 'op_' + str(x))(x)", above="import ops"),
    "ops.py": "K = 1\ndef op_3(x):\n    return x + 1\n\ndef other(x):\n    return 0\n",
}
_edit("module by a computed name", _WHOLE, "x + 1", "x + 2", "changed `ops")
# Chosen: what is unused cannot be told from what is used.
_edit("unused part of a module by a computed name", _WHOLE, "return 0", "return 1", "changed `ops")
_edit(
    "helper of a module by a computed name",
    {**_WHOLE, "ops.py": "import deep\ndef op_3(x):\n    return deep.f(x)\n", "deep.py": "def f(x):\n    return 0\n"},
    "return 0",
    "return 1",
    "changed `deep.f`",
)
_edit(
    "import_module of a literal name",
    {
        "tasks.py": _task("return importlib.import_module('ops').f(x)", above="import importlib"),
        "ops.py": "def f(x):\n    return 0\n",
    },
    "return 0",
    "return 1",
    "changed `ops",
)
_edit(
    "function that uses eval",
    {"tasks.py": _task("return eval('x + 1')")},
    "x + 1",
    "x + 2",
    "changed `tasks.Fit.run`",
    note="uses eval",
)
_LIBRARY = {
    "tasks.py": _task("return vendored.f(x)", above="import vendored"),
    "site-packages/vendored/__init__.py": "def f(x):\n    return x\n",
    "site-packages/vendored-1.0.dist-info/METADATA": "Name: vendored\nVersion: 1.0\n",
}
_edit(
    "annotation that a library reads",
    {
        **_LIBRARY,
        "tasks.py": _task("return str(M().x)", above="import vendored\nclass M(vendored.Model):\n    x: int"),
        "site-packages/vendored/__init__.py": "class Model:\n    x = 1\n",
    },
    "x: int",
    "x: float",
    "changed `tasks.M`",
    paths=("site-packages",),
)
_edit(
    "module through its __dict__",
    {"tasks.py": _task("return ops.__dict__['f'](x)", above="import ops"), "ops.py": "def f(x):\n    return 0\n"},
    "return 0",
    "return 1",
    "changed `ops",
)
_edit(
    "module through sys.modules",
    {"tasks.py": _task("return x + len(sys.modules['ops'].__name__)", above="import sys, ops"), "ops.py": "A = 1\n"},
    "A = 1",
    "A = 2",
    None,
    note="uses sys.modules",
)
SCENARIOS.append(
    Scenario(
        name="version of a library",
        expected="miss",
        reason="vendored 1.0 -> 1.1",
        paths=("site-packages",),
        before=_LIBRARY,
        after={path.replace("1.0", "1.1"): text.replace("1.0", "1.1") for path, text in _LIBRARY.items()},
    )
)
SCENARIOS.append(
    Scenario(
        name="version of a library of another name",
        expected="miss",
        reason="Vendored-Lib 1.0 -> 1.1",
        paths=("site-packages",),
        before={
            "tasks.py": _task("return vendored.f(x)", above="import vendored"),
            "site-packages/vendored/__init__.py": "def f(x):\n    return x\n",
            "site-packages/Vendored_Lib-1.0.dist-info/RECORD": "vendored/__init__.py,,\n",
        },
        after={
            "tasks.py": _task("return vendored.f(x)", above="import vendored"),
            "site-packages/vendored/__init__.py": "def f(x):\n    return x\n",
            "site-packages/Vendored_Lib-1.1.dist-info/RECORD": "vendored/__init__.py,,\n",
        },
    )
)
SCENARIOS.append(
    Scenario(
        name="file moved into a package of the same name",
        expected="hit",
        before={
            "tasks.py": _task("return data.clean(x)", above="import data"),
            "data.py": "def clean(x):\n    return x\n",
        },
        after={
            "tasks.py": _task("return data.clean(x)", above="import data"),
            "data/__init__.py": "def clean(x):\n    return x\n",
        },
    )
)
