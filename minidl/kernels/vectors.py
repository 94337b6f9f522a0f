"""Vector instructions inside of kernels, for loops whose values LLVM would not keep in registers by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import cgutils

INT = ir.IntType(64)
WIDE = bool(binding.get_host_cpu_features().get("avx512f"))  # 32 registers of 64 bytes, else 16 of 32
VECTOR = 64 if WIDE else 32  # bytes


def start(context: Any, builder: Any, kind: Any, array: Any, element: Any) -> Any:
    """Where an element of an array stands in memory."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [element])


def constant(number: int) -> Any:
    """A number that is known when a kernel is compiled."""
    return ir.Constant(INT, number)


class Vectors:
    """Emits instructions on whole vectors of one type of real numbers."""

    def __init__(self, builder: Any, real: Any) -> None:
        self.builder, self.real = builder, real
        self.size = 4 if isinstance(real, ir.FloatType) else 8
        self.lanes = VECTOR // self.size
        self.vector = ir.VectorType(real, self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)

    def repeat(self, count: Any, firsts: Sequence[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """A loop over k = 0, ..., count - 1; `body(k, values)` gives the next values. The last ones come back."""
        builder = self.builder
        before, loop, after = builder.block, builder.append_basic_block("k"), builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", constant(0), count), loop, after)
        builder.position_at_end(loop)
        k, values = builder.phi(INT), [builder.phi(first.type) for first in firsts]
        more = body(k, values)
        following, end = builder.add(k, constant(1)), builder.block
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        last = [builder.phi(first.type) for first in firsts]
        self._join(
            zip([k, *values, *last], [constant(0), *firsts, *firsts], [following, *more, *more], strict=True),
            before,
            end,
        )
        return last

    def _join(self, phis: Iterable[tuple[Any, Any, Any]], before: Any, end: Any) -> None:
        for phi, first, again in phis:
            phi.add_incoming(first, before)
            phi.add_incoming(again, end)

    def row(self, start: Any, count: int) -> list[Any]:
        """Where so many vectors in a row stand."""
        return [self.builder.gep(start, [constant(v * self.lanes)]) for v in range(count)]

    def vector_at(self, start: Any, v: Any) -> Any:
        """Where vector v from there stands."""
        return self.builder.gep(start, [self.builder.mul(v, constant(self.lanes))])

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, rounded once."""
        function = self.declare("llvm.fma", self.suffix, self.vector, self.vector, self.vector, self.vector)
        return self.builder.call(function, [a, b, c])

    def fence(self, vector: Any) -> Any:
        """The same vector, kept as it is: LLVM would make one chain of sums that should run side by side."""
        function = self.declare("llvm.arithmetic.fence", self.suffix, self.vector, self.vector)
        return self.builder.call(function, [vector])

    def sum(self, vectors: Sequence[Any]) -> Any:
        """All lanes of all vectors added up."""
        whole = vectors[0]
        for vector in vectors[1:]:
            whole = self.builder.fadd(whole, vector)
        function = self.declare("llvm.vector.reduce.fadd", self.suffix, self.real, self.real, self.vector)
        return self.builder.call(function, [ir.Constant(self.real, 0.0), whole], fastmath=("reassoc",))

    def splat(self, number: Any) -> Any:
        """A vector that holds one number in every lane."""
        nothing = ir.Constant(ir.VectorType(number.type, self.lanes), ir.Undefined)
        single = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, nothing, everywhere)

    def transposed(self, rows: Sequence[Any]) -> list[Any]:
        """As many vectors as each has lanes, with rows for columns.

        Interleaving the first half with the second moves the lowest bit of a lane's number to the highest of its
        row's: after as many times as there are bits, rows and lanes have changed places.
        """
        half, lanes = self.lanes // 2, ir.VectorType(ir.IntType(32), self.lanes)
        pairs = [lane for k in range(self.lanes) for lane in (k, self.lanes + k)]
        masks = ir.Constant(lanes, pairs[: self.lanes]), ir.Constant(lanes, pairs[self.lanes :])
        for _ in range(half.bit_length()):
            rows = [self.builder.shuffle_vector(rows[i], rows[i + half], mask) for i in range(half) for mask in masks]
        return list(rows)

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
        kinds = self.vector, pointer.type, ir.IntType(32), mask.type, self.vector
        function = self.declare("llvm.masked.load", f"{self.suffix}.p0", *kinds)
        return self.builder.call(function, [pointer, ir.Constant(ir.IntType(32), self.size), mask, self.zero])

    def store(self, vector: Any, place: Any, mask: Any = None) -> None:
        """A vector to memory; lanes outside of the mask are left alone."""
        pointer = self.builder.bitcast(place, self.vector.as_pointer())
        if mask is None:
            self.builder.store(vector, pointer, align=self.size)
            return
        kinds = ir.VoidType(), self.vector, pointer.type, ir.IntType(32), mask.type
        function = self.declare("llvm.masked.store", f"{self.suffix}.p0", *kinds)
        self.builder.call(function, [vector, pointer, ir.Constant(ir.IntType(32), self.size), mask])

    @property
    def suffix(self) -> str:
        """How LLVM names its functions for these vectors."""
        return f".v{self.lanes}f{8 * self.size}"

    def declare(self, name: str, suffix: str, result: Any, *arguments: Any) -> Any:
        """A function of LLVM."""
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.builder.module, kind, name + suffix)  # type: ignore[no-untyped-call]
