"""ReachMetrics: how far back the gradient reaches, and how many gates are shut or open for good."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minidl.explain import Subject, by_lag
from minidl.explain.embedded import Embedded
from minidl.explain.gates import contents, gate_names
from minidl.explain.values import computed, within_lengths
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.system.errors import UsageError
from minidl.training.callback import Callback, Run

LAGS = (1, 2, 4, 8, 16, 32)
LONGEST = 64  # steps of a sequence that are looked at
REACHES = 0.01  # of the influence of the last step
NEAR = 0.05  # the end of a gate's range, as a share of it


@dataclass(eq=False)
class ReachMetrics(Callback):
    """Records, of the first sequence of the last batch, and for gates of its first 8:

        layers/gradient_by_lag/LAG     influence of a step so far back, by that of the last step
        layers/gradient_reach          the farthest lag at which that is a hundredth
        layers/saturation/NODE/GATE    share of gate values near an end of their range

    Nothing of a model that does not read one sequence, or whose loss is not finite.
    """

    order = Callback.MEASURE

    def act(self, trainer: Run) -> None:
        """Put them into the record of this step."""
        if not math.isfinite(trainer.loss):
            return
        trainer.record |= dict(saturation(trainer.model))
        trainer.record |= dict(reach(trainer.model, trainer.batch.inputs))


def saturation(model: Model) -> Iterator[tuple[str, float]]:
    """The share of near-constant values of each gate in the last forward pass."""
    within = within_lengths(model)
    for node in model.graph.nodes:
        layer, read = model.graph.nodes[node].layer, within.get(model.graph.nodes[node].shape[:1])
        gates, signed = gate_names(layer), contents(layer)
        values = computed(model, node) if gates else {}
        for gate in gates:
            if gate in signed and f"{node}/Wh" not in model.parameters:
                continue  # it has no bounds
            array = values[gate] if read is None else values[gate][read]
            array = np.abs(array) if gate in signed else np.abs(2 * array - 1)
            yield f"layers/saturation/{node}/{gate}", float((array > 1 - 2 * NEAR).mean())


def reach(model: Model, inputs: dict[str, Array]) -> Iterator[tuple[str, float]]:
    """Influence by lag on the first sequence of a batch."""
    try:
        subject = Subject.of(model)
    except UsageError:
        return
    lengths = inputs.get("lengths")
    end = LONGEST if lengths is None else min(LONGEST, int(lengths[0]))
    shares = by_lag(Embedded.of(subject), inputs[subject.input][:end, 0])
    if not (shares[0] > 0 and np.isfinite(shares).all()):
        return
    shares = shares / shares[0]
    for lag in LAGS:
        if lag < len(shares):
            yield f"layers/gradient_by_lag/{lag}", float(shares[lag])
    yield "layers/gradient_reach", float(np.flatnonzero(shares >= REACHES)[-1])
