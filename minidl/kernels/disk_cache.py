"""Where compiled kernels are kept: a file on disk for each form of each kernel.

Numba's own index of such files looks at one source file only, and is mixed up by two processes that save at once. Here
the name of a file says all on which its content depends, so that no index is needed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile


class DiskCache(FunctionCache):
    """The compiled forms of one kernel; what cannot be read or written is compiled anew."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file = _Files(self._cache_path, self._impl.filename_base)
        _drop_outdated(self._cache_path)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The compiled form for these types, or None."""
        try:
            return super().load_overload(signature, target)  # type: ignore[no-untyped-call]
        except Exception:  # a file that was cut off may raise anything
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a compiled form, if the disk takes it."""
        with contextlib.suppress(OSError):
            super().save_overload(signature, compiled)  # type: ignore[no-untyped-call]


class _Files(IndexDataCacheFile):
    """The files of one kernel; each is written whole or not at all, in the place of one with the same content."""

    def __init__(self, folder: str, base: str) -> None:
        super().__init__(folder, base, None)  # type: ignore[no-untyped-call]
        self._base = base

    def load(self, key: Any) -> Any:
        """What is kept for this key; OSError where nothing is."""
        return self._load_data(self._name_of(key))  # type: ignore[no-untyped-call]

    def save(self, key: Any, data: Any) -> None:
        """Keep what was compiled."""
        self._save_data(self._name_of(key), data)  # type: ignore[no-untyped-call]

    def _name_of(self, key: Any) -> str:
        form = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return f"{self._base}.{sources_hash()}.{form}.nbc"


@cache
def sources_hash() -> str:
    """Of numba's version and all files from which kernels are compiled: a kernel holds parts of several."""
    total = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


@cache
def _drop_outdated(folder: str) -> None:
    """Forget what was compiled from other sources."""
    for path in Path(folder).glob("*.nb[ic]"):
        if sources_hash() not in path.name:
            with contextlib.suppress(OSError):
                path.unlink()
