"""Conv1D: the same affine map of a few neighbouring steps, at every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import LENGTHS, Array, Declaration, InputSpec, Out, Param, Shape, Workspace
from minidl.graph.layer import Layer
from minidl.layers.loss import drop_padding


@dataclass(frozen=True)
class Conv1D(Layer):
    """Convolution over time.

        y[t] = b + Σⱼ x[t + (j - o) d] W[j]        j = 0 … width - 1,   x is 0 before the first step and after the last

        dW[j] = Σₜ x[t + (j - o) d]ᵀ dy[t],   db = Σ dy,   dx[t] = Σⱼ dy[t - (j - o) d] W[j]ᵀ

    x (T, B, F), W (width, F, units), b (units,), y (T, B, units). units: size of the output. width: steps that are
    seen. padding: causal sees no step after t, o = width - 1; same sees as many before as after, o = (width - 1) // 2.
    dilation: d, from one seen step to the next. lengths (B,), an input that may be left out: where sequences end; what
    follows counts as 0.

    >>> from minidl import Model
    >>> model = Model.of(Conv1D(1, width=2), np.array([[[1.0]], [[2.0]], [[3.0]]]))
    >>> model.parameters["conv1d/W"][...] = 1
    >>> model.forward(x=np.array([[[1.0]], [[2.0]], [[3.0]]]))["y"].ravel().tolist()
    [1.0, 3.0, 5.0]

    Causal and dilated: van den Oord et al. 2016, section 2.1.
    """

    units: Annotated[int, Gt(0)]
    width: Annotated[int, Gt(0)] = 3
    padding: Literal["causal", "same"] = "causal"
    dilation: Annotated[int, Gt(0)] = 1

    inputs: ClassVar = {"x": InputSpec("T B F"), "lengths": LENGTHS}

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        T, B, F = x
        return {
            "W": Param((self.width, F, self.units), "glorot_steps"),
            "b": Param((self.units,)),
            "inside": Workspace(x if lengths is not None else (0,)),
            "part": Workspace((T, B, max(F, self.units))),
            "y": Out((T, B, self.units)),
        }

    def taps(self, T: int) -> Iterator[tuple[int, slice, slice]]:
        """For each j: which steps of x are multiplied by W[j], and to which steps of y that is added."""
        offset = self.width - 1 if self.padding == "causal" else (self.width - 1) // 2
        for j in range(self.width):
            shift = (j - offset) * self.dilation
            if abs(shift) < T:
                yield j, slice(max(shift, 0), T + min(shift, 0)), slice(max(-shift, 0), T - max(shift, 0))

    def forward(
        self, x: Array, lengths: Array | None, W: Array, b: Array, inside: Array, part: Array, y: Array
    ) -> None:
        x = within(x, lengths, inside)
        y[...] = b
        for j, seen, at in self.taps(len(x)):
            y[at] += np.matmul(x[seen], W[j], out=_room(part, y[at]))

    def backward(
        self,
        x: Array,
        lengths: Array | None,
        W: Array,
        inside: Array,
        part: Array,
        dy: Array,
        dx: Array | None,
        dW: Array,
        db: Array,
    ) -> None:
        x = within(x, lengths, inside)
        np.sum(dy, axis=(0, 1), out=db)
        dW[...] = 0
        for j, seen, at in self.taps(len(x)):
            np.matmul(_rows(x[seen]).T, _rows(dy[at]), out=dW[j])
        if dx is None:
            return
        dx[...] = 0
        for j, seen, at in self.taps(len(x)):
            dx[seen] += np.matmul(dy[at], W[j].T, out=_room(part, dx[seen]))
        drop_padding(dx, lengths)


def within(x: Array, lengths: Array | None, room: Array) -> Array:
    """x with zeros past the end of each sequence, copied only where there are lengths."""
    if lengths is None:
        return x
    np.copyto(room, x)
    drop_padding(room, lengths)
    return room


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _room(part: Array, like: Array) -> Array:
    """So much of a workspace as an array of this shape takes."""
    return part.reshape(-1)[: like.size].reshape(like.shape)
