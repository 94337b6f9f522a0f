"""The weights of other programs, layer by layer in minidl's arrays, and which layer of a model each belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.graph.arrays import Array, Param, Tied
from minidl.graph.layer import Layer
from minidl.model import Model
from minidl.system.errors import CheckpointError

Arrays = dict[str, Array]
BIASES = ("b", "bh")  # a layer without them adds zeros


@dataclass(frozen=True)
class Unit:
    """One layer of a file: its name there, and its arrays for each kind of layer that it may be."""

    name: str
    readings: Mapping[str, Arrays]


@dataclass(frozen=True)
class Home:
    """A node that holds weights: its kind, the shapes of its arrays, and those that it takes from another node."""

    name: str
    kind: str
    shapes: dict[str, tuple[int, ...]]
    tied: tuple[str, ...]

    def fit(self, unit: Unit) -> Arrays | None:
        """The arrays of a unit as this node has them; None where they do not fit."""
        given = unit.readings.get(self.kind)
        if given is None:
            return None
        zeros = {name: np.zeros(self.shapes[name]) for name in BIASES if name in self.shapes and name not in given}
        unused = [array for name, array in given.items() if name not in self.shapes and name not in self.tied]
        arrays = {name: array for name, array in {**given, **zeros}.items() if name in self.shapes}
        fits = {name: array.shape for name, array in arrays.items()} == self.shapes
        return arrays if fits and not any(array.any() for array in unused) else None


def assign(model: Model, units: Iterable[Unit], source: str) -> Arrays:
    """All weights of a model by "node/array"; CheckpointError lists what is missing, left over or of another shape.

    Nodes of the same kind and shapes get the units of their names, where there is one for each; else, if there are as
    many units as nodes, one after the other in their order: names that programs make up are not to be trusted.
    """
    homes, waiting = _homes(model), {unit.name: unit for unit in units}
    groups: dict[str, list[Home]] = {}
    for home in homes:
        groups.setdefault(f"{home.kind} {home.shapes}", []).append(home)
    found: dict[str, Arrays] = {}
    for pick in (_by_name, _in_order):
        for group in groups.values():
            if group[0].name not in found:
                for home, unit in zip(group, pick(group, waiting), strict=False):
                    found[home.name] = home.fit(unit) or {}
                    del waiting[unit.name]
    _refuse([home for home in homes if home.name not in found], list(waiting.values()), source)
    return {f"{name}/{array}": value for name, arrays in found.items() for array, value in arrays.items()}


def _by_name(group: Sequence[Home], waiting: Mapping[str, Unit]) -> list[Unit]:
    named = [waiting[home.name] for home in group if home.name in waiting]
    fits = all(home.fit(unit) is not None for home, unit in zip(group, named, strict=False))
    return named if len(named) == len(group) and fits else []


def _in_order(group: Sequence[Home], waiting: Mapping[str, Unit]) -> list[Unit]:
    fitting = [unit for unit in waiting.values() if group[0].fit(unit) is not None]
    return fitting if len(fitting) == len(group) else []


def _refuse(homes: Sequence[Home], units: Sequence[Unit], source: str) -> None:
    if not homes and not units:
        return
    problems = []
    for home in homes:
        unit = next((unit for unit in units if unit.name == home.name and home.kind in unit.readings), None)
        problems += _problems(home, unit, several=sum(home.fit(unit) is not None for unit in units) > 1)
    for unit in units:
        if any(home.name == unit.name for home in homes):
            continue
        kinds = " or ".join(f"{kind} {_shapes(arrays)}" for kind, arrays in unit.readings.items())
        problems.append(f"left over {unit.name}: {kinds or 'no layer of minidl'}")
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise CheckpointError(f"{source} does not fit this model, which has not been changed:{lines}")


def _problems(home: Home, unit: Unit | None, *, several: bool) -> list[str]:
    """Which arrays of a node a file does not have, or has in another shape; several: or it has too many that fit."""
    if several:
        return [f"missing {home.name} ({home.kind}), of which there are several in the file: name it so there"]
    given = {} if unit is None else unit.readings.get(home.kind, {})
    found = []
    for name, shape in home.shapes.items():
        if name not in given:
            found.append(f"missing {home.name}/{name} {shape}")
        elif given[name].shape != shape:
            found.append(f"{home.name}/{name}: shape {given[name].shape}, the model has {shape}")
    extra = [f"left over {home.name}/{name} {array.shape}" for name, array in given.items() if name not in home.shapes]
    return found or extra


def _homes(model: Model) -> list[Home]:
    homes = []
    for name, node in model.graph.nodes.items():
        declared = node.declarations if model.graph.owners[name] == name else {}
        shapes = {array: item.shape for array, item in declared.items() if isinstance(item, Param)}
        tied = tuple(array for array, item in declared.items() if isinstance(item, Tied))
        if shapes:
            homes.append(Home(name, kind_of(node.layer), shapes, tied))
    return homes


def kind_of(layer: Layer) -> str:
    """The kind of a layer as units call it; a GRU that resets before its product is another one."""
    name = type(layer).type_name()
    return f"{name} with reset_after=False" if name == "GRU" and not getattr(layer, "reset_after", True) else name


def recurrent_kind(gates: float, *, resets_after: bool = True) -> str | None:
    """The kind of a recurrent layer with so many gates.

    >>> recurrent_kind(4), recurrent_kind(3), recurrent_kind(2)
    ('LSTM', 'GRU', None)
    """
    if gates == 3 and not resets_after:
        return "GRU with reset_after=False"
    return {1: "RNN", 3: "GRU", 4: "LSTM"}.get(int(gates))


def natural(name: str) -> list[Any]:
    """A key by which names are sorted as people number them.

    >>> sorted(["lstm_10", "lstm_2", "lstm"], key=natural)
    ['lstm', 'lstm_2', 'lstm_10']
    """
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", name) if part]


def _shapes(arrays: Arrays) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
