"""Predictor: a trained model that answers about new rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from minidl.data import Data, Vocabulary, Table
from minidl.data.forecasting import Forecasting
from minidl.data.labels import TextTask
from minidl.data.new_rows import SeriesReader, TextReader
from minidl.data.rows import Rows, read_rows
from minidl.data.sources import read_source
from minidl.experiment.run.load_model import load_trained
from minidl.model import Model
from minidl.predictor.answers import Answering, Answers
from minidl.predictor.forecasts import Forecasts
from minidl.predictor.given import as_rows
from minidl.predictor.labels import Labels
from minidl.storage.run_folder import model_file
from minidl.system.errors import CheckpointError, DataError, UsageError


@dataclass(frozen=True)
class Piece:
    """Some rows of a file, in its order, and what the model says of them."""

    rows: Rows
    answers: Answers


class Predictor:
    """A trained model that answers about new rows: with the names of classes, tags, or numbers in their own units.

    model: trained by an experiment, or loaded; it holds its vocabulary, and in `model.metadata` the task, the names of
    classes and the scales.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._answering = _answering(model)

    @classmethod
    def load(cls, run: str | PathLike[str], runs: str | PathLike[str] = "runs") -> Predictor:
        """The model of a run (NAME, NAME/NUMBER or its folder), with the weights of the best checkpoint; or a file.

        runs: where runs lie. Raises CheckpointError where there is no such run.
        """
        return cls(load_trained(model_file(str(run), Path(runs))).model)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes or tags; none where numbers are predicted."""
        return self._answering.classes

    def predict(self, data: Any) -> Any:
        """The answer for each row.

        data: a list of texts; a list of mappings, or a mapping, by column; a data frame; rows of numbers (N, F).
        Gives classes (N,), a list of tags for each row, or numbers (N,) or (N, K), which are NaN where a row has no
        full window before it. Raises DataError for what could not be read in training either.
        """
        return self._answers(data).values

    def predict_proba(self, data: Any) -> Any:
        """The probability of each class (N, C), in the order of `classes`; for tags, a list of such arrays."""
        if not self.classes:
            raise UsageError("this model predicts numbers: only classes have probabilities")
        return self._answers(data).probabilities

    def forecast(self, data: Any, steps: int) -> Any:
        """The `steps` rows after the end of a series (steps,) or (steps, K); the model reads what it has predicted."""
        answers = self._answering.answer(as_rows(data, self._answering.from_list), ahead=steps)
        import numpy as np

        table = np.array([list(row.values()) for row in answers.ahead])
        return table[:, 0] if table.shape[1:] == (1,) else table

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model, and all it takes to answer, into one file; `load` reads it."""
        self.model.save(path)

    def file(self, source: str, *, each_class: bool = False, ahead: int = 0) -> Iterator[Piece]:
        """The rows of a file in pieces, with their answers; it is read as in training."""
        data = _section(self.model)
        name, text = read_source(source, Path())
        rows = read_rows(text, name, data.delimiter)
        del text
        for part in _parts(rows, self._answering.piece):
            yield Piece(part, self._answering.answer(part, each_class=each_class, ahead=ahead))

    def notes(self) -> list[str]:
        """What has to be told of the rows so far, such as words that were not seen in training."""
        return self._answering.notes()

    def _answers(self, data: Any) -> Answers:
        return self._answering.answer(as_rows(data, self._answering.from_list))


def _parts(rows: Rows, size: int | None) -> Iterator[Rows]:
    size = size or len(rows)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        yield Rows(rows.name, {name: cells[part] for name, cells in rows.columns.items()}, rows.lines[part], "")


def _section(model: Model) -> Table:
    """The `data:` section that the model was trained with."""
    section = model.metadata.get("data")
    if section is None:
        raise CheckpointError("this model does not say what it was trained on: name a run, a checkpoint or its file")
    try:
        data = Data.from_config({**section, "source": ""})
    except UsageError as error:
        raise CheckpointError(f"what the model says of its data is damaged: {error}") from None
    if not isinstance(data, Table):
        raise UsageError(f"this model was trained on data of type {data.type_name()}: minidl sample lets it write")
    return data


def _answering(model: Model) -> Answering:
    """What answers for the task that the model was trained for."""
    task, legend = _section(model).task, model.metadata.get("legend", {})
    replica = model.replica()
    if isinstance(task, TextTask):
        vocabulary: Vocabulary | None = model.vocabulary
        assert vocabulary is not None
        return Labels(replica, TextReader(task, vocabulary), tuple(legend["classes"]))
    if isinstance(task, Forecasting):
        return Forecasts(replica, SeriesReader(task, legend["columns"]))
    raise DataError(f"there are no predictions of {task.type_name()} yet")
