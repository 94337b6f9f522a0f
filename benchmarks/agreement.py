"""Speeds are compared only between peers that compute the same numbers."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.contestants import Contestant

STEPS = 5
TOLERANCE = 1e-5  # relative; float32 rounds at 6e-8, and each step's rounding is carried into the next by the weights


class Disagreement(Exception):
    """Two peers whose losses differ after the same steps from the same weights."""


def check(losses: Mapping[Contestant, list[float]]) -> float:
    """The largest relative difference from the first peer's losses; raises Disagreement above the tolerance.

    >>> round(check({Contestant("a"): [2.0], Contestant("b"): [2.00001]}), 8)
    5e-06
    """
    (first, reference), *others = losses.items()
    worst = 0.0
    for contestant, found in others:
        for step, (theirs, ours) in enumerate(zip(found, reference, strict=True), start=1):
            difference = abs(theirs - ours) / abs(ours)
            if not difference <= TOLERANCE:
                raise Disagreement(
                    f"step {step}: {first} has the loss {ours:.7g}, {contestant} {theirs:.7g}; they differ by "
                    f"{difference:.1e}, and {TOLERANCE:.0e} is allowed: they do not compute the same"
                )
            worst = max(worst, difference)
    return worst
