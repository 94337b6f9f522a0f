"""SLSTM: an LSTM with an exponential input gate, a normaliser, and a stabiliser that keeps both in range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.graph.arrays import Array
from minidl.graph.operations import pieces, sigmoid, split, tanh
from minidl.layers.cell import Cell


@dataclass(frozen=True)
class SLSTM(Cell):
    """Scalar LSTM of the xLSTM family, with one head.

        a = x Wx + h_prev Wh + b, its parts a_i, a_f, a_z, a_o
        m = max(log σ(a_f) + m_prev, a_i)                            stabiliser
        i = exp(a_i - m),   f = exp(log σ(a_f) + m_prev - m)         input and forget gate
        z = tanh(a_z),   o = σ(a_o)                                  candidate and output gate
        c = f c_prev + i z,   n = f n_prev + i                       cell state and normaliser
        h = o c / n                                                  output

    Each of i, f, z, o has its own columns of Wx (F, 4H), Wh (H, 4H) and b (4H,), in this order; the bias of f starts at
    1. x (T, B, F), y = h (T, B, H). Backward, with s = σ(a_f) and gradients from the step after, and from dy:

        dc = dc + dh o / n,   dn = dn - dh o c / n²
        di = (dc z + dn) i,   df = (dc c_prev + dn n_prev) f,   dm = dm - di - df, which goes where the maximum is
        dz = dc i (1 - z²),   do = dh (c / n) o (1 - o),   da_i = di + dm or di,   dm_prev = df + dm or df
        da_f = dm_prev (1 - s),   dc_prev = dc f,   dn_prev = dn f,   dh_prev = [da_i da_f dz do] Whᵀ

    units, dropout, recurrent_dropout, bias, lengths, h0, c0, n0, m0: see Cell.

    >>> from minidl import Model
    >>> Model.of(SLSTM(3), np.zeros((5, 2, 4))).arrays["slstm/y"].shape
    (5, 2, 3)

    Beck et al. 2024, section 2.2, equations 8 to 17.
    """

    gates = ("i", "f", "z", "o")
    states = ("h", "c", "n", "m")
    caches = ("s",)
    bias_init = "forget_one"

    def step(self, a: Array, c_prev: Array, n_prev: Array, m_prev: Array) -> Any:
        a_i, a_f, a_z, a_o = split(a, 4)
        log_f = -np.logaddexp(0, -a_f) if a.dtype.kind == "f" else -np.log(1 + np.exp(-a_f))
        m = np.maximum(log_f + m_prev, a_i)
        i, f = np.exp(a_i - m), np.exp(log_f + m_prev - m)
        z, o = tanh(a_z), sigmoid(a_o)
        c = f * c_prev + i * z
        n = f * n_prev + i
        h = o * c / n
        return (i, f, z, o), (h, c, n, m), {"s": sigmoid(a_f)}

    def step_back(
        self,
        gates: Array,
        s: Array,
        c_prev: Array,
        n_prev: Array,
        h: Array,
        n: Array,
        dh: Array,
        dc: Array,
        dn: Array,
        dm: Array,
    ) -> Any:
        i, f, z, o = pieces(gates, 4)
        dc = dc + dh * o / n
        dn = dn - dh * h / n
        di = (dc * z + dn) * i
        df = (dc * c_prev + dn * n_prev) * f
        dm = dm - di - df
        dz = dc * i * (1 - z**2)
        do = dh * h * (1 - o)
        da_i = np.where(i >= f, di + dm, di)  # the larger of the two is 1: there, the maximum is
        dm_prev = np.where(i >= f, df, df + dm)
        return (da_i, dm_prev * (1 - s), dz, do), (None, dc * f, dn * f, dm_prev)
