"""Sizes and distances in arrays counted in numbers, by their type.

The size of a number is read from an array when a kernel runs, and each division by it takes as long as many sums; what
is returned here is known when a kernel is compiled, or a shift of bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from minidl.kernels.compiler import by_type
from minidl.kernels.vectors import VECTOR

Array = NDArray[Any]


def lanes(x: Array) -> int:
    """The numbers of a vector of this type."""
    raise NotImplementedError


@by_type(lanes)
def _lanes(x: Any) -> Any:
    count = 8 * VECTOR // x.dtype.bitwidth
    return lambda x: count


def row_stride(x: Array) -> int:
    """How many numbers it is from a row to the next."""
    raise NotImplementedError


def column_stride(x: Array) -> int:
    """How many numbers it is from a column to the next."""
    raise NotImplementedError


def _stride_along(axis: int) -> Callable[[Any], Any]:
    def choose(x: Any) -> Any:
        size = x.dtype.bitwidth // 8
        return lambda x: x.strides[axis] // size

    return choose


by_type(row_stride)(_stride_along(0))
by_type(column_stride)(_stride_along(1))
