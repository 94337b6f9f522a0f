"""A trained language model measured while it learns from what it reads, beside what it does with fixed weights."""

from __future__ import annotations

import logging
from pathlib import Path

from minidl.data import Data, Text
from minidl.data.batches import Batches, Dataset
from minidl.data.streams import Streams
from minidl.experiment.run.evaluate import data_of, text_of
from minidl.experiment.run.load_model import Trained, load_trained
from minidl.system.errors import CheckpointError, MinidlError, UsageError
from minidl.training.adapting import Adaptation, evaluate_adapting, gradient_scale, tune

logger = logging.getLogger("minidl")


def measure_adapting(path: Path, text: str | None = None, *, tuned: bool = False) -> dict[str, float]:
    """Measures by "val_adapted/...", "test_adapted/..." or, for a text, "data_adapted/...".

    tuned: choose rule, rate, decay and window on the beginning of the validation part, and tell them.
    """
    trained = load_trained(path)
    data = data_of(trained)
    if not isinstance(data, Text):
        raise UsageError("--adapt reads a text, and this model was not trained on text")
    dataset = _own_dataset(trained, data)
    scale = None if dataset is None else gradient_scale(trained.model, dataset.train)
    adaptation = Adaptation() if scale is not None else Adaptation("sgd", lr=0.1, decay=0.0)
    if tuned:
        if dataset is None or dataset.validation is None:
            raise UsageError("--adapt tune chooses on the validation part of the run's own data, which is not there")
        adaptation = tune(trained.model, dataset.validation, scale, unit=data.tokens)
    logger.info("learning while it reads: %s", adaptation)
    results: dict[str, float] = {}
    for split, batches in _parts(trained, data, dataset, text):
        results |= evaluate_adapting(trained.model, batches, adaptation, split=split, unit=data.tokens, scale=scale)
    return results


def _parts(trained: Trained, data: Text, dataset: Dataset | None, text: str | None) -> list[tuple[str, Batches]]:
    if text is not None:
        return [("data", Streams(text_of(trained, text), 1, data.seq_len, partial=True, name=text))]
    if dataset is None:
        raise CheckpointError(f"{trained.path}: the data of this run is not there; name a text with --data")
    found = [("val", dataset.validation), ("test", dataset.test)]
    return [(split, batches) for split, batches in found if batches is not None]


def _own_dataset(trained: Trained, data: Data) -> Dataset | None:
    """The data of the run, where it is still what the run was trained on."""
    try:
        dataset = data.load(Path())
    except MinidlError as error:
        logger.warning(
            "%s: its training data cannot be read (%s); learning without their statistics", trained.path, error
        )
        return None
    return dataset if dataset.digest == trained.archive.meta.get("data") else None
