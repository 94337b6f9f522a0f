"""Weights as PyTorch names and shapes them: modules of a state_dict, recurrent ones stacked and in two directions."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from minidl.exchange.units import Arrays, Unit, natural, recurrent_kind
from minidl.graph.arrays import Array

CELL = re.compile(
    r"(?:(?P<module>.+)\.)?(?P<kind>(?:weight|bias)_(?:ih|hh|hr))(?:_l(?P<level>\d+)(?P<back>_reverse)?)?"
)
# The gates of each kind stand in minidl's order.


def linear(w: Mapping[str, Array]) -> Arrays:
    """Transposed."""
    return {"weight": w["W"].T, **({"bias": w["b"]} if "b" in w else {})}


def recurrent(w: Mapping[str, Array], suffix: str = "_l0") -> Arrays:
    """Transposed; of two biases that are added the second is zero, but in a GRU. weight_hr is a projection."""
    arrays = {"weight_ih": w["Wx"].T, "weight_hh": w["Wh"].T}
    if "Wp" in w:
        arrays["weight_hr"] = w["Wp"].T
    if "b" in w:
        arrays |= {"bias_ih": w["b"], "bias_hh": w.get("bh", np.zeros_like(w["b"]))}
    return {f"{name}{suffix}": array for name, array in arrays.items()}


def norm(w: Mapping[str, Array]) -> Arrays:
    """Gain and bias."""
    return {"weight": w["gain"], "bias": w["bias"]}


def units(arrays: Mapping[str, Array]) -> list[Unit]:
    """The modules of a state_dict, one unit a level and direction."""
    cells: dict[tuple[str, int, bool], Arrays] = {}
    modules: dict[str, Arrays] = {}
    for name, array in arrays.items():
        match = CELL.fullmatch(name)
        if match:
            place = (match["module"] or "", int(match["level"] or 0), bool(match["back"]))
            cells.setdefault(place, {})[match["kind"]] = array
        else:
            module, _, kind = name.rpartition(".")
            modules.setdefault(module, {})[kind] = array
    both = {module for module, _, back in cells if back}
    found = [
        Unit(_cell_name(*place, both=place[0] in both), _cell(arrays))
        for place, arrays in sorted(cells.items(), key=lambda item: (natural(item[0][0]), *item[0][1:]))
    ]
    return found + [
        Unit(module or ", ".join(arrays), _module(arrays))
        for module, arrays in sorted(modules.items(), key=lambda item: natural(item[0]))
    ]


def _cell_name(module: str, level: int, back: bool, *, both: bool) -> str:
    """lstm, lstm_1, or lstm_forward, lstm_backward, lstm_1_forward."""
    way = (("_backward" if back else "_forward"),) if both else ()
    return "".join([module, *([f"_{level}"] if level else []), *way])


def _cell(w: Mapping[str, Array]) -> dict[str, Arrays]:
    if not {"weight_ih", "weight_hh"} <= set(w) or w["weight_hh"].ndim != 2:
        return {}
    hidden = w["weight_hr"].shape[1] if "weight_hr" in w else w["weight_hh"].shape[1]
    kind = recurrent_kind(w["weight_ih"].shape[0] / max(hidden, 1))
    if kind is None:
        return {}
    found = {"Wx": w["weight_ih"].T, "Wh": w["weight_hh"].T}
    if "weight_hr" in w:
        found["Wp"] = w["weight_hr"].T
    if {"bias_ih", "bias_hh"} <= set(w):
        gru = kind == "GRU"
        found |= {"b": w["bias_ih"], "bh": w["bias_hh"]} if gru else {"b": w["bias_ih"] + w["bias_hh"]}
    return {kind: found}


def _module(w: Mapping[str, Array]) -> dict[str, Arrays]:
    if not set(w) <= {"weight", "bias"} or "weight" not in w:
        return {}
    weight = w["weight"]
    if weight.ndim == 1:
        return {"LayerNorm": {"gain": weight, "bias": w.get("bias", np.zeros_like(weight))}}
    if weight.ndim != 2:
        return {}
    dense = {"Dense": {"W": weight.T, **({"b": w["bias"]} if "bias" in w else {})}}
    return dense if "bias" in w else {**dense, "Embedding": {"table": weight}}
