"""Tables: a CSV file whose rows are examples or steps in time, and the task that is learnt from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Gt

from minidl.data.batches import Dataset
from minidl.data.data import Data
from minidl.data.sources import read_source
from minidl.data.sources.rows import Rows, read_rows
from minidl.data.tasks.task import SplitAndBatch, Task


@dataclass(frozen=True)
class Table(Data):
    """A CSV file, and what to learn from it. The first row names the columns.

    `source`: a path, a built-in name, or `{"url": ..., "sha256": ...}`. `task`: classification, tagging or
    forecasting, with its columns. `delimiter`: what stands between cells. `split`: shares of train, validation, test.
    `batch_size` (B): examples a step. `shuffle`: training examples come in a new order each epoch, and texts are
    drawn for the three parts; without it both are as in the file. A series is always split in time. `seed`: of the
    draws.

    >>> from minidl.data import Classification
    >>> dataset = Table("unicode_names", Classification("name", label="category")).load(Path())
    >>> list(dataset.inputs), dataset.facts["classes"] > 10
    (['ids', 'lengths', 'targets'], True)
    """

    source: str | dict[str, str]
    task: Task
    delimiter: Literal[",", ";", "\t", "|"] = ","
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    batch_size: Annotated[int, Gt(0)] = 32
    shuffle: bool = True
    seed: int = 0

    facts: ClassVar = ("vocab_size", "classes", "features", "outputs", "train_sequences", "train_tokens")

    def load(self, folder: Path) -> Dataset:
        """Read the table and prepare the task; `folder` is where relative paths start."""
        rows = self.rows(self.source, folder)
        return self.task.dataset(rows, SplitAndBatch(self.split, self.batch_size, self.shuffle, self.seed))

    def rows(self, source: str | dict[str, str], folder: Path) -> Rows:
        """The rows of a source, read as this table is."""
        name, text = read_source(source, folder)
        return read_rows(text, name, self.delimiter)
