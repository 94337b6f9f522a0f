"""The network of the estimators: recurrent layers that read a sequence, and a layer that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from minidl.graph.layer import Node
from minidl.graph.symbol import Input, Symbol
from minidl.layers import GRU, LSTM, RNN, Bidirectional, Concat, Dense, Dropout, Embedding, Last, Reverse

Cell = Literal["lstm", "gru", "rnn"]
CELLS = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


@dataclass(frozen=True)
class Network:
    """Settings of a network; the names are those of the estimators."""

    cell: Cell
    units: int
    depth: int
    bidirectional: bool
    embedding: int
    dropout: float

    def inputs(self, symbols: int | None, features: int) -> tuple[Symbol, Input, Symbol]:
        """The input of a sequence, its lengths, and what the first layer reads of it."""
        lengths = Input("lengths", dtype="int", shape=("B",))
        if symbols is None:
            x = Input("x", shape=("T", "B", features))
            return x, lengths, x
        ids = Input("ids", dtype="int", depth=symbols)
        return ids, lengths, Embedding(self.embedding, name="symbols")(ids)

    def each_step(self, read: Symbol, lengths: Input, outputs: int) -> Node:
        """An answer for each step (T, B, outputs)."""
        hidden = read
        for k in range(self.depth):
            layer = CELLS[self.cell](self.units)
            hidden = (
                Bidirectional(layer, name=f"layer_{k + 1}")(hidden, lengths)
                if self.bidirectional
                else layer(hidden, lengths)
            )
        return Dense(outputs, name="answer")(self._dropped(hidden))

    def whole(self, read: Symbol, lengths: Input, outputs: int) -> Node:
        """One answer for the sequence (B, outputs)."""
        ends = [self._last(read, lengths, "ahead")]
        if self.bidirectional:
            ends.append(self._last(Reverse(name="reverse")(read, lengths), lengths, "back"))
        hidden = Concat(name="read")(*ends) if len(ends) > 1 else ends[0]
        return Dense(outputs, name="answer")(self._dropped(hidden))

    def _last(self, read: Symbol, lengths: Input, name: str) -> Node:
        hidden = read
        for k in range(self.depth):
            hidden = CELLS[self.cell](self.units, name=f"{name}_{k + 1}")(hidden, lengths)
        return Last(name=f"{name}_end")(hidden, lengths)

    def _dropped(self, hidden: Symbol) -> Symbol:
        return Dropout(self.dropout, name="dropout")(hidden) if self.dropout else hidden
