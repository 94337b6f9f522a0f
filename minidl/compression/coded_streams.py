"""Symbols to bytes and back: several streams of one text, coded in turn, step by step."""

from __future__ import annotations

import numpy as np

from minidl.compression.arithmetic_coder import BITS, Decoder, Encoder
from minidl.compression.symbol_predictor import Predictor
from minidl.graph.arrays import Array

MOST_STREAMS, SYMBOLS_OF_A_STREAM = 32, 512


def streams_for(count: int) -> int:
    """How many streams a text of so many symbols is cut into."""
    return max(1, min(MOST_STREAMS, count // SYMBOLS_OF_A_STREAM))


def frequencies(p: Array) -> Array:
    """Whole numbers (B, V + 1) from 0 to 2^BITS: where the share of each symbol begins, none of them empty."""
    room = (1 << BITS) - p.shape[1]
    share = (p * room).astype(np.int64) + 1
    share[np.arange(len(p)), p.argmax(axis=1)] += (1 << BITS) - share.sum(axis=1)
    starts = np.zeros((len(p), p.shape[1] + 1), np.int64)
    np.cumsum(share, axis=1, out=starts[:, 1:])
    return starts


def encode(symbols: Array, predictor: Predictor, streams: int) -> bytes:
    """The symbols of a text as bytes."""
    encoder, (table, inside) = Encoder(), _cut(symbols, streams)
    columns = np.arange(streams)
    for step, coded in zip(table, inside, strict=True):
        starts = frequencies(predictor.probabilities())
        first, end = starts[columns, step], starts[columns, step + 1]
        for start, size in zip(first[coded].tolist(), (end - first)[coded].tolist(), strict=True):
            encoder.encode(start, size)
        predictor.read(step, coded)
    return encoder.finish()


def decode(data: bytes, count: int, predictor: Predictor, streams: int) -> Array:
    """The symbols that `encode` was given."""
    decoder, (table, inside) = Decoder(data), _cut(np.zeros(count, np.int64), streams)
    for step, coded in zip(table, inside, strict=True):
        starts = frequencies(predictor.probabilities())
        for stream in np.flatnonzero(coded).tolist():
            row = starts[stream]
            symbol = min(int(row.searchsorted(decoder.place(), side="right")) - 1, len(row) - 2)
            decoder.narrow(int(row[symbol]), int(row[symbol + 1] - row[symbol]))
            step[stream] = symbol
        predictor.read(step, coded)
    return table.T[inside.T]


def _cut(symbols: Array, streams: int) -> tuple[Array, Array]:
    """The text in streams side by side (steps, streams), and which places are within it."""
    length = -(-len(symbols) // streams)
    padded = np.zeros(length * streams, np.int64)
    padded[: len(symbols)] = symbols
    inside = np.arange(length * streams) < len(symbols)
    return padded.reshape(streams, length).T.copy(), inside.reshape(streams, length).T
