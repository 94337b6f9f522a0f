"""Experiment files: from YAML to a model, data and a run. Nothing else in minidl knows YAML."""

from minidl.experiment.experiment import Experiment
from minidl.experiment.loading import read_experiment
from minidl.experiment.session import Outcome, resume, train

__all__ = ["Experiment", "Outcome", "read_experiment", "resume", "train"]
