"""A trained model measured on the data of its run, or on a file of the same kind."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minidl.callbacks.evaluate import accumulate
from minidl.data import Arrays, Batches, Data, Reader, Series, Table, Text, evaluation_streams, read_text
from minidl.data.independent import Part
from minidl.data.sources.download import without_connections
from minidl.data.tasks.series_reader import SeriesReader
from minidl.experiment.run.load_model import Trained, load_trained, tell_unseen
from minidl.experiment.run.number_report import number_report
from minidl.explain.spelling import spelt
from minidl.graph.arrays import Array
from minidl.system.errors import CheckpointError, ConfigError, DataError, UsageError
from minidl.training.metrics import MetricAccumulator, unit_of_loss

logger = logging.getLogger("minidl")


@dataclass(frozen=True)
class Measured:
    """measures: numbers by tag, such as "val/loss". details: by tag, such as "val/confusion", reports as plain data."""

    measures: dict[str, float]
    details: dict[str, Any] = field(default_factory=dict)


def measure(path: Path, source: str | None = None) -> Measured:
    """Loss and measures of the model in a checkpoint: by "val/..." and "test/...", or by "data/..." for a source."""
    trained = load_trained(path)
    data = data_of(trained)
    if source is not None:
        return _on_parts(trained, {"data": _other(trained, data, source)}, _unit(data))
    with without_connections():
        dataset = data.load(Path())
    if dataset.digest != trained.archive.meta.get("data"):
        raise CheckpointError(f"{path}: the data is not what this run was trained on; name a file with --data")
    parts = {"val": dataset.validation, "test": dataset.test}
    found = _on_parts(trained, {name: part for name, part in parts.items() if part is not None}, dataset.unit)
    if not found.measures:
        raise UsageError(f"{path}: its data has no validation or test part; name a file with --data")
    baselines = {f"val_baseline/{name}": value for name, value in dataset.baselines.items()}
    return Measured(found.measures | baselines, found.details)


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


@np.errstate(all="ignore")  # what is not finite is told as such
def _on_parts(trained: Trained, parts: dict[str, Batches], unit: str) -> Measured:
    model = trained.model
    names = _class_names(trained) if unit == "step" else None
    measures: dict[str, float] = {}
    details: dict[str, Any] = {}
    for name, batches in parts.items():
        found = accumulate(model.replica(caches=False), batches, names)
        measures |= found.result(name, unit_of_loss(model, unit))
        reports = found.details() | _of_numbers(trained, found, batches)
        details |= {f"{name}/{what}": report for what, report in reports.items()}
    return Measured(measures, details)


def _class_names(trained: Trained) -> list[str]:
    """As the data call them; the symbols that a translation is made of; or their numbers."""
    targets, vocabulary = trained.model.graph.inputs.get("targets"), trained.model.vocabulary
    count = targets.depth or 0 if targets is not None and targets.dtype == "int" else 0
    symbols = range(count) if vocabulary is None or len(vocabulary) != count else vocabulary.symbols
    names: list[str] = trained.model.metadata.get("class_names") or [spelt(str(symbol)) for symbol in symbols]
    return names


def _of_numbers(trained: Trained, found: MetricAccumulator, batches: Batches) -> dict[str, Any]:
    """How far each number was missed, in the units of its column; nothing where no column says them."""
    metadata = trained.model.metadata
    if not found.errors.count or "reader" not in metadata:
        return {}
    return {"numbers": number_report(reader_of(trained), found.errors, batches, metadata.get("naive_error"))}


def reader_of(trained: Trained) -> Reader:
    """How rows were read that the model was trained on."""
    return Reader.load(trained.model.metadata, trained.model.vocabulary)


def _unit(data: Data) -> str:
    if isinstance(data, Table):
        return data.task.unit
    return data.tokens if isinstance(data, Text) else "step"


def _other(trained: Trained, data: Data, source: str) -> Batches:
    """Another source as batches to measure on, read as the data of the run was."""
    if isinstance(data, Text):
        return evaluation_streams(text_of(trained, source), data.batch_size, data.seq_len, source)
    if isinstance(data, Arrays):
        return dataclasses.replace(data, source=source, split=(1.0, 0.0, 0.0), shuffle=False).load(Path()).train
    if isinstance(data, Table):
        return _rows(trained, data, source)
    if isinstance(data, Series):
        return _stream(trained, data, source)
    raise UsageError(f"--data: data of type {data.type_name()} cannot be measured on another file")


def _rows(trained: Trained, data: Table, source: str) -> Batches:
    reader = reader_of(trained)
    examples = reader.read(data.rows(source, Path()), targets=True, batch_size=data.batch_size)
    said = ", ".join(f"{symbol!r} {count} times" for symbol, count in reader.unseen.most_common(8))
    if said:
        logger.warning("%s: not seen in training: %s", source, said)
    chosen = np.flatnonzero(examples.lengths)
    if not chosen.size:
        raise DataError(f"{source} has no row that the model could answer about")
    return Part(examples, chosen, data.batch_size, by_length=True)


def _stream(trained: Trained, data: Series, source: str) -> Batches:
    reader = reader_of(trained)
    assert isinstance(reader, SeriesReader)
    found = data.one_stream(*reader.pair(data.rows(_pair(data, source), Path())))
    if found is None:
        raise DataError(f"{source} has no row that the model could answer about")
    return found


def _pair(data: Series, source: str) -> str | list[str]:
    """Two files, with a comma between their names, for a model that was trained on two."""
    pair = source.split(",")
    if isinstance(data.source, (str, dict)) or Path(source).exists():
        return source
    if len(pair) != 2:
        raise UsageError(
            f"--data: the model learnt from a pair of files: name two, such as dry.wav,wet.wav, not {source}"
        )
    return pair


def text_of(trained: Trained, source: str) -> Array:
    """The ids of another text in the vocabulary of a model; what is not in it is told."""
    vocabulary = trained.model.vocabulary
    if vocabulary is None:
        raise UsageError("--data takes a text, and this model was not trained on text")
    text = read_text(source, Path())
    tell_unseen(vocabulary, text, source)
    return vocabulary.encode(text, unknown="skip")
