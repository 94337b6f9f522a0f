"""The references are themselves checked: values against PyTorch in float64, gradients against central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import notebook_lstm
import numpy as np
import numpy.typing as npt
import pytest
import reference
import torch_peers
from reference import Array

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


class Recurrent(NamedTuple):
    """A recurrent reference and its peer, with arguments for both."""

    forward: Callable[..., tuple[Array, ...]]
    backward: Callable[..., dict[str, Array]]
    peer: Callable[..., torch_peers.Result]
    arrays: dict[str, Array]
    extra: dict[str, Any]
    upstream: dict[str, Array]


def recurrent(name: str) -> Recurrent:
    """The case of that name: lstm, gru, tanh or relu; each array is random, biases too."""
    gates = {"lstm": 4, "gru": 3}.get(name, 1)
    arrays = {"x": normal(T, B, F), "h0": normal(B, H)}
    weights = {"Wx": normal(F, gates * H), "Wh": normal(H, gates * H), "b": normal(gates * H)}
    upstream = {"dh": normal(T, B, H, seed=2)}
    if name == "lstm":
        arrays |= {"c0": normal(B, H, seed=3)} | weights
        upstream |= {"dc_last": normal(B, H, seed=4)}
        return Recurrent(reference.lstm, reference.lstm_backward, torch_peers.lstm, arrays, {}, upstream)
    if name == "gru":
        arrays |= weights | {"bh": normal(gates * H, seed=5)}
        return Recurrent(reference.gru, reference.gru_backward, torch_peers.gru, arrays, {}, upstream)
    extra = {"kind": name}
    return Recurrent(reference.rnn, reference.rnn_backward, torch_peers.rnn, arrays | weights, extra, upstream)


RECURRENT = ["lstm", "gru", "tanh", "relu"]


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_backward_matches_central_differences(name: str) -> None:
    case = recurrent(name)

    def loss() -> float:
        h, *states = case.forward(**case.arrays, **case.extra)
        return float(np.sum(h * case.upstream["dh"]) + np.sum(states[-1] * case.upstream.get("dc_last", 0.0)))

    assert_gradients(loss, case.arrays, case.backward(**case.arrays, **case.extra, **case.upstream))


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_matches_torch(name: str) -> None:
    pytest.importorskip("torch", reason=WHY_TORCH)
    case = recurrent(name)
    peer = case.peer(**case.arrays, **case.extra, **case.upstream)
    outputs = case.forward(**case.arrays, **case.extra)
    for mine, theirs in zip(outputs, peer.outputs, strict=True):
        assert_close(mine, theirs)
    grads = case.backward(**case.arrays, **case.extra, **case.upstream)
    assert grads.keys() == peer.gradients.keys()
    for array, grad in grads.items():
        assert_close(grad, peer.gradients[array], array)


@pytest.mark.parametrize("name", RECURRENT)
def test_torch_peers_keep_float32(name: str) -> None:
    pytest.importorskip("torch", reason=WHY_TORCH)
    case = recurrent(name)
    single = {key: array.astype(np.float32) for key, array in (case.arrays | case.upstream).items()}
    peer = case.peer(**single, **case.extra)
    outputs = case.forward(**case.arrays, **case.extra)
    for mine, theirs in zip(outputs, peer.outputs, strict=True):
        assert theirs.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)
    assert {grad.dtype for grad in peer.gradients.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", RECURRENT)
def test_two_windows_with_carried_state_equal_one(name: str) -> None:
    case = recurrent(name)
    whole, *_ = case.forward(**case.arrays, **case.extra)
    x = case.arrays["x"]
    first, *states = case.forward(**case.arrays | {"x": x[:1]}, **case.extra)
    carried = dict(zip(["h0", "c0"], states, strict=False))
    second, *_ = case.forward(**case.arrays | carried | {"x": x[1:]}, **case.extra)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_bidirectional_matches_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    x = normal(T, B, F)
    module = torch.nn.LSTM(F, H, bidirectional=True, dtype=torch.float64)
    sides = []
    for seed, direction in enumerate(["", "_reverse"]):
        weights = {"Wx": normal(F, 4 * H, seed=seed), "Wh": normal(H, 4 * H, seed=seed), "b": normal(4 * H, seed=seed)}
        torch_peers.copy_weights(module, weights, direction)
        sides.append((normal(B, H, seed=seed), normal(B, H, seed=seed + 2), *weights.values()))
    start = [torch.tensor(np.stack([ahead, back])) for ahead, back in zip(sides[0][:2], sides[1][:2], strict=True)]
    with torch.no_grad():
        h, (h_last, c_last) = module(torch.tensor(x), tuple(start))
    mine = reference.bidirectional(reference.lstm, x, *sides)
    theirs = [h, h_last[0], c_last[0], h_last[1], c_last[1]]
    for got, expected in zip(mine, theirs, strict=True):
        assert_close(got, expected.numpy())


def test_dense_matches_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    x, W, b = normal(T, B, F), normal(F, V), normal(V)
    theirs = torch.nn.functional.linear(torch.tensor(x), torch.tensor(W.T), torch.tensor(b))
    assert_close(reference.dense(x, W, b), theirs.numpy())


def test_dense_backward_matches_central_differences() -> None:
    arrays, dy = {"x": normal(T, B, F), "W": normal(F, V), "b": normal(V)}, normal(T, B, V)
    assert_gradients(
        lambda: float(np.sum(reference.dense(**arrays) * dy)), arrays, reference.dense_backward(**arrays, dy=dy)
    )


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


SOFTMAX_CASES = [
    {"reduction": reduction, "label_smoothing": smoothing, "ignore": ignore}
    for reduction in ("mean", "sum")
    for smoothing in (0.0, 0.1)
    for ignore in (-1, 2)
]


def softmax_case(ignore: int) -> tuple[Array, reference.Integers]:
    """Logits and targets, at least two of which are to be ignored."""
    logits, targets = normal(T, B, V), tokens(T, B)
    targets[0, 0] = targets[2, 1] = ignore
    return logits, targets


@pytest.mark.parametrize("options", SOFTMAX_CASES, ids=str)
def test_softmax_ce_matches_torch(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    logits, targets = softmax_case(options["ignore"])
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits).reshape(-1, V),
        torch.tensor(targets).reshape(-1),
        ignore_index=options["ignore"],
        reduction=options["reduction"],
        label_smoothing=options["label_smoothing"],
    )
    assert_close(reference.softmax_ce(logits, targets, **options), theirs.item())


@pytest.mark.parametrize("options", SOFTMAX_CASES, ids=str)
def test_softmax_ce_backward_matches_central_differences(options: dict[str, Any]) -> None:
    logits, targets = softmax_case(options["ignore"])
    grad = reference.softmax_ce_backward(logits, targets, **options)
    assert_gradients(lambda: reference.softmax_ce(logits, targets, **options), {"x": logits}, {"x": grad})
    assert not grad[0, 0].any()


def test_softmax_ce_stays_finite_and_counts_nothing_as_zero() -> None:
    logits, targets = np.array([[1e30, 0.0]]), np.array([1])
    assert reference.softmax_ce(logits, targets) == 1e30
    np.testing.assert_array_equal(reference.softmax_ce_backward(logits, targets), [[1.0, -1.0]])
    assert reference.softmax_ce(logits, np.array([-1])) == 0
    assert not reference.softmax_ce_backward(logits, np.array([-1])).any()


def test_sigmoid_ce_and_mse_match_torch() -> None:
    torch = pytest.importorskip("torch", reason=WHY_TORCH)
    y, targets = 3 * normal(T, B, V), reference.activation("sigmoid", normal(T, B, V, seed=1))
    functional = torch.nn.functional
    theirs = functional.binary_cross_entropy_with_logits(torch.tensor(y), torch.tensor(targets))
    assert_close(reference.sigmoid_ce(y, targets), theirs.item())
    theirs = functional.mse_loss(torch.tensor(y), torch.tensor(targets))
    assert_close(reference.mse(y, targets), theirs.item())


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


def test_notebook_equals_the_references_in_minidl_layout() -> None:
    params, ids, targets, h, c = notebook_case()
    loss, grads, h_last, c_last = notebook_lstm.forward_backward(params, ids, targets, h, c)
    lstm, dense = _by_node(notebook_lstm.to_minidl(params))
    x, wanted = reference.one_hot(np.array(ids)[:, None], V), np.array(targets)[:, None]

    hs, *states = reference.lstm(x, h.T, c.T, **lstm)
    logits = reference.dense(hs, **dense)
    assert_close(loss, reference.softmax_ce(logits, wanted, "sum"))
    assert_close(states, [h_last.T, c_last.T])

    dlogits = reference.softmax_ce_backward(logits, wanted, "sum")
    d_dense = reference.dense_backward(hs, **dense, dy=dlogits)
    d_lstm = reference.lstm_backward(x, h.T, c.T, **lstm, dh=d_dense["x"], dc_last=np.zeros((1, H)))
    expected_lstm, expected_dense = _by_node(notebook_lstm.to_minidl(grads))
    for name, grad in expected_lstm.items():
        assert_close(grad, d_lstm[name], name)
    for name, grad in expected_dense.items():
        assert_close(grad, d_dense[name], name)


def _by_node(arrays: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The arrays of the node lstm and of the node logits, by their short names."""
    lstm, logits = (
        {name.removeprefix(f"{node}/"): array for name, array in arrays.items() if name.startswith(f"{node}/")}
        for node in ("lstm", "logits")
    )
    return lstm, logits


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
