"""LSTM: a recurrent layer whose cell state is changed by addition, so that gradients survive many steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minidl.graph.arrays import Array
from minidl.graph.operations import each, sigmoid, split, tanh
from minidl.layers.cell import Cell


@dataclass(frozen=True)
class LSTM(Cell):
    """Long short-term memory.

        i, f, o = σ(x Wx + h_prev Wh + b)    input, forget and output gate
        g = tanh(x Wx + h_prev Wh + b)       candidate
        c = f c_prev + i g                   cell state
        h = o tanh c                         output

    Each of i, f, g, o has its own columns of Wx (F, 4H), Wh (H, 4H) and b (4H,), in this order; the bias of f starts
    at 1. x (T, B, F), y = h (T, B, H). h_prev and c_prev are those of the step before; at step 0 those given as h0 and
    c0 (B, H), or else those of the previous call. Backward, with dh and dc from the step after, and from dy:

        dc = dc + dh o (1 - tanh² c)
        di = dc g i (1 - i),   df = dc c_prev f (1 - f),   dg = dc i (1 - g²),   do = dh tanh(c) o (1 - o)
        dh_prev = [di df dg do] Whᵀ,   dc_prev = dc f,   dWh = Σ h_prevᵀ [di df dg do],   dWx = Σ xᵀ [di df dg do]

    units, dropout, recurrent_dropout, bias, lengths, h0, c0: see Cell.

    >>> import numpy as np
    >>> from minidl import Model
    >>> Model.of(LSTM(3), np.zeros((5, 2, 4))).arrays["lstm/gates"].shape
    (5, 2, 12)

    Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000, equations 3.1 to 3.6.
    """

    gates = ("i", "f", "g", "o")
    states = ("h", "c")
    bias_init = "forget_one"

    def step(self, a: Array, c_prev: Array) -> Any:
        i, f, g, o = each(a, sigmoid, sigmoid, tanh, sigmoid)
        c = f * c_prev + i * g
        h = o * tanh(c)
        return a, (h, c)

    def step_back(self, gates: Array, c_prev: Array, c: Array, dh: Array, dc: Array) -> Any:
        i, f, g, o = split(gates, 4)
        tanh_c = tanh(c)
        dc = dc + dh * o * (1 - tanh_c**2)
        di = dc * g * i * (1 - i)
        df = dc * c_prev * f * (1 - f)
        dg = dc * i * (1 - g**2)
        do = dh * tanh_c * o * (1 - o)
        return (di, df, dg, do), (None, dc * f)
