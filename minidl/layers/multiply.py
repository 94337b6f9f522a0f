"""Multiply: several inputs into one, feature by feature; gates are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minidl.graph.arrays import Array, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class Multiply(Layer):
    """The product of its inputs.

        y = x₁ x₂ …        all of one shape        dxᵢ = dy Π xⱼ, j ≠ i

    >>> from minidl import Model
    >>> Model.of(Multiply(), np.full((1, 1, 2), 2.0), np.full((1, 1, 2), 3.0)).arrays["multiply/y"].tolist()
    [[[6.0, 6.0]]]
    """

    inputs: ClassVar = {"xs": InputSpec("...")}
    variadic = True
    by_steps = True

    def arrays(self, *xs: Shape) -> dict[str, Declaration]:
        if any(x != xs[0] for x in xs):
            raise ValueError(f"inputs of Multiply have one shape, got {', '.join(map(str, xs))}")
        return {"y": Out(xs[0])}

    def forward(self, xs: list[Array], y: Array) -> None:
        y[...] = xs[0]
        for x in xs[1:]:
            y *= x

    def backward(self, xs: list[Array], dy: Array, dxs: list[Array | None]) -> None:
        for i, dx in enumerate(dxs):
            if dx is None:
                continue
            np.copyto(dx, dy)
            for x in xs[:i] + xs[i + 1 :]:  # not y / xᵢ, which may be 0 / 0
                dx *= x
