"""Slice: some of the features, or some of the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minidl.graph.arrays import Array, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer
from minidl.graph.symbol import Axis


@dataclass(frozen=True)
class Slice(Layer):
    """What Python's x[start:stop] takes of one axis.

        y = x[..., start:stop]        dx = dy there, 0 elsewhere        x (...), y (...)

    start, stop: the first index that is taken, and the first that is not; negative ones count from the end. axis: -1
    for features, 0 for time.

    Raises GraphError where nothing would be left.

    >>> from minidl import Model
    >>> Model.of(Slice(1, 3), np.arange(4.0).reshape(1, 1, 4)).arrays["slice/y"].tolist()
    [[[1.0, 2.0]]]
    """

    start: int = 0
    stop: int | None = None
    axis: int = -1

    inputs: ClassVar = {"x": InputSpec("...")}

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        if not -len(x) <= self.axis < len(x):
            raise ValueError(f"there is no axis {self.axis} in {x}")
        axis = self.axis % len(x)
        size = x[axis]
        left = len(range(size)[self.start : self.stop])
        if left == 0:
            raise ValueError(f"of {size} along axis {self.axis} nothing is left from {self.start} to {self.stop}")
        if isinstance(size, Axis) and left < size:
            left = Axis(left, f"{size!r}[{self.start or ''}:{'' if self.stop is None else self.stop}]")
        return {"y": Out((*x[:axis], size if left == size else left, *x[axis + 1 :]))}

    def forward(self, x: Array, y: Array) -> None:
        y[...] = x[self._taken(x)]

    def backward(self, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.copyto(dx, 0)
            dx[self._taken(dx)] = dy

    def _taken(self, x: Array) -> tuple[slice, ...]:
        taken = [slice(None)] * x.ndim
        taken[self.axis] = slice(self.start, self.stop)
        return tuple(taken)
