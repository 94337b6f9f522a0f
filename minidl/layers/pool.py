"""Pool: all steps of a sequence as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from minidl.graph.arrays import LENGTHS, Array, Cache, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer


@dataclass(frozen=True)
class Pool(Layer):
    """The mean or the largest value of each feature over the steps.

        mean   y = Σ x[t] / L,   dx[t] = dy / L            max   y = max over t of x[t],   dx = dy at the first such t

    kind: mean or max. x (T, B, F), y (B, F). lengths (B,), an input that may be left out: the steps L of each
    sequence; what follows is not read. L is T without.

    >>> from minidl import Model
    >>> Model.of(Pool("max"), np.array([[[1.0, 5.0]], [[2.0, 0.0]]])).arrays["pool/y"].tolist()
    [[2.0, 5.0]]
    """

    kind: Literal["mean", "max"] = "mean"

    inputs: ClassVar = {"x": InputSpec("T B F"), "lengths": LENGTHS}

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        return {"at": Cache(x[1:] if self.kind == "max" else (0,), "int64"), "y": Out(x[1:])}

    def forward(self, x: Array, lengths: Array | None, at: Array, y: Array) -> None:
        for b, length in enumerate(_lengths(x, lengths)):
            if self.kind == "mean":
                np.mean(x[:length, b], axis=0, out=y[b])
            else:
                np.argmax(x.real[:length, b], axis=0, out=at[b])
                y[b] = np.take_along_axis(x[:, b], at[b][None], axis=0)[0]

    def backward(self, x: Array, lengths: Array | None, at: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        dx[...] = 0
        for b, length in enumerate(_lengths(x, lengths)):
            if self.kind == "mean":
                dx[:length, b] = dy[b] / length
            else:
                np.put_along_axis(dx[:, b], at[b][None], dy[b][None], axis=0)


def _lengths(x: Array, lengths: Array | None) -> list[int]:
    """The steps of each sequence."""
    return [len(x)] * x.shape[1] if lengths is None else lengths.tolist()
