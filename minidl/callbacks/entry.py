"""What a step has measured as one JSON object, for metrics.jsonl and for machines that read along."""

from __future__ import annotations

import math
from typing import Any

from minidl.training.callback import Run


def entry(trainer: Run) -> dict[str, Any]:
    """step, epoch, seconds, then the measures by tag; JSON has no NaN and no infinity, null stands for them."""
    progress = trainer.progress
    place = {"step": progress.step, "epoch": round(trainer.epoch, 6), "seconds": round(progress.seconds, 3)}
    return place | {tag: value if math.isfinite(value) else None for tag, value in trainer.record.items()}
