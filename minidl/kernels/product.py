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
from minidl.kernels.tile import ROWS, TALLER, tile
from minidl.kernels.vectors import VECTOR

Array = NDArray[Any]
NEAR = 256  # rows of a panel at a time: as much of it as the first-level cache holds
copy_full, copy_wide, copy_narrow = copying(2, edge=False), copying(2, edge=True), copying(1, edge=True)
DEPTH, WIDTH = 256, 256  # of the block of B that is packed at a time: it stays in the second-level cache


def _panel(vectors: int, *, by_columns: bool, edge: bool) -> Callable[..., None]:
    """C[:, n:n + width] from a panel of B, which begins at P[p]; A begins at its element a."""
    taller, tall, two, one = (tile(rows, vectors, by_columns=by_columns, edge=edge) for rows in (TALLER, ROWS, 2, 1))

    @variant(vectors, by_columns, edge)
    def panel(A: Array, a: int, P: Array, p: int, C: Array, n: int, depth: int, width: int, add: bool) -> None:
        M, ldc = C.shape[0], C.strides[0] // C.itemsize
        lda = A.strides[0] // A.itemsize
        below = 1 if by_columns else lda  # from a row of A to the next
        m = 0
        for _ in range(min(M % ROWS // 2, M // TALLER) if TALLER > ROWS else 0):
            taller(A, a + m * below, lda, P, p, C, n + m * ldc, ldc, depth, width, add)
            m += TALLER
        while m + ROWS <= M:
            tall(A, a + m * below, lda, P, p, C, n + m * ldc, ldc, depth, width, add)
            m += ROWS
        while m + 2 <= M:
            two(A, a + m * below, lda, P, p, C, n + m * ldc, ldc, depth, width, add)
            m += 2
        if m < M:
            one(A, a + m * below, lda, P, p, C, n + m * ldc, ldc, depth, width, add)

    return panel


def _panels(*, by_columns: bool) -> Callable[..., None]:
    """C[:, n0:n1] (+)= A[:, k0:k0 + depth] P."""
    full = _panel(2, by_columns=by_columns, edge=False)
    wide = _panel(2, by_columns=by_columns, edge=True)
    narrow = _panel(1, by_columns=by_columns, edge=True)

    @variant(by_columns)
    def panels(A: Array, k0: int, P: Array, C: Array, n0: int, n1: int, depth: int, add: bool) -> None:
        lanes = VECTOR // C.itemsize
        following = A.strides[0] // A.itemsize if by_columns else 1  # from one k to the next in A
        for n in range(n0, n1, 2 * lanes):
            width = n1 - n
            for k in range(0, depth, NEAR):
                a, some, more = (k0 + k) * following, min(NEAR, depth - k), add or k > 0
                if width >= 2 * lanes:
                    full(A, a, P, (n - n0) * depth + k * 2 * lanes, C, n, some, width, more)
                elif width > lanes:
                    wide(A, a, P, (n - n0) * depth + k * 2 * lanes, C, n, some, width, more)
                else:
                    narrow(A, a, P, (n - n0) * depth + k * lanes, C, n, some, width, more)

    return panels


_along_rows, _along_columns = _panels(by_columns=False), _panels(by_columns=True)


@part
def packed_size(depth: int, width: int, itemsize: int) -> int:
    """Numbers that a packed array of this shape takes: its width is rounded up to whole vectors."""
    lanes = VECTOR // itemsize
    return depth * -(-width // lanes) * lanes


@part
def packed_width(width: int, itemsize: int) -> int:
    """Of a panel that has to hold this many columns more."""
    lanes = VECTOR // itemsize
    return lanes if width <= lanes else 2 * lanes


@part
def pack(B: Array, P: Array, row: int, depth: int) -> None:
    """Put B, rows `row` and following of an array of `depth` rows, where `times` expects it in P."""
    if B.strides[1] == B.itemsize:
        _pack_rows(B, P, row, depth)
    else:
        _pack_columns(B, P, row, depth)


@part
def _pack_rows(B: Array, P: Array, row: int, depth: int) -> None:
    """Row by row, each contiguous: reading is in order."""
    lanes = VECTOR // B.itemsize
    whole = B.shape[1] // (2 * lanes) * (2 * lanes)
    rest, ldb = B.shape[1] - whole, B.strides[0] // B.itemsize
    for k in range(len(B)):
        for n in range(0, whole, 2 * lanes):
            copy_full(B, k * ldb + n, P, n * depth + (row + k) * 2 * lanes, 2 * lanes)
        if rest > lanes:
            copy_wide(B, k * ldb + whole, P, whole * depth + (row + k) * 2 * lanes, rest)
        elif rest:
            copy_narrow(B, k * ldb + whole, P, whole * depth + (row + k) * lanes, rest)


@part
def _pack_columns(B: Array, P: Array, row: int, depth: int) -> None:
    """Each column is contiguous: square blocks are transposed in registers."""
    K, N = B.shape
    lanes, ldb = VECTOR // B.itemsize, B.strides[1] // B.itemsize
    for n in range(0, N, lanes):
        panel = n // (2 * lanes) * (2 * lanes)
        width = packed_width(N - panel, B.itemsize)
        for k in range(0, K, lanes):
            place = panel * depth + (row + k) * width + n - panel
            copy_transposed(B, n * ldb + k, ldb, P, place, width, N - n, K - k)


@part
def times(A: Array, P: Array, C: Array, add: bool) -> None:
    """C = A B, or C += A B, where P holds B packed."""
    _along_rows(A, 0, P, C, 0, C.shape[1], A.shape[1], add)


@part
def transposed_times(A: Array, P: Array, C: Array, add: bool) -> None:
    """C = Aᵀ B, or C += Aᵀ B, where P holds B packed."""
    _along_columns(A, 0, P, C, 0, C.shape[1], A.shape[0], add)


def _multiplication(panels: Callable[..., None], *, by_columns: bool) -> Callable[[Array, Array, Array, bool], None]:
    @variant(by_columns)
    def multiplication(A: Array, B: Array, C: Array, add: bool) -> None:
        K, N = B.shape
        room = np.empty(packed_size(min(K, DEPTH), min(N, WIDTH), C.itemsize), C.dtype)
        for k in range(0, K, DEPTH):
            depth = min(DEPTH, K - k)
            for n in range(0, N, WIDTH):
                end = min(n + WIDTH, N)
                pack(B[k : k + depth, n:end], room, 0, depth)
                panels(A, k, room, C, n, end, depth, add or k > 0)

    return multiplication


multiply = _multiplication(_along_rows, by_columns=False)  # C = A B, or C += A B where the last argument is true
transposed_multiply = _multiplication(_along_columns, by_columns=True)  # C = Aᵀ B, or C += Aᵀ B
