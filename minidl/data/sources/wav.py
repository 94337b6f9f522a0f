"""Sound in WAV files: a row a sample, a column a channel, in numbers from -1 to 1."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.sources.columns import Cells, NumberColumn
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
CHANNEL = "channel_"


def read_wav(raw: bytes, name: str) -> Rows:
    """The channels of a WAV file of 8, 16, 24 or 32 bits a sample, or of floats, as columns channel_1, channel_2, ...

    Microsoft and IBM, Multimedia Programming Interface and Data Specifications, 1991.
    """
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise DataError(f"{name} is not a WAV file: it does not begin as one")
    chunks = _chunks(raw)
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise DataError(f"{name} is not a sound WAV file: it has no {'data' if b'fmt ' in chunks else 'format'}")
    form, channels, _, _, _, bits = struct.unpack("<HHIIHH", chunks[b"fmt "][:16])
    if form == EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        (form,) = struct.unpack("<H", chunks[b"fmt "][24:26])
    samples = _samples(chunks[b"data"], form, bits)
    if samples is None or not channels:
        raise DataError(f"{name} has sound of format {form} with {bits} bits: save it as PCM of 16 bits, or as floats")
    count = len(samples) // channels
    if not count:
        raise DataError(f"{name} has no sound")
    table = samples[: count * channels].reshape(count, channels)
    columns: dict[str, Cells] = {f"{CHANNEL}{k + 1}": NumberColumn(table[:, k]) for k in range(channels)}
    return Rows(name, columns, range(1, count + 1), hashlib.sha256(raw).hexdigest())


def _chunks(raw: bytes) -> dict[bytes, bytes]:
    """The first chunk of each kind, as long as the file says, or as it is where it was cut."""
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(raw):
        (size,) = struct.unpack("<I", raw[at + 4 : at + 8])
        found.setdefault(raw[at : at + 4], raw[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return found


def _samples(data: bytes, form: int, bits: int) -> NDArray[Any] | None:
    width = bits // 8
    data = data[: len(data) - len(data) % width] if width else b""
    if form == FLOAT and bits in (32, 64):
        return np.frombuffer(data, f"<f{width}").astype(np.float64)
    if form != PCM or bits not in (8, 16, 24, 32):
        return None
    if bits == 8:  # alone without a sign
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if bits == 24:
        bytes_ = np.frombuffer(data, np.uint8).reshape(-1, 3)
        padded = np.zeros((len(bytes_), 4), np.uint8)
        padded[:, 1:] = bytes_
        return padded.view("<i4")[:, 0] / 2.0**31
    return np.frombuffer(data, f"<i{width}") / 2.0 ** (bits - 1)
