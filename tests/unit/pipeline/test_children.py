"""Children of pipelines: how they are given, replaced, checked, inherited."""

import json
import pickle
import sys
import types
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from finestflow.errors import ParamError, UsageError
from finestflow.pipeline.param import Param
from finestflow.pipeline.pipeline import Pipeline, import_target, is_compatible
from finestflow.pipeline.task import FunctionTask, Task

T = TypeVar("T")


class Load(Task):
    def run(self, n):
        return list(range(n))


class Fit(Task):
    kind: str = "svm"
    C: float = 1.0
    layers: list[int] = Param([])

    def run(self, train):
        return sum(train) * self.C


class Tree(Task):
    depth: int = 3

    def run(self, data):
        return self.depth


class Pair(Task):
    def run(self, left, right):
        return left


class Fixed(Task):
    class Meta:
        swappable = False

    def run(self, train):
        return 0


class Digits(Pipeline):
    size: int = 4
    load: Load
    svm: Fit = Fit(kind="svm", C=2)

    def __call__(self):
        return self.svm(self.load(self.size))


class Outer(Pipeline):
    inner: Digits = Digits(svm=Fit(kind="forest", C=5))

    def __call__(self):
        return self.inner()


@pytest.fixture
def module(monkeypatch):
    """A module that dotted names reach."""
    module = types.ModuleType("some_tasks")
    module.Tree, module.parse, module.number = Tree, json.loads, 3
    module.Digits = Digits
    monkeypatch.setitem(sys.modules, "some_tasks", module)
    return module


class TestGiven:
    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            (Tree, "Tree()"),
            (Tree(depth=2), "Tree(depth=2)"),
            ("some_tasks:Tree", "Tree()"),
            ("some_tasks.Tree", "Tree()"),
            ({"C": 3}, "Fit(C=3.0)"),
            ({"use": "some_tasks:Tree", "depth": 1}, "Tree(depth=1)"),
            ({"use": Tree, "depth": 1}, "Tree(depth=1)"),
            ({"use": "some_tasks:parse"}, "Task.of(loads)"),
            (json.loads, "Task.of(loads)"),
            (len, "Task.of(len)"),
        ],
    )
    def test_as_class_instance_dotted_name_dict_or_function(self, module, given, wanted):
        assert repr(Digits(svm=given).svm) == wanted
        digits = Digits()
        digits.svm = given
        assert repr(digits.svm) == wanted

    def test_a_dict_changes_what_stands_there(self):
        digits = Digits(svm={"kind": "rbf"})
        assert (digits.svm.kind, digits.svm.C) == ("rbf", 2.0)
        digits.svm = {"C": 7}
        assert (digits.svm.kind, digits.svm.C) == ("rbf", 7.0)
        assert Digits().svm.C == 2.0

    def test_a_dict_reaches_into_a_nested_pipeline(self):
        outer = Outer(inner={"size": 2, "svm": {"C": 9}})

        assert (outer.inner.size, outer.inner.svm.kind, outer.inner.svm.C) == (2, "forest", 9.0)

    def test_a_dict_may_be_the_default(self):
        class Chosen(Pipeline):
            fit: Fit = {"kind": "a", "C": 4}

        assert Chosen().fit.C == 4.0
        assert (Chosen(fit={"C": 5}).fit.kind, Chosen(fit={"C": 5}).fit.C) == ("a", 5.0)

    def test_a_dotted_name_may_be_the_default(self, module):
        class Chosen(Pipeline):
            tree: Task = "some_tasks:Tree"

        assert Chosen().tree.depth == 3
        assert Chosen(tree={"depth": 1}).tree.depth == 1

    def test_a_pipeline_may_be_a_child_of_any_task(self, module):
        class Any_(Pipeline):
            step: Task

            def __call__(self):
                return self.step()

        assert Any_(step="some_tasks:Digits")() == 12.0

    def test_a_required_param_of_a_child_comes_from_the_dict(self):
        class Need(Task):
            size: int

        class Uses(Pipeline):
            need: Need

        assert Uses(need={"size": 3}).need.size == 3
        with pytest.raises(ParamError, match="needs the param 'size'"):
            Uses()

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ({"c": 3}, "has no param 'c'"),
            ({"kimd": 3}, "did you mean 'kind'"),
            ({"C": "x"}, "expected float"),
            ({"use": "some_tasks:parse", "C": 1}, "takes no params"),
            ("some_tasks:Tre", "did you mean 'Tree'"),
            ("some_tasks:number", "is no task"),
            ("nowhere:Fit", "cannot import 'nowhere'"),
            ("Fit", "no dotted name"),
            (3, "is no task"),
            (None, "is no task"),
            (Task, "needs a task for 'svm'"),
        ],
    )
    def test_a_wrong_one_says_what_is_wrong(self, module, given, text):
        with pytest.raises(UsageError, match=text):
            Digits(svm=given)

    def test_an_unknown_child_gives_the_nearest(self):
        with pytest.raises(ParamError, match="did you mean 'svm'"):
            Digits(smv=Fit)

    def test_any_task_has_to_be_given(self):
        class Needs(Pipeline):
            step: Task

        with pytest.raises(ParamError, match="needs a task for 'step'"):
            Needs()


class TestOwnership:
    def test_an_instance_belongs_to_one_pipeline(self):
        fit = Fit(C=3)
        one, other = Digits(svm=fit), Digits(svm=fit)
        one.svm.C = 9
        one.svm.layers.append(1)

        assert (fit.C, other.svm.C, fit.layers) == (3.0, 3.0, [])

    def test_the_default_belongs_to_nobody(self):
        Digits().svm.layers.append(1)

        assert Digits().svm.layers == []

    def test_copies_and_options_have_children_of_their_own(self):
        digits = Digits()
        for twin in (digits.copy(), digits.options(name="x"), pickle.loads(pickle.dumps(digits))):
            twin.svm.C = 9
            assert twin.svm.__dict__["_slot"] == "svm"

        assert digits.svm.C == 2.0

    def test_options_remember_the_run_of_the_original(self):
        digits = Digits()
        digits.options(jobs=2).options(name="x").set_last_run("run")

        assert digits.last_run == "run"
        assert digits.options(jobs=2).options(name="x").run_options == {"jobs": 2, "name": "x"}
        assert digits.run_options == {}

    def test_an_unknown_option_gives_the_nearest(self):
        with pytest.raises(UsageError, match="did you mean 'jobs'"):
            Digits().options(job=2)

    def test_a_child_cannot_be_deleted(self):
        digits = Digits()
        with pytest.raises(ParamError, match="cannot be deleted"):
            del digits.svm

    def test_repr_shows_params_and_children(self):
        assert repr(Digits(size=2)) == "Digits(size=2, load=Load(), svm=Fit(C=2.0))"


class TestSwapping:
    def test_one_that_is_not_swappable_takes_params_only(self):
        class Strict(Pipeline):
            fixed: Fixed

        assert Strict(fixed={}).fixed.run([]) == 0
        assert Strict(fixed=Fixed()).fixed.run([]) == 0
        for other in (Fit, Fit(), len, {"use": Fit}):
            with pytest.raises(ParamError, match="does not let 'fixed' be replaced"):
                Strict(fixed=other)

    def test_one_with_another_signature_is_refused(self):
        with pytest.raises(ParamError, match=r"'Pair' cannot stand for 'Fit' at 'svm' of 'Digits'.*missing.*'right'"):
            Digits(svm=Pair)

    def test_the_default_decides_what_a_replacement_must_accept(self):
        class Wide(Pipeline):
            step: Task = Pair()

        with pytest.raises(ParamError):
            Wide(step=Fit)

    @pytest.mark.parametrize(
        ("declared", "other", "wanted"),
        [
            (lambda self, a: 0, lambda self, b: 0, True),
            (lambda self, a: 0, lambda self, a, b=1: 0, True),
            (lambda self, a: 0, lambda self, a, b: 0, False),
            (lambda self, a: 0, lambda self: 0, False),
            (lambda self, a, b=1: 0, lambda self, a, b: 0, False),
            (lambda self, a, b=1: 0, lambda self, a: 0, False),
            (lambda self, a, b=1: 0, lambda self, a, *rest: 0, True),
            (lambda self, a, b: 0, lambda self, *args: 0, True),
            (lambda self, *args: 0, lambda self, *other: 0, True),
            (lambda self, *args: 0, lambda self, a: 0, False),
            (lambda self, a, *, k: 0, lambda self, a, *, k: 0, True),
            (lambda self, a, *, k: 0, lambda self, a, k: 0, True),
            (lambda self, a, *, k: 0, lambda self, a: 0, False),
            (lambda self, a, *, k=1: 0, lambda self, a, *, k: 0, False),
            (lambda self, a, *, k: 0, lambda self, a, **rest: 0, True),
            (lambda self, a: 0, lambda self, a, *, k: 0, False),
            (lambda self, a: 0, lambda self, a, *, k=1: 0, True),
            (lambda self, a, **rest: 0, lambda self, a, **rest: 0, True),
            (lambda self, a, **rest: 0, lambda self, a: 0, False),
        ],
    )
    def test_compatible_means_that_it_accepts_every_call(self, declared, other, wanted):
        one = type("One", (Task,), {"run": declared})
        two = type("Two", (Task,), {"run": other})

        assert is_compatible(one, two) is wanted

    def test_an_interface_without_run_accepts_all(self):
        class Model(Task):
            pass

        assert is_compatible(Model, Pair)

    def test_pipelines_are_judged_by_their_body(self):
        assert not is_compatible(Digits, Fit)
        assert is_compatible(Digits, Outer)

    def test_a_builtin_without_a_signature_is_taken(self):
        assert is_compatible(Fit, dict)


class TestDeclared:
    def test_children_and_params_are_told_apart(self):
        assert list(Digits.__finestflow_children__) == ["load", "svm"]
        assert list(Digits.__finestflow_params__) == ["size"]

    def test_without_an_annotation(self):
        class Short(Pipeline):
            fit = Fit(C=3)

        assert Short().children["fit"].C == 3.0

    def test_private_ones_and_class_variables_are_neither(self):
        class Plain(Pipeline):
            _fit: Fit = Fit()
            shared: ClassVar[Fit] = Fit()

        assert Plain.__finestflow_children__ == Plain.__finestflow_params__ == {}

    def test_a_default_decides_when_the_annotation_says_nothing(self):
        class Loose(Pipeline):
            one: Any = Fit()
            two: Any = Fit

        assert list(Loose().children) == ["one", "two"]

    def test_a_generic_task_may_be_the_annotation(self):
        class Keep(Task, Generic[T]):
            pass

        class Uses(Pipeline):
            keep: Keep[int]

        assert isinstance(Uses().keep, Keep)

    def test_an_optional_child_may_be_none(self):
        class Maybe(Pipeline):
            first: Fit | None
            second: Fit | None = Fit()

        maybe = Maybe()

        assert maybe.first is None
        assert list(maybe.children) == ["second"]
        maybe.second = None
        assert maybe.children == maybe.copy().children == {}
        assert isinstance(Maybe(first=Fit).first, Fit)
        assert Maybe(first={"C": 3}).first.C == 3.0

    def test_one_of_several_classes(self):
        class Either(Pipeline):
            model: Fit | Tree = Tree()

        assert isinstance(Either().model, Tree)
        assert isinstance(Either(model=Fit).model, Fit)

    def test_an_annotation_that_is_not_known_yet_is_an_error_that_says_so(self):
        class Early(Pipeline):
            later: "Later"  # noqa: F821

        with pytest.raises(ParamError, match="'Later' is not known"):
            Early(later=Fit)
        with pytest.raises(ParamError, match="'Later' is not known"):
            Early()


class TestInheritance:
    def test_a_default_is_replaced_without_an_annotation(self):
        class Strong(Digits):
            svm = Fit(C=100)

        assert (Strong().svm.C, Digits().svm.C) == (100.0, 2.0)
        assert list(Strong().children) == ["load", "svm"]

    def test_a_narrower_annotation_replaces_the_default(self):
        class Narrow(Fit):
            pass

        class Uses(Digits):
            svm: Narrow

        assert type(Uses().svm) is Narrow

    def test_the_same_annotation_keeps_the_default(self):
        class Same(Digits):
            svm: Fit

        assert Same().svm.C == 2.0

    def test_the_nearest_base_wins_also_in_a_diamond(self):
        class Left(Digits):
            pass

        class Right(Digits):
            svm = Fit(C=50)

        class Both(Left, Right):
            pass

        assert Both().svm.C == 50.0

    def test_a_child_may_become_a_param_and_back(self):
        class Without(Digits):
            svm: float = 0.5

        class With(Without):
            svm: Fit = Fit(C=8)

        assert Without().svm == 0.5
        assert "svm" not in Without().children
        assert With().svm.C == 8.0
        assert "svm" not in With.__finestflow_params__


class TestImportTarget:
    def test_reaches_nested_names(self):
        assert import_target("os:path.join") is import_target("os.path.join")

    def test_whatever_an_import_raises_is_an_error_that_names_it(self, tmp_path, monkeypatch):
        (tmp_path / "broken_on_import.py").write_text("1 / 0")
        monkeypatch.syspath_prepend(tmp_path)

        with pytest.raises(UsageError, match=r"cannot import 'broken_on_import'.*ZeroDivisionError"):
            import_target("broken_on_import:Fit")

    def test_a_function_is_wrapped(self):
        assert isinstance(Digits(svm=len).svm, FunctionTask)


def test_a_class_without_an_annotation_is_a_child_too_but_one_that_is_written_inside():
    class Bare(Pipeline):
        tree = Tree

        class Inner(Task):
            def run(self, data):
                return data

        def __call__(self):
            return self.tree(1)

    assert set(Bare().children) == {"tree"}
    assert Bare(tree={"depth": 5}).body() == 5
