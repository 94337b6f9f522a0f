"""Products with one matrix at each step: whole or in blocks of columns, they are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import Model
from minidl.layers import GRU, LSTM, RNN, product
from minidl.layers.product import Product, blocks

SIZES = st.integers(1, 20)


@given(rows=SIZES, K=SIZES, N=SIZES, small=st.integers(1, 500), steps=st.integers(1, 2), transposed=st.booleans())
def test_blocks_change_nothing(rows: int, K: int, N: int, small: int, steps: int, transposed: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, K)).astype(np.float32)
    W = rng.standard_normal((N, K) if transposed else (K, N)).astype(np.float32)
    W = W.T if transposed else W
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "blas_architecture", lambda: "SkylakeX")
        patch.setattr(product, "SMALL", small)
        patch.setattr(product, "WIDTHS", (4, 2))
        found = Product(W, np.empty((N, K), np.float32), rows, steps)(x, out=np.empty((rows, N), np.float32))
    np.testing.assert_allclose(found, x @ W, rtol=1e-5, atol=1e-5)


def test_blocks_are_columns_and_write_where_they_came_from() -> None:
    x = np.arange(12).reshape(2, 6)
    assert blocks(x, 2).tolist() == [[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]
    blocks(x, 3)[...] = 0
    assert not x.any()


@pytest.mark.parametrize(
    ("architecture", "dtype", "rows", "width"),
    [
        ("SkylakeX", "float32", 32, 64),
        ("SkylakeX", "float32", 200, 32),
        ("SkylakeX", "float32", 1, 0),
        ("SkylakeX", "float32", 8, 0),
        ("SkylakeX", "float32", 1000, 0),
        ("SkylakeX", "float64", 32, 0),
        ("Haswell", "float32", 32, 0),
        ("unknown", "float32", 32, 0),
    ],
)
def test_where_blocks_are_faster(
    architecture: str, dtype: str, rows: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "blas_architecture", lambda: architecture)
    assert product.width_of_blocks(np.zeros((128, 512), dtype), rows) == width


@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_a_cell_computes_the_same_in_blocks(cell: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((3, 32, 5))

    def results() -> list[np.ndarray[Any, Any]]:
        model = Model.of(cell(192), x, dtype="float32")
        y = model.forward(x=x)["y"].copy()
        model.backward(y=y)
        return [y, *(gradient.copy() for gradient in model.gradients.values())]

    monkeypatch.setattr(product, "blas_architecture", lambda: "SkylakeX")
    assert product.width_of_blocks(np.zeros((192, 192), np.float32), 32)
    in_blocks = results()
    monkeypatch.setattr(product, "blas_architecture", lambda: "Haswell")
    for ours, whole in zip(in_blocks, results(), strict=True):
        np.testing.assert_allclose(ours, whole, rtol=1e-4, atol=1e-5)


def test_room_for_computing_is_no_array_of_a_model() -> None:
    """It holds anything: a search for the first array that is not finite would find it there."""
    model = Model.of(LSTM(3), np.zeros((5, 2, 4)))
    assert {name for name in model.arrays if "room" in name or "past" in name} == set()
