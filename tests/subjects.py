"""Small networks of each kind that can be looked at, with weights drawn at random and sequences to read."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.data import Vocabulary
from minidl.explain import Subject
from minidl.graph.layer import Node
from minidl.layers import (
    GRU,
    LSTM,
    MSE,
    RNN,
    Activation,
    Add,
    Attention,
    Bidirectional,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Last,
    LayerNorm,
    Multiply,
    OneHot,
    Pool,
    Reverse,
    SigmoidCE,
    SoftmaxCE,
)

Array = NDArray[Any]
LETTERS = "ab\n \t<>&\"'é中𝔘" + string.ascii_uppercase[:4]
WORDS = "the cat's don't go, said (he) \n    wait… <unk>  été x_1 42 中文"


def next_symbol(wire: Callable[[Input, int], Node], vocabulary: Vocabulary, **settings: Any) -> Subject:
    """A language model."""
    depth = len(vocabulary)
    ids, targets = Input("ids", dtype="int", depth=depth), Input("targets", dtype="int", depth=depth)
    logits = wire(ids, depth)
    model = Model(SoftmaxCE()(logits, targets), outputs={"logits": logits}, seed=3, **settings)
    model.vocabulary = vocabulary
    return looked_at(model)


def looked_at(model: Model, metadata: Any = None) -> Subject:
    """The model with larger weights than those it starts with, so that gates differ."""
    rng = np.random.default_rng(5)
    for array in model.parameters.values():
        array += 0.4 * rng.standard_normal(array.shape)
    return Subject.of(model.replica(), metadata)


def lstm() -> Subject:
    return next_symbol(lambda ids, V: Dense(V)(LSTM(9, name="lstm")(OneHot()(ids))), Vocabulary.from_text(LETTERS))


def gru() -> Subject:
    def wire(ids: Input, V: int) -> Node:
        first = GRU(6)(OneHot()(ids))
        return Dense(V)(Add()(first, GRU(6, dropout=0.3)(first)))

    return next_symbol(wire, Vocabulary.from_text(LETTERS))


def rnn() -> Subject:
    def wire(ids: Input, V: int) -> Node:
        symbols = OneHot()(ids)
        hidden = RNN(5)(RNN(4, activation="relu")(symbols))
        return Dense(V)(Concat()(hidden, symbols))

    return next_symbol(wire, Vocabulary.from_text(LETTERS), dtype="float64")


def norms() -> Subject:
    def wire(ids: Input, V: int) -> Node:
        symbols = LayerNorm()(OneHot()(ids))
        hidden = Activation("gelu")(Dense(7)(LSTM(5)(symbols)))
        return Dense(V)(Add()(Activation("sigmoid")(hidden), Activation("tanh")(LayerNorm(eps=0.1)(hidden))))

    return next_symbol(wire, Vocabulary.from_text(LETTERS))


def attention() -> Subject:
    def wire(ids: Input, V: int) -> Node:
        hidden = LSTM(6, bias=False)(Embedding(4)(ids))
        seen = Attention(units=4, heads=2, causal=True)(hidden, hidden)
        judged = Attention(units=6, score="additive", causal=True)(hidden, hidden)
        return Dense(V, bias=False)(Concat()(Multiply()(hidden, judged), seen))

    return next_symbol(wire, Vocabulary.from_text(LETTERS))


def pools() -> Subject:
    ids, lengths = Input("ids", dtype="int", depth=len(set(LETTERS))), Input("lengths", dtype="int", shape=("B",))
    hidden = GRU(5, bias=False)(Embedding(4)(ids), lengths)
    whole = Attention()(hidden, hidden, lengths=lengths)
    logits = Dense(3)(Concat()(Pool("mean")(whole, lengths), Pool("max")(hidden, lengths)))
    model = Model(SoftmaxCE()(logits, Input("targets", dtype="int", depth=3, shape=("B",))), outputs={"logits": logits})
    model.vocabulary = Vocabulary.from_text(LETTERS)
    return looked_at(model, {"class_names": ["one", "two", "three"]})


def words() -> Subject:
    def wire(ids: Input, V: int) -> Node:
        hidden = LSTM(6)(Dropout(0.2)(Embedding(6, name="words")(ids)))
        return Dense(V, tied_to="words")(hidden)

    return next_symbol(wire, Vocabulary.from_text(WORDS, "word", max_vocab=14))


def classifier() -> Subject:
    ids, lengths = Input("ids", dtype="int", depth=len(set(LETTERS))), Input("lengths", dtype="int", shape=("B",))
    symbols = Embedding(4)(ids)
    ahead, back = LSTM(5)(symbols, lengths), LSTM(5)(Reverse()(symbols, lengths), lengths)
    logits = Dense(3)(Concat()(Last()(ahead, lengths), Last()(back, lengths)))
    loss = SoftmaxCE()(logits, Input("targets", dtype="int", depth=3, shape=("B",)))
    model = Model(loss, outputs={"logits": logits})
    model.vocabulary = Vocabulary.from_text(LETTERS)
    return looked_at(model, {"class_names": ["<b>one", "two", "three"]})


def tagger() -> Subject:
    vocabulary = Vocabulary.from_words(WORDS.split())
    ids = Input("ids", dtype="int", depth=len(vocabulary))
    lengths = Input("lengths", dtype="int", shape=("B",))
    logits = Dense(4)(LayerNorm()(Bidirectional(GRU(4))(Embedding(3)(ids), lengths)))
    model = Model(SoftmaxCE()(logits, Input("targets", dtype="int", depth=4)), outputs={"logits": logits})
    model.vocabulary = vocabulary
    return looked_at(model, {"class_names": list("NVAP"), "reader": {"input": {"at_space": True}}})


def labels() -> Subject:
    ids = Input("ids", dtype="int", depth=len(set(LETTERS)))
    logits = Dense(3)(Last()(GRU(5)(OneHot()(ids))))
    loss = SigmoidCE()(logits, Input("targets", depth=3, shape=("B", 3)))
    model = Model(loss, outputs={"logits": logits})
    model.vocabulary = Vocabulary.from_text(LETTERS)
    return looked_at(model, {"class_names": ["a", "b", "c"]})


def forecaster() -> Subject:
    x = Input("x", depth=2)
    y = Dense(1)(Last()(GRU(5)(x)))
    model = Model(MSE()(y, Input("targets", depth=1, shape=("B", 1))), outputs={"y": y})
    scaling = {"columns": ["warmth", "rain"], "mean": [10.0, 1.0], "deviation": [4.0, 0.5]}
    reader = {"inputs": scaling, "outputs": {"columns": ["warmth"]}, "window": 6, "horizon": 2}
    return looked_at(model, {"reader": reader})


KINDS = {
    maker.__name__: maker
    for maker in (lstm, gru, rnn, norms, attention, pools, words, classifier, tagger, labels, forecaster)
}


def texts(subject: Subject, count: int) -> list[str]:
    """Texts, or rows of numbers, that a subject may be given."""
    rng = random.Random(0)
    if subject.tokens is None:
        return [
            "\n".join(f"{rng.gauss(10, 4):.4f}, {rng.gauss(1, 0.5):.4f}" for _ in range(rng.randint(1, 14)))
            for _ in range(count)
        ]
    pieces = list(LETTERS) if subject.tokens == "char" else [*WORDS.split(), "new", "\n  ", ", ", " ", "!!", "<unk>s"]
    glue = "" if subject.tokens == "char" else " "
    return [glue.join(rng.choices(pieces, k=rng.randint(1, 20))) + pieces[0] for _ in range(count)]


def sequence(subject: Subject, text: str) -> Array:
    """What the network reads of such a text."""
    if subject.tokens is not None:
        return subject.ids(subject.symbols(text))
    rows = np.array([[float(cell) for cell in line.split(",")] for line in text.splitlines()])
    scales = [subject.scales[name] for name in subject.columns]
    return (rows - [scale["mean"] for scale in scales]) / [scale["deviation"] for scale in scales]
