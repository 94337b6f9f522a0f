"""RNN, compiled: the equations of `minidl.layers.rnn`, a row of a step at a time while it is in the cache."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.engine.dispatch import Call
from minidl.kernels.affine import as_kernels_take_it, or_empty
from minidl.kernels.compiler import kernel, part
from minidl.kernels.functions import tanh
from minidl.kernels.recurrent import (
    add_product,
    bias_gradient,
    input_share,
    one_by_one,
    pack_shares,
    packed_input,
    prepared,
    product_back,
    room_for_shares,
    run_gradient,
    step_gradient,
    sum_over_shares,
)
from minidl.kernels.rows import clear
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
    mask: Array,
    Wh_dropped: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As RNN.forward."""
    Wh_used = Wh_dropped if layer.drops(training) else Wh
    compute = partial(
        sequence,
        as_kernels_take_it(x),
        Wx,
        Wh_used,
        b,
        h,
        layer.activation == "tanh",
    )
    share = partial(threads.in_shares, h.shape[1], h.size * layer.units, compute)
    if not layer.drops(training):
        return share
    draw, drop = layer.draw_mask, layer.recurrent_weights
    return one_by_one(partial(draw, mask, training, rng), partial(drop, Wh, mask, Wh_dropped, training), share)


def backward(
    layer: RNN,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    mask: Array,
    Wh_dropped: Array,
    dy: Array,
    dh: Array,
    dx: Array | None,
    dWx: Array,
    dWh: Array,
    db: Array,
    training: bool,
) -> Call:
    """As RNN.backward."""
    Wh_used = Wh_dropped if layer.drops(training) else Wh
    x, dx = as_kernels_take_it(x), or_empty(dx, dy)
    compute = partial(sequence_back, x, Wx, Wh_used, h, dy, dh, dx, layer.activation == "tanh")
    total = sum_over_shares((dWx, dWh, db), h.shape[1], 2 * h.size * layer.units, compute)
    return one_by_one(total, partial(layer.mask_gradient, dWh, mask, training)) if layer.drops(training) else total


@kernel
def sequence(x: Array, Wx: Array, Wh: Array, b: Array, h: Array, with_tanh: bool, lo: int, hi: int) -> None:
    """All steps forward, for some sequences of a batch: h holds the sums, and then the outputs."""
    many = h.shape[1] > 1
    packed, packed_x = prepared(Wh, many), packed_input(x, Wx, many)
    for t in range(len(h) - 1):
        input_share(x[t, lo:hi], Wx, packed_x, b, h[t + 1, lo:hi])
        add_product(h[t, lo:hi], Wh, packed, h[t + 1, lo:hi])
        step(h[t + 1, lo:hi], with_tanh)


@part
def step(h: Array, with_tanh: bool) -> None:
    """One step forward."""
    B, H = h.shape
    zero = h.dtype.type(0)
    for n in range(B):
        for j in range(H):
            h[n, j] = tanh(h[n, j]) if with_tanh else max(h[n, j], zero)


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
    bounds: Array,
    run: int,
) -> None:
    """All steps backward: run by run, so that weight gradients use rows that are still in the cache."""
    T, _, H = dy.shape
    lo, hi, run = bounds[0], bounds[-1], min(run, T)
    B, many = hi - lo, dy.shape[1] > 1
    packed, packed_x = prepared(Wh.T, many), prepared(Wx.T, len(dx) > 0 and many)
    da, packed_da = np.empty((B, H), dy.dtype), room_for_shares(bounds, run, H, dy)
    clear(dh[lo:hi])
    clear(db)
    for stop in range(T, 0, -run):
        start = max(0, stop - run)
        for t in range(stop - 1, start - 1, -1):
            step_back(h[t + 1, lo:hi], dy[t, lo:hi], dh[lo:hi], da, with_tanh)
            if t > 0:
                product_back(da, Wh, packed, dh[lo:hi])
            if len(dx):
                product_back(da, Wx, packed_x, dx[t, lo:hi])
            bias_gradient(da, bounds, db)
            step_gradient(x[t, lo:hi], bounds, da, dWx, t == T - 1)
            pack_shares(da, bounds, packed_da, t - start, stop - start)
        run_gradient(h, start, stop, bounds, packed_da, dWh, stop < T)
        run_gradient(x, start, stop, bounds, packed_da, dWx, stop < T)


@part
def step_back(h: Array, dy: Array, dh: Array, da: Array, with_tanh: bool) -> None:
    """One step backward."""
    B, H = dy.shape
    zero, one = dy.dtype.type(0), dy.dtype.type(1)
    for n in range(B):
        for j in range(H):
            slope = one - h[n, j] * h[n, j] if with_tanh else (one if h[n, j] > zero else zero)
            da[n, j] = (dh[n, j] + dy[n, j]) * slope
