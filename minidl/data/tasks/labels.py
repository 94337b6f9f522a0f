"""Labels: any number of classes for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.data.batches import Array, ArraySpec
from minidl.data.independent import Independent, Order
from minidl.data.sources.rows import Rows
from minidl.data.tasks.class_names import class_names, number_classes
from minidl.data.tasks.classification import one_name_each
from minidl.data.tasks.reader import Answers, headings_of
from minidl.data.tasks.sequence_task import SequenceReader, SequenceTask

SEPARATOR = ";"


@dataclass(frozen=True)
class LabelsReader(SequenceReader):
    """Sequences, and the names of the classes of each. classes: in the order of the model's outputs."""

    labels: str
    classes: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.labels,)

    def headings(self) -> list[str]:
        return headings_of(self.classes)

    def numbers(self, rows: Rows, members: Sequence[Order]) -> Array:
        found = number_classes(rows, names_of(rows, self.labels, members), self.classes)
        marked = np.zeros((len(found), len(self.classes)), np.float32)
        for row, numbers in zip(marked, found, strict=True):
            row[numbers] = 1
        return marked

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """The classes that are more likely than not, joined as they came; probability: that all of these are right."""
        shares = 0.5 * (1 + np.tanh(0.5 * outputs.astype(np.float64)))
        taken = shares > 0.5
        names = [SEPARATOR.join(self.classes[k] for k in np.flatnonzero(row)) for row in taken]
        right = np.where(taken, shares, 1 - shares).prod(axis=-1)
        return dict(zip(self.headings(), (names, right.tolist(), *shares.T.tolist()), strict=False))


def names_of(rows: Rows, column: str, members: Sequence[Order]) -> list[list[str]]:
    """The names in each cell, between semicolons; none in an empty one."""
    cells = one_name_each(rows, column, members)
    return [[name.strip() for name in cell.split(SEPARATOR) if name.strip()] for cell in cells]


@dataclass(frozen=True)
class Labels(SequenceTask):
    """Any number of classes for a whole sequence.        ids (T, B) or x (T, B, F), lengths (B,) -> targets (B, K)

    `labels`: the column with the names of the classes, ";" between them; an empty cell has none. Targets are 0
    and 1, and the loss is SigmoidCE.
    """

    labels: str = field(kw_only=True)

    @property
    def asked(self) -> tuple[str, ...]:
        return (self.labels,)

    def learn(self, rows: Rows, members: Sequence[Order], parts: list[Order], base: dict[str, Any]) -> LabelsReader:
        base = {**base, "drop": False}  # an empty cell says that there is no label
        names = names_of(rows, self.labels, members)
        classes = class_names(rows, (names[i] for i in parts[0].tolist()), names, members, least=1)
        return LabelsReader(**base, labels=self.labels, classes=classes)

    def target_spec(self, reader: LabelsReader) -> ArraySpec:
        return ArraySpec("float", len(reader.classes), ("B", len(reader.classes)))

    def describe(self, reader: LabelsReader, examples: Any, parts: list[Order]) -> dict[str, Any]:
        targets, counts = examples.targets, examples.targets[parts[0]].sum(axis=0).astype(int)
        usual = targets[parts[0]].mean(axis=0) > 0.5
        validation = targets[parts[1]]
        found = {"accuracy/majority": float(((validation > 0.5) == usual).mean())} if parts[1].size else {}
        return {
            "facts": {"classes": len(reader.classes), "outputs": len(reader.classes)},
            "metadata": {"class_names": list(reader.classes), "class_counts": counts.tolist()},
            "baselines": found,
        }
