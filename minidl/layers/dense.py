"""Dense: the affine map that turns features into other features, or into logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array, Declaration, InputSpec, Out, Param, Shape, Tied
from minidl.graph.layer import Layer
from minidl.graph.operations import affine, affine_gradients, rows
from minidl.graph.symbol import Symbol


@dataclass(frozen=True)
class Dense(Layer):
    """Affine map.

        y = x W + b                          x (..., F), W (F, units), b (units,), y (..., units)

        dW = xᵀ dy,   db = Σ dy,   dx = dy Wᵀ

    units: size of the output. tied_to: the name of an Embedding before it, whose table then serves, transposed,
    as W; the number of units has to be that of its symbols. bias: whether there is a b.

    >>> from minidl import Model
    >>> Model.of(Dense(2), np.ones((5, 3, 4))).arrays["dense/y"].shape
    (5, 3, 2)

    Tied weights: Press and Wolf 2017, section 2.
    """

    units: Annotated[int, Gt(0)]
    tied_to: str | None = None
    bias: bool = True

    inputs = {"x": InputSpec("... F")}
    accepts_one_hot = True
    by_steps = True

    def has_twin(self, fed: Mapping[str, Symbol]) -> bool:
        return self.bias

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        features = x[-1]
        shape = (features, self.units)
        W = Param(shape, "glorot") if self.tied_to is None else Tied(self.tied_to, "table", shape)
        bias = {"b": Param((self.units,))} if self.bias else {}
        return {"W": W, **bias, "y": Out((*x[:-1], self.units))}

    def forward(self, x: Array, W: Array, y: Array, b: Array | None = None) -> None:
        affine(x, W, b, out=y)

    def backward(
        self, x: Array, W: Array, dy: Array, dW: Array, db: Array | None = None, dx: Array | None = None
    ) -> None:
        affine_gradients(x, dy, dW, db)
        if dx is not None:  # None: it is not needed
            np.matmul(rows(dy), W.T, out=rows(dx))
