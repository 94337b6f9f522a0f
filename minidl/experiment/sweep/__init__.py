"""Sweeps: many runs of one experiment, with values from ranges that Optuna chooses. Nothing else in minidl knows it."""

from minidl.experiment.sweep.journal import Journal
from minidl.experiment.sweep.results import Result, results
from minidl.experiment.sweep.sweep import Sweep, read_sweep, take_part

__all__ = ["Journal", "Result", "Sweep", "read_sweep", "results", "take_part"]
