"""How much memory there is left, of the machine, of the container, of the process."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_UNKNOWN = 1 << 62


def available_memory() -> int:
    """Bytes that this process can still take: of the machine, of its container, of its own limit.

    >>> available_memory() > 0
    True
    """
    return max(0, min(_of_machine(), _of_container(), _of_process()))


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
