"""Classification: one class for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from minidl.data.batches import Array, ArraySpec
from minidl.data.independent import Independent, Order
from minidl.data.sources.rows import Rows
from minidl.data.tasks.class_names import check_filled, class_names, number_each, of_classes, one_string_each
from minidl.data.tasks.reader import Answers, headings_of, softmax
from minidl.data.tasks.sequence_task import SequenceReader, SequenceTask
from minidl.data.tasks.split import Kind
from minidl.data.tasks.time_order import one_of_each


@dataclass(frozen=True)
class ClassReader(SequenceReader):
    """Sequences, and the name of a class for each. classes: in the order of the model's outputs."""

    label: str
    classes: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.label,)

    def headings(self) -> list[str]:
        return headings_of(self.classes)

    def numbers(self, rows: Rows, members: Sequence[Order]) -> Array:
        return number_each(rows, one_name_each(rows, self.label, members), self.classes, members)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        shares = softmax(outputs)
        names = [self.classes[i] for i in shares.argmax(axis=-1).tolist()]
        return dict(zip(self.headings(), (names, shares.max(axis=-1).tolist(), *shares.T.tolist()), strict=False))


def one_name_each(rows: Rows, column: str, members: Sequence[Order]) -> Sequence[str]:
    """The name of the class of each example."""
    if len(members) == len(rows):  # one row each, or as good as that
        return rows.column(column)
    return one_of_each(rows, column, list(members))


@dataclass(frozen=True)
class Classification(SequenceTask):
    """One class for a whole sequence.        ids (T, B) or x (T, B, F), lengths (B,) -> targets (B,)

    `label`: the column that names the class. Rows are divided so that each part has its share of every class.
    """

    label: str = field(kw_only=True)

    split: ClassVar[Kind] = "stratified"

    @property
    def asked(self) -> tuple[str, ...]:
        return (self.label,)

    def classes_of(self, rows: Rows, members: Sequence[Order]) -> list[Any]:
        if self.text is not None:
            check_filled(rows, rows.column(self.text), self.text)
        names = one_string_each(one_name_each(rows, self.label, members))
        check_filled(rows, names, self.label, members)
        return names

    def learn(self, rows: Rows, members: Sequence[Order], parts: list[Order], base: dict[str, Any]) -> ClassReader:
        names = one_string_each(one_name_each(rows, self.label, members))
        learnt = ((names[i],) for i in parts[0].tolist())
        classes = class_names(rows, learnt, ((name,) for name in names), members)
        return ClassReader(**base, label=self.label, classes=classes)

    def target_spec(self, reader: ClassReader) -> ArraySpec:
        return ArraySpec("int", len(reader.classes), ("B",))

    def describe(self, reader: ClassReader, examples: Any, parts: list[Order]) -> dict[str, Any]:
        return of_classes(reader.classes, *(examples.targets[part] for part in parts[:2]))
