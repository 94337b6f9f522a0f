"""The symbol that followed when the last LENGTH symbols were read before, as long as it keeps being right."""

from __future__ import annotations

import numpy as np

from minidl.graph.arrays import Array

LENGTH = 20
LONGEST = 47  # matches that went on for longer are trusted alike
SLOTS = 1 << 20
RATE = 0.01  # of learning how often a match of a certain length is right
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Matches:
    """Where each of several streams (B) has been read before, in any of them."""

    def __init__(self, streams: int) -> None:
        self._text = np.zeros((LENGTH, streams), np.uint64)  # grows by doubling
        self._steps, self._streams = 0, np.arange(streams)
        self._slots = np.full(SLOTS, -1)  # by a hash of LENGTH symbols: the place of the symbol that followed
        self._place = np.full(streams, -1)  # of what is expected next: step · B + stream; -1 for nothing
        self._right = np.full(LONGEST + 1, 0.5)  # how often, by the length of the match
        self._powers = np.array([pow(int(MULTIPLIER), k + 1, 1 << 64) for k in range(LENGTH)], np.uint64)
        self.length = np.zeros(streams, np.int64)

    def find(self, log_p: Array) -> None:
        """Write the logarithm of what is expected (B, V); zeros, which say nothing, where there is no match."""
        self.is_found = self._place >= 0
        self._expected = np.where(self.is_found, self._text.ravel()[self._place], 0).astype(np.int64)
        right = self._right[self.length]
        log_p[:] = np.log((1 - right) / max(1, log_p.shape[1] - 1))[:, None]
        log_p[self._streams, self._expected] = np.log(right)
        log_p[~self.is_found] = 0

    def read(self, symbols: Array) -> None:
        """What came next (B,)."""
        good, found = self._expected == symbols, self.is_found
        lengths = self.length[found]
        np.add.at(self._right, lengths, RATE * (good[found] - self._right[lengths]))
        going_on = found & good
        self.length = np.where(going_on, np.minimum(self.length + 1, LONGEST), 0)
        self._place = np.where(going_on, self._place + len(symbols), -1)
        self._remember(symbols)
        self._place[self._place >= self._steps * len(symbols)] = -1  # another stream's symbol that is not read yet

    def _remember(self, symbols: Array) -> None:
        if self._steps == len(self._text):
            self._text = np.concatenate([self._text, np.zeros_like(self._text)])
        self._text[self._steps] = symbols
        self._steps += 1
        if self._steps >= LENGTH:
            hashed = self._powers @ (self._text[self._steps - LENGTH : self._steps] + np.uint64(1))
            slots = ((hashed * MULTIPLIER) >> np.uint64(44)).astype(np.int64)
            self._place = np.where(self._place < 0, self._slots[slots], self._place)
            self._slots[slots] = self._steps * len(symbols) + self._streams
