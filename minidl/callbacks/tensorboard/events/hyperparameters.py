"""Hyperparameters of a run, for the table of TensorBoard's HParams tab, and how the run ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from minidl.callbacks.tensorboard.events.protos import load_protos
from minidl.callbacks.tensorboard.events.text_event import encodable

MAX_EXACT = 2**53  # TensorBoard holds numbers in float64


def start_summary(values: Mapping[str, bool | int | float | str]) -> Any:
    """A Summary of a run's values by name.

    It says nothing of columns. TensorBoard would take them from whichever run it meets first; left alone, it gathers
    the columns of all runs, those in which they differ before the others, and every scalar as a metric.

    >>> start_summary({"lr": 1e-3}).value[0].tag
    '_hparams_/session_start_info'
    """
    _, run, _ = load_protos().hparams({name: _shown(value) for name, value in values.items()}, {})
    return run


def end_summary(status: Literal["success", "failure"]) -> Any:
    """A Summary that says how the run ended.

    >>> end_summary("success").value[0].tag
    '_hparams_/session_end_info'
    """
    protos = load_protos()
    end = protos.SessionEndInfo(status=protos.Status.Value(f"STATUS_{status.upper()}"))
    data = protos.HParamsPluginData(session_end_info=end, version=0)
    plugin = protos.SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
    metadata = protos.SummaryMetadata(plugin_data=plugin)
    return protos.Summary(value=[protos.Summary.Value(tag="_hparams_/session_end_info", metadata=metadata)])


def _shown(value: bool | int | float | str) -> bool | int | float | str:
    """The value, as text where a number would empty the whole table (NaN, infinity) or be rounded."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, int):
        return value if abs(value) <= MAX_EXACT else str(value)
    return float(value) if math.isfinite(value) else str(value)
