"""The matrix products of a workload alone: the time that no implementation on the same BLAS can do without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.peer import Peer
from benchmarks.workloads import Workload

Array = NDArray[Any]


class Product(NamedTuple):
    """(m, k) times (k, n), so many times in a step; `transposed` is the factor that lies in memory the other way."""

    name: str
    m: int
    k: int
    n: int
    times: int = 1
    transposed: str = ""

    @property
    def flops(self) -> int:
        """Multiplications and additions in a step."""
        return 2 * self.m * self.k * self.n * self.times


def products(workload: Workload) -> list[Product]:
    """Every product of a step. One-hot input needs none: it is a look-up of rows, and a sum of rows backward.

    >>> from benchmarks.workloads import WORKLOADS
    >>> [p.name for p in products(WORKLOADS["W3"])][:3]
    ['lstm_0 h Wh', 'lstm_0 dgates WhT', 'lstm_0 dWh']
    """
    wanted: list[Product] = []
    for layer in range(workload.layers):
        wanted += recurrent(workload, f"lstm_{layer}")
        features = workload.units if layer else workload.embedding
        if features is not None:
            # An embedding's rows can be multiplied once for each symbol where there are fewer symbols than tokens.
            rows = workload.tokens if layer else min(workload.tokens, workload.symbols)
            wanted += affine(f"lstm_{layer} input", rows, features, 4 * workload.units)
    wanted += affine("logits", workload.tokens, workload.units, workload.symbols)
    return wanted if workload.use == "training" else [product for product in wanted if is_forward(product)]


def recurrent(workload: Workload, name: str) -> list[Product]:
    """Those of the recurrent weights: step by step in both directions, and their gradient at once."""
    B, T, H = workload.batch, workload.steps, workload.units
    return [
        Product(f"{name} h Wh", B, H, 4 * H, times=T),
        Product(f"{name} dgates WhT", B, 4 * H, H, times=T),
        Product(f"{name} dWh", H, T * B, 4 * H, transposed="left"),
    ]


def affine(name: str, rows: int, features: int, units: int) -> list[Product]:
    """Those of y = x W: forward, gradient of the weights, gradient of the input."""
    return [
        Product(f"{name} x W", rows, features, units),
        Product(f"{name} dW", features, rows, units, transposed="left"),
        Product(f"{name} dx", rows, units, features, transposed="right"),
    ]


def is_forward(product: Product) -> bool:
    """Whether it is needed without training."""
    return product.name.endswith((" h Wh", " x W"))


class Products(Peer):
    """All products of a step, by NumPy."""

    def __init__(self, workload: Workload) -> None:
        rng = np.random.default_rng(0)
        self.calls = [call for product in products(workload) for call in prepared(product, rng)]

    def step(self) -> float:
        """Each product once."""
        for call in self.calls:
            call()
        return 0.0


def prepared(product: Product, rng: np.random.Generator) -> list[Callable[[], Any]]:
    """The calls of one product, each step with a left factor of its own, as in a sequence."""
    lefts = [random(rng, product.m, product.k, product.transposed == "left") for _ in range(product.times)]
    right = random(rng, product.k, product.n, product.transposed == "right")
    out = np.empty((product.m, product.n), np.float32)
    return [partial(np.matmul, left, right, out=out) for left in lefts]


def random(rng: np.random.Generator, rows: int, columns: int, transposed: bool) -> Array:
    """A float32 matrix, stored row by row, or column by column where transposed."""
    if transposed:
        return rng.random((columns, rows), np.float32).T
    return rng.random((rows, columns), np.float32)
