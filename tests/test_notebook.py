"""From the same weights, minidl gives the numbers of the notebook's LSTM: loss, gradients, twenty training steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import notebook_lstm as notebook
import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE
from minidl.optim import Adam

VOCAB, HIDDEN, WINDOW = 12, 16, 25


def same_model(params: notebook.Params) -> Model:
    """OneHot, LSTM, Dense, SoftmaxCE(sum) with the notebook's weights."""
    ids = Input("ids", dtype="int", depth=VOCAB)
    targets = Input("targets", dtype="int", depth=VOCAB)
    logits = Dense(VOCAB, name="logits")(LSTM(HIDDEN, name="lstm")(OneHot()(ids)))
    model = Model(SoftmaxCE(reduction="sum", name="loss")(logits, targets), dtype="float64")
    for name, array in notebook.to_minidl(params).items():
        model.parameters[name][...] = array
    return model


def window(text: NDArray[Any], k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return text[k * WINDOW : (k + 1) * WINDOW], text[k * WINDOW + 1 : (k + 1) * WINDOW + 1]


def assert_equal(got: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]) -> None:
    assert set(got) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, rtol=0, atol=1e-10, err_msg=name)


@pytest.fixture
def params(rng: np.random.Generator) -> notebook.Params:
    return notebook.init(rng, VOCAB, HIDDEN)


@pytest.fixture
def text(rng: np.random.Generator) -> NDArray[Any]:
    return rng.integers(VOCAB, size=20 * WINDOW + 1)


def test_the_notebook_starts_from_the_weights_that_minidl_has(params: notebook.Params) -> None:
    model = same_model(params)
    assert_equal(dict(model.parameters), notebook.to_minidl(params))


def test_loss_gradients_and_state(params: notebook.Params, text: NDArray[Any], rng: np.random.Generator) -> None:
    model = same_model(params)
    h, c = rng.standard_normal((2, HIDDEN, 1))
    model.executor.load_state_dict({"lstm/h": h.T, "lstm/c": c.T}, {})
    ids, targets = window(text, 0)
    loss, gradients, h, c = notebook.forward_backward(params, ids.tolist(), targets.tolist(), h, c)
    assert model.forward(ids=ids[:, None], targets=targets[:, None])["loss"] == pytest.approx(loss, abs=1e-10)
    model.backward()
    assert_equal(dict(model.gradients), notebook.to_minidl(gradients))
    assert_equal(dict(model.state), {"lstm/h": h.T, "lstm/c": c.T})


def test_twenty_training_steps_with_clipping_and_adam(params: notebook.Params, text: NDArray[Any]) -> None:
    """Windows of one text, state carried on, gradients clipped by value; large steps, so that they leave their mark."""
    lr, bound = 0.02, 0.5
    model, optimizer = same_model(params), Adam(lr=lr, clip_value=bound)
    running, clipped = notebook.moments(params), 0
    h, c = np.zeros((2, HIDDEN, 1))
    before = notebook.to_minidl(params)
    for k in range(20):
        ids, targets = window(text, k)
        loss, gradients, h, c = notebook.forward_backward(params, ids.tolist(), targets.tolist(), h, c)
        assert model.forward(ids=ids[:, None], targets=targets[:, None])["loss"] == pytest.approx(loss, abs=1e-10)
        model.backward()
        assert_equal(dict(model.gradients), notebook.to_minidl(gradients))
        clipped += sum(int((np.abs(gradient) > bound).sum()) for gradient in gradients.values())
        notebook.adam(params, notebook.clip(gradients, bound), running, k + 1, lr)
        optimizer.step(model)
        assert_equal(dict(model.parameters), notebook.to_minidl(params))
    assert clipped > 100
    assert all(np.abs(model.parameters[name] - array).max() > 0.05 for name, array in before.items())
