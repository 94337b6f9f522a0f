"""Baselines: what guessing without a network achieves, as flat lines beside the curves of validation."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minidl.data import baselines
from minidl.data.baselines import symbols_of
from minidl.data.batches import Dataset
from minidl.training.callback import Abandoned, Callback, Run
from minidl.training.metrics import in_units

logger = logging.getLogger("minidl")
LONGEST = 2_000_000  # symbols of a text whose n-grams are counted and that is compressed in about three seconds


@dataclass(eq=False)
class Baselines(Callback):
    """Records val_baseline/MEASURE/NAME with each validation, and at the end.

    Of a text: uniform, unigram to 5-gram, kneser-ney and xz, in nats and as bits a character or perplexity a word. They
    are computed once a run, with the first validation, so that training begins at once; a resumed run knows them from
    its checkpoint. Of other data: what its data set brings, before the first step as well.
    """

    order = Callback.MEASURE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._values: dict[str, float] | None = None

    def start(self, trainer: Run) -> None:
        """Tell what the data brings, unless the run was begun before."""
        if self._values is None and trainer.progress.step == 0 and _symbols(trainer.data) is None:
            self.act(trainer)

    def step(self, trainer: Run) -> None:
        """Go on with the lines as far as the curves of validation."""
        if "val/loss" in trainer.record:
            self._act(trainer)

    def act(self, trainer: Run) -> None:
        """Put them into the record of this step."""
        if self._values is None:
            self._values = {f"val_baseline/{name}": value for name, value in _measured(trainer).items()}
        trainer.record |= self._values

    def state_dict(self) -> dict[str, Any]:
        """The values of all baselines, as pairs: a JSON object would not keep their order."""
        return {"values": None if self._values is None else list(self._values.items())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take them over."""
        self._values = None if state["values"] is None else dict(state["values"])


def _measured(trainer: Run) -> dict[str, float]:
    def goes_on() -> None:
        if trainer.hurried:
            raise Abandoned

    data, symbols = trainer.data, _symbols(trainer.data)
    if symbols is None:
        return data.baselines
    if symbols > LONGEST:
        logger.info("the text is too long for n-grams and xz to be computed in the course of a run: no baselines")
        return {}
    try:
        losses = baselines(data, goes_on)
    except MemoryError:  # training needs less, and goes on
        logger.warning("there is no memory for n-grams and xz: no baselines")
        return {}
    values = {name: {"loss": loss, **in_units(loss, data.unit)} for name, loss in losses.items()}
    return {f"{unit}/{name}": value for name, units in values.items() for unit, value in units.items()}


def _symbols(data: Dataset) -> int | None:
    """How long a text is, training and validation together; None where it is no text, or has no validation part."""
    parts = [symbols_of(part) for part in (data.train, data.validation)]
    lengths = [len(part) for part in parts if part is not None]
    return sum(lengths) if data.vocabulary is not None and len(lengths) == len(parts) else None
