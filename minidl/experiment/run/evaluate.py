"""A trained model measured on the data of its run, or on another text."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from minidl.callbacks.evaluate import evaluate
from minidl.data import Data, Text, evaluation_streams, read_text
from minidl.data.sources.download import without_connections
from minidl.experiment.run.load_model import Trained, load_trained, unseen
from minidl.system.errors import CheckpointError, ConfigError, UsageError

logger = logging.getLogger("minidl")


def measure(path: Path, text: str | None = None) -> dict[str, float]:
    """Loss and measures of the model in a checkpoint: by "val/..." and "test/...", or by "data/..." for a text."""
    trained = load_trained(path)
    data = data_of(trained)
    if text is not None:
        return _on_text(trained, data, text)
    with without_connections():
        dataset = data.load(Path())
    if dataset.digest != trained.archive.meta.get("data"):
        raise CheckpointError(f"{path}: the data is not what this run was trained on; name a text with --data")
    results: dict[str, float] = {}
    for split, batches in (("val", dataset.validation), ("test", dataset.test)):
        if batches is not None:
            results |= evaluate(trained.model.replica(), batches, split, dataset.unit)
    if not results:
        raise UsageError(f"{path}: its data has no validation or test part; name a text with --data")
    return results | {f"val_baseline/{name}": value for name, value in dataset.baselines.items()}


def data_of(trained: Trained) -> Data:
    """The data section of the experiment that a model was trained by."""
    experiment = trained.archive.meta.get("experiment")
    section: Any = experiment.get("data") if isinstance(experiment, dict) else None
    if section is None:
        raise CheckpointError(
            f"{trained.path}: holds a model without the data it was trained on; name a run or a checkpoint"
        )
    plain = json.loads(json.dumps(section).replace("$${", "${"))  # what escape() of references has done
    try:
        return Data.from_config(plain)
    except ConfigError as error:
        raise CheckpointError(f"{trained.path}: describes no data of minidl's, at experiment.data: {error}") from None


def _on_text(trained: Trained, data: Data, source: str) -> dict[str, float]:
    if not isinstance(data, Text):
        raise UsageError("--data takes a text, and this model was not trained on text")
    streams = evaluation_streams(text_of(trained, source), data.batch_size, data.seq_len, source)
    return evaluate(trained.model.replica(), streams, "data", data.tokens)


def text_of(trained: Trained, source: str) -> NDArray[Any]:
    """The ids of another text in the vocabulary of a model; what is not in it is told."""
    vocabulary = trained.model.vocabulary
    if vocabulary is None:
        raise UsageError("--data takes a text, and this model was not trained on text")
    text = read_text(source, Path())
    strange = unseen(vocabulary, text)
    if strange:
        logger.warning("%s: %s", source, strange)
    return vocabulary.encode(text, unknown="skip")
