"""GRU: a recurrent layer with two gates and no separate cell state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array, Cache, Declaration, Param, Shape, Workspace
from minidl.graph.operations import affine, affine_gradients, rows, sigmoid, sigmoid_slope, tanh_slope
from minidl.layers.recurrent import Recurrent, backwards, blocks, forwards, split, transposed


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

    units, dropout, recurrent_dropout: see Recurrent.

    lengths (B,), an input that may be left out: where padded sequences end, for the state that is carried on.

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
            "dinput": Workspace((T, B, 3 * H)),
            "drecurrent": Workspace((T, B, 3 * H)),
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
        mask: Array,
        Wh_dropped: Array,
        training: bool,
        rng: np.random.Generator,
    ) -> None:
        H = self.units
        self.draw_mask(mask, training, rng)
        Wh = self.recurrent_weights(Wh, mask, Wh_dropped, training)
        affine(x, Wx, b, out=gates)  # the inputs' share of all steps at once
        a_rz, a_n = a[:, : 2 * H], a[:, 2 * H :]
        steps = forwards(gates[..., : 2 * H], *split(gates, 3), s, h[:-1], h[1:])
        for rz, r, z, n, s_t, h_prev, h_t in steps:
            np.dot(h_prev, Wh, out=a)
            a += bh
            rz += a_rz
            sigmoid(rz, out=rz)
            s_t[...] = a_n
            n += np.multiply(r, s_t, out=a_n)
            np.tanh(n, out=n)
            np.subtract(h_prev, n, out=h_t)
            h_t *= z
            h_t += n

    def backward(
        self,
        x: Array,
        Wx: Array,
        Wh: Array,
        h: Array,
        gates: Array,
        s: Array,
        mask: Array,
        Wh_dropped: Array,
        Wh_T: Array,
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
        Wh_T = transposed(self.recurrent_weights(Wh, mask, Wh_dropped, training), Wh_T, len(dh))
        dh[...] = 0
        dh_past = a[:, : self.units]
        for block in blocks(len(dy), dh.size):
            local_slopes(gates[block], s[block], h[block], dinput[block], drecurrent[block])
            r, z, _ = split(gates[block], 3)
            ds = split(drecurrent[block], 3)[2]
            steps = backwards(dy[block], *split(dinput[block], 3), ds, dinput[block], drecurrent[block], r, z)
            for dy_t, dr_t, dz_t, dn_t, ds_t, dinput_t, drecurrent_t, r_t, z_t in steps:
                dh += dy_t
                dn_t *= dh
                dz_t *= dh
                dr_t *= dn_t
                drecurrent_t[...] = dinput_t
                ds_t *= r_t
                dh *= z_t
                dh += np.matmul(drecurrent_t, Wh_T, out=dh_past)
        affine_gradients(x, dinput, dWx, db)
        affine_gradients(h[:-1], drecurrent, dWh, dbh)
        self.mask_gradient(dWh, mask, training)
        if dx is not None:
            np.matmul(rows(dinput), Wx.T, out=rows(dx))


def local_slopes(gates: Array, s: Array, h_prev: Array, dinput: Array, drecurrent: Array) -> None:
    """What dh (for r: dn) is multiplied by on its way to each gate, for a block of steps at once."""
    r, z, n = split(gates, 3)
    dr, dz, dn = split(dinput, 3)
    room = split(drecurrent, 3)[2]
    np.multiply(sigmoid_slope(r, out=dr), s, out=dr)
    np.subtract(h_prev, n, out=room)
    np.multiply(sigmoid_slope(z, out=dz), room, out=dz)
    tanh_slope(n, out=dn)
    np.subtract(1, z, out=room)
    dn *= room
