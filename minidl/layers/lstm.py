"""LSTM: a recurrent layer whose cell state is changed by addition, so that gradients survive many steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.layer import Array, Cache, Carried, Declaration, Scratch, Shape
from minidl.layers.recurrent import Recurrent, split
from minidl.ops import affine, affine_gradients, rows, sigmoid, sigmoid_slope, tanh_slope


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

    units, dropout, recurrent_dropout: see Recurrent. lengths (B,): where padded sequences end, for the state that is
    carried on.

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
            "c": Carried((T + 1, B, H)),
            "tanh_c": Cache((T, B, H)),
            "gates": Cache((T, B, 4 * H)),
            "dgates": Scratch((T, B, 4 * H)),
            "dc_dh": Scratch((T, B, H)),
            "dc": Scratch((B, H)),
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
        kept: Array,
        Wu: Array,
        training: bool,
        rng: np.random.Generator,
    ) -> None:
        self.draw_mask(kept, training, rng)
        Wh = self.recurrent_weights(Wh, kept, Wu, training)
        affine(x, Wx, b, out=gates)  # the inputs' share of all steps at once
        for t in range(len(gates)):
            np.matmul(h[t], Wh, out=a)
            gates[t] += a
            i, f, g, o = split(gates[t], 4)
            sigmoid(i, out=i)
            sigmoid(f, out=f)
            np.tanh(g, out=g)
            sigmoid(o, out=o)
            c[t + 1] = f * c[t] + i * g
            np.tanh(c[t + 1], out=tanh_c[t])
            np.multiply(o, tanh_c[t], out=h[t + 1])

    def backward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        h: Array,
        c: Array,
        gates: Array,
        tanh_c: Array,
        kept: Array,
        Wu: Array,
        WuT: Array,
        dy: Array,
        dgates: Array,
        dc_dh: Array,
        dh: Array,
        dc: Array,
        dx: Array | None,
        dWx: Array,
        dWh: Array,
        db: Array,
        training: bool,
    ) -> None:
        i, f, g, o = split(gates, 4)
        di, df, dg, do = split(dgates, 4)
        # What dc (for o: dh) is multiplied by on its way to each gate, for all steps at once.
        np.multiply(sigmoid_slope(i, out=di), g, out=di)
        np.multiply(sigmoid_slope(f, out=df), c[:-1], out=df)
        np.multiply(tanh_slope(g, out=dg), i, out=dg)
        np.multiply(sigmoid_slope(o, out=do), tanh_c, out=do)
        np.multiply(tanh_slope(tanh_c, out=dc_dh), o, out=dc_dh)
        WuT[...] = self.recurrent_weights(Wh, kept, Wu, training).T
        dh[...] = 0
        dc[...] = 0
        for t in reversed(range(len(dy))):
            dh += dy[t]
            dc_dh[t] *= dh
            dc += dc_dh[t]
            di[t] *= dc
            df[t] *= dc
            dg[t] *= dc
            do[t] *= dh
            np.matmul(dgates[t], WuT, out=dh)
            dc *= f[t]
        affine_gradients(x, dgates, dWx, db)
        np.matmul(rows(h[:-1]).T, rows(dgates), out=dWh)
        self.mask_gradient(dWh, kept, training)
        if dx is not None:
            np.matmul(rows(dgates), Wx.T, out=rows(dx))
