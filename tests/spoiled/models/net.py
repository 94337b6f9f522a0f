"""A network with arguments of several kinds, which can be asked to go wrong."""

from __future__ import annotations

from typing import Literal

from minidl.graph.layer import Node
from minidl.graph.symbol import Input
from minidl.layers import GRU, LSTM, Dense, OneHot

CELLS = {"LSTM": LSTM, "GRU": GRU}


def build(
    ids: Input,
    vocab_size: int,
    units: int,
    cell: Literal["LSTM", "GRU"] = "LSTM",
    sizes: tuple[int, ...] = (),
    fault: str = "",
) -> Node:
    """Logits of the next character."""
    if fault == "nothing":
        return None  # type: ignore[return-value]
    if fault == "division":
        return Dense(units // 0)(ids)
    hidden = Dense(units)(ids) if fault == "wiring" else OneHot()(ids)
    for size in (*sizes, units):
        hidden = CELLS[cell](size)(hidden)
    return Dense(vocab_size)(hidden)
