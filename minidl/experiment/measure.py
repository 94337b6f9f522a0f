"""A trained model measured on the data of its run, or on another text."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from minidl.archive import Archive, read_archive
from minidl.callbacks.evaluate import evaluate
from minidl.data import Data, Text, evaluation_streams, read_text
from minidl.errors import CheckpointError, UsageError
from minidl.model import Model

logger = logging.getLogger("minidl")


def measure(path: Path, text: str | None = None) -> dict[str, float]:
    """Loss and measures of the model in a checkpoint: by "val/..." and "test/...", or by "data/..." for a text."""
    archive, model = read_archive(path), Model.load(path)
    data = _data(archive, path)
    if text is not None:
        return _on_text(model.replica(), data, text)
    dataset = data.load(Path())
    if dataset.digest != archive.meta.get("data"):
        raise CheckpointError(f"{path}: the data is not what this run was trained on; name a text with --data")
    results: dict[str, float] = {}
    for split, batches in (("val", dataset.validation), ("test", dataset.test)):
        if batches is not None:
            results |= evaluate(model.replica(), batches, split, dataset.unit)
    return results


def _data(archive: Archive, path: Path) -> Data:
    section: Any = archive.meta.get("experiment", {}).get("data")
    if section is None:
        raise CheckpointError(f"{path}: holds a model without the data it was trained on; name a run or a checkpoint")
    return Data.from_config(section)


def _on_text(model: Model, data: Data, source: str) -> dict[str, float]:
    if not isinstance(data, Text) or model.vocabulary is None:
        raise UsageError("--data takes a text, and this model was not trained on text")
    text = read_text(source, Path())
    ids = model.vocabulary.encode(text, unknown="skip")
    if data.tokens == "char" and len(ids) < len(text):
        logger.warning(
            "%d of %d characters are not in the vocabulary and were left out", len(text) - len(ids), len(text)
        )
    return evaluate(model, evaluation_streams(ids, data.batch_size, data.seq_len, source), "data", data.tokens)
