"""The record of a run: its files, and back."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import replace

import pytest

from finestflow.errors import CorruptionError, NewerFormatError
from finestflow.journal.logs import LONGEST_LOG, dump_logs, load_log
from finestflow.journal.record import FIXED_FILES, dump_record, listed_files, load_record
from finestflow.model import Metric, Run

from .made import NOW, fold, make_events, make_run, new_id

CODE = {"digits.Fit.run": "0b8e", "numpy": "2.4.6"}


def make_rich_run(started: float = NOW - 100) -> Run:
    """A run with something of everything."""
    events = make_events(new_id(), "5" * 40, started=started, status="")
    events[0] |= {
        "inputs": {"test_size": 0.25, "nan": -math.inf},
        "input_digests": {"images": "9" * 64},
        "environment": {"python": "3.12.1", "host": "lab", "packages": {"numpy": "2.4.6", "odd name": "?\n"}},
        "description": {"flow": "load >> fit", "tasks": {"fit": {"use": "digits:Fit", "C": 1.0}}},
        "tags": ["wip"],
        "note": "try\n\nbigger",
        "sources": {"<cell 3>": "x = 1\n"},
        "target": "digits.py:Digits",
    }
    events[1] |= {
        "omitted": [{"path": "big.npy", "reason": "larger than 10 MB", "size": 3}],
        "notes": ["filter missing"],
    }
    node = {"e": "node", "task": "digits:Fit", "t": started + 6, "seconds": 2.0, "code": CODE}
    attempts = [
        {"started": started + 3, "seconds": 1.0, "status": "failed", "error": "no"},
        {"started": started + 4, "seconds": 2.0, "status": "ok"},
    ]
    for item in range(12):
        events.append(
            {**node, "path": f"embed[{item}]", "status": "ok", "inputs": {"x": {"digest": None, "from": "load"}}}
        )
    output = {"digest": "e" * 64, "size": 5, "object": "f" * 64, "type": "m:C", "preview": "C()", "parts": {"[0]": "d"}}
    inputs = {"train": {"digest": "a" * 64, "from": "load[0]", "preview": "array"}, "k": {"digest": "b" * 64}}
    fit = {**node, "path": "fit", "status": "ok", "key": "c" * 64, "why": "first run", "output": output, "seed": 3}
    events.append({**fit, "inputs": inputs, "attempts": attempts, "params": {"C": 1.0}, "notes": ["slow"]})
    events.append({"e": "node", "path": "old", "task": "m:O", "status": "hit", "hit_of": "l" * 12, "t": started + 6})
    for step in range(5):
        events.append(
            {"e": "metric", "node": "fit", "name": "Größe,\n", "value": step / 3, "step": step, "t": started + step}
        )
    events.append({"e": "metric", "name": "odd", "value": math.inf, "t": started + 6})
    end = {
        "e": "end",
        "status": "failed",
        "ended": started + 7,
        "error": "ValueError: a\nb",
        "traceback": "Traceback\n",
    }
    return fold([*events, {**end, "outputs": {"model": "fit.output"}, "reproduction": {"same": 3}}]).run


def test_a_record_gives_the_run_back() -> None:
    run = make_rich_run()
    files = dump_record(run)
    assert load_record(files.get) == run


def test_the_files_that_are_read_are_all_told() -> None:
    files = dump_record(make_rich_run(), {"load": b"x"})
    assert {path for path in files if not path.startswith("logs/")} == {*FIXED_FILES, *listed_files(files)}


def test_only_run_json_differs_between_two_equal_runs() -> None:
    one, other = dump_record(make_rich_run()), dump_record(make_rich_run(NOW - 31.25))
    assert {path for path in one if one[path] != other[path]} == {"run.json"}
    assert one.keys() == other.keys()


def test_an_empty_run_is_one_file() -> None:
    run = make_run()
    files = dump_record(run)
    assert list(files) == ["run.json"]
    assert load_record(files.get) == run


def test_records_are_json_for_every_reader() -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    files = dump_record(make_rich_run())
    for path, data in files.items():
        if path.endswith(".json"):
            json.loads(data, parse_constant=refuse)
    assert "fit" in json.loads(files["tasks.json"])["nodes"]
    assert tomllib.loads(files["config.toml"].decode())["tasks"]["fit"]["C"] == 1.0


def test_items_of_a_fan_out_are_a_line_each_and_share_their_code() -> None:
    text = dump_record(make_rich_run())["tasks.json"].decode()
    lines = [line.split('"')[1] for line in text.splitlines() if line.startswith('  "embed[')]
    assert lines == [f"embed[{item}]" for item in range(12)]
    assert text.count("0b8e") == 1


def test_a_config_with_comments_is_kept_to_the_letter() -> None:
    config = '# why\nflow = "a >> b"\n'
    files = dump_record(make_run(), config=config)
    assert files["config.toml"].decode() == config
    assert load_record(files.get).description == {"flow": "a >> b"}


def test_packages_are_a_requirements_file() -> None:
    files = dump_record(make_rich_run())
    assert files["environment.txt"] == b"# python 3.12.1\nnumpy==2.4.6\n"


def test_the_times_of_a_long_series_are_thinned_and_all_values_kept() -> None:
    values = tuple((step, float(step), NOW + step / 4) for step in range(5000))
    run = replace(make_run(started=NOW), metrics={"loss": Metric(name="loss", last=4999.0, count=5000, values=values)})
    files = dump_record(run)
    assert len(files["run.json"]) < 20_000
    back = load_record(files.get).metrics["loss"].values
    assert [value[:2] for value in back] == [value[:2] for value in values]
    assert max(abs(left[2] - right[2]) for left, right in zip(back, values, strict=True)) < 0.01


def test_series_of_the_items_of_a_fan_out_share_a_file() -> None:
    """Others have one each; a record in which items have one each too, as they once had, can still be read."""
    run = make_rich_run()
    names = [*(f"fit/{item}/loss" for item in range(12)), "fit", "fit/loss"]
    values = ((0, 0.5, run.summary.started), (1, 0.25, run.summary.started + 1))
    metrics = {name: Metric(name=name, last=0.25, count=2, values=values) for name in names}
    files = dump_record(replace(run, metrics=metrics))

    assert [path for path in files if path.startswith("series/")] == [
        "series/fit.csv",
        "series/fit%2f.csv",
        "series/fit%2floss.csv",
    ]
    shared = files["series/fit%2f.csv"].decode().splitlines()
    assert shared[:4] == ["metric,step,value", "fit/0/loss,0,0.5", "fit/0/loss,1,0.25", "fit/1/loss,0,0.5"]
    assert shared[-1] == "fit/11/loss,1,0.25"
    assert load_record(files.get).metrics == metrics

    table = json.loads(files["metrics.json"])
    table["fit/3/loss"]["series"] = "series/old.csv"
    old = {**files, "metrics.json": json.dumps(table).encode(), "series/old.csv": b"step,fit/3/loss\n0,0.5\n1,0.25\n"}
    assert load_record(old.get).metrics == metrics


def test_series_may_be_left_out() -> None:
    files = dump_record(make_rich_run())
    run = load_record(files.get, with_series=False)
    assert all(metric.values == () for metric in run.metrics.values())
    assert not [path for path in listed_files(files, with_series=False) if path.startswith("series")]


def test_a_newer_record_is_not_interpreted() -> None:
    files = dump_record(make_run())
    files["run.json"] = files["run.json"].replace(b'"format": 1', b'"format": 2')
    with pytest.raises(NewerFormatError, match="format 2"):
        load_record(files.get)


@pytest.mark.parametrize(
    "path", ["run.json", "tasks.json", "metrics.json", "graph.json", "config.toml", "omitted.json"]
)
@pytest.mark.parametrize("damage", [b"{", b"7", b"\xff\xfe", b'{"nodes": 1, "fit/loss": 2, "format": "x"}'])
def test_a_damaged_file_is_told(path: str, damage: bytes) -> None:
    files = {**dump_record(make_rich_run()), path: damage}
    with pytest.raises(CorruptionError, match=r"damaged|something else"):
        load_record(files.get)


def test_a_missing_record_is_told() -> None:
    with pytest.raises(CorruptionError, match=r"run\.json"):
        load_record({}.get, commit="c" * 40)


def test_logs_of_nodes_are_files_and_those_of_items_share_one() -> None:
    logs = {
        "fit": b"hi\n",
        "embed[0]": b"",
        "embed[1]": b"==> embed[2] (3 bytes)\nabc\n",
        "embed[2]": b"true",
        "a\nb[0]": b"x",
    }
    files = dump_logs(logs)
    assert sorted(files) == ["logs/a%0ab.items.txt", "logs/embed.items.txt", "logs/fit.txt"]
    assert {node: load_log(files.get, node) for node in logs} == logs
    assert load_log(files.get, "embed[9]") is None
    assert load_log(files.get, "none") is None


def test_the_middle_of_a_long_log_is_left_out() -> None:
    data = b"head" + b"x" * (3 * LONGEST_LOG) + b"tail"
    (kept,) = dump_logs({"fit": data}).values()
    assert kept.startswith(b"head")
    assert kept.endswith(b"tail")
    assert b"bytes left out" in kept
    assert len(kept) < LONGEST_LOG + 100
    many = dump_logs({f"embed[{item}]": b"y" * 10_000 for item in range(500)})
    assert len(many["logs/embed.items.txt"]) < 1.2 * LONGEST_LOG
