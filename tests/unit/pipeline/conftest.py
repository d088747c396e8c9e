"""Pipelines as plain Python: whatever another test imported, nobody starts a run here."""

from __future__ import annotations

import pytest

from finestflow.pipeline import call


@pytest.fixture(autouse=True)
def nobody_starts_runs(monkeypatch):
    monkeypatch.setattr(call, "_launcher", [])
