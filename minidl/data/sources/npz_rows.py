"""Arrays of an .npz file as the columns of a table: x, or x_1, x_2, ... for an array of several columns."""

from __future__ import annotations

import hashlib
import io

from minidl.data.sources.columns import Cells, NumberColumn
from minidl.data.sources.npz import read_npz
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError


def read_npz_rows(raw: bytes, name: str) -> Rows:
    """Arrays (N,) or (N, F) of one length; DataError for any other."""
    if not raw.startswith(b"PK"):
        raise DataError(f"{name} is not an .npz file: numpy.savez writes one")
    columns: dict[str, Cells] = {}
    for key, array in read_npz(io.BytesIO(raw), name).items():
        if array.dtype.kind not in "iufb" or array.ndim not in (1, 2):
            shape = f"{array.dtype} of shape {array.shape}"
            raise DataError(f"{name}: array {key!r} holds {shape}: a series has numbers (N,) or (N, F)")
        several = array.ndim == 2 and array.shape[1] != 1
        for k, column in enumerate(array.reshape(len(array), -1).T):
            columns[f"{key}_{k + 1}" if several else key] = NumberColumn(column)
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) != 1 or not max(lengths.values()):
        told = ", ".join(f"{key} {n}" for key, n in lengths.items()) or "no array"
        raise DataError(f"{name}: the arrays of a series have one length, here: {told}")
    return Rows(name, columns, range(1, max(lengths.values()) + 1), hashlib.sha256(raw).hexdigest())
