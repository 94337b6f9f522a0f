"""Reading an experiment: the file, then its data, then the model, with all mistakes in one report."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minidl.data import Data, Dataset
from minidl.errors import DataError, ExperimentError, MinidlError, UsageError
from minidl.experiment import overrides, references
from minidl.experiment.document import Document, Mistake, load, report
from minidl.experiment.experiment import Experiment
from minidl.experiment.parts import Parts, homes
from minidl.experiment.wiring import Chain, Plan, data_inputs
from minidl.graph import Graph
from minidl.model import Model
from minidl.node import Input, Node, Symbol, show
from minidl.optim import Optimizer
from minidl.validation import Finding

EXAMPLE = 64  # stands for every fact of the data until the data is read


def read_experiment(path: str | Path, changes: list[str] | None = None) -> Experiment:
    """Read, check and build an experiment; ExperimentError lists all mistakes with their lines.

    changes: overrides such as "optimizer.lr=1e-3", checked like the file.
    """
    document = load(Path(path))
    overrides.apply(document, changes or [])
    return _Loader(document, Path(path)).load()


class _Loader:
    """One experiment on its way from a document to a model."""

    def __init__(self, document: Document, path: Path) -> None:
        self.document, self.path = document, path
        self.mistakes: list[Finding] = []
        self.wrong_references = ""

    def load(self) -> Experiment:
        parts = self._parts(_example_facts(document_kind(self.document)))
        folder = self._data_folder()
        dataset = None if parts.data is None else self._data(parts.data, folder)
        if dataset is None:
            self._refuse()
        assert dataset is not None
        if not self.mistakes:
            parts = self._parts(dataset.facts)  # once more, now with the facts in place of the examples
        nodes = self._wire(parts, dataset)
        if self.mistakes or self.wrong_references or nodes is None or parts.header is None:
            self._refuse()
        assert nodes is not None
        assert parts.header is not None
        loss, settings = nodes
        model = self._model(loss, parts)
        model.vocabulary = dataset.vocabulary
        return Experiment(
            header=parts.header,
            sections=parts.sections,
            dataset=dataset,
            model=model,
            nodes=(parts.layers, parts.loss),
            settings=settings,
            folder=folder,
            builder=parts.builder and parts.builder.path,
        )
