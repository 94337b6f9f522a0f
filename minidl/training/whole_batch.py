"""Random numbers for some sequences of a batch that are those which the whole batch would have had."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidl.graph.arrays import Array, Cache
from minidl.graph.layer import Node
from minidl.graph.symbol import Axis, is_batch


class WholeBatch:
    """A generator of one node: what is drawn by sequence is drawn for all of them, and cut to those of this process.

    columns: the own sequences of the batch that is run. batch: how many it has in all. What has no axis of sequences,
    such as a mask of weights, is the same for every process.
    """

    def __init__(self, rng: np.random.Generator, node: Node) -> None:
        self._rng, self.columns, self.batch = rng, slice(0), 0
        self._shapes = [item.shape for item in node.declarations.values() if isinstance(item, Cache)]

    @property
    def bit_generator(self) -> Any:
        """The bit generator of NumPy, whose state checkpoints hold."""
        return self._rng.bit_generator

    def random(
        self, size: tuple[int, ...] | None = None, dtype: DTypeLike = np.float64, out: Array | None = None
    ) -> Array:
        """As `random` of the generator."""
        shape: tuple[int, ...] = out.shape if size is None and out is not None else size or ()
        axis = next((axis for declared in self._shapes if (axis := self._axis(declared, shape)) is not None), None)
        whole = shape if axis is None else (*shape[:axis], self.batch, *shape[axis + 1 :])
        drawn: Array = self._rng.random(whole, dtype)  # type: ignore[arg-type]
        own = drawn if axis is None else drawn[(slice(None),) * axis + (self.columns,)]
        if out is None:
            return own
        out[...] = own
        return out

    def _axis(self, shape: tuple[int, ...], size: tuple[int, ...]) -> int | None:
        """Where the sequences are in an array of this declared shape, if one of this size can be that array."""
        fits = len(shape) == len(size) and all(isinstance(a, Axis) or a == b for a, b in zip(shape, size, strict=True))
        axes = [i for i, axis in enumerate(shape) if is_batch(axis)]
        return axes[0] if fits and axes else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rng, name)
