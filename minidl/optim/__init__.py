"""Optimizers, one family a file, and schedules for their hyperparameters."""

from minidl.optim.adagrad import Adagrad
from minidl.optim.adam import Adam, AdamW
from minidl.optim.lion import Lion
from minidl.optim.muon import Muon
from minidl.optim.nadam import NAdam
from minidl.optim.optimizer import Optimizer
from minidl.optim.radam import RAdam
from minidl.optim.rmsprop import RMSprop
from minidl.optim.schedule_free import ScheduleFree
from minidl.optim.schedules import (
    Clock,
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    OneCycle,
    Piecewise,
    Plateau,
    Polynomial,
    Restarts,
    Schedule,
    Sequence,
    Step,
    Warmup,
)
from minidl.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Clock",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseSqrt",
    "Linear",
    "Lion",
    "Muon",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "Piecewise",
    "Plateau",
    "Polynomial",
    "RAdam",
    "RMSprop",
    "Restarts",
    "Schedule",
    "ScheduleFree",
    "Sequence",
    "Step",
    "Warmup",
]
