"""Properties of code fingerprints, on code that hypothesis writes and on the code of finestflow itself."""

import ast
import hashlib
import importlib
import pkgutil
import types
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import finestflow
from finestflow.cache.code.canonical import Canonical
from finestflow.cache.code.definitions import Definitions
from finestflow.cache.code.scopes import find_names
from tests.conftest import examples
from tests.sampling import sampled

PACKAGE = Path(finestflow.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def form(text: str) -> str:
    return Canonical(sha256).module(ast.parse(text))


names = st.sampled_from(["a", "b", "c", "f", "x"])
literals = st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.none(), st.floats(allow_nan=False)).map(repr)


def _combine(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "==", "and", "or", "in"]), inner).map(" ".join),
        st.tuples(names, inner, inner).map(lambda t: f"{t[0]}({t[1]}, k={t[2]})"),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}, {t[1]})"),
        st.tuples(names, inner).map(lambda t: f"(lambda {t[0]}: {t[1]})"),
        st.tuples(inner, names, inner).map(lambda t: f"[{t[0]} for {t[1]} in [{t[2]}]]"),
        inner.map(lambda text: f"({text} if {text} else None)"),
        st.tuples(names, inner).map(lambda t: f"{t[0]}[{t[1]}].attr"),
    )


expressions = st.recursive(st.one_of(names, literals), _combine, max_leaves=12)
statements = st.tuples(names, expressions).map(lambda t: f"{t[0]} = {t[1]}")


@given(st.lists(statements, min_size=1, max_size=5))
def test_formatting_makes_no_difference(lines):
    text = "\n".join(lines)
    assert form(ast.unparse(ast.parse(text))) == form(text)


@given(expressions, expressions)
def test_forms_are_equal_only_when_the_trees_are(one, other):
    same = ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    # A bare expression that is a constant is dropped, so both stand on the right of an assignment.
    assert (form(f"v = {one}") == form(f"v = {other}")) == same


@given(statements)
def test_names_of_a_function_hold_all_globals_of_its_code(statement):
    source = f"def g():\n    {statement}\n    return {statement.split(' = ', 1)[1]}\n"
    tree = ast.parse(source)
    found = {chain[0] for chain in find_names(tree).functions[tree.body[0]].chains}
    assert _globals(compile(source, "<test>", "exec").co_consts[0]) <= found


def _globals(code: types.CodeType) -> set[str]:
    import dis

    found = {str(one.argval) for one in dis.get_instructions(code) if one.opname == "LOAD_GLOBAL"}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _globals(constant)
    return found


@pytest.mark.parametrize("path", sampled(SOURCES, 12), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_unparsed_source_of_finestflow_has_the_same_form(path):
    text = path.read_text()
    assert form(ast.unparse(ast.parse(text))) == form(text)


def test_every_function_of_finestflow_is_found_in_its_source():
    definitions = Definitions(sha256)
    missing, count = [], 0
    for info in pkgutil.walk_packages([str(PACKAGE / "cache")], "finestflow.cache."):
        module = importlib.import_module(info.name)
        for function in _functions(vars(module), module.__name__):
            count += 1
            if not definitions.of_code(function.__code__, vars(module)).from_source:
                missing.append(function.__qualname__)
    assert count > 100
    assert [name for name in missing if not _is_generated(name)] == []


def _functions(namespace, module):
    for value in namespace.values():
        inner = getattr(value, "__func__", getattr(value, "fget", value))
        if isinstance(inner, types.FunctionType) and inner.__module__ == module:
            yield inner
        elif isinstance(value, type) and value.__module__ == module:
            yield from _functions(vars(value), module)


def _is_generated(name: str) -> bool:
    method = name.rpartition(".")[2]
    return method.startswith("__") or method in {"_replace", "_make", "_asdict", "wrapper"}


@settings(max_examples=examples(30))
@given(st.lists(st.tuples(st.sampled_from(["f", "g", "h"]), expressions), min_size=1, max_size=4))
def test_each_function_that_compiles_is_matched_with_its_own_definition(parts):
    source = "\n".join(f"def {name}(a):\n    return {body}\n" for name, body in parts)
    found = Definitions(sha256).of_text(source.encode())
    assert found is not None
    canonical = Canonical(sha256)
    canonical.module(ast.parse(source))
    expected = sorted(digest for node, digest in canonical.digests.items() if isinstance(node, ast.FunctionDef))
    entries = [entry for name in ("f", "g", "h") for entry in found.functions.get(name, [])]
    assert sorted(entry[2][0] for entry in entries) == expected
