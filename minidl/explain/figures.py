"""Figures of gates, of influence and of weights, drawn by matplotlib; each is returned, and not shown."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.explain.attribution import integrated_gradients
from minidl.explain.embedded import Embedded
from minidl.explain.gates import contents, gate_names
from minidl.explain.influence import by_lag
from minidl.explain.spelling import spelt
from minidl.explain.states import read, recurrent_layers, traces
from minidl.explain.subject import Subject
from minidl.graph.arrays import Array
from minidl.storage.atomic import write_whole
from minidl.system.errors import UsageError, suggest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def plot_gates(subject: Subject, sequence: Array, layer: str | None = None) -> Figure:
    """Gates, cell state and output of a layer on a sequence: steps from left to right, the most varying unit on top."""
    read(subject, sequence)
    name = chosen_layer(subject, layer)
    parts, signed = traces(subject.model, name), (*contents(subject.model.graph.nodes[name].layer), "c", "h")
    order = most_varying(parts["c" if "c" in parts else "h"])
    figure = _figure(min(16, 2 + 0.14 * len(sequence)), 1.6 * len(parts) + 0.6)
    grid = figure.subplots(len(parts), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (part, values) in zip(grid, parts.items(), strict=True):
        top = max(1.0, float(np.quantile(np.abs(values), 0.95)))
        low, high = (-top, top) if part in signed else (0, 1)
        colours = "RdBu_r" if part in signed else "cividis"
        rows = values.T if values.shape[1] != len(order) else values.T[order]  # a projection has rows of its own
        image = axes.imshow(rows, vmin=low, vmax=high, cmap=colours, aspect="auto", interpolation="none")
        axes.set_ylabel(part, rotation=0, labelpad=12, fontweight="bold")
        places = np.unique(np.linspace(0, len(order) - 1, min(8, len(order))).astype(int))
        axes.set_yticks(places, [str(order[place]) for place in places], fontsize=7)
        figure.colorbar(image, ax=axes, pad=0.01)
    _label_steps(grid[-1], labels_of(subject, sequence))
    return figure


def plot_influence(subject: Subject, sequence: Array, step: int = -1, entry: int | None = None) -> Figure:
    """What each step adds to an answer, by integrated gradients; below it the influence by lag."""
    embedded = Embedded.of(subject)
    found = integrated_gradients(embedded, sequence, step, entry)
    title = f"{spelt(subject.names[found.answer.entry])} after step {found.answer.step}"
    return plot_parts(labels_of(subject, sequence), found.parts, by_lag(embedded, sequence), title)


def plot_parts(labels: Sequence[str], parts: Array, lags: Array, title: str) -> Figure:
    """Bars of what each step adds, and the influence by lag on a logarithmic axis."""
    figure = _figure(max(6, min(16, 2 + 0.14 * len(labels))), 5)
    above, below = figure.subplots(2, 1)
    above.bar(np.arange(len(parts)), parts, color=np.where(parts > 0, "#e66101", "#0571b0"))
    above.axhline(0, color="0.5", linewidth=0.8)
    above.set_title(title, fontsize=9, parse_math=False, wrap=True)
    above.set_ylabel("adds to the answer")
    _label_steps(above, labels)
    below.semilogy(np.arange(len(lags)), np.where(lags > 0, lags, np.nan), color="#e66101")
    below.set_xlabel("steps between")
    below.set_ylabel("mean |gradient · input|")
    return figure


def plot_weights(subject: Subject, layer: str | None = None) -> Figure:
    """Wx and Wh of a layer, gate by gate."""
    name = chosen_layer(subject, layer)
    graph = subject.model.graph
    owner = graph.owners[name]
    gates = gate_names(graph.nodes[name].layer) or ("",)
    parameters = subject.model.parameters
    names = [array for array in ("Wx", "Wh") if f"{owner}/{array}" in parameters]
    figure = _figure(11, 3 * len(names))
    for axes, array in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        values = np.asarray(parameters[f"{owner}/{array}"])
        top = max(1e-6, float(np.quantile(np.abs(values), 0.98)))
        image = axes.imshow(values, vmin=-top, vmax=top, cmap="RdBu_r", aspect="auto", interpolation="none")
        width = values.shape[1] // len(gates)
        axes.set_xticks([(k + 0.5) * width - 0.5 for k in range(len(gates))], gates)
        for k in range(1, len(gates)):
            axes.axvline(k * width - 0.5, color="black", linewidth=0.8)
        axes.set_ylabel(array, rotation=0, labelpad=12, fontweight="bold")
        figure.colorbar(image, ax=axes, pad=0.01)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure, in the format that the name ends with."""
    if path.suffix not in FORMATS:
        raise UsageError(f"{path}: the name of a picture ends in {', '.join(FORMATS)}")
    write_whole(path, _drawn(figure, path.suffix[1:]))


def _drawn(figure: Figure, kind: str) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a font need not have every symbol of a vocabulary
        figure.savefig(content, format=kind, dpi=120)
    return content.getvalue()


def chosen_layer(subject: Subject, layer: str | None) -> str:
    """The recurrent layer of a name, or the first."""
    known = recurrent_layers(subject)
    if layer is None and known:
        return known[0]
    if layer is None or layer not in known:
        raise UsageError(f"there is no recurrent layer {layer!r}{suggest(layer or '', known)} ({', '.join(known)})")
    return layer


def most_varying(state: Array) -> Array:
    """Units (H,) by how much their state (T, H) varies, the most varying first."""
    order: Array = np.argsort(-state.std(axis=0), kind="stable")
    return order


def labels_of(subject: Subject, sequence: Array) -> list[str]:
    """What stands for each step: its symbol, or its number."""
    if subject.tokens is None:
        return [str(t) for t in range(len(sequence))]
    return [spelt(subject.vocabulary.symbols[i]) for i in sequence]


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise UsageError("pictures need matplotlib: pip install 'minidl[view]'") from None

    class Shown(Figure):
        """A figure that a notebook shows where it is returned, also without pyplot."""

        def _repr_png_(self) -> bytes:
            return _drawn(self, "png")

    return Shown((width, height), layout="constrained")


def _label_steps(axes: Any, labels: Sequence[str]) -> None:
    upright = 90 if max(map(len, labels)) > 2 else 0
    every = 1 if len(labels) <= 120 else 5 if upright else 1
    axes.set_xticks(range(0, len(labels), every), labels[::every], fontsize=7, rotation=upright, parse_math=False)
