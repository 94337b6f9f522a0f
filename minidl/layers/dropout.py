"""Dropout: noise in training that keeps units from relying on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from minidl.graph.arrays import Array, Cache, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class Dropout(Layer):
    """Zeros a share of the features in training and scales up the rest; the identity otherwise.

        y = x m / (1 - rate),   m = 1 with probability 1 - rate, else 0        dx = dy m / (1 - rate)

    rate: the share that is dropped. same_at_every_step: one mask for all steps of a sequence. x (T, B, F), y likewise.

    >>> from minidl import Model
    >>> y = Model.of(Dropout(0.5), np.ones((1, 1, 8))).arrays["dropout/y"]
    >>> bool(np.isin(y, [0.0, 2.0]).all())
    True

    Srivastava et al. 2014, section 4; same mask at every step: Gal and Ghahramani 2016, section 4.
    """

    rate: Annotated[float, Ge(0), Lt(1)]
    same_at_every_step: bool = False

    inputs = {"x": InputSpec("...")}

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        mask = (1, *x[1:]) if self.same_at_every_step else x
        return {"noise": Cache(mask, "float32"), "mask": Cache(mask, "bool"), "y": Out(x)}

    def forward(self, x: Array, noise: Array, mask: Array, y: Array, training: bool, rng: np.random.Generator) -> None:
        if not training:
            y[...] = x
            return
        rng.random(dtype=np.float32, out=noise)
        np.greater_equal(noise, self.rate, out=mask)
        np.multiply(x, mask, out=y)
        y *= 1 / (1 - self.rate)

    def backward(self, mask: Array, dy: Array, dx: Array | None, training: bool) -> None:
        if dx is None:
            return
        if not training:
            dx[...] = dy
            return
        np.multiply(dy, mask, out=dx)
        dx *= 1 / (1 - self.rate)
