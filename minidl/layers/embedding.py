"""Embedding: a trained vector for each symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array, Declaration, Ids, InputSpec, Out, Param
from minidl.graph.layer import Layer
from minidl.graph.operations import scatter_rows


@dataclass(frozen=True)
class Embedding(Layer):
    """A table with a row for each symbol.

        y = table[ids]                       ids (...), table (V, units), y (..., units)

        dtable[k] = Σ dy over the places where the id is k

    V is the depth of the integer input. units: size of a row.

    >>> from minidl import Model
    >>> Model.of(Embedding(4), np.array([[0], [2]])).parameters["embedding/table"].shape
    (3, 4)

    Bengio et al. 2003, equation 2.
    """

    units: Annotated[int, Gt(0)]

    inputs: ClassVar = {"ids": InputSpec("...", dtype="int")}

    def arrays(self, ids: Ids) -> dict[str, Declaration]:
        return {"table": Param((ids.depth, self.units), "normal"), "y": Out((*ids, self.units))}

    def forward(self, ids: Array, table: Array, y: Array) -> None:
        np.take(table, ids, axis=0, out=y, mode="clip")  # clip: ids are in range, and "raise" would copy

    def backward(self, ids: Array, dy: Array, dtable: Array) -> None:
        scatter_rows(ids, dy, out=dtable)
