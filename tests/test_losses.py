"""Losses: against PyTorch, against writing everything out, with padding that holds NaN, and with weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference_more as more
from numpy.typing import NDArray

from minidl import Input, Layer, Model
from minidl.layers import CRF, CTC, MAE, MSE, GaussianNLL, Huber, PoissonNLL, Quantile, SigmoidCE, SoftmaxCE
from minidl.layers.crf import viterbi
from minidl.system.errors import DataError, GraphError
from minidl.testing import gradcheck

Array = NDArray[Any]
T, B, F = 5, 3, 4
LENGTHS = np.array([5, 1, 3])
INSIDE = np.arange(T)[:, None] < LENGTHS


def loss_model(layer: Layer, predictions: int = F, targets: int = F, **named: Input) -> Model:
    x, t = Input("x", depth=predictions), Input("t", shape=("T", "B", targets))
    return Model(outputs={"y": layer(x, t, **named)}, dtype="float64")


LENGTHS_INPUT = Input("lengths", dtype="int", shape=("B",))
ELEMENTS: list[tuple[Layer, int, int]] = [
    (MSE(), F, F),
    (MAE(), F, F),
    (Huber(delta=0.5), F, F),
    (Quantile(quantiles=(0.1, 0.5)), 2 * F, F),
    (GaussianNLL(), 2 * F, F),
    (PoissonNLL(), F, F),
    (SigmoidCE(), F, F),
]


@pytest.mark.parametrize(("layer", "predictions", "targets"), ELEMENTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_padding_is_not_read(
    layer: Layer, predictions: int, targets: int, reduction: str, rng: np.random.Generator
) -> None:
    layer = Layer.from_config({**layer.config(), "reduction": reduction})
    model = loss_model(layer, predictions, targets, lengths=LENGTHS_INPUT)
    x, t = rng.standard_normal((T, B, predictions)), rng.random((T, B, targets))
    results = []
    for padding in (0.0, np.nan):
        x[~INSIDE] = t[~INSIDE] = padding
        y = np.array(model.forward(x=x, t=t, lengths=LENGTHS)["y"])
        gradients = model.backward(y=1.0)
        results.append((y, gradients["x"].copy(), gradients["t"].copy()))
    for clean, padded in zip(*results, strict=True):
        np.testing.assert_array_equal(clean, padded)
    assert not results[1][1][~INSIDE].any()


def torch_losses() -> dict[str, tuple[Layer, Callable[[Any, Any, Any], Any], int, int]]:
    F_ = pytest.importorskip("torch", reason="PyTorch is not installed").nn.functional
    return {
        "MSE": (MSE("none"), lambda x, t, r: F_.mse_loss(x, t, reduction=r), F, F),
        "MAE": (MAE("none"), lambda x, t, r: F_.l1_loss(x, t, reduction=r), F, F),
        "Huber": (Huber("none", delta=0.5), lambda x, t, r: F_.huber_loss(x, t, delta=0.5, reduction=r), F, F),
        "PoissonNLL": (PoissonNLL("none"), lambda x, t, r: F_.poisson_nll_loss(x, t, reduction=r), F, F),
        "SigmoidCE": (
            SigmoidCE("none"),
            lambda x, t, r: F_.binary_cross_entropy_with_logits(x, t, reduction=r),
            F,
            F,
        ),
        "GaussianNLL": (
            GaussianNLL("none"),
            lambda x, t, r: F_.gaussian_nll_loss(x[..., :F], t, x[..., F:].exp(), full=True, reduction=r),
            2 * F,
            F,
        ),
    }


@pytest.mark.parametrize("name", ["MSE", "MAE", "Huber", "PoissonNLL", "SigmoidCE", "GaussianNLL"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_numbers_agree_with_pytorch(name: str, reduction: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer, peer, predictions, targets = torch_losses()[name]
    model = loss_model(Layer.from_config({**layer.config(), "reduction": reduction}), predictions, targets)
    x, t = rng.standard_normal((T, B, predictions)), rng.random((T, B, targets))
    tx = torch.tensor(x, requires_grad=True)
    expected = peer(tx, torch.tensor(t), reduction)
    expected.sum().backward()
    np.testing.assert_allclose(model.forward(x=x, t=t)["y"], expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(model.backward(y=1.0)["x"], tx.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("classes", [None, (0.5, 2.0, 1.0, 3.0)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["ids", "probabilities"])
def test_softmax_ce_agrees_with_pytorch(
    kind: str, reduction: Any, classes: Any, smoothing: float, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer = SoftmaxCE(reduction, label_smoothing=smoothing, class_weights=classes)
    v = rng.standard_normal((T, B, F))
    if kind == "ids":
        t, symbol = rng.integers(-1, F, size=(T, B)), Input("t", dtype="int", depth=F)
    else:
        t, symbol = rng.dirichlet(np.ones(F), size=(T, B)), Input("t", depth=F)
    model = Model(outputs={"y": layer(Input("v", depth=F), symbol)}, dtype="float64")
    tv = torch.tensor(v.reshape(-1, F), requires_grad=True)
    weight = None if classes is None else torch.tensor(classes, dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(
        tv,
        torch.tensor(t.reshape(T * B, -1).squeeze() if kind == "ids" else t.reshape(-1, F)),
        weight=weight,
        label_smoothing=smoothing,
        reduction=reduction,
        ignore_index=-1 if kind == "ids" else -100,
    )
    expected.sum().backward()
    y = np.reshape(model.forward(v=v, t=t)["y"], -1)
    np.testing.assert_allclose(y, expected.detach().numpy().reshape(-1), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.backward(y=1.0)["v"].reshape(-1, F), tv.grad.numpy(), rtol=1e-9, atol=1e-13)


def test_ctc_agrees_with_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    steps, targets = np.array([8, 6, 7]), np.array([[1, 2, 3], [1, -1, 2], [3, -1, 2]])
    v = rng.standard_normal((8, 3, F))
    u = Input("t", dtype="int", depth=F, shape=("U", "B"))
    model = Model(outputs={"y": CTC("none")(Input("v", depth=F), u, LENGTHS_INPUT)}, dtype="float64")
    tv = torch.tensor(v, requires_grad=True)
    expected = torch.nn.functional.ctc_loss(
        tv.log_softmax(-1),
        torch.tensor(np.maximum(targets, 0).T.copy()),
        torch.tensor(steps),
        torch.tensor((targets >= 0).sum(axis=0)),
        reduction="none",
    )
    expected.sum().backward()
    np.testing.assert_allclose(model.forward(v=v, t=targets, lengths=steps)["y"], expected.detach(), rtol=1e-12)
    np.testing.assert_allclose(model.backward(y=1.0)["v"], tv.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("targets", "steps", "words"),
    [
        ([[1], [0]], 5, "a target is 0, .*the blank"),
        ([[1], [1]], 2, "sequence 0 has 2 steps, and its symbols need 3"),
    ],
)
def test_ctc_refuses_what_cannot_be(targets: list[list[int]], steps: int, words: str) -> None:
    u = Input("t", dtype="int", depth=F, shape=("U", "B"))
    with pytest.raises(DataError, match=words):
        Model(CTC()(Input("v", depth=F), u)).forward(v=np.zeros((steps, 1, F)), t=targets)


def test_ctc_with_lengths_and_nan_beyond(rng: np.random.Generator) -> None:
    u = Input("t", dtype="int", depth=F, shape=("U", "B"))
    model = Model(CTC()(Input("v", depth=F), u, LENGTHS_INPUT), dtype="float64")
    v, feeds = rng.standard_normal((T, B, F)), {"t": [[1, 2, 1], [3, -1, 3]], "lengths": [5, 1, 3]}
    assert all(check.error < 1e-10 for check in gradcheck(model, {"v": v, **feeds}))
    clean = model.forward(v=v, **feeds)["loss"], model.backward()["v"].copy()
    v[~INSIDE] = np.nan
    assert model.forward(v=v, **feeds)["loss"] == clean[0]
    np.testing.assert_array_equal(model.backward()["v"], clean[1])


def crf_case(rng: np.random.Generator, K: int = 3) -> tuple[Array, Array, dict[str, Array]]:
    tags = np.where(INSIDE, rng.integers(K, size=(T, B)), -1)
    weights = {"A": rng.standard_normal((K, K)), "s": rng.standard_normal(K), "e": rng.standard_normal(K)}
    return rng.standard_normal((T, B, K)), tags, weights


def test_crf_agrees_with_enumeration(rng: np.random.Generator) -> None:
    """Of each sequence, its loss and the most likely tags, to 1e-10; and NaN past the end is not read."""
    v, tags, weights = crf_case(rng)
    model = Model(outputs={"y": CRF("none", name="crf")(Input("v", depth=3), Input("t", dtype="int", depth=3))})
    model = model.replica(dtype="float64")
    for name, array in weights.items():
        model.parameters[f"crf/{name}"][...] = array
    v[~INSIDE] = np.nan
    found = model.forward(v=v, t=tags)["y"]
    np.testing.assert_allclose(found, more.crf_losses(v, tags, **weights), rtol=0, atol=1e-10)
    assert np.isfinite(model.backward(y=1.0)["v"]).all()
    assert all(np.isfinite(gradient).all() for gradient in model.gradients.values())


def test_viterbi_finds_the_best_of_all_sequences(rng: np.random.Generator) -> None:
    import itertools

    for _ in range(20):
        v, _, weights = crf_case(rng)
        tags = viterbi(v, LENGTHS, **weights)
        for b, length in enumerate(LENGTHS):
            every = itertools.product(range(3), repeat=int(length))
            best = max(every, key=lambda path: more.tag_score(path, v[:, b], **weights))
            assert tuple(tags[:length, b]) == best
            assert (tags[length:, b] == -1).all()


def test_weights_are_as_good_as_repetition(rng: np.random.Generator) -> None:
    """An example that counts 3 is one that is there three times."""
    weights = np.array([3.0, 1.0, 2.0])
    x, t = rng.standard_normal((T, B, F)), rng.random((T, B, F))
    repeated = np.repeat(np.arange(B), weights.astype(int))
    for layer, predictions in ((MSE(), F), (Huber(), F), (Quantile(quantiles=(0.5,)), F)):
        weighed = loss_model(layer, predictions, weights=Input("w", shape=("B",)))
        plain = loss_model(layer, predictions)
        expected = plain.forward(x=x[:, repeated], t=t[:, repeated])["y"]
        assert weighed.forward(x=x, t=t, w=weights)["y"] == pytest.approx(expected, rel=1e-12)


def test_weights_of_steps_make_holes(rng: np.random.Generator) -> None:
    """Weights of 0 leave steps out wherever they are."""
    x, t, keep = rng.standard_normal((T, B, F)), rng.random((T, B, F)), rng.random((T, B)) < 0.5
    model = loss_model(MSE(), weights=Input("w", shape=("T", "B")))
    assert model.forward(x=x, t=t, w=keep)["y"] == pytest.approx(float(np.square(x - t)[keep].mean()), rel=1e-12)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (lambda x, t, w: MSE()(x, t, weights=Input("w", shape=("B", 2))), "weights should be"),
        (lambda x, t, w: GaussianNLL()(Input("x", depth=3), t), "means and as many log variances"),
        (lambda x, t, w: Quantile()(x, t), "3 quantiles of each number, but there are 4 features"),
        (lambda x, t, w: SigmoidCE(class_weights=(1.0,))(x, t), "class_weights has 1 weights, but there are 4 classes"),
        (lambda x, t, w: SoftmaxCE(class_weights=(1.0,))(x, w), "class_weights has 1 weights, but there are 4 classes"),
        (lambda x, t, w: SoftmaxCE()(x, Input("q", depth=3)), "probabilities as targets should have the shape"),
        (lambda x, t, w: CRF()(x, Input("q", dtype="int", depth=9)), "targets have 9 tags, but there are only 4"),
        (lambda x, t, w: Model(MSE("none")(x, t)), "a loss is one number"),
    ],
)
def test_what_does_not_fit_is_told(wire: Any, words: str) -> None:
    x, t = Input("x", depth=F), Input("t", depth=F)
    with pytest.raises(GraphError, match=words):
        wire(x, t, Input("w", dtype="int", depth=F))
