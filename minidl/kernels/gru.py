"""GRU, compiled: the equations of `minidl.layers.gru`, a row of a step at a time while it is in the cache."""

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
from minidl.kernels.rows import clear, put
from minidl.layers.gru import GRU

Array = NDArray[Any]


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
    kept: Array,
    Wu: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As GRU.forward."""
    compute = partial(sequence, as_kernels_take_it(x), Wx, Wu if layer.drops(training) else Wh, b, bh, h, gates, s, a)
    share = partial(threads.in_shares, h.shape[1], gates.size * layer.units, compute)
    if not layer.drops(training):
        return share
    draw, drop = layer.draw_mask, layer.recurrent_weights
    return one_by_one(partial(draw, kept, training, rng), partial(drop, Wh, kept, Wu, training), share)


def backward(
    layer: GRU,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    gates: Array,
    s: Array,
    kept: Array,
    Wu: Array,
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
    x, dx = as_kernels_take_it(x), or_empty(dx, dy)
    compute = partial(sequence_back, x, Wx, Wu if layer.drops(training) else Wh, h, gates, s, dy, dh, dx)
    total = sum_over_shares((dWx, dWh, db, dbh), h.shape[1], 2 * gates.size * layer.units, compute)
    return one_by_one(total, partial(layer.mask_gradient, dWh, kept, training)) if layer.drops(training) else total


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
    many = gates.shape[1] > 1
    packed, packed_x = prepared(Wh, many), packed_input(x, Wx, many)
    for t in range(len(gates)):
        input_share(x[t, lo:hi], Wx, packed_x, b, gates[t, lo:hi])
        for n in range(lo, hi):
            put(bh, a[n])
        add_product(h[t, lo:hi], Wh, packed, a[lo:hi])
        for n in range(lo, hi):
            step(gates[t, n], a[n], s[t, n], h[t, n], h[t + 1, n])


@part
def step(gates: Array, a: Array, s: Array, h_before: Array, h: Array) -> None:
    """One sequence, one step forward: gates and a hold the shares of input and past, and gates then the gates."""
    H = len(h)
    r, z, n = gates[:H], gates[H : 2 * H], gates[2 * H :]
    past = a[2 * H :]
    for j in range(2 * H):
        gates[j] = sigmoid(gates[j] + a[j])
    for j in range(H):
        s[j] = past[j]
    for j in range(H):
        n[j] = tanh(n[j] + r[j] * s[j])
    for j in range(H):
        h[j] = n[j] + z[j] * (h_before[j] - n[j])


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
    T, _, kH = gates.shape
    lo, hi, run = bounds[0], bounds[-1], min(run, T)
    B, many = hi - lo, gates.shape[1] > 1
    packed, packed_x = prepared(Wh.T, many), prepared(Wx.T, len(dx) > 0 and many)
    to_input, to_past = np.empty((B, kH), dy.dtype), np.empty((B, kH), dy.dtype)
    packed_input_d, packed_past_d = room_for_shares(bounds, run, kH, dy), room_for_shares(bounds, run, kH, dy)
    direct = np.empty((B, h.shape[2]), dy.dtype)
    clear(dh[lo:hi])
    clear(db)
    clear(dbh)
    for stop in range(T, 0, -run):
        start = max(0, stop - run)
        for t in range(stop - 1, start - 1, -1):
            for n in range(B):
                m = lo + n
                step_back(gates[t, m], s[t, m], h[t, m], dy[t, m], dh[m], direct[n], to_input[n], to_past[n])
            if t > 0:
                product_back(to_past, Wh, packed, dh[lo:hi])
                dh[lo:hi] += direct
            if len(dx):
                product_back(to_input, Wx, packed_x, dx[t, lo:hi])
            bias_gradient(to_input, bounds, db)
            bias_gradient(to_past, bounds, dbh)
            step_gradient(x[t], bounds, to_input, dWx, t == T - 1)
            pack_shares(to_input, bounds, packed_input_d, t - start, stop - start)
            pack_shares(to_past, bounds, packed_past_d, t - start, stop - start)
        run_gradient(h, start, stop, bounds, packed_past_d, dWh, stop < T)
        run_gradient(x, start, stop, bounds, packed_input_d, dWx, stop < T)


@part
def step_back(
    gates: Array, s: Array, h_before: Array, dy: Array, dh: Array, direct: Array, dinput: Array, drecurrent: Array
) -> None:
    """One sequence, one step backward; direct: what of dh passes by the gates."""
    H = len(dy)
    r, z, n = gates[:H], gates[H : 2 * H], gates[2 * H :]
    dr, dz, dn, ds = dinput[:H], dinput[H : 2 * H], dinput[2 * H :], drecurrent[2 * H :]
    one = dy.dtype.type(1)
    for j in range(H):
        dh[j] += dy[j]
    for j in range(H):
        dn[j] = dh[j] * (one - z[j]) * (one - n[j] * n[j])
    for j in range(H):
        dz[j] = dh[j] * (h_before[j] - n[j]) * z[j] * (one - z[j])
    for j in range(H):
        dr[j] = dn[j] * s[j] * r[j] * (one - r[j])
    for j in range(H):
        ds[j] = dn[j] * r[j]
    for j in range(2 * H):
        drecurrent[j] = dinput[j]
    for j in range(H):
        direct[j] = dh[j] * z[j]
