"""OneHot: ids as indicator vectors, the plainest way to feed symbols to a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minidl.graph.arrays import Array, Declaration, Ids, InputSpec, Out
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class OneHot(Layer):
    """Indicator vectors.

        y[..., k] = 1 where k is the id, else 0        ids (...), y (..., V)

    V is the depth of the integer input. Where all readers can look rows up (recurrent layers, Dense) the vectors are
    never written: a one-hot row times a matrix is a row of that matrix.

    >>> from minidl import Model
    >>> Model.of(OneHot(), np.array([[0], [2]])).arrays["one_hot/y"].astype(int).tolist()
    [[[1, 0, 0]], [[0, 0, 1]]]
    """

    inputs: ClassVar = {"ids": InputSpec("...", dtype="int")}
    one_hot = True

    def arrays(self, ids: Ids) -> dict[str, Declaration]:
        return {"y": Out((*ids, ids.depth))}

    def forward(self, ids: Array, y: Array) -> None:
        np.equal(ids[..., None], np.arange(y.shape[-1]), out=y, casting="unsafe")

    def backward(self) -> None:
        """Ids have no gradient."""
