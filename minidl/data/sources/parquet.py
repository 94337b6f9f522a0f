"""Parquet and Arrow files, read by pyarrow (the extra `data`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from minidl.data.sources.columns import Cells, NumberColumn, TextColumn
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError, UsageError

BUFFER = 1 << 20  # bytes of a column that are unpacked at a time
EXACT = 1 << 53  # the largest integer up to which a float64 holds all


def read_parquet(file: BinaryIO, name: str, size: int, wanted: Sequence[str] = ()) -> Iterator[Rows]:
    """The rows of a Parquet file, so many at a time.

    wanted: columns that will be asked for, and may hold no lists or structures, which stand as JSON in other cells.
    """
    _pyarrow(name)
    from pyarrow import parquet

    def batches() -> Iterator[Any]:
        found = parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False)  # a buffer would hold a group of rows
        yield from found.iter_batches(size, use_threads=False)

    return _pieces(name, batches, wanted)


def read_arrow(file: BinaryIO, name: str, size: int, wanted: Sequence[str] = ()) -> Iterator[Rows]:
    """As `read_parquet`, of an Arrow file (also called Feather), whose pieces are as it was written."""
    _pyarrow(name)
    from pyarrow import ipc

    def batches() -> Iterator[Any]:
        found = ipc.open_file(file)
        whole = (found.get_batch(i) for i in range(found.num_record_batches))
        return (batch.slice(start, size) for batch in whole for start in range(0, batch.num_rows, size))

    return _pieces(name, batches, wanted)


def _pyarrow(name: str) -> None:
    try:
        import pyarrow  # noqa: F401  an extra
    except ImportError:
        raise UsageError(f"{name}: Parquet and Arrow files are read by pyarrow: pip install 'minidl[data]'") from None


def _pieces(name: str, batches: Callable[[], Iterator[Any]], wanted: Sequence[str]) -> Iterator[Rows]:
    import pyarrow as pa

    count = 0
    try:
        for batch in batches():
            columns = {key: _column(batch.column(key), key, name, wanted) for key in batch.schema.names}
            yield Rows(name, columns, range(count + 1, count + 1 + batch.num_rows), "")
            count += batch.num_rows
            pa.default_memory_pool().release_unused()  # it keeps more with every batch otherwise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} is not a sound file of its kind: {str(error).splitlines()[0]}") from None
    if not count:
        raise DataError(f"{name} has no rows")


def _column(column: Any, key: str, name: str, wanted: Sequence[str]) -> Cells:
    import pyarrow as pa

    kind, values = column.type, column.to_pylist()
    if pa.types.is_nested(kind) and key in wanted:
        raise DataError(f"{name}: column {key!r} holds {kind}: a cell is a text or a number")
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and all(abs(x or 0) <= EXACT for x in values)):
        return NumberColumn([np.nan if value is None else value for value in values])
    return TextColumn("" if value is None else _text(value) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value).lower() if isinstance(value, bool) else str(value)
