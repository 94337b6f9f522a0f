"""What all else is held against is itself checked: values against PyTorch, gradients against central differences.

That is the recurrent layers and losses, as users call them; slow versions of other layers; and the notebook's LSTM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import notebook_lstm
import numpy as np
import numpy.typing as npt
import pytest
import reference
import torch_peers
from reference import Array

from minidl import Input, Model
from minidl.layers import GRU, LSTM, MSE, RNN, Bidirectional, Cell, LastState, SigmoidCE, SoftmaxCE

T, B, F, H, V = 4, 3, 5, 2, 6
WHY_TORCH = "PyTorch is the second opinion on the references"


def normal(*shape: int, seed: int = 0) -> Array:
    """Numbers that differ from array to array, because the shape takes part in the seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def tokens(*shape: int) -> reference.Integers:
    return np.random.default_rng([1, *shape]).integers(0, V, shape)


def assert_close(mine: npt.ArrayLike, theirs: npt.ArrayLike, name: str = "") -> None:
    """Equal but for rounding in float64."""
    np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-12, atol=1e-12, err_msg=name)


def central_difference(loss: Callable[[], float], array: Array, step: float = 1e-5) -> Array:
    """d loss / d array, one element moved at a time."""
    grad = np.empty_like(array)
    for at in np.ndindex(array.shape):
        value = array[at]
        array[at] = value + step
        above = loss()
        array[at] = value - step
        grad[at] = (above - loss()) / (2 * step)
        array[at] = value
    return grad


def assert_gradients(loss: Callable[[], float], arrays: dict[str, Array], grads: dict[str, Array]) -> None:
    """Every array has a gradient, and each element of it is right to eight digits of the largest."""
    assert grads.keys() == arrays.keys()
    for name, array in arrays.items():
        expected = central_difference(loss, array)
        assert np.abs(expected).max() > 1e-3, f"{name} does not touch the loss: nothing is checked"
        np.testing.assert_allclose(grads[name], expected, rtol=0, atol=1e-8 * np.abs(expected).max(), err_msg=name)


@dataclass
class Recurrent:
    """A recurrent layer in a model, called by the arguments of its peer in PyTorch."""

    layer: Cell
    peer: Callable[..., torch_peers.Result]
    arrays: dict[str, Array]
    upstream: dict[str, Array]

    def __post_init__(self) -> None:
        first = {f"{name}0": Input(f"{name}0", shape=("B", H)) for name in self.layer.states}
        hidden = self.layer(Input("x", depth=F), **first)
        last = {f"{name}_last": LastState(name)(hidden) for name in self.layer.states}
        self.model = Model(outputs={"h": hidden, **last}, dtype="float64")

    @property
    def extra(self) -> dict[str, str]:
        return {"kind": self.layer.activation} if isinstance(self.layer, RNN) else {}

    def forward(self) -> tuple[Array, ...]:
        """Every h, then the final states."""
        for name, weight in self.model.parameters.items():
            weight[...] = self.arrays[name.removeprefix("cell/")]
        found = self.model.forward(**{name: self.arrays[name] for name in self.model.graph.inputs})
        return tuple(array.copy() for array in found.values())

    def backward(self) -> dict[str, Array]:
        """The gradients of inputs, first states and weights."""
        self.forward()
        inputs = self.model.backward(**{name.removeprefix("d"): array for name, array in self.upstream.items()})
        gradients = {name.removeprefix("cell/"): array for name, array in self.model.gradients.items()}
        return {name: array.copy() for name, array in {**inputs, **gradients}.items()}


CELLS = {
    "lstm": (LSTM(H, name="cell"), torch_peers.lstm),
    "gru": (GRU(H, name="cell"), torch_peers.gru),
    "tanh": (RNN(H, name="cell"), torch_peers.rnn),
    "relu": (RNN(H, activation="relu", name="cell"), torch_peers.rnn),
}


def recurrent(name: str) -> Recurrent:
    """The case of that name; each array is random, biases too."""
    layer, peer = CELLS[name]
    gates = len(layer.gates)
    arrays = {"x": normal(T, B, F), "h0": normal(B, H)}
    weights = {"Wx": normal(F, gates * H), "Wh": normal(H, gates * H), "b": normal(gates * H)}
    upstream = {"dh": normal(T, B, H, seed=2)}
    if name == "lstm":
        arrays |= {"c0": normal(B, H, seed=3)}
        upstream |= {"dc_last": normal(B, H, seed=4)}
    if name == "gru":
        weights |= {"bh": normal(gates * H, seed=5)}
    return Recurrent(layer, peer, arrays | weights, upstream)


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_backward_matches_central_differences(name: str) -> None:
    case = recurrent(name)

    def loss() -> float:
        h, *states = case.forward()
        return float(np.sum(h * case.upstream["dh"]) + np.sum(states[-1] * case.upstream.get("dc_last", 0.0)))

    assert_gradients(loss, case.arrays, case.backward())


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_matches_torch(name: str) -> None:
    pytest.importorskip("torch", reason=WHY_TORCH)
    case = recurrent(name)
    peer = case.peer(**case.arrays, **case.extra, **case.upstream)
    for mine, theirs in zip(case.forward(), peer.outputs, strict=True):
        assert_close(mine, theirs)
    grads = case.backward()
    assert grads.keys() == peer.gradients.keys()
    for array, grad in grads.items():
        assert_close(grad, peer.gradients[array], array)


@pytest.mark.parametrize("name", CELLS)
def test_torch_peers_keep_float32(name: str) -> None:
    pytest.importorskip("torch", reason=WHY_TORCH)
    case = recurrent(name)
    single = {key: array.astype(np.float32) for key, array in (case.arrays | case.upstream).items()}
    peer = case.peer(**single, **case.extra)
    for mine, theirs in zip(case.forward(), peer.outputs, strict=True):
        assert theirs.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)
    assert {grad.dtype for grad in peer.gradients.values()} == {np.dtype(np.float32)}


def test_bidirectional_matches_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    x = normal(T, B, F)
    module = torch.nn.LSTM(F, H, bidirectional=True, dtype=torch.float64)
    model = Model(outputs={"y": Bidirectional(LSTM(H), name="both")(Input("x", depth=F))}, dtype="float64")
    states = {}
    for seed, (way, direction) in enumerate({"forward": "", "backward": "_reverse"}.items()):
        weights = {"Wx": normal(F, 4 * H, seed=seed), "Wh": normal(H, 4 * H, seed=seed), "b": normal(4 * H, seed=seed)}
        torch_peers.copy_weights(module, weights, direction)
        for name, array in weights.items():
            model.parameters[f"both_{way}/{name}"][...] = array
        states |= {f"both_{way}/h": normal(B, H, seed=seed), f"both_{way}/c": normal(B, H, seed=seed + 2)}
    start = [torch.tensor(np.stack([states[f"both_forward/{s}"], states[f"both_backward/{s}"]])) for s in "hc"]
    with torch.no_grad():
        h, ended = module(torch.tensor(x), tuple(start))
    model.executor.load_state_dict(states, {})
    assert_close(model.forward(x=x)["y"], h.numpy())
    for name, both in zip("hc", ended, strict=True):
        for way, expected in zip(("forward", "backward"), both, strict=True):
            assert_close(model.state[f"both_{way}/{name}"], expected.numpy(), name)


def test_dense_matches_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    x, W, b = normal(T, B, F), normal(F, V), normal(V)
    theirs = torch.nn.functional.linear(torch.tensor(x), torch.tensor(W.T), torch.tensor(b))
    assert_close(reference.dense(x, W, b), theirs.numpy())


def test_one_hot_and_embedding_match_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    ids, table = tokens(T, B), normal(V, F)
    functional = torch.nn.functional
    np.testing.assert_array_equal(reference.one_hot(ids, V), functional.one_hot(torch.tensor(ids), V).numpy())
    theirs = functional.embedding(torch.tensor(ids), torch.tensor(table))
    np.testing.assert_array_equal(reference.embedding(ids, table), theirs.numpy())


@pytest.mark.parametrize("kind", sorted(reference.ACTIVATIONS))
def test_activation_matches_torch(kind: str) -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    x = np.concatenate([3 * normal(2, 20), [np.linspace(-800, 800, 20)]])
    arguments = {"approximate": "tanh"} if kind == "gelu_tanh" else {}
    function = torch.nn.functional.gelu if kind.startswith("gelu") else getattr(torch, kind)
    theirs = function(torch.tensor(x), **arguments)
    assert_close(reference.activation(kind, x), theirs.numpy())


def test_layer_norm_matches_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    x, gain, bias = 5 + 0.1 * normal(T, B, F), normal(F), normal(F, seed=1)
    theirs = torch.nn.functional.layer_norm(torch.tensor(x), (F,), torch.tensor(gain), torch.tensor(bias), eps=1e-3)
    assert_close(reference.layer_norm(x, gain, bias, 1e-3), theirs.numpy())


def test_reverse_and_last_without_lengths() -> None:
    x = normal(T, B, F)
    np.testing.assert_array_equal(reference.reverse(x), x[::-1])
    np.testing.assert_array_equal(reference.last(x), x[3])


def test_reverse_and_last_of_padded_rows() -> None:
    x = np.array([[1, 5, 8], [2, 6, 0], [3, 0, 0], [4, 0, 0]], dtype=float)[:, :, None]
    lengths = np.array([4, 2, 1])
    turned = np.array([[4, 6, 8], [3, 5, 0], [2, 0, 0], [1, 0, 0]], dtype=float)[:, :, None]
    np.testing.assert_array_equal(reference.reverse(x, lengths), turned)
    np.testing.assert_array_equal(reference.last(x, lengths), [[4.0], [6.0], [8.0]])


def loss_of(layer: Any, x: Array, targets: Any) -> tuple[float, Array]:
    """A loss and its gradient."""
    integers = targets.dtype.kind == "i"
    wanted = Input("targets", dtype="int" if integers else "float", depth=x.shape[-1])
    model = Model(layer(Input("x", depth=x.shape[-1]), wanted), dtype="float64")
    loss = model.forward(x=x, targets=targets)["loss"]
    return float(loss), model.backward()["x"].copy()


SOFTMAX_CASES = [
    {"reduction": reduction, "label_smoothing": smoothing} for reduction in ("mean", "sum") for smoothing in (0.0, 0.1)
]


def softmax_case() -> tuple[Array, reference.Integers]:
    """Logits and targets, two of which are to be ignored."""
    logits, targets = normal(T, B, V), tokens(T, B)
    targets[0, 0] = targets[2, 1] = -1
    return logits, targets


@pytest.mark.parametrize("options", SOFTMAX_CASES, ids=str)
def test_softmax_ce_matches_torch(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    logits, targets = softmax_case()
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits).reshape(-1, V), torch.tensor(targets).reshape(-1), ignore_index=-1, **options
    )
    assert_close(loss_of(SoftmaxCE(**options), logits, targets)[0], theirs.item())


@pytest.mark.parametrize("options", SOFTMAX_CASES, ids=str)
def test_softmax_ce_backward_matches_central_differences(options: dict[str, Any]) -> None:
    logits, targets = softmax_case()
    layer = SoftmaxCE(**options)
    grad = loss_of(layer, logits, targets)[1]
    assert_gradients(lambda: loss_of(layer, logits, targets)[0], {"x": logits}, {"x": grad})
    assert not grad[0, 0].any()


def test_softmax_ce_stays_finite_and_counts_nothing_as_zero() -> None:
    logits, targets = np.array([[[1e30, 0.0]]]), np.array([[1]])
    loss, grad = loss_of(SoftmaxCE(), logits, targets)
    assert loss == 1e30
    np.testing.assert_array_equal(grad, [[[1.0, -1.0]]])
    loss, grad = loss_of(SoftmaxCE(), logits, np.array([[-1]]))
    assert loss == 0
    assert not grad.any()


def test_sigmoid_ce_and_mse_match_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    y, targets = 3 * normal(T, B, V), reference.activation("sigmoid", normal(T, B, V, seed=1))
    functional = torch.nn.functional
    theirs = functional.binary_cross_entropy_with_logits(torch.tensor(y), torch.tensor(targets))
    assert_close(loss_of(SigmoidCE(), y, targets)[0], theirs.item())
    theirs = functional.mse_loss(torch.tensor(y), torch.tensor(targets))
    assert_close(loss_of(MSE(), y, targets)[0], theirs.item())


# The notebook's LSTM


def notebook_case() -> tuple[notebook_lstm.Params, list[int], list[int], Array, Array]:
    """Parameters with every bias random, a window of tokens, and a state to start from."""
    params = notebook_lstm.init(np.random.default_rng(0), V, H)
    for name in params:
        if name.startswith("b_"):
            params[name] += normal(*params[name].shape, seed=ord(name[-1]))
    ids = tokens(8).tolist()
    return params, ids[:-1], ids[1:], normal(H, 1), normal(H, 1, seed=1)


def test_notebook_start() -> None:
    params = notebook_lstm.init(np.random.default_rng(0), 40, 60)
    assert {name: array.shape for name, array in params.items()} == {
        **{f"W_{gate}": (60, 100) for gate in "fico"},
        **{f"b_{gate}": (60, 1) for gate in "fico"},
        "W_v": (40, 60),
        "b_v": (40, 1),
    }
    assert [float(params[f"b_{name}"].mean()) for name in "ficov"] == [1, 0, 0, 0, 0]
    assert params["W_f"].std() == pytest.approx(1 / np.sqrt(100), rel=0.05)
    assert params["W_v"].std() == pytest.approx(1 / np.sqrt(40), rel=0.05)


def test_notebook_gradients_match_central_differences() -> None:
    params, ids, targets, h, c = notebook_case()
    _, grads, _, _ = notebook_lstm.forward_backward(params, ids, targets, h, c)
    assert_gradients(lambda: notebook_lstm.forward_backward(params, ids, targets, h, c)[0], params, grads)


def test_notebook_clip_and_adam_by_hand() -> None:
    grads = notebook_lstm.clip({"w": np.array([-7.0, 2.0, 7.0])})
    np.testing.assert_array_equal(grads["w"], [-5.0, 2.0, 5.0])

    params = {"w": np.array([1.0])}
    running = notebook_lstm.moments(params)
    notebook_lstm.adam(params, {"w": np.array([2.0])}, running, step=1, lr=0.1, eps=0.5)
    assert_close(params["w"], 1 - 0.1 * 2 / 2.5)  # the first m^ is g, the first sqrt(v^) |g|
    notebook_lstm.adam(params, {"w": np.array([-1.0])}, running, step=2, lr=0.1, eps=0.5)
    m_hat = (0.9 * 0.2 - 0.1) / (1 - 0.9**2)
    v_hat = (0.999 * 0.004 + 0.001) / (1 - 0.999**2)
    assert_close(params["w"], 0.92 - 0.1 * m_hat / (v_hat**0.5 + 0.5))


def test_notebook_adam_matches_torch_over_twenty_windows() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    params, ids, targets, h, c = notebook_case()
    theirs = {name: torch.nn.Parameter(torch.tensor(array)) for name, array in params.items()}
    optimizer = torch.optim.Adam(theirs.values(), lr=0.05, eps=1e-8)
    running, losses = notebook_lstm.moments(params), []
    for step in range(1, 21):
        loss, grads, h, c = notebook_lstm.forward_backward(params, ids, targets, h, c)
        losses.append(loss)
        grads = notebook_lstm.clip(grads, 0.5)
        for name, parameter in theirs.items():
            parameter.grad = torch.tensor(grads[name])
        optimizer.step()
        notebook_lstm.adam(params, grads, running, step, lr=0.05)
        for name, parameter in theirs.items():
            np.testing.assert_allclose(params[name], parameter.detach().numpy(), rtol=1e-10, atol=1e-10)
    assert losses[-1] < losses[0] / 2
