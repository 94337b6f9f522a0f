"""Classes for whole texts, or tags for each of their symbols, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.labels import Tagging, TextTask
from minidl.data.new_rows import TextReader
from minidl.data.rows import Rows
from minidl.generate.answers import softmax
from minidl.generate.apply import apply
from minidl.model import Model
from minidl.predictor.answers import Answers

Array = NDArray[Any]
NAMED = 8  # unseen symbols that a note names


@dataclass
class Labels:
    """Classification and tagging: softmax of the logits, the most likely class, and how likely it is.

    model: a replica. reader: of texts as in training. classes: their names by number.
    """

    model: Model
    reader: TextReader
    classes: tuple[str, ...]
    piece: int | None = 20_000
    empty: int = field(default=0, init=False)  # rows of which no symbol is known

    @property
    def reads(self) -> tuple[str, ...]:
        """The column of texts."""
        return (self.reader.task.text,)

    def from_list(self, items: Sequence[Any]) -> dict[str, Sequence[Any]]:
        """Texts without a heading."""
        return {self.reader.task.text: items}

    def answer(self, rows: Rows, *, each_class: bool = False, ahead: int = 0) -> Answers:
        """The class of each text, or the tags of its symbols."""
        examples, read = self.reader.examples(rows)
        self.empty += int(np.count_nonzero(examples.lengths == 0))
        if isinstance(self.reader.task, Tagging):
            return self._tags(apply(self.model, examples, self._of_symbols), read)
        return self._labels(apply(self.model, examples, lambda logits, _: softmax(logits)), each_class)

    def notes(self) -> list[str]:
        """The symbols that are in no row of the training part, and what became of them."""
        unseen, vocabulary = self.reader.unseen, self.reader.vocabulary
        notes = []
        if unseen:
            noun = "character" if self.reader.task.tokens == "char" else "word"
            fate = "left out" if vocabulary.unknown is None else f"read as {vocabulary.symbols[vocabulary.unknown]}"
            shown = ", ".join(repr(symbol) for symbol, _ in unseen.most_common(NAMED))
            more = f" and {len(unseen) - NAMED} more" if len(unseen) > NAMED else ""
            notes.append(f"{noun}s not seen in training, {fate}: {unseen.total()} ({shown}{more})")
        if self.empty:
            notes.append(f"rows without an answer, since none of their characters was seen in training: {self.empty}")
        return notes

    def _of_symbols(self, logits: Array, inputs: dict[str, Array]) -> list[Array]:
        probabilities = softmax(logits)
        return [probabilities[:length, b] for b, length in enumerate(inputs["lengths"])]

    def _labels(self, found: list[Array | None], each_class: bool) -> Answers:
        unknown = np.full(len(self.classes), np.nan)
        probabilities = np.array([unknown if p is None else p for p in found])
        known = ~np.isnan(probabilities[:, 0])
        best = np.where(known, np.nan_to_num(probabilities).argmax(axis=1), len(self.classes))
        values = np.array([*self.classes, ""])[best]
        largest = np.where(known, np.nan_to_num(probabilities).max(axis=1), np.nan)
        columns: dict[str, Sequence[Any]] = {"prediction": values.tolist(), "probability": largest.tolist()}
        if each_class:
            columns |= {f"probability:{name}": probabilities[:, k].tolist() for k, name in enumerate(self.classes)}
        return Answers(values, probabilities, columns)

    def _tags(self, found: list[Array | None], read: list[Array]) -> Answers:
        """Tags as many as symbols: one that was left out has the tag of the symbol before it."""
        probabilities = []
        for p, kept in zip(found, read, strict=True):
            some = np.full((1, len(self.classes)), np.nan) if p is None else p
            probabilities.append(some[np.maximum(np.cumsum(kept) - 1, 0)])
        names = np.array(self.classes)
        values = [[] if np.isnan(p).any() else names[p.argmax(axis=1)].tolist() for p in probabilities]
        joint = "" if self.reader.task.tokens == "char" else " "
        certain = [float(p.max(axis=1).mean()) for p in probabilities]
        columns = {"prediction": [joint.join(tags) for tags in values], "probability": certain}
        return Answers(values, probabilities, columns)
