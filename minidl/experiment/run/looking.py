"""A trained model with what is known of it from its run: what it reads and answers, and data to look at it with."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from collections.abc import Sequence as PlainSequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from minidl.data import Table
from minidl.data.batches import Batch, Batches, Dataset
from minidl.data.sources import read_table, read_text
from minidl.data.sources.csv_file import read_rows
from minidl.exchange.html import Sample, write_page
from minidl.experiment.run.evaluate import data_of
from minidl.experiment.run.load_model import Trained, load_trained
from minidl.explain import Feature, Subject, rank_units
from minidl.explain.cells import class_features, column_features, text_features
from minidl.explain.states import states_of
from minidl.graph.arrays import Array
from minidl.system.errors import DataError, MinidlError

logger = logging.getLogger("minidl")
Key = TypeVar("Key")
Item = TypeVar("Item")
SHOWN, RANKED = 240, 8000  # steps that a page shows first, and from which units are ranked
BATCHES = 64  # looked through for them
WINDOWS = 12  # of a text, joined to what is shown first


@dataclass(frozen=True)
class Sequence:
    """One sequence of the data: ids (T,) or numbers (T, F), and the class of each step where there are classes."""

    read: Array
    targets: Array | None


class Looking:
    """A trained model that is looked at."""

    def __init__(self, path: Path) -> None:
        self.trained: Trained = load_trained(path)
        meta = self.trained.archive.meta
        metadata = meta.get("metadata")
        model = self.trained.model.replica()
        self.subject = Subject.of(model, metadata if isinstance(metadata, dict) else None)
        if self.subject.is_unnamed and self.data is not None:  # the first releases saved no names
            self.subject = Subject.of(model, self.data.metadata)

    @property
    def name(self) -> str:
        """NAME-NUMBER of the run, or the name of the file."""
        return self.trained.name

    @property
    def about(self) -> str:
        """One line on the model."""
        progress = self.trained.archive.meta.get("progress")
        step = f", step {progress['step']}" if isinstance(progress, dict) and "step" in progress else ""
        return f"{self.trained.model.weights.flat.size:,} parameters{step}"

    @cached_property
    def data(self) -> Dataset | None:
        """The data of the run; None, and a note, where it is not at hand."""
        try:
            return data_of(self.trained).load(Path())
        except MinidlError as error:
            logger.warning("without the data of the run: %s", error)
            return None

    def sequences(self) -> Iterator[Sequence]:
        """Sequences of the validation part, of the training part where there is none."""
        part = self._part()
        if part is not None:
            for step in range(min(part.steps_per_epoch, BATCHES)):
                yield from self._split(part.batch(step))

    def _split(self, batch: Batch) -> Iterator[Sequence]:
        read = batch.inputs[self.subject.input]
        targets = batch.inputs.get("targets", np.zeros(0))
        if targets.dtype.kind not in "iu" or self.subject.kind != "softmax":
            targets = np.zeros(0)
        elif targets.ndim == 1:  # one class for all steps
            targets = np.broadcast_to(targets, read.shape[:2])
        lengths = batch.inputs.get("lengths", np.full(read.shape[1], len(read)))
        for b, length in enumerate(lengths.tolist()):
            yield Sequence(read[:length, b], targets[:length, b] if targets.size else None)

    def text(self) -> str:
        """What a page shows first: a text of the data, or rows of its series in their own units."""
        if self.subject.tokens is None:
            return "\n".join(",".join(f"{value:.6g}" for value in row) for row in self._series())
        if self.subject.predicts_next:
            return _paragraph(self._spelt(self._stream()))
        found = sorted((sequence.read for sequence in _first(self.sequences(), RANKED)), key=len)
        ids = found[len(found) * 9 // 10][:SHOWN]  # a rather long one
        return self._spelt(ids)

    def _spelt(self, ids: Array) -> str:
        vocabulary = self.subject.vocabulary
        symbols = [vocabulary.symbols[i] for i in ids]
        if self.subject.tokens == "space":
            return " ".join(symbols)
        text = vocabulary.decode(ids)
        if self.subject.tokens == "char" or vocabulary.unknown is None:
            return text
        unknown = re.escape(vocabulary.symbols[vocabulary.unknown])  # read as such where it stands alone
        return re.sub(rf"(?<=\S)({unknown})|({unknown})(?=\S)", r" \1\2 ", text)

    def _stream(self) -> Array:
        """The beginning of a text that is read window by window."""
        part = self._part()
        steps = range(min(part.steps_per_epoch, WINDOWS)) if part is not None else range(0)
        windows = [part.batch(step).inputs[self.subject.input][:, 0] for step in steps if part is not None]
        return np.concatenate([np.empty(0, np.int64), *windows])

    def _part(self) -> Batches | None:
        return None if self.data is None else self.data.validation or self.data.train

    def _series(self) -> Array:
        """Rows that follow one another, as far as windows that overlap can be joined."""
        rows: list[Array] = []
        for sequence in _first(self.sequences(), SHOWN * max(1, self.subject.window)):
            if not rows:
                rows = list(sequence.read)
            elif np.array_equal(sequence.read[:-1], np.array(rows[len(rows) - len(sequence.read) + 1 :])):
                rows.append(sequence.read[-1])
        return self.subject.in_units(np.reshape(rows, (-1, len(self.subject.columns))))

    def features(self, most: int = 5) -> list[Feature]:
        """Units that tell a feature of the data apart; none without data."""
        states: list[dict[str, Array]] = []
        found: list[dict[tuple[str, str], Array]] = []
        for sequence in _first(self.sequences(), RANKED):
            states.append(states_of(self.subject, sequence.read))
            found.append(self._features_of(sequence))
        if not states:
            return []
        return rank_units(_joined(states), _joined(found), most)

    def _features_of(self, sequence: Sequence) -> dict[tuple[str, str], Array]:
        if self.subject.tokens is None:
            return column_features(self.subject.columns, sequence.read)
        features = text_features([self.subject.vocabulary.symbols[i] for i in sequence.read])
        if sequence.targets is not None and not self.subject.predicts_next:
            features |= class_features(self.subject.names, sequence.targets)
        return features

    def sample(self, text: str | None = None) -> Sample:
        """What a page shows first: a text that is given, or one of the data."""
        if text is None:
            text = self.text() if self.data is not None else ""
        return Sample(text, self.features())

    def write(self, path: Path, text: str | None = None) -> int:
        """Write the page; its size in bytes."""
        return write_page(path, self.subject, self.name, self.about, self.sample(text))

    def read(self, text: str) -> Array:
        """What the network reads of a text, or of the rows of a series in their own units."""
        if self.subject.tokens is not None:
            return self.subject.ids(self.subject.symbols(text))
        rows = read_rows(",".join(self.subject.columns) + "\n" + text, "the series").numbers(self.subject.columns)
        return self.subject.standardised(rows)

    def row(self, source: str, number: int) -> Array:
        """What the network reads of a row of a file, counted from 1 without the header.

        Of a text it is the line, of a table the cell that is read, of a series the window that ends there.
        """
        if self.subject.tokens is not None and self.subject.text_column is None:
            return self.read(_numbered(read_text(source, Path()).split("\n"), number, source, "lines"))
        data = data_of(self.trained)
        rows = data.rows(source, Path()) if isinstance(data, Table) else read_table(source, Path())
        if self.subject.text_column is not None:
            return self.read(_numbered(rows.column(self.subject.text_column), number, source, "rows"))
        series = self.subject.standardised(rows.numbers(self.subject.columns))
        _numbered(range(len(series)), number, source, "rows")
        return series[max(0, number - self.subject.window) if self.subject.window else 0 : number]


def _paragraph(text: str) -> str:
    """Some of a text, from the beginning of a paragraph where there is one, to the end of a word."""
    rest = text.partition("\n\n")[2].lstrip()
    shown = (rest if len(rest) >= SHOWN else text)[:SHOWN]
    return shown[: max(shown.rfind(" "), shown.rfind("\n"), SHOWN // 2)].rstrip()


def _numbered(items: PlainSequence[Item], number: int, source: str, what: str) -> Item:
    if not 1 <= number <= len(items):
        raise DataError(f"{source} has {what} 1 to {len(items)}, and none of number {number}")
    return items[number - 1]


def _first(sequences: Iterator[Sequence], steps: int) -> Iterator[Sequence]:
    """Sequences until they have so many steps together."""
    for sequence in sequences:
        if steps <= 0:
            return
        steps -= len(sequence.read)
        yield sequence


def _joined(parts: list[dict[Key, Array]]) -> dict[Key, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
