"""What computes a model, and on how many threads: as a user says, or measured, since more threads can be slower.

Compiled kernels share the rows of a batch over threads of their own, and the BLAS then gets one; without them it is the
BLAS that may use several.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from minidl.engine import dispatch, threads
from minidl.graph.arrays import Array
from minidl.model import Model

ROUNDS, ENOUGH = 5, 1.0  # trials of each number, and seconds after which no further round is begun
# As long as one thread looks fastest: a system may take a tenth of a second to give a new one a processor to itself.
MOST_ROUNDS, PATIENCE = 50, 0.2
WORTHWHILE = 0.95  # of the time with fewer threads: below that, more are kept


def use_threads(count: int) -> None:
    """Compute with so many threads from now on."""
    compiled = dispatch.in_use() != dispatch.NUMPY
    threads.use(count if compiled else 1)
    threads.limit_blas(1 if compiled else count)


def use_fastest(model: Model, inputs: Mapping[str, Array]) -> int:
    """Measure a few training steps on a replica of a model, and keep the number of threads that was the fastest.

    inputs: what `forward` takes, with targets. The model itself is left alone, and layers that are not minidl's are not
    run: they may keep something from call to call, which a trial would change.

    >>> from minidl import Input
    >>> from minidl.layers import MSE, Dense
    >>> model = Model(MSE()(Dense(1)(Input("x", depth=1)), Input("targets", depth=1)))
    >>> use_fastest(model, {"x": np.ones((2, 3, 1)), "targets": np.ones((2, 3, 1))}) <= threads.available()
    True
    """
    most = threads.available() if dispatch.in_use() != dispatch.NUMPY else threads.blas_available()
    best = _fastest(_seconds(_trial(model), inputs, most)) if most > 1 else 1
    use_threads(best)
    return best


def _trial(model: Model) -> Model:
    """A replica that runs no code of the user's."""
    trial = model.replica(training=True)
    nodes = model.graph.nodes
    trial.executor.left_out = frozenset(name for name, node in nodes.items() if not node.layer.is_own())
    return trial


def _seconds(trial: Model, inputs: Mapping[str, Array], most: int) -> dict[int, float]:
    """The shortest time of a step, by the number of threads: 1, 2, 4, ..."""
    seconds = {2**power: math.inf for power in range(most.bit_length())}
    _step(trial, inputs)  # allocates, and compiles
    begun = time.perf_counter()
    for done in range(1, MOST_ROUNDS + 1):
        for count in seconds:
            use_threads(count)
            seconds[count] = min(seconds[count], _step(trial, inputs))
        spent = time.perf_counter() - begun
        if spent > ENOUGH or (done >= ROUNDS and (_fastest(seconds) > 1 or spent > PATIENCE)):
            break
    return seconds


@np.errstate(all="ignore")
def _step(trial: Model, inputs: Mapping[str, Array]) -> float:
    begun = time.perf_counter()
    trial.forward(**inputs)
    trial.backward()
    return time.perf_counter() - begun


def _fastest(seconds: Mapping[int, float]) -> int:
    """The number with the shortest time, where each larger one has to be worth it.

    >>> _fastest({1: 1.0, 2: 0.98, 4: 0.7})
    4
    """
    best = min(seconds)
    for count in sorted(seconds):
        if seconds[count] < WORTHWHILE * seconds[best]:
            best = count
    return best
