"""Where compiled kernels are kept: numba's files on disk, for processes that start together and kernels that change.

Numba itself looks at one source file only, and two processes that save at once can mix up its files.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile


class DiskCache(FunctionCache):
    """The compiled forms of one kernel; what cannot be read or written is compiled anew."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        version = sources_hash()
        name = f"{self._impl.filename_base}.{version}"
        self._cache_file = IndexDataCacheFile(self._cache_path, name, version)  # type: ignore[no-untyped-call]
        _drop_outdated(self._cache_path)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The compiled form for these types, or None."""
        try:
            with self._alone():
                return super().load_overload(signature, target)  # type: ignore[no-untyped-call]
        except Exception:  # a file that was cut off may raise anything
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a compiled form, if the disk takes it."""
        with contextlib.suppress(OSError), self._alone():
            super().save_overload(signature, compiled)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Index and data belong together: one process at a time reads or writes them."""
        self._impl.locator.ensure_cache_path()
        with Path(self._cache_path, "kernels.lock").open("w") as lock:
            with contextlib.suppress(OSError):  # not every drive can lock
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@cache
def sources_hash() -> str:
    """Of all files from which kernels are compiled: a kernel holds parts of several."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


@cache
def _drop_outdated(folder: str) -> None:
    """Forget what was compiled from other sources."""
    for path in Path(folder).glob("*.nb[ic]"):
        if sources_hash() not in path.name:
            with contextlib.suppress(OSError):
                path.unlink()
