"""The contract rejects every planted bug, and passes what the bugs were planted into."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType

import contract
import numpy as np
import pytest
from planted_bugs import BUGS, Bug, planted, planted_in_copy
from test_layers import OF_LAYERS

import minidl
from minidl.layers import LSTM


def try_out(contract: ModuleType, tried_on: str, checks: Iterable[str], public: bool) -> None:
    """By the checks of these names; by those that are public, where they say the same."""
    for check in checks:
        if public and check in OF_LAYERS:
            try_out_alone(contract, tried_on)
            continue
        for wiring in contract.WIRINGS[tried_on].values():
            contract.CHECKS[check](wiring)


def try_out_alone(contract: ModuleType, tried_on: str) -> None:
    """What `check_layer` says of each layer of these wirings, as its author would ask."""
    check_model = importlib.import_module("minidl.testing.check_model")  # of the copy, where there is one
    for wiring in contract.WIRINGS[tried_on].values():
        model = contract.model_of(wiring)
        for name, layer, fed in check_model.layers_as_fed(model, contract.feeds_of(model, 6, 3)):
            assert [point for point in check_model.tried_alone(layer, fed) if not point.passed] == [], name


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.module}: {bug.label}")
def test_a_planted_bug_is_rejected(bug: Bug) -> None:
    with planted(bug) as contract, np.errstate(all="ignore"), pytest.raises(AssertionError):
        try_out(contract, bug.tried_on, [bug.rejected_by], public=bug.module.startswith("minidl.layers."))


def test_what_the_bugs_were_planted_into_passes() -> None:
    """So that a copy is not rejected for being a copy; the whole contract is tried on the real ones."""
    with planted_in_copy(Bug("none", "minidl.graph.operations", "", "", edits=())) as contract:
        for tried_on, check in sorted({(bug.tried_on, bug.rejected_by) for bug in BUGS}):
            contract.CHECKS[check](next(iter(contract.WIRINGS[tried_on].values())))


def test_there_are_enough_and_each_is_another() -> None:
    assert len({bug.edits for bug in BUGS}) >= 25
    assert len({(bug.module, bug.edits) for bug in BUGS}) == len(BUGS)
    for name in ("RNN", "GRU", "LSTM"):
        assert sum(bug.tried_on == name for bug in BUGS) >= 5


def test_every_check_rejects_something() -> None:
    assert {bug.rejected_by for bug in BUGS} == set(contract.CHECKS)


def test_planting_leaves_the_real_package_alone() -> None:
    before = minidl.Layer.types(), sys.modules["minidl.graph.operations"]
    with planted_in_copy(BUGS[0]) as copy:
        assert copy.Layer is not minidl.Layer
    assert (minidl.Layer.types(), sys.modules["minidl.graph.operations"]) == before
    code = LSTM.step_back.__code__
    with planted(next(bug for bug in BUGS if bug.label == "a slope forgotten")):
        assert LSTM.step_back.__code__ is not code
    assert LSTM.step_back.__code__ is code


def test_a_text_that_is_not_found_once_is_no_bug() -> None:
    bug = Bug("stale", "minidl.graph.operations", "LSTM", "gradient", (("no such text", ""),))
    with pytest.raises(AssertionError, match="occurs 0 times"), planted(bug):
        pass
