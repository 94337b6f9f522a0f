"""RNN, GRU and LSTM in C: src/rnn.h, src/gru.h and src/lstm.h.

Threads share the sequences of a batch. Gradients of weights are sums over shares of the sequences (`threads.shares`),
which depend on the size of the batch alone, each added up in order of time, and then in pairs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.engine.dispatch import Call
from minidl.graph.operations import OneHotRows
from minidl.kernels.library import Compute, function, kernel
from minidl.layers import GRU, LSTM, RNN
from minidl.layers.cell import Cell

Array = NDArray[Any]


def sizes(x: Array | OneHotRows, Wx: Array, h: Array) -> dict[str, Any]:
    """The input, as ids or as numbers, and all sizes."""
    T, B, H = h.shape[0] - 1, h.shape[1], h.shape[2]
    given = {"ids": x.ids} if isinstance(x, OneHotRows) else {"x": x}
    return {"T": T, "B": B, "H": H, "F": Wx.shape[0], "G": Wx.shape[1], **given}


def one_by_one(*calls: Call) -> Call:
    """All calls, in this order."""

    def call() -> None:
        for each in calls:
            each()

    return call


def forward_call(name: str, layer: Cell, arrays: Mapping[str, Any], training: bool, rng: Any, **more: Any) -> Call:
    """What computes all steps forward."""
    x, Wx, Wh, mask, dropped = (arrays[key] for key in ("x", "Wx", "Wh", "mask", "Wh_dropped"))
    drops = layer.drops(training)
    values = {**sizes(x, Wx, arrays["h"]), "Wx": Wx, "Wh": dropped if drops else Wh}
    compute = kernel(name, "Recurrent", Wx.dtype, b=arrays["b"], h=arrays["h"], **values, **more)
    share = partial(threads.in_shares, values["B"], values["T"] * values["B"] * Wh.size, compute)
    if not drops:
        return share
    draw, drop = layer.draw_mask, layer.recurrent_weights
    return one_by_one(partial(draw, mask, training, rng), partial(drop, Wh, mask, dropped, training), share)


def backward_call(name: str, layer: Cell, arrays: Mapping[str, Any], training: bool, **more: Any) -> Call:
    """What computes all steps backward, and the gradients of weights."""
    x, Wx, Wh, mask, dropped = (arrays[key] for key in ("x", "Wx", "Wh", "mask", "Wh_dropped"))
    drops = layer.drops(training)
    values = {**sizes(x, Wx, arrays["h"]), "Wx": Wx, "Wh": dropped if drops else Wh}
    values |= {name: arrays[name] for name in ("h", "dy", "dx")} | more
    gradients = {key: arrays[key] for key in ("dWx", "dWh", "db", "dbh") if key in arrays}
    total = sum_over_shares(partial(kernel, name, "Recurrent", Wx.dtype, **values), gradients, values)
    return one_by_one(total, partial(layer.mask_gradient, arrays["dWh"], mask, training)) if drops else total


def sum_over_shares(bound: Callable[..., Compute], gradients: Mapping[str, Array], sizes: Mapping[str, Any]) -> Call:
    """What computes gradients share by share, each share in a place of its own, and adds them up."""
    count = threads.shares(sizes["B"])
    work = 2 * sizes["T"] * sizes["B"] * sizes["H"] * sizes["G"]
    if count == 1:
        return partial(bound(shares=1, **gradients), 0, 1)
    dtype = gradients["dWx"].dtype
    add = function("add_shares", dtype, ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)

    def call() -> None:
        parts = {name: np.empty((count, *gradient.shape), dtype) for name, gradient in gradients.items()}
        threads.in_shares(count, work, bound(shares=count, **parts))
        for name, gradient in gradients.items():
            add(parts[name].ctypes.data, count, gradient.size)
            gradient[...] = parts[name][0]

    return call


def lstm_forward(
    layer: LSTM,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h: Array,
    c: Array,
    gates: Array,
    mask: Array,
    Wh_dropped: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As LSTM.forward."""
    return forward_call("lstm_forward", layer, locals(), training, rng, c=c, gates=gates)


def lstm_backward(
    layer: LSTM,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    c: Array,
    gates: Array,
    mask: Array,
    Wh_dropped: Array,
    dy: Array,
    dx: Array | None,
    dWx: Array,
    dWh: Array,
    db: Array,
    training: bool,
) -> Call:
    """As LSTM.backward."""
    return backward_call("lstm_backward", layer, locals(), training, c=c, gates=gates)


def gru_forward(
    layer: GRU,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array,
    h: Array,
    gates: Array,
    s: Array,
    mask: Array,
    Wh_dropped: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As GRU.forward."""
    return forward_call("gru_forward", layer, locals(), training, rng, bh=bh, gates=gates, s=s)


def gru_backward(
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
    dx: Array | None,
    dWx: Array,
    dWh: Array,
    db: Array,
    dbh: Array,
    training: bool,
) -> Call:
    """As GRU.backward."""
    return backward_call("gru_backward", layer, locals(), training, gates=gates, s=s)


def rnn_forward(
    layer: RNN,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h: Array,
    mask: Array,
    Wh_dropped: Array,
    training: bool,
    rng: np.random.Generator,
) -> Call:
    """As RNN.forward."""
    return forward_call("rnn_forward", layer, locals(), training, rng, relu=layer.activation == "relu")


def rnn_backward(
    layer: RNN,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    mask: Array,
    Wh_dropped: Array,
    dy: Array,
    dx: Array | None,
    dWx: Array,
    dWh: Array,
    db: Array,
    training: bool,
) -> Call:
    """As RNN.backward."""
    return backward_call("rnn_backward", layer, locals(), training, relu=layer.activation == "relu")
