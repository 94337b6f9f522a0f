"""What estimators take as X, as sequences of symbols or of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from minidl.data import UNKNOWN, Vocabulary, split_words
from minidl.graph.arrays import Array

Tokens = Literal["char", "word"]


@dataclass(frozen=True)
class Symbols:
    """Sequences of characters or words."""

    values: list[Sequence[str]]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Numbers:
    """Sequences of rows of numbers (T, F)."""

    values: list[Array]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def features(self) -> int:
        """F."""
        return int(self.values[0].shape[1])


def read_sequences(estimator: Any, X: Any, tokens: Tokens, *, fitted: bool) -> Symbols | Numbers:
    """X as sequences: texts, lists of words, arrays (N, T), (N, T, F), or a list of arrays (T,) or (T, F).

    fitted: whether X has to be of the kind and of as many features as that of `fit`. Raises ValueError otherwise.
    """
    found: Symbols | Numbers | None = _symbols(X, tokens)
    if found is None:
        found = Numbers(_numbers(estimator, X, fitted=fitted))
    if fitted and isinstance(found, Symbols) != (estimator.vocabulary_ is not None):
        kinds = "symbols", "numbers"
        said, learnt = kinds if isinstance(found, Symbols) else kinds[::-1]
        raise ValueError(f"X has sequences of {said}, but {type(estimator).__name__} was fitted on {learnt}")
    if isinstance(found, Numbers):
        _check_features(estimator, found, fitted=fitted)
    return found


def _symbols(X: Any, tokens: Tokens) -> Symbols | None:
    """Texts, or lists of words; None for anything else."""
    if isinstance(X, str):
        raise ValueError("X is one text: give a list of texts")
    if getattr(X, "ndim", 1) != 1 or not isinstance(X, Iterable) or hasattr(X, "toarray") or not _may_hold_text(X):
        return None
    items = list(X)
    if not items:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if all(isinstance(item, str) for item in items):
        values: list[Sequence[str]] = [str(text) if tokens == "char" else split_words(str(text)) for text in items]
    elif all(_is_list_of_words(item) for item in items):
        values = [[str(word) for word in item] for item in items]
    else:
        return None
    empty = next((i for i, value in enumerate(values) if not len(value)), None)
    if empty is not None:
        raise ValueError(f"sequence {empty} of X is empty")
    return Symbols(values)


def _may_hold_text(X: Any) -> bool:
    """Whether it is a list, or its type is that of objects or of text."""
    dtype = getattr(X, "dtype", None)
    return dtype is None or getattr(dtype, "kind", "") in "OUT" or "str" in str(dtype)


def _is_list_of_words(item: Any) -> bool:
    return isinstance(item, list | tuple | np.ndarray) and len(item) > 0 and all(isinstance(word, str) for word in item)


def _numbers(estimator: Any, X: Any, *, fitted: bool) -> list[Array]:
    if isinstance(X, list | tuple) and X and not _is_regular(X):
        return [_sequence(i, item) for i, item in enumerate(X)]
    if getattr(X, "ndim", None) == 3 or (isinstance(X, list | tuple) and np.ndim(X) == 3):
        return list(check_array(X, dtype=np.float64, allow_nd=True))
    if getattr(getattr(X, "dtype", None), "kind", "") == "O" and np.ndim(X) == 1 and len(X) and np.ndim(next(iter(X))):
        return [_sequence(i, item) for i, item in enumerate(X)]
    table = validate_data(estimator, X, dtype=np.float64, reset=not fitted)
    return list(table[:, :, None])


def _is_regular(X: Any) -> bool:
    try:
        return np.asarray(X).dtype.kind in "biufc"
    except ValueError:
        return False


def _sequence(i: int, item: Any) -> Array:
    try:
        array = np.asarray(item, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"sequence {i} of X is neither numbers (T,) or (T, F), nor words") from None
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        raise ValueError(f"sequence {i} of X should be numbers (T,) or (T, F), got shape {np.shape(item)}")
    if not np.isfinite(array).all():
        raise ValueError(f"sequence {i} of X contains NaN or infinity")
    return array


def _check_features(estimator: Any, found: Numbers, *, fitted: bool) -> None:
    wanted = estimator.mean_.shape[0] if fitted else found.features
    for i, value in enumerate(found.values):
        if value.shape[1] != wanted:
            raise ValueError(f"sequence {i} of X has {value.shape[1]} features, expected {wanted}")


def learn_vocabulary(symbols: Symbols, tokens: Tokens, max_vocab: int | None) -> Vocabulary:
    """The symbols that occur, and "<unk>" for all others."""
    if tokens == "word" or any(not isinstance(value, str) for value in symbols.values):
        return Vocabulary.from_words((word for value in symbols.values for word in value), max_vocab)
    found = Vocabulary.from_text("".join(map(str, symbols.values)), "char", max_vocab)
    if found.unknown is not None:
        return found
    return Vocabulary((*found.symbols, UNKNOWN), "char", unknown=len(found))
