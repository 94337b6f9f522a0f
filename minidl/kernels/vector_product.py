"""Products of a single row and a matrix, as one stream needs them: the matrix is read once, from end to end.

They take as long as reading the matrix does. The other vector stays in registers meanwhile, a part of it at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from minidl.kernels.compiler import by_type, part, variant
from minidl.kernels.rows import clear
from minidl.kernels.strides import lanes, row_stride
from minidl.kernels.vectors import INT, WIDE, Vectors, constant, start

Array = NDArray[Any]
MANY, SOME, FEW = (24, 12, 4) if WIDE else (12, 6, 2)  # vectors of a block: as many as registers hold, or less
LAST = 4 if WIDE else 2  # vectors at the end of a block, which overlap the others unless it is as wide as can be
CHAINS = LAST  # sums that do not wait for each other


class _Block(Vectors):
    """Emits what is done with a block of columns, `first` to `end`: the vectors at its start and at its end."""

    def __init__(self, builder: Any, real: Any, count: int, first: Any, end: Any) -> None:
        super().__init__(builder, real)
        self.count, self.first, self.last = count, first, builder.sub(end, constant(LAST * self.lanes))

    def ends(self, start: Any) -> list[Any]:
        """The addresses of the first vectors, and of the last ones, of a row that begins there.

        As numbers: two pointers would become one and a common index, with which each vector takes two operations.
        """
        ends = (self.builder.gep(start, [column]) for column in (self.first, self.last))
        return [self.builder.ptrtoint(end, INT) for end in ends]

    def below(self, ends: list[Any], stride: Any) -> list[Any]:
        """The same in the row below."""
        bytes_ = self.builder.mul(stride, constant(self.size))
        return [self.builder.add(end, bytes_) for end in ends]

    def places(self, ends: list[Any]) -> list[Any]:
        """Where the vectors of a row with these ends stand."""
        first, last = (self.builder.inttoptr(end, self.real.as_pointer()) for end in ends)
        return self.row(first, self.count) + self.row(last, LAST)

    def without_overlap(self, vectors: list[Any]) -> list[Any]:
        """These vectors, with zeros in the last ones for what is in the first ones too."""
        overlap = self.builder.sub(self.builder.add(self.first, constant(self.count * self.lanes)), self.last)
        lasts = enumerate(vectors[self.count :])
        return vectors[: self.count] + [
            self.builder.select(self.within(overlap, v), self.zero, vector) for v, vector in lasts
        ]


def _sums_of_columns(count: int) -> Callable[..., None]:
    """An intrinsic  y += h W  for a block of columns: the sums stay in registers."""

    @intrinsic
    def add_rows(typing: Any, h: Any, W: Any, stride: Any, y: Any, first: Any, end: Any) -> Any:
        signature = types.void(h, W, types.intp, y, types.intp, types.intp)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = _Block(builder, context.get_value_type(y.dtype), count, args[4], args[5])
            numbers, matrix, sums = (
                start(context, builder, signature.args[i], args[i], constant(0)) for i in (0, 1, 3)
            )

            def add_row(k: Any, values: list[Any]) -> list[Any]:
                ends, totals = values[:2], values[2:]
                number = code.splat(builder.load(builder.gep(numbers, [k])))
                row = map(code.load, code.places(ends))
                totals = [code.fma(number, w, total) for w, total in zip(row, totals, strict=True)]
                return code.below(ends, args[2]) + totals

            places = code.places(code.ends(sums))
            depth = context.make_array(h)(context, builder, args[0]).nitems
            totals = code.repeat(depth, code.ends(matrix) + [code.load(place) for place in places], add_row)[2:]
            for total, place in zip(totals, places, strict=True):
                code.store(total, place)
            return context.get_dummy_value()

        return signature, generate

    return add_rows


def _products_of_rows(count: int) -> Callable[..., None]:
    """An intrinsic  y += d Wᵀ  for a block of columns of W: this part of d stays in registers."""

    @intrinsic
    def multiply_rows(typing: Any, d: Any, W: Any, stride: Any, y: Any, first: Any, end: Any) -> Any:
        signature = types.void(d, W, types.intp, y, types.intp, types.intp)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = _Block(builder, context.get_value_type(y.dtype), count, args[4], args[5])
            factors, matrix, sums = (
                start(context, builder, signature.args[i], args[i], constant(0)) for i in (0, 1, 3)
            )
            kept = code.without_overlap([code.load(place) for place in code.places(code.ends(factors))])

            def multiply_row(k: Any, ends: list[Any]) -> list[Any]:
                row = map(code.load, code.places(ends))
                pairs = list(zip(row, kept, strict=True))
                chains = [builder.fmul(w, factor) for w, factor in pairs[:CHAINS]]
                for v, (w, factor) in enumerate(pairs[CHAINS:]):
                    chains[v % CHAINS] = code.fma(w, factor, chains[v % CHAINS])
                total = code.sum([code.fence(chain) for chain in chains])
                place = builder.gep(sums, [k])
                builder.store(builder.fadd(builder.load(place), total), place)
                return code.below(ends, args[2])

            code.repeat(context.make_array(y)(context, builder, args[3]).nitems, code.ends(matrix), multiply_row)
            return context.get_dummy_value()

        return signature, generate

    return multiply_rows


def _blocks_of(product: Callable[[int], Callable[..., None]], count: int) -> Callable[[Array, Array, Array, int], int]:
    """Goes on after so many columns, in blocks of `count` vectors and more; returns how many are done then."""
    block = product(count)

    @variant(product.__name__, count)
    def blocks(row: Array, W: Array, y: Array, done: int) -> int:
        width = W.shape[1]
        while width - done >= count * lanes(W):
            end = min(width, done + (count + LAST) * lanes(W))
            block(row, W, row_stride(W), y, done, end)
            done = end
        return done

    return blocks


def _in_blocks(product: Callable[[int], Callable[..., None]]) -> Callable[[Array, Array, Array], int]:
    """The columns, in blocks; returns after how many plain loops go on."""
    many, some, few = (_blocks_of(product, count) for count in (MANY, SOME, FEW))

    @variant(product.__name__)
    def in_blocks(row: Array, W: Array, y: Array) -> int:
        done: int = few(row, W, y, some(row, W, y, many(row, W, y, 0)))
        return done

    return in_blocks


_add_blocks, _multiply_blocks = _in_blocks(_sums_of_columns), _in_blocks(_products_of_rows)


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
    done = _add_blocks(h, W, y)
    for k in range(len(h) if done < len(y) else 0):
        h0, w = h[k], W[k]
        for j in range(done, len(y)):
            y[j] += h0 * w[j]


@part
def vector_times_transposed(d: Array, W: Array, y: Array) -> None:
    """y = d Wᵀ for a single row d."""
    clear(y)
    done = _multiply_blocks(d, W, y)
    for k in range(len(y) if done < len(d) else 0):
        total, w = y[k], W[k]
        for j in range(done, len(d)):
            total += d[j] * w[j]
        y[k] = total
