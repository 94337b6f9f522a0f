"""Translation: a text for each text, as from one language to another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from minidl.data.batches import Array, ArraySpec, Dataset
from minidl.data.independent import Independent, Order
from minidl.data.padded import IGNORED, PADDING, pad
from minidl.data.ragged import Ragged
from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Answers, Reader
from minidl.data.tasks.sequence_task import three_parts
from minidl.data.tasks.start_end import ends_of, with_ends
from minidl.data.tasks.task import Settings, Task
from minidl.data.tasks.text_input import TextInput
from minidl.data.vocabulary import Vocabulary

LONGER = 1.5  # than the longest of training: where a translation is given up


class Pairs(Independent):
    """Texts with their translations, for a decoder that is given the symbols before each that it has to predict.

        source (S, B), lengths (B,);   ids (T, B): START and the target;   targets (T, B): the target and END, then -1

    source: the ids of each text. target: those of each translation; None where they are not known, and only source
    and lengths are given.
    """

    def __init__(
        self, source: Ragged, target: Ragged | None, ends: tuple[int, int], batch_size: int, rows: Array
    ) -> None:
        tokens = int((source if target is None else target).lengths.sum())
        super().__init__(len(source), batch_size, 0, False, tokens, lengths=source.lengths, rows=rows)
        self._source, self._target, self._ends = source, target, ends

    def take(self, chosen: Order) -> dict[str, Array]:
        """These pairs, padded."""
        taken = {"source": pad([self._source[i] for i in chosen], PADDING), "lengths": self.lengths[chosen]}
        if self._target is None:
            return taken
        start, end = self._ends
        targets = [self._target[i] for i in chosen]
        return {
            **taken,
            "ids": pad([np.array([start, *target]) for target in targets], PADDING),
            "targets": pad([np.array([*target, end]) for target in targets], IGNORED),
        }


@dataclass(frozen=True)
class TranslationReader(Reader):
    """Texts and their translations in one vocabulary. longest: symbols after which a translation is given up."""

    input: TextInput
    target: str
    longest: int
    drop: bool = field(default=False, kw_only=True)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.input.columns

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,)

    @property
    def output(self) -> TextInput:
        """How translations are read: as texts are, and whole."""
        return TextInput(self.target, self.input.tokens, normalise=self.input.normalise)

    @property
    def ends(self) -> tuple[int, int]:
        """The ids of START and END."""
        return ends_of(self.vocabulary)

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Pairs:
        kept = np.arange(len(rows))
        if self.drop:
            empty = self.input.empty(rows) | (self.output.empty(rows) if targets else False)
            kept, rows = np.flatnonzero(~empty), rows.take(np.flatnonzero(~empty))
        source = self.input.read(rows, self.vocabulary, self.unseen).values
        target = self.output.read(rows, self.vocabulary, self.unseen).values if targets else None
        return Pairs(source, target, self.ends, batch_size, kept)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """The texts of translated ids (T, B), -1 past the end of each."""
        assert self.vocabulary is not None
        return {"prediction": [self.vocabulary.decode(column[column >= 0]) for column in outputs.T]}


@dataclass(frozen=True)
class Translation(Task):
    """A text for each text.        source (S, B), lengths (B,), ids (T, B) -> targets (T, B), -1 past the end

    `source`: the column that is read. `target`: the column with its translation. tokens: whether both are read by
    characters or words. max_vocab: size of their vocabulary, "<unk>" included; None for all that occurs. longest:
    symbols after which a translation is given up; None: half as many again as the longest in the file. The decoder is
    given `ids`, a start and the translation, and predicts `targets`, the translation and an end.
    """

    source: str
    target: str
    tokens: Literal["char", "word"] = field(default="char", kw_only=True)
    max_vocab: Annotated[int, Ge(4)] | None = field(default=None, kw_only=True)
    longest: Annotated[int, Gt(0)] | None = field(default=None, kw_only=True)

    def wanted(self) -> tuple[str, ...]:
        return (self.source, self.target)

    def dataset(self, rows: Rows, settings: Settings) -> Dataset:
        """Pairs of texts as padded batches."""
        given = TextInput(self.source, self.tokens, False, settings.max_length, settings.normalise)
        reader = TranslationReader(given, self.target, self.longest or 1, drop=settings.missing == "drop")
        kept = rows
        if reader.drop:
            kept = rows.take(np.flatnonzero(~(reader.input.empty(rows) | reader.output.empty(rows))))
        parts = settings.parts(len(kept), "random")
        vocabulary = self._vocabulary(reader, kept, parts[0])
        if self.longest is None:
            symbols = max(len(text) for piece in reader.output.texts(kept) for text in piece)
            reader = TranslationReader(given, self.target, int(LONGER * symbols) + 2, drop=reader.drop)
        reader = reader.with_vocabulary(vocabulary)
        examples = reader.read(kept, targets=True)
        train, validation, test = three_parts(examples, parts, settings)
        V = len(vocabulary)
        return Dataset(
            train=train,
            validation=validation,
            test=test,
            inputs={
                "source": ArraySpec("int", V, ("S", "B")),
                "lengths": ArraySpec("int", None, ("B",)),
                "ids": ArraySpec("int", V, ("T", "B")),
                "targets": ArraySpec("int", V, ("T", "B")),
            },
            facts={"vocab_size": V, "train_sequences": train.count, "train_tokens": int(train.lengths.sum())},
            vocabulary=vocabulary,
            digest=rows.digest,
            unit="step",
            metadata={"reader": reader.config()},
            reader=reader,
        )

    def _vocabulary(self, reader: TranslationReader, rows: Rows, training: Order) -> Vocabulary:
        """Of both columns, with START and END: characters of all rows, or words of the training part."""
        counts: Counter[str] = Counter()
        for column in (reader.input, reader.output):
            for texts in column.texts(rows, training if self.tokens == "word" else None):
                for text in texts:
                    counts.update(text)
        return with_ends(counts, self.tokens, self.max_vocab)
