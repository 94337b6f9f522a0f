"""Embedding: a trained vector for each symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt

from minidl.graph.arrays import Array, Cache, Declaration, Ids, InputSpec, Out, Param
from minidl.graph.layer import Layer
from minidl.graph.operations import draw_mask, scatter_rows


@dataclass(frozen=True)
class Embedding(Layer):
    """A table with a row for each symbol.

        y = table[ids]                       ids (...), table (V, units), y (..., units)

        dtable[k] = Σ dy over the places where the id is k

    V is the depth of the integer input. units: size of a row. dropout: the share of the symbols whose rows are zeros
    for a window in training, wherever they stand; the others are scaled up. Weights tied to the table see all of it.

    >>> from minidl import Model
    >>> Model.of(Embedding(4), np.array([[0], [2]])).parameters["embedding/table"].shape
    (3, 4)

    Bengio et al. 2003, equation 2. Symbols dropped: Gal and Ghahramani 2016, section 4.2; Merity et al. 2018, 4.3.
    """

    units: Annotated[int, Gt(0)]
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0

    inputs: ClassVar = {"ids": InputSpec("...", dtype="int")}

    def arrays(self, ids: Ids) -> dict[str, Declaration]:
        mask = Cache((ids.depth if self.dropout else 0, 1))
        return {"table": Param((ids.depth, self.units), "normal"), "mask": mask, "y": Out((*ids, self.units))}

    def forward(
        self, ids: Array, table: Array, mask: Array, y: Array, training: bool, rng: np.random.Generator
    ) -> None:
        np.take(table, ids, axis=0, out=y, mode="clip")  # clip: ids are in range, and "raise" would copy
        if training and self.dropout:
            draw_mask(mask, self.dropout, rng)
            y *= mask[ids]

    def backward(self, ids: Array, mask: Array, dy: Array, dtable: Array, training: bool) -> None:
        scatter_rows(ids, dy, out=dtable)
        self.mask_gradient(dtable, mask, training)

    def mask_gradient(self, dtable: Array, mask: Array, training: bool) -> None:
        """A row that was dropped has no gradient."""
        if training and self.dropout:
            dtable *= mask
