"""Series: long rows of numbers, such as a sound and what an amplifier makes of it, read as streams."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Len

from minidl.data.baselines import error_of, mean_value
from minidl.data.batches import Array, ArraySpec, Dataset, split_slices
from minidl.data.data import Data
from minidl.data.number_streams import NumberStreams
from minidl.data.seasons import rows_back, season_of
from minidl.data.sources.csv_file import DELIMITER_NAMES
from minidl.data.sources.rows import Rows
from minidl.data.sources.table_file import Dialect, read_table, read_table_in_pieces
from minidl.data.sources.wav import CHANNEL
from minidl.data.tasks.gaps import read_numbers
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.series_reader import SeriesReader
from minidl.data.tasks.split import Shares, Split, in_order
from minidl.system.errors import DataError, suggest

Columns = Annotated[tuple[str, ...], Len(1)]
Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Series(Data):
    r"""Long series of numbers, the state carried from window to window.        x (T, B, F) -> targets (T, B, K)

    `source`: CSV, TSV, Parquet, Arrow, JSON lines, .npz (an array a column) or .wav (a channel a column: channel_1,
    channel_2), and .gz of each; a built-in name; or two files, of what is read and of what is predicted, such as
    [dry.wav, wet.wav]. `columns`: what is read. `predict`: what is predicted of the same row. Without both, the first
    of two columns is read and the second predicted; of two files all columns. `horizon`: how many rows later the
    predicted one stands. `split`: shares of train, validation and test, which follow one another. `batch_size` (B):
    parallel streams. `seq_len` (T): window of truncated backpropagation through time. `delimiter`, `decimal`,
    `encoding`: of a CSV file, found unless given. `season`: rows after which the series repeats itself, for the guess
    beside the curves; found by autocorrelation where it is not given. Each column is standardised by its mean and
    deviation in the training part.

    >>> dataset = Series("lorenz", columns=("x",), predict=("z",), batch_size=8, seq_len=20).load(Path())
    >>> dataset.train.batch(0).inputs["x"].shape, dataset.facts["outputs"]
    ((20, 8, 1), 1)
    """

    source: str | tuple[str, str] | dict[str, str]
    columns: Columns | None = None
    predict: Columns | None = None
    horizon: Annotated[int, Ge(0)] = 0
    split: Shares | Split = (0.8, 0.1, 0.1)
    batch_size: Annotated[int, Gt(0)] = 16
    seq_len: Annotated[int, Gt(0)] = 128
    delimiter: Literal[",", ";", "\t", "|", "tab", "\\t"] | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    season: Annotated[int, Gt(0)] | None = None

    facts: ClassVar = ("features", "outputs", "train_tokens")

    def load(self, folder: Path) -> Dataset:
        """Read and scale the series; `folder` is where relative paths start."""
        rows, firsts = self.table(self.source, folder)
        columns, predict = self._asked(rows, firsts)
        parts = split_slices(len(rows) - self.horizon, in_order(self.split, "a series"), least=2, what="rows")
        inputs, outputs = (
            Scaling.learn(read_numbers(rows, names, gaps=False)[parts[0]], names, rows.name)
            for names in (columns, predict)
        )
        reader = SeriesReader(inputs, outputs, self.horizon)
        return self._dataset(rows, reader, parts)

    def _dataset(self, rows: Rows, reader: SeriesReader, parts: Slices) -> Dataset:
        x, y = reader.pair(rows)
        F, K = len(reader.columns), len(reader.targets)
        return Dataset(
            train=NumberStreams(x[parts[0]], y[parts[0]], self.batch_size, self.seq_len, name="training part"),
            validation=self.one_stream(x[parts[1]], y[parts[1]]),
            test=self.one_stream(x[parts[2]], y[parts[2]]),
            inputs={"x": ArraySpec("float", F, ("T", "B", F)), "targets": ArraySpec("float", K, ("T", "B", K))},
            facts={"features": F, "outputs": K, "train_tokens": parts[0].stop},
            vocabulary=None,
            digest=rows.digest,
            unit="step",
            baselines=self._baselines(y, parts),
            metadata={"reader": reader.config()},
            reader=reader,
        )

    def _baselines(self, y: Array, parts: Slices) -> dict[str, float]:
        """What the mean of training achieves, and the value one season before."""
        if parts[1].stop == parts[1].start:
            return {}
        found = mean_value(y[parts[0]], y[parts[1]])
        season = self.season or season_of(y[parts[0]])
        if season is None:
            return found
        rows = np.arange(parts[1].start, parts[1].stop)
        before = rows - rows_back(np.array(self.horizon), season)
        return found | error_of(y[before[before >= 0]], y[rows[before >= 0]], "seasonal_naive")

    def one_stream(self, x: Array, y: Array) -> NumberStreams | None:
        """What a model is measured on: one stream, as `predict` reads it; None for no rows."""
        return NumberStreams(x, y, 1, self.seq_len, partial=True) if len(x) else None

    def rows(self, source: Any, folder: Path) -> Rows:
        """The rows of a source, read as this series is."""
        return self.table(source, folder)[0]

    def pieces(self, source: str, folder: Path, size: int) -> Iterator[Rows]:
        """As `rows` of one file, so many at a time."""
        return read_table_in_pieces(source, folder, self._dialect(), size, wanted=self._wanted())

    def table(self, source: Any, folder: Path) -> tuple[Rows, int]:
        """The rows of one or two files side by side, and how many columns are of the first; 0 where there is one."""
        dialect, wanted = self._dialect(), self._wanted()
        if not isinstance(source, (tuple, list)):
            return read_table(source, folder, dialect, wanted=wanted), 0
        first, second = (read_table(each, folder, dialect, wanted=wanted) for each in source)
        if len(first) != len(second):
            raise DataError(
                f"{first.name} has {len(first)} rows and {second.name} has {len(second)}: a pair has as many"
            )
        named = {_name_of_target(key, first.columns): cells for key, cells in second.columns.items()}
        digest = hashlib.sha256(f"{first.digest} {second.digest}".encode()).hexdigest()
        both = dataclasses.replace(first, columns={**first.columns, **named}, digest=digest)
        return both, len(first.columns)

    def _dialect(self) -> Dialect:
        return Dialect(DELIMITER_NAMES.get(str(self.delimiter), self.delimiter), self.decimal, self.encoding)

    def _wanted(self) -> list[str]:
        return [*(self.columns or ()), *(self.predict or ())]

    def _asked(self, rows: Rows, firsts: int) -> tuple[Columns, Columns]:
        """What is read and what is predicted; DataError where it is not clear."""
        known = list(rows.columns)
        columns, predict = self.columns, self.predict
        if columns is None and predict is None and (firsts or len(known) == 2):
            columns, predict = tuple(known[: firsts or 1]), tuple(known[firsts or 1 :])
        if columns is not None and predict is None and self.horizon:
            predict = columns
        if columns is None or predict is None:
            missing = "columns" if columns is None else "predict"
            raise DataError(
                f"{missing}: say which columns are {'read' if columns is None else 'predicted'}"
                f"{suggest('', known)} (columns: {', '.join(known)})"
            )
        return columns, predict


def _name_of_target(key: str, taken: Any) -> str:
    """A column of the second file by a name that the first has not."""
    key = key.replace(CHANNEL, "target_", 1) if key.startswith(CHANNEL) else key
    return f"target_{key}" if key in taken else key
