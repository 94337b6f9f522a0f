"""LSTM, GRU and RNN against PyTorch in float32: outputs, final states and gradients to 1e-6 of their size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch_peers
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.layers import GRU, LSTM, RNN, Bidirectional, Last
from minidl.layers.cell import Cell

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")

T, B, F, H = 12, 4, 9, 8
CELLS = {
    "LSTM": LSTM(H, name="cell"),
    "GRU": GRU(H, name="cell"),
    "RNN tanh": RNN(H, name="cell"),
    "RNN relu": RNN(H, activation="relu", name="cell"),
}
Arrays = dict[str, NDArray[Any]]


def draw(rng: np.random.Generator, *shape: int) -> NDArray[Any]:
    return rng.uniform(-0.5, 0.5, shape).astype(np.float32)


def assert_near(got: NDArray[Any], expected: NDArray[Any], what: str) -> None:
    assert got.dtype == expected.dtype == np.float32
    error = np.linalg.norm(got - expected) / np.linalg.norm(expected)
    assert error <= 1e-6, f"{what} differs by {error:.1e}"


def run_peer(layer: Cell, x: Any, state: Arrays, weights: Arrays, dy: Any) -> torch_peers.Result:
    if isinstance(layer, LSTM):
        return torch_peers.lstm(x, state["h"], state["c"], dh=dy, dc_last=np.zeros_like(state["c"]), **weights)
    if isinstance(layer, GRU):
        return torch_peers.gru(x, state["h"], dh=dy, **weights)
    assert isinstance(layer, RNN)
    return torch_peers.rnn(x, state["h"], kind=layer.activation, dh=dy, **weights)


@pytest.mark.parametrize("cell", CELLS)
def test_agrees_with_pytorch(cell: str, rng: np.random.Generator) -> None:
    layer = CELLS[cell]
    model = Model(outputs={"y": layer(Input("x", depth=F))}, dtype="float32")
    model.weights.flat[...] = draw(rng, model.weights.flat.size)
    weights = {name.removeprefix("cell/"): array.copy() for name, array in model.parameters.items()}
    state = {name: draw(rng, B, H) for name in (("h", "c") if isinstance(layer, LSTM) else ("h",))}
    x, dy = draw(rng, T, B, F), draw(rng, T, B, H)

    peer = run_peer(layer, x, state, weights, dy)
    model.executor.load_state_dict({f"cell/{name}": array for name, array in state.items()}, {})
    y = model.forward(x=x)["y"]
    dx = model.backward(y=dy)["x"]

    assert_near(y, peer.outputs[0], "y")
    for name, expected in zip(state, peer.outputs[1:], strict=True):
        assert_near(model.state[f"cell/{name}"], expected, f"final {name}")
    assert_near(dx, peer.gradients["x"], "dx")
    for name in weights:
        assert_near(model.gradients[f"cell/{name}"], peer.gradients[name], f"d{name}")


def as_module(model: Model) -> Any:
    """A bidirectional nn.LSTM with the weights of a model."""
    peer = torch.nn.LSTM(F, H, bidirectional=True)
    for way, direction in (("forward", ""), ("backward", "_reverse")):
        prefix = f"both_{way}/"
        weights = {name.removeprefix(prefix): a for name, a in model.parameters.items() if name.startswith(prefix)}
        torch_peers.copy_weights(peer, weights, direction)
    return peer


def test_bidirectional_agrees_with_pytorch(rng: np.random.Generator) -> None:
    both = Bidirectional(LSTM(H), name="both")
    model = Model(outputs={"y": both(Input("x", depth=F))}, dtype="float32")
    model.weights.flat[...] = draw(rng, model.weights.flat.size)
    x = draw(rng, T, B, F)
    with torch.no_grad():
        expected = as_module(model)(torch.tensor(x))[0].numpy()
    assert_near(model.forward(x=x)["y"], expected, "y")


def test_last_of_two_directions_is_what_pytorch_calls_h_n(rng: np.random.Generator) -> None:
    x, lengths = Input("x", depth=F), Input("lengths", dtype="int", shape=("B",))
    model = Model(outputs={"y": Last()(Bidirectional(LSTM(H), name="both")(x, lengths))}, dtype="float32")
    model.weights.flat[...] = draw(rng, model.weights.flat.size)
    given, ends = draw(rng, T, B, F), np.array([T, 7, 1, 4])
    with torch.no_grad():
        packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(given), ends, enforce_sorted=False)
        _, (h_n, _) = as_module(model)(packed)
    expected = np.concatenate([h_n[0].numpy(), h_n[1].numpy()], axis=-1)
    assert_near(model.forward(x=given, lengths=ends)["y"], expected, "y")
