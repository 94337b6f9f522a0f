"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge


@dataclass
class Progress:
    """How far a run has come; with weights, optimizer and generators, all that a resumed run needs.

    step: updates. seconds: of training. validation: every loss on the validation part; best: the lowest, found after
    best_step updates. skipped: steps left out for NaN or infinity. done: the end was reached and measured.
    """

    step: Annotated[int, Ge(0)] = 0
    seconds: float = 0.0
    validation: list[float] = field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    skipped: int = 0
    done: bool = False
