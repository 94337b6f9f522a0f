"""An encoder-decoder: one GRU reads in both directions, another writes and looks back at what was read."""

from minidl.graph.layer import Node
from minidl.graph.symbol import Input
from minidl.layers import GRU, Activation, Attention, Bidirectional, Concat, Dense, Embedding, Last


def build(
    source: Input, lengths: Input, ids: Input, vocab_size: int, features: int = 32, units: int = 128, score: str = "dot"
) -> Node:
    """Logits of the next symbol (T, B, vocab_size). features: of a symbol; units: of the decoder, and of what is read.

    score: of the attention, dot or additive. Bahdanau, Cho, Bengio 2015; Luong, Pham, Manning 2015, section 3.1.
    """
    read = Embedding(features, name="source_symbols")(source)
    memory = Bidirectional(GRU(units // 2), name="encoder")(read, lengths)
    start = Activation("tanh", name="start")(Dense(units, name="bridge")(Last(name="end")(memory, lengths)))
    written = GRU(units, name="decoder")(Embedding(features, name="target_symbols")(ids), h0=start)
    found = Attention(units, score=score, name="attention")(written, memory, lengths=lengths)
    both = Dense(units, name="both")(Concat(name="found")(written, found))
    return Dense(vocab_size, name="logits")(Activation("tanh", name="hidden")(both))
