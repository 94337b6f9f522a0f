"""Files that grow by whole entries."""

from __future__ import annotations

import contextlib
import os


def append_whole(descriptor: int, data: bytes) -> int:
    """Add data to an open file, all or nothing where the disk takes only a part of it; the size of the file then."""
    end, rest = os.fstat(descriptor).st_size, data
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        with contextlib.suppress(OSError):  # a disk too broken for this has said so already
            os.ftruncate(descriptor, end)
            os.lseek(descriptor, end, os.SEEK_SET)
        raise
    return end + len(data)
