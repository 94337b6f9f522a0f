"""What a signal has broken off between two steps, to be made up before the next one when the run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minidl.training.callback import Run

MEASURED = ("record", "texts", "reports")


def note(trainer: Run, callback: str) -> None:
    """Keep which callback has left off, and what those before it have measured."""
    found: dict[str, Mapping[str, Any]] = {name: getattr(trainer, name) for name in MEASURED}
    # As pairs: a JSON object would not keep their order.
    pairs = {name: [list(item) for item in of.items()] for name, of in found.items()}
    trainer.progress.owed = {"callback": callback, **pairs, "previous_seconds": trainer.previous_seconds}


def take_up(trainer: Run) -> str:
    """The callback to begin with; the trainer gets back what the callbacks before it had measured."""
    owed, trainer.progress.owed = trainer.progress.owed, None
    assert owed is not None
    trainer.record, trainer.texts, trainer.reports = (dict(owed[name]) for name in MEASURED)
    trainer.previous_seconds = owed["previous_seconds"]
    return str(owed["callback"])
