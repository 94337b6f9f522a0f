"""The TensorBoard callback: what the callbacks before it have found, and views of the model, as events in one file."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidl.callbacks.tensorboard.attention_pictures import AttentionPictures
from minidl.callbacks.tensorboard.baselines_once import without_those_drawn
from minidl.callbacks.tensorboard.confusion import ConfusionPictures
from minidl.callbacks.tensorboard.descriptions import description
from minidl.callbacks.tensorboard.embeddings import write_embeddings
from minidl.callbacks.tensorboard.events import EventWriter
from minidl.callbacks.tensorboard.histograms import histograms
from minidl.callbacks.tensorboard.layer_graph import layer_graph
from minidl.callbacks.tensorboard.layout import layout
from minidl.callbacks.tensorboard.pictures import Pictures
from minidl.callbacks.tensorboard.settings import hyperparameters
from minidl.system.errors import RunLost
from minidl.training.callback import Callback, Every, Run

LONGEST_LINE = 100  # characters; the Text tab cuts off what does not fit
# The ending of a file of its own that says so, to be taken away when the run goes on: TensorBoard keeps the first end.
FAILED = ".failed"


@dataclass(eq=False)
class TensorBoard(Callback):
    """Writes curves and texts as they come, and on a rhythm of its own histograms and pictures.

    folder: of the run. experiment: as plain data, for the HParams tab. histograms_every: how often weights, gradients,
    activations, gates and cell states are shown, and once more at the end. resumed_at: the step of the checkpoint from
    which a run goes on; what older files say of later steps is then hidden.
    """

    folder: Path = field(kw_only=True)
    experiment: dict[str, Any] = field(default_factory=dict, kw_only=True)
    histograms_every: Every | None = field(default=None, kw_only=True)
    resumed_at: int | None = field(default=None, kw_only=True)

    order = Callback.WRITE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._writer: EventWriter | None = None
        self._pictures, self._attention, self._confusion = Pictures(), AttentionPictures(), ConfusionPictures()
        self._laid_out = self._completed = False

    def start(self, trainer: Run) -> None:
        """Open a file; the first one of a run also says what the run is."""
        for failed in self.folder.glob(f"*{FAILED}"):
            failed.unlink()
        purged = None if self.resumed_at is None else self.resumed_at + 1
        self._writer = EventWriter(self.folder, purged, describe=description)
        if self.resumed_at is None:
            self._writer.hparams(hyperparameters(self.experiment))
            self._writer.graph(layer_graph(trainer.model.graph))
        self._write(trainer)

    def step(self, trainer: Run) -> None:
        """Write what this step has measured, and views of the model when they are due."""
        self._write(trainer)
        if self.histograms_every is not None and self.histograms_every.due(trainer):
            self._act(trainer)

    def act(self, trainer: Run) -> None:
        """Write histograms and pictures."""
        if self._writer is None or self.histograms_every is None:
            return
        step = trainer.progress.step
        for tag, values in histograms(trainer.model):
            self._writer.histogram(tag, values, step)
        for pictures in (self._pictures, self._attention):
            for tag, pixels in pictures.draw(trainer.model, trainer.data):
                self._writer.image(tag, pixels, step)

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Write what was measured at the end, and the embeddings."""
        self._completed = completed
        self._write(trainer)
        super().finish(trainer, completed=completed)
        if self._writer is not None:
            write_embeddings(self.folder, trainer.model)

    def close(self, trainer: Run) -> None:
        """Say how the run ended; nothing of one that was interrupted and may go on."""
        if self._writer is None:
            return
        with contextlib.closing(self._writer):
            if isinstance(trainer.failure, RunLost):
                return
            if isinstance(trainer.failure or sys.exc_info()[1], Exception):
                with contextlib.closing(EventWriter(self.folder, ending=FAILED)) as writer:
                    writer.hparams_end("failure")
            elif self._completed:
                self._writer.hparams_end("success")

    def _write(self, trainer: Run) -> None:
        if self._writer is None:
            return
        if "train/loss" in trainer.record and not self._laid_out:
            self._writer.layout(layout(trainer.record, reach=self.histograms_every is not None))
            self._laid_out = True
        if trainer.record:
            self._writer.scalars(without_those_drawn(trainer.record, self.folder), trainer.progress.step)
        for tag, text in trainer.texts.items():
            self._writer.text(tag, wrapped(text), trainer.progress.step)
        for tag, pixels in self._confusion.draw(trainer.reports):
            self._writer.image(tag, pixels, trainer.progress.step)
        if trainer.record or trainer.texts:
            self._writer.flush()  # into a file that was deleted one can write without an error


def wrapped(text: str) -> str:
    r"""The text with long lines broken, where there is a space if possible; no character is lost.

    >>> wrapped("a\n" + "b " * 60).count("\n")
    2
    """
    wrapper = textwrap.TextWrapper(
        LONGEST_LINE, expand_tabs=False, replace_whitespace=False, drop_whitespace=False, break_on_hyphens=False
    )
    return "\n".join(piece for line in text.split("\n") for piece in wrapper.wrap(line) or [""])
