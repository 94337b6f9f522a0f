"""Matrix products inside of kernels: B is packed into panels as wide as a tile, and C computed tile by tile.

Faster than calls of a BLAS where one operand is small or used again: weights are packed once for all steps of a
sequence, and rows are packed while they are in the cache. All arrays are contiguous along rows,
but B may be transposed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.kernels.compiler import part, variant
from minidl.kernels.copies import copy_transposed, copying
from minidl.kernels.strides import column_stride, lanes, row_stride
from minidl.kernels.tile import ROWS, TALLER, tile

Array = NDArray[Any]
copy_full, copy_wide, copy_narrow = copying(2, edge=False), copying(2, edge=True), copying(1, edge=True)
DEPTH, WIDTH = 256, 256  # of the block of B that is packed at a time: it stays in the second-level cache
NEAR = DEPTH  # rows of a panel at a time: as much of it as the first-level cache holds


@part
def height(m: int, M: int) -> int:
    """Of the tile at row m, of M rows in all."""
    many = min(M % ROWS // 2, M // TALLER) if TALLER > ROWS else 0
    if m < many * TALLER:
        return TALLER
    return ROWS if m + ROWS <= M else 2 if m + 2 <= M else 1


def _panel(vectors: int, *, in_strips: bool, edge: bool) -> Callable[..., None]:
    """C[:, n:n + width] from a panel of B, which begins at P[p]; A begins at its element a."""
    taller, tall, two, one = (tile(rows, vectors, in_strips=in_strips, edge=edge) for rows in (TALLER, ROWS, 2, 1))

    @variant(vectors, in_strips, edge)
    def panel(A: Array, a: int, P: Array, p: int, C: Array, n: int, depth: int, width: int, add: bool) -> None:
        M, ldc, lda = C.shape[0], row_stride(C), row_stride(A)
        m = 0
        while m < M:
            rows = height(m, M)
            first, ld = (a + m * depth, rows) if in_strips else (a + m * lda, lda)
            if rows == TALLER:
                taller(A, first, ld, P, p, C, n + m * ldc, ldc, depth, width, add)
            elif rows == ROWS:
                tall(A, first, ld, P, p, C, n + m * ldc, ldc, depth, width, add)
            elif rows == 2:
                two(A, first, ld, P, p, C, n + m * ldc, ldc, depth, width, add)
            else:
                one(A, first, ld, P, p, C, n + m * ldc, ldc, depth, width, add)
            m += rows

    return panel


def _panels(*, in_strips: bool) -> Callable[..., None]:
    """C[:, n0:n1] (+)= A[:, k0:k0 + depth] P."""
    full = _panel(2, in_strips=in_strips, edge=False)
    partly = _panel(2, in_strips=in_strips, edge=True)
    narrow = _panel(1, in_strips=in_strips, edge=True)

    @variant(in_strips)
    def panels(A: Array, k0: int, P: Array, C: Array, n0: int, n1: int, depth: int, add: bool) -> None:
        wide = 2 * lanes(C)
        for n in range(n0, n1, wide):
            width = n1 - n
            for k in range(0, depth, NEAR):
                some, more = min(NEAR, depth - k), add or k > 0
                a = (k0 + k) * len(C) if in_strips else k0 + k
                if width >= wide:
                    full(A, a, P, (n - n0) * depth + k * wide, C, n, some, width, more)
                elif width > lanes(C):
                    partly(A, a, P, (n - n0) * depth + k * wide, C, n, some, width, more)
                else:
                    narrow(A, a, P, (n - n0) * depth + k * lanes(C), C, n, some, width, more)

    return panels


_along_rows, _along_strips = _panels(in_strips=False), _panels(in_strips=True)


@part
def strips(A: Array) -> Array:
    """Aᵀ cut into strips as high as the tiles, each in one piece, for every NEAR columns of it.

    Else a tile would read a little of each of many pages. Vectors that are wider than a strip are written over by what
    follows them.
    """
    (K, M), lda = A.shape, row_stride(A)
    room = np.empty(K * M + 2 * lanes(A), A.dtype)
    for k0 in range(0, K, NEAR):
        depth, m = min(NEAR, K - k0), 0
        while m < M:
            rows, place = height(m, M), k0 * M + m * depth
            for k in range(depth):
                if rows <= lanes(A):
                    copy_narrow(A, (k0 + k) * lda + m, room, place + k * rows, M - m)
                else:
                    copy_wide(A, (k0 + k) * lda + m, room, place + k * rows, M - m)
            m += rows
    return room


@part
def packed_size(depth: int, width: int, like: Array) -> int:
    """Numbers that a packed array of this shape takes: its width is rounded up to whole vectors."""
    return depth * -(-width // lanes(like)) * lanes(like)


@part
def pack(B: Array, lo: int, hi: int, P: Array, p: int, row: int, depth: int) -> None:
    """Put rows lo to hi of B, as rows `row` and following of `depth`, where `times` expects them from P[p] on."""
    if column_stride(B) == 1:
        _pack_rows(B, lo, hi, P, p, row, depth)
    else:
        _pack_columns(B, lo, hi, P, p, row, depth)


@part
def _pack_rows(B: Array, lo: int, hi: int, P: Array, p: int, row: int, depth: int) -> None:
    """Row by row, each contiguous: reading is in order."""
    wide, ldb = 2 * lanes(B), row_stride(B)
    whole = B.shape[1] // wide * wide
    rest = B.shape[1] - whole
    for k in range(lo, hi):
        place = p + (row + k - lo) * wide
        for n in range(0, whole, wide):
            copy_full(B, k * ldb + n, P, place + n * depth, wide)
        if rest > lanes(B):
            copy_wide(B, k * ldb + whole, P, place + whole * depth, rest)
        elif rest:
            copy_narrow(B, k * ldb + whole, P, p + whole * depth + (row + k - lo) * lanes(B), rest)


@part
def _pack_columns(B: Array, lo: int, hi: int, P: Array, p: int, row: int, depth: int) -> None:
    """Each column is contiguous: square blocks are transposed in registers."""
    N, wide, ldb = B.shape[1], 2 * lanes(B), column_stride(B)
    for n in range(0, N, lanes(B)):
        panel = n // wide * wide
        width = wide if N - panel > lanes(B) else lanes(B)
        for k in range(lo, hi, lanes(B)):
            place = p + panel * depth + (row + k - lo) * width + n - panel
            copy_transposed(B, n * ldb + k, ldb, P, place, width, N - n, hi - k)


@part
def times(A: Array, P: Array, C: Array, add: bool) -> None:
    """C = A B, or C += A B, where P holds B packed."""
    _along_rows(A, 0, P, C, 0, C.shape[1], A.shape[1], add)


@part
def transposed_times(A: Array, P: Array, C: Array, depth: int, add: bool) -> None:
    """C = Aᵀ B, or C += Aᵀ B, where A holds the strips of Aᵀ, as deep as said, and P holds B packed."""
    _along_strips(A, 0, P, C, 0, C.shape[1], depth, add)


def _multiplication(panels: Callable[..., None], *, in_strips: bool) -> Callable[[Array, Array, Array, bool], None]:
    @variant(in_strips)
    def multiplication(A: Array, B: Array, C: Array, add: bool) -> None:
        K, N = B.shape
        room = np.empty(packed_size(min(K, DEPTH), min(N, WIDTH), C), C.dtype)
        for k in range(0, K, DEPTH):
            depth = min(DEPTH, K - k)
            for n in range(0, N, WIDTH):
                end = min(n + WIDTH, N)
                pack(B[:, n:end], k, k + depth, room, 0, 0, depth)
                panels(A, k, room, C, n, end, depth, add or k > 0)

    return multiplication


multiply = _multiplication(_along_rows, in_strips=False)  # C = A B, or C += A B where the last argument is true
transposed_multiply = _multiplication(_along_strips, in_strips=True)  # C = Aᵀ B, or C += Aᵀ B, from strips of Aᵀ
