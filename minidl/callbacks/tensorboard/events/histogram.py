"""Histograms of weights, gradients and activations, binned fast enough to be taken while training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.callbacks.tensorboard.events.protos import load_protos

BINS = 64  # TensorBoard draws 30


def histogram_summary(tag: str, values: ArrayLike) -> Any:
    """A Summary of the finite values, and of how many were not, as "<tag>/non_finite"; of neither where there is none.

    values: real numbers of any shape; TensorBoard shows float32, so larger ones count as infinite.

    >>> summary = histogram_summary("gradients/b", [1.0, 2.0, 2.0, np.nan])
    >>> summary.value[0].histo.num, summary.value[1].simple_value
    (3.0, 1.0)
    """
    with np.errstate(over="ignore"):
        single = np.asarray(values, dtype=np.float32).reshape(-1)
    finite = single[np.isfinite(single)]
    protos = load_protos()
    summary = protos.Summary()
    if finite.size:
        summary.value.add(tag=tag, histo=_histogram(finite.astype(np.float64)))
    if dropped := single.size - finite.size:
        summary.value.add(tag=f"{tag}/non_finite", simple_value=dropped)
    return summary


def _histogram(values: NDArray[np.float64]) -> Any:
    low, high = float(values.min()), float(values.max())
    limits, counts = _bins(values, low, high)
    return load_protos().HistogramProto(
        min=low,
        max=high,
        num=values.size,
        sum=values.sum(),
        sum_squares=np.square(values).sum(),
        bucket_limit=limits,
        bucket=counts,
    )


def _bins(values: NDArray[np.float64], low: float, high: float) -> tuple[list[float], list[int]]:
    """Upper limits and counts of bins of equal width; np.histogram takes several times as long."""
    if low == high:
        return [high], [values.size]
    position = values - low
    position *= BINS / (high - low)
    index = position.astype(np.intp)
    counts = np.bincount(np.minimum(index, BINS - 1, out=index), minlength=BINS)
    return np.linspace(low, high, BINS + 1)[1:].tolist(), counts.tolist()
