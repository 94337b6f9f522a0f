"""One answer of a model: which entry of which step is asked about, its value, and where its gradient begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.explain.subject import Kind, Subject
from minidl.graph.arrays import Array
from minidl.system.errors import UsageError


@dataclass(frozen=True)
class Answer:
    """Entry `entry` of the output after step `step`; where a model answers once, for the whole sequence."""

    step: int
    entry: int

    def value(self, output: Array, kind: Kind) -> Array:
        """log p of the entry, or the number itself, for each copy: (B,)."""
        logits = self._row(output)
        if kind == "softmax":
            shifted = logits - logits.max(axis=-1, keepdims=True)
            logits = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        elif kind == "sigmoid":
            logits = -np.logaddexp(0, -logits)
        values: Array = logits[:, self.entry].copy()
        return values

    def seed(self, output: Array, kind: Kind) -> Array:
        """The gradient of that value for the output."""
        seed = np.zeros_like(output)
        row = self._row(seed)
        if kind == "softmax":
            row -= probabilities(self._row(output), kind)
            row[:, self.entry] += 1
        elif kind == "sigmoid":
            row[:, self.entry] = 1 - probabilities(self._row(output), kind)[:, self.entry]
        else:
            row[:, self.entry] = 1
        return seed

    def _row(self, output: Array) -> Array:
        return output[self.step] if output.ndim == 3 else output


def probabilities(logits: Array, kind: Kind) -> Array:
    """What a row of the output says: probabilities, or the numbers themselves."""
    if kind == "softmax":
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        normalised: Array = p / p.sum(axis=-1, keepdims=True)
        return normalised
    sigmoid: Array = 0.5 * np.tanh(0.5 * logits) + 0.5 if kind == "sigmoid" else logits
    return sigmoid


def asked(subject: Subject, sequence: Array, output: Array, step: int, entry: int | None = None) -> Answer:
    """The answer after a step, counted from the end where it is negative.

    entry: which entry; None for the symbol that came next, or else the most likely one.
    """
    if not -len(sequence) <= step < len(sequence):
        raise UsageError(f"there is no step {step}: the sequence has steps 0 to {len(sequence) - 1}")
    step %= len(sequence)
    if entry is None:
        logits = (output[step] if output.ndim == 3 else output)[0]
        comes = subject.predicts_next and step + 1 < len(sequence)
        entry = int(sequence[step + 1]) if comes else 0 if subject.kind == "numbers" else int(logits.argmax())
    return Answer(step, entry)
