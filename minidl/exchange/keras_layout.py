"""Weights as Keras names and shapes them: kernels, and gates z, r, h for our r, z, n."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minidl.exchange.units import Arrays, Unit, recurrent_kind
from minidl.graph.arrays import Array


def swapped(array: Array) -> Array:
    """The first two of three gates change places: r, z, n and z, r, h."""
    a, b, c = np.split(array, 3, axis=-1)
    return np.concatenate([b, a, c], axis=-1)


def dense(w: Mapping[str, Array]) -> Arrays:
    """The same arrays."""
    return {"kernel": w["W"], **({"bias": w["b"]} if "b" in w else {})}


def recurrent(w: Mapping[str, Array]) -> Arrays:
    """The same arrays, the gates of an LSTM in the same order."""
    return {"kernel": w["Wx"], "recurrent_kernel": w["Wh"], **({"bias": w["b"]} if "b" in w else {})}


def gru(w: Mapping[str, Array]) -> Arrays:
    """Gates z, r, h, and both biases as rows of one array: GRU(reset_after=True)."""
    arrays = {"kernel": swapped(w["Wx"]), "recurrent_kernel": swapped(w["Wh"])}
    if "bh" in w:
        arrays["bias"] = np.stack([swapped(w["b"]), swapped(w["bh"])])
    elif "b" in w:
        arrays["bias"] = swapped(w["b"])
    return arrays


def norm(w: Mapping[str, Array]) -> Arrays:
    """Gain and bias."""
    return {"gamma": w["gain"], "beta": w["bias"]}


def units(arrays: Mapping[str, Array]) -> list[Unit]:
    """The layers of arrays named "lstm/kernel", one unit each; those of a Bidirectional are two."""
    layers: dict[str, Arrays] = {}
    for name, array in arrays.items():
        layer, _, kind = name.rpartition("/")
        layers.setdefault(layer, {})[kind] = array
    return [Unit(layer, _readings(own)) for layer, own in layers.items()]


def _readings(w: Mapping[str, Array]) -> dict[str, Arrays]:
    names = set(w)
    if {"kernel", "recurrent_kernel"} <= names <= {"kernel", "recurrent_kernel", "bias"}:
        return _recurrent(w)
    if "kernel" in names and names <= {"kernel", "bias"}:
        return {"Dense": {"W": w["kernel"], **({"b": w["bias"]} if "bias" in w else {})}}
    if names == {"embeddings"}:
        return {"Embedding": {"table": w["embeddings"]}}
    if names == {"gamma", "beta"}:
        return {"LayerNorm": {"gain": w["gamma"], "bias": w["beta"]}}
    return {}


def _recurrent(w: Mapping[str, Array]) -> dict[str, Arrays]:
    Wx, Wh, bias = w["kernel"], w["recurrent_kernel"], w.get("bias")
    kind = recurrent_kind(Wh.shape[1] / max(Wh.shape[0], 1), resets_after=bias is None or bias.ndim == 2)
    if kind is None:
        return {}
    if not kind.startswith("GRU"):
        return {kind: {"Wx": Wx, "Wh": Wh, **({} if bias is None else {"b": bias})}}
    found = {"Wx": swapped(Wx), "Wh": swapped(Wh)}
    if bias is not None and bias.ndim == 2:
        found |= {"b": swapped(bias[0]), "bh": swapped(bias[1])}
    elif bias is not None:
        found["b"] = swapped(bias)
    return {kind: found}
