"""Which settings a sweep means: lists, ranges, random draws, rows of a table, and all their combinations.

Settings are texts by path: the declared type of the param decides later what each is. Invariant: the same words, table and seed give the same
settings in the same order. Called by the command line and by the queue; ``range_hint`` by whoever refuses a value.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from finestflow.errors import UsageError

__all__ = [
    "Draw",
    "MeanOfRepeats",
    "axes_of",
    "count_settings",
    "format_number",
    "iter_settings",
    "load_rows",
    "mean_of_repeats",
    "parse_setting",
    "range_hint",
]

_MOST_VALUES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Numbers to draw from: ``kind`` is ``uniform``, ``loguniform`` or ``randint``; both ends belong to it."""

    kind: str
    low: float
    high: float

    def __call__(self, rng: random.Random) -> str:
        """Return one of them."""
        if self.kind == "loguniform":
            return format_number(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        if self.kind == "randint":
            return str(rng.randint(round(self.low), round(self.high)))
        return format_number(rng.uniform(self.low, self.high))


Axis = list[str] | Draw


def parse_setting(text: str) -> tuple[str, Axis]:
    """Return the path and what its value means: some values, or a draw for each sample.

    ``a=1,2,3`` is three values, ``"1,2,3"`` and ``[1, 2]`` are one. ``range:1:10:2``, ``linspace:0:1:5`` and ``logspace:1e-4:1:5`` are values
    from the first to the second number, both included; ``uniform:0:1``, ``loguniform:1e-5:1e-1`` and ``randint:1:10`` are drawn.

    Raises:
        UsageError: There is no path or no ``=``, or a range is not understood.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path:
        raise UsageError(f"{text!r} is no setting", "write -p PATH=VALUE, such as -p svm.C=0.5")
    kind, colon, rest = value.strip().partition(":")
    if colon and kind in _RANGES:
        return path, _values_of(kind, rest, value)
    if colon and kind in _DRAWS:
        return path, _draw_of(kind, rest, value)
    return path, _split(value)


def iter_settings(
    texts: Sequence[str], *, rows: Sequence[Mapping[str, str]] = (), samples: int | None = None, seed: int = 0
) -> Iterator[dict[str, str]]:
    """Yield the settings of each run: one, or all combinations of a sweep, the last option fastest.

    Args:
        texts: ``PATH=VALUE`` each.
        rows: Settings that belong together, as of a table; each row meets all combinations of the texts.
        samples: How many draws each combination meets where something is drawn.
        seed: Seed of the draws.

    Raises:
        UsageError: A path is set twice, or it is not said how many draws there are.
    """
    axes = axes_of(texts, rows)
    drawn = {path: axis for path, axis in axes.items() if isinstance(axis, Draw)}
    if drawn and samples is None:
        path = next(iter(drawn))
        raise UsageError(
            f"{path!r} is drawn at random, and nothing says how often",
            "add --samples N, or --trials N --metric NAME to search for the best",
        )
    if samples is not None and not drawn:
        raise UsageError("--samples is for values that are drawn", "write -p lr=loguniform:1e-5:1e-1")
    rng = random.Random(seed)  # noqa: S311 - settings of experiments, not secrets
    fixed = {path: axis for path, axis in axes.items() if not isinstance(axis, Draw)}
    for row in rows or [{}]:
        for combination in itertools.product(*fixed.values()):
            chosen = dict(zip(fixed, combination, strict=True))
            for _ in range(samples or 1):
                yield {
                    **row,
                    **{path: axis(rng) if isinstance(axis, Draw) else chosen[path] for path, axis in axes.items()},
                }


def count_settings(texts: Sequence[str], *, rows: Sequence[Mapping[str, str]] = (), samples: int | None = None) -> int:
    """Return how many settings ``iter_settings`` yields."""
    sizes = [len(axis) for axis in axes_of(texts, rows).values() if not isinstance(axis, Draw)]
    return math.prod(sizes) * (len(rows) or 1) * (samples or 1)


def load_rows(text: str, name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text whose first line names paths; an empty cell sets nothing. Semicolons and tabs may stand for the commas.

    Raises:
        UsageError: It is no such text: names are missing or there twice, a line has more or fewer cells than there are names, or there is no line.
    """
    if "\0" in text:
        raise UsageError(f"{name!r} has a NUL byte in it", "--sweep takes a CSV file, a text")
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    delimiter = next((sign for sign in ",;\t" if sign in first), ",")
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=delimiter)
    names = [path.strip() for path in reader.fieldnames or ()]
    if len(names) != len(set(names)) or "" in names:
        wrong = next(path for path in names if not path or names.count(path) > 1)
        raise UsageError(
            f"the first line of {name!r} names {wrong!r} twice" if wrong else f"a column of {name!r} has no name"
        )
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                more = "more" if None in row else "fewer"
                raise UsageError(
                    f"{name!r} line {reader.line_num} has {more} cells than the first line has names",
                    "an empty cell sets nothing, and has its comma too",
                )
            rows.append({path.strip(): value for path, value in row.items() if value})
    except csv.Error as error:
        raise UsageError(
            f"{name!r} line {reader.line_num} cannot be read: {error}", "--sweep takes a CSV file"
        ) from None
    if not rows:
        raise UsageError(f"{name!r} has no settings", "its first line names params, each line below is a run")
    return rows


def axes_of(texts: Sequence[str], rows: Sequence[Mapping[str, str]] = ()) -> dict[str, Axis]:
    """Return by path what each setting may be: some values, or a draw.

    Raises:
        UsageError: A path is set twice, or a text is no setting.
    """
    taken = {path for row in rows for path in row}
    axes: dict[str, Axis] = {}
    for text in texts:
        path, axis = parse_setting(text)
        if path in axes or path in taken:
            raise UsageError(f"{path!r} is set twice", "name each path once; -p a=1,2 sweeps")
        axes[path] = axis
    return axes


def range_hint(value: str) -> str:
    """Return what was probably meant by a value that is refused and looks like a range of a kind that does not exist; else an empty text."""
    kind, _, rest = value.strip().partition(":")
    if kind in _FORMS or not _RANGE_OF_ANY_KIND.fullmatch(value.strip()):
        return ""
    import difflib

    near = difflib.get_close_matches(kind, _FORMS, n=1)
    guess = f"did you mean {f'{near[0]}:{rest}'!r}? " if near else ""
    return f'{guess}ranges: {", ".join(_FORMS.values())}; see the how-to "Try many settings"'


def _split(value: str) -> list[str]:
    stripped = value.strip()
    if stripped[:1] in {'"', "[", "{"}:
        try:
            whole = json.loads(stripped)
        except ValueError:
            return [value]
        return [whole if isinstance(whole, str) else stripped]
    if len(stripped) > 1 and stripped[0] == stripped[-1] == "'":
        return [stripped[1:-1]]
    parts = [part.strip() for part in value.split(",")]
    return parts if len(parts) > 1 and all(parts) else [value]


# -- ranges ----------------------------------------------------------------------------------------------------------------------------


def _values_of(kind: str, rest: str, text: str) -> list[str]:
    fewest = 2 if kind == "range" else 3
    low, high, *more = _numbers(rest, text, fewest, 3)
    if kind == "range":
        step = more[0] if more else (1.0 if high >= low else -1.0)
        if step == 0 or (high - low) / step < 0:
            raise UsageError(f"{text!r} never gets from {low:g} to {high:g}", "the third number is the step")
        count = int((high - low) / step * (1 + 1e-12) + 1e-9) + 1
        values = _spaced(low, step, _checked(count, text))
    else:
        count = _checked(int(more[0]), text)
        if kind == "logspace":
            _require_positive(low, high, text)
            low, high = math.log(low), math.log(high)
        values = _spaced(low, (high - low) / max(count - 1, 1), count)
        if kind == "logspace":
            values = [math.exp(value) for value in values]
    return [format_number(value) for value in values]


def _spaced(low: float, step: float, count: int) -> list[float]:
    return [low + step * place for place in range(count)]


def _draw_of(kind: str, rest: str, text: str) -> Draw:
    low, high = _numbers(rest, text, 2, 2)
    if kind == "loguniform":
        _require_positive(low, high, text)
    if low > high:
        raise UsageError(f"{text!r} ends below where it begins", f"write {kind}:{high:g}:{low:g}")
    if kind == "randint" and not (low.is_integer() and high.is_integer()):
        raise UsageError(f"{text!r} is drawn from whole numbers, and these are none", "write uniform:LOW:HIGH")
    return Draw(kind=kind, low=low, high=high)


_RANGE_OF_ANY_KIND = re.compile(r"[A-Za-z_]+(:[^:]*\d[^:]*)+|[-+.\de]+(:[-+.\de]+){2}|[-+\de]+(\.\d+)?\.\.[-+.\de]+")
_RANGES = ("range", "linspace", "logspace")
_DRAWS = ("uniform", "loguniform", "randint")
_FORMS = {
    "range": "range:FIRST:LAST[:STEP]",
    "linspace": "linspace:FIRST:LAST:COUNT",
    "logspace": "logspace:FIRST:LAST:COUNT",
    "uniform": "uniform:LOW:HIGH",
    "loguniform": "loguniform:LOW:HIGH",
    "randint": "randint:LOW:HIGH",
}


def _numbers(rest: str, text: str, fewest: int, most: int) -> list[float]:
    try:
        numbers = [float(part) for part in rest.split(":")]
    except ValueError:
        numbers = []
    if not fewest <= len(numbers) <= most or not all(map(math.isfinite, numbers)):
        form = _FORMS[text.strip().partition(":")[0]]
        raise UsageError(f"{text!r} is not understood", f"write {form}; quote it when it is meant as text")
    return numbers


def _checked(count: int, text: str) -> int:
    if not 1 <= count <= _MOST_VALUES:
        raise UsageError(f"{text!r} has {count} values", f"from 1 to {_MOST_VALUES} are possible")
    return count


def _require_positive(low: float, high: float, text: str) -> None:
    if low <= 0 or high <= 0:
        raise UsageError(f"{text!r} begins or ends at zero or below", "a logarithm needs numbers above zero")


def format_number(value: float) -> str:
    """Return a number as a setting is written."""
    return f"{value:.12g}"


# -- repeats ---------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanOfRepeats:
    """A metric over runs that differ in their seeds alone: mean and sample standard deviation (n - 1; 0 of a single run)."""

    mean: float
    deviation: float
    count: int


def mean_of_repeats(runs: Sequence[Mapping[str, float]]) -> dict[str, MeanOfRepeats]:
    """Return mean and deviation of each metric.

    Args:
        runs: The metrics of each run; one that lacks a metric does not count for it.
    """
    found = {}
    for name in dict.fromkeys(name for run in runs for name in run):
        values = [run[name] for run in runs if name in run]
        spread = stdev(values) if len(values) > 1 else 0.0
        found[name] = MeanOfRepeats(mean=fmean(values), deviation=spread, count=len(values))
    return found
