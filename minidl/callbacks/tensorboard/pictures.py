"""Pictures of recurrent layers: their weights, and their gates and states while they read a text."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from minidl.callbacks.tensorboard.events.projector import visible
from minidl.callbacks.tensorboard.heat_map import HeatMap, Panel
from minidl.data.batches import Dataset
from minidl.data.streams import Streams
from minidl.explain.gates import contents, gate_names
from minidl.explain.states import is_reversed
from minidl.explain.values import computed
from minidl.graph.arrays import Array
from minidl.layers import OneHot
from minidl.layers.cell import Cell
from minidl.model import Model

logger = logging.getLogger("minidl")
TEXT_LENGTH = 64  # symbols
ROWS_LABELLED = 12  # of a gate's units
MOST_LABELS = 128  # rows of a matrix that are labelled
LARGEST_WEIGHT, LARGEST_STATE = 1.0, 5.0  # at the ends of the colours


class Pictures:
    """Draws the recurrent layers of one model; nothing, but for a hint, where matplotlib is missing."""

    def __init__(self) -> None:
        self._maps: dict[str, HeatMap] = {}
        self._orders: dict[str, Array] = {}  # of units, as in the first picture: later ones are compared with it
        self._reader: Model | None = None

    def draw(self, model: Model, data: Dataset) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Pictures (H, W, 3) by tag.

        weights/NODE/picture: Wx and Wh, gate by gate. values/NODE/picture: units from top to bottom, the first symbols
        of the validation text (of the training text where there is none) from left to right.
        """
        recurrent = [name for name, node in model.graph.nodes.items() if isinstance(node.layer, Cell)]
        if not recurrent or not self._possible:
            return
        for name in recurrent:
            if model.graph.owners[name] == name:
                yield f"weights/{name}/picture", self._weights(model, name)
        symbols = _text(data)
        if len(symbols):
            self._reader = self._reader or model.replica()
            self._reader.reset_state()
            self._reader.forward(ids=symbols[:, None])
            for name in recurrent:
                yield f"values/{name}/picture", self._values(self._reader, name, symbols)

    @cached_property
    def _possible(self) -> bool:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            logger.info("TensorBoard gets no pictures: they need matplotlib, as in pip install 'minidl[view]'")
            return False
        return True

    def _weights(self, model: Model, name: str) -> Array:
        tag = f"weights/{name}"
        Wx, Wh = model.parameters[f"{name}/Wx"], model.parameters.get(f"{name}/Wh")
        gates = gate_names(model.graph.nodes[name].layer) or ("",)
        units = Wx.shape[1] // len(gates)
        if tag not in self._maps:
            order = self._orders[tag] = _strongest_first(Wx, Wh, units)
            panels = [_matrix_panel("Wx", Wx, _input_symbols(model, name))]
            if Wh is not None:
                panels.append(_matrix_panel("Wh", Wh, _some_labelled(_rows(Wh, order))))
            middles = {(k + 0.5) * units - 0.5: gate for k, gate in enumerate(gates)}
            borders = range(units, len(gates) * units, units)
            self._maps[tag] = HeatMap(panels, Wx.shape[1], middles, borders, "columns: the units of each gate")
        order = self._orders[tag]
        columns = np.concatenate([order + k * units for k in range(len(gates))])
        past = [] if Wh is None else [Wh[_rows(Wh, order)][:, columns]]
        return self._maps[tag].pixels([Wx[:, columns], *past])

    def _values(self, reader: Model, name: str, symbols: Array) -> Array:
        tag = f"values/{name}"
        values = computed(reader, name)
        layer = reader.graph.nodes[name].layer
        shown = [*gate_names(layer), "c" if "c" in values else "y"]
        if tag not in self._maps:
            order_of_units = np.argsort(-values[shown[-1]][:, 0].std(axis=0), kind="stable")
            self._orders[tag] = order_of_units  # the most varying unit on top
            signed = (*contents(layer), "y")
            panels = [_unit_panel(array, order_of_units, array in signed) for array in shown]
            order = symbols[::-1] if is_reversed(reader, name) else symbols
            labels = {float(t): label for t, label in enumerate(labels_of(reader, order))}
            self._maps[tag] = HeatMap(
                panels, len(symbols), labels, below="the text, from left to right; rows are units"
            )
        return self._maps[tag].pixels([values[array][:, 0].T[self._orders[tag]] for array in shown])


def _text(data: Dataset) -> Array:
    """The ids of a fixed text; none where the data is no text."""
    part = data.validation or data.train
    if data.vocabulary is None or not isinstance(part, Streams):
        return np.empty(0, np.int64)
    return part.ids()[:TEXT_LENGTH]


def labels_of(model: Model, ids: Array) -> list[str]:
    """What the symbols of these ids look like; nothing where the model has no vocabulary."""
    return [] if model.vocabulary is None else [visible(model.vocabulary.symbols[i]) for i in ids]


def _input_symbols(model: Model, name: str) -> Sequence[str]:
    """What the rows of Wx stand for, where they are looked up by symbol and few enough to be labelled."""
    source = model.graph.nodes.get(model.graph.sources(name)[0])
    rows = len(model.parameters[f"{name}/Wx"])
    one_hot = source is not None and isinstance(source.layer, OneHot)
    return labels_of(model, np.arange(rows)) if one_hot and rows <= MOST_LABELS else ()


def _matrix_panel(title: str, matrix: Array, labels: Sequence[str]) -> Panel:
    height = 0.1 * len(labels) if all(labels) and labels else min(3.0, 0.02 * len(matrix))
    return Panel(title, len(matrix), -LARGEST_WEIGHT, LARGEST_WEIGHT, labels, max(1.0, height))


def _strongest_first(Wx: Array, Wh: Array | None, units: int) -> Array:
    """The units in the order of their weights to others, or of those from the inputs where Wh has none of units."""
    if Wh is None or len(Wh) != units:
        return np.argsort(-np.linalg.norm(np.linalg.norm(Wx, axis=0).reshape(-1, units), axis=0), kind="stable")
    return np.argsort(-np.linalg.norm(Wh, axis=1), kind="stable")


def _rows(Wh: Array, order: Array) -> Array:
    """The rows of Wh in the order of the units, or as they stand where they are of a projection."""
    return order if len(Wh) == len(order) else np.arange(len(Wh))


def _unit_panel(name: str, units: Array, signed: bool) -> Panel:
    """A panel whose rows are these units, some of which are labelled."""
    low, high = (-LARGEST_STATE, LARGEST_STATE) if name == "c" else (-1, 1) if signed else (0, 1)
    return Panel(name, len(units), low, high, _some_labelled(units))


def _some_labelled(units: Array) -> list[str]:
    """Some of these units by number, so that the labels do not touch."""
    every = -(-len(units) // ROWS_LABELLED)
    return [str(unit) if place % every == 0 else "" for place, unit in enumerate(units.tolist())]
