"""Translating with an encoder-decoder: the decoder reads what it has written so far, until it writes an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minidl.data.padded import IGNORED, PADDING, pad
from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.translation import TranslationReader
from minidl.generate.beam import Beam, Hypothesis
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.system.errors import UsageError

BATCH = 64  # texts that are translated at a time


@dataclass(frozen=True)
class Translated:
    """A translation, its score, and the logarithm of its probability."""

    text: str
    score: float
    log_p: float


def is_translator(model: Model) -> bool:
    """Whether a model reads a source and writes ids."""
    return {"source", "ids"} <= model.graph.inputs.keys()


def translate(
    model: Model, texts: Sequence[str], *, beam: int = 1, length_penalty: float = 0.0, n_best: int = 1
) -> list[list[Translated]]:
    """The `n_best` translations of each text, the best first.

    model: trained by an experiment whose task is translation. beam: prefixes that are followed at a time; 1 is greedy.
    length_penalty: α of log p / ((5 + L) / 6)^α, by which translations of L symbols are compared.

    Raises UsageError for another model, DataError for a text with symbols that the vocabulary does not have.
    """
    reader = Reader.load(model.metadata, model.vocabulary)
    if not isinstance(reader, TranslationReader) or not is_translator(model):
        raise UsageError("this model does not translate: it was trained on another task")
    if n_best > beam or n_best < 1:
        raise UsageError(f"n_best should be from 1 to the width of the beam, {beam}, got {n_best}")
    column = reader.input.text
    examples = reader.read(Rows("the texts given", {column: list(texts)}, list(range(1, len(texts) + 1)), ""))
    replica, vocabulary = model.replica(), reader.vocabulary
    assert vocabulary is not None
    found: list[list[Translated]] = []
    for start in range(0, len(texts), BATCH):
        inputs = examples.take(np.arange(start, min(start + BATCH, len(texts))))
        for hypotheses in search(replica, reader, Beam(beam, length_penalty, reader.longest), **inputs):
            best = hypotheses[:n_best]
            found.append([Translated(vocabulary.decode(each.ids), each.score, each.log_p) for each in best])
    return found


def search(
    model: Model, reader: TranslationReader, beam: Beam, source: Array, lengths: Array
) -> list[list[Hypothesis]]:
    """The hypotheses of each sequence of ids; model: a replica."""

    def next_log_p(prefixes: Array, cases: Array) -> Array:
        model.reset_state()
        given = {"source": source[:, cases], "lengths": lengths[cases], "ids": prefixes}
        logits = model.forward(**given)[_logits(model)][-1].astype(np.float64)
        logits -= logits.max(axis=-1, keepdims=True)
        log_p: Array = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        log_p[:, start] = -np.inf  # it stands before a translation, and never in it
        return log_p

    start, end = reader.ends
    return beam.search(next_log_p, source.shape[1], start, end)


def translated_ids(model: Model, source: Array, lengths: Array) -> Array:
    """The greedy translation of each sequence, (T, B), -1 past its end; model: a replica."""
    reader = Reader.load(model.metadata, model.vocabulary)
    assert isinstance(reader, TranslationReader)
    found = search(model, reader, Beam(longest=reader.longest), source, lengths)
    columns = [np.array(hypotheses[0].ids or [PADDING], np.int64) for hypotheses in found]
    ids = pad(columns, IGNORED)
    for b, hypotheses in enumerate(found):
        ids[len(hypotheses[0].ids) :, b] = IGNORED
    return ids


def _logits(model: Model) -> str:
    outputs = [name for name in model.graph.results if name != "loss"]
    if len(outputs) != 1:
        raise UsageError(f"a model that translates has one output, the logits; this one has {', '.join(outputs)}")
    return outputs[0]
