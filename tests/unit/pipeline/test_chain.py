"""Chains: pipelines that are written with ``>>``."""

import inspect
import pickle
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import pytest

from finestflow.errors import GraphError, ParamError, UsageError
from finestflow.pipeline.chain import Chain
from finestflow.pipeline.param import Param
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task


class Load(Task):
    def run(self, n: int = 3):
        return list(range(n))


class Split(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self, rows):
        return rows[:-1], rows[-1:]


class Fit(Task):
    """Takes what is called train."""

    factor: int = Param(1)

    def run(self, train):
        return self.factor * sum(train)


class Pick(Task):
    def run(self, models: list):
        return max(models)


class Pair(Task):
    def run(self, left, right):
        return (left, right)


class Anything(Task):
    def run(self, first, *rest):
        return [first, *rest]


def test_a_chain_hands_each_output_to_the_next_task():
    chain = Load() >> Split() >> Fit(factor=10)

    assert chain() == 10
    assert chain(n=5) == 60


def test_branches_come_together_in_a_list():
    chain = Load() >> Split() >> [Fit(), Fit(factor=5)] >> Pick()

    assert chain(4) == 15
    assert list(chain.children) == ["Load", "Split", "Fit", "Fit_2", "Pick"]


def test_a_list_may_begin_a_chain():
    assert ([Load(), Load().named("more")] >> Pair())(2) == ([0, 1], [0, 1])


def test_several_ends_are_a_dict_by_name():
    assert (Load() >> [len, sum])(4) == {"len": 4, "sum": 6}


def test_whatever_can_be_a_task_can_stand_in_a_chain():
    assert (Load() >> sorted >> Fit)(3) == 3
    assert (sum >> Task.of(abs))([-3]) == 3
    with pytest.raises(UsageError, match="is no task"):
        Load() >> 3
    with pytest.raises(GraphError, match="empty list"):
        Load() >> []


def test_a_chain_is_a_pipeline_whose_children_can_be_set_and_replaced():
    chain = Load() >> Fit().named("fit")

    chain.fit = {"factor": 2}
    assert chain(3) == 6
    chain.fit = sum
    assert chain(3) == 3
    with pytest.raises(ParamError, match="cannot stand for"):
        (Load() >> Pair().named("pair")).pair = Fit
    with pytest.raises(ParamError, match="no param 'nothing'"):
        (Load() >> Fit().named("fit")).fit = {"nothing": 2}


def test_copies_of_a_chain_share_nothing():
    chain = Load() >> Fit().named("fit")
    other = chain.copy()
    other.fit.factor = 7

    assert (chain(3), other(3)) == (3, 21)
    assert pickle.loads(pickle.dumps(other))(3) == 21


def test_the_same_object_is_the_same_task_wherever_it_is_written():
    load, fit, other = Load(), Fit(), Fit(factor=2)
    chain = [load >> fit, load >> other] >> Pick()

    assert list(chain.children) == ["Load", "Fit", "Fit_2", "Pick"]
    assert chain(3) == 6


def test_a_task_cannot_come_after_itself():
    load, fit = Load(), Fit()

    with pytest.raises(GraphError, match="wait for each other") as caught:
        (load >> fit >> load)()
    assert "copy()" in caught.value.hint


def test_chains_are_joined_flat_unless_they_have_a_name():
    flat = (Load() >> Split()) >> (Fit() >> abs)
    nested = (Load() >> Split()).named("data") >> Fit().named("fit")

    assert flat.flow == "Load >> Split >> Fit >> abs"
    assert nested.flow == "data >> fit"
    assert nested.children["data"].task_name == "data"


def test_declared_pipelines_are_chained_as_they_are():
    class Twice(Pipeline):
        fit: Fit = Fit(factor=2)

        def __call__(self, rows):
            return [self.fit(rows)]

    assert (Load() >> Twice() >> Twice())(3) == [12]


def test_a_chain_may_be_a_child_of_a_pipeline():
    class Whole(Pipeline):
        prepare = Load() >> sorted
        fit: Fit

        def __call__(self, n):
            return self.fit(self.prepare(n))

    assert Whole()(4) == 6
    assert Whole(prepare=Load() >> list)(4) == 6
    with pytest.raises(ParamError, match="prepare"):
        Whole(prepare=Pair() >> list)


def test_two_tasks_in_a_row_of_names():
    assert repr(Load() >> [Fit(), Fit(factor=2)] >> Pick()) == "Load() >> [Fit(), Fit(factor=2)] >> Pick()"
    assert (Load() >> [Fit(), Fit()] >> Pick()).task_name == "Load-Fit+Fit_2-Pick"
    assert (Load() >> Fit()).named("short").task_name == "short"


def test_names_that_a_pipeline_needs_itself_get_an_underscore():
    def log(x):
        return x

    def flow(x):
        return x

    assert list((Load() >> log >> flow).children) == ["Load", "log_", "flow_"]


# -- what goes where -------------------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    a: int
    b: int


class Table(TypedDict):
    a: int
    b: int


@dataclass
class Data:
    a: int
    b: int


@pytest.mark.parametrize("make", [Row, Table, Data])
def test_outputs_that_the_annotation_names_go_to_the_inputs_of_that_name(make):
    def first() -> Any:
        return make(a=1, b=2)

    first.__annotations__["return"] = make

    def second(b, a):
        return (b, a)

    assert (Task.of(first) >> second)() == (2, 1)


def test_a_result_with_names_that_nothing_asks_for_goes_whole():
    def first() -> Data:
        return Data(1, 2)

    assert (Task.of(first) >> (lambda whole, more=0: whole.a))() == 1


def test_a_task_of_the_name_of_an_input_goes_there():
    def left():
        return 1

    def right():
        return 2

    assert ([Task.of(right), Task.of(left)] >> Pair())() == (1, 2)


def test_several_outputs_go_one_to_each_input_where_they_fit():
    assert ([Load(), Load()] >> Pair())(1) == ([0], [0])
    assert ([Load(), Load(), Load()] >> Anything())(1) == [[0], [0], [0]]


def test_an_annotated_dict_takes_several_outputs_by_name():
    def table(parts: dict[str, Any]):
        return sorted(parts)

    assert (Load() >> [len, sum] >> table)(2) == ["len", "sum"]


def test_a_list_of_one_is_a_list_where_a_list_is_taken():
    assert (Load() >> [Fit()] >> Pick())(3) == 3
    assert (Load() >> [Fit()] >> str)(3) == "3"


def test_what_may_be_read_in_two_ways_is_refused_and_the_edges_are_shown():
    def pick(models: list, test):
        return models, test

    chain = Load() >> [Fit(), Fit(factor=2)] >> pick
    with pytest.raises(GraphError, match="not clear what 'pick' receives") as caught:
        chain()
    assert '"pick.models" = ["Fit", "Fit_2"]' in caught.value.hint

    assert chain.with_edges({"pick.models": ["Fit", "Fit_2"], "pick.test": "Load[0]"})(3) == ([3, 6], 0)


def test_three_outputs_for_two_inputs_are_in_doubt():
    with pytest.raises(GraphError, match="3 outputs for 2 inputs"):
        ([Load(), Load(), Load()] >> Pair())()


def test_two_outputs_of_one_name_for_one_input_are_in_doubt():
    with pytest.raises(GraphError, match="several have a 'train'"):
        ([Split(), Split()] >> Fit())([1, 2])


def test_unnamed_parts_that_fit_the_number_of_inputs_are_in_doubt():
    def both() -> tuple[int, int]:
        return 1, 2

    with pytest.raises(GraphError, match="as many parts") as caught:
        (Task.of(both) >> Pair())()
    assert '"Pair.left" = "both[0]"' in caught.value.hint


def test_a_task_without_inputs_takes_nothing():
    def nothing():
        return 1

    with pytest.raises(GraphError, match="takes no input"):
        (Load() >> nothing)()


def test_written_edges_are_checked_with_the_nearest_name():
    chain = Load() >> Split() >> Fit()

    for edges, wrong in [
        ({"Fitt.train": "Split.train"}, "did you mean 'Fit'"),
        ({"Fit.trian": "Split.train"}, "did you mean 'train'"),
        ({"Fit.train": "Spilt.train"}, "did you mean 'Split'"),
        ({"Fit.train": "Split.trian"}, "did you mean 'train'"),
        ({"Fit": "Split"}, "write Fit.INPUT"),
    ]:
        with pytest.raises(GraphError) as caught:
            chain.with_edges(edges)(3)
        assert wrong in str(caught.value)


def test_edges_take_inputs_numbers_and_collections():
    def all_of(a, b, c, d):
        return (a, b, c, d)

    edges = {"all_of.a": ":size", "all_of.b": 0.5, "all_of.c": {"x": "Load", "y": ":size"}, "all_of.d": ["Load[1]"]}
    chain = (Load() >> all_of).with_edges(edges)

    assert chain(9) == (9, 0.5, {"x": [0, 1, 2], "y": 9}, [1])
    assert list(inspect.signature(chain.wiring.signature.bind).parameters)
    assert str(chain.wiring.signature) == "(size: Any, n: int = 3)"


def test_inputs_of_a_chain_are_what_no_edge_fills():
    def begin(path, size=2):
        return [path] * size

    def middle(rows, size=2, kind=()):
        return [*rows, size, kind]

    def end(rows, suffix):
        return [*rows, suffix]

    chain = Task.of(begin) >> middle >> end

    assert str(chain.wiring.signature) == "(path: Any, suffix: Any, size: Any = 2)"
    assert chain("p", "s", size=1) == ["p", 1, (), "s"]
    with pytest.raises(TypeError, match="suffix"):
        chain("p")


def test_inputs_of_one_name_with_different_defaults_keep_their_own():
    def begin(size=2):
        return [0] * size

    def end(rows, size=3):
        return len(rows), size

    assert str((Task.of(begin) >> end).wiring.signature) == "()"
    assert (Task.of(begin) >> end)() == (2, 3)


def test_plainly_different_types_are_warned_of():
    def text() -> str:
        return "3"

    def number(x: int):
        return x

    def real(x: float):
        return x

    with pytest.warns(UserWarning, match="'text' returns str, and 'number' takes int for 'x'"):
        (Task.of(text) >> number)()
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        def count() -> int:
            return 3

        assert (Task.of(count) >> real)() == 3


def test_a_chain_is_made_of_its_text_too():
    chain = Chain(flow="load >> fit", load=Load, fit={"use": f"{__name__}:Fit", "factor": 2})

    assert chain(3) == 6
    with pytest.raises(ParamError, match="did you mean 'load'"):
        Chain(flow="load >> fit", laod=Load, fit=Fit)
    with pytest.raises(ParamError, match="nothing says what 'fit'"):
        Chain(flow="load >> fit", load=Load)
    with pytest.raises(ParamError, match="cannot be called 'log'"):
        Chain(flow="load >> log", load=Load, log=Fit)


def test_a_flow_that_is_set_anew_is_checked_before_it_runs():
    chain = Chain(flow="load >> fit", load=Load, fit=Fit)
    chain.flow = "load >> fitt"
    with pytest.raises(GraphError, match="that is not there"):
        chain()


def test_builtins_without_a_signature_take_what_comes():
    assert (Load() >> Task.of(max).named("most"))(3) == 2
