"""A list of runs as a file for other programs: CSV, Markdown or JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

from finestflow.journal.conditions import find_value
from finestflow.model import RunSummary
from finestflow_tui.text import iso, number, one_line, value_text
from finestflow_tui.views.runs import Column

__all__ = ["dump_list"]


def dump_list(runs: Sequence[RunSummary], columns: Sequence[Column], suffix: str) -> str:
    """Return runs as text; any suffix but ``.md`` and ``.json`` gets CSV."""
    names = ["id", *(column.key for column in columns if column.key != "id" and not column.is_course)]
    table = [[run.id, *(_value(run, name) for name in names[1:])] for run in runs]
    if suffix == ".json":
        return (
            json.dumps(
                [dict(zip(names, line, strict=True)) for line in table], ensure_ascii=False, indent=1, default=str
            )
            + "\n"
        )
    if suffix == ".md":
        lines = [" | ".join(names), " | ".join("---" for _ in names)]
        lines += [" | ".join(_cell(value).replace("|", "\\|") for value in line) for line in table]
        return "".join(f"| {line} |\n" for line in lines)
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([["" if value is None else value for value in line] for line in table])
    return text.getvalue()


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, float) else "" if value is None else value_text(value)


def _value(run: RunSummary, name: str) -> Any:
    if name.startswith("m."):
        return (find_value(run.metrics, name[2:], "/") or (None,))[0]
    if name.startswith("p."):
        return (find_value(run.params, name[2:], ".") or (None,))[0]
    if name == "when":
        return iso(run.started)
    if name == "took":
        return run.seconds
    if name == "tags":
        return " ".join(run.tags)
    return one_line(getattr(run, name, "") or "")
