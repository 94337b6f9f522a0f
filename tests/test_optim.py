"""Every registered optimizer, found by introspection, keeps the same promises."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from minidl.graph.operations import norm
from minidl.optim import SGD, Adam, Optimizer, RMSprop
from minidl.optim.schedules import Clock, Constant, Cosine, Step
from minidl.system.errors import ConfigError, NumericsError, UsageError

OPTIMIZERS = [
    SGD(lr=0.05),
    SGD(lr=0.02, momentum=0.9),
    SGD(lr=0.02, momentum=0.9, nesterov=True),
    RMSprop(lr=0.01),
    Adam(lr=0.05),
    Adam(lr=0.05, betas=(0.8, 0.99), weight_decay=1e-4),
]


def naive(optimizer: Optimizer, w: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    """The equations of the papers, one entry after the other in Python floats."""
    result = []
    for i, start in enumerate(w.tolist()):
        x, m, v, u = start, 0.0, 0.0, 0.0
        for t, gradient in enumerate(gradients, start=1):
            g = float(gradient[i])
            if isinstance(optimizer, Adam):
                beta1, beta2 = optimizer.betas
                m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
                step = (m / (1 - beta1**t)) / ((v / (1 - beta2**t)) ** 0.5 + optimizer.eps)
                x -= optimizer.lr * (step + optimizer.weight_decay * x)
            elif isinstance(optimizer, RMSprop):
                v = optimizer.rho * v + (1 - optimizer.rho) * g * g
                x -= optimizer.lr * g / (v**0.5 + optimizer.eps)
            else:
                u = optimizer.momentum * u + g
                x -= optimizer.lr * (g + optimizer.momentum * u if optimizer.nesterov else u)
        result.append(x)
    return np.array(result)


def test_every_registered_optimizer_is_tried() -> None:
    assert {type(optimizer) for optimizer in OPTIMIZERS} == set(Optimizer.types().values())


@pytest.fixture(params=OPTIMIZERS, ids=repr)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return type(request.param).from_config(request.param.config())  # each test gets one without a memory


def test_config_round_trip(optimizer: Optimizer) -> None:
    again = Optimizer.from_config(json.loads(json.dumps(optimizer.config())))
    assert again == optimizer
    assert hash(again) == hash(optimizer)
    assert type(optimizer).__name__ in repr(optimizer)


def test_reaches_the_minimum_of_a_parabola(optimizer: Optimizer) -> None:
    scale, target = np.array([1.0, 4.0, 0.5]), np.array([1.0, -2.0, 0.3])
    w = np.zeros(3)
    for _ in range(800):
        optimizer.update(w, 2 * scale * (w - target))
    np.testing.assert_allclose(w, target, atol=0.02)


@pytest.mark.parametrize("size", [0, 1, 7, (1 << 15) + 3, (1 << 17) + 3])
def test_in_place_equals_naive(optimizer: Optimizer, size: int) -> None:
    rng = np.random.default_rng(0)
    shown = min(size, 7)
    w = rng.standard_normal(size)
    gradients = [rng.standard_normal(size) for _ in range(5)]
    expected = naive(optimizer, w[-shown:], [gradient[-shown:] for gradient in gradients])
    buffer = w
    for gradient in gradients:
        optimizer.update(w, gradient)
    assert w is buffer
    np.testing.assert_allclose(w[-shown:], expected, rtol=1e-12)


def test_interrupted_and_restored_is_bit_identical(optimizer: Optimizer) -> None:
    rng = np.random.default_rng(1)
    gradients = [rng.standard_normal(50).astype(np.float32) for _ in range(10)]
    straight, broken = np.ones(50, np.float32), np.ones(50, np.float32)
    other = type(optimizer).from_config(optimizer.config())
    for gradient in gradients:
        optimizer.update(straight, gradient.copy())
    for k, gradient in enumerate(gradients):
        if k == 4:
            memory, other = other.memory, type(optimizer).from_config(optimizer.config())
            other.restore(memory.steps, memory.slots)
        other.update(broken, gradient.copy())
    assert straight.tobytes() == broken.tobytes()


def test_keeps_the_dtype(optimizer: Optimizer) -> None:
    w = np.ones(5, np.float32)
    optimizer.update(w, np.ones(5, np.float32))
    assert w.dtype == np.float32
    assert all(slot.dtype == np.float32 for slot in optimizer.memory.slots.values())


def test_refuses_a_gradient_that_is_not_finite_and_leaves_the_weights(optimizer: Optimizer) -> None:
    w = np.ones(3)
    for bad in (np.nan, np.inf):
        with pytest.raises(NumericsError, match="not been changed"):
            optimizer.update(w, np.array([1.0, bad, 1.0]))
    np.testing.assert_array_equal(w, 1)
    assert optimizer.memory.steps == 0


def test_refuses_weights_of_another_model() -> None:
    adam = Adam()
    adam.update(np.ones(3), np.ones(3))
    with pytest.raises(UsageError, match="one optimizer for each model"):
        adam.update(np.ones(4), np.ones(4))


def test_golden_trajectory_of_adam() -> None:
    """f(w) = w², from w = 1, lr 0.1: torch.optim.Adam 2.13.0 in float64 gives these weights."""
    golden = [0.9000000005, 0.8004122286917927, 0.7015862729460302, 0.6039390605737459]
    w, adam, seen = np.array([1.0]), Adam(lr=0.1), []
    for _ in golden:
        adam.update(w, 2 * w)
        seen.append(float(w[0]))
    np.testing.assert_allclose(seen, golden, rtol=1e-14)


def test_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the extra [torch]")
    pairs = [
        (SGD(lr=0.1, momentum=0.9, nesterov=True), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
        (RMSprop(lr=0.01, rho=0.9), lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9)),
        (Adam(lr=0.01, weight_decay=0.1), lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
    ]
    rng = np.random.default_rng(2)
    gradients = rng.standard_normal((20, 6))
    for ours, make in pairs:
        w = np.linspace(-1, 1, 6)
        theirs = torch.nn.Parameter(torch.tensor(w.copy()))
        peer = make([theirs])
        for gradient in gradients:
            ours.update(w, gradient.copy())
            theirs.grad = torch.tensor(gradient)
            peer.step()
        np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=1e-10)


def test_clipping() -> None:
    w, g = np.zeros(2), np.array([3.0, 4.0])
    sgd = SGD(lr=1.0, clip_norm=1.0)
    sgd.update(w, g)
    np.testing.assert_allclose(w, [-0.6, -0.8])
    assert sgd.memory.grad_norm == 5.0
    w[...] = 0
    SGD(lr=1.0, clip_value=3.5).update(w, np.array([3.0, -4.0]))
    np.testing.assert_array_equal(w, [-3.0, 3.5])
    w[...] = 0
    SGD(lr=1.0, clip_norm=10.0).update(w, np.array([3.0, 4.0]))
    np.testing.assert_array_equal(w, [-3.0, -4.0])


def test_norm_of_a_vector_whose_squares_overflow() -> None:
    assert norm(np.full(4, 1e30, np.float32)) == pytest.approx(2e30, rel=1e-6)


def test_any_hyperparameter_may_be_a_schedule() -> None:
    sgd = SGD(lr=Step(1.0, every=1, factor=0.5), momentum=Constant(0.0))
    w = np.zeros(1)
    for _ in range(3):
        sgd.update(w, np.ones(1))
    assert w[0] == -1.75
    Adam(betas=(Constant(0.9), 0.99), weight_decay=Constant(0.1)).update(w, np.ones(1))
    with pytest.raises(ConfigError, match="total_steps"):
        SGD(lr=Cosine(peak=1.0)).update(w, np.ones(1))
    SGD(lr=Cosine(peak=1.0)).update(w, np.ones(1), Clock(total_steps=10))


@pytest.mark.parametrize("kind", Optimizer.types().values())
def test_every_hyperparameter_of_every_optimizer_may_be_a_schedule(kind: type[Optimizer]) -> None:
    """A constant schedule in the place of each number does what the numbers do."""
    numbers = {
        field.name: 0.5 if field.default is None else field.default
        for field in dataclasses.fields(kind)
        if field.name != "nesterov"
    }
    schedules = {
        name: tuple(map(Constant, value)) if isinstance(value, tuple) else Constant(value)
        for name, value in numbers.items()
    }
    moved = []
    for settings in (numbers, schedules):
        w, optimizer = np.ones(3), kind(**settings)
        for _ in range(3):
            optimizer.update(w, np.array([3.0, -4.0, 0.1]))
        moved.append(w)
    np.testing.assert_array_equal(moved[0], moved[1])


def test_clipping_may_change_from_step_to_step() -> None:
    w, sgd = np.zeros(1), SGD(lr=1.0, clip_norm=Step(1.0, every=1, factor=0.5))
    for expected in (-1.0, -1.5, -1.75):
        sgd.update(w, np.full(1, 8.0))
        assert w[0] == expected
    assert (sgd.memory.grad_norm, sgd.memory.clipped_by) == (8.0, 32.0)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (Adam(betas=(Constant(1.0), 0.999)), "Adam: 'betas.0' should be less than 1, got 1.0"),
        (SGD(lr=0.1, clip_norm=Constant(0.0)), "SGD: 'clip_norm' should be greater than 0, got 0.0"),
    ],
)
def test_a_schedule_stays_within_the_range_of_its_hyperparameter(optimizer: Optimizer, message: str) -> None:
    w = np.ones(1)
    with pytest.raises(ConfigError, match=re.escape(message)):
        optimizer.update(w, np.ones(1))
    assert (w[0], optimizer.memory.steps) == (1.0, 0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "Adm"}, "did you mean 'Adam'"),
        ({"type": "Adam", "lrr": 1}, "did you mean 'lr'"),
        ({"type": "Adam", "lr": -1}, "0 or more"),
        ({"type": "Adam", "lr": "fast"}, "a number"),
        ({"type": "Adam", "betas": [0.9]}, "betas"),
        ({"type": "Adam", "betas": [1.0, 0.999]}, "'betas.[01]' should be less than 1, got 1.0"),
        ({"type": "Adam", "betas": [0.9, 1.5]}, "'betas.[01]' should be less than 1, got 1.5"),
        ({"type": "RMSprop", "rho": 1}, "'rho' should be less than 1"),
        ({"type": "SGD", "momentum": 2}, "'momentum' should be less than 1"),
        ({"type": "SGD", "lr": {"type": "cosin", "peak": 1}}, "did you mean 'cosine'"),
        ({"type": "SGD", "lr": {"type": "cosine"}}, "'peak' is missing"),
        ({"type": "SGD", "clip_norm": 0}, "greater than 0"),
        ({"lr": 1}, "'type' is missing"),
    ],
)
def test_mistakes_are_named(config: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Optimizer.from_config(config)
