"""How much memory there is left, asked before arrays are allocated: a system that has run out kills without a word."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from minidl.system.errors import UsageError

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


def available_memory() -> int:
    """Bytes that this process can still take: of the machine, of its container, of its own limit.

    >>> available_memory() > 0
    True
    """
    return max(0, min(_of_machine(), _of_container(), _of_process()))


_UNKNOWN = 1 << 62


def _of_machine() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    with contextlib.suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN


def _of_container() -> int:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            return int(Path(path).read_text())
    return _UNKNOWN


def _of_process() -> int:
    """What `ulimit -v` leaves."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            return limit - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return _UNKNOWN
