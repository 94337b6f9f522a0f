"""Padded batches with lengths: the same loss and gradients as each sequence on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Input, Layer, Model
from minidl.graph.layer import Node
from minidl.layers import (
    GRU,
    LSTM,
    MSE,
    RNN,
    Bidirectional,
    Dense,
    Embedding,
    Last,
    OneHot,
    Reverse,
    SigmoidCE,
    SoftmaxCE,
)

Read = Callable[[Node, Input], Node]
SYMBOLS, CLASSES, PADDING = 6, 4, 0

READERS: dict[str, Read] = {
    "RNN": lambda x, lengths: RNN(5)(x, lengths),
    "RNN relu": lambda x, lengths: RNN(5, activation="relu")(x, lengths),
    "GRU": lambda x, lengths: GRU(5)(x, lengths),
    "LSTM": lambda x, lengths: LSTM(5)(x, lengths),
    "LSTM without lengths": lambda x, lengths: LSTM(5)(x),
    "Bidirectional LSTM": lambda x, lengths: Bidirectional(LSTM(3))(x, lengths),
    "Bidirectional GRU": lambda x, lengths: Bidirectional(GRU(3))(x, lengths),
    "Bidirectional RNN": lambda x, lengths: Bidirectional(RNN(3))(x, lengths),
    "two deep": lambda x, lengths: Bidirectional(LSTM(3), name="top")(
        Bidirectional(GRU(2), name="low")(x, lengths), lengths
    ),
    "backwards": lambda x, lengths: Reverse()(LSTM(4)(Reverse()(x, lengths), lengths), lengths),
}


def model_of(read: Read, whole: bool, one_hot: bool = False) -> Model:
    """A model that labels each step (targets (T, B)) or the whole sequence (targets (B,))."""
    ids = Input("ids", dtype="int", depth=SYMBOLS)
    lengths = Input("lengths", dtype="int", shape=("B",))
    targets = Input("targets", dtype="int", depth=CLASSES, shape=("B",) if whole else ("T", "B"))
    hidden = read(OneHot()(ids) if one_hot else Embedding(4)(ids), lengths)
    logits = Dense(CLASSES)(Last()(hidden, lengths) if whole else hidden)
    return Model(SoftmaxCE("sum")(logits, targets), outputs={"logits": logits}, dtype="float64")


def step(model: Model, **feeds: Any) -> tuple[float, Any]:
    """Loss and gradient from a state of zeros; feeds that a model has no use for are left out."""
    model.reset_state()
    loss = model.forward(**{name: feeds[name] for name in model.graph.inputs})["loss"]
    model.backward()
    return loss, model.executor.gradient.copy()


def check_padding(read: Read, lengths: list[int], whole: bool, one_hot: bool = False, longer: int = 0) -> None:
    """One padded batch against its sequences one by one, unpadded."""
    rng = np.random.default_rng(1)
    T, B = max(lengths) + longer, len(lengths)
    inside = np.arange(T)[:, None] < np.array(lengths)
    ids = np.where(inside, rng.integers(SYMBOLS, size=(T, B)), PADDING)
    targets = rng.integers(CLASSES, size=B) if whole else np.where(inside, rng.integers(CLASSES, size=(T, B)), -1)
    padded, alone = model_of(read, whole, one_hot), model_of(read, whole, one_hot)
    loss, gradient = step(padded, ids=ids, targets=targets, lengths=lengths)
    parts = []
    for b, L in enumerate(lengths):
        target = targets[b : b + 1] if whole else targets[:L, b : b + 1]
        parts.append(step(alone, ids=ids[:L, b : b + 1], targets=target, lengths=[L]))
    assert loss == pytest.approx(sum(part for part, _ in parts), rel=1e-12)
    np.testing.assert_allclose(gradient, sum(part for _, part in parts), rtol=0, atol=1e-12)
    assert np.abs(gradient).max() > 1e-3


@pytest.mark.parametrize("whole", [False, True], ids=["each step", "whole sequence"])
@pytest.mark.parametrize("one_hot", [False, True], ids=["embedding", "one-hot"])
@pytest.mark.parametrize("reader", READERS)
def test_padding_changes_nothing(reader: str, one_hot: bool, whole: bool) -> None:
    check_padding(READERS[reader], [5, 1, 3, 5, 2], whole, one_hot)


@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    longer=st.integers(0, 3),
    reader=st.sampled_from(sorted(READERS)),
    whole=st.booleans(),
)
def test_any_lengths(lengths: list[int], longer: int, reader: str, whole: bool) -> None:
    check_padding(READERS[reader], lengths, whole, longer=longer)


@pytest.mark.parametrize("reader", ["RNN", "GRU", "LSTM"])
def test_each_sequence_leaves_the_state_of_its_own_end(reader: str) -> None:
    """Sequences of different lengths go on in the next call, each from where it ended."""
    rng = np.random.default_rng(2)
    lengths, later = [4, 1, 3], 2
    padded, alone = model_of(READERS[reader], whole=False), model_of(READERS[reader], whole=False)
    first, second = rng.integers(SYMBOLS, size=(4, 3)), rng.integers(SYMBOLS, size=(later, 3))
    padded.forward(ids=first, lengths=lengths)
    found = padded.forward(ids=second, lengths=[later] * 3)["logits"].copy()
    for b, L in enumerate(lengths):
        alone.reset_state()
        joined = np.concatenate([first[:L, b : b + 1], second[:, b : b + 1]])
        expected = alone.forward(ids=joined, lengths=[L + later])["logits"][L:]
        np.testing.assert_allclose(found[:, b : b + 1], expected, rtol=0, atol=1e-14)


def test_what_stands_in_the_padding_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    model = model_of(READERS["Bidirectional LSTM"], whole=True)
    ids, other = rng.integers(SYMBOLS, size=(2, 6, 3))
    lengths, targets = np.array([6, 2, 4]), rng.integers(CLASSES, size=3)
    inside = np.arange(6)[:, None] < lengths
    results = [step(model, ids=np.where(inside, ids, pad), targets=targets, lengths=lengths) for pad in (0, other)]
    assert results[0][0] == results[1][0]
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=0, atol=1e-15)


def test_the_mean_is_over_what_is_inside() -> None:
    rng = np.random.default_rng(4)
    logits, targets = Input("logits", depth=CLASSES), Input("targets", dtype="int", depth=CLASSES)
    mean, total = (Model(SoftmaxCE(reduction)(logits, targets), dtype="float64") for reduction in ("mean", "sum"))
    feeds = {"logits": rng.standard_normal((5, 2, CLASSES)), "targets": rng.integers(CLASSES, size=(5, 2))}
    feeds["targets"][3:, 1] = -1
    assert mean.forward(**feeds)["loss"] == pytest.approx(total.forward(**feeds)["loss"] / 8)
    np.testing.assert_allclose(mean.backward()["logits"], total.backward()["logits"] / 8)


@pytest.mark.parametrize("loss", [MSE("sum"), SigmoidCE("sum")], ids=["MSE", "SigmoidCE"])
def test_numbers_at_each_step(loss: Layer) -> None:
    """A loss of numbers leaves out what is past the lengths, whatever stands there."""
    rng = np.random.default_rng(5)
    lengths = np.array([4, 1, 3])
    inside = np.arange(5)[:, None] < lengths
    x, targets, ends = Input("x", depth=2), Input("targets", depth=2), Input("lengths", dtype="int", shape=("B",))
    model = Model(loss(Dense(2)(LSTM(3)(x, ends)), targets, ends), dtype="float64")
    feeds = {"x": rng.standard_normal((5, 3, 2)), "targets": rng.random((5, 3, 2))}
    feeds["targets"][~inside] = np.nan
    whole, gradient = step(model, **feeds, lengths=lengths)
    parts = [
        step(model, **{name: array[:L, b : b + 1] for name, array in feeds.items()}, lengths=[L])
        for b, L in enumerate(lengths)
    ]
    assert whole == pytest.approx(sum(part for part, _ in parts), rel=1e-12)
    np.testing.assert_allclose(gradient, sum(part for _, part in parts), rtol=0, atol=1e-12)
