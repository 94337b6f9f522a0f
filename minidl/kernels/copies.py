"""Copies of whole vectors, with which matrices are packed: views of a few numbers cost more than the copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from minidl.kernels.vectors import Vectors, constant, start


def copying(vectors: int, *, edge: bool) -> Callable[..., None]:
    """An intrinsic that copies so many vectors, from element a of an array to element b of another.

    width: numbers that exist, looked at only at an edge; zeros take the place of the others.
    """

    @intrinsic
    def copy_vectors(typing: Any, A: Any, a: Any, B: Any, b: Any, width: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Vectors(builder, context.get_value_type(A.dtype))
            source, target = (start(context, builder, signature.args[i], args[i], args[i + 1]) for i in (0, 2))
            for v, (one, other) in enumerate(zip(code.row(source, vectors), code.row(target, vectors), strict=True)):
                code.store(code.load(one, code.within(args[4], v) if edge else None), other)
            return context.get_dummy_value()

        return types.void(A, types.intp, B, types.intp, types.intp), generate

    return copy_vectors


def _transposing() -> Callable[..., None]:
    """An intrinsic that copies a square block, a vector wide, transposed: B[b + k ldb + j] = A[a + j lda + k].

    rows, columns: of A that exist; zeros take the place of rows that do not, and nothing that of columns.
    """

    @intrinsic
    def copy_transposed(
        typing: Any, A: Any, a: Any, lda: Any, B: Any, b: Any, ldb: Any, rows: Any, columns: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Vectors(builder, context.get_value_type(A.dtype))
            source, target = (start(context, builder, signature.args[i], args[i], args[i + 1]) for i in (0, 3))
            existing = code.within(args[7], 0)

            def exists(number: int, count: Any) -> Any:
                return code.splat(builder.icmp_signed("<", constant(number), count))

            block = [
                code.load(
                    builder.gep(source, [builder.mul(args[2], constant(j))]), builder.and_(existing, exists(j, args[6]))
                )
                for j in range(code.lanes)
            ]
            for k, row in enumerate(code.transposed(block)):
                place = builder.gep(target, [builder.mul(args[5], constant(k))])
                code.store(row, place, exists(k, args[7]))
            return context.get_dummy_value()

        return types.void(A, types.intp, types.intp, B, types.intp, types.intp, types.intp, types.intp), generate

    return copy_transposed


copy_transposed = _transposing()
