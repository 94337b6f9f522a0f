"""Every registered layer passes the whole contract, in every wiring; no layer can escape it."""

from __future__ import annotations

import json
from collections.abc import Callable

import contract
import numpy as np
import pytest
from contract import KINDS, feeds_of, model_of, run

from minidl import Input, Layer, Model
from minidl.layers import GRU, LSTM, RNN, SLSTM, Activation, Bidirectional, Dense, Dropout, Embedding, LayerNorm
from minidl.layers.cell import Cell
from minidl.system.errors import ConfigError, UsageError
from minidl.testing.check_model import layers_as_fed, tried_alone

# What a layer promises by itself is in the public contract, `check_layer`; of whole graphs it is tried on a few.
OF_LAYERS = ("config", "poison", "untouched", "dtype", "windows", "unneeded")
WIRINGS = [(name, label) for name, wirings in contract.WIRINGS.items() for label in wirings]
TRIALS = [
    pytest.param(contract.WIRINGS[name][label], check, id=f"{name}-{label}-{what}")
    for name, label in WIRINGS
    for what, check in contract.CHECKS.items()
    if name in ("Graph", "Bidirectional") or what not in OF_LAYERS
]


@pytest.mark.parametrize(("wiring", "check"), TRIALS)
def test_contract(wiring: contract.Wiring, check: Callable[[contract.Wiring], None]) -> None:
    check(wiring)


@pytest.mark.parametrize(("name", "label"), WIRINGS)
def test_each_layer_keeps_the_public_contract(name: str, label: str) -> None:
    """As its author would try it, on what it is fed in the wiring."""
    model = model_of(contract.WIRINGS[name][label])
    for node, layer, fed in layers_as_fed(model, feeds_of(model, 6, 3)):
        case = (repr(layer), *((port, array.shape) for port, array in fed.items()))
        if case not in TRIED:
            assert [point for point in tried_alone(layer, fed) if not point.passed] == [], node
        TRIED.add(case)


TRIED: set[tuple[object, ...]] = set()  # layers that several wirings have alike


def test_every_registered_layer_has_a_case() -> None:
    assert contract.uncovered() == []
    assert contract.CASES.keys() <= Layer.types().keys()


def test_a_layer_without_a_case_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Layer, "registry", dict(Layer.registry))  # the class enters a copy, which goes with the test
    type("Newcomer", (LSTM,), {"__module__": "minidl.layers.newcomer"})
    assert contract.uncovered() == ["Newcomer"]


@pytest.mark.parametrize("name", sorted(contract.CASES))
def test_each_case_holds_its_layer(name: str) -> None:
    for label, wiring in contract.CASES[name].items():
        types = {type(node.layer).__name__ for node in model_of(wiring).graph.nodes.values()}
        assert name in types or name == "Bidirectional", label


@pytest.mark.parametrize(
    "layer",
    [
        Bidirectional(LSTM(3, recurrent_dropout=0.1), name="both"),
        Bidirectional(RNN(3, activation="relu")),
        GRU(4, dropout=0.5, name="gru"),
        Dense(2, tied_to="embedding"),
    ],
    ids=repr,
)
def test_config_round_trip_of_nested_and_named_layers(layer: Layer) -> None:
    again = Layer.from_config(json.loads(json.dumps(layer.config())))
    assert again == layer
    assert hash(again) == hash(layer)
    assert repr(again) == repr(layer)


def test_layers_with_other_settings_are_not_equal() -> None:
    layers = [LSTM(3), LSTM(4), LSTM(3, dropout=0.1), LSTM(3, name="a"), GRU(3), RNN(3), RNN(3, activation="relu")]
    assert len(set(layers)) == len(layers)
    assert all((a == b) == (a is b) for a in layers for b in layers)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "units.*greater than 0"),
        (lambda: LSTM(-1), "units.*greater than 0"),
        (lambda: Embedding("many"), "units.*whole number"),  # type: ignore[arg-type]
        (lambda: Dropout(1.0), "rate.*less than 1"),
        (lambda: GRU(3, recurrent_dropout=-0.1), "recurrent_dropout.*0 or more"),
        (lambda: Activation("tahn"), "kind.*tanh"),  # type: ignore[arg-type]
        (lambda: LayerNorm(eps=0.0), "eps.*greater than 0"),
        (lambda: Layer.from_config({"type": "LSTN", "units": 3}), "LSTM"),
        (lambda: Layer.from_config({"type": "LSTM", "unit": 3}), "units"),
        (lambda: Layer.from_config({"type": "LSTM"}), "units"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], Layer], message: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){message}"):
        make()


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_recurrent_layers_start_as_documented(layer: type[Cell]) -> None:
    """Glorot for each gate's input weights, orthogonal recurrent blocks, zero biases but for the forget gate's."""
    H, F = 6, 10
    model = Model(outputs={"y": layer(H, name="cell")(Input("x", depth=F))}, dtype="float64")
    Wx, Wh, b = (model.parameters[f"cell/{name}"] for name in ("Wx", "Wh", "b"))
    assert np.abs(Wx).max() <= np.sqrt(6 / (F + H))
    assert np.abs(Wx).max() > 0.8 * np.sqrt(6 / (F + H))
    for k in range(len(layer.gates)):
        block = Wh[:, k * H : (k + 1) * H]
        np.testing.assert_allclose(block.T @ block, np.eye(H), atol=1e-12)
    expected = np.zeros_like(b)
    if layer is LSTM:
        expected[H : 2 * H] = 1
    np.testing.assert_array_equal(b, expected)


def test_dropout_drops_its_share_in_training_only(rng: np.random.Generator) -> None:
    model = Model(outputs={"y": Dropout(0.3)(Input("x", depth=50))}, dtype="float64")
    x = rng.standard_normal((40, 10, 50))
    y = model.forward(x=x)["y"]
    assert abs((y == 0).mean() - 0.3) < 0.01
    np.testing.assert_allclose(y[y != 0], x[y != 0] / 0.7)
    first = y.copy()
    assert (model.forward(x=x)["y"] != first).any(), "each call draws anew"
    np.testing.assert_array_equal(model.replica(training=False).forward(x=x)["y"], x)


def test_the_same_mask_at_every_step(rng: np.random.Generator) -> None:
    model = Model(outputs={"y": Dropout(0.5, same_at_every_step=True)(Input("x", depth=20))})
    y = model.forward(x=1 + rng.random((6, 4, 20)))["y"]
    dropped = y == 0
    assert (dropped == dropped[0]).all()
    assert 0 < dropped[0].mean() < 1


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_recurrent_dropout_drops_weights_in_training_only(layer: type[Cell], rng: np.random.Generator) -> None:
    plain, dropped = (
        model_of(lambda x, settings=settings: layer(11, name="cell", **settings)(x))
        for settings in ({}, {"recurrent_dropout": 0.4})
    )
    feeds = {"x": KINDS["x"].sample(rng, 5, 3)}
    assert (dropped.forward(**feeds)["y"][1:] != plain.forward(**feeds)["y"][1:]).any()
    kept = dropped.arrays["cell/mask"]
    assert 0.4 < (kept > 0).mean() < 0.8
    assert set(np.unique(kept)) == {0, 1 / 0.6}
    validation, expected = dropped.replica(), plain.replica()
    np.testing.assert_array_equal(validation.forward(**feeds)["y"], expected.forward(**feeds)["y"])


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM, SLSTM])
def test_state_dropout_drops_what_recurrent_weights_see(layer: type[Cell], rng: np.random.Generator) -> None:
    """A mask of whole units has the effect of weights without their rows, where all sequences have the same mask."""
    dropped = model_of(lambda x: layer(11, name="cell", state_dropout=0.4)(x))
    masked = model_of(lambda x: layer(11, name="cell")(x))
    feeds = {"x": KINDS["x"].sample(rng, 5, 1)}
    y = dropped.forward(**feeds)["y"]
    mask = dropped.arrays["cell/state_mask"]
    assert set(np.unique(mask)) == {0, 1 / 0.6}
    masked.parameters["cell/Wh"][...] *= mask[0][:, None]
    np.testing.assert_allclose(masked.forward(**feeds)["y"], y, rtol=1e-6)
    evaluated = dropped.replica().forward(**feeds)["y"]
    np.testing.assert_array_equal(evaluated, model_of(lambda x: layer(11, name="cell")(x)).forward(**feeds)["y"])


def test_state_dropout_is_for_weights_that_see_the_state() -> None:
    with pytest.raises(ConfigError, match="reset_after"):
        GRU(3, reset_after=False, state_dropout=0.1)


def test_runs_of_one_seed_are_the_same(rng: np.random.Generator) -> None:
    wiring = contract.CASES["LSTM"]["dropout"]
    feeds = {"x": KINDS["x"].sample(rng, 5, 3)}
    contract.assert_same(run(model_of(wiring), feeds), run(model_of(wiring), feeds), "a second model")
