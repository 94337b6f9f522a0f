"""What TensorBoard's Histograms tab shows: weights, their gradients, and what each layer has just computed."""

from __future__ import annotations

from collections.abc import Iterator

from minidl.explain.values import computed, within_lengths
from minidl.graph.arrays import Array
from minidl.model import Model


def histograms(model: Model) -> Iterator[tuple[str, Array]]:
    """Arrays by tag, after a step of training.

    weights/NODE/ARRAY, and weights/NODE/ARRAY/gradient as the optimizer used it. values/NODE/ARRAY, of the first
    sequences: outputs y, gates one by one, and what else is carried from step to step, such as the cell state c.
    """
    for name, weights in model.parameters.items():
        yield f"weights/{name}", weights
        yield f"weights/{name}/gradient", model.gradients[name]
    within = within_lengths(model)
    for node in model.graph.nodes:
        read = within.get(model.graph.nodes[node].shape[:1])
        for name, values in computed(model, node).items():
            if read is not None and values.shape[:2] == read.shape:
                values = values[read]
            if values.size > 1:
                yield f"values/{node}/{name}", values
