"""Weights of another run in a model that begins: parameters by name, rows and columns of symbols by symbol."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minidl.data.sources.vectors import read_vectors
from minidl.experiment.build.init_from import InitFrom
from minidl.experiment.run.load_model import load_trained
from minidl.graph.arrays import Array
from minidl.graph.symbol import Input
from minidl.layers import Embedding, OneHot
from minidl.model import Model
from minidl.storage.run_folder import model_file
from minidl.system.errors import CheckpointError, UsageError, suggest

logger = logging.getLogger("minidl")


def take_weights(model: Model, wanted: InitFrom, runs: Path) -> None:
    """Begin with the weights of another run; CheckpointError, and no change, where they do not fit.

    A symbol that both vocabularies have keeps what the other run has learned of it; a new one keeps its first weights.
    """
    if wanted.run is None:
        return
    path = model_file(wanted.run, runs)
    theirs = load_trained(path).model
    names = [name for name in model.parameters if wanted.takes(name)]
    same, kept = _symbols(model, theirs)
    axes = {} if same is None else symbol_axes(model)
    found: dict[str, Array] = {}
    problems = [f"no parameter is named {pattern!r}" for pattern in wanted.take if not _matches(pattern, names)]
    for name in names:
        if name not in theirs.parameters:
            problems.append(f"missing {name} {model.parameters[name].shape}")
            continue
        array = _mapped(theirs.parameters[name], model.parameters[name], axes.get(name), same)
        if array.shape == model.parameters[name].shape:
            found[name] = array
        else:
            problems.append(f"{name}: shape {array.shape}, this model has {model.parameters[name].shape}")
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise CheckpointError(
            f"init_from: {path} does not fit this model:{lines}\nName what to take in init_from.take."
        )
    for name, array in found.items():
        model.parameters[name] = array
    model.weights.version += 1
    logger.info("begins with %d of %d arrays of %s%s", len(found), len(model.parameters), path, kept)


def take_vectors(model: Model, files: Mapping[str, str]) -> None:
    """Fill rows of Embeddings, by their names, from files of vectors; symbols that are not in a file keep theirs."""
    for name, file in files.items():
        node = model.graph.nodes.get(name)
        if model.vocabulary is None or node is None or not isinstance(node.layer, Embedding):
            known = [each for each, node in model.graph.nodes.items() if isinstance(node.layer, Embedding)]
            there_are = f"{suggest(name, known)} (there are: {', '.join(known) or 'none'})"
            raise UsageError(f"init_from.vectors: {name!r} is no Embedding of symbols{there_are}")
        symbols = model.vocabulary.symbols
        table = model.parameters[f"{model.graph.owners[name]}/table"]
        if table.shape[0] != len(symbols):
            raise UsageError(f"init_from.vectors: {name!r} has {table.shape[0]} rows for {len(symbols)} symbols")
        found = read_vectors(file, Path(), symbols, table.shape[1])
        for row, symbol in enumerate(symbols):
            if symbol in found:
                table[row] = found[symbol]
        logger.info("%s begins with the vectors of %d of %d symbols in %s", name, len(found), len(symbols), file)
    model.weights.version += 1


def _symbols(model: Model, theirs: Model) -> tuple[Mapping[int, int] | None, str]:
    """For each symbol of ours that they have, its number there, and a sentence; None where vocabularies are equal."""
    ours, others = model.vocabulary, theirs.vocabulary
    if ours is None or others is None or ours.symbols == others.symbols:
        return None, ""
    numbers = {symbol: number for number, symbol in enumerate(others.symbols)}
    same = {i: numbers[symbol] for i, symbol in enumerate(ours.symbols) if symbol in numbers}
    return same, f", and {len(same)} of {len(ours.symbols)} symbols"


def symbol_axes(model: Model) -> dict[str, int]:
    """Which axis of which parameters stands for the symbols: rows that are read, columns of logits."""
    graph, found = model.graph, {}
    for name, node in graph.nodes.items():
        for source in node.inputs[:1]:
            reads_ids = isinstance(source, Input) and source.dtype == "int"
            one_hot = isinstance(getattr(source, "layer", None), OneHot)
            for array in ("table", "Wx", "W"):
                if (reads_ids or one_hot) and f"{graph.owners[name]}/{array}" in model.weights.arrays:
                    found[f"{graph.owners[name]}/{array}"] = 0
    if "loss" in graph.ends:
        logits = graph.owners.get(graph.sources(graph.ends["loss"])[0], "")
        for array, axis in (("W", 1), ("b", 0)):
            if f"{logits}/{array}" in model.weights.arrays:
                found[f"{logits}/{array}"] = axis
    return found


def _mapped(theirs: Array, ours: Array, axis: int | None, same: Mapping[int, int] | None) -> Array:
    """An array of the other model, with the rows or columns of the symbols of this one."""
    if axis is None or same is None or theirs.ndim != ours.ndim:
        return theirs
    shape = list(theirs.shape)
    shape[axis] = ours.shape[axis]
    if tuple(shape) != ours.shape:
        return theirs
    found = ours.copy()
    np.moveaxis(found, axis, 0)[list(same)] = np.moveaxis(theirs, axis, 0)[list(same.values())]
    return found


def _matches(pattern: str, names: list[str]) -> bool:
    return any(InitFrom("-", (pattern,)).takes(name) for name in names)
