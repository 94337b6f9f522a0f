"""How an experiment trains, against its model and its data: what could only fail in the middle of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minidl.config.findings import Finding
from minidl.data import Dataset
from minidl.experiment.build.sections import Train
from minidl.model import Model
from minidl.optim import Optimizer
from minidl.optim.groups import check_patterns
from minidl.optim.schedule_checks import schedule_mistakes
from minidl.system.errors import ConfigError


def training_mistakes(optimizer: Optimizer, train: Train, dataset: Dataset, model: Model) -> Iterator[Finding]:
    """Schedules that leave their range, groups of no parameter, settings that need validation where there is none."""
    has_validation = dataset.validation is not None
    total = train.total_steps(dataset.train.steps_per_epoch)
    yield from schedule_mistakes(optimizer, total, has_validation=has_validation, path=("optimizer",))
    for name in train.follow_validation if not has_validation else ():
        message = f"{name} looks at validation losses, and the data has no validation part: give data.split one"
        yield Finding(("train", name), message)
    if train.average_weights is not None and optimizer.evaluated is not None:
        message = f"{optimizer.type_name()} averages the weights itself: leave average_weights out"
        yield Finding(("train", "average_weights"), message)
    yield from _groups(optimizer, model)


def _groups(optimizer: Any, model: Model) -> Iterator[Finding]:
    try:
        check_patterns(optimizer.groups or {}, list(model.weights.undrawn))
    except ConfigError as error:
        yield from (Finding(("optimizer", *item.path), item.message) for item in error.mistakes)
