"""LayerNorm: features of each step brought to mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array, Cache, Declaration, InputSpec, Out, Param, Shape, Workspace
from minidl.graph.layer import Layer
from minidl.graph.symbol import Symbol


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalisation over the features, or over several of the last axes.

        n = (x - mean x) / √(var x + eps),   y = gain n + bias        x (..., F), gain (F,), bias (F,), y (..., F)

        dgain = Σ dy n,   dbias = Σ dy,   dx = (dn - mean dn - n mean(dn n)) / √(var x + eps),   dn = dy gain

    eps: keeps the root away from 0. axes: how many of the last axes the mean and the variance are taken over; gain and
    bias have these axes.

    >>> from minidl import Model
    >>> Model.of(LayerNorm(eps=0.01), np.array([[[1.0, 3.0]]])).arrays["layer_norm/y"].round(2).tolist()
    [[[-1.0, 1.0]]]

    Ba, Kiros, Hinton 2016, equation 4.
    """

    eps: Annotated[float, Gt(0)] = 1e-5
    axes: Annotated[int, Gt(0)] = 1

    inputs = {"x": InputSpec("... F")}

    def has_twin(self, fed: Mapping[str, Symbol]) -> bool:
        return self.axes == 1

    @property
    def over(self) -> tuple[int, ...]:
        """The axes that are normalised."""
        return tuple(range(-self.axes, 0))

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        if len(x) < self.axes:
            raise ValueError(f"axes = {self.axes}, but the input has the shape {x}")
        return {
            "gain": Param(tuple(x[-self.axes :]), "ones"),
            "bias": Param(tuple(x[-self.axes :])),
            "n": Cache(x),
            "inverse": Cache((*x[: -self.axes], *[1] * self.axes)),
            "y": Out(x),
            "dn": Workspace(x),
        }

    def forward(self, x: Array, gain: Array, bias: Array, n: Array, inverse: Array, y: Array) -> None:
        np.subtract(x, x.mean(axis=self.over, keepdims=True), out=n)
        np.multiply(n, n, out=y)
        np.mean(y, axis=self.over, keepdims=True, out=inverse)
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
        axes = tuple(range(dy.ndim - self.axes))
        np.multiply(dy, n, out=dn)
        np.sum(dn, axis=axes, out=dgain)
        np.sum(dy, axis=axes, out=dbias)
        if dx is None:
            return
        dn *= gain
        np.multiply(n, dn.mean(axis=self.over, keepdims=True), out=dx)  # n mean(dn n)
        np.multiply(dy, gain, out=dn)
        np.subtract(dn, dx, out=dx)
        dx -= dn.mean(axis=self.over, keepdims=True)
        dx *= inverse
