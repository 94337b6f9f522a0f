"""Dropout of recurrent weights, which the steps of a window share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from minidl.graph.arrays import Array
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class RecurrentDropout(Layer, abstract=True):
    """Base of layers that leave out recurrent weights in training, one mask a window, and scale up the others.

    recurrent_dropout: the share of Wh that is dropped.

    Merity, Keskar, Socher 2018, section 2 (DropConnect of Wan et al. 2013).
    """

    recurrent_dropout: Annotated[float, Ge(0), Lt(1)] = field(default=0.0, kw_only=True)

    def drops(self, training: bool) -> bool:
        """Whether recurrent weights are left out."""
        return training and self.recurrent_dropout > 0

    def draw_mask(self, mask: Array, training: bool, rng: np.random.Generator) -> None:
        """Which recurrent weights this window uses, scaled by how many are left."""
        if self.drops(training):
            for row in mask:  # by rows, so that little memory is taken
                row[...] = rng.random(row.shape) >= self.recurrent_dropout
            mask *= 1 / (1 - self.recurrent_dropout)

    def recurrent_weights(self, Wh: Array, mask: Array, Wh_dropped: Array, training: bool) -> Array:
        """The weights in use: Wh, or what dropout has left of it."""
        return np.multiply(Wh, mask, out=Wh_dropped) if self.drops(training) else Wh

    def mask_gradient(self, dWh: Array, mask: Array, training: bool) -> None:
        """A weight that was not used has no gradient."""
        if self.drops(training):
            dWh *= mask
