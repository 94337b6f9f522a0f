"""The public gradient check: right gradients pass it, wrong ones do not, and a user's own layers go through it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import contract
import numpy as np
import pytest

from minidl import Input, Layer, Model
from minidl.graph.arrays import Array, Cache, Declaration, Out, Param, Shape
from minidl.graph.operations import rows
from minidl.layers import GRU, LSTM, MSE, RNN, Dense, Dropout, OneHot, SoftmaxCE
from minidl.layers.cell import Cell
from minidl.testing.gradcheck import Check, gradcheck


@dataclass(frozen=True)
class Highway(Layer):
    """A layer as a user writes it: some of the features pass through, some are changed.

    t = σ(x W),   y = t tanh(x) + (1 - t) x        x (..., F), W (F, F), y (..., F)
    """

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        return {"W": Param((x[-1], x[-1]), "glorot"), "t": Cache(x), "g": Cache(x), "y": Out(x)}

    def forward(self, x: Array, W: Array, t: Array, g: Array, y: Array) -> None:
        np.matmul(rows(x), W, out=rows(t))
        t[...] = 1 / (1 + np.exp(-t))
        np.tanh(x, out=g)
        y[...] = t * g + (1 - t) * x

    def backward(self, x: Array, W: Array, t: Array, g: Array, dy: Array, dW: Array, dx: Array | None) -> None:
        da = dy * (g - x) * t * (1 - t)
        np.matmul(rows(x).T, rows(da), out=dW)
        if dx is not None:
            dx[...] = dy * (t * (1 - g * g) + 1 - t) + da @ W.T


@dataclass(frozen=True)
class Magnitude(Layer):
    """y = |x|, which no complex step can pass: abs gives the length of a complex number."""

    analytic = False

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        return {"y": Out(x)}

    def forward(self, x: Array, y: Array) -> None:
        np.abs(x, out=y)

    def backward(self, x: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.multiply(dy, np.sign(x), out=dx)


@dataclass(frozen=True)
class WrongMagnitude(Magnitude):
    def backward(self, x: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            dx[...] = dy


@dataclass(frozen=True)
class Nearly(Dense):
    """Dense with one of its gradients off by a factor, in one entry or in all."""

    array: str = "dW"
    factor: float = 1.0
    one_entry: bool = False

    def backward(self, x: Array, W: Array, dy: Array, dW: Array, db: Array, dx: Array | None) -> None:
        super().backward(x, W, dy, dW, db, dx)
        wrong = {"dW": dW, "db": db, "dx": dx}[self.array]
        assert wrong is not None
        if self.one_entry:
            wrong.reshape(-1)[-1] *= self.factor
        else:
            wrong *= self.factor


@dataclass(frozen=True)
class NaNBehind(Dense):
    def backward(self, x: Array, W: Array, dy: Array, dW: Array, db: Array, dx: Array | None) -> None:
        super().backward(x, W, dy, dW, db, dx)
        dW[...] = np.nan


def x() -> Input:
    return Input("x", depth=4)


def away_from_zero(rng: np.random.Generator, *shape: int) -> Any:
    """Numbers at which |x| has a derivative within the reach of a difference."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2, shape)


def by_array(checks: list[Check]) -> dict[str, Check]:
    return {check.array: check for check in checks}


@pytest.mark.parametrize("name", sorted(contract.WIRINGS))
def test_every_layer_is_right_to_ten_digits(name: str) -> None:
    for wiring in contract.WIRINGS[name].values():
        model = contract.model_of(wiring)
        errors = {check.array: check.error for check in gradcheck(model, contract.feeds_of(model, 6, 2, seed=5))}
        assert max(errors.values(), default=0) <= 1e-10, errors


def test_a_layer_of_the_users_own_passes_the_whole_contract() -> None:
    def wiring(x: Input) -> Any:
        return Dense(3)(Highway()(Highway()(x)))

    for check in ("binding", "config", "gradient", "poison", "untouched", "dtype", "windows", "unneeded", "results"):
        contract.CHECKS[check](wiring)


def test_a_layer_that_is_not_analytic_is_checked_by_differences(rng: np.random.Generator) -> None:
    model = Model(outputs={"y": Dense(3)(Magnitude()(x()))})
    checks = gradcheck(model, {"x": away_from_zero(rng, 5, 2, 4)})
    assert [check.array for check in checks] == ["dense/W", "dense/b", "x"]
    assert all(check.passed and check.tolerance == 1e-8 for check in checks), checks


def test_differences_find_mistakes_too(rng: np.random.Generator) -> None:
    model = Model(outputs={"y": Dense(3)(WrongMagnitude()(x()))})
    checks = by_array(gradcheck(model, {"x": away_from_zero(rng, 5, 2, 4)}))
    assert not checks["x"].passed
    assert checks["dense/W"].passed


def test_a_complex_step_through_a_layer_that_is_not_analytic_fails(rng: np.random.Generator) -> None:
    """So that a forgotten `analytic = False` is noticed rather than believed."""

    @dataclass(frozen=True)
    class Forgetful(Magnitude):
        analytic = True

        def forward(self, x: Array, y: Array) -> None:
            y[...] = np.abs(x)

    checks = by_array(gradcheck(Model(outputs={"y": Forgetful()(x())}), {"x": away_from_zero(rng, 2, 1, 4)}))
    assert not checks["x"].passed


@pytest.mark.parametrize("array", ["dW", "db", "dx"])
@pytest.mark.parametrize("factor", [0.0, 0.5, -1.0, 2.0, 1 + 1e-7])
@pytest.mark.parametrize("one_entry", [False, True])
def test_one_wrong_gradient_is_found_and_named(
    array: str, factor: float, one_entry: bool, rng: np.random.Generator
) -> None:
    model = Model(outputs={"y": Nearly(3, array=array, factor=factor, one_entry=one_entry, name="dense")(x())})
    checks = by_array(gradcheck(model, {"x": rng.standard_normal((5, 2, 4))}))
    wrong = "x" if array == "dx" else f"dense/{array[1:]}"
    assert {name for name, check in checks.items() if not check.passed} == {wrong}
    assert checks[wrong].error > 1e-10


def test_nan_is_no_pass(rng: np.random.Generator) -> None:
    checks = by_array(gradcheck(Model(outputs={"y": NaNBehind(3, name="dense")(x())}), {"x": rng.random((2, 1, 4))}))
    assert not checks["dense/W"].passed
    assert checks["dense/b"].passed


def test_errors_of_opposite_sign_do_not_cancel(rng: np.random.Generator) -> None:
    @dataclass(frozen=True)
    class Balanced(Dense):
        def backward(self, x: Array, W: Array, dy: Array, dW: Array, db: Array, dx: Array | None) -> None:
            super().backward(x, W, dy, dW, db, dx)
            db[0] += 0.1
            db[1] -= 0.1

    checks = by_array(gradcheck(Model(outputs={"y": Balanced(3, name="dense")(x())}), {"x": rng.random((3, 2, 4))}))
    assert not checks["dense/b"].passed


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_state_that_is_carried_takes_part(layer: type[Cell], rng: np.random.Generator) -> None:
    """From a state of zeros alone, a window of one step would say nothing about Wh."""
    model = Model(outputs={"y": layer(3, name="cell")(x())})
    checks = by_array(gradcheck(model, {"x": rng.standard_normal((1, 2, 4))}))

    @dataclass(frozen=True)
    class Deaf(layer):  # type: ignore[valid-type, misc]
        def backward(self, dWh: Array, **arrays: Any) -> None:
            layer.backward(self, dWh=dWh, **arrays)
            dWh[...] = 0

        @classmethod
        def arguments(cls, function: str) -> list[str]:
            return layer.arguments(function)

    deaf = by_array(gradcheck(Model(outputs={"y": Deaf(3, name="cell")(x())}), {"x": rng.standard_normal((1, 2, 4))}))
    assert checks["cell/Wh"].passed
    assert not deaf["cell/Wh"].passed


def test_the_loss_is_what_is_checked_where_there_is_one(rng: np.random.Generator) -> None:
    ids, targets = (Input(name, dtype="int", depth=5) for name in ("ids", "targets"))
    model = Model(SoftmaxCE()(Dense(5)(LSTM(3, dropout=0.3, recurrent_dropout=0.3)(OneHot()(ids))), targets))
    feeds = {"ids": rng.integers(5, size=(6, 2)), "targets": rng.integers(-1, 5, size=(6, 2))}
    checks = gradcheck(model, feeds)
    assert [check.array for check in checks] == list(model.parameters)
    assert all(check.passed for check in checks)


def test_the_model_is_left_alone(rng: np.random.Generator) -> None:
    model = Model(MSE()(Dense(4)(Dropout(0.5)(LSTM(3)(x()))), Input("t", depth=4)))
    feeds = {name: rng.standard_normal((5, 2, 4)) for name in ("x", "t")}
    model.forward(**feeds)
    model.backward()
    weights, gradient = model.weights.flat.copy(), model.executor.gradient.copy()
    state, generators = model.executor.state_dict()
    gradcheck(model, feeds)
    np.testing.assert_array_equal(model.weights.flat, weights)
    np.testing.assert_array_equal(model.executor.gradient, gradient)
    contract.assert_same(model.executor.state_dict()[0], state, "after the check")
    assert model.executor.state_dict()[1] == generators


def test_the_same_seed_gives_the_same_errors(rng: np.random.Generator) -> None:
    model, feeds = Model(outputs={"y": LSTM(3)(x())}), {"x": rng.standard_normal((5, 2, 4))}
    assert gradcheck(model, feeds, seed=3) == gradcheck(model, feeds, seed=3)


def test_the_tolerance_can_be_set(rng: np.random.Generator) -> None:
    model, feeds = Model(outputs={"y": LSTM(3)(x())}), {"x": rng.standard_normal((5, 2, 4))}
    assert {check.tolerance for check in gradcheck(model, feeds, tolerance=1e-3)} == {1e-3}
    assert not any(check.passed for check in gradcheck(model, feeds, tolerance=-1.0))
