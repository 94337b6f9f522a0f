"""GRU: a recurrent layer with two gates and no separate cell state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.layer import Array, Cache, Declaration, Param, Scratch, Shape
from minidl.layers.recurrent import Recurrent, split
from minidl.ops import affine, affine_gradients, rows, sigmoid, sigmoid_slope, tanh_slope


@dataclass(frozen=True)
class GRU(Recurrent):
    """Gated recurrent unit, the variant of PyTorch and of Keras's `reset_after`.

        r, z = σ(x Wx + b + h₋ Wh + bh)      reset and update gate
        n = tanh(x Wx + b + r s)             candidate, with its share of the past s = h₋ Wh + bh
        h = (1 - z) n + z h₋                 output

    Each of r, z, n has its own columns of Wx (F, 3H), Wh (H, 3H), b and bh (3H,), in this order. x (T, B, F),
    y = h (T, B, H); h₋ is that of the step before, and of the previous call at step 0.

        dn = dh (1 - z) (1 - n²),   dz = dh (h₋ - n) z (1 - z),   dr = dn s r (1 - r),   ds = dn r
        dh₋ = dh z + [dr dz ds] Whᵀ,   dWh = h₋ᵀ [dr dz ds],   dWx = xᵀ [dr dz dn]

    units, dropout, recurrent_dropout: see Recurrent. lengths (B,): where padded sequences end, for the state that is
    carried on.

    >>> from minidl import Model
    >>> Model.of(GRU(3), np.zeros((5, 2, 4))).arrays["gru/gates"].shape
    (5, 2, 9)

    Cho et al. 2014, equations 5 to 8, with the reset gate after the product.
    """

    gates_per_unit = 3

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        T, B, _ = x
        H = self.units
        return super().arrays(x, lengths) | {
            "bh": Param((3 * H,)),
            "gates": Cache((T, B, 3 * H)),
            "s": Cache((T, B, H)),
            "dinput": Scratch((T, B, 3 * H)),
            "drecurrent": Scratch((T, B, 3 * H)),
        }

    def forward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        b: Array,
        bh: Array,
        h: Array,
        gates: Array,
        s: Array,
        a: Array,
        kept: Array,
        Wu: Array,
        training: bool,
        rng: np.random.Generator,
    ) -> None:
        H = self.units
        self.draw_mask(kept, training, rng)
        Wh = self.recurrent_weights(Wh, kept, Wu, training)
        affine(x, Wx, b, out=gates)  # the inputs' share of all steps at once
        for t in range(len(gates)):
            np.matmul(h[t], Wh, out=a)
            a += bh
            s[t] = a[:, 2 * H :]
            r, z, n = split(gates[t], 3)
            gates[t, :, : 2 * H] += a[:, : 2 * H]
            sigmoid(r, out=r)
            sigmoid(z, out=z)
            n += r * s[t]
            np.tanh(n, out=n)
            h[t + 1] = n + z * (h[t] - n)

    def backward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        h: Array,
        gates: Array,
        s: Array,
        kept: Array,
        Wu: Array,
        WuT: Array,
        dy: Array,
        dinput: Array,
        drecurrent: Array,
        a: Array,
        dh: Array,
        dx: Array | None,
        dWx: Array,
        dWh: Array,
        db: Array,
        dbh: Array,
        training: bool,
    ) -> None:
        r, z, n = split(gates, 3)
        dr, dz, dn = split(dinput, 3)
        ds = split(drecurrent, 3)[2]
        # What dh (for r: dn) is multiplied by on its way to each gate, for all steps at once.
        np.multiply(sigmoid_slope(r, out=dr), s, out=dr)
        np.subtract(h[:-1], n, out=ds)
        np.multiply(sigmoid_slope(z, out=dz), ds, out=dz)
        tanh_slope(n, out=dn)
        np.subtract(1, z, out=ds)
        dn *= ds
        WuT[...] = self.recurrent_weights(Wh, kept, Wu, training).T
        dh[...] = 0
        for t in reversed(range(len(dy))):
            dh += dy[t]
            dn[t] *= dh
            dz[t] *= dh
            dr[t] *= dn[t]
            drecurrent[t] = dinput[t]
            ds[t] *= r[t]
            dh *= z[t]
            dh += np.matmul(drecurrent[t], WuT, out=a[:, : self.units])
        affine_gradients(x, dinput, dWx, db)
        affine_gradients(h[:-1], drecurrent, dWh, dbh)
        self.mask_gradient(dWh, kept, training)
        if dx is not None:
            np.matmul(rows(dinput), Wx.T, out=rows(dx))
