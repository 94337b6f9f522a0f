"""What followed the last one to eleven symbols before, mixed with what the network says.

A network of a few hundred units learns how a language goes, and forgets who was named a page ago; tables of contexts
forget nothing. The distribution of order k falls back on that of order k - 1 where a context of k symbols was seldom
seen, n times with u different symbols after it, c of them y (Witten and Bell 1991, method C):

    p_k(y) = (c + u p_(k-1)(y)) / (n + u)

All orders and the network are combined with weights that are learnt as well (product of experts, Hinton 2002):

    p ∝ exp(Σ_k w_k log p_k),    w_k ← w_k - lr Σ_v (p_v - [v = y]) log p_k(v)

The weights depend on how often the longest known contexts were seen (context mixing, Mahoney 2005).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ORDERS = (1, 2, 3, 4, 5, 6, 8, 11)
SLOTS = 1 << 20  # of a table, found by a hash of the context
LEARNING_RATE = 0.001
ALMOST_NONE = 1e-3  # of an order that was never seen: all is left to the order below
SEEN = (0.5, 1.5, 2.5, 4.5, 8.5, 16.5, 48.5, 160.5)  # bounds of how often a context was seen
LIMIT = 255  # of a count: then all counts of a context are halved


class ContextMixer:
    """Tables of contexts of several streams (B) over the same symbols (V), and the weights of their mixture."""

    def __init__(self, streams: int, symbols: int) -> None:
        self._tables = [np.zeros((min(SLOTS, symbols**order), symbols), np.uint8) for order in ORDERS]
        self._totals = [np.zeros(len(table), np.int64) for table in self._tables]
        self._history = np.zeros((len(ORDERS), streams), np.uint64)
        self._weights = np.zeros((len(ORDERS) + 1, len(SEEN) + 1, len(SEEN) + 1), np.float32)
        self._weights[-2:] = 0.5  # the highest order and the network
        self._experts = np.zeros((len(ORDERS) + 1, streams, symbols), np.float32)
        self._symbols, self._streams = symbols, np.arange(streams)
        self._recent = np.zeros((max(ORDERS), streams), np.uint64)

    def mix(self, network: Array) -> Array:
        """Probabilities (B, V) of the next symbols from the log-probabilities of the network (B, V)."""
        self._places = [self._history[k] % np.uint64(len(table)) for k, table in enumerate(self._tables)]
        p = np.full_like(network, 1 / self._symbols)
        seen = []
        for k, (table, total) in enumerate(zip(self._tables, self._totals, strict=True)):
            counts, n = table[self._places[k]], total[self._places[k]]
            different = np.count_nonzero(counts, axis=1) + ALMOST_NONE
            p = (counts + different[:, None] * p) / (n + different)[:, None]
            np.log(p, out=self._experts[k])
            seen.append(n)
        self._experts[-1] = network
        self._cell = np.searchsorted(SEEN, seen[2]), np.searchsorted(SEEN, seen[4])
        weights = self._weights[:, self._cell[0], self._cell[1]]
        logits = np.einsum("kb,kbv->bv", weights, self._experts)
        logits -= logits.max(axis=1, keepdims=True)
        mixed: Array = np.exp(logits)
        mixed /= mixed.sum(axis=1, keepdims=True)
        self._mixed = mixed
        return mixed

    def learn(self, symbols: Array, coded: Array) -> None:
        """What came next (B,); coded: which streams have a symbol at all."""
        error = self._mixed.copy()
        error[self._streams, symbols] -= 1
        error[~coded] = 0
        change = LEARNING_RATE * np.einsum("bv,kbv->kb", error, self._experts)
        for weights, of_streams in zip(self._weights, change, strict=True):
            np.subtract.at(weights, self._cell, of_streams)
        for table, total, place in zip(self._tables, self._totals, self._places, strict=True):
            _count(table, total, place[coded], symbols[coded])
        self._remember(symbols)

    def _remember(self, symbols: Array) -> None:
        self._recent[1:] = self._recent[:-1]
        self._recent[0] = symbols
        history = np.zeros(len(symbols), np.uint64)
        for k, order in enumerate(ORDERS):
            history = history * np.uint64(0x9E3779B97F4A7C15) + self._recent[order - 1] + np.uint64(order)
            self._history[k] = self._recent[0] if order == 1 else history ^ (history >> np.uint64(29))


def _count(table: Array, total: Array, places: Array, symbols: Array) -> None:
    """One more of each symbol in its context; the counts of a context that is full are halved before."""
    is_full = table[places, symbols] >= LIMIT - len(places)
    if is_full.any():
        full = np.unique(places[is_full])
        table[full] >>= 1
        total[full] = table[full].sum(axis=1)
    np.add.at(table, (places, symbols), 1)
    np.add.at(total, places, 1)
