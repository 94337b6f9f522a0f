"""What the kernels of RNN, GRU and LSTM share: the products of a step, and the gradients of a run of steps.

A thread computes the sequences `lo` to `hi` of a batch. Weights are packed once for all steps; for a single sequence,
where there is nothing to gain, they are used as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from minidl import threads
from minidl.kernels.affine import affine, flat, scatter
from minidl.kernels.compiler import by_type, part
from minidl.kernels.product import (
    add_vector_times,
    pack,
    packed_size,
    times,
    transposed_times,
    vector_times_transposed,
)

Array = NDArray[Any]
RUN = 128  # rows of gradients that stay in the cache until all products with them are done


def sum_over_threads(gradients: Sequence[Array], batch: int, work: float, compute: Callable[..., None]) -> None:
    """Let `compute(*gradients, lo, hi)` fill gradients for all sequences of a batch, in shares that are added up."""

    def share(lo: int, hi: int) -> Sequence[Array]:
        own = gradients if lo == 0 else [np.empty_like(gradient) for gradient in gradients]
        compute(*own, lo, hi)
        return own

    for own in threads.in_shares(batch, work, share)[1:]:
        for total, more in zip(gradients, own, strict=True):
            total += more


@part
def prepared(W: Array, wanted: bool) -> Array:
    """W packed, or nothing where that is not wanted."""
    packed = np.empty(packed_size(W.shape[0], W.shape[1], W.itemsize) if wanted else 0, W.dtype)
    if wanted:
        pack(W, packed, 0, len(W))
    return packed


@part
def add_product(h: Array, W: Array, packed: Array, out: Array) -> None:
    """out += h W."""
    if len(packed):
        times(h, packed, out, True)
    else:
        add_vector_times(h[0], W, out[0])


@part
def product_back(d: Array, W: Array, packed: Array, dh: Array) -> None:
    """dh = d Wᵀ, where `packed` holds Wᵀ."""
    if len(packed):
        times(d, packed, dh, False)
    else:
        vector_times_transposed(d[0], W, dh[0])


def packed_input(x: Array, Wx: Array, many: bool) -> Array:
    """Wx packed, where x has numbers and there are many sequences."""
    raise NotImplementedError


@by_type(packed_input)
def _packed_input(x: Any, Wx: Any, many: Any) -> Any:
    if isinstance(x.dtype, types.Integer):
        return lambda x, Wx, many: prepared(Wx, False)
    return lambda x, Wx, many: prepared(Wx, many)


def input_share(x: Array, Wx: Array, packed: Array, b: Array, out: Array) -> None:
    """out = x Wx + b, for one step."""
    raise NotImplementedError


@by_type(input_share)
def _input_share(x: Any, Wx: Any, packed: Any, b: Any, out: Any) -> Any:
    if isinstance(x.dtype, types.Integer):
        return lambda x, Wx, packed, b, out: affine(x, Wx, b, out)
    return _input_share_of_rows


def _input_share_of_rows(x: Array, Wx: Array, packed: Array, b: Array, out: Array) -> None:
    for n in range(len(x)):
        out[n] = b
    add_product(x, Wx, packed, out)


@part
def run_length(sequences: int, steps: int) -> int:
    """Steps whose rows stay in the cache together."""
    return min(max(1, RUN // sequences), steps)


@part
def rows_of(x: Array, start: int, stop: int, lo: int, hi: int) -> Array:
    """The rows of some steps and sequences below each other: a copy, unless these are all sequences."""
    rows: Array = flat(x[start:stop]) if hi - lo == x.shape[1] else flat(x[start:stop, lo:hi].copy())
    return rows


def weight_gradient(
    x: Array, start: int, stop: int, lo: int, hi: int, d: Array, packed: Array, dW: Array, add: bool
) -> None:
    """dW = xᵀ d, or dW += xᵀ d, for some steps and sequences of x, where `packed` holds d too."""
    raise NotImplementedError


@by_type(weight_gradient)
def _weight_gradient(x: Any, start: Any, stop: Any, lo: Any, hi: Any, d: Any, packed: Any, dW: Any, add: Any) -> Any:
    if isinstance(x.dtype, types.Integer):
        return _looked_up_gradient
    return lambda x, start, stop, lo, hi, d, packed, dW, add: transposed_times(
        rows_of(x, start, stop, lo, hi), packed, dW, add
    )


def _looked_up_gradient(
    x: Array, start: int, stop: int, lo: int, hi: int, d: Array, packed: Array, dW: Array, add: bool
) -> None:
    if not add:
        dW[...] = 0
    scatter(rows_of(x, start, stop, lo, hi), d, dW)
