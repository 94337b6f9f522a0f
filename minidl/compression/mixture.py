"""What contexts, a match and the network expect, combined with weights that are learnt as well.

A network of a few hundred units learns how a language goes, and forgets who was named a page ago; counts forget
nothing. All are experts whose distributions are multiplied (product of experts, Hinton 2002; context mixing, Mahoney
2005):

    p ∝ exp(Σ_k w_k log p_k),    w_k ← w_k - lr Σ_v (p_v - [v = y]) log p_k(v)

The weight of an expert is a sum of three: by the last symbol, by how often the contexts of three and of five symbols
were seen, and by how sure the expert is.
"""

from __future__ import annotations

import numpy as np

from minidl.compression.contexts import COUNT, ORDERS, Contexts
from minidl.compression.counts import ContextCounts
from minidl.compression.matches import Matches
from minidl.graph.arrays import Array

MATCH, NETWORK, EXPERTS = COUNT, COUNT + 1, COUNT + 2
LEARNING_RATE, AT_FIRST, SOON = 3e-4, 4.0, 500  # it falls from four times as much within some hundred steps
SEEN = (0.5, 1.5, 2.5, 4.5, 8.5, 16.5, 48.5, 160.5)  # bounds of how often a context was seen
STATES = 48  # of an expert: how often its context was seen, and how often one symbol followed
FLOOR = 1e-4  # shared by all symbols, whatever the experts say


class ContextMixer:
    """The experts of several streams (B) over the same symbols (V), and the weights of their mixture.

    letters: see Contexts. length: symbols of all streams.
    """

    def __init__(self, streams: int, letters: Array, length: int) -> None:
        symbols = len(letters)
        self._contexts, self._matches = Contexts(streams, letters), Matches(streams)
        self._counts = ContextCounts(streams, symbols, length)
        self._by_symbol = np.zeros((symbols, EXPERTS), np.float32)
        self._by_seen = np.zeros((len(SEEN) + 1, len(SEEN) + 1, EXPERTS), np.float32)
        self._by_state = np.zeros((EXPERTS, STATES), np.float32)
        self._by_seen[..., [len(ORDERS) - 1, NETWORK]] = 0.4
        self._experts = np.zeros((EXPERTS, streams, symbols), np.float32)
        self._last, self._streams = np.zeros(streams, np.int64), np.arange(streams)
        self._step = 0

    def mix(self, network: Array) -> Array:
        """Probabilities (B, V) of the next symbols from the log-probabilities of the network (B, V)."""
        of_contexts = self._experts[:COUNT]
        seen, most = self._counts.find(self._contexts.hashes(), of_contexts)
        np.log(of_contexts, out=of_contexts)
        self._matches.find(self._experts[MATCH])
        self._experts[NETWORK] = network
        self._cell = tuple(np.searchsorted(SEEN, seen[[ORDERS.index(3), ORDERS.index(5)]]))
        self._state = np.arange(EXPERTS), self._states(seen, most)
        weights = self._by_symbol[self._last] + self._by_seen[self._cell] + self._by_state[self._state]
        mixed: Array = np.einsum("bk,kbv->bv", weights, self._experts)
        mixed -= mixed.max(axis=1, keepdims=True)
        np.exp(mixed, out=mixed)
        mixed *= (1 - FLOOR) / mixed.sum(axis=1, keepdims=True)
        mixed += FLOOR / len(self._by_symbol)
        self._mixed = mixed
        return mixed

    def _states(self, seen: Array, most: Array) -> Array:
        """How sure each expert is (B, EXPERTS)."""
        states = np.zeros((len(self._streams), EXPERTS), np.int64)
        times = np.minimum(np.frexp(seen.astype(np.float32))[1], STATES // 4 - 1)
        states[:, :COUNT] = (4 * times + (2 * most > seen) + (most == seen)).T
        states[:, MATCH] = self._matches.length
        return states

    def learn(self, symbols: Array, coded: Array) -> None:
        """What came next (B,); coded: which streams have a symbol at all."""
        error = self._mixed.copy()
        error[self._streams, symbols] -= 1
        error[~coded] = 0
        rate = LEARNING_RATE * (1 + (AT_FIRST - 1) / (1 + self._step / SOON))
        change = np.float32(rate) * np.einsum("bv,kbv->bk", error, self._experts)
        np.subtract.at(self._by_symbol, self._last, change)
        np.subtract.at(self._by_seen, self._cell, change)
        np.subtract.at(self._by_state, self._state, change)
        self._counts.count(symbols, coded)
        self._contexts.read(symbols)
        self._matches.read(symbols)
        self._last, self._step = symbols.copy(), self._step + 1
