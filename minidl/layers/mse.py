"""MSE: the loss of predicting numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from minidl.layer import Array, Cache, Declaration, Layer, Out, Port, Scratch, Shape


def check_same(x: Shape, targets: Shape) -> None:
    """Raise where predictions and targets differ in shape; broadcasting them would hide a mistake."""
    if tuple(x) != tuple(targets):
        raise ValueError(f"targets should have the shape {x} of the predictions, got {targets}")


def share(reduction: str, x: Array) -> float:
    """What each element counts in the loss."""
    return 1 / x.size if reduction == "mean" else 1.0


@dataclass(frozen=True)
class MSE(Layer):
    """Squared error.

        y = mean or sum of (x - t)²        x (...), targets t (...), y ()

        dx = 2 dy (x - t) / n,   dt = -dx

    reduction: mean over all elements, or sum.

    >>> from minidl import Model
    >>> float(Model.of(MSE(), np.zeros((1, 1, 2)), np.ones((1, 1, 2))).arrays["mse/y"])
    1.0
    """

    reduction: Literal["mean", "sum"] = "mean"

    inputs: ClassVar = {"x": Port("..."), "targets": Port("...")}

    def arrays(self, x: Shape, targets: Shape) -> dict[str, Declaration]:
        check_same(x, targets)
        return {"error": Cache(x), "square": Scratch(x), "y": Out(())}

    def forward(self, x: Array, targets: Array, error: Array, square: Array, y: Array) -> None:
        np.subtract(x, targets, out=error)
        np.multiply(error, error, out=square)
        y[...] = square.sum() * share(self.reduction, error)

    def backward(self, error: Array, dy: Array, dx: Array | None, dtargets: Array | None) -> None:
        scale = 2 * dy * share(self.reduction, error)
        if dx is not None:
            np.multiply(error, scale, out=dx)
        if dtargets is not None:
            np.multiply(error, -scale, out=dtargets)
