"""How far each number was missed, in the units of its column, beside the forecast that repeats the last value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.data import Batches, Reader
from minidl.data.tasks.forecast_reader import ForecastReader
from minidl.graph.arrays import Array
from minidl.training.error_measures import ErrorSums


def number_report(reader: Any, errors: ErrorSums, batches: Batches, unit: Sequence[float] | None) -> dict[str, Any]:
    """mae, rmse and r2 of each column, by name; and of forecasts:

        mase   MAE / MAE on the training part of repeating the last value of each window
        naive  mae and mase of repeating the last value here
        steps  mae and rmse of each row of a path

    errors: of the model, scaled. batches: the part that was measured. unit: MAE of repeating the last value in the
    training part, of each column, scaled; None where the model does not say it: then there is no mase.
    """
    deviation = np.array(reader.outputs.deviation)
    mae, squared, r2 = _each(errors, reader)
    naive = naive_errors(reader, batches)
    found: dict[str, Any] = {}
    for k, name in enumerate(reader.targets):
        row: dict[str, Any] = {**_in_units(mae[:, k].mean(), squared[:, k].mean(), deviation[k]), "r2": float(r2[k])}
        if naive is not None:
            guess = _each(naive, reader)[0][:, k].mean()
            row["naive"] = {"mae": float(guess * deviation[k])}
            if unit is not None and unit[k] > 0:
                row["mase"] = float(mae[:, k].mean() / unit[k])
                row["naive"]["mase"] = float(guess / unit[k])
        if len(mae) > 1:
            row["steps"] = [_in_units(*step, deviation[k]) for step in zip(mae[:, k], squared[:, k], strict=True)]
        found[name] = row
    return found


def _in_units(absolute: float, squared: float, deviation: float) -> dict[str, float]:
    return {"mae": float(absolute * deviation), "rmse": float(math.sqrt(squared) * deviation)}


def naive_errors(reader: Reader, batches: Batches) -> ErrorSums | None:
    """Those of repeating the last value of each window; None where the model does not read what it predicts."""
    if not isinstance(reader, ForecastReader) or not set(reader.targets) <= set(reader.inputs.columns):
        return None
    places = [reader.inputs.columns.index(name) for name in reader.targets]
    found = ErrorSums()
    for step in range(batches.steps_per_epoch):
        inputs = batches.batch(step).inputs
        targets = inputs["targets"]
        last = inputs["x"][-1][:, places]
        found.add(np.tile(last, targets.shape[1] // len(places)), targets)
    return found


def _each(errors: ErrorSums, reader: Any) -> tuple[Array, Array, Array]:
    """MAE and mean squared error by step and column (P, K), R² by column."""
    columns = len(reader.targets)
    mae, squared = (found.reshape(-1, columns) for found in (errors.absolute(), errors.squared()))
    return mae, squared, errors.r2_of_columns(columns)
