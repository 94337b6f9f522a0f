"""The inner loop of a matrix product, written in vector instructions: a tile of C stays in registers while k runs.

LLVM makes vector code of plain loops, but does not keep a block of results in registers. This emits the block
directly: `rows` x `vectors` registers of C, each updated by one fused multiply-add for every k.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from minidl.kernels.vectors import WIDE, Vectors, constant, start

ROWS = 8 if WIDE else 6
TALLER = 10 if WIDE else 6  # where two rows would be left over: a small tile waits for its own sums


def tile(rows: int, vectors: int, *, in_strips: bool, edge: bool) -> Callable[..., None]:
    """An intrinsic  C[:rows, :width] = A[:rows, :depth] P, or += where `add` is true.

    A is read along rows, A[m, k] at m · lda + k, or along a strip, at k · lda + m. P is packed: `vectors` whole vectors
    for each k. width: columns of C that exist, looked at only in an edge tile. Each array comes with the element at
    which it starts.
    """

    @intrinsic
    def multiply_tile(
        typing: Any,
        A: Any,
        a: Any,
        lda: Any,
        P: Any,
        p: Any,
        C: Any,
        c: Any,
        ldc: Any,
        depth: Any,
        width: Any,
        add: Any,
    ) -> Any:
        n = types.intp
        signature = types.void(A, n, n, P, n, C, n, n, n, n, types.boolean)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def place(array: int) -> Any:
                return start(context, builder, signature.args[array], args[array], args[array + 1])

            code = _Tile(builder, context.get_value_type(A.dtype), rows, vectors)
            sums = code.products(place(0), args[2], place(3), args[8], in_strips)
            code.put(sums, place(5), args[7], args[9] if edge else None, args[10])
            return context.get_dummy_value()

        return signature, generate

    return multiply_tile


class _Tile(Vectors):
    """Emits the instructions of one tile; `places` are its registers, as (row, vector)."""

    def __init__(self, builder: Any, real: Any, rows: int, vectors: int) -> None:
        super().__init__(builder, real)
        self.rows, self.vectors = rows, vectors
        self.places = [(m, v) for m in range(rows) for v in range(vectors)]

    def products(self, a: Any, lda: Any, p: Any, depth: Any, in_strips: bool) -> list[Any]:
        """Σ A[m, k] P[k] for each place."""
        builder = self.builder
        rows = [builder.gep(a, [constant(m) if in_strips else builder.mul(lda, constant(m))]) for m in range(self.rows)]

        def multiply(k: Any, sums: list[Any]) -> list[Any]:
            packed = builder.gep(p, [builder.mul(k, constant(self.vectors * self.lanes))])
            right = [self.load(place) for place in self.row(packed, self.vectors)]
            along = builder.mul(k, lda) if in_strips else k
            left = [self.splat(builder.load(builder.gep(row, [along]))) for row in rows]
            return [self.fma(left[m], right[v], total) for total, (m, v) in zip(sums, self.places, strict=True)]

        return self.repeat(depth, [self.zero] * len(self.places), multiply)

    def put(self, sums: list[Any], c: Any, ldc: Any, width: Any, add: Any) -> None:
        """Write the sums to C, or add them to what is there."""
        builder = self.builder
        existing = [None if width is None else self.within(width, v) for v in range(self.vectors)]
        adding = self.splat(add)
        for total, (m, v) in zip(sums, self.places, strict=True):
            element = builder.gep(c, [builder.add(builder.mul(ldc, constant(m)), constant(v * self.lanes))])
            mask = existing[v]
            before = self.load(element, adding if mask is None else builder.and_(adding, mask))
            self.store(builder.fadd(before, total), element, mask)
