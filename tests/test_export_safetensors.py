"""Weights as safetensors: ours to the bit, and in the layouts of PyTorch and Keras, whose layers compute the same."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Input, Layer, Model
from minidl.data import Vocabulary
from minidl.graph.arrays import Declaration, InputSpec, Out, Param, Shape
from minidl.graph.graph import Graph
from minidl.layers import GRU, LSTM, RNN, Activation, Add, Dense, Dropout, Embedding, LayerNorm
from minidl.system.errors import UsageError

safetensors = pytest.importorskip("safetensors", reason="safetensors is missing: pip install 'minidl[export]'")
from safetensors.numpy import load_file  # noqa: E402

from minidl.exchange import write_safetensors  # noqa: E402

T, B, F, H = 7, 3, 5, 4
LAYERS: dict[str, Layer] = {
    "LSTM": LSTM(H, name="a"),
    "GRU": GRU(H, name="a"),
    "RNN tanh": RNN(H, name="a"),
    "RNN relu": RNN(H, name="a", activation="relu"),
    "Dense": Dense(H, name="a"),
    "LayerNorm": LayerNorm(name="a"),
}
Arrays = dict[str, NDArray[Any]]


def model_of(layer: Layer, dtype: str = "float32") -> Model:
    """One layer, with weights that are all different."""
    model = Model(outputs={"y": layer(Input("x", depth=F))}, dtype=dtype)
    model.weights.flat[...] = np.random.default_rng(1).uniform(-0.5, 0.5, model.weights.flat.size)
    return model


def exported(model: Model, folder: Path, layout: str) -> Arrays:
    found = write_safetensors(model, folder / "model.safetensors", layout)
    arrays: Arrays = load_file(folder / "model.safetensors")
    assert found == {name: list(array.shape) for name, array in arrays.items()}
    return arrays


def assert_near(got: NDArray[Any], expected: NDArray[Any]) -> None:
    assert np.linalg.norm(got - expected) <= 1e-6 * np.linalg.norm(expected)


def draw(*shape: int) -> NDArray[Any]:
    return np.random.default_rng(2).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_own_layout_is_that_of_the_parameters_to_the_bit(tmp_path: Path, dtype: str) -> None:
    model = model_of(LSTM(H), dtype)
    arrays = exported(model, tmp_path, "minidl")
    assert arrays.keys() == model.parameters.keys()
    for name, array in model.parameters.items():
        assert arrays[name].dtype == dtype
        assert arrays[name].tobytes() == array.tobytes()


def test_the_metadata_hold_graph_and_vocabulary(tmp_path: Path) -> None:
    model = model_of(Dense(H))
    model.vocabulary = Vocabulary(("a", "é", "\n"))
    exported(model, tmp_path, "torch")
    with safetensors.safe_open(tmp_path / "model.safetensors", "numpy") as file:
        metadata = file.metadata()
    assert Graph.from_config(json.loads(metadata["graph"])).config() == model.graph.config()
    assert Vocabulary.from_json(metadata["vocabulary"]) == model.vocabulary
    assert metadata["layout"] == "torch"


@pytest.mark.parametrize("name", LAYERS)
def test_pytorch_computes_the_same(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")
    peers = {
        "LSTM": lambda: torch.nn.LSTM(F, H),
        "GRU": lambda: torch.nn.GRU(F, H),
        "RNN tanh": lambda: torch.nn.RNN(F, H),
        "RNN relu": lambda: torch.nn.RNN(F, H, nonlinearity="relu"),
        "Dense": lambda: torch.nn.Linear(F, H),
        "LayerNorm": lambda: torch.nn.LayerNorm(F),
    }
    model = model_of(LAYERS[name])
    net = torch.nn.ModuleDict({"a": peers[name]()})
    net.load_state_dict({key: torch.tensor(array) for key, array in exported(model, tmp_path, "torch").items()})
    x = draw(T, B, F)
    with torch.no_grad():
        y = net["a"](torch.tensor(x))
    y = y[0] if isinstance(y, tuple) else y
    assert_near(y.numpy(), model.forward(x=x)["y"])


def test_pytorch_gets_a_copy_of_what_is_tied(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")
    ids = Input("ids", dtype="int", depth=6)
    hidden = LSTM(F, name="lstm")(Embedding(F, name="symbols")(ids))
    model = Model(outputs={"y": Dense(6, tied_to="symbols", name="logits")(hidden)})
    peers = {"symbols": torch.nn.Embedding(6, F), "lstm": torch.nn.LSTM(F, F), "logits": torch.nn.Linear(F, 6)}
    net = torch.nn.ModuleDict(peers)
    net.load_state_dict({key: torch.tensor(array) for key, array in exported(model, tmp_path, "torch").items()})
    given = np.random.default_rng(0).integers(6, size=(T, B))
    with torch.no_grad():
        y = net["logits"](net["lstm"](net["symbols"](torch.tensor(given)))[0])
    assert_near(y.numpy(), model.forward(ids=given)["y"])


@pytest.mark.parametrize("name", LAYERS)
def test_keras_computes_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # it writes its settings at import
    keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'minidl[torch]'")
    peers = {
        "LSTM": lambda: keras.layers.LSTM(H, return_sequences=True),
        "GRU": lambda: keras.layers.GRU(H, return_sequences=True),
        "RNN tanh": lambda: keras.layers.SimpleRNN(H, return_sequences=True),
        "RNN relu": lambda: keras.layers.SimpleRNN(H, activation="relu", return_sequences=True),
        "Dense": lambda: keras.layers.Dense(H),
        "LayerNorm": lambda: keras.layers.LayerNormalization(epsilon=1e-5),
    }
    model = model_of(LAYERS[name])
    x = draw(T, B, F)
    peer = peers[name]()
    peer.build((B, T, F))
    arrays = exported(model, tmp_path, "keras")
    assert arrays.keys() == {f"a/{weight.name}" for weight in peer.weights}
    peer.set_weights([arrays[f"a/{weight.name}"] for weight in peer.weights])
    y = peer(x.swapaxes(0, 1)).detach().numpy()  # a tensor of PyTorch, batch first
    assert_near(y.swapaxes(0, 1), model.forward(x=x)["y"])


@pytest.mark.parametrize("layout", ["keras", "torch"])
def test_shared_weights_are_written_once_and_layers_without_any_not_at_all(tmp_path: Path, layout: str) -> None:
    shared = Dense(F, name="shared")
    hidden = Activation("tanh")(shared(Input("x", depth=F)))
    model = Model(outputs={"y": Add()(shared(hidden), Dropout(0.5)(hidden))})
    assert len(exported(model, tmp_path, layout)) == 2


@dataclass(frozen=True)
class Scale(Layer):
    """A layer of a user's own."""

    inputs = {"x": InputSpec("... F")}

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        return {"s": Param((x[-1],), "ones"), "y": Out(x)}

    def forward(self, x: Any, s: Any, y: Any) -> None:
        np.multiply(x, s, out=y)

    def backward(self, x: Any, s: Any, dy: Any, ds: Any, dx: Any) -> None:
        np.sum(x * dy, axis=tuple(range(x.ndim - 1)), out=ds)
        np.multiply(dy, s, out=dx)


def test_a_layer_of_the_users_own_has_no_layout_but_ours(tmp_path: Path) -> None:
    model = model_of(Scale(name="mine"))
    assert list(exported(model, tmp_path, "minidl")) == ["mine/s"]
    with pytest.raises(UsageError, match=r"^node 'mine': torch has no layout for Scale; leave --layout out"):
        write_safetensors(model, tmp_path / "model.safetensors", "torch")


def test_an_unknown_layout_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no layout 'pytorch'; did you mean 'torch'"):
        write_safetensors(model_of(Dense(2)), tmp_path / "model.safetensors", "pytorch")
    assert not os.listdir(tmp_path)
