"""Tables: a file whose rows are examples or steps in time, and the task that is learnt from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt

from minidl.data.batches import Dataset
from minidl.data.data import Data
from minidl.data.sources.csv_file import DELIMITER_NAMES
from minidl.data.sources.rows import Rows
from minidl.data.sources.table_file import Dialect, read_table, read_table_in_pieces
from minidl.data.tasks.split import Split
from minidl.data.tasks.task import Missing, Settings, Task
from minidl.data.tasks.text_input import Normal
from minidl.system.errors import ConfigError


@dataclass(frozen=True)
class Table(Data):
    r"""A table, and what to learn from it. The first row of a CSV file names the columns.

    `source`: a path, a built-in name, or `{"url": ..., "sha256": ...}`: CSV in all its dialects, TSV, JSON lines,
    Parquet, Arrow, .ts, .arff, CoNLL, for documents plain text, and .gz of each. `task`: what is learnt, and from
    which columns. `delimiter`: what stands between cells; found unless it is given. `decimal`: the sign between
    whole and broken part of a number; found unless it is given. `encoding`: of the text; UTF-8 or UTF-16 unless
    another is given. `split`: shares of train, validation, test, or kind and parts. `batch_size` (B): examples a
    step. `shuffle`: training examples come in a new order each epoch, and texts are drawn for the three parts;
    without it both are as in the file. A series is always split in time. `seed`: of the draws. `group`: a column
    that keeps series apart, or names the group that an example belongs to. `time`: a column by which rows are put
    in order. `missing`: what becomes of empty cells: an error, the row dropped, filled with the value before, or
    masked (0, and a column of 0 and 1 beside it). `weight`: a column with what each example counts. `max_length`:
    symbols or steps that are read of an example at most. `normalise`: the form of Unicode that texts are brought
    into.

    >>> from minidl.data import Classification
    >>> dataset = Table("unicode_names", Classification("name", label="category")).load(Path())
    >>> list(dataset.inputs), dataset.facts["classes"] > 10
    (['ids', 'lengths', 'targets'], True)
    """

    source: str | dict[str, str]
    task: Task
    delimiter: Literal[",", ";", "\t", "|", "tab", "\\t"] | None = None
    split: tuple[float, float, float] | Split = (0.8, 0.1, 0.1)
    batch_size: Annotated[int, Gt(0)] = 32
    shuffle: bool = True
    seed: Annotated[int, Ge(0)] = 0
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    group: str | None = None
    time: str | None = None
    missing: Missing = "error"
    weight: str | None = None
    max_length: Annotated[int, Gt(0)] | None = None
    normalise: Normal | None = None

    facts: ClassVar = ("vocab_size", "classes", "features", "outputs", "train_sequences", "train_tokens")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decimal == "," and self.delimiter == ",":
            raise ConfigError("delimiter and decimal are both ',': one of them has to be another sign")

    def load(self, folder: Path) -> Dataset:
        """Read the table and prepare the task; `folder` is where relative paths start."""
        rows = self.rows(self.source, folder, only=not self.task.looks_at_all)
        return self.task.dataset(rows, self.settings())

    def rows(self, source: str | dict[str, str], folder: Path, *, only: bool = False) -> Rows:
        """The rows of a source, read as this table is. only: keep the columns of the task alone."""
        return read_table(
            source, folder, self._dialect(), wanted=self._wanted(), only=only, lines=self.task.reads_lines
        )

    def pieces(self, source: str, folder: Path, size: int) -> Iterator[Rows]:
        """As `rows`, with all columns, so many at a time."""
        lines = self.task.reads_lines
        return read_table_in_pieces(source, folder, self._dialect(), size, wanted=self._wanted(), lines=lines)

    def _dialect(self) -> Dialect:
        delimiter = None if self.delimiter is None else DELIMITER_NAMES.get(self.delimiter, self.delimiter)
        return Dialect(delimiter, self.decimal, self.encoding)

    def _wanted(self) -> list[str]:
        return list(dict.fromkeys([*self.task.wanted(), *filter(None, (self.group, self.time, self.weight))]))

    def settings(self) -> Settings:
        """What the table says beside its task."""
        return Settings(
            self.split,
            self.batch_size,
            self.shuffle,
            self.seed,
            self.group,
            self.time,
            self.missing,
            self.weight,
            self.max_length,
            self.normalise,
        )
