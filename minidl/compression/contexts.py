"""What a symbol is expected from: the last few symbols, the word that it is in, and the words before.

Each context is a number: a linear hash of the symbols and words that it depends on, modulo 2^64.
"""

from __future__ import annotations

import numpy as np

from minidl.graph.arrays import Array

ORDERS = (1, 2, 3, 4, 5, 6, 8)  # contexts of so many symbols
WORDS = (1, 2, 3)  # contexts of so many words, the last of them as far as it is written
COUNT = len(ORDERS) + len(WORDS)
MULTIPLIER = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: multiples of it are spread evenly


class Contexts:
    """The contexts of several streams (B).

    letters: what each symbol (V,) is within a word, the same for capitals and small letters; 0 for what ends a word.
    """

    def __init__(self, streams: int, letters: Array) -> None:
        self._letters = letters.astype(np.uint64)
        self._past = np.zeros((max(ORDERS) + max(WORDS), streams), np.uint64)
        self._symbols, self._words = np.split(self._past, [max(ORDERS)])
        self._factors = _factors()

    def hashes(self) -> Array:
        """A number for each context of each stream (COUNT, B)."""
        hashed = self._factors @ self._past * np.uint64(MULTIPLIER)
        mixed: Array = hashed ^ (hashed >> np.uint64(31))
        return mixed

    def read(self, symbols: Array) -> None:
        """What came next (B,)."""
        self._symbols[1:] = self._symbols[:-1]
        self._symbols[0] = symbols + 1
        letters, word = self._letters[symbols], self._words[0]
        ended = (letters == 0) & (word != 0)
        self._words[1:] = np.where(ended, self._words[:-1], self._words[1:])
        word[:] = np.where(letters == 0, 0, (word + letters) * np.uint64(MULTIPLIER))


def _factors() -> Array:
    """Of each context (COUNT), the factor of all that was read; 0 where it does not depend on it."""
    symbols, words = np.arange(max(ORDERS)), np.arange(max(WORDS))
    of_orders = [[*(symbols < order), *(words < 0)] for order in ORDERS]
    of_words = [[*(symbols < 0), *(words < count)] for count in WORDS]
    used = np.array(of_orders + of_words)
    powers = [pow(MULTIPLIER, exponent, 1 << 64) for exponent in range(1, used.size + 1)]
    return used * np.array(powers, np.uint64).reshape(used.shape)
