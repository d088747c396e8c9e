"""The canonical form of code leaves out what makes no difference, keeps the rest, and is the same on each Python.

This file needs no third-party module besides pytest, so that any Python can run it.
"""

import ast
import hashlib
import json
from pathlib import Path

import pytest

from finestflow.cache.code.canonical import Canonical

GOLDEN = Path(__file__).with_name("canonical_golden.json")
FIXTURE = Path(__file__).with_name("canonical_fixture.txt")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def form(text: str) -> str:
    return Canonical(sha256).module(ast.parse(text))


def functions(text: str) -> dict[str, str]:
    canonical = Canonical(sha256)
    module = canonical.module(ast.parse(text))
    names = (f"{getattr(node, 'name', 'lambda')}:{node.lineno}" for node in canonical.digests)
    return {**dict(zip(names, canonical.digests.values(), strict=True)), "module": module}


SAME = [
    ("f(a, b)", "f(\n  a,\n  b,\n)"),
    ("x = (1, 2)", "x = 1, 2"),
    ("x = 'a' 'b'", "x = 'ab'"),
    ("x = f'a' 'b' f'{c}'", "x = f'ab{c}'"),
    ("x = f'{a}' ''", "x = f'{a}'"),
    ("x = f'{a:}'", "x = f'{a:}' f''"),
    ("x = f\"{a['k']}\"", 'x = f"{a["k"]}"'.replace('["k"]', "['k']")),
    ("x = u'a'", "x = 'a'"),
    ("x = 0x10", "x = 16"),
    ("x = 1_000", "x = 1000"),
    ("def f(x: int) -> str:\n  return x", "def f(x):\n  return x"),
    ("def f():\n  '''Doc.'''", "def f():\n  pass"),
    ("def f():\n  ...", "def f():\n  pass"),
    ("def f():\n  x: int = 1", "def f():\n  x = 1"),
    ("if a:\n  pass\nelse:\n  b", "if a:\n  ...\nelse:\n  b"),
    ("x = 1  # why", "x = 1"),
    ("x = 1; y = 2", "x = 1\ny = 2"),
    ("'''Doc.'''\nx = 1", "x = 1"),
]
DIFFERENT = [
    ("x = 1", "x = 1.0"),
    ("x = 1", "x = True"),
    ("x = 'a'", "x = b'a'"),
    ("x = 0.0", "x = -0.0"),
    ("x = a + b", "x = b + a"),
    ("x = (a + b) + c", "x = a + (b + c)"),
    ("x = a.b", "x = a.c"),
    ("x = f'{a}'", "x = f'{a!r}'"),
    ("x = f'{a:>3}'", "x = f'{a:<3}'"),
    ("x = f'{a}'", "x = '{a}'"),
    ("x = f'{a}b'", "x = f'{a}' + 'b'"),
    ("f(*a)", "f(a)"),
    ("f(**a)", "f(*a)"),
    ("f(a=b)", "f(b)"),
    ("f(a)(b)", "f(a, b)"),
    ("[a, b]", "(a, b)"),
    ("[[a], b]", "[[a, b]]"),
    ("[a for a in b]", "{a for a in b}"),
    ("[a for a in b]", "(a for a in b)"),
    ("x[a:b]", "x[a, b]"),
    ("x[a:]", "x[:a]"),
    ("def f(a, b): pass", "def f(b, a): pass"),
    ("def f(a, /, b): pass", "def f(a, b): pass"),
    ("def f(a, *, b): pass", "def f(a, b): pass"),
    ("def f(*a): pass", "def f(**a): pass"),
    ("def f(a=1): pass", "def f(a=2): pass"),
    ("def f(): x: int", "def f(): pass"),
    ("async def f(): pass", "def f(): pass"),
    ("@a\ndef f(): pass", "@b\ndef f(): pass"),
    ("@a\n@b\ndef f(): pass", "@b\n@a\ndef f(): pass"),
    ("def f():\n  yield a", "def f():\n  return a"),
    ("def f():\n  def g(): return 1", "def f():\n  def g(): return 2"),
    ("x = lambda: 1", "x = lambda: 2"),
    ("from a import b", "from .a import b"),
    ("import a.b", "import a.b as c"),
    ("from a import b", "from a import b as c"),
    ("try:\n  a\nexcept A:\n  b", "try:\n  a\nexcept B:\n  b"),
    ("try:\n  a\nexcept A:\n  b", "try:\n  a\nexcept* A:\n  b"),
    ("try:\n  a\nfinally:\n  b", "try:\n  a\nexcept:\n  b"),
    ("for a in b:\n  c\nelse:\n  d", "for a in b:\n  c\nd"),
    ("while a:\n  b", "if a:\n  b"),
    ("with a as b, c: d", "with a, c as b: d"),
    ("match a:\n  case [b]: c", "match a:\n  case (b,) | b: c".replace("(b,) | b", "b")),
    ("match a:\n  case {'k': b}: c", "match a:\n  case {'k': b, **r}: c"),
    ("class A: pass", "class A(B): pass"),
    ("class A(m=B): pass", "class A(m=C): pass"),
    ("del a", "a"),
    ("assert a, b", "assert a"),
    ("x = 'a b'", "x = 'a', 'b'"),
    ("x = '(a)'", "x = (a)"),
    ("global_ = 1", "other = 1"),
    ("if a:\n  b\nelse:\n  c", "if a:\n  b\n  c"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_makes_no_difference_leaves_no_trace(one, other):
    assert form(one) == form(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_makes_a_difference_is_kept(one, other):
    assert form(one) != form(other)


def test_every_python_gives_the_golden_digests():
    """Changing the canonical form misses every cached result; if that is meant, write the file anew."""
    assert functions(FIXTURE.read_text(encoding="utf-8")) == json.loads(GOLDEN.read_text())


def test_very_long_literals_are_no_obstacle():
    assert form("x = 0x" + "f" * 6000) != form("x = 0x" + "f" * 6001)


def test_the_annotations_of_a_function_have_a_digest_of_their_own():
    def annotations(text):
        return Canonical(sha256).annotations(ast.parse(text).body[0])

    assert annotations("def f(a: int) -> str: pass") == annotations("def g(b: int) -> str: return 1")
    assert annotations("def f(a: int) -> str: pass") != annotations("def f(a: int): pass")
    assert annotations("def f(a: int, b): pass") != annotations("def f(a, b: int): pass")
