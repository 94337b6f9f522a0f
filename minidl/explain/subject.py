"""What a model reads and answers: the one input that holds its sequence, and the output that is asked about."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from minidl.data.vocabulary import Vocabulary
from minidl.data.words import split_words
from minidl.graph.arrays import Array
from minidl.graph.symbol import Axis, Input
from minidl.model import Model
from minidl.system.errors import DataError, UsageError, suggest

Kind = Literal["softmax", "sigmoid", "numbers"]
SPLIT: dict[str, Callable[[str], list[str]]] = {"char": list, "word": split_words, "space": str.split}
KINDS: dict[str, Kind] = {"SoftmaxCE": "softmax", "SigmoidCE": "sigmoid"}  # by the loss that an output feeds


@dataclass(frozen=True)
class Subject:
    """A model as it is looked at: one sequence goes in, one output is asked about.

    input: the name of the integer ids (T, B) or of the numbers (T, B, F). output: the name of the result. kind: how
    the output is read. names: of its entries. tokens: what a text is divided into; None where numbers are read.
    normal: the form of Unicode that a text is brought into. text_column: of a table. columns: names of the numbers.
    scales: mean and deviation by which a column was standardised. window: rows that a forecaster sees, 0 where it sees
    all. horizon: how many rows ahead its answer stands.
    """

    model: Model
    input: str
    output: str
    kind: Kind
    names: tuple[str, ...]
    tokens: Literal["char", "word", "space", "bpe"] | None
    normal: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = None
    text_column: str | None = None
    columns: tuple[str, ...] = ()
    scales: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    window: int = 0
    horizon: int = 0

    @classmethod
    def of(cls, model: Model, metadata: Mapping[str, Any] | None = None) -> Subject:
        """What a model reads and answers; UsageError where it does not read exactly one sequence.

        metadata: how rows are read and answers told, as a run saves it with the model.
        """
        metadata = metadata or {}
        reader: Mapping[str, Any] = metadata.get("reader") or {}
        read, output = _input_of(model), _output_of(model)
        vocabulary = model.vocabulary if read.dtype == "int" else None
        inputs, outputs, text = (reader.get(name) or {} for name in ("inputs", "outputs", "input"))
        known = (
            metadata.get("class_names"),
            outputs.get("columns"),
            None if vocabulary is None else vocabulary.symbols,
        )
        return cls(
            model=model,
            input=read.name,
            output=output,
            kind=_kind_of(model, output, vocabulary),
            names=_names(int(model.graph.results[output].shape[-1]), known),
            tokens=None if vocabulary is None else _tokens(vocabulary, bool(text.get("at_space"))),
            normal=text.get("normalise"),
            text_column=text.get("text"),
            columns=() if read.dtype == "int" else _names(int(read.shape[-1]), (inputs.get("columns"),)),
            scales=_scales(outputs) | _scales(inputs),
            window=int(reader.get("window") or 0),
            horizon=int(reader.get("horizon") or 0),
        )

    @property
    def predicts_next(self) -> bool:
        """Whether the answer after a step is the next symbol of the text."""
        vocabulary = self.model.vocabulary
        return vocabulary is not None and self.answers_each_step and self.names == vocabulary.symbols

    @property
    def is_unnamed(self) -> bool:
        """Whether the answers are only numbered: nothing was saved with the model that names classes or columns."""
        return not self.predicts_next and self.names == tuple(map(str, range(len(self.names))))

    @property
    def answers_each_step(self) -> bool:
        """Whether the output has a row for each step, and not one for the whole sequence."""
        shape = self.model.graph.results[self.output].shape
        return len(shape) == 3 and isinstance(shape[0], Axis)

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols of what is read; UsageError where numbers are."""
        if self.model.vocabulary is None or self.tokens is None:
            raise UsageError("this model has no vocabulary, so that it cannot read text")
        return self.model.vocabulary

    def entry(self, name: str) -> int:
        """The place of an answer by its name; UsageError for a name that it does not have."""
        if name not in self.names:
            raise UsageError(f"there is no answer {name!r}{suggest(name, self.names)}")
        return self.names.index(name)

    def symbols(self, text: str) -> list[str]:
        """What a text is divided into, without what the vocabulary does not know, unless it has an unknown symbol."""
        known = set(self.vocabulary.symbols)
        if self.normal is not None:
            text = unicodedata.normalize(self.normal, text)
        split = self.vocabulary.subwords if self.tokens == "bpe" else SPLIT[self.tokens or "char"]
        found = [symbol for symbol in split(text) if symbol in known or self.vocabulary.unknown is not None]
        if not found:
            raise DataError("nothing of this text is in the vocabulary of the model")
        return found

    def ids(self, symbols: Sequence[str]) -> Array:
        """The ids (T,) of symbols."""
        return np.asarray(self.vocabulary.encode_words(symbols), np.int64)

    def standardised(self, rows: Array) -> Array:
        """Rows (T, F) in the units of their columns as the network reads them."""
        means, deviations = self._scaling
        scaled: Array = (rows - means) / deviations
        return scaled

    def in_units(self, rows: Array) -> Array:
        """Rows (T, F) that the network reads, in the units of their columns."""
        means, deviations = self._scaling
        numbers: Array = rows * deviations + means
        return numbers

    @property
    def _scaling(self) -> Array:
        """Means and deviations (2, F); 0 and 1 for a column that was not standardised."""
        scales = [self.scales.get(name, {"mean": 0.0, "deviation": 1.0}) for name in self.columns]
        return np.array([[scale[key] for scale in scales] for key in ("mean", "deviation")])

    def feeds(self, sequence: Array, copies: int = 1) -> dict[str, Array]:
        """A sequence (T,) of ids or (T, F) of numbers as inputs of the model, so many times side by side."""
        feeds = {self.input: np.repeat(np.asarray(sequence)[:, None], copies, axis=1)}
        for name, node in self.model.graph.inputs.items():
            if is_lengths(node):
                feeds[name] = np.full(copies, len(sequence))
        return feeds


def is_lengths(node: Input) -> bool:
    """Whether an input says where padded sequences end."""
    return node.dtype == "int" and len(node.shape) == 1 and node.name != "targets"


def _input_of(model: Model) -> Input:
    """The one input that holds a sequence."""
    ends = {model.graph.ends[name] for name in model.graph.results if name != "loss"}
    needed = model.graph.needed_for(ends)
    found = [node for name, node in model.graph.inputs.items() if name in needed and not is_lengths(node)]
    if len(found) != 1 or (found[0].dtype == "float" and len(found[0].shape) != 3):
        names = ", ".join(model.graph.inputs)
        raise UsageError(f"one sequence is looked at, and this model reads {len(found)} (its inputs: {names})")
    return found[0]


def _output_of(model: Model) -> str:
    """The result that feeds the loss, else the first."""
    results = {name: node for name, node in model.graph.results.items() if name != "loss"}
    loss = model.graph.results.get("loss")
    feeding = [name for name, node in results.items() if loss is not None and node in loss.inputs]
    if not results:
        raise UsageError("this model has a loss only: name outputs, as in Model(loss, outputs={'logits': logits})")
    return feeding[0] if feeding else next(iter(results))


def _kind_of(model: Model, output: str, vocabulary: Vocabulary | None) -> Kind:
    loss = model.graph.results.get("loss")
    if loss is not None and loss.inputs[0] is model.graph.results[output]:
        return KINDS.get(type(getattr(loss, "layer", None)).__name__, "numbers")
    return "numbers" if vocabulary is None else "softmax"


def _names(count: int, known: Iterable[Sequence[str] | None]) -> tuple[str, ...]:
    """The first of some lists of names that has so many; else numbers."""
    fitting = (names for names in known if names is not None and len(names) == count)
    return tuple(map(str, next(fitting, range(count))))


def _scales(scaling: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    names, means, deviations = (scaling.get(name) or () for name in ("columns", "mean", "deviation"))
    return {
        name: {"mean": mean, "deviation": deviation}
        for name, mean, deviation in zip(names, means, deviations, strict=False)
    }


def _tokens(vocabulary: Vocabulary, at_space: bool) -> Literal["char", "word", "space", "bpe"]:
    return "space" if vocabulary.kind == "word" and at_space else vocabulary.kind
