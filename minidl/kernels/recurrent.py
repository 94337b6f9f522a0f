"""What the kernels of RNN, GRU and LSTM have in common: the products of a step, and the gradients of a run of steps.

A thread computes the sequences `lo` to `hi` of a batch. Weights are packed once for all steps; for a single sequence,
where there is nothing to gain, they are used as they are. Gradients of weights are summed in shares of a batch that
do not depend on how many threads there are, and so are their bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.engine.dispatch import Call
from minidl.kernels.affine import affine, flat
from minidl.kernels.compiler import by_type, part
from minidl.kernels.product import pack, packed_size, strips, times, transposed_times
from minidl.kernels.rows import add_rows, clear, fill_rows, scatter
from minidl.kernels.vector_product import add_vector_times, vector_times_transposed

Array = NDArray[Any]
RUN = 128  # rows of gradients of a share that stay in the cache until all products with them are done
LARGE = 1 << 20  # bytes of a gradient of weights that does not stay there: twice the rows are added to it at a time


def sum_over_shares(gradients: Sequence[Array], batch: int, work: float, compute: Callable[..., None]) -> Call:
    """What lets `compute(*gradients, bounds, run)` fill gradients (S, ...) of shares of a batch, and adds these up.

    bounds: the first sequence of each share, and the end of the last. run: steps to take at a time.
    """
    bounds = np.array(threads.fixed_bounds(batch, work))
    count = len(bounds) - 1
    rows = RUN if max(gradient.nbytes for gradient in gradients) <= LARGE else 2 * RUN
    run = max(1, rows * count // batch)
    if count == 1:
        return partial(compute, *(gradient[None] for gradient in gradients), bounds, run)

    def call() -> None:
        stacks = [np.empty((count, *gradient.shape), gradient.dtype) for gradient in gradients]

        def some(first: int, last: int) -> None:
            compute(*(stack[first:last] for stack in stacks), bounds[first : last + 1], run)

        threads.in_shares(count, work, some)
        for gradient, stack in zip(gradients, stacks, strict=True):
            np.sum(stack, axis=0, out=gradient)

    return call


def one_by_one(*calls: Call) -> Call:
    """All calls, in this order."""

    def call() -> None:
        for each in calls:
            each()

    return call


@part
def prepared(W: Array, wanted: bool) -> Array:
    """W packed, or nothing where that is not wanted."""
    packed = np.empty(packed_size(W.shape[0], W.shape[1], W) if wanted else 0, W.dtype)
    if wanted:
        pack(W, 0, len(W), packed, 0, 0, len(W))
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
    fill_rows(b, out)
    add_product(x, Wx, packed, out)


@part
def rows_of(x: Array, start: int, stop: int, lo: int, hi: int) -> Array:
    """The rows of some steps and sequences below each other: a copy, unless these are all sequences."""
    if hi - lo == x.shape[1]:
        whole: Array = flat(x[start:stop])
        return whole
    some, width = np.empty(((stop - start) * (hi - lo), x.shape[2]), x.dtype), x.shape[2]
    for t in range(start, stop):
        first = (t - start) * (hi - lo)
        for n in range(hi - lo):
            for j in range(width):
                some[first + n, j] = x[t, lo + n, j]
    return some


@part
def room_for_shares(bounds: Array, run: int, width: int, like: Array) -> Array:
    """Room (S, n) to pack the rows of a run, share by share."""
    largest = 0
    for s in range(len(bounds) - 1):
        largest = max(largest, bounds[s + 1] - bounds[s])
    return np.empty((len(bounds) - 1, packed_size(run * largest, width, like)), like.dtype)


@part
def pack_shares(d: Array, bounds: Array, packed: Array, step: int, steps: int) -> None:
    """Pack the rows of gradients of one step of a run."""
    for s in range(len(packed)):
        lo, hi = bounds[s] - bounds[0], bounds[s + 1] - bounds[0]
        pack(d, lo, hi, packed, s * packed.shape[1], step * (hi - lo), steps * (hi - lo))


@part
def bias_gradient(d: Array, bounds: Array, db: Array) -> None:
    """db += Σ rows of d, share by share."""
    for s in range(len(db)):
        add_rows(d, bounds[s] - bounds[0], bounds[s + 1] - bounds[0], db, s)


def step_gradient(x: Array, bounds: Array, d: Array, dW: Array, first: bool) -> None:
    """dW = xᵀ d, or dW += xᵀ d after the first time, for one step of x that holds ids; nothing for rows of numbers."""
    raise NotImplementedError


@by_type(step_gradient)
def _step_gradient(x: Any, bounds: Any, d: Any, dW: Any, first: Any) -> Any:
    return _looked_up_gradient if isinstance(x.dtype, types.Integer) else lambda x, bounds, d, dW, first: None


def _looked_up_gradient(x: Array, bounds: Array, d: Array, dW: Array, first: bool) -> None:
    if first:
        clear(dW)
    for s in range(len(dW)):
        scatter(x, d, bounds[s] - bounds[0], bounds[s + 1] - bounds[0], dW, s)


def run_gradient(x: Array, start: int, stop: int, bounds: Array, packed: Array, dW: Array, add: bool) -> None:
    """dW = xᵀ d, or dW += xᵀ d, for a run of x that has numbers, where `packed` holds d; nothing for ids."""
    raise NotImplementedError


@by_type(run_gradient)
def _run_gradient(x: Any, start: Any, stop: Any, bounds: Any, packed: Any, dW: Any, add: Any) -> Any:
    if isinstance(x.dtype, types.Integer):
        return lambda x, start, stop, bounds, packed, dW, add: None
    return _product_gradient


def _product_gradient(x: Array, start: int, stop: int, bounds: Array, packed: Array, dW: Array, add: bool) -> None:
    for s in range(len(dW)):
        rows = rows_of(x, start, stop, bounds[s], bounds[s + 1])
        transposed_times(strips(rows), packed[s], dW[s], len(rows), add)
