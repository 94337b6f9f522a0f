"""The inner loop of a matrix product, written in vector instructions: a tile of C stays in registers while k runs.

LLVM makes vector code of plain loops, but does not keep a block of results in registers. This emits the block
directly: `rows` x `vectors` registers of C, each updated by one fused multiply-add for every k.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
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
            def start(array: int, element: int) -> Any:
                data = context.make_array(signature.args[array])(context, builder, args[array]).data
                return builder.gep(data, [args[element]])

            code = _Tile(builder, context.get_value_type(A.dtype), rows, vectors)
            sums = code.products(start(0, 1), args[2], start(3, 4), args[8], by_columns)
            code.put(sums, start(5, 6), args[7], args[9] if edge else None, args[10])
            return context.get_dummy_value()

        return signature, generate

    return multiply_tile


class _Tile:
    """Emits the instructions of one tile; `places` are its registers, as (row, vector)."""

    def __init__(self, builder: Any, real: Any, rows: int, vectors: int) -> None:
        self.builder, self.rows, self.vectors = builder, rows, vectors
        self.size = 4 if isinstance(real, ir.FloatType) else 8
        self.lanes = VECTOR // self.size
        self.vector = ir.VectorType(real, self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)
        self.places = [(m, v) for m in range(rows) for v in range(vectors)]

    def products(self, a: Any, lda: Any, p: Any, depth: Any, by_columns: bool) -> list[Any]:
        """Σ A[m, k] P[k] for each place: a loop over k whose sums do not leave the registers."""
        builder = self.builder
        before, loop, after = builder.block, builder.append_basic_block("k"), builder.append_basic_block("sums")
        rows = [builder.gep(a, [_int(m) if by_columns else builder.mul(lda, _int(m))]) for m in range(self.rows)]
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(INT)
        sums = [builder.phi(self.vector) for _ in self.places]
        packed = builder.gep(p, [builder.mul(k, _int(self.vectors * self.lanes))])
        right = [self.load(builder.gep(packed, [_int(v * self.lanes)])) for v in range(self.vectors)]
        along = builder.mul(k, lda) if by_columns else k
        left = [self.splat(builder.load(builder.gep(row, [along]))) for row in rows]
        fma = self.declare("llvm.fma", self.vector, self.vector, self.vector, self.vector)
        more = [builder.call(fma, [left[m], right[v], sums[i]]) for i, (m, v) in enumerate(self.places)]
        following = builder.add(k, _int(1))
        for phi, first, again in zip([k, *sums], [_int(0)] + [self.zero] * len(sums), [following, *more], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(again, loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
        builder.position_at_end(after)
        return more

    def put(self, sums: list[Any], c: Any, ldc: Any, width: Any, add: Any) -> None:
        """Write the sums to C, or add them to what is there."""
        builder = self.builder
        existing = [None if width is None else self.within(width, v) for v in range(self.vectors)]
        adding = self.splat(add)
        for total, (m, v) in zip(sums, self.places, strict=True):
            element = builder.gep(c, [builder.add(builder.mul(ldc, _int(m)), _int(v * self.lanes))])
            mask = existing[v]
            before = self.load(element, adding if mask is None else builder.and_(adding, mask))
            self.store(builder.fadd(before, total), element, mask)

    def splat(self, number: Any) -> Any:
        """A vector that holds one number in every lane."""
        nothing = ir.Constant(ir.VectorType(number.type, self.lanes), ir.Undefined)
        single = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, nothing, everywhere)

    def within(self, width: Any, v: int) -> Any:
        """Which lanes of vector v lie within the width."""
        columns = range(v * self.lanes, (v + 1) * self.lanes)
        return self.builder.icmp_signed(
            "<", ir.Constant(ir.VectorType(INT, self.lanes), list(columns)), self.splat(width)
        )

    def load(self, place: Any, mask: Any = None) -> Any:
        """A vector from memory that need not be aligned; lanes outside of the mask are zero."""
        pointer = self.builder.bitcast(place, self.vector.as_pointer())
        if mask is None:
            return self.builder.load(pointer, align=self.size)
        function = self.declare("llvm.masked.load", self.vector, pointer.type, ir.IntType(32), mask.type, self.vector)
        return self.builder.call(function, [pointer, ir.Constant(ir.IntType(32), self.size), mask, self.zero])

    def store(self, vector: Any, place: Any, mask: Any = None) -> None:
        """A vector to memory; lanes outside of the mask are left alone."""
        pointer = self.builder.bitcast(place, self.vector.as_pointer())
        if mask is None:
            self.builder.store(vector, pointer, align=self.size)
            return
        function = self.declare(
            "llvm.masked.store", ir.VoidType(), self.vector, pointer.type, ir.IntType(32), mask.type
        )
        self.builder.call(function, [vector, pointer, ir.Constant(ir.IntType(32), self.size), mask])

    def declare(self, name: str, result: Any, *arguments: Any) -> Any:
        """An intrinsic of LLVM for vectors of this type."""
        suffix = f".v{self.lanes}f{8 * self.size}" + (".p0" if "masked" in name else "")
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.builder.module, kind, name + suffix)  # type: ignore[no-untyped-call]


def _int(number: int) -> Any:
    return ir.Constant(INT, number)
