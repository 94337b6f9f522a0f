"""What stands past the end of a sequence is never read: results and gradients have the bits of zeros there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.engine.dispatch import kinds, using
from minidl.layers import (
    CTC,
    GRU,
    LSTM,
    MAE,
    MSE,
    RNN,
    SLSTM,
    Attention,
    Bidirectional,
    Conv1D,
    Dense,
    Huber,
    Last,
    MinGRU,
    MinLSTM,
    Pool,
    Reverse,
    SigmoidCE,
)

T, B, F = 6, 4, 5
LENGTHS = np.array([2, 6, 1, 4])
PADDED = np.arange(T)[:, None] >= LENGTHS  # (T, B)

LAYERS: dict[str, Callable[[Any, Any], Any]] = {
    "RNN": lambda x, n: RNN(3)(x, n),
    "GRU": lambda x, n: GRU(3)(x, n),
    "GRU, reset before": lambda x, n: GRU(3, reset_after=False)(x, n),
    "LSTM": lambda x, n: LSTM(3)(x, n),
    "LSTM, projected": lambda x, n: LSTM(3, projection=2)(x, n),
    "MinGRU": lambda x, n: MinGRU(3)(x, n),
    "MinLSTM": lambda x, n: MinLSTM(3)(x, n),
    "SLSTM": lambda x, n: SLSTM(3)(x, n),
    "two LSTMs": lambda x, n: LSTM(3)(LSTM(4)(x, n), n),
    "Bidirectional LSTM": lambda x, n: Bidirectional(LSTM(3))(x, n),
    "Bidirectional GRU, mean, last": lambda x, n: Last()(Bidirectional(GRU(3), merge="mean")(x, n), n),
    "Last": lambda x, n: Last()(x, n),
    "Reverse": lambda x, n: Reverse()(x, n),
    "Pool, mean": lambda x, n: Pool("mean")(x, n),
    "Pool, max": lambda x, n: Pool("max")(x, n),
    "Conv1D": lambda x, n: Conv1D(3, padding="same")(x, n),
    "Conv1D, causal": lambda x, n: Conv1D(3, padding="causal")(x, n),
    "Attention": lambda x, n: Dense(2)(Last()(Attention(4, heads=2)(x, x, lengths=n, query_lengths=n), n)),
    "MSE": lambda x, n: MSE()(x, Input("answers", depth=F), n),
    "MAE": lambda x, n: MAE()(x, Input("answers", depth=F), n),
    "Huber": lambda x, n: Huber()(x, Input("answers", depth=F), n),
    "SigmoidCE": lambda x, n: SigmoidCE()(x, Input("answers", depth=F), n),
    "CTC": lambda x, n: CTC()(x, Input("symbols", dtype="int", depth=F, shape=("U", "B")), n),
}


def everything(layer: str, kernels: str, dtype: str, padding: float) -> dict[str, bytes]:
    """Results and gradients, in bytes."""
    rng = np.random.default_rng(1)
    x, answers = rng.standard_normal((T, B, F)), rng.random((T, B, F))
    with np.errstate(all="ignore"):
        x[PADDED] = padding
        answers[PADDED] = padding
    with using(kernels):
        y = LAYERS[layer](Input("x", depth=F), Input("lengths", dtype="int", depth=T + 1, shape=("B",)))
        model = Model(outputs={"y": y}, dtype=dtype)
        given = {"x": x, "lengths": LENGTHS, "answers": answers, "symbols": np.array([[1, 2, 1, 3]])}
        found = model.forward(**{name: given[name] for name in model.graph.inputs})["y"]
        dy = np.ones(()) if np.ndim(found) == 0 else rng.standard_normal(found.shape)
        if np.shape(dy)[:2] == (T, B):
            dy[PADDED] = 0
        gradients = model.backward(y=dy) | dict(model.gradients)
    gradients.pop("answers", None)
    return {"y": np.asarray(found).tobytes(), **{name: array.tobytes() for name, array in gradients.items()}}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernels", kinds())
@pytest.mark.parametrize("layer", LAYERS)
def test_padding_is_never_read(layer: str, kernels: str, dtype: str) -> None:
    expected = everything(layer, kernels, dtype, 0.0)
    for padding in (math.nan, math.inf, -math.inf, 1e38):
        found = everything(layer, kernels, dtype, padding)
        assert [name for name in expected if found[name] != expected[name]] == [], padding
