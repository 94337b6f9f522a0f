"""MinGRU: a gated unit whose gates see the input alone, so that a step of the state is one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minidl.graph.arrays import Array
from minidl.graph.operations import pieces, sigmoid, split
from minidl.layers.cell import Cell


@dataclass(frozen=True)
class MinGRU(Cell):
    """Minimal gated recurrent unit.

        z = σ(x Wx + b)                      update gate
        n = x Wx + b                         candidate
        h = (1 - z) h_prev + z n             output

    Each of z, n has its own columns of Wx (F, 2H) and b (2H,), in this order; there is no Wh. x (T, B, F), y = h
    (T, B, H). Backward, with dh from the step after, and from dy:

        dz = dh (n - h_prev) z (1 - z),   dn = dh z,   dh_prev = dh (1 - z),   dWx = Σ xᵀ [dz dn]

    units, dropout, bias, lengths, h0: see Cell.

    >>> import numpy as np
    >>> from minidl import Model
    >>> Model.of(MinGRU(3), np.zeros((5, 2, 4))).arrays["min_gru/y"].shape
    (5, 2, 3)

    Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, section 3.1.
    """

    gates = ("z", "n")
    recurrent = False

    def step(self, a: Array, h_prev: Array) -> Any:
        z, n = split(a, 2)
        sigmoid(z, out=z)
        h = (1 - z) * h_prev + z * n
        return a, (h,)

    def step_back(self, gates: Array, h_prev: Array, dh: Array) -> Any:
        z, n = pieces(gates, 2)
        dz = dh * (n - h_prev) * z * (1 - z)
        dn = dh * z
        return (dz, dn), (dh * (1 - z),)
