"""The one file format of minidl, for models and checkpoints alike: named arrays and plain data.

A file is a .npz that `numpy.load` opens: a zip of members NAME.npy, none compressed, and
"meta.json". Its zip comment is the sha256 of all bytes before it, so that no damage goes unnoticed.
A write replaces the older file only when the new one is on the disk as a whole. A read trusts
nothing: sizes are compared before memory is taken, and nothing is unpickled or evaluated.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.lib import format as npy

from minidl.engine.memory_limit import fitting
from minidl.graph.arrays import Array
from minidl.storage.archive_meta import FOREIGN, META, OLDER, format_meta, parse_meta
from minidl.storage.atomic import FilePath, as_path, refuse_special, unreadable, write_whole
from minidl.system.errors import CheckpointError, MinidlError, UsageError


class Stored(NamedTuple):
    """What a file says of an array before it is read."""

    shape: tuple[int, ...]
    dtype: str


# May refuse plain data and what is said of arrays before these are read.
Check: TypeAlias = Callable[[dict[str, Any], dict[str, Stored]], None]

_DTYPE = r"\|b1|\|[iu]1|<[iu][248]|<f[248]|<c8|<c16"
# numpy's reader evaluates this header as a Python literal, which hostile text can make fail in
# a dozen ways; this is how it writes the header of an array that we accept.
_NPY_HEADER = re.compile(
    rf"\x93NUMPY\x01\x00(?P<size>..){{'descr': '(?P<dtype>{_DTYPE})', "
    r"'fortran_order': False, 'shape': \((?P<shape>[\d, ]{0,2000})\), } *\n".encode(),
    re.DOTALL,
)
_HEAD_SIZE = 4096  # bytes, more than such a header has
_SEAL_SIZE, _END_RECORD_SIZE = 64, 22
_ROOM = 512  # bytes that a member takes beside its data, roughly
_ZIP_FAULTS = (zipfile.BadZipFile, RuntimeError, EOFError, ValueError)


@dataclass(frozen=True)
class Archive:
    """What a file held: arrays by name in the order written, plain data, its format's version."""

    arrays: dict[str, Array]
    meta: dict[str, Any]
    version: int


def write_archive(path: FilePath, arrays: Mapping[str, Array], meta: Mapping[str, Any], *, follow: bool = True) -> None:
    """Write arrays and plain data into one file, all or nothing; equal content gives equal bytes.

    arrays: of bool, integers, float16/32/64 or complex numbers and any shape, by names such as
    "parameters/lstm/Wx". meta: what JSON can hold. follow: whether a link is followed, or refused.
    Raises UsageError for anything else, and StorageError when the disk refuses.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_archive(f"{folder}/model.npz", {"dense/W": np.eye(2)}, {"step": 7})
    ...     with np.load(f"{folder}/model.npz") as file:
    ...         file["dense/W"]
    array([[1., 0.],
           [0., 1.]])
    """
    write_whole(path, _pack(arrays, meta), follow=follow)


def read_archive(path: FilePath, check: Check | None = None) -> Archive:
    """Read a file that `write_archive` wrote; CheckpointError, and no memory taken, for any other.

    StorageError where the system does not let a file be read that may well be sound.

    check: raises CheckpointError, before an array is read, for what its caller has no use for.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_archive(f"{folder}/model.npz", {"dense/b": np.zeros(2)}, {"step": 7})
    ...     read_archive(f"{folder}/model.npz")
    Archive(arrays={'dense/b': array([0., 0.])}, meta={'step': 7}, version=1)
    """
    path = as_path(path)
    try:
        path = path.absolute()
        refuse_special(path)
        with open(path, "rb") as file:
            return _unpack(file, check)
    except CheckpointError as error:
        raise type(error)(f"{path}: {error}") from None
    except MinidlError:
        raise
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def _pack(arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> memoryview:
    document = format_meta(meta)
    sizes = [(name, array.shape, array.nbytes) for name, array in arrays.items()]
    room = sum(size + _ROOM for _, _, size in sizes) + len(document) + _ROOM
    with fitting(room, sizes):  # all at once: a buffer that cannot grow is lost, and zipfile with it
        buffer = io.BytesIO(bytes(room))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as members:
        members.writestr(_member(META), document)
        for name, array in arrays.items():
            plain = _plain(name, array)
            with members.open(_member(f"{name}.npy", plain.nbytes), "w") as member:
                npy.write_array(member, plain, version=(1, 0), allow_pickle=False)
        members.comment = bytes(_SEAL_SIZE)
    buffer.truncate()
    packed = buffer.getbuffer()
    packed[-_SEAL_SIZE:] = _digest([packed[:-_SEAL_SIZE]])
    return packed


def _digest(chunks: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest().encode()


def _member(name: str, size: int = 0) -> zipfile.ZipInfo:
    """An entry whose bytes depend on its name alone, and on its size beyond 2 GB."""
    if not _is_sound(name):
        raise UsageError(f"{name!r} cannot name an array; use printable parts with '/' between")
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.file_size = 3, size
    return info


def _is_sound(name: str) -> bool:
    """Whether no tool that unpacks the file could write outside of its folder."""
    parts = name.removesuffix(".npy").split("/")
    inside = not PureWindowsPath(name).anchor and not {"", ".", ".."} & set(parts)
    return inside and name.isprintable() and "\\" not in name and len(name) <= 1000


def _plain(name: str, array: Array) -> Array:
    """The array in C order and little-endian."""
    array = np.asarray(array)
    descr = array.dtype.newbyteorder("<").str
    if not re.fullmatch(_DTYPE, descr):
        raise UsageError(f"array {name!r} is of {array.dtype}; use bool, integer, float or complex")
    return np.asarray(array, dtype=np.dtype(descr), order="C")


def _unpack(file: BinaryIO, check: Check | None) -> Archive:
    size = os.fstat(file.fileno()).st_size
    _check_seal(file, size)
    try:
        with zipfile.ZipFile(file) as members:
            infos = {info.orig_filename: info for info in members.infolist()}
            if len(infos) != len(members.infolist()):
                raise CheckpointError(f"holds two members of one name; {OLDER}")
            if sum(info.file_size for info in infos.values()) > size:
                raise CheckpointError(f"its members claim more bytes than the file has; {OLDER}")
            if META not in infos:
                raise CheckpointError(f"has no {META}; {FOREIGN}")
            for name, info in infos.items():
                if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                    raise CheckpointError(f"{name!r} is compressed; {OLDER}")
            version, meta = parse_meta(members.read(infos.pop(META)))
            named = {_name(key): info for key, info in infos.items()}
            heads = {name: _head(members, info) for name, info in named.items()}
            if check is not None:
                check(meta, {name: Stored(shape, dtype.name) for name, (shape, dtype, _) in heads.items()})
            arrays = {
                name: np.ndarray(shape, dtype, members.read(named[name]), start).copy()
                for name, (shape, dtype, start) in heads.items()
            }
    except MinidlError:
        raise
    except _ZIP_FAULTS as error:
        raise CheckpointError(f"is no sound archive ({error}); {OLDER}") from error
    return Archive(arrays, meta, version)


def _check_seal(file: BinaryIO, size: int) -> None:
    """Refuse a file that is not, byte for byte, what minidl wrote."""
    end = size - _SEAL_SIZE
    if end < _END_RECORD_SIZE or file.read(2) != b"PK":
        raise CheckpointError(f"is no minidl file, or lost its start; {FOREIGN}")
    file.seek(end - _END_RECORD_SIZE)
    record, seal = file.read(_END_RECORD_SIZE), file.read()
    if not record.startswith(b"PK\5\6"):
        raise CheckpointError(f"has no checksum at its end: cut off, or not by minidl; {OLDER}")
    file.seek(0)
    chunk = 1 << 20
    if seal != _digest(file.read(min(chunk, end - start)) for start in range(0, end, chunk)):
        raise CheckpointError(f"has a wrong checksum: its bytes changed on the way; {OLDER}")


def _name(member: str) -> str:
    if not member.endswith(".npy") or not _is_sound(member):
        raise CheckpointError(f"{member!r} is a name that minidl never gives; {OLDER}")
    return member.removesuffix(".npy")


def _head(members: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """What a member says of its array in its first bytes: shape, dtype, and where the numbers start."""
    with members.open(info) as file:
        data = file.read(_HEAD_SIZE)
    header, member = _NPY_HEADER.match(data), info.orig_filename
    if header is None or int.from_bytes(header["size"], "little") + 10 != header.end():
        found = f"its header begins with {data[10:70]!r}"
        raise CheckpointError(f"{member!r} is no array of numbers in C order, {found}; {OLDER}")
    shape = tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    dtype = np.dtype(header["dtype"].decode())
    if math.prod(shape) * dtype.itemsize != info.file_size - header.end():
        raise CheckpointError(f"{member!r} has more or fewer bytes than {shape} needs; {OLDER}")
    return shape, dtype, header.end()
