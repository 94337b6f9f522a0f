"""TensorBoard's protocol messages as tensorboardX carries them, imported on the first use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace


@cache
def load_protos() -> SimpleNamespace:
    """The message classes, and tensorboardX's functions that fill them, by their own names.

    >>> load_protos().Event(step=3).step
    3
    """
    with _without_torch():
        from tensorboardX.proto import (  # type: ignore[import-untyped]
            api_pb2,
            attr_value_pb2,
            event_pb2,
            graph_pb2,
            node_def_pb2,
            plugin_hparams_pb2,
            summary_pb2,
            tensor_pb2,
            tensor_shape_pb2,
            versions_pb2,
        )
        from tensorboardX.record_writer import masked_crc32c  # type: ignore[import-untyped]
        from tensorboardX.summary import custom_scalars, hparams  # type: ignore[import-untyped]
    graphs = (attr_value_pb2, graph_pb2, node_def_pb2, tensor_shape_pb2, versions_pb2)
    files = (api_pb2, event_pb2, plugin_hparams_pb2, summary_pb2, tensor_pb2, *graphs)
    messages = {name: value for file in files for name, value in vars(file).items() if name[0].isupper()}
    return SimpleNamespace(**messages, custom_scalars=custom_scalars, hparams=hparams, masked_crc32c=masked_crc32c)


@contextmanager
def _without_torch() -> Iterator[None]:
    """Hide torch: tensorboardX imports it where it is installed, for seconds, and we hand it none of its tensors."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]  # makes `import torch` an ImportError
    try:
        yield
    finally:
        if hidden:
            del sys.modules["torch"]
