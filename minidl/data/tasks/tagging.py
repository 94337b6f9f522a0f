"""Tagging: one class for each symbol of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.data.baselines import majority
from minidl.data.batches import ArraySpec, Dataset
from minidl.data.independent import Independent, Order
from minidl.data.padded import PaddedBatches
from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Answers, Array, Reader, softmax
from minidl.data.tasks.task import SplitAndBatch
from minidl.data.tasks.text_input import TextInput
from minidl.data.tasks.text_task import TextTask, class_names, number_classes, three_parts


@dataclass(frozen=True)
class TagReader(Reader):
    """Texts, and a tag for each symbol that is read. classes: in the order of the model's outputs."""

    input: TextInput
    tags: str
    classes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.input.text,)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.tags,)

    def tags_of(self, rows: Rows) -> list[Any]:
        """The tags of each row, as many as its text has symbols."""
        found = [self.split(cell) for cell in rows.column(self.tags)]
        noun = "characters" if self.input.tokens == "char" else "words"
        texts = (text for piece in self.input.read(rows) for text in piece)
        for i, (text, tags) in enumerate(zip(texts, found, strict=True)):
            if len(text) != len(tags):
                counts = f"{noun} in column {self.input.text!r}: {len(text)}, tags in column {self.tags!r}: {len(tags)}"
                raise rows.error(i, f"{counts}; there should be a tag for each")
        return found

    def split(self, cell: str) -> Any:
        """The tags of a cell: a character each, or what stands between white space."""
        return cell if self.input.tokens == "char" else cell.split()

    def join(self, tags: list[str]) -> str:
        """Tags as they came: the inverse of `split`."""
        return ("" if self.input.tokens == "char" else " ").join(tags)

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Independent:
        assert self.vocabulary is not None
        ids = self.input.encode(rows, self.vocabulary, self.unseen)
        numbers = number_classes(rows, self.tags_of(rows), self.classes) if targets else None
        return PaddedBatches(ids, numbers, batch_size, shuffle=False)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """The tags of each text; probability: of the least certain of them. Ids (T, B) have no probability."""
        lengths = examples.lengths[chosen].tolist()
        shares = softmax(outputs) if outputs.ndim == 3 else None
        best = outputs if shares is None else shares.argmax(axis=-1)
        tags = [[self.classes[i] for i in best[:length, b].tolist()] for b, length in enumerate(lengths)]
        found: Answers = {"prediction": [self.join(each) for each in tags]}
        if shares is not None:
            surest = shares.max(axis=-1)
            found["probability"] = [
                float(surest[:length, b].min()) if length else 0.0 for b, length in enumerate(lengths)
            ]
        return found


@dataclass(frozen=True)
class Tagging(TextTask):
    """One class for each symbol of a text.        ids (T, B), lengths (B,) -> targets (T, B), -1 past the end

    `text`: the column that is read. `tags`: the column with as many tags; where characters are read each tag is a
    character, where words are read both columns are divided at white space.
    """

    tags: str

    at_space = True

    def dataset(self, rows: Rows, deal: SplitAndBatch) -> Dataset:
        """Texts and their tags as padded batches."""
        labels = TagReader(self.text_input(), self.tags, ("",)).tags_of(rows)
        parts = deal.parts(len(rows))
        classes = class_names(rows, labels, parts[0])
        vocabulary = self.text_input().learn(rows, parts[0], self.max_vocab)
        reader = TagReader(self.text_input(), self.tags, classes)
        examples = reader.with_vocabulary(vocabulary).read(rows, targets=True)
        targets = number_classes(rows, labels, classes)
        train, validation, test = three_parts(examples, parts, deal)
        counts = np.bincount(np.concatenate([targets[i] for i in parts[0]]), minlength=len(classes))
        return Dataset(
            train=train,
            validation=validation,
            test=test,
            inputs={
                "ids": ArraySpec("int", len(vocabulary), ("T", "B")),
                "lengths": ArraySpec("int", None, ("B",)),
                "targets": ArraySpec("int", len(classes), ("T", "B")),
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
            metadata={"reader": reader.config(), "class_names": list(classes), "class_counts": counts.tolist()},
            reader=reader,
        )
