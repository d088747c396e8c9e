"""Tasks as ordinary objects: plain calls, hooks, copies, tasks of functions."""

import collections
import copy
import functools
import gc
import json
import math
import operator
import pickle
import random
import weakref

import pytest

from finestflow.errors import ParamError, UsageError
from finestflow.pipeline.call import FRAME, SCOPE
from finestflow.pipeline.context import Context
from finestflow.pipeline.output import Output
from finestflow.pipeline.param import Param
from finestflow.pipeline.task import Task, signature_of


class Model(Task):
    """Counts what is called."""

    size: int = 1
    tags: list[str] = Param([])

    def initialize(self):
        self.calls = [f"initialize {self.size}"]

    def run(self, x, *, scale=1):
        self.calls.append(f"run {x}")
        return x * self.size * scale


class Seven:
    """A handle whose value is 7."""

    path = "seven"

    def value(self, part):
        return 7

    def describe(self):
        return "7"


OUTPUT = Output(Seven())


class FakeScope:
    def __init__(self, seed=5):
        self.seed = seed
        self.context = Context({})
        self.told = []

    def log(self, values, step):
        self.told.append((dict(values), step))

    def progress(self, done, total):
        self.told.append((done, total))


@pytest.fixture
def scope():
    scope = FakeScope()
    token = SCOPE.set(scope)
    yield scope
    SCOPE.reset(token)


class TestPlainCall:
    def test_returns_the_plain_value(self):
        assert Model(size=2)(3, scale=10) == 60

    def test_initializes_once(self):
        model = Model()
        model(1)
        model(2)

        assert model.calls == ["initialize 1", "run 1", "run 2"]

    def test_initializes_again_after_a_param_changed(self):
        model = Model()
        model(1)
        model.size = 3
        model(1)

        assert model.calls == ["initialize 3", "run 1"]

    def test_initializes_again_after_an_error_of_initialize(self):
        class Flaky(Task):
            def initialize(self):
                tries.append(1)
                if len(tries) == 1:
                    raise OSError

            def run(self):
                return "ok"

        tries = []
        flaky = Flaky()
        with pytest.raises(OSError):
            flaky()

        assert flaky() == "ok"

    def test_a_missing_run_says_what_to_write(self):
        class Empty(Task):
            pass

        with pytest.raises(UsageError, match="'Empty' has no method 'run'"):
            Empty()()

    def test_log_progress_and_context_work_without_a_run(self):
        class Talks(Task):
            def run(self):
                self.log(loss=1, step=2)
                self.log([1, 2])
                self.progress(1, 2)
                self.context["seen"] = self.context.get("seen", 0) + 1
                return self.context["seen"]

        assert Talks()() == 1

    def test_random_numbers_are_the_same_in_each_call(self):
        class Draw(Task):
            def run(self):
                return self.seed, self.rng.random(), self.rng.random()

        draw = Draw()

        expected = random.Random(0)

        assert draw() == draw() == (0, expected.random(), expected.random())

    def test_named_is_the_call_itself(self):
        assert Model().named("first")(3) == 3

    @pytest.mark.parametrize("name", ["", " ", "a/b", "a[0]", "a:b", "*", "a\n", None])
    def test_a_name_that_no_path_can_hold_is_refused(self, name):
        with pytest.raises(UsageError, match="cannot be named"):
            Model().named(name)


class TestHooks:
    class Hooked(Task):
        fails: bool = False

        def initialize(self):
            self.seen = []

        def run(self, x):
            return 1 / x

        def on_success(self, output):
            self.seen.append(output)
            if self.fails:
                raise KeyError("hook")

        def on_failure(self, error):
            self.seen.append(type(error))

    def test_get_the_output_or_the_error(self):
        task = self.Hooked()
        task(1)
        with pytest.raises(ZeroDivisionError):
            task(0)

        assert task.seen == [1.0, ZeroDivisionError]

    def test_an_error_in_a_hook_is_a_warning(self):
        with pytest.warns(UserWarning, match=r"on_success\(\) of Hooked raised KeyError"):
            assert self.Hooked(fails=True)(1) == 1.0

    def test_an_error_of_initialize_is_a_failure_too(self):
        class Broken(Task):
            def initialize(self):
                raise OSError

            def run(self):
                return 1

            def on_failure(self, error):
                seen.append(error)

        seen = []
        with pytest.raises(OSError):
            Broken()()

        assert len(seen) == 1


class TestInsideARun:
    def test_metrics_and_progress_go_to_the_scope(self, scope):
        model = Model()
        model.log({"a": 1}, step=2, b=3)
        model.log(values=4)
        model.progress(1, 3)

        assert scope.told == [({"a": 1, "b": 3}, 2), ({"values": 4}, None), (1, 3)]

    @pytest.mark.parametrize("report", [lambda task: task.log([1]), lambda task: task.progress("x")])
    def test_a_wrong_report_warns_and_never_raises(self, scope, report):
        with pytest.warns(UserWarning, match="not"):
            report(Model())

    def test_progress_is_a_plain_number(self, scope):
        np = pytest.importorskip("numpy")
        Model().progress(np.int64(1), np.int64(3))

        assert [type(number) for number in scope.told[0]] == [float, float]

    def test_random_numbers_belong_to_the_call(self):
        model, drawn = Model(), []
        for seed in (5, 5, 6):
            token = SCOPE.set(FakeScope(seed))
            drawn.append((model.seed, model.rng.random(), model.rng.random()))
            SCOPE.reset(token)

        assert drawn[0] == drawn[1] != drawn[2]
        assert drawn[0][1] != drawn[0][2]

    def test_a_param_called_seed_does_not_change_the_generator(self, scope):
        class Own(Task):
            seed: int = 1

        assert Own().rng.random() == random.Random(5).random()

    def test_the_context_is_that_of_the_run(self, scope):
        Model().context["a"] = 1

        assert scope.context["a"] == 1

    def test_the_body_of_a_pipeline_has_the_context_of_its_frame(self):
        frame = FakeScope()
        token = FRAME.set(frame)
        Model().context["a"] = 1
        FRAME.reset(token)

        assert frame.context["a"] == 1


class TestCopies:
    def test_have_the_params_and_share_no_container(self):
        model = Model(size=2, tags=["a"])
        twin = model.copy()
        twin.tags.append("b")

        assert (twin.size, model.tags) == (2, ["a"])

    def test_have_nothing_that_was_initialized(self):
        model = Model()
        model(1)
        twin = model.copy()

        assert not hasattr(twin, "calls")
        assert twin(1) == 1
        assert twin.calls is not model.calls

    def test_keep_what_was_set_from_outside(self):
        model = Model()
        model.extra = [1]

        assert model.copy().extra == [1]

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))])
    def test_travel_without_the_state_of_a_run(self, duplicate):
        model = Model(size=2, tags=["a"])
        model(1)
        model.__dict__["_static"] = lambda: "not to be pickled"

        assert vars(duplicate(model)) == {"size": 2, "tags": ["a"]}

    def test_a_param_that_is_set_forgets_the_key_of_the_task(self):
        model = Model()
        model.__dict__["_static"] = "key"
        model.size = 4

        assert "_static" not in vars(model)

    def test_an_output_as_a_param_is_looked_at(self):
        assert Model(size=OUTPUT).size == 7


class Doubler:
    def __call__(self, x):
        return 2 * x

    def method(self, x):
        return 3 * x


class TestOf:
    @pytest.mark.parametrize(
        ("target", "name", "argument", "wanted"),
        [
            (json.loads, "loads", "[1]", [1]),
            (math.sqrt, "sqrt", 4, 2.0),
            (len, "len", "ab", 2),
            (lambda x: x + 1, "lambda", 1, 2),
            (functools.partial(operator.add, 2), "add", 1, 3),
            (functools.partial(functools.partial(operator.add), 2), "add", 1, 3),
            (Doubler(), "Doubler", 2, 4),
            (Doubler().method, "method", 2, 6),
            (collections.Counter, "Counter", "aa", {"a": 2}),
            ("-".join, "join", ["a", "b"], "a-b"),
        ],
    )
    def test_anything_that_can_be_called_is_a_task(self, target, name, argument, wanted):
        task = Task.of(target)

        assert task(argument) == wanted
        assert task.task_name == name
        assert task.code is target
        assert task.copy()(argument) == wanted
        assert repr(task) == f"Task.of({name})"

    def test_a_task_comes_back_as_it_is(self):
        model = Model()

        assert Task.of(model) is model

    def test_a_task_class_is_made(self):
        assert Task.of(Model).size == 1

    @pytest.mark.parametrize("target", [3, None, "module:Class", OUTPUT], ids=["int", "none", "text", "output"])
    def test_anything_else_is_refused(self, target):
        with pytest.raises(UsageError, match="is no task"):
            Task.of(target)


class TestSignature:
    def test_is_that_of_run_without_self(self):
        assert str(signature_of(Model())) == "(x, *, scale=1)"

    def test_of_static_and_decorated_methods(self):
        class Static(Task):
            @staticmethod
            def run(a, b):
                return a

        class Decorated(Task):
            @functools.lru_cache  # noqa: B019
            def run(self, a):
                return a

        assert str(signature_of(Static())) == "(a, b)"
        assert str(signature_of(Decorated())) == "(a)"

    def test_of_functions(self):
        assert str(signature_of(Task.of(functools.partial(lambda a, b: a, 1)))) == "(b)"
        assert str(signature_of(Task.of(Doubler()))) == "(x)"

    def test_of_a_builtin_that_tells_nothing(self):
        assert signature_of(Task.of(dict)) is None

    def test_a_function_is_not_kept_alive(self):
        def function(x):
            return x

        known = weakref.ref(function)
        signature_of(Task.of(function))
        del function
        gc.collect()

        assert known() is None


def test_an_unknown_param_is_refused_before_anything_is_set():
    with pytest.raises(ParamError, match="did you mean 'size'"):
        Model(sise=3)
