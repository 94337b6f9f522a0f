"""Sweeps: many runs of one experiment, with values from ranges that Optuna chooses. Nothing else in minidl knows it."""

from minidl.experiment.sweep.search import Search
from minidl.experiment.sweep.study import Study
from minidl.experiment.sweep.sweep import Sweep, open_study, read_sweep, take_part
from minidl.experiment.sweep.sweep_results import Result, results

__all__ = ["Result", "Search", "Study", "Sweep", "open_study", "read_sweep", "results", "take_part"]
