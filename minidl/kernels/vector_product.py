"""Products of a single row and a matrix, as one stream needs them: the matrix is read once, from end to end.

They take as long as reading the matrix does. The other vector, or its first part, stays in registers meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from minidl.kernels.compiler import by_type, part, variant
from minidl.kernels.vectors import VECTOR, WIDE, Vectors, constant, start

Array = NDArray[Any]
MANY, SOME, FEW = (24, 12, 4) if WIDE else (12, 6, 2)  # vectors that are kept in registers: as many as fit, or less
CHAINS = 6 if WIDE else 3  # sums that do not wait for each other


def _sums_of_columns(held: int) -> Callable[..., None]:
    """An intrinsic  y[:n] += h W[:, :n]  for n numbers in `count` vectors, the first of them held in registers."""

    @intrinsic
    def add_rows(typing: Any, h: Any, W: Any, stride: Any, y: Any, count: Any) -> Any:
        signature = types.void(h, W, types.intp, y, types.intp)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Vectors(builder, context.get_value_type(y.dtype))
            numbers, first, sums = (start(context, builder, signature.args[i], args[i], constant(0)) for i in (0, 1, 3))
            rest = builder.sub(args[4], constant(held))

            def add_row(k: Any, totals: list[Any]) -> list[Any]:
                number = code.splat(builder.load(builder.gep(numbers, [k])))
                row = builder.gep(first, [builder.mul(k, args[2])])

                def add_vector(v: Any, _: list[Any]) -> list[Any]:
                    w, place = (code.vector_at(array, builder.add(v, constant(held))) for array in (row, sums))
                    code.store(code.fma(number, code.load(w), code.load(place)), place)
                    return []

                code.repeat(rest, [], add_vector)
                return [code.fma(number, code.load(w), t) for w, t in zip(code.row(row, held), totals, strict=True)]

            places = code.row(sums, held)
            depth = context.make_array(h)(context, builder, args[0]).nitems
            totals = code.repeat(depth, [code.load(place) for place in places], add_row)
            for total, place in zip(totals, places, strict=True):
                code.store(total, place)
            return context.get_dummy_value()

        return signature, generate

    return add_rows


def _products_of_rows(held: int) -> Callable[..., None]:
    """An intrinsic  y = d[:n] (W[:, :n])ᵀ  for n numbers in `count` vectors, the first of them held in registers."""

    @intrinsic
    def multiply_rows(typing: Any, d: Any, W: Any, stride: Any, y: Any, count: Any) -> Any:
        signature = types.void(d, W, types.intp, y, types.intp)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Vectors(builder, context.get_value_type(y.dtype))
            factors, first, results = (
                start(context, builder, signature.args[i], args[i], constant(0)) for i in (0, 1, 3)
            )
            kept = [code.load(place) for place in code.row(factors, held)]
            rest = builder.sub(args[4], constant(held))

            def multiply_row(k: Any, _: list[Any]) -> list[Any]:
                row, chains = builder.gep(first, [builder.mul(k, args[2])]), [code.zero] * CHAINS
                for v, (w, factor) in enumerate(zip(code.row(row, held), kept, strict=True)):
                    chains[v % CHAINS] = code.fma(code.load(w), factor, chains[v % CHAINS])

                def add_vector(v: Any, totals: list[Any]) -> list[Any]:
                    w, d = (code.vector_at(array, builder.add(v, constant(held))) for array in (row, factors))
                    return [code.fma(code.load(w), code.load(d), totals[0])]

                chains[:1] = code.repeat(rest, chains[:1], add_vector)
                builder.store(code.sum(chains), builder.gep(results, [k]))
                return []

            code.repeat(context.make_array(y)(context, builder, args[3]).nitems, [], multiply_row)
            return context.get_dummy_value()

        return signature, generate

    return multiply_rows


def _whole_vectors(product: Callable[[int], Callable[..., None]]) -> Callable[[Array, Array, Array, int], int]:
    """The share of the columns, of which there are `width`, that fill vectors; returns how many they are."""
    many, some, few = map(product, (MANY, SOME, FEW))

    @variant(product.__name__)
    def whole_vectors(row: Array, W: Array, y: Array, width: int) -> int:
        lanes, stride = VECTOR // W.itemsize, W.strides[0] // W.itemsize
        count = width // lanes
        if count >= MANY:
            many(row, W, stride, y, count)
        elif count >= SOME:
            some(row, W, stride, y, count)
        elif count >= FEW:
            few(row, W, stride, y, count)
        else:
            count = 0
        return count * lanes

    return whole_vectors


_add_whole, _multiply_whole = _whole_vectors(_sums_of_columns), _whole_vectors(_products_of_rows)


def add_vector_times(h: Array, W: Array, y: Array) -> None:
    """y += h W for a single row h."""
    raise NotImplementedError


@by_type(add_vector_times)
def _add_vector_times(h: Any, W: Any, y: Any) -> Any:
    return _add_products_with_columns if W.layout == "F" else _add_rows


def _add_products_with_columns(h: Array, W: Array, y: Array) -> None:
    for j in range(len(y)):
        total, column = y[j], W[:, j]
        for k in range(len(h)):
            total += h[k] * column[k]
        y[j] = total


def _add_rows(h: Array, W: Array, y: Array) -> None:
    done = _add_whole(h, W, y, len(y))
    for k in range(len(h) if done < len(y) else 0):
        h0, w = h[k], W[k]
        for j in range(done, len(y)):
            y[j] += h0 * w[j]


@part
def vector_times_transposed(d: Array, W: Array, y: Array) -> None:
    """y = d Wᵀ for a single row d."""
    done = _multiply_whole(d, W, y, len(d))
    for k in range(len(y) if done < len(d) else 0):
        total, w = y[k] if done else y.dtype.type(0), W[k]
        for j in range(done, len(d)):
            total += d[j] * w[j]
        y[k] = total
