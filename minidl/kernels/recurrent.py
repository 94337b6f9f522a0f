"""RNN, GRU, LSTM, MinGRU and MinLSTM in C: src/rnn.h and the like.

Threads share the sequences of a batch. Gradients of weights are sums over shares of the sequences, which depend on the
size of the batch alone (`minidl.graph.sums`), each added up in order of time, and then in pairs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, Signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine.dispatch import Call
from minidl.graph.operations import OneHotRows
from minidl.graph.sums import shares
from minidl.kernels.library import address, function, kernel
from minidl.layers.cell import Cell

Array = NDArray[Any]
FORWARD = ("x", "lengths", "h0", "Wx", "Wh", "b", "h", "mask", "Wh_dropped", "training", "rng")
BACKWARD = (
    *("x", "lengths", "dh0", "Wx", "Wh", "h", "mask", "Wh_dropped", "training"),
    *("dy", "dh_last", "dx", "dWx", "dWh", "db"),
)
OPTIONAL = {"gates", "lengths", "h0", "c0", "dh0", "dc0", "b", "bh", "db", "dbh", "dy", "dh_last", "dc_last"}


def twin(name: str, arrays: tuple[str, ...]) -> Callable[..., Call]:
    """What binds a function of the library to these arrays of a cell."""

    def bound(layer: Cell, **given: Any) -> Call:
        return (forward if name.endswith("forward") else backward)(name, layer, given)

    asked = [Parameter("layer", Parameter.POSITIONAL_OR_KEYWORD)]
    for key in arrays:
        default = None if key in OPTIONAL else Parameter.empty
        asked.append(Parameter(key, Parameter.KEYWORD_ONLY, default=default))
    bound.__signature__ = Signature(asked)  # type: ignore[attr-defined]
    return bound


rnn = twin("rnn_forward", FORWARD), twin("rnn_backward", BACKWARD)
gru = (
    twin("gru_forward", (*FORWARD, "bh", "gates", "s")),
    twin("gru_backward", (*BACKWARD, "dbh", "gates", "s")),
)
lstm = (
    twin("lstm_forward", (*FORWARD, "c0", "c", "gates")),
    twin("lstm_backward", (*BACKWARD, "dc0", "dc_last", "c", "gates")),
)
OF_INPUTS = (
    ("x", "lengths", "h0", "Wx", "b", "h", "gates", "training"),
    ("x", "lengths", "dh0", "Wx", "h", "gates", "dy", "dh_last", "dx", "dWx", "db", "training"),
)
min_gru = twin("min_gru_forward", OF_INPUTS[0]), twin("min_gru_backward", OF_INPUTS[1])
min_lstm = twin("min_lstm_forward", OF_INPUTS[0]), twin("min_lstm_backward", OF_INPUTS[1])


def forward(name: str, layer: Cell, given: dict[str, Any]) -> Call:
    """What computes all steps forward."""
    values, dtype = sizes_and_arrays(layer, given), given["Wx"].dtype
    for bias in ("b", "bh"):
        if values.get(bias) is None:
            values[bias] = np.zeros(values["G"], dtype)
    work = values["T"] * values["B"] * values["G"] * (values["H"] if layer.recurrent else values["F"])
    share = kernel(name, "Recurrent", dtype, values["B"], work, **values)
    if not layer.drops(given["training"]):
        return share
    Wh = given["Wh"]
    mask, training = given["mask"], given["training"]
    drop = partial(layer.recurrent_weights, Wh, mask, given["Wh_dropped"], training)
    return one_by_one(partial(layer.draw_mask, mask, training, given["rng"]), drop, share)


def backward(name: str, layer: Cell, given: dict[str, Any]) -> Call:
    """What computes all steps backward, and the gradients of weights."""
    values, dtype = sizes_and_arrays(layer, given), given["Wx"].dtype
    if given.get("dy") is None:
        values["dy"] = np.zeros((values["T"], values["B"], values["H"]), dtype)
    weights = ("dWx", "dWh") if layer.recurrent else ("dWx",)
    gradients = {key: values.pop(key, None) for key in (*weights, "db", "dbh")}
    for bias in ("db", "dbh"):
        if gradients[bias] is None:
            gradients[bias] = np.empty(values["G"], dtype)
    total = sum_over_shares(name, values, gradients)
    if not layer.drops(given["training"]):
        return total
    return one_by_one(total, partial(layer.mask_gradient, given["dWh"], given["mask"], given["training"]))


def sizes_and_arrays(layer: Cell, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays, with the weights in use and the input as ids or as numbers, and all sizes."""
    not_for_c = ("x", "mask", "Wh_dropped", "training", "rng")
    values = {key: array for key, array in given.items() if key not in not_for_c}
    T, B, H = given["h"].shape
    F, G = given["Wx"].shape
    values |= {"T": T - 1, "B": B, "F": F, "H": H, "G": G, "relu": getattr(layer, "activation", "") == "relu"}
    x = given["x"]
    values |= {"ids": x.ids} if isinstance(x, OneHotRows) else {"x": x}
    return values | ({"Wh": given["Wh_dropped"]} if layer.drops(given["training"]) else {})


def one_by_one(*calls: Call) -> Call:
    """All calls, in this order."""

    def call() -> None:
        for each in calls:
            each()

    return call


def sum_over_shares(name: str, values: Mapping[str, Any], gradients: Mapping[str, Array]) -> Call:
    """What computes gradients share by share, each share in a place of its own, and adds them up."""
    count, dtype = shares(values["B"]), gradients["dWx"].dtype
    if count == 1:
        return kernel(name, "Recurrent", dtype, 1, 0, shares=1, **values, **gradients)
    work = 2 * values["T"] * values["B"] * values["H"] * values["G"]

    def call() -> None:
        parts = {key: np.empty((count, *gradient.shape), dtype) for key, gradient in gradients.items()}
        kernel(name, "Recurrent", dtype, count, work, shares=count, **values, **parts)()
        add = function("add_shares", dtype, None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
        for key, gradient in gradients.items():
            add(count, gradient.size, address(parts[key]))
            gradient[...] = parts[key][0]

    return call
