"""Tasks whose examples are sequences: the text of a row, or the rows of numbers of a group."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Len

from minidl.data.batches import Array, ArraySpec, Dataset
from minidl.data.independent import Independent, Order, Part
from minidl.data.padded import PaddedBatches
from minidl.data.sources.rows import Rows
from minidl.data.tasks.gaps import read_numbers
from minidl.data.tasks.number_input import NumberInput
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.sequence_input import Each, SequenceInput
from minidl.data.tasks.split import Kind
from minidl.data.tasks.task import Settings, Task
from minidl.data.tasks.text_input import TextInput
from minidl.data.tasks.time_order import groups, series
from minidl.data.vocabulary import Vocabulary
from minidl.system.errors import ConfigError, DataError, UsageError

logger = logging.getLogger("minidl")


@dataclass(frozen=True)
class SequenceReader(Reader, abstract=True):
    """Base of readers of sequences.

    input: what is read. drop: whether rows with an empty cell are left out. weight: the column with what each counts.
    """

    input: SequenceInput
    drop: bool = field(default=False, kw_only=True)
    weight: str | None = field(default=None, kw_only=True)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.input.columns

    def numbers(self, rows: Rows, members: Sequence[Order]) -> Any:
        """The targets of the examples: (N, ...), or the tags of each."""
        raise NotImplementedError

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Independent:
        kept = self.kept(rows, targets=targets) if self.drop else None
        used = rows if kept is None or len(kept) == len(rows) else rows.take(kept)
        found = self.input.read(used, self.vocabulary, self.unseen)
        more = {}
        if targets and self.weight is not None:
            more["weights"] = weights(used, self.weight)[found.firsts]
        return PaddedBatches(
            found.values,
            self.numbers(used, found.members) if targets else None,
            batch_size,
            shuffle=False,
            name=self.input.name,
            more=more,
            rows=found.firsts if kept is None else kept[found.firsts],
        )

    def kept(self, rows: Rows, *, targets: bool) -> Order:
        """The rows without an empty cell."""
        empty = self.input.empty(rows)
        for name in self.targets if targets else ():
            empty = empty | rows.is_gap(name)
        if empty.all():
            raise DataError(f"{rows.name}: every row has an empty cell, so that none is left")
        return np.flatnonzero(~empty)


@dataclass(frozen=True)
class SequenceTask(Task, abstract=True):
    """Base of tasks on sequences, of a text or of numbers.

    text: the column of the texts; None where columns are given. tokens: whether characters or words of a text are read.
    max_vocab: size of the vocabulary, "<unk>" included; None for all that occurs. columns: numbers that are read; the
    rows of one group, which the table names, are one sequence.
    """

    text: str | None = None
    columns: Annotated[tuple[str, ...], Len(1)] | None = field(default=None, kw_only=True)
    tokens: Literal["char", "word"] = field(default="char", kw_only=True)
    max_vocab: Annotated[int, Ge(2)] | None = field(default=None, kw_only=True)

    at_space: ClassVar[bool] = False
    split: ClassVar[Kind] = "random"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.text is None) == (self.columns is None):
            raise ConfigError("say what is read: either text (a column), or columns (of numbers, by group)")

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that are predicted."""
        raise NotImplementedError

    def wanted(self) -> tuple[str, ...]:
        return (*((self.text,) if self.text is not None else self.columns or ()), *self.asked)

    def classes_of(self, rows: Rows, members: Sequence[Order]) -> list[Any] | None:
        """The class of each example, by which a split is stratified; None where there are no classes."""
        return None

    def learn(self, rows: Rows, members: Sequence[Order], parts: list[Order], base: dict[str, Any]) -> SequenceReader:
        """The reader, with what the training part says of the targets. base: its fields that are settled."""
        raise NotImplementedError

    def target_spec(self, reader: Any) -> ArraySpec:
        """What the targets look like."""
        raise NotImplementedError

    def describe(self, reader: Any, examples: Any, parts: list[Order]) -> dict[str, Any]:
        """Further facts, metadata and baselines of the data set."""
        raise NotImplementedError

    def dataset(self, rows: Rows, settings: Settings) -> Dataset:
        """Sequences and their targets as padded batches."""
        rows = self._without_gaps(rows, settings)
        members, parts = self._divided(rows, settings)
        found, vocabulary = self._input(rows, members, parts, settings)
        base = {"input": found, "drop": settings.missing == "drop", "weight": settings.weight}
        reader = self.learn(rows, members, parts, base).with_vocabulary(vocabulary)
        examples: Any = reader.read(rows, targets=True)
        tell_cut(rows, found, settings)
        if self.text is not None:
            rows.forget(self.text)
        train, validation, test = three_parts(examples, parts, settings)
        described = self.describe(reader, examples, parts)
        spec = found.spec(vocabulary)
        inputs = {found.name: spec, "lengths": ArraySpec("int", None, ("B",))}
        if settings.weight is not None:
            inputs["weights"] = ArraySpec("float", None, ("B",))
        return Dataset(
            train=train,
            validation=validation,
            test=test,
            inputs={**inputs, "targets": self.target_spec(reader)},
            facts={
                ("features" if vocabulary is None else "vocab_size"): spec.depth or 0,
                **described["facts"],
                "train_sequences": train.count,
                "train_tokens": int(train.lengths.sum()),
            },
            vocabulary=vocabulary,
            digest=rows.digest,
            unit="step",
            baselines=described["baselines"],
            metadata={"reader": reader.config(), **described["metadata"]},
            reader=reader,
            places=(rows.name, rows.lines),
        )

    def _without_gaps(self, rows: Rows, settings: Settings) -> Rows:
        """The rows without those that are dropped; the number of these is told."""
        if settings.missing != "drop":
            return rows
        if self.text is not None:
            empty = TextInput(self.text).empty(rows)
        else:
            empty = np.any([rows.is_gap(name) for name in self.columns or ()], axis=0)
        for name in self.asked:
            empty = empty | rows.is_gap(name)
        if empty.all():
            raise DataError(f"{rows.name}: every row has an empty cell, so that none is left")
        if empty.any():
            logger.warning("%s: %d of %d rows have an empty cell and are dropped", rows.name, empty.sum(), len(rows))
        return rows.take(np.flatnonzero(~empty)) if empty.any() else rows

    def _divided(self, rows: Rows, settings: Settings) -> tuple[Sequence[Order], list[Order]]:
        """The rows of each example, and which examples are in which part."""
        if self.text is None:
            if settings.group is None:
                raise UsageError("group is missing: name the column that says which rows of numbers belong together")
            members: Sequence[Order] = series(rows, settings.group, settings.time, tell=True)
            what, owners = "groups", None
        else:
            if settings.missing in ("fill", "mask"):
                raise UsageError(
                    f"missing: {settings.missing} is for numbers; with texts, drop the rows or fill them in"
                )
            members, what = Each(len(rows)), "rows"
            owners = None if settings.group is None else list(rows.column(settings.group))
        classes = self.classes_of(rows, members)
        default: Kind = "group" if owners is not None else self.split
        return members, settings.parts(len(members), default, classes=classes, groups=owners, what=what)

    def _input(
        self, rows: Rows, members: Sequence[Order], parts: list[Order], settings: Settings
    ) -> tuple[SequenceInput, Vocabulary | None]:
        if self.text is not None:
            at_space = self.at_space and self.tokens == "word"
            found = TextInput(self.text, self.tokens, at_space, settings.max_length, settings.normalise)
            return found, found.learn(rows, parts[0], self.max_vocab)
        assert self.columns is not None
        assert settings.group is not None
        training = np.concatenate([members[i] for i in parts[0].tolist()])
        numbers = read_numbers(rows, self.columns, gaps=settings.missing != "error")
        scaling = Scaling.learn(numbers[training], self.columns, rows.name)
        return NumberInput(scaling, settings.group, settings.time, settings.missing, settings.max_length), None


def three_parts(examples: Any, parts: Sequence[Order], settings: Settings) -> tuple[Part, Part | None, Part | None]:
    """Batches of the training, validation and test part; None for a part that is empty."""
    train = Part(examples, parts[0], settings.batch_size, seed=settings.seed, shuffle=settings.shuffle)
    validation, test = (
        Part(examples, part, settings.batch_size, by_length=True) if part.size else None for part in parts[1:]
    )
    return train, validation, test


def weights(rows: Rows, name: str) -> Array:
    """What each row counts; DataError for a weight below 0."""
    found = rows.numbers([name])[:, 0]
    if (found < 0).any():
        row = int((found < 0).argmax())
        raise rows.error(row, f"column {name!r} has {found[row]:g}: a weight is 0 or more")
    return found.astype(np.float32)


def tell_cut(rows: Rows, found: SequenceInput, settings: Settings) -> None:
    """Say how many sequences are longer than what is read of them."""
    if settings.max_length is None:
        return
    if isinstance(found, TextInput):
        cut = int(found.is_cut(rows).sum())
    else:
        cut = sum(len(group) > settings.max_length for group in groups(rows, settings.group))
    if cut:
        logger.warning(
            "%s: %d sequences are longer than max_length %d and are cut", rows.name, cut, settings.max_length
        )
