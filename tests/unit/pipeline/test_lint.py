"""The lint of bodies: it finds every use that would be silently wrong, and never speaks of a plain name."""

import importlib.util
import sys
import textwrap
import warnings

import pytest

from finestflow.pipeline.lint import warn_of_handles

HEAD = """\
from finestflow.pipeline.each import each
from finestflow.pipeline.output import Output
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task

class Fit(Task):
    def run(self, x): return x

class P(Pipeline):
    fit: Fit
    def __call__(self, x=None, rows=()):
"""


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """Define a pipeline with a body and return what the lint says, without file and line."""

    def define(body):
        path = tmp_path / "pipe.py"
        path.write_text(HEAD + textwrap.indent(textwrap.dedent(body), " " * 8))
        spec = importlib.util.spec_from_file_location("pipe", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "pipe", module)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            spec.loader.exec_module(module)
        assert all(issubclass(warning.category, UserWarning) for warning in caught)
        return [str(warning.message) for warning in caught]

    return define


def test_says_where_and_what_to_write(findings):
    assert findings("y = self.fit(x)\nif y is None:\n    return 0\nreturn y") == [
        'pipe.py:13: "y is None" compares the handle, not its value: write y.value is None'
    ]


@pytest.mark.parametrize(
    ("body", "wrong", "fixed"),
    [
        ("return self.fit(x) is None", "self.fit(x) is None", "self.fit(x).value is None"),
        ("y = self.fit(x)\nreturn y is not True", "y is not True", "y.value is not True"),
        ("y = self.fit(x)\nreturn None is y", "None is y", "None is y.value"),
        ("y = self.fit(x)\nreturn type(y)", "type(y)", "type(y.value)"),
        ("y = self.fit(x)\nreturn callable(y)", "callable(y)", "callable(y.value)"),
        ("y = self.fit(x)\nreturn isinstance(y, int)", "isinstance(y, int)", "isinstance(y.value, int)"),
        ("y = self.fit(x)\nmatch y:\n    case [a]:\n        return a", "match y", "match y.value"),
        ("y = self.fit(x)\nmatch y:\n    case None:\n        return 0", "match y", "match y.value"),
        ("a, b = self.fit(x)\nreturn b is None", "b is None", "b.value is None"),
        ("y = each(self.fit, rows)\nreturn y is True", "y is True", "y.value is True"),
        ("y = self.fit(x)\nreturn hasattr(y, 'shape')", "hasattr(y, 'shape')", "hasattr(y.value, 'shape')"),
        ("a, b = self.fit(x), 3\nreturn a is None", "a is None", "a.value is None"),
        ("a = b = self.fit(x)\nreturn a is None", "a is None", "a.value is None"),
        ("y: int = self.fit(x)\nreturn y is None", "y is None", "y.value is None"),
        (
            "if (y := self.fit(x)) is None:\n    return y",
            "(y := self.fit(x)) is None",
            "(y := self.fit(x)).value is None",
        ),
        ("y = self.fit.named('a')(x)\nreturn y is None", "y is None", "y.value is None"),
        ("y = self.fit(x)\nz = y.a[0]\nreturn z is None", "z is None", "z.value is None"),
        ("y = self.fit(x)\ny = self.fit(y)\nreturn y is None", "y is None", "y.value is None"),
        ("y = self.fit(x)\nreturn [r for r in rows if y is None]", "y is None", "y.value is None"),
        ("y = self.fit(x)\nz = y if x else self.fit(y)\nreturn z is None", "z is None", "z.value is None"),
    ],
)
def test_finds_uses_of_outputs(findings, body, wrong, fixed):
    (found,) = findings(body)

    assert f'"{wrong}"' in found
    assert found.endswith(f"write {fixed}")


@pytest.mark.parametrize(
    "body",
    [
        "return x is None",
        "y = self.fit(x)\nreturn x is None",
        "y = None\nfor r in rows:\n    if y is None:\n        y = self.fit(r)\nreturn y",
        "y = self.fit(x) if x else None\nreturn y is None",
        "y = self.fit(x)\ny = y.value\nreturn y is None",
        "y = self.fit(x).value\nreturn y is None",
        "y = self.fit(x)\nreturn y.value is None",
        "y = self.fit(x)\nz = y.mean()\nreturn z is None",
        "y = self.fit(x)\nz = y + 1\nreturn isinstance(z, int)",
        "y = self.fit(x)\ny += 1\nreturn y is None",
        "y = [self.fit(r) for r in rows]\nreturn isinstance(y, list)",
        "x = self.fit(x)\nreturn x is None",
        "y = self.fit(x)\nfor y in rows:\n    pass\nreturn y is None",
        "y = self.fit(x)\nwith open(x) as y:\n    return y is None",
        "y = self.fit(x)\ntry:\n    pass\nexcept OSError as y:\n    return y is None",
        "y = self.fit(x)\nreturn [y for y in rows if y is None]",
        "y = self.fit(x)\nreturn sorted(rows, key=lambda y: y is None)",
        "y = self.fit(x)\ndef y(): pass\nreturn callable(y)",
        "y = self.fit(x)\nimport y\nreturn y is None",
        "y = self.fit(x)\ndel y\ny = 3\nreturn y is None",
        "a, *y = self.fit(x)\nreturn isinstance(y, list)",
        "y = self.fit(x)\nmatch x:\n    case [y]:\n        return y is None",
        "y = self.fit(x)\nmatch y:\n    case 'a' | 3:\n        return 0",
        "y = self.fit(x)\nreturn isinstance(y, Output)",
        "return self.fit is None",
        "y = self.other(x)\nreturn y is None",
        "y = rows.fit(x)\nreturn y is None",
        "y = rows.each(x)\nreturn y is None",
        "y = self.fit(x)\nreturn y == 1  # this is fine",
        "y = self.fit(x)\nreturn type('A', (), {})",
    ],
)
def test_says_nothing_of_plain_names(findings, body):
    assert findings(body) == []


def test_a_body_without_source_is_no_error():
    scope = {"__name__": "nowhere"}
    exec("def body(self, x):\n    y = self.fit(x)\n    return y is None", scope)

    warn_of_handles(scope["body"], ["fit"])
    warn_of_handles(len, ["fit"])
    warn_of_handles(None, ["fit"])
    warn_of_handles(lambda self: self.fit() is None, ["fit"])


def test_an_error_of_foreign_code_that_was_given_an_output_says_what_to_give():
    from finestflow.pipeline.lint import explained

    error = explained(TypeError("Object of type Output is not JSON serializable"))

    assert "y.value" in error.__notes__[0]
    assert not hasattr(explained(TypeError("Object of type Outputs is not")), "__notes__")
    assert not hasattr(explained(ValueError("Output")), "__notes__")
