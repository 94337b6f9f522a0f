"""Images, as PNG files made with the standard library: no imaging package is needed for plain pixels."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.callbacks.tensorboard.events.protos import load_protos
from minidl.system.errors import UsageError


def image_summary(tag: str, rgb: NDArray[np.uint8]) -> Any:
    """A Summary that holds a picture.

    rgb: (H, W, 3), uint8, not empty; UsageError otherwise.

    >>> image_summary("weights", np.zeros((2, 4, 3), np.uint8)).value[0].image.width
    4
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise UsageError(f"image {tag!r}: give pixels of shape (H, W, 3) and dtype uint8, not {rgb.shape} {rgb.dtype}")
    protos = load_protos()
    height, width, _ = rgb.shape
    image = protos.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png(rgb))
    return protos.Summary(value=[protos.Summary.Value(tag=tag, image=image)])


def png(rgb: NDArray[np.uint8]) -> bytes:
    r"""A PNG file, true colour, 8 bits a channel.

    >>> png(np.zeros((1, 1, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    height, width, _ = rgb.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    # Each row starts with the number of its filter; 0 is none.
    # Level 1 takes a fifth of the time of the default and a quarter more space.
    rows = np.pad(rgb.reshape(height, width * 3), ((0, 0), (1, 0))).tobytes()
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 1)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
