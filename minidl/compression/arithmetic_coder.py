"""Arithmetic coding: a symbol of probability p takes log₂(1/p) bits, and hardly more.

A message is an interval of the numbers between 0 and 1, which each symbol narrows to its share. Frequencies are whole
numbers that add up to 2^BITS, so that both sides compute with the same integers. Martin 1979, "Range encoding".
"""

from __future__ import annotations

BITS = 20  # of a frequency
_TOP, _BOTTOM, _BYTES = 1 << 56, 1 << 48, 7  # of the interval: it is widened by a byte whenever it is below the bottom


class Encoder:
    """Writes symbols, each given by its place among the frequencies of all.

    >>> encoder = Encoder()
    >>> encoder.encode(0, 1 << 19)  # the first of two symbols that are equally likely
    >>> len(encoder.finish())
    8
    """

    def __init__(self) -> None:
        self._low, self._range = 0, _TOP - 1
        self._out = bytearray()

    def encode(self, start: int, size: int) -> None:
        """Narrow the interval to [start, start + size) of 2^BITS."""
        unit = self._range >> BITS
        self._low += start * unit
        self._range = size * unit
        if self._low >= _TOP:
            self._carry()
        while self._range < _BOTTOM:
            self._shift()

    def _carry(self) -> None:
        self._low -= _TOP
        place = len(self._out) - 1
        while self._out[place] == 0xFF:
            self._out[place] = 0
            place -= 1
        self._out[place] += 1

    def _shift(self) -> None:
        self._out.append(self._low >> 48)
        self._low = (self._low & (_BOTTOM - 1)) << 8
        self._range <<= 8

    def finish(self) -> bytes:
        """All that was written; enough bytes to tell the interval."""
        self._out.append(self._low >> 48)
        self._out += (self._low & (_BOTTOM - 1)).to_bytes(6, "big") + b"\0"
        return bytes(self._out)


class Decoder:
    """Reads what an Encoder has written."""

    def __init__(self, data: bytes) -> None:
        self._data, self._next = data, _BYTES
        self._code, self._range = int.from_bytes(data[:_BYTES].ljust(_BYTES, b"\0"), "big"), _TOP - 1

    def place(self) -> int:
        """A number within the share of the next symbol, below 2^BITS."""
        return min(self._code // (self._range >> BITS), (1 << BITS) - 1)

    def narrow(self, start: int, size: int) -> None:
        """Go on behind the symbol with this share."""
        unit = self._range >> BITS
        self._code -= start * unit
        self._range = size * unit
        while self._range < _BOTTOM:
            byte = self._data[self._next] if self._next < len(self._data) else 0
            self._next += 1
            self._code = (self._code << 8) | byte
            self._range <<= 8
