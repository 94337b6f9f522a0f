"""Reverse and Last: the steps of a sequence backwards, and its last step; both know where a padded sequence ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minidl.graph.arrays import LENGTHS, Array, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer

SEQUENCES = {"x": InputSpec("T B F"), "lengths": LENGTHS}


@dataclass(frozen=True)
class Reverse(Layer):
    """The steps of each sequence in reverse order; steps past its length stay where they are.

        y[t] = x[L - 1 - t] for t < L, else x[t]        x (T, B, F), lengths (B,), y (T, B, F)

    >>> from minidl import Model
    >>> Model.of(Reverse(), np.array([[[1.0]], [[2.0]]])).arrays["reverse/y"].ravel().tolist()
    [2.0, 1.0]
    """

    inputs: ClassVar = SEQUENCES

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        return {"y": Out(x)}

    def forward(self, x: Array, lengths: Array | None, y: Array) -> None:
        reverse(x, lengths, out=y)

    def backward(self, lengths: Array | None, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            reverse(dy, lengths, out=dx)  # reversing is its own inverse


def reverse(x: Array, lengths: Array | None, out: Array) -> None:
    """The steps of x backwards, each sequence within its length."""
    if lengths is None:
        out[...] = x[::-1]
        return
    out[...] = x
    for b, length in enumerate(lengths.tolist()):
        out[:length, b] = x[:length, b][::-1]


@dataclass(frozen=True)
class Last(Layer):
    """The last step of each sequence.

        y = x[L - 1]        x (T, B, F), lengths (B,), y (B, F);  L is T where no lengths are given

    >>> from minidl import Model
    >>> Model.of(Last(), np.array([[[1.0]], [[2.0]]])).arrays["last/y"].tolist()
    [[2.0]]
    """

    inputs: ClassVar = SEQUENCES

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        return {"y": Out(x[1:])}

    def forward(self, x: Array, lengths: Array | None, y: Array) -> None:
        y[...] = x[-1] if lengths is None else x[lengths - 1, np.arange(len(y))]

    def backward(self, lengths: Array | None, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        dx[...] = 0
        if lengths is None:
            dx[-1] = dy
        else:
            dx[lengths - 1, np.arange(len(dy))] = dy
