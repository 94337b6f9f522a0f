"""A lock between processes that a process which is killed lets go of."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from minidl.storage.atomic import refusing


class Mutex:
    """One process at a time, waited for; who holds it may take it again.

    It has the methods by which Optuna locks its journals.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._depth = path, 0

    def acquire(self) -> bool:
        """Wait until no other process is in."""
        if self._depth == 0:
            with refusing(self._path):
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._depth += 1
        return True

    def release(self) -> None:
        """Let the next one in."""
        self._depth -= 1
        if self._depth == 0:
            os.close(self._descriptor)

    def __enter__(self) -> Mutex:
        self.acquire()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()
