"""Weights of PyTorch, Keras and ONNX in models of minidl: they compute the same, and come back with the same bits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.cli.main import main
from minidl.exchange import write_onnx, write_safetensors
from minidl.exchange.keras_files import write_keras
from minidl.exchange.layouts import arrays_in
from minidl.graph.layer import Node
from minidl.layers import GRU, LSTM, RNN, Bidirectional, Dense, Dropout, Embedding, LayerNorm
from minidl.system.errors import CheckpointError, UsageError

F, H, V = 3, 4, 7
Arrays = dict[str, NDArray[Any]]


def of(build: Callable[[Node], Node], *, ids: bool = False, seed: int = 0) -> Model:
    x = Input("x", dtype="int", depth=V) if ids else Input("x", depth=F)
    model = Model(outputs={"y": build(x)}, seed=seed)
    model.weights.flat[...] = np.random.default_rng(seed).uniform(-0.5, 0.5, model.weights.flat.size)
    return model


MODELS: dict[str, Callable[[int], Model]] = {
    "LSTM": lambda s: of(lambda x: Dense(2, name="out")(LSTM(H, name="rnn")(x)), seed=s),
    "GRU": lambda s: of(lambda x: Dense(2, name="out")(GRU(H, name="rnn")(x)), seed=s),
    "RNN": lambda s: of(lambda x: Dense(2, name="out")(RNN(H, name="rnn")(x)), seed=s),
    "stack": lambda s: of(lambda x: LSTM(H)(Dropout(0.1)(LSTM(H, name="rnn")(x))), seed=s),
    "stack of three": lambda s: of(lambda x: GRU(H)(GRU(H)(GRU(H, name="rnn")(x))), seed=s),
    "both ways": lambda s: of(lambda x: Bidirectional(LSTM(H), name="rnn")(x), seed=s),
    "both ways, stacked": lambda s: of(
        lambda x: Bidirectional(GRU(H), name="above")(Bidirectional(GRU(H), name="rnn")(x)), seed=s
    ),
    "embedding and norm": lambda s: of(
        lambda x: LayerNorm(name="norm")(RNN(H, name="rnn")(Embedding(F, name="table")(x))), ids=True, seed=s
    ),
    "tied": lambda s: of(
        lambda x: Dense(V, tied_to="table", name="out")(Embedding(F, name="table")(x)), ids=True, seed=s
    ),
}


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[[int], Model]:
    return MODELS[request.param]


def assert_same_bits(model: Model, other: Model) -> None:
    assert model.weights.flat.tobytes() == other.weights.flat.tobytes()


@pytest.mark.parametrize("layout", ["minidl", "torch", "keras"])
def test_there_and_back_gives_the_same_bits(make: Callable[[int], Model], layout: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="safetensors is missing: pip install 'minidl[export]'")
    first, second, third = make(1), make(2), make(3)
    write_safetensors(first, tmp_path / "model.safetensors", layout)
    second.load_weights(tmp_path / "model.safetensors", layout)
    assert_same_bits(first, second)
    third.load_weights(arrays_in(first, layout), layout)
    assert_same_bits(first, third)


def test_through_a_file_of_keras(make: Callable[[int], Model], tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="h5py is missing: pip install 'minidl[export]'")
    first, second = make(1), make(2)
    write_keras(first, tmp_path / "model.weights.h5")
    second.load_weights(tmp_path / "model.weights.h5", "keras")
    assert_same_bits(first, second)


def test_through_a_file_of_onnx(make: Callable[[int], Model], tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is missing: pip install 'minidl[export]'")
    first, second = make(1), make(2)
    write_onnx(first, tmp_path / "model.onnx")
    second.load_weights(tmp_path / "model.onnx")
    assert_same_bits(first, second)


def test_through_our_own_files(make: Callable[[int], Model], tmp_path: Path) -> None:
    first, second = make(1), make(2)
    first.save(tmp_path / "model.npz")
    second.load_weights(tmp_path / "model.npz")
    assert_same_bits(first, second)
    np.savez(tmp_path / "plain.npz", **dict(make(3).parameters))
    second.load_weights(tmp_path / "plain.npz")
    assert_same_bits(second, make(3))


def torch_module(name: str) -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")
    nn = torch.nn
    return {
        "LSTM": lambda: nn.ModuleDict({"rnn": nn.LSTM(F, H), "out": nn.Linear(H, 2)}),
        "GRU": lambda: nn.ModuleDict({"rnn": nn.GRU(F, H), "out": nn.Linear(H, 2)}),
        "RNN": lambda: nn.ModuleDict({"rnn": nn.RNN(F, H), "out": nn.Linear(H, 2)}),
        "stack": lambda: nn.ModuleDict({"rnn": nn.LSTM(F, H, num_layers=2)}),
        "stack of three": lambda: nn.ModuleDict({"rnn": nn.GRU(F, H, num_layers=3)}),
        "both ways": lambda: nn.ModuleDict({"rnn": nn.LSTM(F, H, bidirectional=True)}),
        "both ways, stacked": lambda: nn.ModuleDict({"rnn": nn.GRU(F, H, num_layers=2, bidirectional=True)}),
        "embedding and norm": lambda: nn.ModuleDict(
            {"table": nn.Embedding(V, F), "rnn": nn.RNN(F, H), "norm": nn.LayerNorm(H)}
        ),
        "tied": lambda: nn.ModuleDict({"table": nn.Embedding(V, F), "out": nn.Linear(F, V)}),
    }[name]()


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("kind", ["plain", "both ways, stacked"])
def test_projections_of_pytorch(kind: str, tmp_path: Path) -> None:
    """`weight_hr`: there and back with the same bits, and both compute the same."""
    torch = pytest.importorskip("torch")
    P = 2
    stacked = kind != "plain"

    def build(x: Node) -> Node:
        if not stacked:
            return LSTM(H, projection=P, name="rnn")(x)
        below = Bidirectional(LSTM(H, projection=P), name="rnn")(x)
        return Bidirectional(LSTM(H, projection=P), name="above")(below)

    first, second = of(build, seed=1), of(build, seed=2)
    net = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(F, H, proj_size=P, num_layers=1 + stacked, bidirectional=stacked)})
    state = {name: torch.from_numpy(np.array(array)) for name, array in arrays_in(first, "torch").items()}
    net.load_state_dict(state, strict=True)
    x = np.random.default_rng(0).standard_normal((5, 2, F)).astype(np.float32)
    y = net["rnn"](torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(first.forward(x=x)["y"], y, atol=1e-6)
    write_safetensors(first, tmp_path / "m.safetensors", "torch")
    second.load_weights(tmp_path / "m.safetensors", "torch")
    assert_same_bits(first, second)


def test_what_a_framework_has_no_place_for_is_refused() -> None:
    model = of(LSTM(H, peepholes=True, projection=2, name="rnn"))
    for layout, option in (("torch", "peepholes"), ("keras", "peepholes")):
        with pytest.raises(UsageError, match=f"node 'rnn': {layout} has no LSTM with {option}"):
            arrays_in(model, layout)
    with pytest.raises(UsageError, match="keras has no LSTM with projection"):
        arrays_in(of(LSTM(H, projection=2, name="rnn")), "keras")


def run_torch(net: Any, x: Any) -> NDArray[Any]:
    import torch

    y = torch.tensor(x)
    with torch.no_grad():
        for part in net.values():
            y = part(y)
            y = y[0] if isinstance(y, tuple) else y
    return np.asarray(y)


def feed(model: Model) -> NDArray[Any]:
    rng = np.random.default_rng(5)
    return rng.integers(0, V, (6, 2)) if model.graph.inputs["x"].dtype == "int" else draw(rng)


def draw(rng: np.random.Generator) -> NDArray[Any]:
    return rng.standard_normal((6, 2, F)).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_pytorch_loads_what_is_exported_and_computes_the_same(name: str) -> None:
    net, model = torch_module(name), MODELS[name](1)
    import torch

    weights = {key: torch.tensor(np.ascontiguousarray(array)) for key, array in arrays_in(model, "torch").items()}
    net.load_state_dict(weights, strict=True)
    x = feed(model)
    np.testing.assert_allclose(run_torch(net, x), model.replica().forward(x=x)["y"], atol=2e-6)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tied"])
def test_weights_of_pytorch_compute_the_same(name: str, tmp_path: Path) -> None:
    """Both biases of an LSTM are used, and add up."""
    net, model = torch_module(name), MODELS[name](1)
    from safetensors.torch import save_file

    save_file(net.state_dict(), tmp_path / "net.safetensors")
    model.load_weights(tmp_path / "net.safetensors", layout="torch")
    x = feed(model)
    np.testing.assert_allclose(model.replica().forward(x=x)["y"], run_torch(net, x), atol=2e-6)
    other = MODELS[name](2)
    other.load_weights(net.state_dict(), layout="torch")
    assert_same_bits(model, other)


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")
    pytest.importorskip("h5py", reason="h5py is missing: pip install 'minidl[export]'")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return pytest.importorskip("keras", reason="Keras is not installed: pip install 'minidl[torch]'")


def keras_model(keras: Any, name: str) -> Any:
    on = {"return_sequences": True}
    L = keras.layers
    parts = {
        "LSTM": lambda: [L.LSTM(H, **on, name="rnn"), L.Dense(2, name="out")],
        "GRU": lambda: [L.GRU(H, **on), L.Dense(2)],
        "RNN": lambda: [L.SimpleRNN(H, **on, name="rnn"), L.Dense(2, name="out")],
        "stack": lambda: [L.LSTM(H, **on), L.Dropout(0.1), L.LSTM(H, **on)],
        "stack of three": lambda: [L.GRU(H, **on), L.GRU(H, **on), L.GRU(H, **on)],
        "both ways": lambda: [L.Bidirectional(L.LSTM(H, **on))],
        "both ways, stacked": lambda: [L.Bidirectional(L.GRU(H, **on)), L.Bidirectional(L.GRU(H, **on))],
        "embedding and norm": lambda: [L.Embedding(V, F), L.SimpleRNN(H, **on), L.LayerNormalization(epsilon=1e-5)],
    }[name]()
    ids = name == "embedding and norm"
    first = L.Input((None,), dtype="int32") if ids else L.Input((None, F))
    model = keras.Sequential([first, *parts])
    rng = np.random.default_rng(9)
    model.set_weights([rng.uniform(-0.5, 0.5, w.shape) for w in model.get_weights()])
    return model


def run_keras(model: Any, x: Any) -> NDArray[Any]:
    return np.asarray(model(np.swapaxes(x, 0, 1)).detach()).swapaxes(0, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", [name for name in MODELS if name != "tied"])
def test_keras_and_back(name: str, keras: Any, tmp_path: Path) -> None:
    theirs, ours = keras_model(keras, name), MODELS[name](1)
    x = feed(ours)
    expected = run_keras(theirs, x)
    for file in ("theirs.weights.h5", "theirs.keras"):
        (theirs.save_weights if file.endswith("h5") else theirs.save)(tmp_path / file)
        ours.weights.flat[...] = 0
        ours.load_weights(tmp_path / file, layout="keras")
        np.testing.assert_allclose(ours.replica().forward(x=x)["y"], expected, atol=2e-6)
    write_keras(MODELS[name](3), tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(run_keras(theirs, x), MODELS[name](3).replica().forward(x=x)["y"], atol=2e-6)


def test_what_does_not_fit_is_listed_and_nothing_changes() -> None:
    model = MODELS["LSTM"](1)
    before = model.weights.flat.copy()
    given = arrays_in(model, "torch")
    given["rnn.weight_ih_l0"] = np.zeros((4 * H, F + 1))
    del given["out.weight"], given["out.bias"]
    given["head.weight"] = np.zeros((5, 9))
    with pytest.raises(CheckpointError) as caught:
        model.load_weights(given, "torch")
    for part in (
        f"rnn/Wx: shape ({F + 1}, {4 * H}), the model has ({F}, {4 * H})",
        f"missing out/W ({H}, 2)",
        "missing out/b (2,)",
        "left over head: Dense W (9, 5)",
    ):
        assert part in str(caught.value)
    np.testing.assert_array_equal(model.weights.flat, before)


def test_numbers_that_are_not_finite_are_refused() -> None:
    model = MODELS["GRU"](1)
    given = {name: array.copy() for name, array in arrays_in(model, "torch").items()}
    given["out.bias"][0] = np.nan
    with pytest.raises(CheckpointError, match="out/b: holds NaN or infinity"):
        model.load_weights(given, "torch")


def test_units_that_cannot_be_told_apart_are_matched_in_their_order_only_if_they_are_as_many() -> None:
    model = MODELS["stack"](1)
    given = {f"a{name[3:]}" if "_l0" in name else f"b{name[3:-1]}0": w for name, w in arrays_in(model, "torch").items()}
    given |= {name.replace("a.", "c."): array for name, array in given.items() if name.startswith("b.")}
    given |= {name.replace("b.", "c."): array for name, array in given.items() if name.startswith("b.")}
    with pytest.raises(CheckpointError, match=r"of which there are several"):
        model.load_weights(given, "torch")


@pytest.mark.parametrize("name", ["nope.pt", "nope.bin", "nope.safetensors", "nope.npz", "nope.onnx"])
def test_a_file_that_is_not_there_is_told_as_such(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no such file"):
        MODELS["LSTM"](1).load_weights(tmp_path / name, "torch")


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "pytorch_model.bin"])
def test_a_pickle_is_refused_with_what_turns_it_into_safetensors(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")
    pytest.importorskip("safetensors", reason="safetensors is missing: pip install 'minidl[export]'")
    net, model = torch_module("LSTM"), MODELS["LSTM"](1)
    torch.save(net.state_dict(), tmp_path / name)
    with pytest.raises(UsageError, match="is a pickle, which can run any code") as caught:
        model.load_weights(tmp_path / name, "torch")
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert len(lines) == 2
    import contextlib

    import safetensors.torch

    with contextlib.chdir(tmp_path):
        exec("\n".join(lines), {"torch": torch, "safetensors": safetensors})
    model.load_weights(tmp_path / name.replace(".pt", ".safetensors").replace(".bin", ".safetensors"), "torch")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.safetensors", b"nothing", "cannot be read as float32 or float64 arrays"),
        ("a.onnx", b"\xff\xff\xff", "is no file of ONNX"),
        ("a.weights.h5", b"nothing", "name its layout, keras"),
        ("a.npz", b"nothing", "a.npz"),
        ("a.txt", b"nothing", "weights are read from .safetensors"),
    ],
)
def test_damaged_and_foreign_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((CheckpointError, UsageError), match=re.escape(message)):
        MODELS["LSTM"](1).load_weights(tmp_path / name)
    with pytest.raises(CheckpointError, match="there is no such file"):
        MODELS["LSTM"](1).load_weights(tmp_path / f"not-{name}.safetensors")


def test_a_damaged_file_of_keras(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is missing: pip install 'minidl[export]'")
    (tmp_path / "a.weights.h5").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="is no file of Keras"):
        MODELS["LSTM"](1).load_weights(tmp_path / "a.weights.h5", "keras")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(CheckpointError, match="holds no layers"):
        MODELS["LSTM"](1).load_weights(tmp_path / "b.h5", "keras")


def test_parameters_are_set_by_name() -> None:
    model = MODELS["LSTM"](1)
    model.parameters["out/W"] = np.ones((H, 2))
    model.parameters["out/W"] += 1
    assert (model.parameters["out/W"] == 2).all()
    model.parameters["out/b"] = 0.5
    assert (model.weights.arrays["out/b"] == 0.5).all()
    with pytest.raises(UsageError, match=re.escape("'out/W' has shape (4, 2), and keeps it; got (2, 4)")):
        model.parameters["out/W"] = np.ones((2, 4))
    with pytest.raises(UsageError, match="cannot be deleted"):
        del model.parameters["out/W"]
    with pytest.raises(UsageError, match="did you mean 'out/W'"):
        model.parameters["out/w"] = 1.0


def write_experiment(folder: Path) -> Path:
    (folder / "text.txt").write_text("hello, world. " * 50)
    path = folder / "tiny.yaml"
    path.write_text(
        "data: {type: text, source: text.txt, batch_size: 2, seq_len: 5}\n"
        "model: {layers: [{type: OneHot}, {type: LSTM, units: 4, name: rnn}, {type: Dense, units: 10}]}\n"
        "loss: {type: SoftmaxCE}\n"
    )
    return path


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("safetensors", reason="safetensors is missing: pip install 'minidl[export]'")
    from minidl.experiment import read_experiment

    path = write_experiment(tmp_path)
    model = read_experiment(path).model
    model.weights.flat[...] = np.random.default_rng(0).standard_normal(model.weights.flat.size)
    write_safetensors(model, tmp_path / "w.safetensors", "torch")
    words = [
        "import",
        str(tmp_path / "w.safetensors"),
        str(path),
        "--layout",
        "torch",
        "--out",
        str(tmp_path / "m.npz"),
    ]
    assert main(words) == 0
    assert "wrote" in capsys.readouterr().out
    loaded = Model.load(tmp_path / "m.npz")
    assert_same_bits(loaded, model)
    assert loaded.vocabulary == model.vocabulary
    measured = ["evaluate", words[-1], "--json"]
    assert main([*measured, "--data", str(tmp_path / "text.txt")]) == main(measured) == 0
    on_data, on_parts = map(json.loads, capsys.readouterr().out.splitlines())
    assert on_data["data/loss"] > 0 < on_parts["test/loss"]
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force", "--json"]) == 0
    assert main([*words, "--force", "model.layers.1.units=5"]) == 4
    assert "rnn/Wx: shape" in capsys.readouterr().err
