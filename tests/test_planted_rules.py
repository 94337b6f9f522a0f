"""Bugs planted into optimizers, schedules and layouts of other programs: the tests of each notice every one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from planted_bugs import Bug, planted
from test_import import MODELS, assert_same_bits
from test_optim import GOLDEN

from minidl.engine import dispatch
from minidl.exchange import write_onnx
from minidl.exchange.layouts import arrays_in
from minidl.optim import (
    Clock,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    Lion,
    OneCycle,
    Optimizer,
    Piecewise,
    Plateau,
    Polynomial,
    Restarts,
    Schedule,
    Step,
    Warmup,
)
from minidl.system.errors import MinidlError

HALF = math.sqrt(0.5)
# What each is at these steps of 10, by hand.
VALUES: list[tuple[Schedule, list[int], list[float]]] = [
    (Linear(1.0, final=0.2), [0, 5, 10, 20], [1.0, 0.6, 0.2, 0.2]),
    (Polynomial(1.0, power=2.0), [0, 5, 10], [1.0, 0.25, 0.0]),
    (Step(1.0, every=3, factor=0.5), [0, 2, 3, 6], [1.0, 1.0, 0.5, 0.25]),
    (Exponential(1.0, every=2, factor=0.5), [0, 1, 2], [1.0, HALF, 0.5]),
    (Piecewise((1.0, 0.5, 0.1), boundaries=(2, 5)), [1, 2, 4, 5], [1.0, 0.5, 0.5, 0.1]),
    (InverseSqrt(1.0, warmup_steps=4), [0, 3, 15], [0.25, 1.0, 0.5]),
    (Cosine(1.0, warmup_steps=2, final=0.2), [0, 1, 2, 6, 10], [0.5, 1.0, 1.0, 0.6, 0.2]),
    (Restarts(1.0, period=2, growth=3, decay=0.5), [0, 1, 2, 5, 8], [1.0, 0.5, 0.5, 0.25, 0.25]),
    (OneCycle(1.0, total_steps=11, rise=6 / 11, start=4.0), [0, 5, 10], [0.25, 1.0, 0.25e-4]),
    (Warmup(steps=4, then=0.8), [0, 3, 4], [0.2, 0.8, 0.8]),
]
# Validation losses, and how often a plateau was found: patience 2, then a rest of one.
PLATEAUS = [([1.0, 0.9, 0.9, 0.9], 1), ([1.0, 0.99, 0.98], 1), ([1.0] * 5, 1), ([1.0] * 6, 2), ([1.0, 0.5, 0.25], 0)]


def optimizers_follow_their_rules() -> None:
    for optimizer, golden in GOLDEN:
        w, fresh, seen = np.array([1.0]), Optimizer.from_config(optimizer.config()), []
        for _ in golden:
            fresh.update(w, 2 * w)
            seen.append(float(w[0]))
        np.testing.assert_allclose(seen, golden, rtol=0, atol=1e-12)
    lion, w = Lion(lr=0.1), np.array([0.0])
    for gradient in (1.0, -0.2):  # m is 0.01 by then, and 0.9 m - 0.1 · 0.2 is below 0
        lion.update(w, np.array([gradient]))
    np.testing.assert_allclose(w, 0, atol=1e-12)


def schedules_have_their_values() -> None:
    for schedule, steps, values in VALUES:
        found = [schedule.value(Clock(step, 10)) for step in steps]
        np.testing.assert_allclose(found, values, atol=1e-12, err_msg=repr(schedule))
    for losses, plateaus in PLATEAUS:
        plateau = Plateau(1.0, patience=2, factor=0.5, min_delta=0.05, cooldown=1)
        assert plateau.value(Clock(validation=losses)) == 0.5**plateaus


def weights_come_back(folder: Path) -> None:
    """What reads a layout is other code than what writes it."""
    for make in (MODELS[name] for name in ("LSTM", "GRU", "stack", "embedding and norm")):
        for layout in ("torch", "keras"):
            first, second = make(1), make(2)
            second.load_weights(arrays_in(first, layout), layout)
            assert_same_bits(first, second)
        first, second = make(1), make(2)
        write_onnx(first, folder / "model.onnx")
        second.load_weights(folder / "model.onnx")
        assert_same_bits(first, second)


def of(room: str, *bugs: tuple[str, str, str]) -> list[Bug]:
    return [
        Bug(f"{right} -> {wrong}", f"minidl.{room}.{module}", "", "", ((right, wrong),))
        for module, right, wrong in bugs
    ]


OPTIMIZERS = of(
    "optim",
    ("optimizer", "not history.bound.fits(arrays)", "False"),
    ("adam", "c1, c2 = 1 - beta1**t, math.sqrt(1 - beta2**t)", "c1, c2 = 1 - beta1, math.sqrt(1 - beta2)"),
    ("adam", "r *= lr * c2 / c1", "r *= lr"),
    ("adam", "w *= 1 - lr * current(self.weight_decay, clock)", "w *= 1 - current(self.weight_decay, clock)"),
    ("adam", "v = np.maximum(kept['v_max'], v, out=kept['v_max'])", "kept['v_max'][...] = v"),
    ("nadam", "0.96, t * self.momentum_decay", "0.96, self.momentum_decay"),
    ("nadam", "self.momentum(t + 1, clock)", "self.momentum(t, clock)"),
    ("nadam", "(1 + scalars['product']) * self", "self"),
    ("nadam", "g *= lr * (1 - now) / (1 - product)", "g *= lr * (1 - beta1) / (1 - product)"),
    ("nadam", "root /= math.sqrt(1 - beta2**t)", "pass"),
    ("nadam", "w *= 1 - lr * current(self.weight_decay, clock)", "pass"),
    ("sgd", "u *= momentum", "u *= 1 - momentum"),
    ("rmsprop", "r += current(self.eps, clock)", "r -= current(self.eps, clock)"),
    ("rmsprop", "1 - current(self.rho, clock)", "current(self.rho, clock)"),
    ("adagrad", "s += np.multiply(g, g, out=r)", "s[...] = np.multiply(g, g, out=r)"),
    ("lion", "np.sign(r, out=r)", "np.tanh(r, out=r)"),
    ("lion", "m += np.multiply(g, 1 - beta2, out=g)", "m += np.multiply(g, 1 - beta1, out=g)"),
    ("radam", "most = 2 / (1 - beta2) - 1", "most = 2 / (1 - beta2)"),
    ("radam", "r *= lr * scale * c2 / c1", "r *= lr * c2 / c1"),
    ("schedule_free", "r *= 1 - beta1", "r *= beta1"),
    ("schedule_free", "r /= math.sqrt(1 - beta2**t)", "r /= 1 - beta2**t"),
)
SCHEDULES = of(
    "optim.schedules",
    ("cosine", "clock.step < self.warmup_steps", "clock.step < self.warmup_steps - 1"),
    ("cosine", "max(1, total - self.warmup_steps)", "max(1, total)"),
    ("cosine", "(1 + math.cos(math.pi * fraction)) / 2", "(1 + math.cos(math.pi * fraction))"),
    ("cosine", "length * self.growth", "length + self.growth"),
    ("cosine", "last = self.end(clock, self.total_steps) - 1", "last = self.end(clock, self.total_steps)"),
    ("cosine", "low / self.end_divisor", "low"),
    ("decay", "clock.step // self.every", "clock.step / self.every"),
    (
        "decay",
        "sum(boundary <= clock.step for boundary in self.boundaries)",
        "sum(boundary < clock.step for boundary in self.boundaries)",
    ),
    ("decay", "self.initial + (self.final - self.initial) * fraction", "self.initial - self.initial * fraction"),
    ("decay", "t, w = clock.step + 1, self.warmup_steps", "t, w = clock.step, self.warmup_steps"),
    ("decay", "power(left, self.power)", "power(left, 1.0)"),
    ("plateau", "loss < best - margin", "loss < best + margin"),
    ("plateau", "waited == self.patience", "waited > self.patience"),
    ("plateau", "resting, waited = resting - 1, 0", "resting = resting - 1"),
    ("schedule", "(step + (not from_zero)) / max(1, steps)", "step / max(1, steps)"),
)
EXCHANGE = of(
    "exchange",
    ("keras_layout", 'np.stack([swapped(w["b"]), swapped(w["bh"])])', 'np.stack([swapped(w["bh"]), swapped(w["b"])])'),
    ("keras_layout", '"beta": w["bias"]', '"beta": w["gain"]'),
    ("torch_layout", '"weight_hh": w["Wh"].T', '"weight_hh": w["Wh"].T[::-1]'),
    ("torch_layout", 'w.get("bh", np.zeros_like(w["b"]))', 'np.zeros_like(w["b"])'),
    ("recurrent_operators", "order=(0, 3, 1, 2)", "order=(0, 1, 2, 3)"),
    ("recurrent_operators", "order=(1, 0, 2)", "order=(0, 1, 2)"),
    ("recurrent_operators", 'ordered(at.array("Wh")).T[None]', 'at.array("Wh").T[None]'),
    ("layouts", 'f"{key.removesuffix(\'_l0\')}_l{level}{end}"', 'f"{key.removesuffix(\'_l0\')}_l0{end}"'),
)  # fmt: skip


@pytest.fixture
def on_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, dispatch.NUMPY)


def label(bug: Bug) -> str:
    return f"{bug.module.rpartition('.')[2]}: {bug.label}"


@pytest.mark.parametrize(
    ("bugs", "check"), [(OPTIMIZERS, optimizers_follow_their_rules), (SCHEDULES, schedules_have_their_values)]
)
def test_rules(bugs: list[Bug], check: Callable[[], None], on_numpy: None) -> None:
    notices_all(check, bugs)


def notices_all(check: Callable[[], None], bugs: list[Bug]) -> None:
    """A check passes before and after each bug is planted, and rejects it meanwhile."""
    check()
    for bug in bugs:
        with planted(bug):
            noticed = fails(check)
        assert noticed, f"nobody noticed {label(bug)}"
    check()


def fails(check: Callable[[], None]) -> bool:
    """Whether a check rejects what is there now."""
    try:
        check()
    except (AssertionError, ArithmeticError, MinidlError):
        return True
    return False


def test_layouts(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is missing: pip install 'minidl[export]'")
    notices_all(lambda: weights_come_back(tmp_path), EXCHANGE)
