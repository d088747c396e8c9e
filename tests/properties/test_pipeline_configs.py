"""A described pipeline is the pipeline: loading is the inverse of dumping, and gives what the written Python gives."""

from __future__ import annotations

import enum
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from finestflow.graph import Graph
from finestflow.journal.toml import dump_toml
from finestflow.pipeline.chain import Chain, join
from finestflow.pipeline.config import dump_config, load_config, write_config
from finestflow.pipeline.flow import Flow, Parallel, flow_text, links_of, names_of, parallel, parse_flow, serial
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task
from finestflow.pipeline.trace import trace
from tests.conftest import examples


class Mode(enum.Enum):
    FAST = 1
    SLOW = "slow"


class Leaf(Task):
    anything: Any = None
    rate: float = 0.5
    path: Path = Path("a")
    modes: tuple[Mode, ...] = ()

    def run(self, first: Any, *more: Any) -> Any:
        return [self.anything, first, *more]


class Source(Task):
    size: int = 1

    def run(self) -> Any:
        return self.size


class Whole(Pipeline):
    depth: int = 0
    load: Source
    leaf: Leaf
    maybe: Task | None = None

    def __call__(self, first: Any, *more: Any) -> Any:
        return self.leaf(self.load(), first, *more)


SIMPLE = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False), st.text(max_size=5))
VALUES = st.recursive(
    st.one_of(SIMPLE, st.sampled_from([Path("x"), Mode.FAST, len])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.tuples(inner), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
LEAVES = st.builds(
    Leaf,
    anything=VALUES,
    rate=st.floats(allow_nan=False),
    path=st.sampled_from([Path("x/y"), Path()]),
    modes=st.lists(st.sampled_from(Mode), max_size=2).map(tuple),
)


def _wholes(inner: st.SearchStrategy[Task]) -> st.SearchStrategy[Pipeline]:
    return st.builds(Whole, depth=st.integers(0, 3), leaf=LEAVES, maybe=st.one_of(st.none(), inner))


def _named(parts: list[Task]) -> Any:
    return [part.named(f"t{index}") for index, part in enumerate(parts)]


TASKS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        _wholes(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: join(Source(), _named(parts)).named("chain")),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: _row(parts).named("row")),
    ),
    max_leaves=3,
)


def _row(parts: list[Task]) -> Chain:
    chain = Source() >> parts[0]
    for part in parts[1:]:
        chain = chain >> part
    return chain


@settings(max_examples=examples(40))
@given(st.one_of(_wholes(TASKS), st.lists(TASKS, min_size=1, max_size=3).map(_row)))
def test_loading_a_dumped_pipeline_gives_the_same_pipeline(pipeline):
    config = dump_config(pipeline)
    written = tomllib.loads(dump_toml(config))
    again = load_config(written)

    assert type(again) is type(pipeline)
    assert dump_config(again) == config
    assert shape(trace(again, (1,))) == shape(trace(pipeline, (1,)))


def shape(graph: Graph) -> Any:
    return [(node.path, node.kind) for node in graph.nodes], set(graph.edges), graph.stopped


@settings(max_examples=examples(20))
@given(st.lists(TASKS, min_size=1, max_size=2).map(_row), _wholes(LEAVES))
def test_a_file_is_brought_up_to_date_whatever_it_held(tmp_path_factory, one, other):
    file = tmp_path_factory.mktemp("written") / "exp.toml"
    for pipeline in (one, other, one):
        write_config(file, dump_config(pipeline), "mine")
        loaded = tomllib.loads(file.read_text())["pipelines"]["mine"]
        assert dump_config(load_config(loaded)) == dump_config(pipeline)


NAMES = st.sampled_from("abcdef")
FLOWS: st.SearchStrategy[Flow] = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(serial), st.lists(inner, min_size=1, max_size=3).map(parallel)
    ),
    max_leaves=8,
)


@given(FLOWS)
def test_a_flow_is_read_as_it_was_written(flow):
    assert parse_flow(flow_text(flow)) == flow
    assert set(links_of(flow)) == set(names_of(flow))


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3, unique=True), min_size=2, max_size=3))
def test_statements_are_branches(rows):
    texts = [" >> ".join(row) for row in rows]

    assert parse_flow("\n".join(texts)) == parallel(serial(row) for row in rows)
    assert isinstance(parse_flow("; ".join(texts)), Parallel)
