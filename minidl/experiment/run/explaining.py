"""One answer of a trained model explained: what each step adds, and how far back the gradient reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from minidl.explain import Attribution, Subject, by_lag, influence, integrated_gradients
from minidl.explain.embedded import Embedded
from minidl.explain.spelling import spelt
from minidl.graph.arrays import Array


@dataclass(frozen=True)
class Explanation:
    """What was read, what each step adds to the answer, and the influence by lag."""

    subject: Subject
    sequence: Array
    attribution: Attribution
    gradient_times_input: Array
    lags: Array

    @cached_property
    def shown(self) -> list[str]:
        """What stands for each step: the symbol, or the row of a series in its own units."""
        if self.subject.tokens is not None:
            return [spelt(self.subject.vocabulary.symbols[i]) for i in self.sequence]
        return [", ".join(f"{value:.4g}" for value in row) for row in self.subject.in_units(self.sequence)]

    @property
    def name(self) -> str:
        """The name of the answer: a symbol, a class or a column."""
        return self.subject.names[self.attribution.answer.entry]

    def headline(self) -> str:
        """The answer, what it would be if nothing were read, and what the parts sum to."""
        found = self.attribution
        if self.subject.kind == "numbers":
            value, empty, unit = f"{found.value:+.4f}", f"{found.empty:+.4f}", "standard deviations"
        else:
            value, empty, unit = f"p = {math.exp(found.value):.4f}", f"p = {math.exp(found.empty):.4f}", "nats"
        whole = f"parts sum to {found.parts.sum():+.4f} {unit} (off by {found.error:.0e})"
        return f"{spelt(self.name)} after step {found.answer.step}: {value}; reading nothing: {empty}; {whole}"

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        found = self.attribution
        steps = zip(self.shown, found.parts.tolist(), self.gradient_times_input.tolist(), strict=True)
        return {
            "answer": self.name,
            "step": found.answer.step,
            "kind": self.subject.kind,
            "value": found.value,
            "reading_nothing": found.empty,
            "error": found.error,
            "steps": [
                {"step": t, "symbol": symbol, "attribution": part, "gradient_times_input": product}
                for t, (symbol, part, product) in enumerate(steps)
            ],
            "influence_by_lag": self.lags.tolist(),
        }

    def save_picture(self, path: Path) -> None:
        """Write it as a picture, in the format that the name ends with."""
        from minidl.explain.figures import plot_parts, save

        save(plot_parts(self.shown, self.attribution.parts, self.lags, self.headline()), path)


def explain(subject: Subject, sequence: Array, step: int = -1, entry: int | None = None) -> Explanation:
    """Explain the answer after a step."""
    embedded = Embedded.of(subject)
    found = integrated_gradients(embedded, sequence, step, entry)
    products = influence(embedded, sequence, [found.answer])[:, 0]
    return Explanation(subject, np.asarray(sequence), found, products, by_lag(embedded, sequence))
