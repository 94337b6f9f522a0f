"""The input's share of a layer and its gradients, for rows of numbers and for ids of rows that are one-hot.

The same as `minidl.graph.operations` has, for kernels: x is (R, F), or holds R ids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from minidl.graph.operations import OneHotRows
from minidl.kernels.compiler import by_type
from minidl.kernels.product import WIDTH, multiply
from minidl.kernels.rows import fill_rows
from minidl.kernels.vector_product import add_vector_times

Array = NDArray[Any]


def as_kernels_take_it(x: Array | OneHotRows) -> Array:
    """An input of a layer: the ids of one-hot rows, or the numbers."""
    return x.ids if isinstance(x, OneHotRows) else x


def or_empty(dx: Array | None, like: Array) -> Array:
    """A gradient, of no size where nobody needs it, so that kernels are compiled once for both."""
    return np.empty((0,) * like.ndim, like.dtype) if dx is None else dx


def flat(x: Any) -> Any:
    """All leading axes as one: (T, B, F) to (T·B, F), and ids (T, B) to (T·B,)."""
    raise NotImplementedError


@by_type(flat)
def _flat(x: Any) -> Any:
    if isinstance(x.dtype, types.Integer):
        return lambda x: x.reshape(x.size)
    return lambda x: x.reshape((x.shape[0] * x.shape[1], x.shape[2]))


def affine(x: Array, W: Array, b: Array, out: Array) -> None:
    """out = x W + b."""
    raise NotImplementedError


@by_type(affine)
def _affine(x: Any, W: Any, b: Any, out: Any) -> Any:
    return _affine_of_ids if isinstance(x.dtype, types.Integer) else _affine_of_rows


def _affine_of_ids(x: Array, W: Array, b: Array, out: Array) -> None:
    for n in range(len(x)):
        k = x[n]
        for j in range(len(b)):
            out[n, j] = W[k, j] + b[j]


def _affine_of_rows(x: Array, W: Array, b: Array, out: Array) -> None:
    if len(x) == 1:
        fill_rows(b, out)
        add_vector_times(x[0], W, out[0])
        return
    for start in range(0, len(b), WIDTH):  # a block of columns is finished while it is in the cache
        block = out[:, start : start + WIDTH]
        fill_rows(b[start : start + WIDTH], block)
        multiply(x, W[:, start : start + WIDTH], block, True)
