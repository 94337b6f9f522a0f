"""Dropout of recurrent weights, or of what they see: one mask for all steps of a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Lt

from minidl.graph.arrays import Array, Cache, Declaration
from minidl.graph.layer import Layer
from minidl.graph.operations import draw_mask


@dataclass(frozen=True)
class RecurrentDropout(Layer, abstract=True):
    """Base of layers that leave out recurrent weights, or units that they see, in training, and scale up the others.

    recurrent_dropout: the share of Wh that is dropped, one mask a window. state_dropout: the share of h_prev that is
    dropped before it meets Wh, one mask a window and sequence.

    Merity, Keskar, Socher 2018, section 2 (DropConnect of Wan et al. 2013); Gal and Ghahramani 2016, section 4.
    """

    recurrent_dropout: Annotated[float, Ge(0), Lt(1)] = field(default=0.0, kw_only=True)
    state_dropout: Annotated[float, Ge(0), Lt(1)] = field(default=0.0, kw_only=True)

    def dropout_arrays(self, T: int, B: int, H: int, kH: int) -> dict[str, Declaration]:
        """The masks, and what they leave of Wh (H, kH) and of h_prev (T, B, H)."""
        weights, states = bool(self.recurrent_dropout), bool(self.state_dropout)
        return {
            "mask": Cache((weights * H, weights * kH)),
            "Wh_dropped": Cache((weights * H, weights * kH)),
            "state_mask": Cache((B, H) if states else (0, 0)),
            "h_seen": Cache((T, B, H) if states else (0, 0, 0)),
        }

    def drops(self, training: bool) -> bool:
        """Whether recurrent weights are left out."""
        return training and self.recurrent_dropout > 0

    def draw_mask(self, mask: Array, training: bool, rng: np.random.Generator) -> None:
        """Which recurrent weights this window uses, scaled by how many are left."""
        if self.drops(training):
            for row in mask:  # by rows, so that little memory is taken
                draw_mask(row, self.recurrent_dropout, rng)

    def drops_states(self, training: bool) -> bool:
        """Whether units are left out of what Wh sees."""
        return training and self.state_dropout > 0

    def draw_state_mask(self, mask: Array, training: bool, rng: np.random.Generator) -> None:
        """Which units of each sequence Wh sees in this window, scaled by how many are left."""
        if self.drops_states(training):
            draw_mask(mask, self.state_dropout, rng)

    def seen(self, h_prev: Array, t: int, arrays: Mapping[str, Any]) -> Array:
        """What Wh sees at step t: h_prev, or what dropout has left of it."""
        if not self.drops_states(arrays["training"]):
            return h_prev
        kept: Array = np.multiply(h_prev, arrays["state_mask"], out=arrays["h_seen"][t])
        return kept

    def recurrent_weights(self, Wh: Array, mask: Array, Wh_dropped: Array, training: bool) -> Array:
        """The weights in use: Wh, or what dropout has left of it."""
        return np.multiply(Wh, mask, out=Wh_dropped) if self.drops(training) else Wh

    def mask_gradient(self, dWh: Array, mask: Array, training: bool) -> None:
        """A weight that was not used has no gradient."""
        if self.drops(training):
            dWh *= mask
