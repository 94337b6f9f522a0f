"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge


@dataclass
class Progress:
    """How far a run has come; with weights, optimizer and generators, all that a resumed run needs.

    step: updates. seconds: of training. validation: every loss on the validation part; best: the lowest, found after
    best_step updates. skipped: steps left out for NaN or infinity. averaged: steps in a mean of weights. done: the
    end was reached and measured. owed: what a signal has broken off at this step (the callback that is to be called
    again, and what was measured before it).
    """

    step: Annotated[int, Ge(0)] = 0
    seconds: float = 0.0
    validation: list[float] = field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    skipped: int = 0
    averaged: Annotated[int, Ge(0)] = 0
    done: bool = False
    owed: dict[str, Any] | None = None
