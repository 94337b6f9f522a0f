"""The BLAS that NumPy multiplies matrices with."""

from __future__ import annotations

from functools import cache


@cache
def blas_architecture() -> str:
    """For which kind of processor the products of NumPy are written; it decides in which order they add.

    >>> isinstance(blas_architecture(), str)
    True
    """
    from threadpoolctl import threadpool_info

    found = {str(pool.get("architecture", "")) for pool in threadpool_info() if pool["user_api"] == "blas"}
    return ", ".join(sorted(filter(None, found))) or "unknown"
