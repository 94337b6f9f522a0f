"""What followed each context before.

The distribution of a context falls back on that of a shorter one, p', where it was seldom seen: n times with u
different symbols after it, c of them y (Witten and Bell 1991, method C):

    p(y) = (c + u p'(y)) / (n + u)

A symbol is counted in a context of symbols only where the next longer one did not know it (update exclusion, Moffat
1990): what a longer context foresees says nothing of the shorter one.
"""

from __future__ import annotations

import numpy as np

from minidl.compression.contexts import COUNT, ORDERS
from minidl.graph.arrays import Array

BYTES = 1 << 26  # of the counts of one kind of context; a context is found by its hash
LIMIT = 255  # of a count: then all counts of a context are halved
ALMOST_NONE = 1e-3  # of a context that was never seen: all is left to the shorter one
LONGER = np.arange(1, len(ORDERS))  # contexts with a shorter one before them
BELOW_WORDS = 2  # the context of symbols on which that of a word falls back: of three symbols


class ContextCounts:
    """How often each symbol (V) followed each context, of several streams (B) that share the counts.

    length: symbols of all streams.
    """

    def __init__(self, streams: int, symbols: int, length: int) -> None:
        self._rows = max(1, min(BYTES // symbols, 2 * length))
        self._table = np.zeros((COUNT * self._rows, symbols), np.uint8)
        self._first_row = np.arange(COUNT)[:, None] * self._rows
        self._streams = np.arange(streams)

    def find(self, hashes: Array, p: Array) -> tuple[Array, Array]:
        """Write a distribution for each context (COUNT, B, V) into p; how often it was seen, and how often as the most
        frequent symbol (COUNT, B)."""
        self._places = self._first_row + (hashes % np.uint64(self._rows)).astype(np.int64)
        self._found = self._table[self._places]
        seen, most = self._found.sum(axis=2, dtype=np.int32), self._found.max(axis=2)
        different = np.count_nonzero(self._found, axis=2) + np.float32(ALMOST_NONE)
        total = (seen + different).astype(np.float32)
        np.divide(self._found, total[:, :, None], out=p)
        left = (different / total)[:, :, None]
        shorter: Array | float = 1 / p.shape[2]
        for k in range(COUNT):
            p[k] += left[k] * (p[BELOW_WORDS] if k == len(ORDERS) else shorter)
            shorter = p[k]
        return seen, most

    def count(self, symbols: Array, coded: Array) -> None:
        """One more of what came next (B,), in the streams that are coded."""
        is_new = np.tile(coded, (COUNT, 1))
        known = self._found[:, self._streams, symbols] > 0
        is_new[LONGER - 1] &= ~known[LONGER]
        places, added = self._places[is_new], np.broadcast_to(symbols, is_new.shape)[is_new]
        is_full = self._table[places, added] >= LIMIT - len(symbols)
        if is_full.any():
            self._table[np.unique(places[is_full])] >>= 1
        np.add.at(self._table, (places, added), np.uint8(1))
