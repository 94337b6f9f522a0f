"""LSTM, compiled: the equations of `minidl.layers.lstm`, a row of a step at a time while it is in the cache.

Within a step, gates are (B, 4, H). Loops go through whole arrays by index: a view of a row costs as much as its sums.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.engine.dispatch import Call
from minidl.kernels.affine import as_kernels_take_it, or_empty
from minidl.kernels.compiler import kernel, part
from minidl.kernels.functions import sigmoid, tanh
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
from minidl.layers.lstm import LSTM

Array = NDArray[Any]
INPUT, FORGET, CANDIDATE, OUTPUT = range(4)  # where i, f, g and o stand among the gates


def forward(
    layer: LSTM,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h: Array,
    c: Array,
    gates: Array,
    tanh_c: Array,
    mask: Array,
    Wh_dropped: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As LSTM.forward."""
    Wh_used = Wh_dropped if layer.drops(training) else Wh
    compute = partial(sequence, as_kernels_take_it(x), Wx, Wh_used, b, h, c, gates, tanh_c)
    share = partial(threads.in_shares, h.shape[1], gates.size * layer.units, compute)
    if not layer.drops(training):
        return share
    draw, drop = layer.draw_mask, layer.recurrent_weights
    return one_by_one(partial(draw, mask, training, rng), partial(drop, Wh, mask, Wh_dropped, training), share)


def backward(
    layer: LSTM,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    c: Array,
    gates: Array,
    tanh_c: Array,
    mask: Array,
    Wh_dropped: Array,
    dy: Array,
    dh: Array,
    dc: Array,
    dx: Array | None,
    dWx: Array,
    dWh: Array,
    db: Array,
    training: bool,
) -> Call:
    """As LSTM.backward."""
    Wh_used = Wh_dropped if layer.drops(training) else Wh
    x, dx = as_kernels_take_it(x), or_empty(dx, dy)
    compute = partial(sequence_back, x, Wx, Wh_used, h, c, gates, tanh_c, dy, dh, dc, dx)
    total = sum_over_shares((dWx, dWh, db), h.shape[1], 2 * gates.size * layer.units, compute)
    return one_by_one(total, partial(layer.mask_gradient, dWh, mask, training)) if layer.drops(training) else total


@kernel
def sequence(
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h: Array,
    c: Array,
    gates: Array,
    tanh_c: Array,
    lo: int,
    hi: int,
) -> None:
    """All steps forward, for some sequences of a batch."""
    T, B, _ = gates.shape
    each, many = gates.reshape((T, B, 4, h.shape[2])), B > 1
    packed, packed_x = prepared(Wh, many), packed_input(x, Wx, many)
    for t in range(T):
        input_share(x[t, lo:hi], Wx, packed_x, b, gates[t, lo:hi])
        add_product(h[t, lo:hi], Wh, packed, gates[t, lo:hi])
        step(each[t, lo:hi], c[t, lo:hi], c[t + 1, lo:hi], tanh_c[t, lo:hi], h[t + 1, lo:hi])


@part
def step(gates: Array, c_prev: Array, c: Array, tanh_c: Array, h: Array) -> None:
    """One step forward: gates holds the sums, and then the gates."""
    B, H = h.shape
    for n in range(B):
        for j in range(H):
            gates[n, INPUT, j] = sigmoid(gates[n, INPUT, j])
        for j in range(H):
            gates[n, FORGET, j] = sigmoid(gates[n, FORGET, j])
        for j in range(H):
            gates[n, CANDIDATE, j] = tanh(gates[n, CANDIDATE, j])
        for j in range(H):
            gates[n, OUTPUT, j] = sigmoid(gates[n, OUTPUT, j])
        for j in range(H):
            c[n, j] = gates[n, FORGET, j] * c_prev[n, j] + gates[n, INPUT, j] * gates[n, CANDIDATE, j]
        for j in range(H):
            tanh_c[n, j] = tanh(c[n, j])
        for j in range(H):
            h[n, j] = gates[n, OUTPUT, j] * tanh_c[n, j]


@kernel
def sequence_back(
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    c: Array,
    gates: Array,
    tanh_c: Array,
    dy: Array,
    dh: Array,
    dc: Array,
    dx: Array,
    dWx: Array,
    dWh: Array,
    db: Array,
    bounds: Array,
    run: int,
) -> None:
    """All steps backward: run by run, so that weight gradients use rows that are still in the cache."""
    T, B, kH = gates.shape
    lo, hi, run, many = bounds[0], bounds[-1], min(run, T), B > 1
    packed, packed_x = prepared(Wh.T, many), prepared(Wx.T, len(dx) > 0 and many)
    d, packed_d = np.empty((hi - lo, kH), dy.dtype), room_for_shares(bounds, run, kH, dy)
    each, each_d = gates.reshape((T, B, 4, dy.shape[2])), d.reshape((hi - lo, 4, dy.shape[2]))
    clear(dh[lo:hi])
    clear(dc[lo:hi])
    clear(db)
    for stop in range(T, 0, -run):
        start = max(0, stop - run)
        for t in range(stop - 1, start - 1, -1):
            step_back(each[t, lo:hi], c[t, lo:hi], tanh_c[t, lo:hi], dy[t, lo:hi], dh[lo:hi], dc[lo:hi], each_d)
            if t > 0:
                product_back(d, Wh, packed, dh[lo:hi])
            if len(dx):
                product_back(d, Wx, packed_x, dx[t, lo:hi])
            bias_gradient(d, bounds, db)
            step_gradient(x[t, lo:hi], bounds, d, dWx, t == T - 1)
            pack_shares(d, bounds, packed_d, t - start, stop - start)
        run_gradient(h, start, stop, bounds, packed_d, dWh, stop < T)
        run_gradient(x, start, stop, bounds, packed_d, dWx, stop < T)


@part
def step_back(gates: Array, c_prev: Array, tanh_c: Array, dy: Array, dh: Array, dc: Array, dgates: Array) -> None:
    """One step backward."""
    B, H = dy.shape
    one = dy.dtype.type(1)
    for n in range(B):
        for j in range(H):
            dh[n, j] += dy[n, j]
            o = gates[n, OUTPUT, j]
            dgates[n, OUTPUT, j] = dh[n, j] * tanh_c[n, j] * o * (one - o)
        for j in range(H):
            dc[n, j] += dh[n, j] * gates[n, OUTPUT, j] * (one - tanh_c[n, j] * tanh_c[n, j])
            i = gates[n, INPUT, j]
            dgates[n, INPUT, j] = dc[n, j] * gates[n, CANDIDATE, j] * i * (one - i)
        for j in range(H):
            f = gates[n, FORGET, j]
            dgates[n, FORGET, j] = dc[n, j] * c_prev[n, j] * f * (one - f)
        for j in range(H):
            g = gates[n, CANDIDATE, j]
            dgates[n, CANDIDATE, j] = dc[n, j] * gates[n, INPUT, j] * (one - g * g)
            dc[n, j] *= gates[n, FORGET, j]
