"""How much memory there is left, asked before arrays are allocated: a system that has run out kills without a word."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from minidl.system.errors import UsageError
from minidl.system.memory import available_memory

SMALL = 1 << 26  # bytes that are not worth the question
SHOWN = 3  # arrays named in the error
Sized = tuple[str, tuple[int, ...], int]  # name, shape, bytes


class OutOfMemory(UsageError, MemoryError):
    """Arrays that need more memory than there is.

    total, available: bytes. arrays: what there is to allocate; the largest are named.
    """

    def __init__(self, total: int, available: int, arrays: Iterable[Sized]) -> None:
        largest = sorted(arrays, key=lambda array: -array[2])[:SHOWN]
        named = ", ".join(f"{name} {shape} {size / 1e9:.1f} GB" for name, shape, size in largest)
        super().__init__(
            f"the arrays of this model take {total / 1e9:.1f} GB, and there are {available / 1e9:.1f} GB left; "
            f"the largest: {named}. Lower batch_size, seq_len or units, or use an Embedding in the place of "
            "one-hot vectors"
        )


def check_fits(total: int, arrays: Iterable[Sized]) -> None:
    """Raise OutOfMemory where so many bytes are not there."""
    if total > SMALL and total > available_memory():
        raise OutOfMemory(total, available_memory(), arrays)


@contextlib.contextmanager
def fitting(total: int, arrays: Iterable[Sized]) -> Iterator[None]:
    """Around an allocation of so many bytes: raises OutOfMemory, if possible before it is tried."""
    check_fits(total, arrays)
    try:
        yield
    except MemoryError:
        raise OutOfMemory(total, available_memory(), arrays) from None
