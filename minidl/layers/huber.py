"""Huber: squared error near the target, absolute error far from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array
from minidl.layers.loss import ElementLoss


@dataclass(frozen=True)
class Huber(ElementLoss):
    """Squared error for small errors e = x - t, absolute error for large ones.

        l = ½ e² where |e| ≤ δ, else δ (|e| - ½ δ),   dl/dx = e between -δ and δ, else ±δ

    x (..., F), targets t (..., F), y () or, not reduced, (..., F). delta: δ, from where an error counts as large.

    >>> from minidl import Model
    >>> x, t = np.zeros((1, 1, 2)), np.array([[[1.0, 3.0]]])
    >>> Model.of(Huber("none"), x, t).arrays["huber/y"].tolist()
    [[[0.5, 2.5]]]

    Huber 1964, equation 1.
    """

    delta: Annotated[float, Gt(0)] = 1.0

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """m (e - ½ m) with m, the error cut off at ±δ: ½ e² inside, δ |e| - ½ δ² outside."""
        np.subtract(x, targets, out=out)
        far = np.abs(out.real) > self.delta
        clipped = np.where(far, self.delta * np.sign(out.real), out)
        out -= 0.5 * clipped
        out *= clipped

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """The error, cut off at ±δ."""
        np.subtract(x, targets, out=out)
        np.clip(out, -self.delta, self.delta, out=out)
