"""TensorBoard's protocol messages as tensorboardX carries them, imported on the first use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import SimpleNamespace

NAMES = {
    "proto.api_pb2": "Status",
    "proto.attr_value_pb2": "AttrValue",
    "proto.event_pb2": "Event SessionLog",
    "proto.graph_pb2": "GraphDef",
    "proto.node_def_pb2": "NodeDef",
    "proto.plugin_hparams_pb2": "HParamsPluginData SessionEndInfo",
    "proto.summary_pb2": "HistogramProto Summary SummaryMetadata",
    "proto.tensor_pb2": "TensorProto",
    "proto.tensor_shape_pb2": "TensorShapeProto",
    "proto.versions_pb2": "VersionDef",
    "record_writer": "masked_crc32c",
    "summary": "custom_scalars hparams",
}


@cache
def load_protos() -> SimpleNamespace:
    """The message classes, and tensorboardX's functions that fill them, by their own names.

    >>> load_protos().Event(step=3).step
    3
    """
    with _without_torch():
        return SimpleNamespace(
            **{
                name: getattr(import_module(f"tensorboardX.{module}"), name)
                for module, names in NAMES.items()
                for name in names.split()
            }
        )


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
