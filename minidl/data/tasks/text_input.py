"""Texts of a column as sequences of ids."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from minidl.data.batches import ArraySpec
from minidl.data.independent import Order
from minidl.data.ragged import Ragged, RaggedBuilder, smallest
from minidl.data.sources.columns import TextColumn
from minidl.data.sources.rows import Rows
from minidl.data.tasks.sequence_input import Each, SequenceInput, Sequences
from minidl.data.vocabulary import Vocabulary
from minidl.data.words import split_words

Normal = Literal["NFC", "NFD", "NFKC", "NFKD"]


@dataclass(frozen=True)
class TextInput(SequenceInput):
    """How a text is read.

    text: its column. tokens: characters or words. at_space: whether words are what stands between white space, and not
    words and punctuation marks. max_length: symbols that are read at most. normalise: the form of Unicode that it is
    brought into first.
    """

    text: str
    tokens: Literal["char", "word"] = "char"
    at_space: bool = False
    max_length: Annotated[int, Gt(0)] | None = None
    normalise: Normal | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.text,)

    @property
    def name(self) -> str:
        return "ids"

    def spec(self, vocabulary: Vocabulary | None) -> ArraySpec:
        assert vocabulary is not None
        return ArraySpec("int", len(vocabulary), ("T", "B"))

    def empty(self, rows: Rows) -> NDArray[np.bool_]:
        return np.fromiter((not cell.strip() for cell in rows.column(self.text)), bool, len(rows))

    def symbols(self, text: str) -> Sequence[str]:
        """Characters, or words."""
        if self.normalise is not None:
            text = unicodedata.normalize(self.normalise, text)
        if self.tokens == "char":
            return text
        return text.split() if self.at_space else split_words(text)

    def texts(self, rows: Rows, chosen: Order | None = None) -> Iterator[list[Sequence[str]]]:
        """The symbols of each text, several texts at a time; DataError for one that has none."""
        for first, cells in _pieces(rows.column(self.text), chosen):
            texts = [self.symbols(cell) for cell in cells]
            for i, text in zip(first, texts, strict=True) if not all(texts) else ():
                if not text:
                    raise rows.error(i, f"column {self.text!r} is empty: fill it, or leave the row out")
            yield texts if self.max_length is None else [text[: self.max_length] for text in texts]

    def is_cut(self, rows: Rows) -> NDArray[np.bool_]:
        """Which texts are longer than what is read of them."""
        if self.max_length is None:
            return np.zeros(len(rows), bool)
        cells = rows.column(self.text)
        return np.fromiter((len(self.symbols(cell)) > self.max_length for cell in cells), bool, len(rows))

    def learn(self, rows: Rows, training: Order, max_vocab: int | None) -> Vocabulary:
        """Characters of all texts, so that none is unseen; words of the training part, others are unknown."""
        if self.tokens == "word":
            return self._learn_words(rows, training, max_vocab)
        counts: Counter[str] = Counter()
        for texts in self.texts(rows):
            counts.update(_count_characters("".join(texts)))  # type: ignore[arg-type]
        return Vocabulary.from_char_counts(counts, max_vocab)

    def _learn_words(self, rows: Rows, training: Order, max_vocab: int | None) -> Vocabulary:
        """Words are numbered as they come, and kept for `encode`: to divide texts takes longer than all else."""
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__
        found, learnt = RaggedBuilder(np.uint16, self._about(rows)), np.zeros(len(rows), bool)
        learnt[training] = True
        times, start = np.zeros(0, np.int64), 0
        for texts in self.texts(rows):
            lengths = np.array([len(text) for text in texts])
            joined = itertools.chain.from_iterable(texts)
            ids = np.fromiter(map(numbers.__getitem__, joined), np.int32, int(lengths.sum()))
            found.add(ids, lengths)
            counted = np.bincount(ids[np.repeat(learnt[start : start + len(texts)], lengths)], minlength=len(numbers))
            counted[: len(times)] += times
            times, start = counted, start + len(texts)
        self.__dict__["_kept"] = (rows, list(numbers), found.done())
        counts = zip(numbers, times.tolist(), strict=True)
        return Vocabulary.from_counts(Counter({word: count for word, count in counts if count}), max_vocab)

    def _kept_ids(self, rows: Rows, vocabulary: Vocabulary) -> Ragged | None:
        """What `learn` has kept of these rows, by the ids of the vocabulary."""
        known, words, numbers = self.__dict__.pop("_kept", (None, [], None))
        if known is not rows or numbers is None or vocabulary.unknown is None:
            return None
        ids = vocabulary.ids_or_minus_1(words)
        table = np.where(ids < 0, vocabulary.unknown, ids).astype(smallest(len(vocabulary)))
        return Ragged(table[numbers.values], numbers.lengths)

    def encode(self, rows: Rows, vocabulary: Vocabulary, unseen: Counter[str]) -> Ragged:
        """The ids of each text. What the vocabulary does not have is counted, and read as unknown or left out."""
        if (kept := self._kept_ids(rows, vocabulary)) is not None:
            return kept
        found = RaggedBuilder(smallest(len(vocabulary)), self._about(rows))
        for texts in self.texts(rows):
            joined: Any = "".join(texts) if self.tokens == "char" else list(itertools.chain.from_iterable(texts))  # type: ignore[arg-type]
            ids, counts = vocabulary.ids_or_minus_1(joined), np.array([len(text) for text in texts])
            strange = ids < 0
            if strange.any():
                unseen.update(joined[i] for i in np.flatnonzero(strange).tolist())
                if vocabulary.unknown is None:
                    counts -= np.bincount(np.repeat(np.arange(len(counts)), counts)[strange], minlength=len(counts))
                    ids = ids[~strange]
                else:
                    ids = np.where(strange, vocabulary.unknown, ids)
            found.add(ids, counts)
        return found.done()

    def _about(self, rows: Rows) -> int:
        """How many symbols all texts may have."""
        cells = rows.column(self.text)
        characters = cells.size() if isinstance(cells, TextColumn) else 8 * len(cells)
        return characters if self.tokens == "char" else characters // 5

    def read(self, rows: Rows, vocabulary: Vocabulary | None, unseen: Counter[str]) -> Sequences:
        assert vocabulary is not None
        return Sequences(self.encode(rows, vocabulary, unseen), Each(len(rows)))


def _pieces(cells: Any, chosen: Order | None) -> Iterator[tuple[Sequence[int], list[str]]]:
    """Cells, many at a time, with their numbers."""
    if chosen is None:
        start = 0
        for piece in cells.pieces() if hasattr(cells, "pieces") else [list(cells)]:
            yield range(start, start + len(piece)), piece
            start += len(piece)
        return
    wanted = np.zeros(len(cells), bool)
    wanted[chosen] = True
    for numbers, piece in _pieces(cells, None):
        kept = wanted[numbers.start : numbers.stop].tolist()  # type: ignore[attr-defined]
        yield list(itertools.compress(numbers, kept)), list(itertools.compress(piece, kept))


def _count_characters(text: str) -> dict[str, int]:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    counts = np.bincount(points) if points.size else np.zeros(0, np.int64)
    return {chr(point): int(counts[point]) for point in np.flatnonzero(counts).tolist()}
