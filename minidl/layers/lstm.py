"""LSTM: a recurrent layer whose cell state is changed by addition, so that gradients survive many steps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array, Param
from minidl.graph.operations import each, pieces, sigmoid, split, tanh
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

    peepholes: gates see the cell state by weights p (3, H): i and f that of the step before, p_i c_prev and p_f c_prev
    are added in the brackets; o that of this step, p_o c. projection: size P of an output h = (o tanh c) Wp, with
    Wp (H, P), Wh (P, 4H). units, dropout, recurrent_dropout, bias, lengths, h0, c0: see Cell.

    >>> import numpy as np
    >>> from minidl import Model
    >>> Model.of(LSTM(3), np.zeros((5, 2, 4))).arrays["lstm/gates"].shape
    (5, 2, 12)

    Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000, equations 3.1 to 3.6; peepholes: Gers, Schraudolph,
    Schmidhuber 2002, section 3; projection: Sak, Senior, Beaufays 2014, section 2.
    """

    peepholes: bool = field(default=False, kw_only=True)
    projection: Annotated[int, Gt(0)] | None = field(default=None, kw_only=True)

    gates = ("i", "f", "g", "o")
    states = ("h", "c")
    options = ("p", "Wp")
    bias_init = "forget_one"

    def weights(self) -> dict[str, Param]:
        p = {"p": Param((3, self.units))} if self.peepholes else {}
        return p | ({} if self.projection is None else {"Wp": Param((self.units, self.projection), "glorot")})

    def has_twin(self, ports: Collection[str]) -> bool:
        return not self.weights() and super().has_twin(ports)

    def size_of(self, state: str) -> int:
        return self.projection if state == "h" and self.projection else self.units

    def step(self, a: Array, c_prev: Array, p: Array | None, Wp: Array | None) -> Any:
        a_i, a_f, _, a_o = split(a, 4)
        if p is not None:
            a_i += p[0] * c_prev
            a_f += p[1] * c_prev
            a_o = a_o.copy()
        i, f, g, o = each(a, sigmoid, sigmoid, tanh, sigmoid)
        c = f * c_prev + i * g
        if p is not None:
            sigmoid(a_o + p[2] * c, out=o)
        h = o * tanh(c)
        return a, (h if Wp is None else h @ Wp, c)

    def step_back(self, gates: Array, c_prev: Array, c: Array, dh: Array, dc: Array, p: Any, Wp: Any) -> Any:
        i, f, g, o = pieces(gates, 4)
        tanh_c = tanh(c)
        dWp = {} if Wp is None else {"Wp": (o * tanh_c).T @ dh}
        dh = dh if Wp is None else dh @ Wp.T
        do = dh * tanh_c * o * (1 - o)
        dc = dc + dh * o * (1 - tanh_c**2)
        if p is not None:
            dc += do * p[2]
        di = dc * g * i * (1 - i)
        df = dc * c_prev * f * (1 - f)
        dg = dc * i * (1 - g**2)
        dc_prev = dc * f
        if p is None:
            return (di, df, dg, do), (None, dc_prev), dWp
        dc_prev += di * p[0] + df * p[1]
        dp = np.stack([(di * c_prev).sum(axis=0), (df * c_prev).sum(axis=0), (do * c).sum(axis=0)])
        return (di, df, dg, do), (None, dc_prev), {"p": dp, **dWp}
