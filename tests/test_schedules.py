"""Every registered schedule, found by introspection, keeps the same promises."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.optim import (
    SGD,
    Adam,
    Clock,
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    OneCycle,
    Optimizer,
    Piecewise,
    Plateau,
    Polynomial,
    Restarts,
    Schedule,
    Sequence,
    Step,
    Warmup,
)
from minidl.optim.schedule_checks import check_schedules
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
    Plateau(1.0, min_delta=0.1, threshold=0.01, cooldown=2),
    Linear(1.0, final=0.1),
    Polynomial(1.0, power=3.0, total_steps=50),
    Piecewise((1.0, 0.5, 0.1), boundaries=(10, 100)),
    InverseSqrt(1.0, warmup_steps=10),
    Restarts(1.0, period=7),
    Restarts(1.0, period=3, growth=2, decay=0.5, final=0.1),
    OneCycle(1.0),
    OneCycle(1.0, total_steps=50),
    Sequence((0.5, Cosine(1.0), Linear(0.3)), boundaries=(10, 50)),
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


def test_cooldown_and_margins_of_a_plateau() -> None:
    assert Plateau(1.0, patience=1, min_delta=0.5).value(Clock(validation=[2.0, 1.6, 1.4])) == 0.5
    assert Plateau(1.0, patience=1, threshold=0.1).value(Clock(validation=[10.0, 9.1, 8.0])) == 0.5
    assert Plateau(1.0, patience=1, threshold=0.1).value(Clock(validation=[-10.0, -10.5, -12.0])) == 0.5
    assert Plateau(1.0, patience=1).value(Clock(validation=[1.0, 1.0, 1.0])) == 0.25
    assert Plateau(1.0, patience=1, cooldown=1).value(Clock(validation=[1.0, 1.0, 1.0])) == 0.5
    assert Plateau(1.0, patience=1, cooldown=1).value(Clock(validation=[1.0, 1.0, 1.0, 1.0])) == 0.25


@given(losses=st.lists(st.floats(0.1, 10), max_size=30), patience=st.integers(1, 3), cooldown=st.integers(0, 3))
def test_plateau_agrees_with_torch(losses: list[float], patience: int, cooldown: int) -> None:
    """PyTorch waits one evaluation longer than its `patience`; Keras, as we do, exactly so many."""
    torch = pytest.importorskip("torch", reason="PyTorch is the extra [torch]")
    peer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    settings = {"factor": 0.5, "patience": patience - 1, "threshold": 0.1, "cooldown": cooldown, "eps": 0.0}
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(peer, **settings)
    for loss in losses:
        theirs.step(loss)
    ours = Plateau(1.0, factor=0.5, patience=patience, threshold=0.1, cooldown=cooldown)
    assert ours.value(Clock(validation=losses)) == peer.param_groups[0]["lr"]


def of_torch(name: str, steps: int, **settings: Any) -> list[float]:
    torch = pytest.importorskip("torch", reason="PyTorch is the extra [torch]")
    peer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = getattr(torch.optim.lr_scheduler, name)(peer, **settings)
    values = []
    for _ in range(steps):
        values.append(float(peer.param_groups[0]["lr"]))
        peer.step()
        theirs.step()
    return values


@pytest.mark.parametrize(
    ("ours", "name", "settings"),
    [
        (Step(1.0, every=7, factor=0.3), "StepLR", {"step_size": 7, "gamma": 0.3}),
        (Exponential(1.0, every=1, factor=0.9), "ExponentialLR", {"gamma": 0.9}),
        (Cosine(1.0, total_steps=30, final=0.1), "CosineAnnealingLR", {"T_max": 30, "eta_min": 0.1}),
        (Linear(1.0, final=0.2, total_steps=20), "LinearLR", {"start_factor": 1, "end_factor": 0.2, "total_iters": 20}),
        (Polynomial(1.0, power=3.0, total_steps=20), "PolynomialLR", {"total_iters": 20, "power": 3.0}),
        (Piecewise((1.0, 0.1, 0.01), boundaries=(5, 20)), "MultiStepLR", {"milestones": [5, 20]}),
        (Restarts(1.0, period=5, final=0.1), "CosineAnnealingWarmRestarts", {"T_0": 5, "eta_min": 0.1}),
        (Restarts(1.0, period=4, growth=2), "CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}),
        (OneCycle(1.0, total_steps=30), "OneCycleLR", {"max_lr": 1.0, "total_steps": 30, "cycle_momentum": False}),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_agrees_with_torch(ours: Schedule, name: str, settings: dict[str, Any]) -> None:
    steps = 30 if name in ("CosineAnnealingLR", "OneCycleLR") else 40
    expected = of_torch(name, steps, **settings)
    assert [ours.value(Clock(t)) for t in range(steps)] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_agrees_with_optax() -> None:
    optax = pytest.importorskip("optax", reason="optax is the extra [bench]")
    cosine = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 5, "decay_steps": 30, "end_value": 0.1}
    pairs: list[tuple[Schedule, Callable[[int], Any]]] = [
        (
            Cosine(1.0, warmup_steps=5, total_steps=30, final=0.1, from_zero=True),
            optax.warmup_cosine_decay_schedule(**cosine),
        ),
        (Polynomial(1.0, final=0.1, power=3.0, total_steps=30), optax.polynomial_schedule(1.0, 0.1, 3.0, 30)),
        (Sequence((Linear(1.0, 0.5), 0.1), boundaries=(10,)), join(optax)),
    ]
    for ours, theirs in pairs:
        expected = [float(theirs(t)) for t in range(40)]
        assert [ours.value(Clock(t, 40)) for t in range(40)] == pytest.approx(expected, rel=1e-5, abs=1e-7)


def join(optax: Any) -> Any:
    return optax.join_schedules([optax.linear_schedule(1.0, 0.5, 10), optax.constant_schedule(0.1)], [10])


def test_inverse_sqrt_is_the_transformers() -> None:
    """lrate = d^-½ min(step^-½, step · warmup^-1½), which has its peak (d · warmup)^-½ at step = warmup."""
    d, warmup = 512, 40
    ours = InverseSqrt((d * warmup) ** -0.5, warmup_steps=warmup)
    expected = [d**-0.5 * min(step**-0.5, step * warmup**-1.5) for step in range(1, 200)]
    assert [ours.value(Clock(step)) for step in range(199)] == pytest.approx(expected)


def test_a_warm_up_may_begin_at_zero() -> None:
    for schedule in (Warmup(4, 0.8, from_zero=True), Cosine(0.8, warmup_steps=4, total_steps=100, from_zero=True)):
        assert [schedule.value(Clock(t)) for t in range(5)] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Piecewise((1.0, 0.5), boundaries=(1, 2)), "2 boundaries separate 3 values, got 2"),
        (lambda: Sequence((1.0, 0.5, 0.1), boundaries=(5, 5)), "greater than the one before it, got [5, 5]"),
    ],
)
def test_boundaries_that_separate_nothing(make: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (Adam(clip_norm=Cosine(1.0, total_steps=100)), "'clip_norm' should be greater than 0, got 0.0"),
        (Adam(betas=(Linear(0.9, 1.0, total_steps=100), 0.999)), "'betas.0' should be less than 1, got 1.0"),
        (SGD(momentum=Linear(0.5, 1.1)), "'momentum' should be less than 1, got 1.09"),
        (Adam(eps=Exponential(1e-8, every=1, factor=0.01)), "'eps' should be greater than 0, got 0.0"),
        (SGD(lr=Exponential(1.0, every=1, factor=1e3)), "'lr' should be a finite number"),
        (Adam(groups={"*/b": {"eps": Linear(1e-8, total_steps=100)}}), "'eps' should be greater than 0, got"),
        (Adam(lr=Warmup(3, Plateau(1.0))), "validation losses, and the data has no validation part"),
    ],
    ids=repr,
)
def test_what_will_leave_its_range_is_found_before(optimizer: Optimizer, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_schedules(optimizer, 201, has_validation=False)


def test_what_stays_in_range_is_not_refused() -> None:
    decaying = Adam(Cosine(1.0), clip_norm=Cosine(1.0, final=0.1), betas=(Linear(0.5, 0.95), 0.999))
    check_schedules(decaying, 10**6, has_validation=True)
    check_schedules(Adam(Cosine(1.0), clip_norm=Plateau(1.0)), None, has_validation=True)
    check_schedules(Adam(clip_norm=Exponential(1.0, every=1, factor=0.5)), 1000, has_validation=True)
    with pytest.raises(ConfigError, match="after every plateau"):
        check_schedules(Adam(clip_norm=Plateau(1.0, factor=1e-9, patience=1)), 10, has_validation=True)
    assert np.isfinite(Restarts(1.0, period=1, growth=3).value(Clock(10**9)))
