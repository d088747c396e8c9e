"""Messages, records and TOML give back what they were given."""

from __future__ import annotations

import json
import tomllib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from finestflow.journal.encode import dump_json, dump_lines, load_json
from finestflow.journal.message import LONGEST_VALUE, format_message, parse_message
from finestflow.journal.record import dump_record, load_record
from finestflow.journal.state import RunState
from finestflow.journal.toml import dump_toml
from finestflow.model import Run, RunId, RunStatus, RunSummary
from tests.conftest import examples

lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30).map(str.strip)
short = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | short
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short, inner, max_size=3), max_leaves=6
)
moments = st.integers(0, 4_000_000_000_000_000).map(lambda number: round(number / 1e6, 6))


@given(
    run_id=st.text("klmnopqrstuvwxyz", min_size=12, max_size=12),
    name=lines,
    status=st.sampled_from(RunStatus),
    started=moments,
    seconds=st.integers(0, 10**12).map(lambda number: round(number / 1e6, 6)),
    dirty=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    params=st.dictionaries(
        short, st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | short, max_size=5
    ),
    metrics=st.dictionaries(short, st.floats(), max_size=5),
    tags=st.lists(lines.filter(bool), max_size=3),
    note=st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=100).map(
        str.strip
    ),
    error=lines,
)
@settings(max_examples=examples(300))
def test_a_message_gives_the_summary_back(
    run_id, name, status, started, seconds, dirty, params, metrics, tags, note, error
):
    own_first = dict(sorted(metrics.items(), key=lambda item: "/" in item[0]))
    summary = RunSummary(
        id=RunId(run_id),
        name=name,
        pipeline=name,
        status=status,
        started=started,
        seconds=seconds,
        dirty=dirty,
        params=params,
        metrics=own_first,
        tags=tuple(tags),
        note="" if note == error else note,
        error=error,
    )
    text = format_message(Run(summary=summary))
    assert repr(parse_message(text)) == repr(summary)
    assert all(len(line.partition(": ")[2]) <= LONGEST_VALUE for line in text.rpartition("\n\n")[2].splitlines())


@given(st.text(max_size=400), st.text(max_size=400), st.dictionaries(st.text(max_size=200), plain, max_size=3))
@settings(max_examples=examples(200))
def test_no_text_makes_a_message_that_cannot_be_read(note: str, error: str, params: dict) -> None:
    summary = RunSummary(
        id=RunId("k" * 12),
        name=error,
        pipeline=note,
        status=RunStatus.FAILED,
        started=1.0,
        seconds=1.0,
        note=note,
        error=error,
        params=params,
        tags=(note, error),
    )
    text = format_message(Run(summary=summary))
    text.encode()
    parsed = parse_message(text)
    assert (parsed.id, parsed.status, parsed.format) == ("k" * 12, RunStatus.FAILED, 1)
    trailers = text.rstrip("\n").rpartition("\n\n")[2].split("\n")
    assert all(line.partition(":")[0].isalpha() for line in trailers)


@given(plain)
@settings(max_examples=examples(200))
def test_json_gives_any_plain_value_back_and_is_json_for_everybody(value: object) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    data = dump_json(value)
    json.loads(data, parse_constant=refuse)
    assert repr(load_json(data)) == repr(sort_keys(value))


def sort_keys(value: object) -> object:
    if isinstance(value, dict):
        return {key: sort_keys(value[key]) for key in sorted(value)}
    return [sort_keys(each) for each in value] if isinstance(value, list) else value


@given(st.dictionaries(short, plain, max_size=3), st.dictionaries(short, plain, max_size=4))
def test_tables_of_lines_are_json(head: dict, rows: dict) -> None:
    head.pop("rows", None)
    data = dump_lines(head, {"rows": rows})
    loaded = load_json(data)
    assert repr(sort_keys(loaded.pop("rows", {}))) == repr(sort_keys(rows))
    assert repr(sort_keys(loaded)) == repr(sort_keys(head))


toml_scalars = st.booleans() | st.integers() | st.floats() | short
toml = st.recursive(
    toml_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(short, toml, max_size=4))
@example({"a": {}, "b": {"c": {"": [{"x": 1}, {}]}}, "\x7f": "\x00\x1f\x85"})
@settings(max_examples=examples(300))
def test_toml_gives_plain_data_back(data: dict) -> None:
    assert repr(sort_keys(tomllib.loads(dump_toml(data)))) == repr(sort_keys(data))


names = st.text(st.characters(), min_size=1, max_size=15)


@given(
    st.lists(st.tuples(names, st.floats(), st.none() | st.integers(0, 9)), max_size=8),
    st.dictionaries(
        names, st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: text.replace("\r", "")), max_size=3
    ),
    st.dictionaries(short, plain, max_size=3),
)
@example([("\r0", 0.5, 1), (' "x"', 0.5, 1), ("", 0.5, 1)], {}, {})
@settings(max_examples=examples(100))
def test_a_record_gives_any_names_and_numbers_back(metrics: list, sources: dict, inputs: dict) -> None:
    state = RunState()
    begin = {"e": "run", "id": "k" * 12, "name": "n", "pipeline": "p", "started": 100.0}
    state.apply({**begin, "inputs": inputs, "sources": sources})
    for at, (name, value, step) in enumerate(metrics):
        state.apply({"e": "metric", "name": name, "value": value, "step": step, "t": 100.0 + at})
        state.apply({"e": "node", "path": name, "task": name, "status": "ok", "t": 100.0 + at})
    run = state.run
    loaded = load_record(dump_record(run).get)
    assert repr({name: loaded.metrics[name] for name in run.metrics}) == repr(dict(run.metrics))
    assert loaded.nodes.keys() == run.nodes.keys()
    assert loaded.sources == run.sources
    assert repr(sort_keys(dict(loaded.inputs))) == repr(sort_keys(run.inputs))
