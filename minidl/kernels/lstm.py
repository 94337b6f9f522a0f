"""LSTM, compiled: the equations of `minidl.layers.lstm`, a row of a step at a time while it is in the cache."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import threads
from minidl.kernels import Call
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
    kept: Array,
    Wu: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As LSTM.forward."""
    compute = partial(sequence, as_kernels_take_it(x), Wx, Wu if layer.drops(training) else Wh, b, h, c, gates, tanh_c)
    share = partial(threads.in_shares, h.shape[1], gates.size * layer.units, compute)
    if not layer.drops(training):
        return share
    draw, drop = layer.draw_mask, layer.recurrent_weights
    return one_by_one(partial(draw, kept, training, rng), partial(drop, Wh, kept, Wu, training), share)


def backward(
    layer: LSTM,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    c: Array,
    gates: Array,
    tanh_c: Array,
    kept: Array,
    Wu: Array,
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
    x, dx = as_kernels_take_it(x), or_empty(dx, dy)
    compute = partial(sequence_back, x, Wx, Wu if layer.drops(training) else Wh, h, c, gates, tanh_c, dy, dh, dc, dx)
    total = sum_over_shares((dWx, dWh, db), h.shape[1], 2 * gates.size * layer.units, compute)
    return one_by_one(total, partial(layer.mask_gradient, dWh, kept, training)) if layer.drops(training) else total


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
    many = gates.shape[1] > 1
    packed, packed_x = prepared(Wh, many), packed_input(x, Wx, many)
    for t in range(len(gates)):
        input_share(x[t, lo:hi], Wx, packed_x, b, gates[t, lo:hi])
        add_product(h[t, lo:hi], Wh, packed, gates[t, lo:hi])
        for n in range(lo, hi):
            step(gates[t, n], c[t, n], c[t + 1, n], tanh_c[t, n], h[t + 1, n])


@part
def step(gates: Array, c_before: Array, c: Array, tanh_c: Array, h: Array) -> None:
    """One sequence, one step forward: gates holds the sums, and then the gates."""
    H = len(h)
    i, f, g, o = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :]
    for j in range(2 * H):
        gates[j] = sigmoid(gates[j])
    for j in range(H):
        g[j] = tanh(g[j])
    for j in range(H):
        o[j] = sigmoid(o[j])
    for j in range(H):
        c[j] = f[j] * c_before[j] + i[j] * g[j]
    for j in range(H):
        tanh_c[j] = tanh(c[j])
    for j in range(H):
        h[j] = o[j] * tanh_c[j]


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
    T, _, kH = gates.shape
    lo, hi, run = bounds[0], bounds[-1], min(run, T)
    B, many = hi - lo, gates.shape[1] > 1
    packed, packed_x = prepared(Wh.T, many), prepared(Wx.T, len(dx) > 0 and many)
    d, packed_d = np.empty((B, kH), dy.dtype), room_for_shares(bounds, run, kH, dy)
    clear(dh[lo:hi])
    clear(dc[lo:hi])
    clear(db)
    for stop in range(T, 0, -run):
        start = max(0, stop - run)
        for t in range(stop - 1, start - 1, -1):
            for n in range(B):
                m = lo + n
                step_back(gates[t, m], c[t, m], tanh_c[t, m], dy[t, m], dh[m], dc[m], d[n])
            if t > 0:
                product_back(d, Wh, packed, dh[lo:hi])
            if len(dx):
                product_back(d, Wx, packed_x, dx[t, lo:hi])
            bias_gradient(d, bounds, db)
            step_gradient(x[t], bounds, d, dWx, t == T - 1)
            pack_shares(d, bounds, packed_d, t - start, stop - start)
        run_gradient(h, start, stop, bounds, packed_d, dWh, stop < T)
        run_gradient(x, start, stop, bounds, packed_d, dWx, stop < T)


@part
def step_back(gates: Array, c_before: Array, tanh_c: Array, dy: Array, dh: Array, dc: Array, dgates: Array) -> None:
    """One sequence, one step backward."""
    H = len(dy)
    i, f, g, o = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :]
    di, df, dg, do = dgates[:H], dgates[H : 2 * H], dgates[2 * H : 3 * H], dgates[3 * H :]
    one = dy.dtype.type(1)
    for j in range(H):
        dh[j] += dy[j]
    for j in range(H):
        do[j] = dh[j] * tanh_c[j] * o[j] * (one - o[j])
    for j in range(H):
        dc[j] += dh[j] * o[j] * (one - tanh_c[j] * tanh_c[j])
    for j in range(H):
        di[j] = dc[j] * g[j] * i[j] * (one - i[j])
    for j in range(H):
        df[j] = dc[j] * c_before[j] * f[j] * (one - f[j])
    for j in range(H):
        dg[j] = dc[j] * i[j] * (one - g[j] * g[j])
    for j in range(H):
        dc[j] *= f[j]
