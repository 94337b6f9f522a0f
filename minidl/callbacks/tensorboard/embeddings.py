"""Trained embeddings for TensorBoard's projector, each row labelled with its symbol."""

from __future__ import annotations

from pathlib import Path

from minidl.callbacks.tensorboard.events import write_projector
from minidl.layers import Embedding
from minidl.model import Model


def write_embeddings(folder: Path, model: Model) -> None:
    """Write the tables whose rows are the symbols of the model's vocabulary; StorageError where the disk refuses."""
    if model.vocabulary is None:
        return
    for name, node in model.graph.nodes.items():
        if isinstance(node.layer, Embedding) and model.graph.owners[name] == name:
            table = model.parameters[f"{name}/table"]
            if len(table) == len(model.vocabulary):
                write_projector(folder, name, table, model.vocabulary.symbols)
