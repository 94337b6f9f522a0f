"""The contract rejects every planted bug, and passes what the bugs were planted into."""

from __future__ import annotations

import sys

import contract
import pytest
from planted_bugs import BUGS, Bug, edit, planted

import minidl


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.module}: {bug.label}")
def test_a_planted_bug_is_rejected(bug: Bug) -> None:
    with planted(bug) as contract, pytest.raises(AssertionError):
        for wiring in contract.WIRINGS[bug.tried_on].values():
            contract.CHECKS[bug.rejected_by](wiring)


@pytest.mark.parametrize("tried_on", sorted({bug.tried_on for bug in BUGS}))
def test_what_the_bugs_were_planted_into_passes(tried_on: str) -> None:
    checks = {bug.rejected_by for bug in BUGS if bug.tried_on == tried_on}
    with planted(Bug("none", "minidl.ops", tried_on, "", edits=())) as contract:
        for check in sorted(checks):
            for wiring in contract.WIRINGS[tried_on].values():
                contract.CHECKS[check](wiring)


def test_every_check_rejects_something() -> None:
    assert {bug.rejected_by for bug in BUGS} == set(contract.CHECKS)


def test_planting_leaves_the_real_package_alone() -> None:
    before = minidl.Layer.types(), sys.modules["minidl.ops"]
    with planted(BUGS[0]) as copy:
        assert copy.Layer is not minidl.Layer
    assert (minidl.Layer.types(), sys.modules["minidl.ops"]) == before


def test_a_text_that_is_not_found_once_is_no_bug() -> None:
    bug = Bug("stale", "minidl.ops", "LSTM", "gradient", edit("no such text", ""))
    with pytest.raises(AssertionError, match="occurs 0 times"), planted(bug):
        pass
