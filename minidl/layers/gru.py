"""GRU: a recurrent layer with two gates and no separate cell state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.graph.arrays import Array, Declaration, Shape
from minidl.graph.operations import pieces, rows, sigmoid, split, tanh
from minidl.layers.cell import Cell
from minidl.system.errors import ConfigError


@dataclass(frozen=True)
class GRU(Cell):
    """Gated recurrent unit, the variant of PyTorch and of Keras's `reset_after`.

        r, z = σ(x Wx + b + h_prev Wh + bh)      reset and update gate
        n = tanh(x Wx + b + r s)                 candidate, with its share of the past s = h_prev Wh + bh
        h = (1 - z) n + z h_prev                 output

    Each of r, z, n has its own columns of Wx (F, 3H), Wh (H, 3H), b and bh (3H,), in this order. x (T, B, F),
    y = h (T, B, H). h_prev is that of the step before; at step 0 that given as h0 (B, H), or else that of the previous
    call. Backward, with dh from the step after, and from dy:

        dn = dh (1 - z) (1 - n²),   dz = dh (h_prev - n) z (1 - z),   dr = dn s r (1 - r),   ds = dn r
        dh_prev = dh z + [dr dz ds] Whᵀ,   dWh = Σ h_prevᵀ [dr dz ds],   dWx = Σ xᵀ [dr dz dn]

    reset_after: False for the unit as first published, whose reset gate acts before the product: s = (r h_prev) Wh,
    without bh. units, dropout, recurrent_dropout, bias, lengths, h0: see Cell.

    >>> import numpy as np
    >>> from minidl import Model
    >>> Model.of(GRU(3), np.zeros((5, 2, 4))).arrays["gru/gates"].shape
    (5, 2, 9)

    Cho et al. 2014, equations 5 to 8, with the reset gate after the product.
    """

    reset_after: bool = field(default=True, kw_only=True)

    gates = ("r", "z", "n")
    caches = ("s",)

    def arrays(self, x: Shape, lengths: Shape | None = None, *first: Shape, **named: Shape) -> dict[str, Declaration]:
        arrays = super().arrays(x, lengths, *first, **named)
        return arrays if self.reset_after else {name: item for name, item in arrays.items() if name != "bh"}

    def step(self, a: Array, past: Array, h_prev: Array, Wh: Array) -> Any:
        a_r, a_z, a_n = split(a, 3)
        past_r, past_z, s = split(past, 3)
        r, z = sigmoid(a_r + past_r), sigmoid(a_z + past_z)
        if not self.reset_after:
            s = (r * h_prev) @ split(Wh, 3)[2]
        n = tanh(a_n + r * s if self.reset_after else a_n + s)
        h = (1 - z) * n + z * h_prev
        return (r, z, n), (h,), {"s": s}

    def step_back(self, gates: Array, s: Array, h_prev: Array, dh: Array, Wh: Array) -> Any:
        r, z, n = pieces(gates, 3)
        dn = dh * (1 - z) * (1 - n**2)
        dz = dh * (h_prev - n) * z * (1 - z)
        if self.reset_after:
            dr = dn * s * r * (1 - r)
            ds = dn * r
            return (dr, dz, dn), (dh * z,), {"past": (dr, dz, ds)}
        drh = dn @ split(Wh, 3)[2].T  # of r h_prev
        dr = drh * h_prev * r * (1 - r)
        return (dr, dz, dn), (dh * z + drh * r,), {"past": (dr, dz, np.zeros_like(dn))}

    def backward(
        self, x: Array, lengths: Array | None, dy: Array | None, da: Array, dpast: Array, Wh_room: Array, **arrays: Any
    ) -> None:
        super().backward(x, lengths, dy, da, dpast, Wh_room, **arrays)
        if not self.reset_after:
            dWh_n, rh = split(arrays["dWh"], 3)[2], split(dpast, 3)[0]  # whose gradients have been used
            np.multiply(split(arrays["gates"], 3)[0], arrays["h"][:-1], out=rh)
            np.matmul(rows(rh).T, rows(split(da, 3)[2]), out=dWh_n)
            if self.recurrent_dropout:
                self.mask_gradient(dWh_n, split(arrays["mask"], 3)[2], arrays["training"])

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.state_dropout and not self.reset_after:
            raise ConfigError("GRU: state_dropout needs 'reset_after' to be true: what Wh sees is r h_prev otherwise")

    def has_twin(self, ports: Collection[str]) -> bool:
        return self.reset_after and super().has_twin(ports)
