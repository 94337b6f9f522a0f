"""Repeat: what is known of a whole sequence, at each of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class Repeat(Layer):
    """The same features at every step.

        y[t] = x        dx = Σₜ dy[t]        x (B, F), y (T, B, F)

    times: the number of steps T. Without it T is that of a second input, like (T, B, ...), of ids or numbers.

    Raises GraphError where neither or both say how many steps there are.

    >>> from minidl import Model
    >>> Model.of(Repeat(times=2), np.array([[1.0, 2.0]])).arrays["repeat/y"].tolist()
    [[[1.0, 2.0]], [[1.0, 2.0]]]
    """

    times: Annotated[int, Gt(0)] | None = None

    inputs: ClassVar = {"x": InputSpec("B F"), "like": InputSpec("...", dtype="any", optional=True)}

    def arrays(self, x: Shape, like: Shape | None = None) -> dict[str, Declaration]:
        if (self.times is None) == (like is None):
            raise ValueError("Repeat takes its steps from times=, or from a second input (T, B, ...)")
        if like is not None and (len(like) < 2 or like[1] != x[0]):
            raise ValueError(f"the second input should be of steps (T, B, ...), got {like}")
        T = self.times if like is None else like[0]
        assert T is not None
        return {"y": Out((T, *x))}

    def forward(self, x: Array, y: Array) -> None:
        y[...] = x

    def backward(self, dy: Array, dx: Array | None, dlike: Array | None) -> None:
        if dx is not None:
            np.sum(dy, axis=0, out=dx)
        if dlike is not None:
            dlike[...] = 0
