"""Texts of a column as sequences of ids."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from minidl.config.declared import Declared
from minidl.data.independent import Order
from minidl.data.ragged import Ragged, smallest
from minidl.data.sources.rows import Rows
from minidl.data.vocabulary import Vocabulary
from minidl.data.words import split_words

logger = logging.getLogger("minidl")
Normal = Literal["NFC", "NFD", "NFKC", "NFKD"]
PIECE = 4096  # texts that are looked at together


@dataclass(frozen=True)
class TextInput(Declared, family="text_input", abstract=False):
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

    def symbols(self, text: str) -> Sequence[str]:
        """Characters, or words."""
        if self.normalise is not None:
            text = unicodedata.normalize(self.normalise, text)
        if self.tokens == "char":
            return text
        return text.split() if self.at_space else split_words(text)

    def read(self, rows: Rows, chosen: Order | None = None) -> Iterator[list[Sequence[str]]]:
        """The symbols of each text, several texts at a time; DataError for one that has none."""
        cells = rows.column(self.text)
        order = range(len(rows)) if chosen is None else np.sort(chosen).tolist()
        for start in range(0, len(order), PIECE):
            numbers = order[start : start + PIECE]
            texts = [self.symbols(cells[i]) for i in numbers]
            for i, text in zip(numbers, texts, strict=True):
                if not text:
                    raise rows.error(i, f"column {self.text!r} is empty: fill it, or leave the row out")
            yield texts if self.max_length is None else [text[: self.max_length] for text in texts]

    def learn(self, rows: Rows, training: Order, max_vocab: Annotated[int, Ge(2)] | None) -> Vocabulary:
        """Characters of all texts, so that none is unseen; words of the training part, others are unknown."""
        counts: Counter[str] = Counter()
        if self.tokens == "word":
            for texts in self.read(rows, training):
                for text in texts:
                    counts.update(text)
            return Vocabulary.from_counts(counts, max_vocab)
        for texts in self.read(rows):
            counts.update("".join(texts))  # type: ignore[arg-type]
        return Vocabulary.from_char_counts(counts, max_vocab)

    def encode(self, rows: Rows, vocabulary: Vocabulary, unseen: Counter[str]) -> Ragged:
        """The ids of each text. What the vocabulary does not have is counted, and read as unknown or left out."""
        kind, parts, lengths = smallest(len(vocabulary)), [], []
        for texts in self.read(rows):
            joined: Any = "".join(texts) if self.tokens == "char" else [word for text in texts for word in text]  # type: ignore[arg-type]
            ids = vocabulary.ids_or_minus_1(joined)
            counts = np.array([len(text) for text in texts])
            strange = ids < 0
            if strange.any():
                unseen.update(joined[i] for i in np.flatnonzero(strange).tolist())
                if vocabulary.unknown is None:
                    counts -= _within(strange, counts)
                    ids = ids[~strange]
                else:
                    ids = np.where(strange, vocabulary.unknown, ids)
            parts.append(ids.astype(kind))
            lengths.append(counts)
        return Ragged(np.concatenate(parts), np.concatenate(lengths))


def _within(marked: NDArray[Any], counts: NDArray[Any]) -> NDArray[Any]:
    """How many of the marked symbols each text has."""
    return np.bincount(np.repeat(np.arange(len(counts)), counts)[marked], minlength=len(counts))
