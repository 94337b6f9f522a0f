"""A model from the place on where symbols have become numbers, so that there are gradients of what is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.explain.subject import Subject, is_lengths
from minidl.graph.arrays import Array
from minidl.layers import Embedding, OneHot
from minidl.model import Model


@dataclass(frozen=True)
class Embedded:
    """The same network in float64, whose inputs are the rows that OneHot or Embedding would give.

    model: from these rows to the one output. tables: (V, F) by the name of an input; None for one-hot rows, and
    nothing at all where numbers are read.
    """

    subject: Subject
    model: Model
    tables: dict[str, Array | None]

    @classmethod
    def of(cls, subject: Subject) -> Embedded:
        """The part of a model behind its lookups; it has copies of the weights."""
        source = subject.model
        lookups = {
            name: node.layer
            for name, node in source.graph.nodes.items()
            if isinstance(node.layer, (OneHot, Embedding)) and source.graph.sources(name) == (subject.input,)
        }
        weights = source.weights.arrays
        tables = {
            name: np.asarray(weights[f"{source.graph.owners[name]}/table"], np.float64)
            if isinstance(layer, Embedding)
            else None
            for name, layer in lookups.items()
        }
        graph = _graph(subject, set(lookups))
        kept = {source.graph.owners[node["name"]] for node in graph["nodes"]}
        arrays = {f"parameters/{name}": array for name, array in weights.items() if name.partition("/")[0] in kept}
        for name, node in source.graph.nodes.items():
            tied = getattr(node.layer, "tied_to", None)
            if tied is not None:
                arrays[f"parameters/{name}/W"] = weights[f"{source.graph.owners[tied]}/table"].T
        config = {"graph": graph, "seed": 0, "dtype": "float64", "vocabulary": None}
        return cls(subject, Model.from_config(config, arrays, "the model").replica(), tables)

    def rows(self, sequence: Array) -> dict[str, Array]:
        """What the network reads of a sequence, (T, F) by the name of its input."""
        if not self.tables:
            return {self.subject.input: np.asarray(sequence, np.float64)}
        depth = self.subject.model.graph.inputs[self.subject.input].depth or 0
        return {
            name: np.eye(depth)[sequence] if table is None else table[sequence] for name, table in self.tables.items()
        }

    def forward(self, rows: dict[str, Array]) -> Array:
        """The output for rows (T, B, F), from states of zero: (T, B, K), or (B, K) where it answers once."""
        steps, copies = next(iter(rows.values())).shape[:2]
        lengths = {name: np.full(copies, steps) for name, node in self.model.graph.inputs.items() if is_lengths(node)}
        self.model.reset_state()
        output: Array = self.model.forward(**rows, **lengths)[self.subject.output]
        return output

    def backward(self, seed: Array) -> dict[str, Array]:
        """Gradients of Σ seed · output for the rows that were read."""
        return self.model.backward(**{self.subject.output: seed})


def _graph(subject: Subject, lookups: set[str]) -> dict[str, Any]:
    """The configuration of the graph with inputs in the place of lookups, and no further than the output."""
    graph = subject.model.graph
    end = graph.ends[subject.output]
    needed = graph.needed_for([end])
    config = graph.config()
    nodes = [{**node} for node in config["nodes"] if node["name"] in needed - lookups]
    for node in nodes:
        if node.get("tied_to") is not None:
            node["tied_to"] = None
    fed = (node["inputs"] for node in nodes)  # by name where some inputs are left out
    kept = {source for given in fed for source in (given.values() if isinstance(given, dict) else given)}
    inputs = [item for item in config["inputs"] if item["name"] in kept]
    for name in sorted(lookups & needed):
        width = int(graph.nodes[name].shape[-1])
        inputs.append({"name": name, "dtype": "float", "depth": width, "shape": ["T", "B", width]})
    return {"inputs": inputs, "nodes": nodes, "results": [[subject.output, end]]}
