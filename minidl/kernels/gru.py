"""GRU, compiled: the equations of `minidl.layers.gru`, a row of a step at a time while it is in the cache.

Within a step, gates are (B, 3, H). Loops go through whole arrays by index: a view of a row costs as much as its sums.
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
from minidl.kernels.rows import add_to, clear, fill_rows
from minidl.layers.gru import GRU

Array = NDArray[Any]
RESET, UPDATE, NEW = range(3)  # where r, z and n stand among the gates


def forward(
    layer: GRU,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array,
    h: Array,
    gates: Array,
    s: Array,
    a: Array,
    mask: Array,
    Wh_dropped: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As GRU.forward."""
    Wh_used = Wh_dropped if layer.drops(training) else Wh
    compute = partial(sequence, as_kernels_take_it(x), Wx, Wh_used, b, bh, h, gates, s, a)
    share = partial(threads.in_shares, h.shape[1], gates.size * layer.units, compute)
    if not layer.drops(training):
        return share
    draw, drop = layer.draw_mask, layer.recurrent_weights
    return one_by_one(partial(draw, mask, training, rng), partial(drop, Wh, mask, Wh_dropped, training), share)


def backward(
    layer: GRU,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    gates: Array,
    s: Array,
    mask: Array,
    Wh_dropped: Array,
    dy: Array,
    dh: Array,
    dx: Array | None,
    dWx: Array,
    dWh: Array,
    db: Array,
    dbh: Array,
    training: bool,
) -> Call:
    """As GRU.backward."""
    Wh_used = Wh_dropped if layer.drops(training) else Wh
    x, dx = as_kernels_take_it(x), or_empty(dx, dy)
    compute = partial(sequence_back, x, Wx, Wh_used, h, gates, s, dy, dh, dx)
    total = sum_over_shares((dWx, dWh, db, dbh), h.shape[1], 2 * gates.size * layer.units, compute)
    return one_by_one(total, partial(layer.mask_gradient, dWh, mask, training)) if layer.drops(training) else total


@kernel
def sequence(
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array,
    h: Array,
    gates: Array,
    s: Array,
    a: Array,
    lo: int,
    hi: int,
) -> None:
    """All steps forward, for some sequences of a batch."""
    T, B, _ = gates.shape
    many, H = B > 1, h.shape[2]
    each, each_a = gates.reshape((T, B, 3, H)), a.reshape((B, 3, H))
    packed, packed_x = prepared(Wh, many), packed_input(x, Wx, many)
    for t in range(T):
        input_share(x[t, lo:hi], Wx, packed_x, b, gates[t, lo:hi])
        fill_rows(bh, a[lo:hi])
        add_product(h[t, lo:hi], Wh, packed, a[lo:hi])
        step(each[t, lo:hi], each_a[lo:hi], s[t, lo:hi], h[t, lo:hi], h[t + 1, lo:hi])


@part
def step(gates: Array, a: Array, s: Array, h_prev: Array, h: Array) -> None:
    """One step forward: gates and a hold the shares of input and past, and gates then the gates."""
    B, H = h.shape
    for b in range(B):
        for j in range(H):
            gates[b, RESET, j] = sigmoid(gates[b, RESET, j] + a[b, RESET, j])
        for j in range(H):
            gates[b, UPDATE, j] = sigmoid(gates[b, UPDATE, j] + a[b, UPDATE, j])
        for j in range(H):
            s[b, j] = a[b, NEW, j]
        for j in range(H):
            gates[b, NEW, j] = tanh(gates[b, NEW, j] + gates[b, RESET, j] * s[b, j])
        for j in range(H):
            h[b, j] = gates[b, NEW, j] + gates[b, UPDATE, j] * (h_prev[b, j] - gates[b, NEW, j])


@kernel
def sequence_back(
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    gates: Array,
    s: Array,
    dy: Array,
    dh: Array,
    dx: Array,
    dWx: Array,
    dWh: Array,
    db: Array,
    dbh: Array,
    bounds: Array,
    run: int,
) -> None:
    """All steps backward: run by run, so that weight gradients use rows that are still in the cache."""
    T, B, kH = gates.shape
    H, lo, hi, run, many = h.shape[2], bounds[0], bounds[-1], min(run, T), B > 1
    packed, packed_x = prepared(Wh.T, many), prepared(Wx.T, len(dx) > 0 and many)
    to_input, to_past = np.empty((hi - lo, kH), dy.dtype), np.empty((hi - lo, kH), dy.dtype)
    each, each_input, each_past = (
        gates.reshape((T, B, 3, H)),
        to_input.reshape((hi - lo, 3, H)),
        to_past.reshape((hi - lo, 3, H)),
    )
    packed_input_d, packed_past_d = room_for_shares(bounds, run, kH, dy), room_for_shares(bounds, run, kH, dy)
    direct = np.empty((hi - lo, H), dy.dtype)
    clear(dh[lo:hi])
    clear(db)
    clear(dbh)
    for stop in range(T, 0, -run):
        start = max(0, stop - run)
        for t in range(stop - 1, start - 1, -1):
            step_back(each[t, lo:hi], s[t, lo:hi], h[t, lo:hi], dy[t, lo:hi], dh[lo:hi], direct, each_input, each_past)
            if t > 0:
                product_back(to_past, Wh, packed, dh[lo:hi])
                add_to(dh[lo:hi], direct)
            if len(dx):
                product_back(to_input, Wx, packed_x, dx[t, lo:hi])
            bias_gradient(to_input, bounds, db)
            bias_gradient(to_past, bounds, dbh)
            step_gradient(x[t, lo:hi], bounds, to_input, dWx, t == T - 1)
            pack_shares(to_input, bounds, packed_input_d, t - start, stop - start)
            pack_shares(to_past, bounds, packed_past_d, t - start, stop - start)
        run_gradient(h, start, stop, bounds, packed_past_d, dWh, stop < T)
        run_gradient(x, start, stop, bounds, packed_input_d, dWx, stop < T)


@part
def step_back(
    gates: Array, s: Array, h_prev: Array, dy: Array, dh: Array, direct: Array, dinput: Array, dpast: Array
) -> None:
    """One step backward; direct: what of dh passes by the gates."""
    B, H = dy.shape
    one = dy.dtype.type(1)
    for b in range(B):
        for j in range(H):
            dh[b, j] += dy[b, j]
        for j in range(H):
            z, n = gates[b, UPDATE, j], gates[b, NEW, j]
            dinput[b, NEW, j] = dh[b, j] * (one - z) * (one - n * n)
        for j in range(H):
            z, n = gates[b, UPDATE, j], gates[b, NEW, j]
            dinput[b, UPDATE, j] = dh[b, j] * (h_prev[b, j] - n) * z * (one - z)
        for j in range(H):
            r = gates[b, RESET, j]
            dinput[b, RESET, j] = dinput[b, NEW, j] * s[b, j] * r * (one - r)
        for j in range(H):
            dpast[b, NEW, j] = dinput[b, NEW, j] * gates[b, RESET, j]
        for j in range(H):
            dpast[b, RESET, j] = dinput[b, RESET, j]
        for j in range(H):
            dpast[b, UPDATE, j] = dinput[b, UPDATE, j]
        for j in range(H):
            direct[b, j] = dh[b, j] * gates[b, UPDATE, j]
