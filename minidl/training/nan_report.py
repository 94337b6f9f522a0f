"""Where NaN or infinity has come into a step: the first array that holds it, and the text that was being read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import numpy as np

from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.system.errors import NumericsError
from minidl.training.callback import Run

logger = logging.getLogger("minidl")
SHOWN = 60  # characters of the text


def not_finite(trainer: Run, error: NumericsError) -> None:
    """What becomes of a step with such a number: the end of the run, or it is left out and counted."""
    found = f"step {trainer.progress.step + 1}: {error}; first bad array: "
    inputs = {name: trainer.model.executor.input(name) for name in trainer.batch.inputs}  # of one share, or all
    found += first_bad_array(trainer.model, inputs)
    if trainer.non_finite == "stop":
        raise NumericsError(
            f"{found}. Lower the learning rate, or set clip_norm; the weights are those of the step before."
        ) from None
    if not trainer.progress.skipped:
        logger.warning("%s. It is left out, as others will be; train/skipped counts them", found)
    trainer.progress.skipped += 1
    trainer.model.reset_state()


def first_bad_array(model: Model, inputs: Mapping[str, Array]) -> str:
    """The first array that is not finite, in the order of computation, and where in the data that was.

    >>> from minidl import Model
    >>> from minidl.layers import Dense
    >>> model = Model.of(Dense(2), np.ones((3, 1, 4)))
    >>> model.parameters["dense/W"][0, 1] = np.nan
    >>> first_bad_array(model, {})
    'parameter dense/W at (0, 1)'
    """
    for name, array in _in_order(model, inputs):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            return f"{name} at {place}{_text(model, inputs, place)}"
    return f"none, by now{_text(model, inputs, ())}"


def _in_order(model: Model, inputs: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    yield from ((f"input {name}", np.asarray(array)) for name, array in inputs.items())
    yield from ((f"parameter {name}", array) for name, array in model.parameters.items())
    yield from ((name, array) for name, array in model.arrays.items() if name not in model.parameters)
    yield from ((f"gradient of {name}", array) for name, array in model.gradients.items())


def _text(model: Model, inputs: Mapping[str, Array], place: tuple[int, ...]) -> str:
    """What the stream at that place read, up to that step; of the first stream where the place is none in the data."""
    if model.vocabulary is None or "ids" not in inputs:
        return ""
    ids = np.asarray(inputs["ids"])
    inside = len(place) > 1 and all(i < size for i, size in zip(place, ids.shape, strict=False))
    step, stream = place[:2] if inside else (len(ids) - 1, 0)
    text = model.vocabulary.decode(ids[: step + 1, stream])
    return f", in the text {text[-SHOWN:]!r}"
