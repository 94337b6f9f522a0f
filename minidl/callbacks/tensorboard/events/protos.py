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
    return SimpleNamespace(
        AttrValue=attr_value_pb2.AttrValue,
        Event=event_pb2.Event,
        GraphDef=graph_pb2.GraphDef,
        HistogramProto=summary_pb2.HistogramProto,
        HParamsPluginData=plugin_hparams_pb2.HParamsPluginData,
        NodeDef=node_def_pb2.NodeDef,
        SessionEndInfo=plugin_hparams_pb2.SessionEndInfo,
        SessionLog=event_pb2.SessionLog,
        Status=api_pb2.Status,
        Summary=summary_pb2.Summary,
        SummaryMetadata=summary_pb2.SummaryMetadata,
        TensorProto=tensor_pb2.TensorProto,
        TensorShapeProto=tensor_shape_pb2.TensorShapeProto,
        VersionDef=versions_pb2.VersionDef,
        custom_scalars=custom_scalars,
        hparams=hparams,
        masked_crc32c=masked_crc32c,
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
