"""The grade of an exercise: each gradient of the layer in the file, checked by the complex step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minidl.experiment.build.model_file import run_file, theirs
from minidl.experiment.lessons.exercises import Exercise
from minidl.graph.layer import Layer
from minidl.model import Model
from minidl.system.errors import ExperimentError
from minidl.testing.gradcheck import Check, gradcheck

ROWS, FEATURES, STEPS, STREAMS, SYMBOLS = 6, 4, 5, 2, 4


@dataclass(frozen=True)
class Grade:
    """What the check has found of one exercise."""

    exercise: Exercise
    checks: tuple[Check, ...]

    @property
    def wrong(self) -> list[str]:
        """The arrays whose gradient is wrong: parameters by their name, inputs by theirs."""
        return [check.array.rpartition("/")[2] for check in self.checks if not check.passed]


def grade(exercise: Exercise, path: Path) -> Grade:
    """Check the layer in a file; ExperimentError shows what its code has raised."""
    layer = _layer_in(run_file(path), path)
    try:
        inputs = _inputs(exercise.layer)
        model = Model.of(layer, *inputs.values(), dtype="float64")
        return Grade(exercise, tuple(gradcheck(model, inputs)))
    except Exception as error:
        raise ExperimentError(theirs(path, error)) from error


def _layer_in(module: ModuleType, path: Path) -> Layer:
    """The layer that a file defines, with its settings as they are by default."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Layer) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ExperimentError(f"{path} should define one layer, and defines {len(found)}")
    return found[0]()


def _inputs(layer: str) -> dict[str, Any]:
    """Arrays on which every term of a gradient counts, and a symbol that occurs more than once."""
    rng = np.random.default_rng(0)
    if layer == "embedding":
        return {"ids": np.arange(STEPS * STREAMS).reshape(STEPS, STREAMS) % SYMBOLS}
    if layer == "softmax_ce":
        targets = np.arange(STEPS * STREAMS).reshape(STEPS, STREAMS) % SYMBOLS
        return {"logits": rng.standard_normal((STEPS, STREAMS, SYMBOLS)), "targets": targets}
    if layer in ("dense", "layer_norm"):
        return {"x": rng.standard_normal((ROWS, FEATURES))}
    return {"x": rng.standard_normal((STEPS, STREAMS, FEATURES))}
