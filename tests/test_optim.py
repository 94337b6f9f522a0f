"""Every registered optimizer, found by introspection, keeps the same promises."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import re
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.graph.operations import norm
from minidl.layers import LSTM, MSE, Dense
from minidl.optim import SGD, Adagrad, Adam, AdamW, Lion, Muon, NAdam, Optimizer, RAdam, RMSprop, ScheduleFree
from minidl.optim.schedules import Clock, Constant, Cosine, Step
from minidl.system.errors import CheckpointError, ConfigError, DataError, NumericsError, UsageError

OPTIMIZERS = [
    SGD(lr=0.05),
    SGD(lr=0.02, momentum=0.9),
    SGD(lr=0.02, momentum=0.9, nesterov=True),
    RMSprop(lr=0.01),
    Adam(lr=0.05),
    Adam(lr=0.05, betas=(0.8, 0.99), weight_decay=1e-4),
    Adam(lr=0.05, betas=(0.8, 0.9), amsgrad=True),
    Adam(lr=0.05, eps=1e-3, dialect="keras"),
    Adam(lr=0.05, l2=1e-4),
    AdamW(lr=0.05, weight_decay=1e-4),
    Adagrad(lr=0.5, initial=0.1),
    Lion(lr=0.003, betas=(0.5, 0.6), weight_decay=1e-3),
    Muon(lr=0.02, adam_lr=0.05),
    NAdam(lr=0.02, weight_decay=1e-4),
    RAdam(lr=0.05, betas=(0.9, 0.99), weight_decay=1e-4),
    ScheduleFree(lr=0.05, betas=(0.9, 0.99), weight_decay=1e-4),
]


Array = NDArray[Any]
Arrays = list[Array]


def again(optimizer: Optimizer) -> Optimizer:
    """The same without a history."""
    return type(optimizer).from_config(optimizer.config())


@pytest.fixture
def gradients() -> Arrays:
    return list(np.random.default_rng(2).standard_normal((20, 6)))


def of_adam(o: Any, x: float, gradients: list[float]) -> float:
    m = v = largest = 0.0
    for t, g in enumerate(gradients, start=1):
        g += o.l2 * x
        m, v = o.betas[0] * m + (1 - o.betas[0]) * g, o.betas[1] * v + (1 - o.betas[1]) * g * g
        largest = max(largest, v) if o.amsgrad else v
        correct = 1 - o.betas[1] ** t
        root = (largest / correct) ** 0.5 + (o.eps if o.dialect == "paper" else o.eps / correct**0.5)
        x -= o.lr * (m / (1 - o.betas[0] ** t) / root + o.weight_decay * x)
    return x


def of_muon(o: Any, x: float, gradients: list[float]) -> float:
    """Vectors are moved by Adam."""
    return of_adam(Adam(o.adam_lr, o.adam_betas, o.adam_eps, o.weight_decay), x, gradients)


def of_rmsprop(o: Any, x: float, gradients: list[float]) -> float:
    v = 0.0
    for g in gradients:
        v = o.rho * v + (1 - o.rho) * g * g
        x -= o.lr * g / (v**0.5 + o.eps)
    return x


def of_sgd(o: Any, x: float, gradients: list[float]) -> float:
    u = 0.0
    for g in gradients:
        u = o.momentum * u + g
        x -= o.lr * (g + o.momentum * u if o.nesterov else u)
    return x


def of_adagrad(o: Any, x: float, gradients: list[float]) -> float:
    s = o.initial
    for g in gradients:
        s += g * g
        x -= o.lr * g / (s**0.5 + o.eps)
    return x


def of_lion(o: Any, x: float, gradients: list[float]) -> float:
    m = 0.0
    for g in gradients:
        x -= o.lr * (math.copysign(1.0, o.betas[0] * m + (1 - o.betas[0]) * g) + o.weight_decay * x)
        m = o.betas[1] * m + (1 - o.betas[1]) * g
    return x


def of_nadam(o: Any, x: float, gradients: list[float]) -> float:
    m, v, product = 0.0, 0.0, 1.0
    for t, g in enumerate(gradients, start=1):
        now, following = (o.betas[0] * (1 - 0.5 * 0.96 ** (k * o.momentum_decay)) for k in (t, t + 1))
        product *= now
        m, v = o.betas[0] * m + (1 - o.betas[0]) * g, o.betas[1] * v + (1 - o.betas[1]) * g * g
        ahead = following * m / (1 - product * following) + (1 - now) * g / (1 - product)
        x -= o.lr * (ahead / ((v / (1 - o.betas[1] ** t)) ** 0.5 + o.eps) + o.weight_decay * x)
    return x


def of_radam(o: Any, x: float, gradients: list[float]) -> float:
    m, v, b2 = 0.0, 0.0, o.betas[1]
    most = 2 / (1 - b2) - 1
    for t, g in enumerate(gradients, start=1):
        m, v = o.betas[0] * m + (1 - o.betas[0]) * g, b2 * v + (1 - b2) * g * g
        rho = most - 2 * t * b2**t / (1 - b2**t)
        step = m / (1 - o.betas[0] ** t)
        if rho > 5:
            scale = ((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) ** 0.5
            step *= scale * (1 - b2**t) ** 0.5 / (v**0.5 + o.eps)
        x -= o.lr * (step + o.weight_decay * x)
    return x


def of_schedule_free(o: Any, y: float, gradients: list[float]) -> float:
    v, x, z = 0.0, y, y
    for t, g in enumerate(gradients, start=1):
        v = o.betas[1] * v + (1 - o.betas[1]) * g * g
        z -= o.lr * (g / ((v / (1 - o.betas[1] ** t)) ** 0.5 + o.eps) + o.weight_decay * y)
        x = (1 - 1 / t) * x + z / t
        y = o.betas[0] * x + (1 - o.betas[0]) * z
    return y


NAIVE: dict[type[Optimizer], Callable[[Any, float, list[float]], float]] = {
    SGD: of_sgd,
    RMSprop: of_rmsprop,
    Adagrad: of_adagrad,
    Adam: of_adam,
    AdamW: of_adam,
    Lion: of_lion,
    Muon: of_muon,
    NAdam: of_nadam,
    RAdam: of_radam,
    ScheduleFree: of_schedule_free,
}


def naive(optimizer: Optimizer, w: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    """The equations of the papers, one entry after the other in Python floats."""
    rule = NAIVE[type(optimizer)]
    return np.array([rule(optimizer, x, [float(g[i]) for g in gradients]) for i, x in enumerate(w.tolist())])


def test_every_registered_optimizer_is_tried() -> None:
    assert {type(optimizer) for optimizer in OPTIMIZERS} == set(Optimizer.types().values())


@pytest.fixture(params=OPTIMIZERS, ids=repr)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return again(request.param)


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
            kept, other = other.state_dict(), type(optimizer).from_config(optimizer.config())
            other.load_state_dict(kept)
        other.update(broken, gradient.copy())
    assert straight.tobytes() == broken.tobytes()


def test_a_copy_goes_on_by_itself(optimizer: Optimizer) -> None:
    w, g = np.ones(50, np.float32), np.empty(50, np.float32)

    def moved(by: Optimizer) -> bytes:
        w[...], g[...] = 1, 0.5
        by.update(w, g)
        return w.tobytes()

    moved(optimizer)
    twin, kept = copy.deepcopy(optimizer), optimizer.state_dict()
    of_twin = moved(twin)
    for name, value in optimizer.state_dict().items():
        np.testing.assert_array_equal(value, kept[name])
    assert moved(optimizer) == of_twin


def test_keeps_the_dtype(optimizer: Optimizer) -> None:
    w = np.ones(5, np.float32)
    optimizer.update(w, np.ones(5, np.float32))
    assert w.dtype == np.float32
    assert all(slot.dtype == np.float32 for slot in optimizer.history.slots.values())


def test_refuses_a_gradient_that_is_not_finite_and_leaves_the_weights(optimizer: Optimizer) -> None:
    w = np.ones(3)
    for bad in (np.nan, np.inf):
        with pytest.raises(NumericsError, match="not been changed"):
            optimizer.update(w, np.array([1.0, bad, 1.0]))
    np.testing.assert_array_equal(w, 1)
    assert optimizer.history.steps == 0


def test_refuses_weights_of_another_model() -> None:
    adam = Adam()
    adam.update(np.ones(3), np.ones(3))
    with pytest.raises(UsageError, match="one optimizer for each model"):
        adam.update(np.ones(4), np.ones(4))


# f(w) = w², from w = 1: what torch.optim 2.13.0, optax 0.2.8 (Lion) and schedulefree 1.4.1 give in float64.
GOLDEN: list[tuple[Optimizer, list[float]]] = [
    (Adam(lr=0.1), [0.9000000005, 0.800412228691, 0.701586272946, 0.603939060573, 0.507963659264]),
    (
        Adam(lr=0.1, amsgrad=True),
        [0.9000000005, 0.800412228691, 0.701586272946, 0.603939060573, 0.507963659264],
    ),
    (
        Adam(lr=0.1, betas=(0.9, 0.5), amsgrad=True),
        [
            *(0.9000000005, 0.798625463548, 0.695472263833, 0.595552176002),
            *(0.501097206844, 0.413093635584, 0.331931419499, 0.257701093906),
        ],
    ),
    (
        Adam(lr=0.1, l2=0.1),
        [0.900000000476, 0.800412228643, 0.701586272871, 0.603939060473, 0.507963659137],
    ),
    (AdamW(lr=0.1), [0.8990000005, 0.798519027168, 0.698911183158, 0.600598574159, 0.504080090087]),
    (
        SGD(lr=0.1, momentum=0.9, nesterov=True),
        [0.62, 0.2224, -0.108352000000, -0.324823040000, -0.415717580800],
    ),
    (
        RMSprop(lr=0.1),
        [0.683772238983, 0.498870613507, 0.369180560291, 0.272824891809, 0.199795160277],
    ),
    (Adagrad(lr=0.1), [0.900000000005, 0.833103526845, 0.780456181356, 0.736223132661, 0.697714862054]),
    (
        RAdam(lr=0.1, betas=(0.9, 0.5)),
        [0.8, 0.621052631578, 0.462303359875, 0.322829633310, 0.201647963080],
    ),
    (
        RAdam(lr=0.1, betas=(0.9, 0.9)),
        [
            0.8,
            0.621052631578,
            0.462303359875,
            0.322829633310,
            0.201647963080,
            0.178950683245,
            0.150708849748,
            0.118361389563,
        ],
    ),
    (Lion(lr=0.1, weight_decay=0.1), [0.89, 0.7811, 0.673289, 0.566556110000, 0.460890548900]),
    (
        ScheduleFree(lr=0.1),
        [0.9000000005, 0.847965389715, 0.796830076255, 0.746759667358, 0.697854324779],
    ),
    (NAdam(lr=0.1), [0.894354822693, 0.819973070633, 0.752729266381, 0.687716051182, 0.623662891907]),
    (
        NAdam(lr=0.1, weight_decay=0.1, momentum_decay=0.5),
        [0.884039318229, 0.801689246246, 0.7279999186, 0.65778287967, 0.589561891677],
    ),
]


@pytest.mark.parametrize(("optimizer", "golden"), GOLDEN, ids=lambda value: repr(value)[:30])
def test_golden_trajectory(optimizer: Optimizer, golden: list[float]) -> None:
    w, fresh, seen = np.array([1.0]), Optimizer.from_config(optimizer.config()), []
    for _ in golden:
        fresh.update(w, 2 * w)
        seen.append(float(w[0]))
    np.testing.assert_allclose(seen, golden, rtol=0, atol=1e-12)


def test_clipping() -> None:
    w, g = np.zeros(2), np.array([3.0, 4.0])
    sgd = SGD(lr=1.0, clip_norm=1.0)
    sgd.update(w, g)
    np.testing.assert_allclose(w, [-0.6, -0.8])
    assert sgd.history.grad_norm == 5.0
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
    hints = typing.get_type_hints(kind)
    numbers = {
        field.name: 0.5 if field.default is None else field.default
        for field in dataclasses.fields(kind)
        if "Schedule" in str(hints[field.name])
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
    assert (sgd.history.grad_norm, sgd.history.clipped_by) == (8.0, 32.0)


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
    assert (w[0], optimizer.history.steps) == (1.0, 0)


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


def trajectory(optimizer: Optimizer, gradients: Arrays, shape: tuple[int, ...] = (6,)) -> Array:
    w = np.linspace(-1, 1, 6).reshape(shape)
    for gradient in gradients:
        optimizer.update(w, gradient.copy().reshape(shape))
    return w


TORCH = [
    (SGD(lr=0.1, momentum=0.9, nesterov=True), "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (SGD(lr=0.1, momentum=0.9, l2=0.1), "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    (RMSprop(lr=0.01, rho=0.9), "RMSprop", {"lr": 0.01, "alpha": 0.9}),
    (Adagrad(lr=0.1, initial=0.3), "Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.3}),
    (Adam(lr=0.01, amsgrad=True), "Adam", {"lr": 0.01, "amsgrad": True}),
    (Adam(lr=0.01, l2=0.1), "Adam", {"lr": 0.01, "weight_decay": 0.1}),
    (AdamW(lr=0.01), "AdamW", {"lr": 0.01}),
    (NAdam(lr=0.01), "NAdam", {"lr": 0.01}),
    (NAdam(lr=0.01, weight_decay=0.1), "NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (RAdam(lr=0.01, weight_decay=0.1), "RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
]


@pytest.mark.parametrize(("ours", "name", "settings"), TORCH, ids=lambda value: repr(value)[:50])
def test_agrees_with_torch(ours: Optimizer, name: str, settings: dict[str, Any], gradients: Arrays) -> None:
    """To the rounding of float64, but for NAdam, whose product of momenta PyTorch keeps in float32."""
    torch = pytest.importorskip("torch", reason="PyTorch is the extra [torch]")
    theirs = torch.nn.Parameter(torch.linspace(-1, 1, 6, dtype=torch.float64))
    peer = getattr(torch.optim, name)([theirs], **settings)
    for gradient in gradients:
        theirs.grad = torch.tensor(gradient)
        peer.step()
    tolerance = 1e-8 if name == "NAdam" else 1e-12
    expected = theirs.detach().numpy()
    np.testing.assert_allclose(trajectory(again(ours), gradients), expected, rtol=tolerance, atol=tolerance)


def test_muon_agrees_with_torch(gradients: Arrays) -> None:
    """PyTorch iterates in bfloat16, with 8 bits; its matrices lie on their side."""
    torch = pytest.importorskip("torch", reason="PyTorch is the extra [torch]")
    theirs = torch.nn.Parameter(torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3).T.contiguous())
    peer = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1)
    for gradient in gradients:
        theirs.grad = torch.tensor(gradient).reshape(2, 3).T.contiguous()
        peer.step()
    ours = trajectory(Muon(lr=0.01, weight_decay=0.1), gradients, (2, 3))
    assert (
        np.abs(ours - theirs.detach().numpy().T).max() < 0.01 * np.abs(ours - np.linspace(-1, 1, 6).reshape(2, 3)).max()
    )


def test_agrees_with_optax(gradients: Arrays) -> None:
    optax = pytest.importorskip("optax", reason="optax is the extra [bench]")
    jax = pytest.importorskip("jax", reason="jax is the extra [bench]")
    muon = {"lr": 0.01, "weight_decay": 0.1, "nesterov": False}
    pairs = [
        (Lion(lr=0.01, weight_decay=0.1), optax.lion(0.01, weight_decay=0.1), (6,), 1e-12),
        (Muon(**muon), optax.contrib.muon(0.01, weight_decay=0.1, nesterov=False, eps=1e-7), (2, 3), 1e-6),
        (Muon(**muon), optax.contrib.muon(0.01, weight_decay=0.1, nesterov=False, eps=1e-7), (3, 2), 1e-6),
    ]
    with jax.enable_x64(True):
        for ours, peer, shape, tolerance in pairs:
            theirs = jax.numpy.linspace(-1, 1, 6).reshape(shape)
            kept = peer.init(theirs)
            for gradient in gradients:
                change, kept = peer.update(jax.numpy.asarray(gradient.reshape(shape)), kept, theirs)
                theirs = optax.apply_updates(theirs, change)
            np.testing.assert_allclose(trajectory(ours, gradients, shape), theirs, atol=tolerance)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_dialect_of_keras(gradients: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is the extra [torch]")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is the extra [torch]")
    theirs = keras.Variable(np.linspace(-1, 1, 6), dtype="float64")
    peer = keras.optimizers.Adam(learning_rate=0.01, epsilon=1e-3)
    peer.build([theirs])
    for gradient in gradients:
        peer.apply([keras.ops.convert_to_tensor(gradient)])
    expected = keras.ops.convert_to_numpy(theirs)
    ours = trajectory(Adam(lr=0.01, eps=1e-3, dialect="keras"), gradients)
    np.testing.assert_allclose(ours, expected, atol=1e-7)
    assert np.abs(trajectory(Adam(lr=0.01, eps=1e-3), gradients) - expected).max() > 1e-5


def small_model(seed: int = 0) -> Model:
    x = Input("x", depth=3)
    hidden = LSTM(2, name="lstm")(x)
    return Model(MSE()(Dense(1, name="out")(hidden), Input("targets", depth=1)), seed=seed, dtype="float64")


def run_backward(model: Model, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    model.reset_state()
    model.forward(x=rng.standard_normal((4, 2, 3)), targets=rng.standard_normal((4, 2, 1)))
    model.backward()


def stepped(optimizer: Optimizer, steps: int = 3) -> Model:
    model = small_model()
    for seed in range(steps):
        run_backward(model, seed)
        optimizer.step(model)
    return model


def test_groups_by_name_pattern() -> None:
    """Each parameter moves as it would if all had the hyperparameters of its group."""
    slow = {"lr": 0.001, "weight_decay": 0.0}
    model = small_model()
    run_backward(model)
    Adam(lr=0.1, weight_decay=0.5, groups={"lstm/*": {"lr": 0.01}, "*/b": slow}).step(model)
    for name, array in model.parameters.items():
        lr, decay = (0.001, 0.0) if name.endswith("/b") else (0.01, 0.5) if name.startswith("lstm") else (0.1, 0.5)
        alone = small_model()
        run_backward(alone)
        Adam(lr=lr, weight_decay=decay).step(alone)
        np.testing.assert_array_equal(array, alone.parameters[name])


def test_groups_survive_their_config() -> None:
    groups = {"lstm/*": {"lr": Cosine(0.1, total_steps=9), "betas": (0.8, 0.9)}, "*/b": {"freeze": 3}}
    adam = Adam(groups=groups)
    same = Optimizer.from_config(json.loads(json.dumps(adam.config())))
    assert same == adam
    assert hash(same) == hash(adam)
    assert same.groups["lstm/*"]["lr"] == Cosine(0.1, total_steps=9)


def test_frozen_parameters_do_not_move_until_they_thaw() -> None:
    """Their gradient does not count for the norm; once thawed they begin as at the first step."""
    first = {name: array.copy() for name, array in small_model().parameters.items()}
    adam = Adam(lr=0.1, groups={"lstm/*": {"freeze": 2}, "out/b": {"freeze": True}})
    model = small_model()
    for step in range(4):
        run_backward(model, step)
        whole = norm(model.executor.gradient)
        adam.step(model)
        moved = {name for name, array in model.parameters.items() if not np.array_equal(array, first[name])}
        assert moved == ({"out/W"} if step < 2 else {"out/W", "lstm/Wx", "lstm/Wh", "lstm/b"})
        assert adam.history.grad_norm < whole
        if step == 2:  # Adam's first step is lr long
            np.testing.assert_allclose(np.abs(model.parameters["lstm/Wx"] - first["lstm/Wx"]), 0.1, rtol=1e-3)


def test_muon_moves_matrices_alone() -> None:
    adam, muon = stepped(Adam(lr=0.003)), stepped(Muon(lr=0.1, adam_lr=0.003, adam=("out/*",)))
    same = {name for name, array in adam.parameters.items() if np.allclose(array, muon.parameters[name], atol=1e-3)}
    assert "lstm/Wx" not in same
    model, start = stepped(Muon(lr=0.1, adam=("out/*",)), steps=1), small_model()
    change = model.parameters["lstm/Wx"] - start.parameters["lstm/Wx"]
    singular = np.linalg.svd(change, compute_uv=False) / (0.1 * (8 / 3) ** 0.5)
    assert ((singular > 0.6) & (singular < 1.3)).all()


def test_schedule_free_evaluates_the_average() -> None:
    sf = ScheduleFree(lr=0.1)
    model = stepped(sf)
    average = sf.history.slots["x"]
    beta = sf.betas[0]
    np.testing.assert_allclose(model.weights.flat, beta * average + (1 - beta) * sf.history.slots["z"], rtol=1e-12)


def test_schedule_free_agrees_with_its_authors(gradients: Arrays) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the extra [torch]")
    schedulefree = pytest.importorskip("schedulefree", reason="schedulefree is the extra [bench]")
    theirs = torch.nn.Parameter(torch.linspace(-1, 1, 6, dtype=torch.float64))
    peer = schedulefree.AdamWScheduleFree([theirs], lr=0.01, weight_decay=0.1, foreach=False)
    peer.train()
    for gradient in gradients:
        theirs.grad = torch.tensor(gradient)
        peer.step()
    ours = ScheduleFree(lr=0.01, weight_decay=0.1)
    np.testing.assert_allclose(trajectory(ours, gradients), theirs.detach().numpy(), rtol=1e-12)
    peer.eval()
    np.testing.assert_allclose(ours.history.slots["x"], theirs.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"lstm/*": {"lrr": 0.1}}, "there is no 'lrr' in Adam; did you mean 'lr'"),
        ({"lstm/*": {"lr": -1}}, "'lr' should be 0 or more"),
        ({"lstm/*": {"lr": {"type": "cosin", "peak": 1}}}, "did you mean 'cosine'"),
        ({"lstm/*": {"clip_norm": 1.0}}, "'clip_norm' is of the whole gradient"),
        ({"lstm/*": {"freeze": -1}}, "'freeze' should be true, or a number of steps"),
        ({"lstm/*": 0.1}, "'groups.lstm/*' should be a mapping, got 0.1"),
    ],
)
def test_mistakes_in_groups_are_named(groups: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Adam(groups=groups)


def test_a_pattern_without_a_parameter_is_named() -> None:
    model = small_model()
    run_backward(model)
    with pytest.raises(ConfigError, match=re.escape("no parameter is named 'lstm/W'; did you mean 'lstm/Wx'?")):
        Adam(groups={"lstm/W": {"lr": 0.1}}).step(model)
    with pytest.raises(UsageError, match=re.escape("use step(model)")):
        Adam(groups={"lstm/*": {"lr": 0.1}}).update(np.ones(3), np.ones(3))


def test_a_step_needs_a_gradient() -> None:
    model = small_model()
    with pytest.raises(UsageError, match="there is no gradient yet"):
        Adam().step(model)
    model.forward(x=np.zeros((1, 1, 3)))
    with pytest.raises(DataError, match="the gradient of 'y' should be numbers"):
        Model.of(Dense(2), np.ones((3, 1, 4))).backward(y=None)


def test_a_history_of_another_optimizer_is_refused() -> None:
    sgd = SGD(momentum=0.9)
    sgd.update(np.ones(3), np.ones(3))
    with pytest.raises(CheckpointError, match="Adam keeps the arrays m, v, got u"):
        Adam().load_state_dict(sgd.state_dict())
