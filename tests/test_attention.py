"""Attention: against PyTorch, with masks, with padding that holds NaN; and the small layers around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.layers import Add, Attention, Conv1D, Dense, Last, Multiply, Pool, Repeat, Slice
from minidl.system.errors import GraphError

T, S, B, H = 4, 6, 3, 8
ENDS = np.array([6, 1, 4])


def model_of(layer: Attention, **named: Any) -> Model:
    node = layer(Input("q", depth=H), Input("k", shape=("S", "B", H)), **named)
    return Model(outputs={"y": node}, dtype="float64")


def feeds(rng: np.random.Generator) -> dict[str, Any]:
    return {"q": rng.standard_normal((T, B, H)), "k": rng.standard_normal((S, B, H))}


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_multi_head_attention_agrees_with_pytorch(heads: int, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = model_of(Attention(H, heads, name="a"), lengths=Input("ends", dtype="int", shape=("B",)))
    given = feeds(rng)
    peer = torch.nn.MultiheadAttention(H, heads, dtype=torch.float64)
    w = {name: rng.standard_normal(array.shape) for name, array in model.parameters.items()}
    for name, array in w.items():
        model.parameters[name][...] = array
    with torch.no_grad():
        parts = ("query", "keys", "values")
        peer.in_proj_weight.copy_(torch.tensor(np.concatenate([w[f"a_{part}/W"].T for part in parts])))
        biases = [w.get(f"a_{part}/b", np.zeros(H)) for part in parts]
        peer.in_proj_bias.copy_(torch.tensor(np.concatenate(biases)))
        peer.out_proj.weight.copy_(torch.tensor(w["a_output/W"].T))
        peer.out_proj.bias.copy_(torch.tensor(w["a_output/b"]))
    q, k = (torch.tensor(given[name], requires_grad=True) for name in ("q", "k"))
    hidden = torch.tensor(np.arange(S) >= ENDS[:, None])
    expected, p = peer(q, k, k, key_padding_mask=hidden, average_attn_weights=False)
    expected.sum().backward()
    np.testing.assert_allclose(model.forward(**given, ends=ENDS)["y"], expected.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(model.arrays["a/p"], p.detach().numpy(), atol=1e-12)
    gradients = model.backward(y=1.0)
    np.testing.assert_allclose(gradients["q"], q.grad.numpy(), atol=1e-11)
    np.testing.assert_allclose(gradients["k"], k.grad.numpy(), atol=1e-11)


def test_causal_attention_agrees_with_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = Input("x", depth=H)
    model = Model(outputs={"y": Attention(causal=True)(x, x)}, dtype="float64")
    given = rng.standard_normal((T, B, H))
    t = torch.tensor(given.transpose(1, 0, 2))
    expected = torch.nn.functional.scaled_dot_product_attention(t, t, t, is_causal=True).numpy()
    np.testing.assert_allclose(model.forward(x=given)["y"].transpose(1, 0, 2), expected, atol=1e-12)


@pytest.mark.parametrize("layer", [Attention(), Attention(H, heads=2), Attention(5, score="additive")], ids=repr)
def test_padding_is_not_read(layer: Attention, rng: np.random.Generator) -> None:
    ends, query_ends = (Input(name, dtype="int", shape=("B",)) for name in ("ends", "query_ends"))
    model = model_of(layer, lengths=ends, query_lengths=query_ends)
    given = {**feeds(rng), "ends": ENDS, "query_ends": np.array([1, 4, 2])}
    outside = np.arange(S)[:, None] >= ENDS, np.arange(T)[:, None] >= given["query_ends"]
    results = []
    for padding in (0.0, 1e9):
        given["k"][outside[0]], given["q"][outside[1]] = padding, padding
        y = model.forward(**given)["y"].copy()
        results.append((y, model.backward(y=1.0)["k"][~outside[0]].copy()))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-12)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-12)


def test_nan_in_the_padding_of_keys_and_queries(rng: np.random.Generator) -> None:
    ends, query_ends = (Input(name, dtype="int", shape=("B",)) for name in ("ends", "query_ends"))
    for layer in (Attention(), Attention(score="additive")):
        model = model_of(layer, lengths=ends, query_lengths=query_ends)
        given = {**feeds(rng), "ends": ENDS, "query_ends": np.array([1, 4, 2])}
        given["k"][np.arange(S)[:, None] >= ENDS] = np.nan
        given["q"][np.arange(T)[:, None] >= given["query_ends"]] = np.nan
        assert np.isfinite(model.forward(**given)["y"]).all()
        assert all(np.isfinite(gradient).all() for gradient in model.backward(y=1.0).values())


def test_what_is_hidden_has_no_probability(rng: np.random.Generator) -> None:
    mask = Input("mask", dtype="int", depth=2, shape=("S", "B"))
    model = model_of(Attention(name="a"), mask=mask)
    holes = rng.integers(2, size=(S, B))
    holes[:, 1] = 0  # a sequence of which nothing may be seen
    y = model.forward(**feeds(rng), mask=holes)["y"]
    p = model.arrays["a/p"]
    assert (p.transpose(3, 0, 1, 2)[holes == 0] == 0).all()
    np.testing.assert_allclose(p.sum(axis=-1)[[0, 2]], 1)
    assert (y[:, 1] == 0).all()


def test_a_layer_called_twice_shares_its_weights() -> None:
    layer, x = Attention(4, heads=2), Input("x", depth=4)
    model = Model(outputs={"y": Add()(layer(x, x), layer(layer(x, x), x))})
    assert [name for name in model.parameters if name.endswith("/W")] == [
        f"attention_{part}/W" for part in ("query", "keys", "values", "output")
    ]


def test_conv1d_agrees_with_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, dy = rng.standard_normal((9, B, 4)), rng.standard_normal((9, B, 5))
    for width, padding, dilation in (
        (3, "causal", 1),
        (3, "same", 1),
        (4, "same", 2),
        (2, "causal", 3),
        (5, "same", 1),
    ):
        layer = Conv1D(5, width, padding=padding, dilation=dilation, name="conv")  # type: ignore[arg-type]
        model = Model(outputs={"y": layer(Input("x", depth=4))}, dtype="float64")
        reach = (width - 1) * dilation
        left = reach if padding == "causal" else (width - 1) // 2 * dilation
        tx = torch.tensor(x, requires_grad=True)
        padded = torch.nn.functional.pad(tx.permute(1, 2, 0), (left, reach - left))
        W = torch.tensor(model.parameters["conv/W"].transpose(2, 1, 0).copy())
        expected = torch.nn.functional.conv1d(padded, W, dilation=dilation).permute(2, 0, 1)
        expected.backward(torch.tensor(dy))
        np.testing.assert_allclose(model.forward(x=x)["y"], expected.detach().numpy(), atol=1e-12)
        np.testing.assert_allclose(model.backward(y=dy)["x"], tx.grad.numpy(), atol=1e-12)


def test_nan_past_the_end_reaches_neither_convolution_nor_pool(rng: np.random.Generator) -> None:
    x, lengths = Input("x", depth=2), Input("lengths", dtype="int", shape=("B",))
    given, ends = rng.standard_normal((5, 2, 2)), np.array([5, 2])
    for node in (Conv1D(3, padding="same")(x, lengths), Pool("max")(x, lengths), Pool()(x, lengths)):
        model = Model(outputs={"y": node}, dtype="float64")
        clean = model.forward(x=given, lengths=ends)["y"].copy()
        spoiled = given.copy()
        spoiled[2:, 1] = np.nan
        found = model.forward(x=spoiled, lengths=ends)["y"]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, clean, atol=1e-12)
        assert np.isfinite(model.backward(y=1.0)["x"]).all()


def test_a_residual_block_and_a_gate() -> None:
    """Residual through Add, a gate through Multiply, and what is static at each step through Repeat."""
    x = Input("x", depth=H)
    block = Add()(x, Dense(H)(Conv1D(H)(x)))
    gated = Multiply()(block, Repeat()(Dense(H)(Last()(block)), x), Slice(0, H)(block))
    assert Model(outputs={"y": gated}).forward(x=np.ones((3, 2, H)))["y"].shape == (3, 2, H)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (lambda x: Attention(heads=3)(x, x), "cannot be divided into 3 heads"),
        (lambda x: Attention()(x, Input("k", shape=("S", "B", 3))), "with H = 8 as in 'x'"),
        (lambda x: Attention(heads=2, score="additive"), "additive attention has one head"),
        (lambda x: Attention(4)(x), "takes the inputs query, keys"),
        (lambda x: Slice(8)(x), "nothing is left"),
        (lambda x: Slice(axis=3)(x), "there is no axis 3"),
        (lambda x: Repeat()(Last()(x)), "takes its steps from times=, or from a second input"),
        (lambda x: Multiply()(x, Dense(2)(x)), "inputs of Multiply have one shape"),
    ],
)
def test_what_does_not_fit_is_told(wire: Any, words: str) -> None:
    with pytest.raises(GraphError, match=words):
        wire(Input("x", depth=H))
