"""Product: of one matrix with the rows of one step after the other."""

from __future__ import annotations

import numpy as np

from minidl.graph.arrays import Array
from minidl.system.blas import blas_architecture

UNPACKED = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # kernels of OpenBLAS for AVX-512
SMALL = 1_000_000  # multiplications up to which they read a matrix where it lies
WIDTHS = 64, 32  # of blocks, the faster first


class Product:
    """x W for the x (rows, K) of so many steps: W (K, N) is laid out once, in `room`, as the BLAS is quick with it.

    A BLAS packs W anew in each product, but that of AVX-512 reads it where it lies in small ones. There W is cut into
    blocks of columns, which make small products of a large one: in float32 they take a quarter less time.

    >>> times_W = Product(np.eye(2), room=np.empty((2, 2)), rows=1, steps=1)
    >>> times_W(np.array([[3.0, 4.0]]), out=np.empty((1, 2))).tolist()
    [[3.0, 4.0]]
    """

    def __init__(self, W: Array, room: Array, rows: int, steps: int) -> None:
        self.width = width_of_blocks(W, rows) if steps > 1 else 0  # for one step, laying out takes longer than it saves
        laid_out = blocks(W, self.width) if self.width else W
        if rows == 1 or laid_out.flags.c_contiguous:
            self.W = laid_out
        else:
            self.W = room.reshape(laid_out.shape)
            self.W[...] = laid_out

    def __call__(self, x: Array, out: Array) -> Array:
        """out = x W."""
        if self.width:
            np.matmul(x, self.W, out=blocks(out, self.width))
        else:
            np.dot(x, self.W, out=out)
        return out


def blocks(x: Array, width: int) -> Array:
    """A view (n, K, width) of the columns of x (K, n width).

    >>> blocks(np.array([[1, 2, 3, 4]]), 2).tolist()
    [[[1, 2]], [[3, 4]]]
    """
    return x.reshape(len(x), -1, width).swapaxes(0, 1)


def width_of_blocks(W: Array, rows: int) -> int:
    """How wide blocks of W are for so many rows; 0 where it is quicker whole."""
    if rows == 1 or rows * W.size <= SMALL or W.dtype != np.float32 or blas_architecture() not in UNPACKED:
        return 0
    return next((n for n in WIDTHS if W.shape[1] % n == 0 and rows * len(W) * n <= SMALL), 0)
