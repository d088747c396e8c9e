"""Runs that start or stop at some of their nodes, in every executor alike."""

from __future__ import annotations

import pytest

from finestflow import Pipeline, Task
from finestflow.errors import NotFoundError, UsageError
from finestflow.pipeline.each import each
from tests.unit.session.threads import Lab


class Load(Task):
    def run(self, n):
        return list(range(n))


class Clean(Task):
    def run(self, numbers):
        return [number + 1 for number in numbers]


class Fit(Task):
    kind: str = "svm"

    def run(self, numbers):
        return f"{self.kind} of {sum(numbers)}"


class Pick(Task):
    def run(self, models):
        return min(models)


class Prepare(Pipeline):
    load: Load
    clean: Clean

    def __call__(self, n):
        return self.clean(self.load(n))


class Whole(Pipeline):
    prepare: Prepare
    svm: Fit = Fit(kind="svm")
    forest: Fit = Fit(kind="forest")
    pick: Pick

    def __call__(self, n=3):
        numbers = self.prepare(n)
        return self.pick([self.svm(numbers), self.forest(numbers)])


def statuses(finished):
    return {path: node.status.value for path, node in finished.run.nodes.items()}


def ran(finished):
    return {
        path
        for path, status in statuses(finished).items()
        if status == "ok" and finished.run.nodes[path].kind == "task"
    }


def test_a_run_that_stops_computes_what_the_stop_node_needs(lab: Lab, jobs: int) -> None:
    finished = lab.make(Whole(), stop="svm", jobs=jobs)

    assert (finished.error, finished.value) == (None, "svm of 6")
    assert ran(finished) == {"prepare/load", "prepare/clean", "svm"}
    assert statuses(finished)["pick"] == statuses(finished)["forest"] == "skipped"
    assert finished.run.nodes["forest"].why == "not needed for 'svm'"
    assert finished.run.settings["stop"] == ["svm"]


def test_several_stop_nodes_come_back_by_their_paths(lab: Lab, jobs: int) -> None:
    assert lab.make(Whole(), stop=["svm", "for*"], jobs=jobs).value == {"svm": "svm of 6", "forest": "forest of 6"}
    assert ran(lab.make(Whole(), 4, stop="prepare/load", jobs=jobs)) == {"prepare/load"}


def test_a_run_that_starts_later_takes_what_lies_before_from_the_cache(lab: Lab, jobs: int) -> None:
    lab.make(Whole())
    finished = lab.make(Whole(forest={"kind": "trees"}), start="forest", jobs=jobs)

    assert (finished.error, finished.value) == (None, "svm of 6")
    assert ran(finished) == {"forest", "pick"}
    assert statuses(finished)["prepare/clean"] == statuses(finished)["svm"] == "hit"


def test_what_lies_before_comes_from_the_cache_though_the_run_does_without(lab: Lab, jobs: int) -> None:
    """``cache`` and ``force`` concern what is computed: from the start on."""
    lab.make(Whole())
    finished = lab.make(Whole(), start="svm", stop="pick", cache=False, force=("prepare/*",), jobs=jobs)

    assert (finished.error, finished.value) == (None, "forest of 6")
    assert ran(finished) == {"svm", "pick"}
    assert finished.run.nodes["svm"].why == "the cache is off for this run"
    assert statuses(finished)["prepare/load"] == statuses(finished)["forest"] == "hit"


def test_what_lies_before_and_is_not_there_is_named_in_one_error(lab: Lab, jobs: int) -> None:
    finished = lab.make(Whole(), start="pick", jobs=jobs)

    assert isinstance(finished.error, NotFoundError)
    assert finished.error.message == "the run starts after outputs that are not in the cache: 'forest', 'svm'"
    assert ran(finished) == set()


def test_what_lies_before_and_is_not_needed_may_be_missing(lab: Lab, jobs: int) -> None:
    class Side(Pipeline):
        load: Load
        clean: Clean
        fit: Fit

        def __call__(self, n):
            self.fit(self.load.named("aside")(n))
            return self.clean(self.load(3))

    lab.make(Whole())
    finished = lab.make(Side(), 7, start="clean", jobs=jobs)

    assert (finished.error, finished.value) == (None, [1, 2, 3])
    assert statuses(finished) == {"aside": "skipped", "fit": "skipped", "load": "hit", "clean": "hit"}
    assert finished.run.nodes["fit"].why == "before 'clean', and not to be had"


def test_outputs_before_the_start_may_come_from_another_run(recording_lab: Lab, jobs: int) -> None:
    other = recording_lab.make(Whole(), 5)
    finished = recording_lab.make(
        Whole(svm={"kind": "SVM"}), 3, start=["svm", "forest"], from_run=other.run.summary.id, jobs=jobs
    )

    assert (finished.error, finished.value) == (None, "SVM of 15")
    assert finished.run.nodes["prepare/clean"].hit_of == other.run.summary.id
    assert ran(finished) == {"svm", "pick"}
    with pytest.raises(UsageError, match="without a start"):
        recording_lab.make(Whole(), from_run="@")


def test_a_nested_pipeline_as_start_is_all_that_is_in_it(lab: Lab, jobs: int) -> None:
    finished = lab.make(Whole(), start="prepare", jobs=jobs)

    assert (finished.error, finished.value) == (None, "forest of 6")


class Looks(Pipeline):
    load: Load
    clean: Clean
    fit: Fit

    def __call__(self, n):
        numbers = self.load(n)
        if len(numbers) > 2:  # a look: what is called from here on lies after it
            return self.fit([1, 2])
        return self.clean(numbers)


def test_a_look_at_what_lies_after_the_start_counts_as_lying_after(lab: Lab, jobs: int) -> None:
    finished = lab.make(Looks(), 3, start="load", jobs=jobs)

    assert (finished.error, finished.value) == (None, "svm of 3")
    assert finished.run.nodes["fit"].after == ("load",)


def test_a_look_computes_what_the_body_looks_at_although_the_run_stops_elsewhere(lab: Lab, jobs: int) -> None:
    finished = lab.make(Looks(), 3, stop="fit", jobs=jobs)

    assert (finished.error, ran(finished)) == (None, {"load", "fit"})


def test_a_look_at_what_is_not_to_be_had_is_that_error(lab: Lab, jobs: int) -> None:
    finished = lab.make(Looks(), 3, start="fit", jobs=jobs)

    assert isinstance(finished.error, NotFoundError)
    assert "'load'" in str(finished.error)


def test_a_pattern_that_names_no_node_is_refused_before_anything_runs(recording_lab: Lab) -> None:
    for bounds in ({"start": "forst"}, {"stop": "forst"}, {"stop": ("svm", "forst")}):
        with pytest.raises(UsageError) as caught:
            recording_lab.make(Whole(), **bounds)
        assert str(caught.value) == "no node matches 'forst' (did you mean 'forest'?)"
    assert recording_lab.select("") == []


class Unforeseen(Pipeline):
    """What it calls is only known when it runs: by the context, by an error, by a value."""

    load: Load
    clean: Clean

    def __call__(self, n):
        return [self.clean.named(f"late-{number}")([number]) for number in self.load(n)]


class ByContext(Unforeseen):
    def __call__(self, n):
        return self.clean.named("late-0")([n]) if self.context.get("deep") else self.load(n)


class ByError(Unforeseen):
    def __call__(self, n):
        try:
            return len(self.load("no number").value)
        except TypeError:
            return self.clean.named("late-0")([n])


@pytest.mark.parametrize("pipeline", [Unforeseen, ByContext, ByError])
def test_a_node_that_nobody_foresees_is_not_refused(lab: Lab, pipeline: type[Pipeline]) -> None:
    finished = lab.make(pipeline(), 1, stop="late-0", context={"deep": True})

    assert "late-0" in ran(finished)


def test_a_pattern_that_names_no_unforeseen_node_is_an_error_at_the_end(lab: Lab, jobs: int) -> None:
    finished = lab.make(Unforeseen(), 1, jobs=jobs, stop="lote-0")

    assert isinstance(finished.error, UsageError)
    assert str(finished.error) == "no node matches 'lote-0' (did you mean 'late-0'?)"
    assert finished.is_misused
    assert {(node.error, node.why) for node in finished.run.nodes.values() if node.status.value == "skipped"} == {
        ("", "not needed for 'lote-0'")
    }


class Raises(Whole):
    def __call__(self, n=3):
        self.svm(self.prepare(n))
        raise ValueError("too large")


@pytest.mark.parametrize("bounds", [{"start": "pick"}, {"stop": "pick"}])
def test_a_body_that_raises_before_the_node_tells_its_own_error_alone(lab: Lab, bounds: dict, jobs: int) -> None:
    finished = lab.make(Raises(), jobs=jobs, **bounds)

    assert (str(finished.error), finished.is_misused) == ("too large", False)
    assert {node.error for path, node in finished.run.nodes.items() if path == "svm"} == {""}
    assert finished.run.nodes["svm"].why == (
        "not started: the pipeline raised ValueError" if "stop" in bounds else "before 'pick', and not to be had"
    )


class Fans(Pipeline):
    load: Load
    fit: Fit
    clean: Clean
    pick: Pick

    def __call__(self, n):
        lists = each(self.clean, [[number] for number in range(n)])
        return self.pick(each(self.fit, lists))


def test_one_item_of_a_fan_out_may_be_the_stop(lab: Lab, jobs: int) -> None:
    finished = lab.make(Fans(), 100, stop="fit/70", jobs=jobs)

    assert (finished.error, finished.value) == (None, "svm of 71")
    assert ran(finished) == {"clean/70", "fit/70"}


def test_a_fan_out_may_be_the_start(lab: Lab, jobs: int) -> None:
    lab.make(Fans(), 5, stop="clean")
    finished = lab.make(Fans(), 5, start="fit", jobs=jobs)

    assert (finished.error, finished.value) == (None, "svm of 1")
    assert ran(finished) == {*(f"fit/{n}" for n in range(5)), "pick"}


class Twice(Pipeline):
    load: Load
    fit: Fit

    def __call__(self, n=3):
        return [self.fit(self.load(n)), self.fit(self.load(n + 1))]


def test_a_repeat_of_a_call_may_be_the_stop(lab: Lab, jobs: int) -> None:
    """The brackets of ``fit[1]`` are part of the name, and no wildcard."""
    finished = lab.make(Twice(), stop="fit[1]", jobs=jobs)

    assert (finished.error, finished.value) == (None, "svm of 6")
    assert ran(finished) == {"load[1]", "fit[1]"}
