"""Rows that a model was not trained on, as its inputs: by the vocabulary and scales of the rows that it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.forecasting import Forecasting
from minidl.data.independent import Order
from minidl.data.labels import TextTask
from minidl.data.padded import PADDING, pad
from minidl.data.rows import Rows
from minidl.data.vocabulary import Vocabulary

Array = NDArray[Any]


@dataclass(frozen=True)
class Examples:
    """Sequences that can be asked for by number. lengths (N,): their steps. take: the model's inputs for some."""

    lengths: Array
    take: Callable[[Order], dict[str, Array]]

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass
class TextReader:
    """Texts as a model was trained to read them.

    An unknown word is read as "<unk>"; so is an unknown character, or it is left out where there is no such id.
    unseen: how often each has been met so far.
    """

    task: TextTask
    vocabulary: Vocabulary
    unseen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._known = set(self.vocabulary.symbols)

    def examples(self, rows: Rows) -> tuple[Examples, list[Array]]:
        """The texts of rows, and which symbols of each are read: True, or False for one that is left out."""
        texts = [self.task.symbols(cell) for cell in rows.column(self.task.text)]
        for i, text in enumerate(texts):
            if not text:
                raise rows.error(i, f"column {self.task.text!r} is empty: fill it, or leave the row out")
            self.unseen.update(symbol for symbol in text if symbol not in self._known)
        ids = [self.vocabulary.encode_words(text, unknown="skip") for text in texts]
        read = [self._read(text) for text in texts]
        lengths = np.array([len(sequence) for sequence in ids])

        def take(chosen: Order) -> dict[str, Array]:
            return {"ids": pad([ids[i] for i in chosen], PADDING), "lengths": lengths[chosen]}

        return Examples(lengths, take), read

    def _read(self, text: Sequence[str]) -> Array:
        if self.vocabulary.unknown is not None:
            return np.ones(len(text), bool)
        return np.fromiter((symbol in self._known for symbol in text), bool, len(text))


@dataclass(frozen=True)
class SeriesReader:
    """A series of numbers in the scales of the training part, (value - mean) / deviation, and back."""

    task: Forecasting
    scales: Mapping[str, Mapping[str, float]]

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that are predicted."""
        return self.task.predict or self.task.columns

    def series(self, rows: Rows) -> Array:
        """The columns that the model reads (N, F), scaled."""
        return self.scale(rows.numbers(self.task.columns), self.task.columns)

    def scale(self, numbers: Array, names: Sequence[str]) -> Array:
        """Numbers (N, F) of these columns in standard deviations from the mean."""
        mean, deviation = self._scales(names)
        scaled: Array = (numbers - mean) / deviation
        return scaled

    def unscale(self, scaled: Array, names: Sequence[str]) -> Array:
        """The inverse of `scale`, in double precision."""
        mean, deviation = self._scales(names)
        numbers: Array = scaled.astype(np.float64) * deviation + mean
        return numbers

    def windows(self, series: Array, ends: Array) -> Examples:
        """The windows of a scaled series whose last rows these are."""
        steps = np.arange(1 - self.task.window, 1)[:, None]
        return Examples(
            np.full(len(ends), self.task.window), lambda chosen: {"x": series[ends[chosen] + steps]}
        )

    def _scales(self, names: Sequence[str]) -> tuple[Array, Array]:
        return tuple(np.array([self.scales[name][of] for name in names]) for of in ("mean", "deviation"))  # type: ignore[return-value]
