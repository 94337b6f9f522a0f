"""Dense, compiled: the equations of `minidl.layers.dense`."""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray

from minidl.engine import threads
from minidl.engine.dispatch import Call
from minidl.graph.operations import OneHotRows, rows
from minidl.kernels.affine import affine, or_empty
from minidl.kernels.compiler import kernel
from minidl.kernels.product import WIDTH, multiply, strips, transposed_multiply
from minidl.kernels.rows import add_rows, clear, scatter
from minidl.layers.dense import Dense

Array = NDArray[Any]


def forward(layer: Dense, x: Array, W: Array, b: Array, y: Array) -> Call:
    """As Dense.forward."""
    y = rows(y)
    compute = partial(map_rows, flat_input(x), W, b, y)
    # A single row is computed another way than several.
    return partial(threads.in_shares, len(y), len(y) * W.size, compute, least=2)


def backward(layer: Dense, x: Array, W: Array, dy: Array, dW: Array, db: Array, dx: Array | None) -> Call:
    """As Dense.backward."""
    dy = rows(dy)
    if isinstance(x, OneHotRows):
        return partial(look_up_back, flat_input(x), dy, dW, db)
    compute = partial(map_rows_back, flat_input(x), W, dy, dW, db, rows(or_empty(dx, dy)))
    return partial(threads.in_shares, len(W), 2 * len(dy) * W.size, compute)


def flat_input(x: Array | OneHotRows) -> Array:
    """The rows of an input (R, F), or R ids."""
    return x.ids.reshape(-1) if isinstance(x, OneHotRows) else rows(x)


@kernel
def map_rows(x: Array, W: Array, b: Array, y: Array, lo: int, hi: int) -> None:
    """y = x W + b, for some rows."""
    affine(x[lo:hi], W, b, y[lo:hi])


@kernel
def map_rows_back(x: Array, W: Array, dy: Array, dW: Array, db: Array, dx: Array, lo: int, hi: int) -> None:
    """dW = xᵀ dy,  db = Σ dy,  dx = dy Wᵀ: the share of some features of x."""
    first, last = len(dx) * lo // len(W), len(dx) * hi // len(W)
    features = strips(x[:, lo:hi])
    for start in range(0, len(db), WIDTH):  # a block of columns is used up while it is in the cache
        block, weights = dy[:, start : start + WIDTH], W[:, start : start + WIDTH]
        transposed_multiply(features, block, dW[lo:hi, start : start + WIDTH], False)
        if first < last:
            multiply(block[first:last], weights.T, dx[first:last], start > 0)
    if lo == 0:
        clear(db)
        add_rows(dy, 0, len(dy), db.reshape((1, len(db))), 0)


@kernel
def look_up_back(ids: Array, dy: Array, dW: Array, db: Array) -> None:
    """dW[id] = Σ rows of dy,  db = Σ dy."""
    clear(dW)
    clear(db)
    scatter(ids, dy, 0, len(dy), dW.reshape((1, len(dW), len(db))), 0)
    add_rows(dy, 0, len(dy), db.reshape((1, len(db))), 0)
