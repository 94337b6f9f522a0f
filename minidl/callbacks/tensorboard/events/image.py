"""Images, as PNG files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.callbacks.tensorboard.events.protos import load_protos
from minidl.system.errors import UsageError


def image_summary(tag: str, rgb: NDArray[np.uint8]) -> Any:
    """A Summary that holds a picture.

    rgb: (H, W, 3), uint8, not empty; UsageError otherwise. Raises ImportError where Pillow is missing, which comes
    with matplotlib.

    >>> image_summary("weights", np.zeros((2, 4, 3), np.uint8)).value[0].image.width
    4
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise UsageError(f"image {tag!r}: give pixels of shape (H, W, 3) and dtype uint8, not {rgb.shape} {rgb.dtype}")
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG", compress_level=1)  # a fifth of the default's time, a quarter more space
    protos = load_protos()
    height, width, _ = rgb.shape
    image = protos.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=file.getvalue())
    return protos.Summary(value=[protos.Summary.Value(tag=tag, image=image)])
