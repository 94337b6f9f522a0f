"""Add, Mean and Concat: several inputs into one; skip connections are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minidl.graph.arrays import Array, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class Add(Layer):
    """The sum of its inputs.

        y = x₁ + x₂ + …        all of one shape        dxᵢ = dy

    >>> from minidl import Model
    >>> Model.of(Add(), np.ones((1, 1, 2)), np.ones((1, 1, 2))).arrays["add/y"].tolist()
    [[[2.0, 2.0]]]
    """

    inputs: ClassVar = {"xs": InputSpec("...")}
    variadic = True
    by_steps = True

    def arrays(self, *xs: Shape) -> dict[str, Declaration]:
        if any(x != xs[0] for x in xs):
            raise ValueError(f"inputs of Add have one shape, got {', '.join(map(str, xs))}")
        return {"y": Out(xs[0])}

    def forward(self, xs: list[Array], y: Array) -> None:
        y[...] = xs[0]
        for x in xs[1:]:
            y += x

    def backward(self, dy: Array, dxs: list[Array | None]) -> None:
        for dx in dxs:
            if dx is not None:
                dx[...] = dy


@dataclass(frozen=True)
class Mean(Add):
    """The mean of its n inputs.

        y = (x₁ + x₂ + …) / n        all of one shape        dxᵢ = dy / n

    >>> from minidl import Model
    >>> Model.of(Mean(), np.zeros((1, 1, 2)), np.ones((1, 1, 2))).arrays["mean/y"].tolist()
    [[[0.5, 0.5]]]
    """

    def forward(self, xs: list[Array], y: Array) -> None:
        super().forward(xs, y)
        y /= len(xs)

    def backward(self, dy: Array, dxs: list[Array | None]) -> None:
        for dx in dxs:
            if dx is not None:
                np.divide(dy, len(dxs), out=dx)


@dataclass(frozen=True)
class Concat(Layer):
    """The features of its inputs side by side.

        y = [x₁, x₂, …]        xᵢ (..., Fᵢ), y (..., Σ Fᵢ)        dxᵢ = its part of dy

    >>> from minidl import Model
    >>> Model.of(Concat(), np.zeros((1, 1, 2)), np.ones((1, 1, 1))).arrays["concat/y"].tolist()
    [[[0.0, 0.0, 1.0]]]
    """

    inputs: ClassVar = {"xs": InputSpec("...")}
    variadic = True
    by_steps = True

    def arrays(self, *xs: Shape) -> dict[str, Declaration]:
        if any(not x or x[:-1] != xs[0][:-1] for x in xs):
            raise ValueError(f"inputs of Concat differ in the last axis only, got {', '.join(map(str, xs))}")
        return {"y": Out((*xs[0][:-1], sum(x[-1] for x in xs)))}

    def forward(self, xs: list[Array], y: Array) -> None:
        np.concatenate(xs, axis=-1, out=y)

    def backward(self, dy: Array, dxs: list[Array | None], xs: list[Array]) -> None:
        start = 0
        for x, dx in zip(xs, dxs, strict=True):
            stop = start + x.shape[-1]
            if dx is not None:
                dx[...] = dy[..., start:stop]
            start = stop
