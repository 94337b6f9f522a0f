"""How the next symbol of a sequence is chosen: drawn from the softmax of the logits, or the most likely one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from minidl.config.declared import Declared
from minidl.graph.arrays import Array
from minidl.system.errors import NumericsError


@dataclass(frozen=True)
class Sampler(Declared, family="sampler", abstract=False):
    """How the next symbol is drawn from the logits.

        p = softmax(logits / temperature), over the top_k most likely, or the fewest that hold top_p of it, or those
        that are at least min_p times as likely as the most likely one

    temperature: 1 as trained, below 1 safer, 0 always the most likely. repetition_penalty: θ, above 1 symbols that
    were written before become less likely: their logits v are v / θ above 0, and v θ below.

    >>> rng = np.random.default_rng(0)
    >>> Sampler(temperature=0).draw(np.array([0.1, 2.0, 0.3]), rng)
    1

    top_p: Holtzman et al. 2020, section 3.1; min_p: Nguyen et al. 2024, section 3; repetition: Keskar et al. 2019,
    section 4.1.
    """

    temperature: Annotated[float, Ge(0)] = 1.0
    top_k: Annotated[int, Gt(0)] | None = None
    top_p: Annotated[float, Gt(0), Le(1)] | None = None
    min_p: Annotated[float, Gt(0), Le(1)] | None = None
    repetition_penalty: Annotated[float, Ge(1)] = 1.0

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
        if self.min_p is not None:
            p[p < self.min_p] = 0  # the most likely one has 1
        cumulative = np.cumsum(p)
        return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))

    def draws(self, logits: Array, rng: np.random.Generator) -> Callable[[], int]:
        """What draws the id of a symbol at each call, from what the logits then hold."""
        return partial(self.draw, logits, rng)

    def penalised(self, logits: Array, written: Array) -> Array:
        """The logits after symbols that were written before, (V,) of bool, have become less likely."""
        if self.repetition_penalty == 1:
            return logits
        less = np.where(logits > 0, logits / self.repetition_penalty, logits * self.repetition_penalty)
        return np.where(written, less, logits)

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
