"""Sampling: text from a language model, one symbol after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from minidl.declared import Declared
from minidl.errors import NumericsError, UsageError
from minidl.model import Model

Array = NDArray[Any]


@dataclass(frozen=True)
class Choice(Declared, family="choice", abstract=False):
    """How the next symbol is drawn from the logits.

        p = softmax(logits / temperature), over the top_k most likely, or the fewest that hold top_p of it

    temperature: 1 as trained, below 1 safer, 0 always the most likely.

    >>> rng = np.random.default_rng(0)
    >>> Choice(temperature=0).draw(np.array([0.1, 2.0, 0.3]), rng)
    1

    top_p: Holtzman et al. 2020, section 3.1.
    """

    temperature: Annotated[float, Ge(0)] = 1.0
    top_k: Annotated[int, Gt(0)] | None = None
    top_p: Annotated[float, Gt(0), Le(1)] | None = None

    def draw(self, logits: Array, rng: np.random.Generator) -> int:
        """The id of a symbol; NumericsError where the model has diverged."""
        largest = logits.max()
        if not math.isfinite(largest):
            raise NumericsError("the logits hold NaN or infinity: the model has diverged; take an older checkpoint")
        if self.temperature == 0:
            return int(logits.argmax())
        p = np.exp((logits - largest).astype(np.float64) / self.temperature)
        if self.top_k is not None or self.top_p is not None:
            p[~self._likely(p / p.sum())] = 0
        cumulative = np.cumsum(p)
        return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))

    def _likely(self, p: Array) -> Array:
        order = np.argsort(-p, kind="stable")
        keep = np.ones(len(p), bool)
        if self.top_k is not None:
            keep[self.top_k :] = False
        if self.top_p is not None:
            sums = np.cumsum(p[order])
            keep &= (sums - p[order]) < self.top_p  # up to and with the symbol that reaches top_p
        likely = np.zeros(len(p), bool)
        likely[order[keep]] = True
        return likely


def generate(
    model: Model,
    prime: Sequence[int] | NDArray[np.integer[Any]],
    choice: Choice,
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
    window = np.asarray(prime, dtype=np.int64)[:, None]
    while True:
        scores = model.forward(**{ids: window})[logits][-1, 0]
        symbol = choice.draw(scores, rng)
        yield symbol
        window = np.array([[symbol]])


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
    model: Model, *, prime: str = "\n", length: int = 200, choice: Choice | None = None, seed: int = 0
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
    symbols = generate(model.replica(), start, choice or Choice(), np.random.default_rng(seed))
    before = int(start[-1])
    for symbol in islice(symbols, length):
        # What joins two symbols (a space between words) belongs to the second.
        yield vocabulary.decode([before, symbol])[len(vocabulary.decode([before])) :]
        before = symbol
