"""An experiment as the columns of TensorBoard's HParams tab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# They change nothing in what is learnt.
LEFT_OUT = ("name", "log", "sample", "evaluate_every", "checkpoint_every", "sample_every")


def hyperparameters(experiment: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Values by dotted name, as overrides have them; a list of plain values is one text, what is not set has no column.

    >>> hyperparameters({"name": "a", "data": {"split": [0.9, 0.1]}, "model": {"layers": [{"units": 3}]}})
    {'data.split': '[0.9, 0.1]', 'model.layers.0.units': 3}
    """
    return dict(_columns(experiment, ""))


def _columns(value: Any, prefix: str) -> Iterator[tuple[str, bool | int | float | str]]:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in LEFT_OUT:
                yield from _columns(item, f"{prefix}.{name}".lstrip("."))
    elif value is not None:
        yield prefix, value if isinstance(value, (bool, int, float)) else str(value)
