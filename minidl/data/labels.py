"""Tasks that read a text and answer with classes: one for the whole text, or one for each of its symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from minidl.data.baselines import majority
from minidl.data.batches import ArraySpec, Dataset
from minidl.data.independent import Order
from minidl.data.padded import PaddedBatches
from minidl.data.rows import Rows
from minidl.data.task import SplitAndBatch, Task
from minidl.data.vocabulary import Vocabulary
from minidl.data.words import split_words
from minidl.system.errors import DataError, suggest

Ids = NDArray[Any]
Symbols = Sequence[str]


@dataclass(frozen=True)
class TextTask(Task, abstract=True):
    """Base of tasks on a column of texts: `text` is its name.

    tokens: whether characters or words are read. max_vocab: size of the vocabulary, "<unk>" included; None for all
    that occurs.
    """

    text: str
    tokens: Literal["char", "word"] = field(default="char", kw_only=True)
    max_vocab: Annotated[int, Ge(2)] | None = field(default=None, kw_only=True)

    target_axes: ClassVar[tuple[str, ...]]

    def symbols(self, text: str) -> Symbols:
        """What is read of a text, one after the other."""
        raise NotImplementedError

    def labels(self, rows: Rows, texts: list[Symbols]) -> list[Symbols]:
        """The names of the classes of each row: one, or one for each symbol of its text."""
        raise NotImplementedError

    def dataset(self, rows: Rows, deal: SplitAndBatch) -> Dataset:
        """Texts and their classes as padded batches."""
        texts = [self.symbols(cell) for cell in rows.column(self.text)]
        _check_filled(rows, texts, self.text)
        labels, parts = self.labels(rows, texts), deal.parts(len(rows))
        classes = _classes(rows, labels, parts[0])
        numbers = {name: i for i, name in enumerate(classes)}
        targets = [np.array([numbers[name] for name in names]) for names in labels]
        vocabulary = self._vocabulary(texts, parts[0])
        ids = [vocabulary.encode_words(text) for text in texts]
        train = self._batches(ids, targets, parts[0], deal, shuffle=deal.shuffle)
        validation, test = (self._evaluation(ids, targets, part, deal) for part in parts[1:])
        return Dataset(
            train=train,
            validation=validation,
            test=test,
            inputs={
                "ids": ArraySpec("int", len(vocabulary), ("T", "B")),
                "lengths": ArraySpec("int", None, ("B",)),
                "targets": ArraySpec("int", len(classes), self.target_axes),
            },
            facts={
                "vocab_size": len(vocabulary),
                "classes": len(classes),
                "train_sequences": train.count,
                "train_tokens": int(train.lengths.sum()),
            },
            vocabulary=vocabulary,
            digest=rows.digest,
            unit="step",
            baselines=majority(*([targets[i] for i in part] for part in parts[:2])),
            legend={"classes": classes},
        )

    def _vocabulary(self, texts: list[Symbols], training: Order) -> Vocabulary:
        """Characters of all texts, so that none is unseen; words of the training part, others are unknown."""
        if self.tokens == "char":
            return Vocabulary.from_text("".join(chain.from_iterable(texts)), "char", self.max_vocab)
        return Vocabulary.from_words(chain.from_iterable(texts[i] for i in training), self.max_vocab)

    def _batches(
        self, ids: list[Ids], targets: list[Ids], part: Order, deal: SplitAndBatch, *, shuffle: bool
    ) -> PaddedBatches:
        chosen = [targets[i] for i in part]
        answers = np.concatenate(chosen) if self.target_axes == ("B",) else chosen
        return PaddedBatches([ids[i] for i in part], answers, deal.batch_size, deal.seed, shuffle)

    def _evaluation(self, ids: list[Ids], targets: list[Ids], part: Order, deal: SplitAndBatch) -> PaddedBatches | None:
        """In the order of length, which leaves the least to pad."""
        if not part.size:
            return None
        lengths = [len(ids[i]) for i in part]
        return self._batches(ids, targets, part[np.argsort(lengths, kind="stable")], deal, shuffle=False)


@dataclass(frozen=True)
class Classification(TextTask):
    """One class for a whole text.        ids (T, B), lengths (B,) -> targets (B,)

    `text`: the column that is read, by characters or words (`tokens`). `label`: the column that names the class.
    """

    label: str

    target_axes: ClassVar = ("B",)

    def symbols(self, text: str) -> Symbols:
        """Characters, or words and punctuation marks as in texts."""
        return text if self.tokens == "char" else split_words(text)

    def labels(self, rows: Rows, texts: list[Symbols]) -> list[Symbols]:
        """The label of each row."""
        names = rows.column(self.label)
        _check_filled(rows, names, self.label)
        return [[name] for name in names]


@dataclass(frozen=True)
class Tagging(TextTask):
    """One class for each symbol of a text.        ids (T, B), lengths (B,) -> targets (T, B), -1 past the end

    `text`: the column that is read. `tags`: the column with as many tags; where characters are read each tag is a
    character, where words are read both columns are divided at white space.
    """

    tags: str

    target_axes: ClassVar = ("T", "B")

    def symbols(self, text: str) -> Symbols:
        """Characters, or what stands between white space."""
        return text if self.tokens == "char" else text.split()

    def labels(self, rows: Rows, texts: list[Symbols]) -> list[Symbols]:
        """The tags of each row, as many as its text has symbols."""
        found = [self.symbols(cell) for cell in rows.column(self.tags)]
        noun = "characters" if self.tokens == "char" else "words"
        for i, (text, tags) in enumerate(zip(texts, found, strict=True)):
            if len(text) != len(tags):
                counts = f"{noun} in column {self.text!r}: {len(text)}, tags in column {self.tags!r}: {len(tags)}"
                raise rows.error(i, f"{counts}; there should be a tag for each")
        return found


def _check_filled(rows: Rows, cells: Sequence[Symbols], column: str) -> None:
    for i, cell in enumerate(cells):
        if not cell:
            raise rows.error(i, f"column {column!r} is empty: fill it, or leave the row out")


def _classes(rows: Rows, labels: list[Symbols], training: Order) -> list[str]:
    """The names of the classes, sorted; all of them have to be in the training part."""
    known = sorted(set(chain.from_iterable(labels[i] for i in training)))
    for i, names in enumerate(labels):
        unseen = set(names).difference(known)
        if unseen:
            name = min(unseen)
            raise rows.error(
                i,
                f"class {name!r} is in no row of the training part{suggest(name, known)}; correct it, "
                f"leave rows of rare classes out, or give the training part a larger share",
            )
    if len(known) < 2:
        raise DataError(f"{rows.name}: all rows are of class {known[0]!r}: there is nothing to tell apart")
    return known
