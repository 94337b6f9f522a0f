"""LayerNorm: features of each step brought to mean 0 and variance 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array, Cache, Declaration, InputSpec, Out, Param, Shape, Workspace
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalisation over the features.

        n = (x - mean x) / √(var x + eps),   y = gain n + bias        x (..., F), gain (F,), bias (F,), y (..., F)

        dgain = Σ dy n,   dbias = Σ dy,   dx = (dn - mean dn - n mean(dn n)) / √(var x + eps),   dn = dy gain

    eps: keeps the root away from 0.

    >>> from minidl import Model
    >>> Model.of(LayerNorm(eps=0.01), np.array([[[1.0, 3.0]]])).arrays["layer_norm/y"].round(2).tolist()
    [[[-1.0, 1.0]]]

    Ba, Kiros, Hinton 2016, equation 4.
    """

    eps: Annotated[float, Gt(0)] = 1e-5

    inputs = {"x": InputSpec("... F")}

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        return {
            "gain": Param((x[-1],), "ones"),
            "bias": Param((x[-1],)),
            "n": Cache(x),
            "inverse": Cache((*x[:-1], 1)),
            "y": Out(x),
            "dn": Workspace(x),
        }

    def forward(self, x: Array, gain: Array, bias: Array, n: Array, inverse: Array, y: Array) -> None:
        np.subtract(x, x.mean(axis=-1, keepdims=True), out=n)
        np.multiply(n, n, out=y)
        np.mean(y, axis=-1, keepdims=True, out=inverse)
        inverse += self.eps
        np.sqrt(inverse, out=inverse)
        np.divide(1, inverse, out=inverse)
        n *= inverse
        np.multiply(n, gain, out=y)
        y += bias

    def backward(
        self,
        gain: Array,
        n: Array,
        inverse: Array,
        dy: Array,
        dn: Array,
        dx: Array | None,
        dgain: Array,
        dbias: Array,
    ) -> None:
        axes = tuple(range(dy.ndim - 1))
        np.multiply(dy, n, out=dn)
        np.sum(dn, axis=axes, out=dgain)
        np.sum(dy, axis=axes, out=dbias)
        if dx is None:
            return
        dn *= gain
        np.multiply(n, dn.mean(axis=-1, keepdims=True), out=dx)  # n mean(dn n)
        np.multiply(dy, gain, out=dn)
        np.subtract(dn, dx, out=dx)
        dx -= dn.mean(axis=-1, keepdims=True)
        dx *= inverse
