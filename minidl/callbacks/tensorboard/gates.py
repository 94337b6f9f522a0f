"""What the columns of a recurrent layer's gates are called."""

from __future__ import annotations

from minidl.graph.layer import Layer
from minidl.layers import GRU, LSTM

GATES: dict[type[Layer], tuple[str, ...]] = {LSTM: ("i", "f", "g", "o"), GRU: ("r", "z", "n")}
CANDIDATES = ("g", "n")  # they come from tanh, the others from the sigmoid


def gate_names(layer: Layer) -> tuple[str, ...]:
    """The gates in the order of their columns; none for layers without.

    >>> gate_names(LSTM(3))
    ('i', 'f', 'g', 'o')
    """
    return next((names for kind, names in GATES.items() if isinstance(layer, kind)), ())
