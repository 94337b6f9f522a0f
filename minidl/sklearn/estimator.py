"""What all estimators have in common: parameters, training, and a state that pickle takes as bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from minidl.callbacks import EarlyStop, Evaluate
from minidl.data.batches import ArraySpec, Dataset
from minidl.data.padded import PaddedBatches
from minidl.generate.apply import apply
from minidl.graph.arrays import Array
from minidl.graph.layer import Layer, Node
from minidl.graph.symbol import Input, Symbol
from minidl.model import Model
from minidl.optim import Adam
from minidl.sklearn.estimator_network import CELLS, Cell, Network
from minidl.sklearn.keep_best import KeepBest
from minidl.sklearn.sequences import Numbers, Symbols, learn_vocabulary, read_sequences
from minidl.training.callback import Callback, Every
from minidl.training.trainer import Trainer


class SequenceEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of the estimators. X: a list of texts or of lists of words; a list of arrays (T,) or (T, F) of any lengths;
    or an array (N, T) or (N, T, F).

    cell: "lstm", "gru" or "rnn". units: of each of `depth` layers; bidirectional: whether as many read from the end.
    embedding: features of a symbol. dropout: before the last layer. tokens: whether texts are read by "char" or "word".
    max_vocab: size of the vocabulary, "<unk>" included. epochs, batch_size, learning_rate: of Adam. early_stopping:
    whether a share of `validation_fraction` is held out and training ends after `n_iter_no_change` epochs without a
    lower loss there; the best weights are kept. random_state: of weights, batches and dropout.
    """

    _loss: ClassVar[type[Layer]]  # which compares answers with targets

    def __init__(
        self,
        *,
        cell: Cell = "gru",
        units: int = 32,
        depth: int = 1,
        bidirectional: bool = False,
        embedding: int = 16,
        dropout: float = 0.0,
        tokens: Literal["char", "word"] = "char",
        max_vocab: int | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 1e-2,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        random_state: Any = None,
    ) -> None:
        self.cell, self.units, self.depth, self.bidirectional = cell, units, depth, bidirectional
        self.embedding, self.dropout, self.tokens, self.max_vocab = embedding, dropout, tokens, max_vocab
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.n_iter_no_change, self.random_state = n_iter_no_change, random_state

    def _answer(self, network: Network, read: Symbol, lengths: Input, outputs: int) -> Node:
        """What the network says."""
        return network.whole(read, lengths, outputs)

    def _fit(self, X: Any, targets: Any, spec: ArraySpec) -> None:
        """Learn targets, one array (N, ...) or one of each sequence, from X, which has been checked against them."""
        if self.cell not in CELLS:
            raise ValueError(f"cell should be one of {', '.join(CELLS)}, got {self.cell!r}")
        seed = int(check_random_state(self.random_state).randint(2**31))
        self.vocabulary_, self.mean_, self.scale_ = None, np.zeros(0), np.zeros(0)
        if isinstance(X, Symbols):
            self.vocabulary_ = learn_vocabulary(X, self.tokens, self.max_vocab)
        else:
            steps = np.concatenate(X.values)
            self.mean_, deviation = steps.mean(axis=0), steps.std(axis=0)
            self.scale_ = np.where(deviation > 1e-12 * np.abs(steps).max(axis=0, initial=0), deviation, 1.0)
        sequences = self._encode(X)
        dataset = self._dataset(sequences, targets, spec, seed)
        network = Network(self.cell, self.units, self.depth, self.bidirectional, self.embedding, self.dropout)
        symbols = None if self.vocabulary_ is None else len(self.vocabulary_)
        _, lengths, read = network.inputs(symbols, len(self.mean_))
        answer = self._answer(network, read, lengths, spec.depth or 1)
        wanted = Input("targets", dtype=spec.dtype, depth=spec.depth, shape=spec.shape)
        self.model_ = Model(self._loss(name="loss")(answer, wanted), {"answer": answer}, seed=seed)
        self.model_.vocabulary = self.vocabulary_
        self._train(dataset)

    def _train(self, dataset: Dataset) -> None:
        callbacks: list[Callback] = []
        if dataset.validation is not None:
            every, best = Every(epochs=1), KeepBest()
            callbacks = [Evaluate(every), best, EarlyStop(every, patience=self.n_iter_no_change)]
        optimizer = Adam(lr=self.learning_rate, clip_norm=1.0)
        trainer = Trainer(self.model_, dataset, optimizer, epochs=self.epochs, callbacks=callbacks)
        progress = trainer.run()
        self.n_iter_ = max(1, round(progress.step / dataset.train.steps_per_epoch))
        self.validation_losses_ = list(progress.validation)

    def _encode(self, X: Symbols | Numbers) -> list[Array]:
        """Ids, or scaled numbers."""
        if isinstance(X, Symbols):
            assert self.vocabulary_ is not None
            return [self.vocabulary_.encode_words(value) for value in X.values]
        return [((value - self.mean_) / self.scale_).astype(np.float32) for value in X.values]

    def _batches(self, sequences: list[Array], targets: Any, seed: int = 0, *, shuffle: bool = False) -> PaddedBatches:
        name = "x" if self.vocabulary_ is None else "ids"
        return PaddedBatches(sequences, targets, self.batch_size, seed, shuffle, name=name)

    def _dataset(self, sequences: list[Array], targets: Any, spec: ArraySpec, seed: int) -> Dataset:
        order = np.arange(len(sequences))
        held = 0
        if self.early_stopping:
            order = np.random.default_rng(seed).permutation(len(sequences))
            held = min(len(sequences) - 1, max(1, round(self.validation_fraction * len(sequences))))
        parts = order[held:], order[:held]

        def batches(part: Array, *, shuffle: bool) -> PaddedBatches:
            wanted = targets[part] if isinstance(targets, np.ndarray) else [targets[i] for i in part]
            return self._batches([sequences[i] for i in part], wanted, seed, shuffle=shuffle)

        validation = batches(parts[1], shuffle=False) if held else None
        return Dataset(batches(parts[0], shuffle=True), validation, None, {"targets": spec}, {}, None, "", "step")

    def _outputs(self, X: Any) -> list[Array]:
        """What the network says of each sequence: (outputs,), or (T, outputs)."""
        check_is_fitted(self, "model_")
        return self._said(read_sequences(self, X, self.tokens, fitted=True))

    def _said(self, X: Symbols | Numbers) -> list[Array]:
        """What the network says of sequences that have been checked."""
        examples = self._batches(self._encode(X), None)
        found: list[Array] = [np.empty(0)] * len(examples)
        for chosen, outputs in apply(self.model_.replica(caches=False), examples):
            for b, i in enumerate(chosen.tolist()):
                found[i] = outputs[b].copy() if outputs.ndim == 2 else outputs[: examples.lengths[i], b].copy()
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Attributes, and the network as the bytes of minidl's own file, which holds no code."""
        state: dict[str, Any] = super().__getstate__()
        if "model_" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.npz"
                state["model_"].save(path)
                state = {**state, "model_": path.read_bytes(), "vocabulary_": None}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(state.get("model_"), bytes):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.npz"
                path.write_bytes(state["model_"])
                model = Model.load(path)
            state = {**state, "model_": model, "vocabulary_": model.vocabulary}
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags
