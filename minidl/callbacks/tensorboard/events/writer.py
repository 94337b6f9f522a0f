"""The event writer: what a training run tells TensorBoard, each call one record in one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.callbacks.tensorboard.events.graph_event import GraphNode, graph_def
from minidl.callbacks.tensorboard.events.histogram import histogram_summary
from minidl.callbacks.tensorboard.events.hyperparameters import end_summary, start_summary
from minidl.callbacks.tensorboard.events.image import image_summary
from minidl.callbacks.tensorboard.events.protos import load_protos
from minidl.callbacks.tensorboard.events.records import RecordFile
from minidl.callbacks.tensorboard.events.text_event import text_summary

# By what a value is: the plugin that shows it, and the class of its data. The server keeps the description of values
# that have both, and makes up metadata of its own for others.
KINDS = {"simple_value": ("scalars", 1), "histo": ("histograms", 2), "image": ("images", 3)}
DATA_CLASS = 4 << 3  # the field of SummaryMetadata, an integer, which the messages of tensorboardX lack


class EventWriter:
    """Writes a new event file into a run's folder; when a call returns, the system has the event.

    folder: made where it is missing. purge_step: of a resumed run, its next step; TensorBoard then hides what earlier
    files say of this step and later ones. ending: of the file's name. describe: what a tag means, shown beside its
    chart. Every method raises StorageError, at once, when the disk is full, and in a forked process, which needs a
    writer of its own.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     writer = EventWriter(Path(folder))
    ...     writer.scalars({"train/loss": 2.5}, step=1)
    ...     writer.close()
    ...     writer.path.name.startswith("events.out.tfevents.")
    True
    """

    def __init__(
        self,
        folder: Path,
        purge_step: int | None = None,
        ending: str = "",
        describe: Callable[[str], str] | None = None,
    ) -> None:
        self._file = RecordFile(folder, ending)
        self._describe, self._described = describe, set[str]()
        try:
            self._write(file_version="brain.Event:2")
            if purge_step is not None:
                self._purge(purge_step)
        except OSError:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The event file."""
        return self._file.path

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Add one point to each of these curves, given by tag."""
        protos = load_protos()
        points = [protos.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(summary=protos.Summary(value=points), step=step)

    def text(self, tag: str, text: str, step: int) -> None:
        """Add a text, shown as it is."""
        self._write(summary=text_summary(tag, text), step=step)

    def histogram(self, tag: str, values: ArrayLike, step: int) -> None:
        """Add a histogram of the finite values, and the number of the others as the scalar "<tag>/non_finite"."""
        summary = histogram_summary(tag, values)
        if summary.value:
            self._write(summary=summary, step=step)

    def image(self, tag: str, rgb: NDArray[np.uint8], step: int) -> None:
        """Add a picture of pixels (H, W, 3)."""
        self._write(summary=image_summary(tag, rgb), step=step)

    def graph(self, nodes: Sequence[GraphNode]) -> None:
        """Draw the run's graph; the last one written is shown."""
        self._write(graph_def=graph_def(nodes))

    def hparams(self, hparams: Mapping[str, bool | int | float | str]) -> None:
        """Fill the run's row in the HParams tab, once a run: TensorBoard keeps the first."""
        self._write(summary=start_summary(hparams))

    def hparams_end(self, status: Literal["success", "failure"]) -> None:
        """Say how the run ended, once and for good: TensorBoard keeps the first."""
        self._write(summary=end_summary(status))

    def layout(self, charts: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Arrange the Custom Scalars tab: category, title of a chart, and its curves as tags or regular expressions."""
        categories = {
            category: {title: ["Multiline", list(tags)] for title, tags in titles.items()}
            for category, titles in charts.items()
        }
        self._write(summary=load_protos().custom_scalars(categories))

    def flush(self, to_disk: bool = False) -> None:
        """Check that the events are in the folder still; to_disk: wait until they would survive a power cut."""
        self._file.sync(to_disk)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _purge(self, step: int) -> None:
        protos = load_protos()
        # Twice, since TensorBoard takes the first start that it meets for the beginning of the run.
        for _ in range(2):
            self._write(session_log=protos.SessionLog(status=protos.SessionLog.START), step=step)

    def _write(self, **content: Any) -> None:
        event = load_protos().Event(wall_time=time.time(), **content)
        if self._describe is not None:
            self._add_descriptions(event.summary.value, self._describe)
        self._file.append(event.SerializeToString())

    def _add_descriptions(self, values: Any, describe: Callable[[str], str]) -> None:
        """Add a description to the first point of each tag: TensorBoard keeps that one."""
        for value in values:
            if value.tag not in self._described:
                self._described.add(value.tag)
                value.metadata.summary_description = describe(value.tag)
                if kind := KINDS.get(value.WhichOneof("value")):
                    value.metadata.plugin_data.plugin_name = kind[0]
                    value.metadata.MergeFromString(bytes([DATA_CLASS, kind[1]]))
