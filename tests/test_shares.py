"""Shares of a batch: who computes which decides no bit of a gradient, and together they are that of the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.callbacks.tensorboard.histograms import histograms
from minidl.data.batches import Batch
from minidl.engine import dispatch
from minidl.graph.layer import Node
from minidl.graph.sums import add_in_pairs
from minidl.layers import (
    CRF,
    GRU,
    LSTM,
    MSE,
    Attention,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    MinGRU,
    SoftmaxCE,
)
from minidl.system.errors import UsageError
from minidl.training.batch_parts import measured, weights_of_sequences
from minidl.training.gradient import fill_gradient
from minidl.training.shares import Shares

STEPS, SEQUENCES, SYMBOLS = 5, 33, 7  # shares of 8, 8, 8 and 9 sequences
Build = Callable[[Any], Node]
targets = Input("targets", depth=SYMBOLS, dtype="int")


def plain(ids: Any) -> Node:
    return SoftmaxCE()(Dense(SYMBOLS)(LSTM(6, dropout=0.2, recurrent_dropout=0.1)(Embedding(4)(ids))), targets)


def few_symbols(ids: Any) -> Node:
    return SoftmaxCE()(Dense(SYMBOLS)(LSTM(6)(Embedding(4, dropout=0.3)(ids))), targets)


def unmasked(ids: Any) -> Node:
    return SoftmaxCE()(Dense(SYMBOLS)(LSTM(6, dropout=0.2)(Embedding(4)(ids))), targets)


def tied(ids: Any) -> Node:
    x = Embedding(4, dropout=0.3, name="table")(ids)
    return SoftmaxCE(reduction="sum")(Dense(SYMBOLS, tied_to="table")(MinGRU(4)(x)), targets)


def windows(ids: Any) -> Node:
    weighing = SoftmaxCE(class_weights=(1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.1))
    x = Dropout(0.3)(Conv1D(4, width=3)(Embedding(4)(ids)))
    return weighing(Dense(SYMBOLS)(Attention(heads=2)(x, x)), targets)


def tagger(ids: Any) -> Node:
    return CRF()(Dense(SYMBOLS)(Bidirectional(LSTM(3))(Embedding(4)(ids))), targets)


def numbers(ids: Any) -> Node:
    return MSE()(Dense(3)(GRU(4)(Embedding(4)(ids))), Input("targets", depth=3))


def batch(*, padded: bool, sequences: int = SEQUENCES, numbers: bool = False) -> Batch:
    rng = np.random.default_rng(0)
    ids, wanted = (rng.integers(0, SYMBOLS, (STEPS, sequences)) for _ in range(2))
    if padded:
        wanted[np.arange(STEPS)[:, None] >= rng.integers(1, STEPS + 1, sequences)] = -1
    given = rng.standard_normal((STEPS, sequences, 3)).astype(np.float32) if numbers else wanted
    return Batch({"ids": ids, "targets": given}, reset_state=False)


def model_of(build: Build) -> Model:
    return Model(build(Input("ids", depth=SYMBOLS, dtype="int")), seed=3)


@dataclass(frozen=True)
class Trained:
    """What processes have together after their last step; the first process's view of what layers computed."""

    loss: float
    gradient: NDArray[Any]
    carried: dict[str, NDArray[Any]]
    measured: dict[str, float]
    computed: dict[str, NDArray[Any]]

    def bits(self) -> list[Any]:
        arrays = [{name: array.tobytes() for name, array in of.items()} for of in (self.carried, self.computed)]
        return [self.loss, self.gradient.tobytes(), self.measured, *arrays]


def trained(build: Build, processes: int, *given: Batch, accumulate: int = 1) -> Trained:
    """So many processes take a step for each batch."""
    losses, gradients, carried, measured = [], [], [], []
    computed: dict[str, NDArray[Any]] = {}
    for rank in range(processes):
        model = model_of(build)
        shares = Shares(model, processes, rank)
        for batch in given:
            loss = shares.fill_gradient([batch] * accumulate, carry=True)
        losses.append(np.array(loss))
        gradients.append(model.executor.gradient)
        carried.append(model.executor.state)
        measured.append(shares.measured())
        computed = computed or {tag: array for tag, array in histograms(model) if tag.startswith("values/")}
    states = {name: np.concatenate([state[name] for state in carried]) for name in carried[0]}
    counted = add_in_pairs(measured).result("train", "step")
    return Trained(float(add_in_pairs(losses)), add_in_pairs(gradients), states, counted, computed)


@pytest.mark.parametrize("kernels", dispatch.usable())
@pytest.mark.parametrize(
    ("padded", "sizes"), [(False, (33, 33)), (True, (32, 32)), (False, (17, 32, 32)), (True, (33, 3, 3))]
)
@pytest.mark.parametrize("build", [plain, unmasked, few_symbols, tied, windows, tagger])
def test_who_computes_which_share_decides_no_bit(
    build: Build, padded: bool, sizes: tuple[int, ...], kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, kernels)
    given = [batch(padded=padded, sequences=sequences) for sequences in sizes]
    alone = trained(build, 1, *given)
    assert alone.measured
    for processes in (2, 3, 4):
        assert trained(build, processes, *given).bits() == alone.bits()


@pytest.mark.parametrize("kernels", dispatch.usable())
def test_batches_that_are_accumulated(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, kernels)
    given = batch(padded=False, sequences=32)
    assert trained(unmasked, 3, given, accumulate=3).bits() == trained(unmasked, 1, given, accumulate=3).bits()


@pytest.mark.parametrize("build", [plain, tied, windows, tagger])
def test_shares_add_up_to_the_gradient_of_the_batch(build: Build) -> None:
    given, model = batch(padded=True), model_of(build)
    for _ in range(2):
        loss = fill_gradient(model, [given], carry=True)
    found = trained(build, 1, given, given)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(found.gradient, model.executor.gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.skipif("c" not in dispatch.usable(), reason="no compiler")
@pytest.mark.parametrize("sequences", [32, 128])  # shares of 8, and of 16, which a kernel alone would cut again
@pytest.mark.parametrize("build", [unmasked, numbers])
def test_what_kernels_add_in_shares_has_the_bits_of_a_run_without_shares(
    build: Build, sequences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "c")
    given, model = batch(padded=False, sequences=sequences, numbers=build is numbers), model_of(build)
    for _ in range(2):
        loss = fill_gradient(model, [given], carry=True)
    counted = measured(model, given.inputs).result("train", "step")
    for processes in (1, 2, 3):
        found = trained(build, processes, given, given)
        assert found.gradient.tobytes() == model.executor.gradient.tobytes()
        assert (found.loss, found.measured) == (loss, counted)


def test_a_number_that_is_not_finite_is_found_where_it_was() -> None:
    """The model keeps the share that it came from, and the loss of all is not finite."""
    model, given = model_of(plain), batch(padded=False)
    shares = Shares(model)
    shares.fill_gradient([given], carry=True)
    model.executor.state["lstm/h"][20] = np.nan
    assert np.isnan(shares.fill_gradient([given], carry=True))
    np.testing.assert_array_equal(model.executor.input("ids"), given.inputs["ids"][:, 16:24])
    assert np.isnan(model.arrays["lstm/y"][:, 4]).any()


def test_what_targets_weigh() -> None:
    ids = Input("ids", depth=SYMBOLS, dtype="int")
    logits, weights = Dense(SYMBOLS)(Embedding(4)(ids)), Input("weights", shape=("B",))
    model = Model(SoftmaxCE()(logits, targets, weights=weights))
    inputs = {"targets": np.array([[1, 2], [1, -1]]), "weights": np.array([0.5, 3.0])}
    assert weights_of_sequences(model, inputs).tolist() == [0.5 + 0.5, 3.0]
    with pytest.raises(UsageError, match="softmax_ce: its weights are no input"):
        weights_of_sequences(model, {"targets": inputs["targets"]})
