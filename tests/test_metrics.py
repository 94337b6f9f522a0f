"""Metrics against their definitions, written out slowly; several batches give what all examples at once would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Input, Model
from minidl.data import Vocabulary
from minidl.data.baselines import error_of, majority
from minidl.layers import MSE, Add, Dense, OneHot, SigmoidCE, SoftmaxCE
from minidl.training.class_measures import count_classes, macro_f1
from minidl.training.metrics import MetricAccumulator, unit_of_loss

CLASSES = 4


def f1_by_definition(predicted: Any, targets: Any) -> float:
    """Precision and recall of each class that occurs, and the mean of their harmonic means."""
    pairs = [(p, t) for p, t in zip(predicted, targets, strict=True) if t >= 0]
    scores = []
    for c in sorted({c for pair in pairs for c in pair}):
        hits = sum(p == t == c for p, t in pairs)
        precision = hits / max(sum(p == c for p, _ in pairs), 1)
        recall = hits / max(sum(t == c for _, t in pairs), 1)
        scores.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    return sum(scores) / len(scores)


classes = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(-1, CLASSES - 1)), min_size=1, max_size=30)


@given(classes, st.integers(0, 30))
@settings(deadline=None)
def test_macro_f1_is_that_of_all_batches_together(pairs: list[tuple[int, int]], cut: int) -> None:
    predicted, targets = np.array([(0, 0), *pairs]).T
    parts = [count_classes(predicted[part], targets[part], CLASSES) for part in (slice(cut), slice(cut, None))]
    assert macro_f1(sum(parts)) == pytest.approx(f1_by_definition(predicted, targets))


def test_macro_f1_of_a_textbook_table() -> None:
    """Rows of hits, of predictions and of targets: precision 1/2, 2/3 and recall 1/3, 1; a third class never occurs."""
    assert macro_f1(np.array([[1, 2, 0], [2, 3, 0], [3, 2, 0]])) == pytest.approx((0.4 + 0.8) / 2)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.lists(st.integers(0, 3), min_size=1, max_size=20))
@settings(deadline=None)
def test_the_majority_is_measured_as_a_model_is(learnt: list[int], asked: list[int]) -> None:
    train = np.array([*range(4), *learnt])
    found = majority([train[:2], train[2:]], [np.array(asked)])
    guess = np.bincount(train).argmax()
    counts = count_classes(np.full(len(asked), guess), np.array(asked), 4)
    assert found["macro_f1/majority"] == pytest.approx(macro_f1(counts))
    assert found["accuracy/majority"] == pytest.approx(counts[0].sum() / len(asked))
    assert found["loss/frequencies"] == pytest.approx(np.mean([-np.log(np.mean(train == c)) for c in asked]))


def test_no_validation_no_baselines() -> None:
    assert majority([np.arange(3)], []) == {}
    assert error_of(np.zeros((0, 2)), np.zeros((0, 2)), "last_value") == {}


def softmax_model(shape: tuple[str, ...], reduction: str = "mean") -> Model:
    logits = Dense(CLASSES, name="logits")(Input("x", depth=CLASSES, shape=(*shape, CLASSES)))
    model = Model(SoftmaxCE(reduction)(logits, Input("targets", dtype="int", depth=CLASSES, shape=shape)))
    model.parameters["logits/W"][...] = np.eye(CLASSES)
    return model


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [("B",), ("T", "B")])
def test_classes_over_batches_of_different_sizes(
    shape: tuple[str, ...], reduction: str, rng: np.random.Generator
) -> None:
    model, tally = softmax_model(shape, reduction), MetricAccumulator()
    seen: list[Any] = []
    for size in (5, 3, 1):
        targets = rng.integers(-1 if shape == ("T", "B") else 0, CLASSES, (6, size)[-len(shape) :])
        x = rng.standard_normal((*targets.shape, CLASSES))
        loss = model.forward(x=x, targets=targets)["loss"]
        tally.add(model, loss, {"x": x, "targets": targets})
        seen += zip(x.reshape(-1, CLASSES), targets.ravel(), strict=True)
    counted = [(x, t) for x, t in seen if t >= 0]
    result = tally.result("val", "step")
    assert set(result) == {"val/loss", "val/accuracy", "val/macro_f1", "val/weighted_f1"}
    assert result["val/accuracy"] == pytest.approx(np.mean([x.argmax() == t for x, t in counted]))
    losses = [np.log(np.exp(x).sum()) - x[t] for x, t in counted]
    assert result["val/loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert result["val/macro_f1"] == pytest.approx(
        f1_by_definition([x.argmax() for x, _ in seen], [t for _, t in seen])
    )


def test_language_models_have_no_macro_f1(rng: np.random.Generator) -> None:
    model, tally = softmax_model(("T", "B")), MetricAccumulator()
    inputs = {"x": rng.standard_normal((2, 3, CLASSES)), "targets": rng.integers(CLASSES, size=(2, 3))}
    tally.add(model, model.forward(**inputs)["loss"], inputs)
    assert set(tally.result("val", "char")) == {"val/loss", "val/accuracy", "val/bits_per_char"}
    assert set(tally.result("val", "word")) == {"val/loss", "val/accuracy", "val/perplexity"}


def test_measures_can_be_left_out(rng: np.random.Generator) -> None:
    model, tally = softmax_model(("B",)), MetricAccumulator()
    inputs = {"x": rng.standard_normal((3, CLASSES)), "targets": rng.integers(CLASSES, size=3)}
    tally.add(model, model.forward(**inputs)["loss"], inputs, measures=False)
    assert set(tally.result("train", "step")) == {"train/loss"}


def test_mean_absolute_error_over_batches_of_different_sizes(rng: np.random.Generator) -> None:
    model = Model(MSE()(Dense(2, name="y")(Input("x", depth=3)), Input("targets", depth=2)))
    tally, errors, wanted = MetricAccumulator(), [], []
    for size in (4, 1):
        inputs = {"x": rng.standard_normal((5, size, 3)), "targets": rng.standard_normal((5, size, 2))}
        results = model.forward(**inputs)
        tally.add(model, results["loss"], inputs)
        errors += (results["y"] - inputs["targets"]).reshape(-1, 2).tolist()
        wanted += inputs["targets"].reshape(-1, 2).tolist()
    unexplained = np.square(errors).sum(axis=0) / (len(wanted) * np.var(wanted, axis=0))
    assert tally.result("val", "step") == {
        "val/loss": pytest.approx(np.mean(np.square(errors)), rel=1e-5),
        "val/mean_absolute_error": pytest.approx(np.mean(np.abs(errors)), rel=1e-5),
        "val/root_mean_squared_error": pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-5),
        "val/r2": pytest.approx(np.mean(1 - unexplained), rel=1e-5),
    }


def test_accuracy_of_yes_or_no(rng: np.random.Generator) -> None:
    model = Model(SigmoidCE()(Dense(2, name="y")(Input("x", depth=3)), Input("targets", depth=2)))
    inputs = {"x": rng.standard_normal((5, 4, 3)), "targets": rng.integers(2, size=(5, 4, 2)).astype(float)}
    tally, results = MetricAccumulator(), model.forward(**inputs)
    right = np.mean((results["y"] > 0) == (inputs["targets"] == 1))
    tally.add(model, results["loss"], inputs)
    assert tally.result("test", "step")["test/accuracy"] == pytest.approx(right)


def two_losses(total: bool) -> Model:
    """A model with a loss of each of two outputs, and their sum as the loss; or with one loss between two nodes."""
    hidden = Dense(3, name="hidden")(Input("x", depth=3))
    if not total:
        return Model(MSE()(hidden, Dense(3, name="other")(Input("x2", depth=3))))
    near, far = (Input(name, depth=2) for name in ("near", "far"))
    return Model(Add()(MSE()(Dense(2)(hidden), near), MSE()(Dense(2)(hidden), far)))


@pytest.mark.parametrize("total", [True, False])
def test_a_loss_that_is_measured_against_no_input_counts_batches(total: bool, rng: np.random.Generator) -> None:
    model, tally, losses = two_losses(total), MetricAccumulator(), []
    for size in (4, 1):
        depths = {name: node.depth for name, node in model.graph.inputs.items()}
        inputs = {name: rng.standard_normal((5, size, depth)) for name, depth in depths.items()}
        losses.append(model.forward(**inputs)["loss"])
        tally.add(model, losses[-1], inputs)
    assert tally.result("val", unit_of_loss(model, "char")) == {"val/loss": pytest.approx(np.mean(losses))}


def test_only_cross_entropy_is_told_in_bits() -> None:
    assert [unit_of_loss(softmax_model(("B",)), unit) for unit in ("char", "word", "step")] == ["char", "word", "step"]
    assert unit_of_loss(two_losses(total=True), "char") == "step"


@pytest.mark.parametrize("loss", [MSE, SigmoidCE])
def test_what_stands_in_the_padding_is_not_measured(loss: type[MSE | SigmoidCE], rng: np.random.Generator) -> None:
    """Batches with lengths are measured as all their steps that are none of the padding, one after the other."""
    ends = Input("lengths", dtype="int", shape=("B",))
    x, targets = (Input(name, depth=2) for name in ("x", "targets"))
    y = Dense(2)(x)
    padded, plain = Model(loss()(y, targets, ends)), Model(loss()(y, targets))
    measured, steps = MetricAccumulator(), []
    for lengths in ([3, 1], [2]):
        inputs = {"x": rng.standard_normal((4, len(lengths), 2)), "targets": rng.random((4, len(lengths), 2))}
        inputs["lengths"] = np.array(lengths)
        measured.add(padded, padded.forward(**inputs)["loss"], inputs)
        steps += [(inputs["x"][t, b], inputs["targets"][t, b]) for b, L in enumerate(lengths) for t in range(L)]
    alone = dict(zip(("x", "targets"), np.array(steps)[:, None].transpose(2, 0, 1, 3), strict=True))
    expected = MetricAccumulator()
    expected.add(plain, plain.forward(**alone)["loss"], alone)
    assert measured.result("val", "step") == pytest.approx(expected.result("val", "step"), rel=1e-5)


def test_the_share_of_unknown_words_stands_beside_perplexity() -> None:
    vocabulary = Vocabulary(("a", "<unk>"), "word", 1)
    model = Model(
        SoftmaxCE()(Dense(2)(OneHot()(Input("ids", dtype="int", depth=2))), Input("targets", dtype="int", depth=2))
    )
    model.vocabulary = vocabulary
    ids = np.array([[0, 1, 0, 0]])
    found = MetricAccumulator()
    found.add(model, model.forward(ids=ids, targets=ids)["loss"], {"ids": ids, "targets": ids})
    assert found.result("val", "word")["val/unknown"] == 0.25
    assert "val/unknown" not in found.result("val", "char")
