"""How much of a file has been read is told to whoever listens, such as a bar on a terminal."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator

Listener = Callable[[str, int, int], None]  # of a file: its name, bytes read so far, and all of them
_LISTENERS: list[Listener] = []


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a listener hear, within this block.

    >>> heard = []
    >>> with listening(lambda name, done, total: heard.append((name, done, total))):
    ...     _ = Told(b"abc", "a.csv").read1(2)
    >>> heard
    [('a.csv', 2, 3)]
    """
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


class Told(io.BytesIO):
    """The bytes of a file, which tell how many of them have been read."""

    def __init__(self, raw: bytes, name: str) -> None:
        super().__init__(raw)
        self._name, self._total = name, len(raw)

    def read1(self, size: int | None = -1, /) -> bytes:
        """Some bytes."""
        found = super().read1(size)
        for listener in _LISTENERS:
            listener(self._name, self.tell(), self._total)
        return found
