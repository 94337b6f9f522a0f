"""Every registered schedule, found by introspection, keeps the same promises."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.optim.schedules import Clock, Constant, Cosine, Exponential, Plateau, Schedule, Step, Warmup
from minidl.system.errors import ConfigError

SCHEDULES = [
    Constant(0.1),
    Step(1.0, every=10, factor=0.5),
    Exponential(1.0, every=10),
    Cosine(1.0, warmup_steps=5, final=0.1),
    Cosine(1.0, total_steps=50),
    Warmup(steps=10, then=0.3),
    Warmup(steps=10, then=Cosine(1.0)),
    Plateau(1.0, minimum=0.05),
]


def test_every_registered_schedule_is_tried() -> None:
    assert {type(schedule) for schedule in SCHEDULES} == set(Schedule.types().values())


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_config_round_trip(schedule: Schedule) -> None:
    assert Schedule.from_config(json.loads(json.dumps(schedule.config()))) == schedule


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@given(
    step=st.integers(0, 10**7),
    total=st.integers(1, 10**7),
    validation=st.lists(st.floats(0, 10), max_size=20),
)
def test_is_a_pure_function_with_finite_positive_values(
    schedule: Schedule, step: int, total: int, validation: list[float]
) -> None:
    clock = Clock(step, total, tuple(validation))
    value = schedule.value(clock)
    assert math.isfinite(value)
    assert 0 <= value <= 1
    assert schedule.value(clock) == value


def test_cosine_goes_up_and_down() -> None:
    cosine = Cosine(2.0, warmup_steps=10, final=0.2)
    values = [cosine.value(Clock(step, 110)) for step in range(120)]
    assert values[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert values[10] == 2.0
    assert values[60] == pytest.approx(1.1)
    assert all(a >= b for a, b in pairwise(values[10:]))
    assert values[110:] == [0.2] * 10


def test_cosine_says_what_it_lacks() -> None:
    with pytest.raises(ConfigError, match="total_steps"):
        Cosine(1.0).value(Clock(3))


def test_plateau_counts_evaluations_that_bring_nothing() -> None:
    plateau = Plateau(1.0, factor=0.5, patience=2, minimum=0.2)
    history = [3.0, 2.0, 2.1, 2.0, 1.9, 1.95, 1.95, 1.95, 1.95, 1.95, 1.95]
    values = [plateau.value(Clock(0, None, history[:n])) for n in range(len(history) + 1)]
    assert values == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]
