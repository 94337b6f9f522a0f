"""Predictor: a trained model that answers about new rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from minidl.data import Data, Reader, Series, Table
from minidl.data.sources.columns import PIECE
from minidl.data.sources.given import as_rows
from minidl.data.sources.rows import Rows
from minidl.data.tasks.forecast_reader import ForecastReader
from minidl.data.tasks.reader import softmax
from minidl.data.tasks.series_reader import SeriesReader
from minidl.data.tasks.tagging import TagReader
from minidl.data.tasks.translation import TranslationReader
from minidl.experiment.run.load_model import load_trained
from minidl.generate.apply import apply
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.predictor.answer_columns import OF_CLASS, PREDICTION, Answers, Piece, answers
from minidl.predictor.forecast import forecasts
from minidl.predictor.parts import Part, parts
from minidl.predictor.stream import stream_answers
from minidl.predictor.translations import Searching, translations
from minidl.storage.run_folder import model_file
from minidl.system.errors import CheckpointError, DataError, UsageError, expect

CELLS, COLUMNS = 400_000, 20  # of a piece: what is held at a time, and how many columns a row may well have
NAMED = 8  # unseen symbols that a note names


class Predictor:
    """A trained model that answers about new rows: with names of classes, tags, or numbers in their own units.

    model: trained by an experiment, or loaded: it holds its vocabulary, and in `model.metadata` the names of classes
    and the scales.
    """

    def __init__(self, model: Model) -> None:
        expect(Model, model, "a Predictor is made of a Model, or by Predictor.load of the name of a run")
        self.model = model
        self.reader = Reader.load(model.metadata, model.vocabulary)
        self._replica = model.replica(caches=False)

    @classmethod
    def load(cls, run: str | PathLike[str], runs: str | PathLike[str] = "runs") -> Predictor:
        """The model of a run (NAME, NAME/NUMBER or its folder), with the weights of its best checkpoint; or of a file.

        runs: where runs lie. Raises CheckpointError where there is no such run.
        """
        return cls(load_trained(model_file(str(run), Path(runs))).model)

    def __repr__(self) -> str:
        classes = f" of {len(self.classes)} classes" if self.classes else ""
        return f"<Predictor: {type(self.reader).__name__}{classes}, {self.model!r}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of classes or tags, in the order of their probabilities; none where numbers are predicted."""
        found: tuple[str, ...] = getattr(self.reader, "classes", ())
        return found

    def predict(self, data: Any) -> Any:
        """The answer for each row.

        data: a list of texts; a list of mappings, or a mapping, by column; a data frame; rows of numbers (N, F).
        Gives classes (N,), a list of tags for each row, translated texts, or numbers (N,) or (N, K), which are NaN
        where a row of a series has no full window before it. Raises DataError for what could not be read in training.
        """
        columns = self._answers(self._rows(data)).columns
        found = [column for name, column in columns.items() if name.partition(":")[0] == PREDICTION]
        if isinstance(self.reader, TagReader):
            return [[] if cell is None else list(self.reader.split(cell)) for cell in found[0]]
        if isinstance(self.reader, TranslationReader):
            return ["" if text is None else text for text in found[0]]
        if self.classes:
            return np.array(["" if name is None else name for name in found[0]])
        table = np.array(found, dtype=np.float64).T
        return table[:, 0] if len(found) == 1 else table

    def predict_proba(self, data: Any) -> Any:
        """The probability of each class (N, C), in the order of `classes`; for tags a list of such arrays."""
        if not self.classes:
            raise UsageError("this model predicts numbers: only classes have probabilities")
        rows = self._rows(data)
        if isinstance(self.reader, TagReader):
            return self._of_symbols(rows)
        columns = self._answers(rows, each_class=True).columns
        nowhere = [None] * len(rows)
        return np.array([columns.get(f"{OF_CLASS}{name}", nowhere) for name in self.classes], dtype=np.float64).T

    def forecast(self, data: Any, steps: int) -> Array:
        """The `steps` rows after the end of a series, (steps,) or (steps, K): the model reads what it has predicted.

        Of several series the rows stand below each other.
        """
        found = self._answers(self._rows(data), ahead=steps).ahead
        table = np.array([[x for name, x in row.items() if name.partition(":")[0] == PREDICTION] for row in found])
        return table[:, 0] if table.shape[1:] == (1,) else table

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model, and all that it takes to answer, into one file; `load` reads it."""
        self.model.save(path)

    def file(
        self, source: str, *, each_class: bool = False, ahead: int = 0, searching: Searching | None = None
    ) -> Iterator[Piece]:
        """The rows of a file in pieces, with their answers; it is read as in training.

        each_class: with the probability of each class. ahead: rows beyond the end of each series. searching: how
        translations are looked for; greedily where nothing is said.
        """
        if each_class and not self.classes:
            raise UsageError("this model predicts numbers: only classes have probabilities")
        size = max(1, CELLS // ((len(self.classes) if each_class else 0) + COLUMNS))
        table = self._table()
        found = parts(self.reader, lambda: table.pieces(source, Path(), min(size, PIECE)), size)
        return self._answered(found, each_class=each_class, ahead=ahead, searching=searching)

    def unseen(self) -> str:
        """The symbols of all rows so far that training has not seen, and what became of them; nothing if none."""
        found, vocabulary = self.reader.unseen, self.reader.vocabulary
        if not found or vocabulary is None:
            return ""
        left_out = "read as others of their kind" if isinstance(self.reader, TagReader) else "left out"
        fate = left_out if vocabulary.unknown is None else f"read as {vocabulary.symbols[vocabulary.unknown]}"
        shown = ", ".join(repr(symbol) for symbol, _ in found.most_common(NAMED))
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        return f"{vocabulary.noun}s not seen in training, {fate}: {sum(found.values())} ({shown}{more})"

    def _rows(self, data: Any) -> Rows:
        return as_rows(data, self._columns)

    def _columns(self, items: Sequence[Any]) -> dict[str, Sequence[Any]]:
        """What was given without headings: texts, or rows of numbers (N, F)."""
        names = self.reader.columns
        if self.reader.vocabulary is not None and len(names) == 1:
            return {names[0]: items}
        table = np.asarray(items, dtype=np.float64)
        table = table[:, None] if table.ndim == 1 else table
        if table.ndim != 2 or table.shape[1] != len(names):
            raise DataError(f"rows of {len(names)} numbers are read ({', '.join(names)}), got shape {table.shape}")
        return dict(zip(names, table.T.tolist(), strict=True))

    def _answers(self, rows: Rows, *, each_class: bool = False, ahead: int = 0) -> Answers:
        (piece,) = self._answered([Part(rows)], each_class=each_class, ahead=ahead)
        return piece.answers

    def _answered(
        self, found: Iterable[Part], *, each_class: bool = False, ahead: int = 0, searching: Searching | None = None
    ) -> Iterator[Piece]:
        model, reader = self._replica, self.reader
        if searching is not None:
            return (Piece(part.rows, translations(model, reader, part.rows, searching)) for part in found)
        if isinstance(reader, ForecastReader):
            return forecasts(model, reader, found, ahead)
        if isinstance(reader, SeriesReader):
            return stream_answers(model, reader, found, ahead)
        if ahead:
            raise UsageError("only forecasts reach beyond the end of a table")
        return (Piece(part.rows, answers(model, reader, part.rows, each_class=each_class)) for part in found)

    def _of_symbols(self, rows: Rows) -> list[Array]:
        """The probability of each tag for each symbol of each row (T, C)."""
        examples = self.reader.read(rows)
        found = [np.empty((0, len(self.classes)))] * len(rows)
        for chosen, outputs in apply(self._replica, examples):
            if outputs.ndim == 2:
                raise UsageError("a CRF tags a sequence as a whole: its tags have no probabilities of their own")
            shares = softmax(outputs)
            for b, i in enumerate(chosen.tolist()):
                found[i] = shares[: examples.lengths[i], b]
        return found

    def _table(self) -> Table | Series:
        """How the table was read that the model was trained on."""
        section = self.model.metadata.get("data", {"type": "table"})
        try:
            data = Data.from_config({**section, "source": ""})
        except UsageError as error:
            raise CheckpointError(f"what the model says of its data is damaged: {error}") from None
        if not isinstance(data, (Table, Series)):
            raise UsageError(f"this model was trained on data of type {data.type_name()}, not on rows")
        return data
