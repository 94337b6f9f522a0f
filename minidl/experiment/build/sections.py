"""The sections of an experiment file that are minidl's own; layers, optimizers and data declare themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, Field

from minidl.callbacks.sample import Temperature
from minidl.config.declared import Declared
from minidl.engine.threads import MOST
from minidl.system.errors import ConfigError
from minidl.training.average import NonMonotonic
from minidl.training.callback import Every

EVERY_EPOCH, EVERY_MINUTE, EVERY_50_STEPS = Every(epochs=1), Every(minutes=1), Every(steps=50)
MOST_EPOCHS, MOST_STEPS, MOST_MINUTES = 1e9, 10**15, 1e8  # centuries: what is larger is a slip
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # of experiments and nodes: part of a path, and of names such as lstm/Wx


def _of_today(kernels: object) -> object:
    """The kernels of the first release were numba's, in files that may be used again."""
    return "auto" if kernels == "numba" else kernels


@dataclass(frozen=True)
class Header(Declared, family="header", abstract=False):
    """What stands above the sections.

    name: of the experiment; runs lie in runs/NAME. seed: of first weights, dropout and samples. dtype: of all weights
    and activations. kernels: what computes; auto: c, where minidl was installed with a compiler. threads: how many
    compute; auto: as many as are fastest in a few steps.
    """

    name: Annotated[str, Field(pattern=NAME)]
    seed: Annotated[int, Ge(0)] = 0
    dtype: Literal["float32", "float64"] = "float32"
    kernels: Annotated[Literal["auto", "numpy", "c"], BeforeValidator(_of_today)] = "auto"
    threads: Literal["auto"] | Annotated[int, Gt(0), Le(MOST)] = "auto"


@dataclass(frozen=True)
class Patience(Declared, family="early_stop", abstract=False):
    """When a run that no longer gets better ends.

    patience: evaluations in a row without a better validation loss. min_delta: by how much it has to be better.
    """

    patience: Annotated[int, Gt(0)] = 3
    min_delta: Annotated[float, Ge(0)] = 0.0


@dataclass(frozen=True)
class Train(Declared, family="train", abstract=False):
    """How long to train, and what happens on the way.

    epochs, steps, minutes: when to stop; the first that is reached. state: carry or zero what recurrent layers hold
    from window to window. evaluate_every: how often the validation part is measured. checkpoint_every: how often
    the run is saved. sample_every: how often a language model writes a text. early_stop: when a run that no longer
    gets better ends. accumulate: batches whose gradients are added up for one step. average_weights: how much of a
    moving average of the weights each step keeps, as 0.999, or {patience: 5}, for a mean that begins where validation
    stops to improve; the average is evaluated and saved. non_finite: stop at NaN or infinity, or skip that step.
    """

    epochs: Annotated[float, Gt(0), Le(MOST_EPOCHS)] | None = None
    steps: Annotated[int, Gt(0), Le(MOST_STEPS)] | None = None
    minutes: Annotated[float, Gt(0), Le(MOST_MINUTES)] | None = None
    state: Literal["carry", "zero"] = "carry"
    evaluate_every: Every | None = EVERY_EPOCH
    checkpoint_every: Every | None = EVERY_MINUTE
    sample_every: Every | None = EVERY_EPOCH
    early_stop: Patience | None = None
    accumulate: Annotated[int, Gt(0)] = 1
    average_weights: Annotated[float, Gt(0), Lt(1)] | NonMonotonic | None = None
    non_finite: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is None and self.steps is None and self.minutes is None:
            raise ConfigError("say when training ends: epochs, steps or minutes")
        for name in self.follow_validation:
            if self.evaluate_every is None:
                raise ConfigError(f"{name} looks at evaluations: it needs evaluate_every")

    @property
    def follow_validation(self) -> list[str]:
        """Which of these settings look at validation losses."""
        settings = {"early_stop": self.early_stop, "average_weights": self.average_weights}
        return [name for name, value in settings.items() if isinstance(value, Patience | NonMonotonic)]

    def total_steps(self, batches: int) -> int | None:
        """The updates of the whole run, for so many batches an epoch; None where time alone decides."""
        return min(self.limits(batches).values(), default=None)

    def limits(self, batches: int) -> dict[str, int]:
        """The updates after which `steps` and `epochs` end a run, those of them that are given."""
        by_epochs = None if self.epochs is None else math.ceil(self.epochs * batches / self.accumulate)
        return {name: limit for name, limit in (("steps", self.steps), ("epochs", by_epochs)) if limit is not None}


@dataclass(frozen=True)
class Log(Declared, family="log", abstract=False):
    """How often training is measured, and whether TensorBoard is written.

    every: how often train/* is recorded. histograms_every: how often weights, gradients, activations and gates are, as
    histograms and pictures. tensorboard: whether to write its files.
    """

    every: Every = EVERY_50_STEPS
    histograms_every: Every | None = EVERY_EPOCH
    tensorboard: bool = True


@dataclass(frozen=True)
class Samples(Declared, family="sample", abstract=False):
    """The texts that a language model writes on the way.

    length: symbols of a text. temperatures: how daring each text is. prime: what it goes on from, shown unless it
    is white space.
    """

    length: Annotated[int, Gt(0)] = 200
    temperatures: tuple[Temperature, ...] = (0.5, 0.8, 1.0)
    prime: str = "\n"


@dataclass(frozen=True)
class Several(Declared, family="processes", abstract=False):
    """How the processes of a run that mpiexec has started work together.

    average_every: how often they average their weights, each having trained with its own gradients; without it, they
    add up their gradients in every step. timeout: seconds after which a process without a sign of life counts as
    stopped, and all end.
    """

    average_every: Every | None = None
    timeout: Annotated[float, Ge(1)] = 60.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.average_every is not None and self.average_every.steps is None:
            raise ConfigError("the processes have to do the same at the same step: average_every is {steps: N}")
