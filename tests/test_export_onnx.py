"""Models as ONNX: computed by onnxruntime they give what minidl gives, step by step and with the states of before."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contract
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_peer import Peer

from minidl import Input, Layer, Model
from minidl.data import Vocabulary
from minidl.generate.sampler import Sampler
from minidl.generate.sampling import sample_text
from minidl.graph.arrays import State
from minidl.layers import LSTM, Dense, Dropout, OneHot, SoftmaxCE
from minidl.system.errors import UsageError

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minidl[export]'")
if importlib.util.find_spec("onnxruntime") is None:
    pytest.skip("onnxruntime is not installed: pip install 'minidl[test]'", allow_module_level=True)
from minidl.exchange import to_onnx, write_onnx  # noqa: E402

TOLERANCE = 5e-6  # of float32 over up to 20 steps; a gate in the wrong place changes the first digit
CASES = [(layer, case) for layer, cases in contract.WIRINGS.items() for case in cases]
LOSSES = {name for name, kind in Layer.types().items() if "targets" in kind.inputs}
WITH_LOSS = [(layer, case) for layer, case in CASES if layer in LOSSES or case == "loss beside output"]
Arrays = dict[str, NDArray[Any]]


class Runtime:
    """onnxruntime on a model; states that are not given are zero."""

    def __init__(self, peer: Peer, model: Model, file: bytes) -> None:
        self.peer, self.model = peer, peer.load(file)
        self.states: dict[str, str] = json.loads(self.model.metadata["states"])
        self.sizes = {
            f"{name}/{array}": item.shape[-1]
            for name, node in model.graph.nodes.items()
            for array, item in node.declarations.items()
            if isinstance(item, State)
        }

    def run(self, **feeds: Any) -> Arrays:
        batch = next((array.shape[1] for array in feeds.values() if array.ndim > 1), 1)
        feeds = {name: np.zeros((batch, self.sizes[name]), np.float32) for name in self.states} | feeds
        return dict(zip(self.model.outputs, self.peer.run(feeds), strict=True))


Load = Callable[[Model], Runtime]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    peer = Peer(tmp_path_factory.mktemp("cache"))
    yield peer
    peer.close()


@pytest.fixture
def load(peer: Peer) -> Load:
    """A model of ours in onnxruntime."""
    return lambda model: Runtime(peer, model, to_onnx(model).SerializeToString())


def float32(feeds: Arrays) -> Arrays:
    return {name: array.astype(np.float32 if array.dtype.kind == "f" else np.int64) for name, array in feeds.items()}


@pytest.mark.parametrize(("layer", "case"), [pair for pair in CASES if pair not in WITH_LOSS])
def test_agrees_with_minidl(layer: str, case: str, load: Load) -> None:
    """Every wiring of the contract, at every size, and on from the states that the last call left."""
    model = contract.model_of(contract.WIRINGS[layer][case], "float32").replica()
    theirs = load(model)
    state: Arrays = {}
    for seed, (T, B) in enumerate([*contract.SIZES, contract.SIZES[-1]]):
        feeds = float32(contract.feeds_of(model, T, B, seed))
        state = {name: array for name, array in state.items() if len(array) == B}
        found = theirs.run(**feeds, **state)
        expected = model.forward(**feeds)
        expected |= {last: model.state[name] for name, last in theirs.states.items()}
        contract.assert_close(found, expected, TOLERANCE, f"T = {T}, B = {B}")
        state = {name: found[last] for name, last in theirs.states.items()}
    fed = {
        f"{name}/{port[0]}"
        for name, node in model.graph.nodes.items()
        for port in node.ports
        if port in ("h0", "c0", "n0", "m0")
    }
    assert theirs.states.keys() == model.state.keys() - fed


@pytest.mark.parametrize(("layer", "case"), WITH_LOSS)
def test_losses_are_the_only_layers_without_operators(layer: str, case: str) -> None:
    """The contract has a case for every layer: the others are in the test above."""
    with pytest.raises(UsageError, match=r"^node '\w+': ONNX has no operators for"):
        to_onnx(contract.model_of(contract.WIRINGS[layer][case], "float32"))


def test_what_a_state_is_changes_the_result(char_model: Model, batch: Arrays, load: Load) -> None:
    theirs = load(char_model)
    fresh = theirs.run(ids=batch["ids"])
    given = theirs.run(ids=batch["ids"], **{"lstm/h": fresh["lstm/h_last"]})  # c is left out, and zero
    char_model.executor.load_state_dict({"lstm/h": fresh["lstm/h_last"], "lstm/c": np.zeros((2, 4))}, {})
    expected = char_model.forward(ids=batch["ids"])["logits"]
    assert np.abs(given["logits"] - expected).max() < TOLERANCE
    assert np.abs(given["logits"] - fresh["logits"]).max() > 1e-3


def test_the_loss_and_what_only_it_needs_are_left_out(char_model: Model, batch: Arrays, load: Load) -> None:
    """Also of a model in float64, which is float32 there."""
    theirs = load(char_model)
    assert theirs.model.inputs == ["ids", "lstm/h", "lstm/c"]
    found = theirs.run(ids=batch["ids"])
    assert list(found) == ["logits", "lstm/h_last", "lstm/c_last"]
    assert {array.dtype for array in found.values()} == {np.dtype("float32")}
    assert np.abs(found["logits"] - char_model.forward(ids=batch["ids"])["logits"]).max() < TOLERANCE


def test_dropout_is_that_of_use_not_of_training(load: Load) -> None:
    model = Model(outputs={"y": Dropout(0.5)(Input("x", depth=4))}, dtype="float32")
    x = np.ones((2, 3, 4), np.float32)
    assert (load(model).run(x=x)["y"] == x).all()


def test_a_file_is_enough_to_write_text_with(tmp_path: Path, peer: Peer) -> None:
    """Vocabulary, states and weights: the most likely text is the one that minidl writes."""
    ids, targets = (Input(name, dtype="int", depth=12) for name in ("ids", "targets"))
    logits = Dense(12, name="logits")(LSTM(16, name="second")(LSTM(16)(OneHot()(ids))))
    model = Model(SoftmaxCE()(logits, targets), {"logits": logits}, seed=3)
    model.weights.flat[...] *= 4
    model.vocabulary = Vocabulary(tuple("abcdefghé\n 😀"))
    write_onnx(model, tmp_path / "model.onnx")
    written = "".join(_most_likely(Runtime(peer, model, (tmp_path / "model.onnx").read_bytes()), "bad\n", 60))
    assert written == "".join(sample_text(model, prime="bad\n", length=60, sampler=Sampler(temperature=0)))
    assert len(set(written)) > 3


def _most_likely(theirs: Runtime, prime: str, length: int) -> Iterator[str]:
    vocabulary = Vocabulary.from_json(theirs.model.metadata["vocabulary"])
    ids = vocabulary.encode(prime)[:, None].astype(np.int64)
    state: Arrays = {}
    for _ in range(length):
        found = theirs.run(ids=ids, **state)
        state = {name: found[last] for name, last in theirs.states.items()}
        ids = found["logits"][-1:].argmax(axis=-1)
        yield vocabulary.decode(ids[:, 0])


def test_what_the_file_says_of_itself(char_model: Model, tmp_path: Path) -> None:
    found = write_onnx(char_model, tmp_path / "model.onnx")
    assert found["inputs"] == {"ids": ["T", "B"], "lstm/h": ["B", 4], "lstm/c": ["B", 4]}
    assert found["outputs"] == {"logits": ["T", "B", 5], "lstm/h_last": ["B", 4], "lstm/c_last": ["B", 4]}
    proto = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(proto, full_check=True)
    assert (proto.producer_name, proto.opset_import[0].version, proto.ir_version) == ("minidl", 17, 8)


@dataclass(frozen=True)
class TwiceDense(Dense):
    """It derives from a layer that ONNX has, and computes something else."""

    def forward(self, x: Any, W: Any, b: Any, y: Any) -> None:
        super().forward(x, W, y, b)
        y *= 2


def test_a_layer_of_the_users_own_is_named() -> None:
    model = Model(outputs={"y": Dense(2)(TwiceDense(3, name="mine")(Input("x", depth=4)))})
    with pytest.raises(UsageError, match=r"^node 'mine': ONNX has no operators for TwiceDense; its weights can be"):
        to_onnx(model)


def test_a_layer_that_no_output_needs_does_not_matter(load: Load) -> None:
    hidden = Dense(3, name="hidden")(Input("x", depth=4))
    loss = SoftmaxCE()(TwiceDense(3)(hidden), Input("targets", dtype="int", depth=3))
    assert list(load(Model(loss, {"y": hidden})).run(x=np.zeros((1, 1, 4), np.float32))) == ["y"]


def test_a_model_of_nothing_but_a_loss() -> None:
    loss = SoftmaxCE()(Input("x", depth=3), Input("targets", dtype="int", depth=3))
    with pytest.raises(UsageError, match="no outputs besides its loss"):
        to_onnx(Model(loss, {}))


def test_a_file_cannot_be_larger_than_its_format_allows(monkeypatch: pytest.MonkeyPatch, char_model: Model) -> None:
    monkeypatch.setattr("minidl.exchange.onnx.LIMIT", char_model.weights.flat.size * 4)
    with pytest.raises(UsageError, match="export them as safetensors"):
        to_onnx(char_model)


@pytest.mark.parametrize("name", ["x", "lstm/h", "lstm/c_last", "lstm/y"])
def test_names_that_would_be_given_twice(name: str) -> None:
    model = Model(outputs={name: Dense(2)(LSTM(3)(Input("x", depth=2)))})
    with pytest.raises(UsageError, match=f"two values would be named '{name}'"):
        to_onnx(model)
