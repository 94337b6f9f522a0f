"""Whether what a model of documents writes is new, or was learnt by heart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minidl.data.sources.download import without_connections
from minidl.data.tasks.documents import texts_of
from minidl.experiment.run.evaluate import data_of
from minidl.experiment.run.load_model import Trained
from minidl.system.errors import MinidlError


def novelty(trained: Trained, texts: Sequence[str]) -> str:
    """The share of texts that the training part does not have, as a sentence."""
    try:
        with without_connections():
            dataset = data_of(trained).load(Path())
    except MinidlError as error:
        return f"how many of the samples are new is not known: {error}"
    assert dataset.vocabulary is not None
    known = texts_of(dataset.train, dataset.vocabulary)
    new = sum(text not in known for text in texts)
    return f"{new} of {len(texts)} samples ({new / len(texts):.0%}) are new: the training part does not have them"
