"""What the gates of a recurrent layer are called, and which of them may have either sign."""

from __future__ import annotations

from minidl.graph.layer import Layer
from minidl.layers import SLSTM, Cell


def gate_names(layer: Layer) -> tuple[str, ...]:
    """The gates in the order of their columns; none for layers without, and for cells whose only gate is the output.

    >>> from minidl.layers import LSTM, RNN
    >>> gate_names(LSTM(3)), gate_names(RNN(3))
    (('i', 'f', 'g', 'o'), ())
    """
    return layer.gates if isinstance(layer, Cell) and layer.gates != layer.states else ()


def contents(layer: Layer) -> tuple[str, ...]:
    """The gates that are new content, from -1 to 1, or of any size in cells without Wh; the others lie from 0 to 1.

    >>> contents(SLSTM(3))
    ('z',)
    """
    return ("z",) if isinstance(layer, SLSTM) else tuple(name for name in gate_names(layer) if name in ("g", "n"))
