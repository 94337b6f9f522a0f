"""How much memory an experiment takes: asked before a run has a folder, and before its weights are drawn."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from minidl.data.batches import Batches
from minidl.data.independent import Independent
from minidl.engine.memory_limit import OutOfMemory
from minidl.experiment.build.experiment import Experiment
from minidl.graph.sums import shares
from minidl.system.processes import processes
from minidl.training.batch_parts import sequences_of
from minidl.training.shares import are_added_at_once, branches

logger = logging.getLogger("minidl")
WORTH_TELLING = 1 << 28  # bytes of a batch that one long example makes
FAR = 8  # times the mean length
SUMS = 3  # gradients that are added up at the same time


def memory_of(experiment: Experiment, *, in_shares: bool) -> int:
    """Bytes of weights, gradients, optimizer, the longest batch of training and the longest that is measured.

    in_shares: whether it is trained as by several processes.
    """
    trained = experiment.model.executor.estimate(_longest(experiment.dataset.train))
    return trained + _beside_the_model(experiment, in_shares=in_shares)


def check_memory(experiment: Experiment, *, in_shares: bool) -> None:
    """Refuse a run that would be killed for want of memory, and name an example that is much longer than the others."""
    model, data = experiment.model, experiment.dataset
    far = _far_example(experiment)
    checkpoint = model.weights.nbytes + _slots(experiment)
    more = _beside_the_model(experiment, in_shares=in_shares) + checkpoint
    try:
        model.executor.check_fits(_longest(data.train), more=2 * model.weights.nbytes + more)
    except OutOfMemory as error:
        if far:
            error.args = (f"{error}. {far}",)
        raise
    if far and memory_of(experiment, in_shares=in_shares) > WORTH_TELLING:
        logger.warning("%s", far)


def _beside_the_model(experiment: Experiment, *, in_shares: bool) -> int:
    """What training takes besides what the model does."""
    return _slots(experiment) + _evaluation(experiment) + (_of_shares(experiment) if in_shares else 0)


def _slots(experiment: Experiment) -> int:
    averages = experiment.train.average_weights is not None
    return (len(experiment.optimizer.slot_names) + 2 * averages) * experiment.model.weights.nbytes


def _of_shares(experiment: Experiment) -> int:
    """The gradient of each process, and that of each own share where shares are computed one by one, and their sums."""
    model, inputs, together = experiment.model, experiment.dataset.train.batch(0).inputs, processes()
    first, end = branches(together.size, shares(sequences_of(model, inputs) or 1))[together.rank]
    one_by_one = experiment.processes.average_every is None and not (
        experiment.train.accumulate == 1 and are_added_at_once(model, inputs)
    )
    count = (together.size if together.size > 1 else 0) + (end - first + SUMS if one_by_one else 0)
    return count * model.weights.nbytes


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
