"""The graph of a pipeline before it runs."""

import pytest

from finestflow.pipeline.each import Each, each
from finestflow.pipeline.output import Output
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task
from finestflow.pipeline.trace import trace
from tests.unit.pipeline.handles import FakeHandle


class Load(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self, n=3):
        raise AssertionError("nothing runs in a trace")


class Fit(Task):
    def run(self, train, rate=None):
        raise AssertionError("nothing runs in a trace")


class Score(Task):
    def run(self, model, test=None, *more):
        raise AssertionError("nothing runs in a trace")


class Base(Pipeline):
    load: Load
    fit: Fit
    other: Fit
    score: Score

    def __call__(self):
        raise NotImplementedError


def of(body, *args, **options):
    """Return the trace of a pipeline with that body."""
    return trace(type("Made", (Base,), {"__call__": body})(), args, **options)


def edges(graph, kind="data"):
    return {(e.source + e.part, e.target, e.name) for e in graph.edges if e.kind == kind}


def marks(graph):
    return {node.path: (node.is_maybe, node.count) for node in graph.nodes}


def test_outputs_become_edges_with_the_names_of_inputs():
    def body(self):
        train, test = self.load(3)
        models = [self.fit(train), self.fit(train, rate=self.score(test))]
        return self.score({"a": models, "b": test}, test, *models)

    graph = of(body)

    assert [node.path for node in graph.nodes] == ["load", "fit", "score", "fit[1]", "score[1]"]
    assert edges(graph) == {
        ("load[0]", "fit", "train"),
        ("load[0]", "fit[1]", "train"),
        ("load[1]", "score", "model"),
        ("score", "fit[1]", "rate"),
        ("fit", "score[1]", "model['a'][0]"),
        ("fit[1]", "score[1]", "model['a'][1]"),
        ("load[1]", "score[1]", "model['b']"),
        ("load[1]", "score[1]", "test"),
        ("fit", "score[1]", "more[0]"),
        ("fit[1]", "score[1]", "more[1]"),
    }
    assert graph.stopped == ""


def test_parts_by_name_and_item_are_on_the_edge():
    graph = of(lambda self: self.score(self.load().train, self.load()["test"][2].x))

    assert edges(graph) == {("load.train", "score", "model"), ("load[1]['test'][2].x", "score", "test")}


def test_what_the_body_makes_of_a_value_goes_on_as_a_text_edge():
    def body(self):
        loss = self.score(self.load())
        return self.fit(f"loss {loss:.3f}", rate=[loss * 2, abs(loss.best.value - 1)])

    graph = of(body)

    assert edges(graph) == {("load", "score", "model")}
    assert edges(graph, "text") == {
        ("score", "fit", "train"),
        ("score", "fit", "rate[0]"),
        ("score.best", "fit", "rate[1]"),
    }


def test_both_sides_of_a_question_are_followed():
    def body(self):
        loss = self.score(self.load())
        model = self.fit(loss) if loss < 0.5 and loss > 0.1 else self.other(loss)
        return self.score(model)

    graph = of(body)

    assert marks(graph) == {
        "load": (False, 1),
        "score": (False, 1),
        "fit": (True, 1),
        "other": (True, 1),
        "score[1]": (False, 1),
    }
    assert {("fit", "score[1]", "model"), ("other", "score[1]", "model")} <= edges(graph)


def test_calls_hang_on_the_question_that_leads_to_them():
    def body(self):
        loss = self.score(self.load())
        if loss < 0.5:
            self.score(self.fit(1))

    assert edges(of(body), "control") == {("score", "fit", "")}


def test_a_loop_on_a_value_is_followed_once():
    def body(self):
        model = self.fit(self.load())
        while self.score(model) > 0.1:
            model = self.fit(model)
        return self.other(model)

    graph = of(body)

    assert marks(graph)["fit[1]"] == (True, 0)
    assert marks(graph)["other"] == (False, 1)
    assert ("fit[1]", "other", "train") in edges(graph)
    assert ("fit", "other", "train") in edges(graph)
    assert graph.stopped == ""


def test_a_loop_that_is_left_by_break_ends():
    def body(self):
        while True:
            loss = self.score(1)
            if loss < 0.1:
                break
        return self.fit(loss)

    graph = of(body)

    assert [node.path for node in graph.nodes] == ["score", "score[1]", "fit"]
    assert marks(graph)["fit"] == (False, 1)


def test_a_plain_loop_asks_each_time():
    def body(self):
        for number in range(3):
            if self.score(number) > 0.5:
                self.fit(number)

    graph = of(body)

    assert len(graph.nodes) == 6
    assert graph.stopped == ""


def test_iteration_over_a_value_follows_one_element():
    def body(self):
        rows = self.load().rows
        scores = [self.score(row) for row in rows]
        for number, row in enumerate(rows):
            self.fit(row, rate=number)
        return self.score(scores)

    graph = of(body)

    assert marks(graph) == {"load": (False, 1), "score": (False, 0), "fit": (False, 0), "score[1]": (False, 1)}
    assert {
        ("load.rows[*]", "score", "model"),
        ("load.rows[*]", "fit", "train"),
        ("score", "score[1]", "model[0]"),
    } == edges(graph)


def test_fan_outs_are_one_node():
    class Fan(Base):
        many: Each = Each(Score, limit=2)

        def __call__(self, files):
            found = each(self.fit, self.load().rows, rate=2)
            more = self.many(found, files)
            last = each(self.other, [1, 2, 3])
            return self.score(more[0], last)

    graph = trace(Fan())

    assert {node.path: (node.kind, node.count) for node in graph.nodes} == {
        "load": ("task", 1),
        "fit": ("map", 0),
        "many": ("map", 0),
        "other": ("map", 3),
        "score": ("task", 1),
    }
    assert edges(graph) == {
        ("load.rows[*]", "fit", "train"),
        ("fit[*]", "many", "model"),
        ("many[0]", "score", "model"),
        ("other", "score", "test"),
    }


def test_nested_pipelines_are_followed_inside():
    class Inner(Base):
        def __call__(self, rows):
            return {"model": self.fit(rows), "rows": rows}

    class Outer(Base):
        inner: Inner

        def __call__(self):
            found = self.inner(self.load().train)
            return self.score(found["model"], found["rows"])

    graph = trace(Outer())

    assert [(node.path, node.kind) for node in graph.nodes] == [
        ("load", "task"),
        ("inner", "pipeline"),
        ("inner/fit", "task"),
        ("score", "task"),
    ]
    assert edges(graph) == {
        ("load.train", "inner/fit", "train"),
        ("inner/fit", "score", "model"),
        ("load.train", "score", "test"),
    }


def test_chains_have_a_graph_too():
    graph = trace(Load() >> [Fit(), Fit()] >> Score())

    assert edges(graph) == {
        ("Load.train", "Fit", "train"),
        ("Load.train", "Fit_2", "train"),
        ("Fit", "Score", "model"),
        ("Fit_2", "Score", "test"),
    }


@pytest.mark.parametrize(
    ("need", "says"),
    [
        (int, "needs a whole number of 'score'"),
        (float, "needs a number of 'score'"),
        (range, "needs a whole number of 'score'"),
        (len, "needs the length of 'score'"),
        (lambda value: [1, 2][value], "needs a whole number of 'score'"),
    ],
)
def test_where_a_number_is_needed_the_trace_stops_and_names_the_line(need, says):
    def body(self):
        loss = self.score(self.load())
        need(loss)
        return self.fit(loss)

    graph = of(body)

    assert [node.path for node in graph.nodes] == ["load", "score"]
    assert says in graph.stopped
    assert graph.stopped.startswith("test_trace.py:")


def test_an_error_of_the_body_stops_the_trace():
    def body(self):
        self.load()
        raise KeyError("setting")

    graph = of(body)

    assert [node.path for node in graph.nodes] == ["load"]
    assert "KeyError: 'setting'" in graph.stopped


def test_there_is_an_end_to_the_ways_that_are_followed():
    def body(self):
        for number in range(10):
            bool(self.score(number))

    graph = of(body)

    assert len(graph.nodes) == 10
    assert "more than 64 ways" in graph.stopped


def test_a_body_that_asks_for_ever_ends():
    def body(self):
        loss = self.score(1)
        for _ in iter(int, 1):
            if loss > 0.5:
                continue

    assert "asks too often" in of(body).stopped


def test_known_values_are_looked_at():
    def body(self):
        count = self.score(1)
        return [self.fit(number) for number in range(count)]

    graph = of(body, known={"score": FakeHandle(2, path="score")})

    assert [node.path for node in graph.nodes] == ["score", "fit", "fit[1]"]
    assert graph.stopped == ""


def test_inputs_that_are_not_given_are_values_that_nobody_knows():
    def body(self, size, *, deep, name="x"):
        if deep:
            self.load(size)
        return self.fit(name)

    graph = of(body)

    assert marks(graph) == {"load": (True, 1), "fit": (False, 1)}
    assert edges(graph) == set()


def test_a_body_that_prints_is_quiet(capsys):
    def body(self):
        print("hello", self.load())

    assert of(body).stopped == ""
    assert capsys.readouterr().out == ""


def test_everyday_uses_of_a_value_go_on():
    def body(self):
        y = self.load()
        uses = [
            y + 1, 1 - y, y @ y, -y, y == 1, y[1:], y.shape, y.mean(axis=0), round(y, 2), str(y), f"{y}",
            divmod(y, 2), y & 1, y.columns["a"], {y.value: 1}, [*y], {*y}, sorted(y), sum(y), max(y, key=str), any(y), 3 in y,
        ]  # fmt: skip
        with y.open() as file:
            return self.fit([use for use in uses if type(use) is not Output], rate=file)

    graph = of(body)

    assert graph.stopped == ""
    assert {node.path for node in graph.nodes} == {"load", "fit"}


def test_the_picture_of_a_pipeline_is_its_graph():
    picture = (Load() >> Fit())._repr_html_()

    assert "<svg" in picture
    assert ">Load</text>" in picture
    assert "not clear" in ([Load(), Load(), Load()] >> Score() >> Fit())._repr_html_()
