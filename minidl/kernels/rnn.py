"""RNN, compiled: the equations of `minidl.layers.rnn`, a row of a step at a time while it is in the cache."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import threads
from minidl.kernels.affine import add_rows, as_kernels_take_it, or_empty
from minidl.kernels.compiler import kernel
from minidl.kernels.functions import tanh
from minidl.kernels.product import pack, packed_size
from minidl.kernels.recurrent import (
    add_product,
    input_share,
    packed_input,
    prepared,
    product_back,
    run_length,
    sum_over_threads,
    weight_gradient,
)
from minidl.layers.rnn import RNN

Array = NDArray[Any]


def forward(
    layer: RNN,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h: Array,
    y: Array,
    kept: Array,
    Wu: Array,
    training: bool,
    rng: np.random.Generator,
) -> None:
    """As RNN.forward."""
    layer.draw_mask(kept, training, rng)
    Wu = layer.recurrent_weights(Wh, kept, Wu, training)
    compute = partial(sequence, as_kernels_take_it(x), Wx, Wu, b, h, layer.activation == "tanh")
    threads.in_shares(h.shape[1], h.size * layer.units, compute)


def backward(
    layer: RNN,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    kept: Array,
    Wu: Array,
    dy: Array,
    dh: Array,
    dx: Array | None,
    dWx: Array,
    dWh: Array,
    db: Array,
    training: bool,
) -> None:
    """As RNN.backward."""
    Wu = layer.recurrent_weights(Wh, kept, Wu, training)
    x, dx = as_kernels_take_it(x), or_empty(dx, dy)
    compute = partial(sequence_back, x, Wx, Wu, h, dy, dh, dx, layer.activation == "tanh")
    sum_over_threads((dWx, dWh, db), h.shape[1], 2 * h.size * layer.units, compute)
    layer.mask_gradient(dWh, kept, training)


@kernel
def sequence(x: Array, Wx: Array, Wh: Array, b: Array, h: Array, with_tanh: bool, lo: int, hi: int) -> None:
    """All steps forward, for some sequences of a batch: h holds the sums, and then the outputs."""
    many, zero = hi - lo > 1, h.dtype.type(0)
    packed, packed_x = prepared(Wh, many), packed_input(x, Wx, many)
    for t in range(len(h) - 1):
        input_share(x[t, lo:hi], Wx, packed_x, b, h[t + 1, lo:hi])
        add_product(h[t, lo:hi], Wh, packed, h[t + 1, lo:hi])
        for n in range(lo, hi):
            row = h[t + 1, n]
            for j in range(len(row)):
                row[j] = tanh(row[j]) if with_tanh else max(row[j], zero)


@kernel
def sequence_back(
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    dy: Array,
    dh: Array,
    dx: Array,
    with_tanh: bool,
    dWx: Array,
    dWh: Array,
    db: Array,
    lo: int,
    hi: int,
) -> None:
    """All steps backward: run by run, so that weight gradients use rows that are still in the cache."""
    T, _, H = dy.shape
    B = hi - lo
    run, packed, packed_x = run_length(B, T), prepared(Wh.T, B > 1), prepared(Wx.T, len(dx) > 0 and B > 1)
    da = np.empty((run * B, H), dy.dtype)
    packed_da = np.empty(packed_size(run * B, H, dy.itemsize), dy.dtype)
    zero, one = dy.dtype.type(0), dy.dtype.type(1)
    dh[lo:hi], db[...] = 0, 0
    for stop in range(T, 0, -run):
        start = max(0, stop - run)
        for t in range(stop - 1, start - 1, -1):
            row = (t - start) * B
            rows = da[row : row + B]
            for n in range(B):
                below, later, above, out = rows[n], dh[lo + n], dy[t, lo + n], h[t + 1, lo + n]
                for j in range(H):
                    slope = one - out[j] * out[j] if with_tanh else (one if out[j] > zero else zero)
                    below[j] = (later[j] + above[j]) * slope
            pack(rows, packed_da, row, (stop - start) * B)
            if t > 0:
                product_back(rows, Wh, packed, dh[lo:hi])
            if len(dx):
                product_back(rows, Wx, packed_x, dx[t, lo:hi])
        all_rows = da[: (stop - start) * B]
        weight_gradient(h, start, stop, lo, hi, all_rows, packed_da, dWh, stop < T)
        weight_gradient(x, start, stop, lo, hi, all_rows, packed_da, dWx, stop < T)
        add_rows(all_rows, db)
