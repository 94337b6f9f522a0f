"""RNN, GRU and LSTM as operators of ONNX, in its order of gates, with states that may be given and are given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.exchange.operators import KINDS, last_step
from minidl.exchange.sheet import ABSENT, Array, Desk, StateOutput
from minidl.graph.operations import split

INT32 = 6  # ONNX's number for it


def rnn(at: Desk) -> None:
    """One gate."""
    _recurrent(at, "RNN", order=(0,), activations=[KINDS[at.layer.activation]])


def gru(at: Desk) -> None:
    """Our r, z, n are its z, r, h; the reset gate comes after the product."""
    _recurrent(at, "GRU", order=(1, 0, 2), linear_before_reset=1)


def lstm(at: Desk) -> None:
    """Our i, f, g, o are its i, o, f, c."""
    _recurrent(at, "LSTM", order=(0, 3, 1, 2))


def _recurrent(at: Desk, kind: str, order: Sequence[int], **attributes: Any) -> None:
    """order: for each gate of ONNX its place among ours."""
    names = [name for name in ("h", "c") if name in at.node.declarations]
    attributes |= {"hidden_size": at.layer.units}
    given, first = [at.inputs[0], *_weights(at, order)], _first(at, names)
    steps, *final = at.put_many(kind, [*given, ABSENT, *first], 1 + len(names), **attributes)
    y = at.give("Squeeze", steps, at.constant("direction", [1]))
    ends = [at.put("Squeeze", value, at.constant("front", [0])) for value in final]
    if at.lengths is not None:
        # An operator that knows the lengths gives zeros for the steps after them, where our layers go on. So that all
        # who read those steps find the same, it is asked for the last c alone, which no step shows.
        ends[0] = last_step(at, y)
        if "c" in names:
            lengths = at.put("Cast", at.lengths, to=INT32)
            *_, c = at.put_many(kind, [*given, lengths, *first], 3, **attributes)
            ends[1] = at.put("Squeeze", c, at.constant("front", [0]))
    for name, end in zip(names, ends, strict=True):
        at.sheet.states[f"{at.name}/{name}"] = StateOutput(at.layer.units, end)


def _weights(at: Desk, order: Sequence[int]) -> list[str]:
    """W (1, kH, F), R (1, kH, H), and both biases in one row B (1, 2kH)."""

    def ordered(array: Array) -> Array:
        gates = split(array, len(order))
        return np.concatenate([gates[place] for place in order], axis=-1)

    b = at.array("b")
    bh = at.array("bh") if "bh" in at.node.declarations else np.zeros_like(b)
    return [
        at.constant("W", ordered(at.array("Wx")).T[None]),
        at.constant("R", ordered(at.array("Wh")).T[None]),
        at.constant("B", np.concatenate([ordered(b), ordered(bh)])[None]),
    ]


def _first(at: Desk, names: Sequence[str]) -> list[str]:
    """The states before the first step, (1, B, H): those given (B, H), or one row of zeros that stands for each."""
    batch = at.put("Shape", at.inputs[0], start=1, end=2)
    shape = at.put("Concat", at.constant("one_row", [1]), batch, at.constant("units", [at.layer.units]), axis=0)
    return [at.put("Expand", f"{at.name}/{name}", shape) for name in names]
