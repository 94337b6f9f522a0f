"""Parquet and Arrow files, read by pyarrow (the extra `data`)."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np

from minidl.data.sources.rows import Cells, NumberColumn, Rows, TextColumn
from minidl.system.errors import DataError, UsageError


def read_parquet(raw: bytes, name: str) -> Rows:
    """The rows of a Parquet file."""
    _pyarrow(name)
    from pyarrow import parquet

    return _rows(raw, name, lambda file: parquet.read_table(file))


def read_arrow(raw: bytes, name: str) -> Rows:
    """The rows of an Arrow file (also called Feather)."""
    _pyarrow(name)
    from pyarrow import feather

    return _rows(raw, name, lambda file: feather.read_table(file))


def _pyarrow(name: str) -> None:
    try:
        import pyarrow  # noqa: F401  an extra
    except ImportError:
        raise UsageError(f"{name}: Parquet and Arrow files are read by pyarrow: pip install 'minidl[data]'") from None


def _rows(raw: bytes, name: str, read: Any) -> Rows:
    import pyarrow as pa

    try:
        table = read(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} is not a sound file of its kind: {str(error).splitlines()[0]}") from None
    if not table.num_rows:
        raise DataError(f"{name} has no rows")
    columns = {key: _column(table.column(key), key, name) for key in table.column_names}
    return Rows(name, columns, range(1, table.num_rows + 1), hashlib.sha256(raw).hexdigest())


def _column(column: Any, key: str, name: str) -> Cells:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = [np.nan if value is None else value for value in column.to_pylist()] if column.null_count else None
        return NumberColumn(values if values is not None else column.to_numpy())
    if pa.types.is_nested(kind):
        raise DataError(f"{name}: column {key!r} holds {kind}: a cell is a text or a number")
    cells = TextColumn()
    for chunk in column.chunks:
        cells.extend("" if value is None else _text(value) for value in chunk.to_pylist())
    return cells


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
