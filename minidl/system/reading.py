"""Listeners, such as a bar on a terminal, hear how much of a file has been read."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

Listener = Callable[[str, int, int], None]  # of a file: its name, bytes read so far, and all of them
_LISTENERS: list[Listener] = []


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a listener hear, within this block.

    >>> heard = []
    >>> with listening(lambda name, done, total: heard.append((name, done, total))):
    ...     raw = io.BytesIO(b"abc")
    ...     _ = Told(raw, "a.csv", raw.tell, 3).read1(2)
    >>> heard
    [('a.csv', 2, 3)]
    """
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


class Told(io.BufferedReader):
    """A file that is read from its begin to its end: it tells how far it is, and takes the hash of what was read.

    at: how many of the `total` bytes have been read; of a file that is unpacked, those on the disk.
    """

    def __init__(self, raw: Any, name: str, at: Callable[[], int], total: int) -> None:
        super().__init__(raw)
        self.hash = hashlib.sha256()
        self._name, self._at, self._total = name, at, total

    def read1(self, size: int = -1, /) -> bytes:
        """Some bytes."""
        found = super().read1(size)
        self.hash.update(found)
        for listener in _LISTENERS:
            listener(self._name, self._at(), self._total)
        return found
