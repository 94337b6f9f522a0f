"""What guessing without a network achieves on the validation part, so that a loss means something to its reader."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence

import numpy as np

from minidl.data.batches import Array, Batches, Dataset
from minidl.data.independent import Part
from minidl.data.ngrams import NGrams
from minidl.data.streams import Streams
from minidl.data.tasks.documents import DocumentBatches
from minidl.system.errors import DataError

PIECE = 1 << 16  # bytes
_ORDERS = ("unigram", "bigram", "trigram", "4-gram", "5-gram")


def baselines(dataset: Dataset, goes_on: Callable[[], None] = lambda: None) -> dict[str, float]:
    """Nats per token on the validation text: uniform, unigram to 5-gram, kneser-ney, and for characters xz.

    All but uniform learn from the training text. kneser-ney is the strongest guess by counting, a 7-gram of
    characters or a 5-gram of words. xz is left out where Python was built without it. goes_on: called several times a
    second; what it raises breaks the work off.
    Raises DataError for data that is no text or has no validation part.
    """
    vocabulary = dataset.vocabulary
    train, validation = symbols_of(dataset.train), symbols_of(dataset.validation)
    if vocabulary is None or train is None or validation is None:
        raise DataError("baselines are for a text with a validation part: see the split of the data")
    if dataset.unit != "char":
        return _counted(train, validation, len(vocabulary), 5, goes_on)
    losses = _counted(train, validation, len(vocabulary), 7, goes_on)
    learnt, asked = vocabulary.decode(train), vocabulary.decode(validation)
    with contextlib.suppress(ImportError):
        both = _compressed(learnt + asked, goes_on)
        losses["xz"] = (both - _compressed(learnt, goes_on)) * 8 * math.log(2) / len(validation)
    return losses


def _counted(train: Array, validation: Array, depth: int, order: int, goes_on: Callable[[], None]) -> dict[str, float]:
    """What models of counts achieve; order: of the strongest."""
    grams = NGrams(train, validation, depth, order, goes_on)
    losses = {"uniform": math.log(depth)}
    for name, probability in zip(_ORDERS, grams.witten_bell(), strict=False):
        losses[name] = _nats(probability)
        goes_on()
    return losses | {"kneser-ney": _nats(grams.kneser_ney(order))}


def _nats(probability: Array) -> float:
    return float(-np.log(probability).mean())


def symbols_of(part: Batches | None) -> Array | None:
    """The ids of a text, or of documents one behind the other, each with its end; None of other data."""
    if isinstance(part, Streams):
        return part.ids()
    if isinstance(part, Part) and isinstance(part.examples, DocumentBatches):
        return np.concatenate([part.examples.sequences[i][1:] for i in part.chosen.tolist()])
    return None


def majority(train: Sequence[Array], validation: Sequence[Array]) -> dict[str, float]:
    """What two guesses achieve on the classes of the validation part; nothing where it is empty.

    majority: naming the most frequent class of training each time. With p its share, K the number of classes that
    occur, only that class has hits: macro_f1 = 2 p / (1 + p) / K. frequencies: answering with those of training; the
    loss in nats, left out where it is infinite, for a class of which training has none.

    >>> majority([np.array([0, 0, 0, 1])], [np.array([0, 1])])["accuracy/majority"]
    0.5
    """
    if not validation:
        return {}
    learnt, asked = np.concatenate(train), np.concatenate(validation)
    classes, counts = np.unique(learnt, return_counts=True)
    guess = int(classes[counts.argmax()])
    p = float(np.mean(asked == guess))
    occurring = len({guess, *asked.tolist()})
    return {
        "accuracy/majority": p,
        "macro_f1/majority": 2 * p / (1 + p) / occurring,
        **_frequencies(classes, counts / len(learnt), asked),
    }


def _frequencies(classes: Array, shares: Array, asked: Array) -> dict[str, float]:
    if not np.isin(asked, classes).all():
        return {}
    return {"loss/frequencies": float(-np.log(shares[np.searchsorted(classes, asked)]).mean())}


def mean_value(train: Array, validation: Array) -> dict[str, float]:
    """What answering with the mean of training achieves on numbers (..., K), each of the K with its own.

    >>> mean_value(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    {'mean_absolute_error/mean': 1.0, 'loss/mean': 2.0}
    """
    kept = tuple(range(train.ndim - 1)) if train.ndim > 2 else None
    with np.errstate(over="ignore"):
        return error_of(train.mean(axis=kept, dtype=np.float64), validation, "mean")


def error_of(guess: Array, targets: Array, name: str) -> dict[str, float]:
    """What a guess achieves on numbers (N, K); nothing where there are none.

    >>> error_of(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]]), "last_value")
    {'mean_absolute_error/last_value': 1.5, 'loss/last_value': 2.5}
    """
    if not targets.size:
        return {}
    error = targets - guess
    return {
        f"mean_absolute_error/{name}": float(np.abs(error).mean()),
        f"loss/{name}": float(np.square(error).mean()),
    }


def _compressed(text: str, goes_on: Callable[[], None]) -> int:
    """The bytes of a text under xz; ImportError where Python has no xz."""
    import lzma

    compressor, size, encoded = lzma.LZMACompressor(), 0, text.encode("utf-8", "surrogatepass")
    for start in range(0, len(encoded), PIECE):
        goes_on()
        size += len(compressor.compress(encoded[start : start + PIECE]))
    return size + len(compressor.flush())
