"""Sampling: text from a language model, one symbol after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.tasks.documents import DocumentsReader
from minidl.data.tasks.reader import Reader
from minidl.data.vocabulary import Vocabulary
from minidl.engine.dispatch import implementation
from minidl.generate.sampler import Sampler
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.system.errors import UsageError, expect


def generate(
    model: Model,
    prime: Sequence[int] | NDArray[np.integer[Any]],
    sampler: Sampler,
    rng: np.random.Generator,
    output: str | None = None,
    *,
    never: Sequence[int] = (),
) -> Iterator[int]:
    """Symbols without an end, each drawn after those before it: after `prime`, and after its own.

    model: a replica of a model from ids (T, B) to logits (T, B, V); its state starts at zero. output: which of its
    outputs are the logits, if it has several. never: symbols that are not drawn.
    """
    ids, logits = _ends(model, output)
    if len(prime) == 0:
        raise UsageError("sampling starts from at least one symbol: give a prime text")
    model.reset_state()
    known = model.graph.inputs[ids].depth  # a model may have more outputs than there are symbols
    scores = model.forward(**{ids: np.asarray(prime, dtype=np.int64)[:, None]})[logits][-1, 0, :known]
    written = np.zeros(len(scores), bool)
    draw = _draws(sampler, scores, rng, never, written)
    symbol = draw()
    yield symbol
    draw = _draws(sampler, model.forward(**{ids: np.array([[symbol]])})[logits][0, 0, :known], rng, never, written)
    window, step = model.executor.input(ids)[0], model.executor.rerun
    while True:
        symbol = draw()
        yield symbol
        window[0] = symbol
        step()


def _draws(
    sampler: Sampler, scores: Array, rng: np.random.Generator, never: Sequence[int], written: NDArray[np.bool_]
) -> Callable[[], int]:
    """What draws a symbol from what the model has left in `scores`, and notes it in `written`."""
    as_they_are = not never and sampler.repetition_penalty == 1
    changed = scores if as_they_are else np.empty_like(scores)
    draw: Callable[[], int] = implementation(type(sampler), "draws", scores.dtype)(sampler, changed, rng)
    if as_they_are:
        return draw

    def call() -> int:
        changed[...] = sampler.penalised(without(scores, never), written)
        symbol = draw()
        written[symbol] = True
        return symbol

    return call


def without(scores: Array, never: Sequence[int]) -> Array:
    """Logits (..., V) by which some symbols are not drawn."""
    if not never:
        return scores
    scores = scores.copy()
    scores[..., list(never)] = -np.inf
    return scores


def _ends(model: Model, output: str | None) -> tuple[str, str]:
    ids = [name for name, node in model.graph.inputs.items() if node.dtype == "int" and name != "targets"]
    outputs = [name for name in model.graph.results if name != "loss"]
    if len(ids) != 1 or (output is None and len(outputs) != 1):
        raise UsageError(
            f"sampling needs a model from one input of ids to logits; this one has inputs {list(model.graph.inputs)} "
            f"and outputs {outputs}"
        )
    return ids[0], output or outputs[0]


def sample_text(
    model: Model,
    *,
    prime: str = "\n",
    length: int = 200,
    sampler: Sampler | None = None,
    seed: int = 0,
    stop: Sequence[str] = (),
) -> Iterator[str]:
    """Pieces of text as they are drawn, `length` symbols in all; the prime is not repeated.

    The model itself is left alone. A symbol of the prime that the vocabulary does not know is left out, or read as
    the unknown word. stop: strings before which the text ends; what may be the beginning of one is held back. A model
    of documents ends its texts by itself.
    """
    vocabulary, start, ends = _start(model, prime)
    rng = np.random.default_rng(seed)
    symbols = generate(model.replica(), start, sampler or Sampler(), rng, never=ends[:1])
    drawn = itertools.takewhile(lambda symbol: symbol not in ends, itertools.islice(symbols, length))
    yield from until(stop, _pieces(vocabulary, int(start[-1]), drawn))


def sample_texts(
    model: Model,
    count: int,
    *,
    prime: str = "\n",
    length: int = 200,
    sampler: Sampler | None = None,
    seed: int = 0,
    stop: Sequence[str] = (),
) -> list[str]:
    """`count` texts that are drawn side by side, in one batch; otherwise as `sample_text`."""
    vocabulary, start, ends = _start(model, prime)
    replica, sampler, rngs = model.replica(), sampler or Sampler(), np.random.default_rng(seed).spawn(count)
    ids, logits = _ends(replica, None)
    replica.reset_state()
    given = np.repeat(np.asarray(start, np.int64)[:, None], count, axis=1)
    columns: list[Array] = []
    written: NDArray[np.bool_] | None = None
    ended = np.zeros(count, bool)
    while len(columns) < length and not ended.all():
        scores = without(replica.forward(**{ids: given})[logits][-1, :, : len(vocabulary)], ends[:1])
        written = np.zeros(scores.shape, bool) if written is None else written
        drawn = [sampler.draw(sampler.penalised(*row), rng) for *row, rng in zip(scores, written, rngs, strict=True)]
        given = np.array([drawn])
        written[np.arange(count), drawn] = True
        columns.append(given[0])
        ended |= np.isin(given[0], ends)
    texts = [itertools.takewhile(lambda symbol: symbol not in ends, text) for text in np.array(columns).T.tolist()]
    return ["".join(until(stop, _pieces(vocabulary, int(start[-1]), text))) for text in texts]


def _start(model: Model, prime: str) -> tuple[Vocabulary, Array, tuple[int, ...]]:
    """The vocabulary, the ids that a text goes on from, and those of start and end, if it is a document."""
    expect(Model, model, "text is written by a Model")
    if model.vocabulary is None:
        raise UsageError("this model has no vocabulary, so that it cannot write text")
    ends = ends_of(model)
    ids = model.vocabulary.encode(prime.removeprefix("\n") if ends else prime, unknown="skip")
    if ends:
        return model.vocabulary, np.concatenate([ends[:1], ids]), ends
    return model.vocabulary, ids if len(ids) else np.zeros(1, np.int64), ()


def ends_of(model: Model) -> tuple[int, ...]:
    """The ids by which a model of documents begins and ends a text; none of another model."""
    if "reader" not in model.metadata:
        return ()
    reader = Reader.load(model.metadata, model.vocabulary)
    return reader.ends if isinstance(reader, DocumentsReader) else ()


def _pieces(vocabulary: Vocabulary, before: int, symbols: Iterable[int]) -> Iterator[str]:
    """The text of each symbol; what joins two of them, a space between words, belongs to the second."""
    for symbol in symbols:
        yield vocabulary.decode([before, symbol])[len(vocabulary.decode([before])) :]
        before = symbol


def until(stop: Sequence[str], pieces: Iterable[str]) -> Iterator[str]:
    """The pieces up to one of some strings, the first that is complete, which is left out.

    >>> list(until(["END"], ["a", "E", "b", "EN", "D", "c"]))
    ['a', 'Eb']
    """
    held = ""
    for piece in pieces:
        held += piece
        found = [(held.find(string) + len(string), held.find(string)) for string in stop if string in held]
        if found:
            held = held[: min(found)[1]]
            break
        kept = max((n for string in stop for n in range(1, len(string)) if held.endswith(string[:n])), default=0)
        if len(held) > kept:
            yield held[: len(held) - kept]
            held = held[len(held) - kept :]
    if held:
        yield held
