"""`check_layer` passes layers that keep the contract, and names what each planted bug of a user's layer does wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Layer, Model
from minidl.graph import initializers
from minidl.graph.arrays import LENGTHS, Array, Cache, InputSpec, Out, Param, State
from minidl.graph.operations import sigmoid, split, tanh
from minidl.layers import GRU, LSTM, RNN, Bidirectional, Cell, Dense, SoftmaxCE
from minidl.optim import SGD, Adam, Optimizer
from minidl.system.errors import CheckpointError, ConfigError, GraphError
from minidl.testing import LayerError, check_layer, check_optimizer

rng = np.random.default_rng(0)
X = rng.standard_normal((6, 3, 4))
CALLS: list[int] = []


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Layer, "registry", dict(Layer.registry))
    monkeypatch.setattr(initializers, "INITIALIZERS", dict(initializers.INITIALIZERS))
    CALLS.clear()


@dataclass(frozen=True)
class Slope(Layer):
    """A rectifier with a trained slope, as docs/own_layer.md has it, in pieces that can be broken one by one."""

    def arrays(self, x: Any) -> Any:
        return {"a": Param((x[-1],), "ones"), "low": Cache(x), "y": Out(x)}

    def forward(self, x: Array, a: Array, low: Array, y: Array) -> None:
        np.minimum(x, 0, out=low)
        y[...] = np.maximum(x, 0) + a * low

    def backward(self, x: Array, a: Array, low: Array, dy: Array, dx: Array | None, da: Array) -> None:
        da[...] = self.of_slope(low, dy)
        if dx is not None:
            dx[...] = self.of_input(x, a, dy)

    def of_slope(self, low: Array, dy: Array) -> Any:
        return np.sum(dy * low, axis=(0, 1))

    def of_input(self, x: Array, a: Array, dy: Array) -> Any:
        return dy * np.where(x > 0, 1, a)


@dataclass(frozen=True)
class Tiny(Cell):
    """A cell with one gate, in pieces that can be broken one by one."""

    gates = ("z", "n")

    def step(self, a: Array, h_prev: Array) -> Any:
        z, n = split(a, 2)
        z, n = sigmoid(z), tanh(n)
        return (z, n), (h_prev + z * (n - h_prev),)

    def step_back(self, gates: Array, h_prev: Array, dh: Array) -> Any:
        z, n = split(gates, 2)
        dz = dh * (n - h_prev) * z * (1 - z)
        dn = dh * z * (1 - n**2)
        return (dz, dn), (dh * (1 - z),)


def backward_of(change: Any) -> Any:
    def backward(self: Any, x: Array, a: Array, low: Array, dy: Array, dx: Array | None, da: Array) -> None:
        Slope.backward(self, x, a, low, dy, dx, da)
        change(self, x=x, a=a, low=low, dy=dy, dx=dx, da=da)

    return backward


def forward_of(change: Any) -> Any:
    def forward(self: Any, x: Array, a: Array, low: Array, y: Array) -> None:
        Slope.forward(self, x, a, low, y)
        change(self, x=x, a=a, low=low, y=y)

    return forward


def set_to(array: str, value: Any) -> Any:
    def change(self: Any, **arrays: Any) -> None:
        if arrays[array] is not None:
            arrays[array][...] = value(**arrays)

    return change


def adds(self: Any, x: Array, a: Array, low: Array, dy: Array, dx: Array | None, da: Array) -> None:
    da += self.of_slope(low, dy)
    if dx is not None:
        dx[...] = self.of_input(x, a, dy)


def adds_to_dx(self: Any, x: Array, a: Array, low: Array, dy: Array, dx: Array | None, da: Array) -> None:
    da[...] = self.of_slope(low, dy)
    if dx is not None:
        dx += self.of_input(x, a, dy)


def allocates_da(self: Any, x: Array, a: Array, low: Array, dy: Array, dx: Array | None, da: Array) -> None:
    da = self.of_slope(low, dy)  # noqa: F841
    if dx is not None:
        dx[...] = self.of_input(x, a, dy)


def allocates_y(self: Any, x: Array, a: Array, low: Array, y: Array) -> None:
    np.minimum(x, 0, out=low)
    y = np.maximum(x, 0) + a * low  # noqa: F841


def takes_dx_for_granted(self: Any, x: Array, a: Array, low: Array, dy: Array, dx: Array, da: Array) -> None:
    da[...] = self.of_slope(low, dy)
    dx[...] = self.of_input(x, a, dy)


def counts(self: Any, x: Array, a: Array, low: Array, y: Array) -> None:
    Slope.forward(self, x, a, low, y)
    CALLS.append(1)
    y *= 1 + 1e-3 * len(CALLS)


def forgets_last_row(self: Any, x: Array, a: Array, low: Array, y: Array) -> None:
    Slope.forward(self, x[:-1], a, low[:-1], y[:-1])


def in_half_precision(self: Any, x: Array, a: Array, low: Array, y: Array) -> None:
    Slope.forward(self, x, a, low, y)
    if y.dtype == np.float32:
        y[...] = y.astype(np.float16).astype(np.float32) * 1.01


def raises_value_error(self: Any, **arrays: Array) -> None:
    raise ValueError("shapes of my own")


def cell(**methods: Any) -> dict[str, Any]:
    return {"base": Tiny, **methods}


def step_back_with(make: Any) -> Any:
    def step_back(self: Any, gates: Array, h_prev: Array, dh: Array) -> Any:
        z, n = split(gates, 2)
        right = (dh * (n - h_prev) * z * (1 - z), dh * z * (1 - n**2), dh * (1 - z))
        dz, dn, before = make(z, n, h_prev, dh, *right)
        return (dz, dn), (before,)

    return step_back


BUGS: dict[str, tuple[dict[str, Any], str]] = {
    "da is added to": ({"backward": adds}, r"adds to da|da depends"),
    "dx is added to": ({"backward": adds_to_dx}, r"adds to dx|dx depends"),
    "da is a new array": ({"backward": allocates_da}, "leaves da unwritten"),
    "y is a new array": ({"forward": allocates_y}, "the output y unwritten"),
    "backward changes weights": (
        {"backward": backward_of(set_to("a", lambda a, **_: a * 0.9))},
        "changes the weights a",
    ),
    "forward changes weights": (
        {"forward": forward_of(set_to("a", lambda a, **_: a * 0.9))},
        "forward changes the weights",
    ),
    "backward changes its input": ({"backward": backward_of(set_to("x", lambda x, **_: 2 * x))}, "changes the input x"),
    "forward changes its input": ({"forward": forward_of(set_to("x", lambda x, **_: 2 * x))}, "changes the input x"),
    "backward changes dy": ({"backward": backward_of(set_to("dy", lambda dy, **_: 2 * dy))}, "changes dy"),
    "backward uses up a cache": ({"backward": backward_of(set_to("low", lambda **_: 0))}, "changes low"),
    "something is kept between calls": ({"forward": counts}, "keeps something between calls"),
    "a row is left as it was": ({"forward": forgets_last_row}, "the output y"),
    "dx is taken for granted": ({"backward": takes_dx_for_granted}, "cannot do without dx"),
    "a factor forgotten": ({"of_slope": lambda self, low, dy: np.sum(dy, axis=(0, 1))}, "da is not the derivative"),
    "a sign": ({"of_input": lambda self, x, a, dy: -dy * np.where(x > 0, 1, a)}, "dx is not the derivative"),
    "a factor of two in one entry": (
        {"backward": backward_of(set_to("da", lambda da, **_: da * np.r_[2, np.ones(da.size - 1)]))},
        "da is not the derivative",
    ),
    "the mean for the sum": ({"of_slope": lambda self, low, dy: np.mean(dy * low, axis=(0, 1))}, "da is not the"),
    "float32 is not float64": ({"forward": in_half_precision}, "float32"),
    "an error of its own": ({"forward": raises_value_error}, "raises .*shapes of my own"),
    "cell: a slope forgotten": (
        cell(step_back=step_back_with(lambda z, n, h, d, dz, dn, b: (dz / z, dn, b))),
        "derivative",
    ),
    "cell: the way past the gate": (
        cell(step_back=step_back_with(lambda z, n, h, d, dz, dn, b: (dz, dn, 0 * b))),
        "deriv",
    ),
    "cell: a sign in dz": (cell(step_back=step_back_with(lambda z, n, h, d, dz, dn, b: (-dz, dn, b))), "deriv"),
    "cell: gates exchanged": (cell(step_back=step_back_with(lambda z, n, h, d, dz, dn, b: (dn, dz, b))), "derivative"),
    "cell: dh used up": (cell(step_back=step_back_with(lambda z, n, h, d, dz, dn, b: (dz, dn, d))), "derivative"),
}


def broken(methods: dict[str, Any]) -> Layer:
    methods = dict(methods)
    base = methods.pop("base", Slope)
    kind = dataclass(frozen=True)(type("Broken", (base,), {"__module__": __name__, **methods}))
    return kind(5) if base is Tiny else kind()


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_named(bug: str) -> None:
    methods, words = BUGS[bug]
    with pytest.raises(LayerError, match=words):
        check_layer(broken(methods), X)


def test_there_are_enough() -> None:
    assert len(BUGS) >= 20


@pytest.mark.parametrize("layer", [Slope(), Tiny(5), LSTM(5, recurrent_dropout=0.3), GRU(5), RNN(5), Dense(3)])
def test_what_the_bugs_are_planted_into_passes(layer: Layer) -> None:
    assert all(point.passed for point in check_layer(layer, X))


def test_lengths_first_states_and_targets_may_be_given() -> None:
    assert check_layer(LSTM(5), X, np.array([6, 3, 1]), h0=rng.standard_normal((3, 5)))
    assert check_layer(Bidirectional(GRU(5), merge="mean"), X, np.array([6, 3, 1]))
    assert check_layer(SoftmaxCE(), X, rng.integers(4, size=(6, 3)))


def test_padding_that_is_read_is_noticed() -> None:
    @dataclass(frozen=True)
    class Sum(Layer):
        """The sum of the steps of each sequence, padding and all."""

        inputs = {"x": InputSpec("T B F"), "lengths": LENGTHS}

        def arrays(self, x: Any, lengths: Any = None) -> Any:
            return {"y": Out(x[1:])}

        def forward(self, x: Array, y: Array) -> None:
            np.sum(x, axis=0, out=y)

        def backward(self, dy: Array, dx: Array | None) -> None:
            if dx is not None:
                dx[...] = dy

    with pytest.raises(LayerError, match="past the end"):
        check_layer(Sum(), X, np.array([6, 3, 1]))


def test_a_state_that_is_not_carried_is_noticed() -> None:
    @dataclass(frozen=True)
    class Forgetful(Layer):
        """A running sum that begins anew in each window."""

        inputs = {"x": InputSpec("T B F")}

        def arrays(self, x: Any) -> Any:
            return {"h": State((x[0] + 1, *x[1:])), "y": Out(x, steps_of="h")}

        def forward(self, x: Array, h: Array) -> None:
            h[0] = 0
            np.cumsum(x, axis=0, out=h[1:])

        def backward(self, dy: Array, dx: Array | None) -> None:
            if dx is not None:
                dx[...] = np.cumsum(dy[::-1], axis=0)[::-1]

    with pytest.raises(LayerError, match="two windows"):
        check_layer(Forgetful(), X)


@pytest.mark.parametrize("name", [name for name, kind in Optimizer.types().items() if "minidl." in kind.__module__])
def test_every_optimizer_keeps_the_contract(name: str) -> None:
    assert all(point.passed for point in check_optimizer(Optimizer.types()[name]()))


def test_optimizers_pass_and_a_wrong_one_is_named() -> None:
    assert check_optimizer(Adam())
    assert check_optimizer(SGD(momentum=0.9))

    @dataclass(frozen=True)
    class Uphill(Optimizer):
        def rule(self, w: Array, g: Array, t: int, clock: Any, r: Array, **kept: Array) -> None:
            w += 0.1 * g

    try:
        with pytest.raises(LayerError, match="downhill"):
            check_optimizer(Uphill())
    finally:
        Optimizer.registry.pop("Uphill", None)


def half(out: Array, rng: np.random.Generator) -> None:
    out[...] = 0.5


def test_a_function_in_the_place_of_an_initializer(tmp_path: Path) -> None:
    """It is known by its name; a file is loaded where nobody knows that name."""
    layer = Bidirectional(LSTM(2, init={"Wh": half}))  # type: ignore[dict-item]
    assert check_layer(layer, X)
    assert Layer.from_config(layer.config()) == layer
    model = Model.of(layer, X)
    assert (model.parameters["bidirectional_forward/Wh"] == 0.5).all()
    model.save(tmp_path / "model.npz")
    del initializers.INITIALIZERS["half"]
    assert (Model.load(tmp_path / "model.npz").parameters["bidirectional_forward/Wh"] == 0.5).all()


def test_a_function_without_a_name_is_no_initializer_of_a_layer() -> None:
    with pytest.raises(ConfigError, match="with def and not with lambda"):
        Dense(2, init={"W": lambda out, rng: None})  # type: ignore[dict-item]


def test_a_file_with_an_unknown_layer_says_what_to_do(tmp_path: Path) -> None:
    Model.of(Slope(), X).save(tmp_path / "model.npz")
    del Layer.registry["Slope"]
    with pytest.raises(CheckpointError, match="its layers imported"):
        Model.load(tmp_path / "model.npz")


@pytest.mark.parametrize(("array", "says"), [("W", "forget_one is for 1 axes"), ("b", "columns of 4 gates")])
def test_an_initializer_of_gates_is_for_gates(array: str, says: str) -> None:
    with pytest.raises(GraphError, match=says):
        Model.of(Dense(3, init={array: "forget_one"}), X)


def test_an_input_too_many_is_refused() -> None:
    for tried in (check_layer, Model.of):
        with pytest.raises(GraphError, match="Dense takes the inputs x; it got 2"):
            tried(Dense(3), X, X)
