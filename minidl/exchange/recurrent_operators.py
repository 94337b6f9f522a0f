"""RNN, GRU and LSTM as operators of ONNX, in its order of gates, with states that may be given and are given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.exchange.operators import KINDS
from minidl.exchange.scan_operators import projected_lstm
from minidl.exchange.sheet import ABSENT, Desk
from minidl.graph.arrays import Array
from minidl.graph.operations import split

INT32 = 6  # ONNX's number for it


def rnn(at: Desk) -> None:
    """One gate."""
    _recurrent(at, "RNN", order=(0,), activations=[KINDS[at.layer.activation]])


def gru(at: Desk) -> None:
    """Our r, z, n are its z, r, h; the reset gate comes after the product."""
    _recurrent(at, "GRU", order=(1, 0, 2), linear_before_reset=int(at.layer.reset_after))


def lstm(at: Desk) -> None:
    """Our i, f, g, o are its i, o, f, c, and our peepholes of i, f, o are its i, o, f; it has no projection."""
    if at.layer.projection:
        projected_lstm(at)
        return
    p = at.array("p")[[0, 2, 1]].reshape(1, -1) if at.layer.peepholes else None
    further = [] if p is None else [at.constant("P", p)]
    _recurrent(at, "LSTM", order=(0, 3, 1, 2), further=further)


def _recurrent(at: Desk, kind: str, order: Sequence[int], further: Sequence[str] = (), **attributes: Any) -> None:
    """order: for each gate of ONNX its place among ours. further: inputs after the first states."""
    names = [name for name in ("h", "c") if name in at.node.declarations]
    lengths = ABSENT if at.lengths is None else at.put("Cast", at.lengths, to=INT32)
    given, first = [at.inputs[0], *_weights(at, order), lengths], [_first(at, name) for name in names]
    attributes |= {"hidden_size": at.layer.units}
    steps, *final = at.put_many(kind, [*given, *first, *further], 1 + len(names), **attributes)
    at.give("Squeeze", steps, at.constant("direction", [1]))
    for name, value in zip(names, final, strict=True):
        at.sheet.ends[f"{at.name}/{name}"] = at.put("Squeeze", value, at.constant("front", [0]))
        if at.fed(f"{name}0") is None:
            at.sheet.states[f"{at.name}/{name}"] = at.layer.units


def _weights(at: Desk, order: Sequence[int]) -> list[str]:
    """W (1, kH, F), R (1, kH, H), and both biases in one row B (1, 2kH)."""

    def ordered(array: Array) -> Array:
        gates = split(array, len(order))
        return np.concatenate([gates[place] for place in order], axis=-1)

    b = at.array("b") if at.layer.bias else np.zeros(len(order) * at.layer.units)
    bh = at.array("bh") if "bh" in at.node.declarations else np.zeros_like(b)
    return [
        at.constant("W", ordered(at.array("Wx")).T[None]),
        at.constant("R", ordered(at.array("Wh")).T[None]),
        at.constant("B", np.concatenate([ordered(b), ordered(bh)])[None]),
    ]


def _first(at: Desk, name: str) -> str:
    """A state before the first step, (1, B, H): that of a node, or an input of the graph."""
    return at.put("Unsqueeze", at.fed(f"{name}0") or f"{at.name}/{name}", at.constant("front", [0]))
