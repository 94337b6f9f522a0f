"""Numbers that change over the steps of a run: learning rates, and any other hyperparameter of an optimizer."""

from minidl.optim.schedules.compose import Sequence, Warmup
from minidl.optim.schedules.cosine import Cosine, OneCycle, Restarts
from minidl.optim.schedules.decay import Constant, Exponential, InverseSqrt, Linear, Piecewise, Polynomial, Step
from minidl.optim.schedules.plateau import Plateau
from minidl.optim.schedules.schedule import (
    Clock,
    Decay,
    Hyper,
    NonNegative,
    Positive,
    PositiveHyper,
    Schedule,
    Steps,
    at,
    current,
    scheduled,
)

__all__ = [
    "Clock",
    "Constant",
    "Cosine",
    "Decay",
    "Exponential",
    "Hyper",
    "InverseSqrt",
    "Linear",
    "NonNegative",
    "OneCycle",
    "Piecewise",
    "Plateau",
    "Polynomial",
    "Positive",
    "PositiveHyper",
    "Restarts",
    "Schedule",
    "Sequence",
    "Step",
    "Steps",
    "Warmup",
    "at",
    "current",
    "scheduled",
]
