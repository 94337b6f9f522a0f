"""Classification: one class for a whole text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.data.baselines import majority
from minidl.data.batches import ArraySpec, Dataset
from minidl.data.independent import Independent, Order
from minidl.data.padded import PaddedBatches
from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Answers, Array, Reader, softmax
from minidl.data.tasks.task import SplitAndBatch
from minidl.data.tasks.text_input import TextInput
from minidl.data.tasks.text_task import TextTask, check_filled, class_names, number_classes, three_parts


@dataclass(frozen=True)
class ClassReader(Reader):
    """Texts, and the name of a class for each. classes: in the order of the model's outputs."""

    input: TextInput
    label: str
    classes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.input.text,)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.label,)

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Independent:
        assert self.vocabulary is not None
        ids = self.input.encode(rows, self.vocabulary, self.unseen)
        numbers = None
        if targets:
            numbers = np.concatenate(number_classes(rows, [[name] for name in rows.column(self.label)], self.classes))
        return PaddedBatches(ids, numbers, batch_size, shuffle=False)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        shares = softmax(outputs)
        best = shares.argmax(axis=-1)
        return {
            "prediction": [self.classes[i] for i in best.tolist()],
            "probability": shares.max(axis=-1).tolist(),
            **{f"probability:{name}": shares[:, k].tolist() for k, name in enumerate(self.classes)},
        }


@dataclass(frozen=True)
class Classification(TextTask):
    """One class for a whole text.        ids (T, B), lengths (B,) -> targets (B,)

    `text`: the column that is read, by characters or words (`tokens`). `label`: the column that names the class.
    """

    label: str

    def dataset(self, rows: Rows, deal: SplitAndBatch) -> Dataset:
        """Texts and their classes as padded batches."""
        names = rows.column(self.label)
        check_filled(rows, rows.column(self.text), self.text)
        check_filled(rows, names, self.label)
        parts = deal.parts(len(rows))
        classes = class_names(rows, [[name] for name in names], parts[0])
        vocabulary = self.text_input().learn(rows, parts[0], self.max_vocab)
        reader = ClassReader(self.text_input(), self.label, classes)
        examples = reader.with_vocabulary(vocabulary).read(rows, targets=True)
        targets = number_classes(rows, [[name] for name in names], classes)
        train, validation, test = three_parts(examples, parts, deal)
        counts = np.bincount(np.concatenate([targets[i] for i in parts[0]]), minlength=len(classes))
        return Dataset(
            train=train,
            validation=validation,
            test=test,
            inputs={
                "ids": ArraySpec("int", len(vocabulary), ("T", "B")),
                "lengths": ArraySpec("int", None, ("B",)),
                "targets": ArraySpec("int", len(classes), ("B",)),
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
