"""Tagging: one class for each symbol of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from minidl.data.batches import Array, ArraySpec
from minidl.data.independent import Independent, Order
from minidl.data.ragged import Ragged
from minidl.data.sources.rows import Rows
from minidl.data.tasks.class_names import class_names, number_classes, of_classes
from minidl.data.tasks.reader import Answers, softmax
from minidl.data.tasks.sequence_task import SequenceReader, SequenceTask
from minidl.data.tasks.stand_ins import with_stand_ins
from minidl.data.tasks.text_input import TextInput
from minidl.system.errors import ConfigError


@dataclass(frozen=True)
class TagReader(SequenceReader):
    """Texts, and a tag for each symbol that is read. classes: in the order of the model's outputs."""

    tags: str
    classes: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.tags,)

    @property
    def by_character(self) -> bool:
        """Whether each character has a tag, and not each word."""
        return isinstance(self.input, TextInput) and self.input.tokens == "char"

    def split(self, cell: str) -> Sequence[str]:
        """The tags of a cell: a character each, or what stands between white space."""
        return cell if self.by_character else cell.split()

    def join(self, tags: Sequence[str]) -> str:
        """Tags as they came: the inverse of `split`."""
        return ("" if self.by_character else " ").join(tags)

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Independent:
        """As every reader; a character that was never seen is read as another of its kind, so that it has a tag."""
        if self.by_character and self.vocabulary is not None:
            assert isinstance(self.input, TextInput)
            rows = with_stand_ins(rows, self.input, self.vocabulary, self.unseen)
        return super().read(rows, targets=targets, batch_size=batch_size)

    def numbers(self, rows: Rows, members: Sequence[Order]) -> Ragged:
        found = number_classes(rows, tags_of(self.input, self, rows), self.classes)
        return Ragged.of(found)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """The tags of each text; probability: of the least certain of them. Ids (T, B) have no probability."""
        lengths = examples.lengths[chosen].tolist()
        shares = softmax(outputs) if outputs.ndim == 3 else None
        best = outputs if shares is None else shares.argmax(axis=-1)
        tags = [[self.classes[i] for i in best[:length, b].tolist()] for b, length in enumerate(lengths)]
        found: Answers = {"prediction": [self.join(each) for each in tags]}
        if shares is not None:
            surest = shares.max(axis=-1)
            found["probability"] = [float(surest[:length, b].min(initial=1)) for b, length in enumerate(lengths)]
        return found


def tags_of(read: Any, reader: Any, rows: Rows) -> list[Sequence[str]]:
    """The tags of each row, as many as its text has symbols."""
    found = [reader.split(cell) for cell in rows.column(reader.tags)]
    noun = "characters" if read.tokens == "char" else "words"
    texts = (text for piece in read.texts(rows) for text in piece)
    for i, text in enumerate(texts):
        found[i] = found[i] if read.max_length is None else found[i][: read.max_length]
        if len(text) != len(found[i]):
            counts = f"{noun} in column {read.text!r}: {len(text)}, tags in column {reader.tags!r}: {len(found[i])}"
            raise rows.error(i, f"{counts}; there should be a tag for each")
    return found


@dataclass(frozen=True)
class Tagging(SequenceTask):
    """One class for each symbol of a text.        ids (T, B), lengths (B,) -> targets (T, B), -1 past the end

    `tags`: the column with as many tags; where characters are read each tag is a character, where words are read both
    columns are divided at white space.
    """

    tags: str = field(kw_only=True)

    at_space: ClassVar = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text is None:
            raise ConfigError("text is missing: tagging reads the column of a text")

    @property
    def asked(self) -> tuple[str, ...]:
        return (self.tags,)

    def classes_of(self, rows: Rows, members: Sequence[Order]) -> None:
        self._labels(rows, TextInput(self.text or "", self.tokens, self.tokens == "word"))

    def _labels(self, rows: Rows, read: Any) -> list[Sequence[str]]:
        return tags_of(read, TagReader(read, self.tags, ("",)), rows)

    def learn(self, rows: Rows, members: Sequence[Order], parts: list[Order], base: dict[str, Any]) -> TagReader:
        labels = self._labels(rows, base["input"])
        classes = class_names(rows, (labels[i] for i in parts[0].tolist()), labels, members)
        return TagReader(**base, tags=self.tags, classes=classes)

    def target_spec(self, reader: TagReader) -> ArraySpec:
        return ArraySpec("int", len(reader.classes), ("T", "B"))

    def describe(self, reader: TagReader, examples: Any, parts: list[Order]) -> dict[str, Any]:
        return of_classes(reader.classes, *(examples.targets.inside(part) for part in parts[:2]))
