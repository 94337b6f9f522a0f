"""Optimizers, and schedules for their hyperparameters."""

from minidl.optim.optimizers import SGD, Adam, Optimizer, RMSprop
from minidl.optim.schedules import Clock, Constant, Cosine, Exponential, Plateau, Schedule, Step, Warmup

__all__ = [
    "SGD",
    "Adam",
    "Clock",
    "Constant",
    "Cosine",
    "Exponential",
    "Optimizer",
    "Plateau",
    "RMSprop",
    "Schedule",
    "Step",
    "Warmup",
]
