"""Pictures of attention: which steps of one sequence each step of another looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from minidl.callbacks.tensorboard.heat_map import HeatMap, Panel
from minidl.callbacks.tensorboard.pictures import labels_of
from minidl.data.batches import Dataset
from minidl.explain.values import ended_axes
from minidl.graph.arrays import Array
from minidl.layers import AdditiveAttention, Attention
from minidl.model import Model

HEADS_DRAWN, MOST_STEPS = 4, 64


class AttentionPictures:
    """Draws the probabilities of every attention layer for one example of the validation part."""

    def __init__(self) -> None:
        self._maps: dict[str, HeatMap] = {}
        self._reader: Model | None = None

    def draw(self, model: Model, data: Dataset) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Pictures (H, W, 3) by tag, values/NODE/picture: queries from top to bottom, keys from left to right.

        A panel for each of the first heads; nothing where matplotlib is missing, as `Pictures` says.
        """
        kinds = (Attention, AdditiveAttention)
        names = [name for name, node in model.graph.nodes.items() if isinstance(node.layer, kinds)]
        if not names or not find_spec("matplotlib"):
            return
        example = _example(data, ended_axes(model))
        self._reader = self._reader or model.replica()
        self._reader.reset_state()
        self._reader.forward(**example)
        for name in names:
            p = self._reader.arrays[f"{name}/p"][0, :HEADS_DRAWN, :MOST_STEPS, :MOST_STEPS]
            yield f"values/{name}/picture", self._picture(name, p, example, model)

    def _picture(self, name: str, p: Array, example: dict[str, Array], model: Model) -> Array:
        heads, queries, keys = p.shape
        if name not in self._maps:
            rows = _symbols(model, example.get("ids"), queries)
            columns = _symbols(model, example.get("source", example.get("ids")), keys)
            title = ["p"] if heads == 1 else [f"head {i + 1}" for i in range(heads)]
            panels = [Panel(each, queries, 0, 1, rows, max(1.4, 0.14 * queries)) for each in title]
            self._maps[name] = HeatMap(
                panels, keys, {float(s): label for s, label in enumerate(columns)}, below="looks at"
            )
        return self._maps[name].pixels(list(p))


def _example(data: Dataset, ended: set[str]) -> dict[str, Array]:
    """The first example of the validation part, or of the training part, cut off where it ends in these axes."""
    batch = (data.validation or data.train).batch(0).inputs
    axes = {name: spec.shape for name, spec in data.inputs.items()}
    one = {
        name: array[tuple(slice(1) if axis == "B" else slice(None) for axis in axes[name])]
        for name, array in batch.items()
    }
    if "lengths" in one:
        end = int(one["lengths"][0])
        one = {name: array[:end] if axes[name][0] in ended else array for name, array in one.items()}
    return one


def _symbols(model: Model, ids: Array | None, steps: int) -> Sequence[str]:
    """What stands at each step, where it is a text."""
    return () if ids is None or len(ids) < steps else labels_of(model, ids[:steps, 0])
