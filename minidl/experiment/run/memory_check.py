"""How much memory an experiment takes: asked before a run has a folder, and before its weights are drawn."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from minidl.data.batches import Batches
from minidl.data.independent import Independent
from minidl.engine.memory_limit import OutOfMemory
from minidl.experiment.build.experiment import Experiment

logger = logging.getLogger("minidl")
WORTH_TELLING = 1 << 28  # bytes of a batch that one long example makes
FAR = 8  # times the mean length


def memory_of(experiment: Experiment) -> int:
    """Bytes of weights, gradients, optimizer, the longest batch of training and the longest that is measured."""
    model, data = experiment.model, experiment.dataset
    return model.executor.estimate(_longest(data.train)) + _slots(experiment) + _evaluation(experiment)


def check_memory(experiment: Experiment) -> None:
    """Refuse a run that would be killed for want of memory, and name an example that is much longer than the others."""
    model, data = experiment.model, experiment.dataset
    far = _far_example(experiment)
    checkpoint = model.weights.nbytes + _slots(experiment)
    more = _slots(experiment) + checkpoint + _evaluation(experiment)
    try:
        model.executor.check_fits(_longest(data.train), more=2 * model.weights.nbytes + more)
    except OutOfMemory as error:
        if far:
            error.args = (f"{error}. {far}",)
        raise
    if far and memory_of(experiment) > WORTH_TELLING:
        logger.warning("%s", far)


def _slots(experiment: Experiment) -> int:
    averages = experiment.train.average_weights is not None
    return (len(experiment.optimizer.slot_names) + 2 * averages) * experiment.model.weights.nbytes


def _evaluation(experiment: Experiment) -> int:
    """What a replica takes that runs forward on the longest batch of the parts that are measured."""
    data = experiment.dataset
    parts = [part for part in (data.validation, data.test) if part is not None]
    return max((experiment.model.executor.estimate_forward(_longest(part)) for part in parts), default=0)


def _longest(batches: Batches) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in batches.longest().items()}


def _far_example(experiment: Experiment) -> str:
    """A sentence about the longest example, where it is far longer than the others; else nothing."""
    data: Any = experiment.dataset
    parts = [part for part in (data.train, data.validation, data.test) if isinstance(part, Independent) and part.count]
    if not parts or data.places is None:
        return ""
    part = max(parts, key=lambda part: int(part.lengths.max()))
    i, lengths = int(part.lengths.argmax()), np.concatenate([part.lengths for part in parts])
    longest, mean = int(part.lengths[i]), float(lengths.mean())
    if longest < FAR * mean:
        return ""
    name, lines = data.places
    place = f"{name}:{lines[int(part.rows[i])]}"
    return (
        f"{place}: this example has {longest:,} steps, the mean is {mean:,.0f}, and a batch is as long as its longest "
        "example: correct it, or cut it with max_length (in data)"
    )
