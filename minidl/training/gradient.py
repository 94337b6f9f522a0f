"""The gradient of one update: of one batch, or of several that are added up as if they were one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from minidl.data.batches import Batch
from minidl.model import Model
from minidl.system.errors import NumericsError
from minidl.training.metrics import MetricAccumulator, is_mean


def fill_gradient(
    model: Model, batches: Sequence[Batch], *, carry: bool, cut: Callable[[Batch], Batch] | None = None
) -> float:
    """Forward and backward on each batch; the gradient of their loss is left in the model, and the loss returned.

    A loss that is a mean over targets is the mean over those of all batches: batches that are padded otherwise weigh
    otherwise. carry: whether recurrent layers go on from the batch before. cut: takes the part of each batch that is to
    be run, right before that.
    """
    if len(batches) == 1:
        return _pass(model, cut(batches[0]) if cut else batches[0], carry)
    total, loss, count = np.zeros_like(model.executor.gradient), 0.0, 0.0
    for whole in batches:
        batch = cut(whole) if cut else whole
        own = _pass(model, batch, carry)
        tally = MetricAccumulator()
        tally.add(model, own, batch.inputs, measures=False)
        weight = tally.count if is_mean(model) else 1.0
        total += weight * model.executor.gradient
        loss, count = loss + weight * own, count + weight
    scale = 1 / max(count, 1.0) if is_mean(model) else 1.0
    np.multiply(total, scale, out=model.executor.gradient)
    return loss * scale


def _pass(model: Model, batch: Batch, carry: bool) -> float:
    if batch.reset_state or not carry:
        model.reset_state()
    loss: float = model.forward(**batch.inputs)["loss"]
    if not math.isfinite(loss):
        raise NumericsError(f"the loss is {loss}")
    model.backward()
    return loss
