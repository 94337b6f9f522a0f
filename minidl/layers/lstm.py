"""LSTM: a recurrent layer whose cell state is changed by addition, so that gradients survive many steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from minidl.graph.arrays import Array, Cache, Declaration, Shape, State, Workspace
from minidl.graph.operations import affine, affine_gradients, rows, sigmoid_slope, tanh_slope
from minidl.layers.recurrent import Recurrent, backwards, blocks, forwards, split, transposed


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory.

        i, f, o = σ(x Wx + h₋ Wh + b)        input, forget and output gate
        g = tanh(x Wx + h₋ Wh + b)           candidate
        c = f c₋ + i g                       cell state
        h = o tanh c                         output

    Each of i, f, g, o has its own columns of Wx (F, 4H), Wh (H, 4H) and b (4H,), in this order; the bias of f starts
    at 1. x (T, B, F), y = h (T, B, H); h₋ and c₋ are those of the step before, and of the previous call at step 0.

        dc = dh o (1 - tanh² c) + dc₊ f₊     from this step's output and from the next step
        di = dc g i (1 - i),   df = dc c₋ f (1 - f),   dg = dc i (1 - g²),   do = dh tanh(c) o (1 - o)
        dh₋ = [di df dg do] Whᵀ,   dWh = h₋ᵀ [di df dg do],   dWx = xᵀ [di df dg do]

    units, dropout, recurrent_dropout: see Recurrent.

    lengths (B,), an input that may be left out: where padded sequences end, for the state that is carried on.

    >>> from minidl import Model
    >>> Model.of(LSTM(3), np.zeros((5, 2, 4))).arrays["lstm/gates"].shape
    (5, 2, 12)

    Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000, equations 3.1 to 3.6.
    """

    gates_per_unit = 4
    bias_init = "forget_one"

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        T, B, _ = x
        H = self.units
        return super().arrays(x, lengths) | {
            "c": State((T + 1, B, H)),
            "tanh_c": Cache((T, B, H)),
            "gates": Cache((T, B, 4 * H)),
            "ig": Workspace((B, H)),
            "dgates": Workspace((T, B, 4 * H)),
            "upstream": Workspace((B, 4 * H)),
            "dc_dh": Workspace((T, B, H)),
            "dc": Workspace((B, H)),
        }

    def forward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        b: Array,
        h: Array,
        c: Array,
        gates: Array,
        tanh_c: Array,
        a: Array,
        ig: Array,
        mask: Array,
        Wh_dropped: Array,
        training: bool,
        rng: np.random.Generator,
    ) -> None:
        self.draw_mask(mask, training, rng)
        Wh = self.recurrent_weights(Wh, mask, Wh_dropped, training)
        affine(x, Wx, b, out=gates)  # the inputs' share of all steps at once
        scale, shift = one_tanh_for_all_gates(a.shape, a.dtype)
        steps = forwards(gates, *split(gates, 4), c[:-1], c[1:], tanh_c, h[:-1], h[1:])
        for gates_t, i, f, g, o, c_prev, c_t, tanh_t, h_prev, h_t in steps:
            np.dot(h_prev, Wh, out=a)
            gates_t += a
            gates_t *= scale
            np.tanh(gates_t, out=gates_t)
            gates_t *= scale
            gates_t += shift
            np.multiply(f, c_prev, out=c_t)
            c_t += np.multiply(i, g, out=ig)
            np.tanh(c_t, out=tanh_t)
            np.multiply(o, tanh_t, out=h_t)

    def backward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        h: Array,
        c: Array,
        gates: Array,
        tanh_c: Array,
        mask: Array,
        Wh_dropped: Array,
        Wh_T: Array,
        dy: Array,
        dgates: Array,
        upstream: Array,
        dc_dh: Array,
        dh: Array,
        dc: Array,
        dx: Array | None,
        dWx: Array,
        dWh: Array,
        db: Array,
        training: bool,
    ) -> None:
        Wh_T = transposed(self.recurrent_weights(Wh, mask, Wh_dropped, training), Wh_T, len(dh))
        dh[...] = 0
        dc[...] = 0
        to_i, to_f, to_g, to_o = split(upstream, 4)
        for block in blocks(len(dy), dc.size):
            slopes(gates[block], tanh_c[block], dgates[block], dc_dh[block])
            i, f, g, _ = split(gates[block], 4)
            steps = backwards(dy[block], dc_dh[block], dgates[block], i, f, g, c[block], tanh_c[block])
            for dy_t, dc_dh_t, dgates_t, i_t, f_t, g_t, c_prev, tanh_t in steps:
                dh += dy_t
                dc_dh_t *= dh
                dc += dc_dh_t
                np.multiply(dc, g_t, out=to_i)
                np.multiply(dc, c_prev, out=to_f)
                np.multiply(dc, i_t, out=to_g)
                np.multiply(dh, tanh_t, out=to_o)
                dgates_t *= upstream
                np.dot(dgates_t, Wh_T, out=dh)
                dc *= f_t
        affine_gradients(x, dgates, dWx, db)
        np.matmul(rows(h[:-1]).T, rows(dgates), out=dWh)
        self.mask_gradient(dWh, mask, training)
        if dx is not None:
            np.matmul(rows(dgates), Wx.T, out=rows(dx))


@lru_cache(maxsize=8)
def one_tanh_for_all_gates(shape: Shape, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Factors (B, 4H) with which each gate is scale · tanh(scale · a) + shift: σ(a) = ½ tanh(½ a) + ½, but for g."""
    scale = np.full(shape, 0.5, dtype)
    split(scale, 4)[2][...] = 1
    return scale, 1 - scale


def slopes(gates: Array, tanh_c: Array, dgates: Array, dc_dh: Array) -> None:
    """The slope of each gate at its sum, and that of h at c, for a block of steps at once."""
    sigmoid_slope(gates, out=dgates)  # of g too: all gates in a row are quicker than three of them apart
    _, _, g, o = split(gates, 4)
    tanh_slope(g, out=split(dgates, 4)[2])
    np.multiply(tanh_slope(tanh_c, out=dc_dh), o, out=dc_dh)
