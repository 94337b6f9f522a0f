"""MinLSTM: forget and input gate, which share what they weigh, and which see the input alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minidl.graph.arrays import Array
from minidl.graph.operations import each, pieces, sigmoid
from minidl.layers.cell import Cell


@dataclass(frozen=True)
class MinLSTM(Cell):
    """Minimal long short-term memory.

        f, i = σ(x Wx + b)                   forget and input gate
        n = x Wx + b                         candidate
        h = (f h_prev + i n) / (f + i)       output

    Each of f, i, n has its own columns of Wx (F, 3H) and b (3H,), in this order; there is no Wh. x (T, B, F), y = h
    (T, B, H). Backward, with dh from the step after, and from dy:

        d = dh / (f + i),   df = d (h_prev - h) f (1 - f),   di = d (n - h) i (1 - i),   dn = d i,   dh_prev = d f

    units, dropout, bias, lengths, h0: see Cell.

    >>> import numpy as np
    >>> from minidl import Model
    >>> Model.of(MinLSTM(3), np.zeros((5, 2, 4))).arrays["min_lstm/y"].shape
    (5, 2, 3)

    Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, section 3.2.
    """

    gates = ("f", "i", "n")
    recurrent = False

    def step(self, a: Array, h_prev: Array) -> Any:
        f_i, n = a[:, : 2 * self.units], a[:, 2 * self.units :]
        f, i = each(f_i, sigmoid, sigmoid)
        h = (f * h_prev + i * n) / (f + i)
        return a, (h,)

    def step_back(self, gates: Array, h_prev: Array, h: Array, dh: Array) -> Any:
        f, i, n = pieces(gates, 3)
        d = dh / (f + i)
        df = d * (h_prev - h) * f * (1 - f)
        di = d * (n - h) * i * (1 - i)
        dn = d * i
        return (df, di, dn), (d * f,)
