"""Items and repeats that are shown as one."""

from __future__ import annotations

from finestflow.families import gather_families, mean_of


def test_items_and_repeats_belong_together_where_there_are_many():
    items = [f"embed/{i}" for i in range(6)]
    repeats = [f"fit[{i}]" for i in range(6)]

    assert gather_families(["load", *items, *repeats]) == {"load": ["load"], "embed/*": items, "fit[*]": repeats}
    assert gather_families(items[:5]) == {name: [name] for name in items[:5]}
    assert list(gather_families(f"embed/{i}/clean[{j}]" for i in range(3) for j in range(3))) == ["embed/*/clean[*]"]


def test_of_a_metric_the_node_is_looked_at_alone():
    hits = [f"rank/{at}" for at in range(6)]
    items = [f"embed/{i}/loss" for i in range(6)]

    assert gather_families([*hits, *items], of_metrics=True) == {
        **{name: [name] for name in hits},
        "embed/*/loss": items,
    }


def test_a_mean_is_of_what_is_there():
    assert (mean_of([1.0, None, 3.0]), mean_of([None])) == (2.0, None)
