"""What RNN, GRU and LSTM have in common: hyperparameters, weights, dropout; the equations are in their own files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt

from minidl.graph.arrays import (
    LENGTHS,
    Array,
    Cache,
    Declaration,
    InputSpec,
    MadeName,
    Out,
    Param,
    Shape,
    State,
    Workspace,
)
from minidl.graph.layer import Layer, Node, connect
from minidl.graph.symbol import Symbol
from minidl.layers.dropout import Dropout

BLOCK = 1 << 15  # numbers a (B, H) slab holds over a block of steps: the block's arrays then stay in the cache


@dataclass(frozen=True)
class Recurrent(Layer, abstract=True):
    """Base of the recurrent layers: weights Wx (F, kH), Wh (H, kH), b (kH,), and h (B, H) carried between calls.

    units: size H of the output. dropout: on the input, as a Dropout layer put before. recurrent_dropout: on Wh, one
    mask a window.

    Dropped recurrent weights: Merity, Keskar, Socher 2018, section 2 (DropConnect of Wan et al. 2013).
    """

    units: Annotated[int, Gt(0)]
    dropout: Annotated[float, Ge(0), Lt(1)] = field(default=0.0, kw_only=True)
    recurrent_dropout: Annotated[float, Ge(0), Lt(1)] = field(default=0.0, kw_only=True)

    gates_per_unit: ClassVar[int] = 1
    bias_init: ClassVar[str] = "zeros"
    inputs: ClassVar = {"x": InputSpec("T B F"), "lengths": LENGTHS}
    accepts_one_hot = True

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        if self.dropout and inputs and isinstance(inputs[0], Symbol):
            name = MadeName(f"{self.name or self.default_name()}_dropout")
            inputs = (Dropout(self.dropout, name=name)(inputs[0]), *inputs[1:])
        return connect(self, inputs, named)

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        T, B, F = x
        H, kH = self.units, self.gates_per_unit * self.units
        return {
            "Wx": Param((F, kH), f"glorot_{self.gates_per_unit}"),
            "Wh": Param((H, kH), "orthogonal"),
            "b": Param((kH,), self.bias_init),
            "h": State((T + 1, B, H)),
            "y": Out((T, B, H), steps_of="h"),
            "mask": Cache((H, kH) if self.recurrent_dropout else (0, 0)),
            "Wh_dropped": Cache((H, kH) if self.recurrent_dropout else (0, 0)),
            "a": Workspace((B, kH)),
            "dh": Workspace((B, H)),
            "Wh_T": Workspace((kH, H)),
        }

    def drops(self, training: bool) -> bool:
        """Whether recurrent weights are left out."""
        return training and self.recurrent_dropout > 0

    def recurrent_weights(self, Wh: Array, mask: Array, Wh_dropped: Array, training: bool) -> Array:
        """The weights in use: Wh, or what dropout has left of it."""
        if not self.drops(training):
            return Wh
        return np.multiply(Wh, mask, out=Wh_dropped)

    def draw_mask(self, mask: Array, training: bool, rng: np.random.Generator) -> None:
        """Which recurrent weights this window uses, scaled by how many are left."""
        if self.drops(training):
            mask[...] = rng.random(mask.shape) >= self.recurrent_dropout
            mask *= 1 / (1 - self.recurrent_dropout)

    def mask_gradient(self, dWh: Array, mask: Array, training: bool) -> None:
        """A weight that was not used has no gradient."""
        if self.drops(training):
            dWh *= mask


def transposed(W: Array, room: Array, rows: int) -> Array:
    """Wᵀ for products with so many rows: copied, with which a BLAS is quicker, but for a single row."""
    if rows == 1:
        return W.T
    room[...] = W.T
    return room


def split(x: Array, parts: int) -> Sequence[Array]:
    """Views of the gates that stand side by side in the last axis."""
    width = x.shape[-1] // parts
    return [x[..., k * width : (k + 1) * width] for k in range(parts)]


def forwards(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Step by step through several arrays at once."""
    return zip(*arrays, strict=True)


def backwards(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Step by step through several arrays at once, the last step first."""
    return zip(*(array[::-1] for array in arrays), strict=True)


def blocks(steps: int, size: int) -> Iterator[slice]:
    """The steps in blocks, the last block first; size: numbers a step.

    >>> list(blocks(5, BLOCK // 2))
    [slice(3, 5, None), slice(1, 3, None), slice(0, 1, None)]
    """
    length = max(1, BLOCK // size)
    return (slice(max(0, stop - length), stop) for stop in range(steps, 0, -length))
