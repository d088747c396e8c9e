"""What plots are drawn from: courses, places on an axis, means of groups, axes, and how they are thinned to what a screen shows."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from finestflow.comparison import Row as Line
from finestflow.comparison import SideBySide
from finestflow.model import Metric
from finestflow_tui.glyphs import sparkline
from finestflow_tui.views.plot import Series, axes_of, band, nearest, series_of, shades, smooth, thin, ticks


def test_a_series_is_smoothed_and_read_at_a_place():
    """The moving mean starts at the first value and leaves gaps out; the nearest point is found; logarithms drop what has none."""
    points = [(0.0, 1.0), (1.0, math.nan), (2.0, 3.0), (4.0, 3.0)]
    assert smooth(points, 0.0) == [(0.0, 1.0), (2.0, 3.0), (4.0, 3.0)]
    made = smooth(points, 0.5)
    assert made[0] == (0.0, 1.0)
    assert 1.0 < made[1][1] < made[2][1] < 3.0
    assert nearest(points, 2.9) == (2.0, 3.0)
    assert nearest(points, 99.0) == (4.0, 3.0)
    assert nearest([], 1.0) is None
    assert [x for x, _ in thin([(0.0, 1.0), (10.0, 1.0), (100.0, -1.0)], 40, log=True, log_x=True)] == [1.0]


def test_a_metric_is_plotted_over_steps_epochs_or_seconds():
    """The metric epoch beside it says which epoch a step was; without it, and without steps, places are counted."""
    loss = Metric(name="fit/loss", last=1.0, values=((0, 3.0, 10.0), (5, 2.0, 11.0), (9, 1.0, 12.0)))
    epoch = Metric(name="fit/epoch", last=1.0, values=((0, 0.0, 10.0), (4, 0.5, 11.0), (9, 1.0, 12.0)))
    own = {"fit/loss": loss, "fit/epoch": epoch}
    assert series_of("a", loss).points == [(0, 3.0), (5, 2.0), (9, 1.0)]
    assert series_of("a", loss, over="epochs", metrics=own).points == [(0, 3.0), (0.5, 2.0), (1, 1.0)]
    assert series_of("a", loss, over="epochs").points == [(0, 3.0), (5, 2.0), (9, 1.0)]
    assert series_of("a", loss, over="seconds", started=9.0).points == [(1, 3.0), (2, 2.0), (3, 1.0)]
    bare = Metric(name="x", last=2.0, values=((None, 1.0, 5.0), (None, 2.0, 6.0)))
    assert series_of("a", bare).points == [(0, 1.0), (1, 2.0)]


def test_runs_of_a_group_become_a_mean_with_a_band():
    """The mean of what runs have at each place, one deviation to both sides; more places than columns are averaged first; one run has no band."""
    made = band("g", [[(0, 1.0), (1, 3.0)], [(0, 3.0), (1, math.nan), (2, 5.0)]], 10)
    assert made == Series(
        "g", [(0, 2.0), (1, 3.0), (2, 5.0)], [(0, 1.0), (1, 3.0), (2, 5.0)], [(0, 3.0), (1, 3.0), (2, 5.0)]
    )
    assert band("g", [[(0, 1.0)]], 10).low == ()
    long = band("g", [[(at, 1.0) for at in range(1000)], [(at + 0.5, 3.0) for at in range(1000)]], 50)
    assert len(long.points) <= 51
    assert {y for _, y in long.points[:-1]} == {2.0}


def test_a_metric_becomes_shades():
    """The greatest value of all lines is the darkest; a stretch without points keeps its shade, after the last point there is none."""
    lines = [Series("a", [(0, 0.0), (5, 4.0)]), Series("b", [(0, 2.0), (9, 2.0)]), Series("c", [(0, math.inf)])]
    assert shades(lines, 10) == (["     █····", "▒▒▒▒▒▒▒▒▒▒", "··········"], 0.0, 4.0)
    assert shades([Series("a", [(0, 1.0), (1, 10.0), (2, 100.0)])], 3, log=True)[0] == [" ▒█"]
    assert shades([Series("a", ())], 3)[0] == [""]


def test_params_and_metrics_become_axes():
    """Numbers lie between the least and the greatest, words in the order of the alphabet, and what is missing has no place."""
    rows = (
        Line(kind="param", name="lr", values=(0.1, 0.3, None)),
        Line(kind="param", name="kind", values=("b", "a", "c")),
        Line(kind="param", name="same", values=(1, 1, 1)),
        Line(kind="metric", name="acc", values=(0.5, 0.75, 1.0)),
    )
    axes = axes_of(SideBySide(runs=(), rows=rows))
    assert [axis.name for axis in axes] == ["lr", "kind", "acc"]
    assert axes[0].places == (0.0, 1.0, None)
    assert axes[1].places == (0.5, 0.0, 1.0)
    assert (axes[2].low, axes[2].high, axes[2].places) == ("0.5", "1", (0.0, 0.5, 1.0))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(-1e6, 1e6)), min_size=1, max_size=400), st.integers(10, 80))
def test_a_thinned_series_keeps_its_extremes(points, columns):
    series = [(float(x), y) for x, y in sorted(points)]
    kept = thin(series, columns)
    assert len(kept) <= max(2 * columns, len(series) if len(series) <= 2 * columns else 0)
    assert min(y for _, y in kept) == min(y for _, y in series)
    assert max(y for _, y in kept) == max(y for _, y in series)


def test_a_sparkline_has_gaps_where_there_is_no_number():
    assert sparkline([0, 1, math.nan, 2], 4) == "▁▅ █" or sparkline([0, 1, math.nan, 2], 4)[2] == " "
    assert sparkline([], 4) == ""
    assert sparkline([5, 5], 4) == "▄▄"


def test_an_axis_is_labelled_with_values_and_runs_with_whole_numbers():
    assert ticks(-2.0, 2.0, is_log=True) == [(-2.0, "0.01"), (-1.0, "0.1"), (0.0, "1"), (1.0, "10"), (2.0, "100")]
    assert ticks(-3, 0, is_whole=True) == [(-3.0, "-3"), (-2.0, "-2"), (-1.0, "-1"), (0.0, "0")]
    assert [text for _, text in ticks(0, 29, is_whole=True)] == ["0", "8", "16", "24"]
    assert ticks(0.0, 1.0) == []
