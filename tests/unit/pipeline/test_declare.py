"""What a task class declares: params, their inheritance, ``Meta``, and what is refused at the definition."""

import dataclasses
import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from finestflow.errors import ParamError, UsageError
from finestflow.pipeline.declare import TaskMeta
from finestflow.pipeline.param import Param
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task

T = TypeVar("T")


class Fit(Task):
    kind: str = "svm"
    C: float = Param(1, help="inverse regularisation")
    layers: list = [1]
    size: int

    def run(self, x):
        return x


class TestParams:
    def test_are_keyword_arguments_and_attributes(self):
        fit = Fit(size=3, C=2)

        assert (fit.kind, fit.C, fit.size) == ("svm", 2.0, 3)

    def test_without_a_default_are_required(self):
        with pytest.raises(ParamError, match="'Fit' needs the param 'size' of type int"):
            Fit()

    def test_an_unknown_name_gives_the_nearest(self):
        with pytest.raises(ParamError, match="did you mean 'kind'"):
            Fit(size=1, kin="x")

    def test_are_checked_when_they_are_set(self):
        fit = Fit(size=1)
        fit.C = 3

        assert type(fit.C) is float
        with pytest.raises(ParamError):
            fit.C = "x"

    def test_cannot_be_deleted(self):
        fit = Fit(size=1)

        with pytest.raises(ParamError, match="cannot be deleted"):
            del fit.size

    def test_defaults_are_class_attributes(self):
        assert Fit.kind == "svm"
        assert Fit.C == 1.0
        assert not hasattr(Fit, "size")

    def test_a_mutable_default_is_never_shared(self):
        one = Fit(size=1)
        one.layers.append(2)

        assert Fit(size=1).layers == [1]
        assert Fit.layers == [1]

    def test_class_variables_and_private_names_are_no_params(self):
        class Plain(Task):
            limit: ClassVar[int] = 3
            bare: ClassVar = 4
            _hidden: int = 5

        assert Plain.__finestflow_params__ == {}

    def test_a_param_declaration_needs_no_annotation(self):
        class Plain(Task):
            C = Param(1.0)

        assert Plain(C="any").C == "any"

    def test_a_wrong_default_is_found_at_the_definition(self):
        with pytest.raises(ParamError, match="'Wrong' takes no 'x' for param 'C': expected float"):

            class Wrong(Task):
                C: float = "x"

    def test_seed_rng_and_context_may_be_params(self):
        class Split(Task):
            seed: int
            rng: str = Param("pcg")
            context: int = 512

        split = Split(seed=4)

        assert (split.seed, split.rng, split.context) == (4, "pcg", 512)

    def test_a_param_may_hold_a_function(self):
        class Layer(Task):
            activation: Callable[[float], float] = abs

            def run(self, x):
                return self.activation(x)

        class Other(Layer):
            activation = float

        assert Layer()(-1) == 1
        assert Other()(-1) == -1.0

    def test_a_generic_task_is_a_task(self):
        class Keep(Task, Generic[T]):
            value: T

        assert Keep[int](value=3).value == 3

    def test_repr_shows_what_differs_from_the_default_and_no_secret(self):
        class Login(Task):
            token: str = Param("", secret=True)
            size: float = 1

        assert repr(Login(size=1)) == "Login()"
        assert repr(Login(size=2, token="t")) == "Login(token=***, size=2.0)"


class TestInheritance:
    def test_an_override_needs_no_annotation_and_keeps_the_rest(self):
        class Strong(Fit):
            C = 10

        spec = Strong.__finestflow_params__["C"]

        assert (Strong(size=1).C, spec.help, spec.type) == (10.0, "inverse regularisation", float)
        assert Fit(size=1).C == 1.0

    def test_an_override_is_checked(self):
        with pytest.raises(ParamError):

            class Wrong(Fit):
                C = "x"

    def test_an_override_may_be_a_declaration(self):
        class Chosen(Fit):
            kind = Param("a", choices=("a", "b"))

        with pytest.raises(ParamError):
            Chosen(size=1, kind="c")

    def test_a_new_annotation_keeps_the_default(self):
        class Whole(Fit):
            C: float | None

        assert Whole(size=1).C == 1.0
        assert Whole(size=1, C=None).C is None

    def test_the_nearest_base_wins_also_in_a_diamond(self):
        class Base(Task):
            x: int = 1

        class Left(Base):
            pass

        class Right(Base):
            x = 2

        class Both(Left, Right):
            pass

        assert Both().x == Both.x == 2

    def test_a_method_in_the_place_of_a_param_is_refused(self):
        with pytest.raises(UsageError, match="'C' that is a method as well"):

            class Wrong(Fit):
                @property
                def C(self):
                    return 3


class TestAnnotations:
    def test_a_class_made_in_a_function_finds_local_types(self):
        class Kind(enum.Enum):
            A = 1

        class Local(Task):
            kind: "Kind" = Kind.A

        assert Local(kind="A").kind is Kind.A

    def test_a_type_inside_the_class_is_found(self):
        class Outer(Task):
            class Kind(enum.Enum):
                A = 1

            kind: "Kind" = Kind.A

        assert Outer(kind="A").kind is Outer.Kind.A

    def test_a_users_own_init_subclass_does_not_hide_the_place(self):
        class Registered(Task):
            def __init_subclass__(cls, **kwargs):
                super().__init_subclass__(**kwargs)

        class Kind(enum.Enum):
            A = 1

        class Local(Registered):
            kind: "Kind"

        assert Local(kind="A").kind is Kind.A

    def test_what_cannot_be_resolved_takes_anything_and_says_so_when_missing(self):
        class Later(Task):
            model: "NotYetDefined"  # noqa: F821

        assert Later(model=3).model == 3
        with pytest.raises(ParamError, match="'NotYetDefined' is not known where 'Later' is defined"):
            Later()

    def test_class_variables_are_seen_in_texts(self):
        class Plain(Task):
            a: "ClassVar[int]" = 3
            b: "typing.ClassVar[Unknown]" = 4  # noqa: F821

        assert Plain.__finestflow_params__ == {}


class TestMeta:
    def test_is_inherited_name_by_name_but_for_name_and_version(self):
        class Base(Task):
            class Meta:
                name = "base"
                version = 3
                retries = 2
                cache = False

        class Child(Base):
            class Meta:
                cache = True

        assert Base.__finestflow_meta__ == TaskMeta(name="base", version="3", retries=2, cache=False)
        assert Child.__finestflow_meta__ == TaskMeta(retries=2)

    def test_a_meta_may_have_a_base_of_its_own(self):
        class Common:
            retries = 3

        class One(Task):
            class Meta(Common):
                cache = False

        assert One.__finestflow_meta__ == TaskMeta(retries=3, cache=False)

    def test_the_other_spelling_of_swappable_is_accepted(self):
        class Fixed(Task):
            class Meta:
                swapable = False

        assert not Fixed.__finestflow_meta__.swappable

    @pytest.mark.parametrize(
        ("key", "given", "kept"),
        [
            ("timeout", "2m", 120.0),
            ("timeout", "500ms", 0.5),
            ("timeout", 3, 3),
            ("outputs", "model", ("model",)),
            ("outputs", ["a", "b"], ("a", "b")),
            ("ignore", "log_dir", ("log_dir",)),
            ("cache", Path("/data"), "/data"),
            ("version", 1.5, "1.5"),
        ],
    )
    def test_settings_are_normal(self, key, given, kept):
        made = type("Made", (Task,), {"Meta": type("Meta", (), {key: given})})

        assert getattr(made.__finestflow_meta__, key) == kept

    @pytest.mark.parametrize(
        ("key", "given"),
        [
            ("timeout", "soon"),
            ("timeout", 0),
            ("timeout", True),
            ("retries", -1),
            ("retries", True),
            ("cache", 1),
            ("outputs", (1, 2)),
            ("outputs", ("a", "a")),
            ("outputs", ()),
            ("name", 3),
            ("name", "a/b"),
            ("version", ()),
            ("swappable", "no"),
        ],
    )
    def test_a_wrong_setting_is_refused(self, key, given):
        with pytest.raises(UsageError):
            type("Made", (Task,), {"Meta": type("Meta", (), {key: given})})

    def test_an_unknown_setting_gives_the_nearest(self):
        with pytest.raises(UsageError, match="did you mean 'retries'"):

            class Wrong(Task):
                class Meta:
                    retrys = 3

    def test_a_meta_that_is_no_class_is_refused(self):
        with pytest.raises(UsageError, match="is no class"):

            class Wrong(Task):
                Meta: ClassVar[Any] = {"cache": False}


class TestRefused:
    """What would silently not work is refused where the class is defined."""

    def test_an_init(self):
        with pytest.raises(UsageError, match="__init__ of its own"):

            class Wrong(Task):
                def __init__(self, size):
                    self.size = size

    def test_an_init_that_a_mixin_brings(self):
        class Mixin:
            def __init__(self):
                self.size = 3

        with pytest.raises(UsageError, match="__init__ of its own"):

            class Wrong(Mixin, Task):
                pass

    def test_slots(self):
        with pytest.raises(UsageError, match="__slots__"):

            class Wrong(Task):
                __slots__ = ("size",)

    def test_a_dataclass(self):
        @dataclasses.dataclass
        class Wrong(Task):
            size: int = 3

        with pytest.raises(UsageError, match="leave out @dataclass"):
            Wrong()

    def test_a_call_of_a_task(self):
        with pytest.raises(UsageError, match="call it run"):

            class Wrong(Task):
                def __call__(self, x):
                    return x

    def test_async_tasks_and_bodies(self):
        with pytest.raises(UsageError, match="async run"):

            class Wrong(Task):
                async def run(self):
                    pass

        with pytest.raises(UsageError, match="async __call__"):

            class Body(Pipeline):
                async def __call__(self):
                    pass

    def test_a_body_with_yield(self):
        with pytest.raises(UsageError, match="with yield"):

            class Body(Pipeline):
                def __call__(self):
                    yield 1

    @pytest.mark.parametrize("name", ["run", "copy", "log", "code", "task_name", "use"])
    def test_a_param_with_the_name_of_something_that_finestflow_calls(self, name):
        with pytest.raises(UsageError, match=f"cannot have a '{name}' of its own"):
            type("Wrong", (Task,), {"__annotations__": {name: int}, name: 3})

    @pytest.mark.parametrize("name", ["copy", "code", "named", "call_hook"])
    def test_a_method_that_finestflow_calls(self, name):
        with pytest.raises(UsageError, match="call it"):
            type("Wrong", (Task,), {name: lambda self: None})

    @pytest.mark.parametrize("name", ["body", "children", "options", "copy"])
    def test_a_child_with_such_a_name(self, name):
        with pytest.raises(UsageError, match="call it"):
            type("Wrong", (Pipeline,), {"__annotations__": {name: Fit}})

    def test_the_names_of_the_api_may_be_children(self):
        class Fine(Pipeline):
            load: Fit = Fit(size=1)
            dump: Fit = Fit(size=2)

        assert list(Fine().children) == ["load", "dump"]

    def test_private_methods_and_attributes_of_the_user_meet_nothing(self):
        class Mine(Task):
            def initialize(self):
                self._rng, self._context, self._signature = 1, 2, 3

            def _compute(self, x):
                return x + self._rng

            def run(self, x):
                return self._compute(x) + self.rng.random()

        assert 4 < Mine()(3) < 5
