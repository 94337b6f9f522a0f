"""The inner loop of a matrix product, written in vector instructions: a tile of C stays in registers while k runs.

LLVM makes vector code of plain loops, but does not keep a block of results in registers. This emits the block
directly: `rows` x `vectors` registers of C, each updated by one fused multiply-add for every k.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

INT = ir.IntType(64)
WIDE = bool(binding.get_host_cpu_features().get("avx512f"))  # 32 registers of 64 bytes, else 16 of 32
VECTOR = 64 if WIDE else 32  # bytes
ROWS = 8 if WIDE else 6


def tile(rows: int, vectors: int, *, by_columns: bool, edge: bool) -> Callable[..., None]:
    """An intrinsic  C[:rows, :width] = A[:rows, :depth] P, or += where `add` is true.

    A is read along rows, A[m, k] at m · lda + k, or by columns, at k · lda + m. P is packed: `vectors` whole vectors
    for each k. width: columns of C that exist, looked at only in an edge tile. Each array comes with the element at
    which it starts.
    """

    @intrinsic  # type: ignore[misc]
    def multiply_tile(
        typing: Any, A: Any, a: Any, lda: Any, P: Any, p: Any, C: Any, c: Any, ldc: Any, depth: Any, width: Any, add: Any
    ) -> Any:
        n = types.intp
        signature = types.void(A, n, n, P, n, C, n, n, n, n, types.boolean)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def start(array: int, element: int) -> Any:
                data = context.make_array(signature.args[array])(context, builder, args[array]).data
                return builder.gep(data, [args[element]])

            code = _Tile(builder, context.get_value_type(A.dtype), vectors)
            sums = code.products(start(0, 1), args[2], start(3, 4), args[8], rows, by_columns)
            code.put(sums, start(5, 6), args[7], args[9] if edge else None, args[10])
            return context.get_dummy_value()

        return signature, generate

    return multiply_tile  # type: ignore[no-any-return]


class _Tile:
    """Emits the instructions of one tile."""

    def __init__(self, builder: Any, real: Any, vectors: int) -> None:
        self.builder, self.vectors = builder, vectors
        self.size = 4 if isinstance(real, ir.FloatType) else 8
        self.lanes = VECTOR // self.size
        self.vector = ir.VectorType(real, self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)

    def products(self, a: Any, lda: Any, p: Any, depth: Any, rows: int, by_columns: bool) -> list[list[Any]]:
        """Σ A[m, k] P[k] for all rows m: a loop over k whose sums do not leave the registers."""
        builder = self.builder
        before, loop, after = builder.block, builder.append_basic_block("k"), builder.append_basic_block("sums")
        firsts = [builder.gep(a, [_int(m) if by_columns else builder.mul(lda, _int(m))]) for m in range(rows)]
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(INT)
        sums = [[builder.phi(self.vector) for _ in range(self.vectors)] for _ in range(rows)]
        place = builder.gep(p, [builder.mul(k, _int(self.vectors * self.lanes))])
        right = [self.load(builder.gep(place, [_int(v * self.lanes)])) for v in range(self.vectors)]
        along = builder.mul(k, lda) if by_columns else k
        left = [self.splat(builder.load(builder.gep(first, [along]))) for first in firsts]
        fma = self.declare("llvm.fma", self.vector, self.vector, self.vector, self.vector)
        more = [[builder.call(fma, [left[m], right[v], sums[m][v]]) for v in range(self.vectors)] for m in range(rows)]
        following = builder.add(k, _int(1))
        for phi, first, again in [(k, _int(0), following), *zip(chain(*sums), self.zeros(), chain(*more))]:
            phi.add_incoming(first, before)
            phi.add_incoming(again, loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
        builder.position_at_end(after)
        return more
