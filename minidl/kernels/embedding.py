"""Embedding, compiled: the equations of `minidl.layers.embedding`."""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray

from minidl.engine.dispatch import Call
from minidl.graph.operations import rows
from minidl.kernels.compiler import kernel
from minidl.kernels.rows import clear, scatter
from minidl.layers.embedding import Embedding

Array = NDArray[Any]


def backward(layer: Embedding, ids: Array, dy: Array, dtable: Array) -> Call:
    """As Embedding.backward."""
    return partial(scatter_rows, ids.reshape(-1), rows(dy), dtable)


@kernel
def scatter_rows(ids: Array, dy: Array, out: Array) -> None:
    """out[k] = sum of the rows of dy whose id is k."""
    clear(out)
    scatter(ids, dy, 0, len(dy), out.reshape((1, out.shape[0], out.shape[1])), 0)
