"""RNN: the plain recurrent layer, one matrix product and one non-linearity a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from minidl.graph.arrays import Array, Declaration, Shape, Workspace
from minidl.graph.operations import affine, affine_gradients, rows, tanh_slope
from minidl.layers.recurrent import Recurrent, backwards, forwards, transposed


@dataclass(frozen=True)
class RNN(Recurrent):
    """Simple recurrent layer.

        h = tanh(x Wx + h₋ Wh + b)           or relu in the place of tanh

    x (T, B, F), Wx (F, H), Wh (H, H), b (H,), y = h (T, B, H); h₋ is that of the step before, and of the previous
    call at step 0.

        da = dh (1 - h²)   (relu: dh [h > 0]),   dh₋ = da Whᵀ,   dWh = h₋ᵀ da,   dWx = xᵀ da,   db = Σ da

    units, dropout, recurrent_dropout: see Recurrent. activation: the non-linearity.

    lengths (B,), an input that may be left out: where padded sequences end, for the state that is carried on.

    >>> from minidl import Model
    >>> Model.of(RNN(3), np.zeros((5, 2, 4))).arrays["rnn/y"].shape
    (5, 2, 3)

    Elman 1990.
    """

    activation: Literal["tanh", "relu"] = "tanh"

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        return super().arrays(x, lengths) | {"da": Workspace((*x[:2], self.units))}

    def forward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        b: Array,
        h: Array,
        y: Array,
        a: Array,
        mask: Array,
        Wh_dropped: Array,
        training: bool,
        rng: np.random.Generator,
    ) -> None:
        self.draw_mask(mask, training, rng)
        Wh = self.recurrent_weights(Wh, mask, Wh_dropped, training)
        affine(x, Wx, b, out=y)  # the inputs' share of all steps at once; y is h from step 1 on
        for h_prev, h_t in forwards(h[:-1], y):
            h_t += np.dot(h_prev, Wh, out=a)
            if self.activation == "tanh":
                np.tanh(h_t, out=h_t)
            else:
                np.maximum(h_t, 0, out=h_t)

    def backward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        h: Array,
        mask: Array,
        Wh_dropped: Array,
        Wh_T: Array,
        dy: Array,
        da: Array,
        dh: Array,
        dx: Array | None,
        dWx: Array,
        dWh: Array,
        db: Array,
        training: bool,
    ) -> None:
        if self.activation == "tanh":
            tanh_slope(h[1:], out=da)
        else:
            np.greater(h[1:], 0, out=da, casting="unsafe")
        Wh_T = transposed(self.recurrent_weights(Wh, mask, Wh_dropped, training), Wh_T, len(dh))
        dh[...] = 0
        for dy_t, da_t in backwards(dy, da):
            dh += dy_t
            da_t *= dh
            np.dot(da_t, Wh_T, out=dh)
        affine_gradients(x, da, dWx, db)
        np.matmul(rows(h[:-1]).T, rows(da), out=dWh)
        self.mask_gradient(dWh, mask, training)
        if dx is not None:
            np.matmul(rows(da), Wx.T, out=rows(dx))
