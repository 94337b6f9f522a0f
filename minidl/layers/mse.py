"""MSE: the loss of predicting numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from minidl.graph.arrays import LENGTHS, Array, Cache, Declaration, InputSpec, Out, Shape, Workspace
from minidl.graph.layer import Layer


def check_shapes(x: Shape, targets: Shape, lengths: Shape | None) -> None:
    """Raise where predictions, targets and lengths differ in shape; broadcasting them would hide a mistake."""
    if tuple(x) != tuple(targets):
        raise ValueError(f"targets should have the shape {x} of the predictions, got {targets}")
    if lengths is not None and (len(x) < 2 or x[1] != lengths[0]):
        raise ValueError(f"lengths {lengths} are for predictions of steps (T, B, ...), got {x}")


def count(x: Array, lengths: Array | None) -> int:
    """How many elements count: those of the steps within the lengths."""
    return x.size if lengths is None else int(lengths.sum()) * math.prod(x.shape[2:])


def share(reduction: str, x: Array, lengths: Array | None) -> float:
    """What each element that counts adds to the loss."""
    return 1 / count(x, lengths) if reduction == "mean" else 1.0


def drop_padding(x: Array, lengths: Array | None) -> None:
    """Zero what stands past the end of each sequence."""
    for b, length in enumerate([] if lengths is None else lengths.tolist()):
        x[length:, b] = 0


@dataclass(frozen=True)
class MSE(Layer):
    """Squared error.

        y = mean or sum of (x - t)²        x (...), targets t (...), y ()

        dx = 2 dy (x - t) / n,   dt = -dx

    reduction: mean over all elements, or sum.

    lengths (B,), an input that may be left out: where padded sequences (T, B, ...) end; what follows does not count.

    >>> from minidl import Model
    >>> float(Model.of(MSE(), np.zeros((1, 1, 2)), np.ones((1, 1, 2))).arrays["mse/y"])
    1.0
    """

    reduction: Literal["mean", "sum"] = "mean"

    inputs: ClassVar = {"x": InputSpec("..."), "targets": InputSpec("..."), "lengths": LENGTHS}

    def arrays(self, x: Shape, targets: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        check_shapes(x, targets, lengths)
        return {"error": Cache(x), "square": Workspace(x), "y": Out(())}

    def forward(self, x: Array, targets: Array, lengths: Array | None, error: Array, square: Array, y: Array) -> None:
        np.subtract(x, targets, out=error)
        drop_padding(error, lengths)
        np.multiply(error, error, out=square)
        y[...] = square.sum() * share(self.reduction, error, lengths)

    def backward(
        self, lengths: Array | None, error: Array, dy: Array, dx: Array | None, dtargets: Array | None
    ) -> None:
        scale = 2 * dy * share(self.reduction, error, lengths)
        if dx is not None:
            np.multiply(error, scale, out=dx)
        if dtargets is not None:
            np.multiply(error, -scale, out=dtargets)
