"""The arrays of an .npz file, which says how large they are before they are unpacked."""

from __future__ import annotations

import logging
import math
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from minidl.system.errors import DataError
from minidl.system.memory import available_memory

Array = NDArray[Any]
WORTH_A_LINE = 1 << 28  # bytes that a user is told of who sees only a small file
logger = logging.getLogger("minidl")


def read_npz(file: BinaryIO, name: str) -> dict[str, Array]:
    """All arrays by name; DataError where there is not the memory for them, or the file is not sound."""
    try:
        with zipfile.ZipFile(file) as archive:
            _check_size(archive, name)
        file.seek(0)
        with np.load(file, allow_pickle=False) as loaded:
            return dict(loaded.items())
    except (OSError, DataError):
        raise
    except Exception as error:  # zip, zlib and numpy's header parser fail in many ways on a damaged file
        raise DataError(f"{name} is not a sound .npz file of plain arrays: {error}") from None


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    sizes = {item.filename.removesuffix(".npy"): _size(archive, item) for item in archive.infolist()}
    total, packed = sum(sizes.values()), sum(item.compress_size for item in archive.infolist())
    largest = max(sizes, key=lambda key: sizes[key], default="")
    told = f"{name}: its arrays take {total / 1e9:.1f} GB, packed to {packed / 1e9:.3f} GB"
    if total > available_memory():
        raise DataError(
            f"{told}, and there are {available_memory() / 1e9:.1f} GB left; the largest is {largest!r}, "
            f"{sizes[largest] / 1e9:.1f} GB: keep fewer sequences, or smaller types, in one file"
        )
    if total > WORTH_A_LINE and total > 2 * packed:
        logger.info("%s", told)


def _size(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> int:
    """Bytes that a member takes; ValueError where an array claims others than it has."""
    if item.filename.endswith(".npy"):
        with archive.open(item) as member:
            read = npy.read_array_header_1_0 if npy.read_magic(member) == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(member)
            claimed = member.tell() + math.prod(shape) * dtype.itemsize
        if claimed != item.file_size and not dtype.hasobject:
            raise ValueError(f"{item.filename!r} has the shape {shape} and only {item.file_size} bytes")
    return item.file_size
