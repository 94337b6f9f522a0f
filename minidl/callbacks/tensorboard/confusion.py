"""Pictures of confusion matrices: which class (row) was taken for which (column), as shares of each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.callbacks.tensorboard.heat_map import HeatMap, Panel
from minidl.graph.arrays import Array

MOST_CLASSES = 64  # whose names can be read in a picture
LINE = 0.2  # inches that the name of a class takes


class ConfusionPictures:
    """Draws the confusion matrices among reports; nothing where matplotlib is missing, as `Pictures` says."""

    def __init__(self) -> None:
        self._maps: dict[str, HeatMap] = {}

    def draw(self, reports: Mapping[str, Any]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Pictures (H, W, 3) by tag, such as "val/confusion"."""
        for tag, counts in reports.items():
            part, _, kind = tag.partition("/")
            if kind == "confusion" and len(counts) <= MOST_CLASSES and find_spec("matplotlib"):
                yield tag, self._pixels(tag, np.array(counts), list(reports[f"{part}/classes"]))

    def _pixels(self, tag: str, counts: Array, names: list[str]) -> NDArray[np.uint8]:
        if tag not in self._maps:
            size = max(1.8, LINE * len(names))
            panel = Panel("is", len(names), 0.0, 1.0, names, size)
            labels = {float(k): name for k, name in enumerate(names)}
            width = 1.2 * size + 1.5  # a square, and what stands beside it
            self._maps[tag] = HeatMap([panel], len(names), labels, below="was taken for", width=width)
        return self._maps[tag].pixels([counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)])
