"""What a run used of its machine, in its record."""

from __future__ import annotations

from finestflow.journal import samples
from finestflow.journal.message import format_message
from finestflow.journal.record import dump_record, load_record
from finestflow.journal.state import RunState

START = 1_795_339_000.0


def fold(count: int) -> RunState:
    state = RunState()
    state.apply({"e": "run", "id": "k" * 12, "name": "n", "pipeline": "p", "started": START})
    for at in range(count):
        values = {"system/cpu": 100.5 if at % 2 else 50.0, "system/memory": 4096 + (at == count // 2)}
        state.apply({"e": "sample", "t": START + 1 + at, "values": values})
    return state


def test_samples_come_back_from_a_record_and_are_no_metrics() -> None:
    run = fold(4).run
    files = dump_record(run)
    loaded = load_record(files.get)

    assert loaded.resources == run.resources
    assert loaded.resources["system/cpu"].mean == 75.25
    assert loaded.resources["system/memory"].peak == 4097
    assert loaded.resources["system/cpu"].values[0] == (START + 1, 50.0)
    assert not loaded.metrics
    assert not loaded.summary.metrics
    assert "system" not in format_message(run)
    assert [name for name, data in files.items() if b"system/" in data] == ["run.json"]
    assert load_record(files.get, with_series=False).resources["system/cpu"].values == ()


def test_of_many_samples_a_thousand_are_kept_and_the_peak_is_among_them() -> None:
    run = fold(12_345).run
    kept = samples.load(samples.dump(run.resources, START), START)["system/memory"]

    assert len(kept.values) == 1000
    assert max(value for _, value in kept.values) == kept.peak == 4097
    assert list(kept.values) == sorted(kept.values)


def test_a_sample_after_the_end_is_left_alone() -> None:
    state = fold(2)
    state.apply({"e": "end", "status": "ok", "ended": START + 4})
    state.apply({"e": "sample", "t": START + 5, "values": {"system/cpu": 1.0}})

    assert len(state.run.resources["system/cpu"].values) == 2


def test_a_batch_of_numbers_is_what_the_numbers_are() -> None:
    one, many = fold(0), fold(0)
    rows = [("loss", 1.0, 0, START + 1), ("acc", 0.5, None, START + 2), ("loss", 0.5, 1, START + 3)]
    for name, value, step, time in rows:
        one.apply({"e": "metric", "node": "fit", "name": name, "value": value, "step": step, "t": time})
    many.apply({"e": "metrics", "node": "fit", "rows": rows})

    assert many.run == one.run
    assert many.last_metric == one.last_metric == ("fit/loss", 0.5)
