"""What the body of a pipeline changes in modules is seen by the keys of the tasks that it calls next."""

from __future__ import annotations

import importlib
import sys

import pytest

from finestflow.cache.code.writes import changes_modules
from finestflow.pipeline.output import resolve

CODE = """
import types

from finestflow import Pipeline, Task

RATE = 0
SETTINGS = {"rate": 0}
settings = types.SimpleNamespace(rate=0)


class Fit(Task):
    def run(self, x):
        return x + RATE + 10 * SETTINGS["rate"] + 100 * settings.rate


def configure(rate):
    global RATE
    RATE = rate


class Configured(Pipeline):
    fit: Fit

    def __call__(self, rate):
        configure(rate)
        return self.fit(1)


class Updated(Configured):
    def __call__(self, rate):
        SETTINGS.update(rate=rate)
        return self.fit(1)


class Set(Configured):
    def __call__(self, rate):
        self._set(rate)
        return self.fit(1)

    def _set(self, rate):
        settings.rate = rate


class Swept(Configured):
    def __call__(self, rate):
        found = {}
        for each in range(rate):
            SETTINGS["rate"] = each
            found[each] = self.fit(1)
        return found


class Harmless(Pipeline):
    fit: Fit

    def __call__(self, rate):
        found, rate = {}, rate + 1
        found[rate] = self.fit(1)
        self.fit.note = rate
        values = [rate]
        values.append(rate)
        return found
"""


@pytest.fixture
def module(lab, monkeypatch):
    (lab.folder / "settings_of_lab.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(lab.folder))
    yield importlib.import_module("settings_of_lab")
    del sys.modules["settings_of_lab"]


@pytest.mark.parametrize(("name", "factor"), [("Configured", 1), ("Updated", 10), ("Set", 100)])
def test_what_the_body_sets_before_a_call_counts_for_it(lab, module, name, factor):
    results = []
    for rate in (1, 2, 1):
        run = lab.make(getattr(module, name)(), rate)
        results.append(resolve(run.result))

    assert results == [1 + factor, 1 + 2 * factor, 1 + factor]
    assert run.nodes["fit"].status.value == "hit"


def test_what_the_body_sets_between_calls_counts_for_each(lab, module):
    assert resolve(lab.make(module.Swept(), 3).result) == {0: 1, 1: 11, 2: 21}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Configured", True), ("Updated", True), ("Set", True), ("Swept", True), ("Harmless", False)],
)
def test_only_what_is_not_the_bodys_own_is_a_change_of_modules(module, name, expected):
    kind = getattr(module, name)
    assert changes_modules(kind.__finestflow_body__, kind, lambda _: True) is expected


def test_functions_of_libraries_are_not_looked_into(module):
    kind = module.Configured
    assert not changes_modules(kind.__finestflow_body__, kind, lambda function: function is not module.configure)


def test_code_without_source_is_taken_as_harmless(module):
    scope = {"SETTINGS": {}}
    exec("def body(self, rate):\n    SETTINGS['rate'] = rate", scope)
    assert not changes_modules(scope["body"], module.Configured, lambda _: True)
