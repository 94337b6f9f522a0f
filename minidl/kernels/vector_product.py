"""Products of a single row and a matrix, as one stream needs them: the matrix is read once, from end to end.

They take as long as reading the matrix does, so that the other vector stays in registers: a block of sums, or the
block of the row that they are sums of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from minidl.kernels.compiler import by_type, part
from minidl.kernels.vectors import VECTOR, WIDE, Vectors, constant, start

Array = NDArray[Any]
BLOCKS = (24, 8, 1) if WIDE else (12, 4, 1)  # vectors that are kept in registers at a time: as many as fit
CHAINS = 2  # sums that do not wait for each other


def _sums_of_columns(vectors: int) -> Callable[..., None]:
    """An intrinsic  y[n:n + width] += h W[:, n:n + width]  for a width of so many vectors."""

    @intrinsic
    def add_block(typing: Any, h: Any, W: Any, stride: Any, y: Any, n: Any, depth: Any) -> Any:
        signature = types.void(h, W, types.intp, y, types.intp, types.intp)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Vectors(builder, context.get_value_type(y.dtype))
            kinds, (h_, W_, stride_, y_, n_, depth_) = signature.args, args
            numbers = start(context, builder, kinds[0], h_, constant(0))
            first = start(context, builder, kinds[1], W_, n_)
            sums = code.row(start(context, builder, kinds[3], y_, n_), vectors)

            def multiply(k: Any, totals: list[Any]) -> list[Any]:
                number = code.splat(builder.load(builder.gep(numbers, [k])))
                row = code.row(builder.gep(first, [builder.mul(k, stride_)]), vectors)
                return [code.fma(number, code.load(w), total) for w, total in zip(row, totals, strict=True)]

            totals = code.repeat(depth_, [code.load(place) for place in sums], multiply)
            for total, place in zip(totals, sums, strict=True):
                code.store(total, place)
            return context.get_dummy_value()

        return signature, generate

    return add_block


def _products_of_rows(vectors: int) -> Callable[..., None]:
    """An intrinsic  y += d[n:n + width] (W[:, n:n + width])ᵀ  for a width of so many vectors, or y = … for n = 0."""

    @intrinsic
    def add_block(typing: Any, d: Any, W: Any, stride: Any, y: Any, n: Any, depth: Any) -> Any:
        signature = types.void(d, W, types.intp, y, types.intp, types.intp)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Vectors(builder, context.get_value_type(y.dtype))
            kinds, (d_, W_, stride_, y_, n_, depth_) = signature.args, args
            factors = [code.load(place) for place in code.row(start(context, builder, kinds[0], d_, n_), vectors)]
            first = start(context, builder, kinds[1], W_, n_)
            results = start(context, builder, kinds[3], y_, constant(0))
            zero, begins = ir.Constant(code.real, 0.0), builder.icmp_signed("==", n_, constant(0))

            def multiply(k: Any, _: list[Any]) -> list[Any]:
                row = code.row(builder.gep(first, [builder.mul(k, stride_)]), vectors)
                chains = [code.zero] * min(CHAINS, vectors)
                for v, (w, factor) in enumerate(zip(row, factors, strict=True)):
                    chains[v % CHAINS] = code.fma(code.load(w), factor, chains[v % CHAINS])
                place = builder.gep(results, [k])
                before = builder.select(begins, zero, builder.load(place))
                builder.store(builder.fadd(before, code.sum(chains)), place)
                return []

            code.repeat(depth_, [], multiply)
            return context.get_dummy_value()

        return signature, generate

    return add_block


_add_many, _add_some, _add_one = map(_sums_of_columns, BLOCKS)
_dot_many, _dot_some, _dot_one = map(_products_of_rows, BLOCKS)


def add_vector_times(h: Array, W: Array, y: Array) -> None:
    """y += h W for a single row h."""
    raise NotImplementedError


@by_type(add_vector_times)
def _add_vector_times(h: Any, W: Any, y: Any) -> Any:
    return _add_products_with_columns if W.layout == "F" else _add_blocks


def _add_products_with_columns(h: Array, W: Array, y: Array) -> None:
    for j in range(len(y)):
        total, column = y[j], W[:, j]
        for k in range(len(h)):
            total += h[k] * column[k]
        y[j] = total


def _add_blocks(h: Array, W: Array, y: Array) -> None:
    lanes, stride, n = VECTOR // W.itemsize, W.strides[0] // W.itemsize, 0
    while n + BLOCKS[0] * lanes <= len(y):
        _add_many(h, W, stride, y, n, len(h))
        n += BLOCKS[0] * lanes
    while n + BLOCKS[1] * lanes <= len(y):
        _add_some(h, W, stride, y, n, len(h))
        n += BLOCKS[1] * lanes
    while n + lanes <= len(y):
        _add_one(h, W, stride, y, n, len(h))
        n += lanes
    for k in range(len(h) if n < len(y) else 0):
        h0, w0 = h[k], W[k]
        for j in range(n, len(y)):
            y[j] += h0 * w0[j]


@part
def vector_times_transposed(d: Array, W: Array, y: Array) -> None:
    """y = d Wᵀ for a single row d."""
    lanes, stride, n = VECTOR // W.itemsize, W.strides[0] // W.itemsize, 0
    while n + BLOCKS[0] * lanes <= len(d):
        _dot_many(d, W, stride, y, n, len(y))
        n += BLOCKS[0] * lanes
    while n + BLOCKS[1] * lanes <= len(d):
        _dot_some(d, W, stride, y, n, len(y))
        n += BLOCKS[1] * lanes
    while n + lanes <= len(d):
        _dot_one(d, W, stride, y, n, len(y))
        n += lanes
    for k in range(len(y) if n < len(d) else 0):
        total, w = y[k] if n else y.dtype.type(0), W[k]
        for j in range(n, len(d)):
            total += d[j] * w[j]
        y[k] = total
