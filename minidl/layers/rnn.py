"""RNN: the plain recurrent layer, one matrix product and one non-linearity a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from minidl.graph.arrays import Array
from minidl.graph.operations import tanh
from minidl.layers.cell import Cell


@dataclass(frozen=True)
class RNN(Cell):
    """Simple recurrent layer.

        h = tanh(x Wx + h_prev Wh + b)       or relu in the place of tanh

    x (T, B, F), Wx (F, H), Wh (H, H), b (H,), y = h (T, B, H). h_prev is that of the step before; at step 0 that given
    as h0 (B, H), or else that of the previous call. Backward, with dh from the step after, and from dy:

        da = dh (1 - h²)   (relu: dh [h > 0]),   dh_prev = da Whᵀ,   dWh = Σ h_prevᵀ da,   dWx = Σ xᵀ da,   db = Σ da

    activation: the non-linearity. units, dropout, recurrent_dropout, bias, lengths, h0: see Cell.

    >>> from minidl import Model
    >>> Model.of(RNN(3), np.zeros((5, 2, 4))).arrays["rnn/y"].shape
    (5, 2, 3)

    Elman 1990.
    """

    activation: Literal["tanh", "relu"] = "tanh"

    gates = ("h",)

    def step(self, a: Array) -> Any:
        h = tanh(a) if self.activation == "tanh" else np.maximum(a, 0)
        return (h,), (h,)

    def step_back(self, h: Array, dh: Array) -> Any:
        da = dh * (1 - h**2 if self.activation == "tanh" else h > 0)
        return (da,), (None,)
