"""Sampling: text from a language model, one symbol after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine.dispatch import implementation
from minidl.generate.sampler import Sampler
from minidl.model import Model
from minidl.system.errors import UsageError


def generate(
    model: Model,
    prime: Sequence[int] | NDArray[np.integer[Any]],
    sampler: Sampler,
    rng: np.random.Generator,
    output: str | None = None,
) -> Iterator[int]:
    """Symbols without an end, each drawn after those before it: after `prime`, and after its own.

    model: a replica of a model from ids (T, B) to logits (T, B, V); its state starts at zero. output: which of its
    outputs are the logits, if it has several.
    """
    ids, logits = _ends(model, output)
    if len(prime) == 0:
        raise UsageError("sampling starts from at least one symbol: give a prime text")
    model.reset_state()
    draw = partial(implementation(type(sampler), "draw", model.weights.flat.dtype), sampler)
    symbol = draw(model.forward(**{ids: np.asarray(prime, dtype=np.int64)[:, None]})[logits][-1, 0], rng)
    yield symbol
    scores = model.forward(**{ids: np.array([[symbol]])})[logits][0, 0]
    window = model.executor.input(ids)
    while True:
        symbol = draw(scores, rng)
        yield symbol
        window[0, 0] = symbol
        model.executor.rerun()


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
    model: Model, *, prime: str = "\n", length: int = 200, sampler: Sampler | None = None, seed: int = 0
) -> Iterator[str]:
    """Pieces of text as they are drawn, `length` symbols in all; the prime is not repeated.

    The model itself is left alone. A symbol of the prime that the vocabulary does not know is left out, or read as
    the unknown word.
    """
    if model.vocabulary is None:
        raise UsageError("this model has no vocabulary, so that it cannot write text")
    vocabulary = model.vocabulary
    ids = vocabulary.encode(prime, unknown="skip")
    start = ids if len(ids) else np.zeros(1, np.int64)
    symbols = generate(model.replica(), start, sampler or Sampler(), np.random.default_rng(seed))
    before = int(start[-1])
    for _, symbol in zip(range(length), symbols, strict=False):
        # What joins two symbols (a space between words) belongs to the second.
        yield vocabulary.decode([before, symbol])[len(vocabulary.decode([before])) :]
        before = symbol
