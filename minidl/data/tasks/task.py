"""What may be learnt from a table: a kind of task says which columns it reads, and makes a data set of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from minidl.config.declared import SnakeCased
from minidl.data.batches import Dataset
from minidl.data.independent import Order
from minidl.data.sources.rows import Rows
from minidl.data.tasks.split import Kind, Shares, Split, divide
from minidl.data.tasks.text_input import Normal

Missing = Literal["error", "drop", "fill", "mask"]


@dataclass(frozen=True)
class Settings:
    """What a table says beside its task: how examples come into parts and batches, and how cells are read.

    The fields are those of `Table`.
    """

    split: Shares | Split
    batch_size: int
    shuffle: bool
    seed: int
    group: str | None = None
    time: str | None = None
    missing: Missing = "error"
    weight: str | None = None
    max_length: int | None = None
    normalise: Normal | None = None

    @property
    def shares(self) -> Shares:
        """The shares of the three parts."""
        return self.split.parts if isinstance(self.split, Split) else self.split

    def kind(self, default: Kind) -> Kind:
        """How rows are divided: as the table says, or as suits the task; in their order without `shuffle`."""
        if isinstance(self.split, Split):
            return self.split.kind
        return default if self.shuffle else "ordered"

    def parts(
        self,
        count: int,
        default: Kind,
        *,
        classes: Sequence[Hashable] | None = None,
        groups: Sequence[Hashable] | None = None,
        what: str = "rows",
    ) -> list[Order]:
        """Which of `count` examples are for training, validation and test."""
        kind = self.kind(default)
        return divide(kind, self.shares, self.seed, count, classes=classes, groups=groups, what=what)


@dataclass(frozen=True)
class Task(SnakeCased, family="task"):
    """Base of the kinds of tasks.

    A task learns from the training part what has to be the same for all rows to come (vocabulary, classes, scales) and
    puts it into a `Reader`, which stands in `Dataset.reader`; see `minidl.data.tasks.reader`.
    """

    @property
    def reads_lines(self) -> bool:
        """Whether its source is plain text, and each line a row."""
        return False

    @property
    def looks_at_all(self) -> bool:
        """Whether columns that nobody named are looked at too, for signs of a mistake."""
        return False

    @property
    def unit(self) -> Literal["char", "word", "step"]:
        """What one target is."""
        return "step"

    def wanted(self) -> tuple[str, ...]:
        """The columns that it reads."""
        raise NotImplementedError

    def dataset(self, rows: Rows, settings: Settings) -> Dataset:
        """The rows as batches; DataError with the line of what cannot be used."""
        raise NotImplementedError
