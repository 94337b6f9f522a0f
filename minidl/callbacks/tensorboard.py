"""TensorBoard: curves, texts, the layer graph, histograms, embeddings and hyperparameters of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.callbacks.base import Callback, Every
from minidl.graph import Graph
from minidl.layers import Embedding
from minidl.node import Axis, Input
from minidl.table import parameter_count

if TYPE_CHECKING:
    from minidl.events import EventWriter, GraphNode
    from minidl.trainer import Trainer

logger = logging.getLogger("minidl")
PAIRED = ("loss", "bits_per_char", "perplexity", "accuracy", "mean_absolute_error")


@dataclass(eq=False)
class TensorBoard(Callback):
    """Writes what the callbacks before have found as events, and on its own rhythm histograms.

    folder: of the run. hyperparameters: by dotted name, for the HParams tab. histograms_every: how often weights,
    gradients and activations (also gates and cell states) are shown. resumed_at: the step of the checkpoint from which
    a run goes on; what older files say of later steps is then hidden.
    """

    folder: Path = field(kw_only=True)
    hyperparameters: dict[str, Any] = field(default_factory=dict, kw_only=True)
    histograms_every: Every | None = field(default=None, kw_only=True)
    resumed_at: int | None = field(default=None, kw_only=True)

    order = Callback.WRITE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._writer: EventWriter | None = None
        self._warned = False

    def start(self, trainer: Trainer) -> None:
        """Open a file; the first one of a run also says what the run is."""
        self._safely(lambda: self._open(trainer))

    def step(self, trainer: Trainer) -> None:
        """Write what this step has measured."""
        self._safely(lambda: self._write(trainer))

    def finish(self, trainer: Trainer, *, completed: bool) -> None:
        """Write what was measured at the end, and that it is the end."""
        self.step(trainer)
        if completed:
            self._safely(lambda: self._end(trainer))

    def close(self, trainer: Trainer) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, trainer: Trainer) -> None:
        from minidl.events import EventWriter

        self._writer = EventWriter(self.folder, None if self.resumed_at is None else self.resumed_at + 1)
        if self.resumed_at is not None:
            return
        metrics = ["val/loss", "test/loss"]
        self._writer.hparams(_as_numbers_or_text(self.hyperparameters), metrics)
        self._writer.graph(graph_nodes(trainer.model.graph))
        self._writer.layout({"train and validation": {name: [f"train/{name}", f"val/{name}"] for name in PAIRED}})

    def _write(self, trainer: Trainer) -> None:
        if self._writer is None:
            return
        step = trainer.progress.step
        if trainer.record:
            self._writer.scalars(trainer.record, step)
        for tag, text in trainer.texts.items():
            self._writer.text(tag, text, step)
        if self.histograms_every is not None and self.histograms_every.due(trainer):
            self._write_histograms(trainer, self._writer)

    def _write_histograms(self, trainer: Trainer, writer: EventWriter) -> None:
        for kind, arrays in (
            ("weights", trainer.model.parameters),
            ("gradients", trainer.model.gradients),
            ("activations", trainer.model.arrays),
        ):
            for name, array in arrays.items():
                if (
                    array.dtype.kind == "f"
                    and array.size > 1
                    and not (kind == "activations" and name in trainer.model.parameters)
                ):
                    writer.histogram(f"{kind}/{name}", array, trainer.progress.step)

    def _end(self, trainer: Trainer) -> None:
        from minidl.events import write_projector

        if self._writer is not None:
            self._writer.hparams_end("success")
        vocabulary = trainer.model.vocabulary
        for name, node in trainer.model.graph.nodes.items():
            if isinstance(node.layer, Embedding) and vocabulary is not None:
                table = trainer.model.parameters[f"{trainer.model.graph.owners[name]}/table"]
                if len(table) == len(vocabulary):
                    write_projector(self.folder, name, table, vocabulary.symbols)

    def _safely(self, write: Callable[[], None]) -> None:
        """A disk that refuses costs events and one warning, never the run."""
        try:
            write()
        except OSError as error:
            if not self._warned:
                logger.warning("TensorBoard's files cannot be written (%s); training goes on without them", error)
            self._warned = True


def graph_nodes(graph: Graph) -> list[GraphNode]:
    """A graph as TensorBoard draws it: names, shapes, hyperparameters, numbers of parameters."""
    from minidl.events import GraphNode

    inputs = [GraphNode(name, "Input", (), _open_axes(node), _input_facts(node)) for name, node in graph.inputs.items()]
    nodes = []
    for name, node in graph.nodes.items():
        settings = {key: str(value) for key, value in node.layer.config().items() if key not in ("type", "name")}
        facts = {**settings, "parameters": f"{parameter_count(graph, name):,}"}
        nodes.append(GraphNode(name, type(node.layer).__name__, graph.sources(name), _open_axes(node), facts))
    return inputs + nodes


def _open_axes(node: Any) -> tuple[int | None, ...]:
    return tuple(None if isinstance(size, Axis) else int(size) for size in node.shape)


def _input_facts(node: Input) -> dict[str, str]:
    return {"dtype": node.dtype, "depth": str(node.depth)}


def _as_numbers_or_text(values: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    return {name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in values.items()}
