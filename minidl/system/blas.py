"""The BLAS that NumPy multiplies matrices with."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def blas_libraries() -> Any:
    """A controller of threadpoolctl, looked for once: a large program has hundreds of libraries."""
    import numpy  # noqa: F401  there is none before
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@cache
def blas_architecture() -> str:
    """For which kind of processor the products of NumPy are written; it decides in which order they add.

    >>> isinstance(blas_architecture(), str)
    True
    """
    found = {str(library.get("architecture", "")) for library in blas_libraries().info()}
    return ", ".join(sorted(filter(None, found))) or "unknown"
