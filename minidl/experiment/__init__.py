"""Experiment files: from YAML to a model, data and a run. Nothing else in minidl knows YAML."""

from minidl.experiment.build.experiment import Experiment
from minidl.experiment.build.read_experiment import read_experiment
from minidl.experiment.run.session import Outcome, resume, train

__all__ = ["Experiment", "Outcome", "read_experiment", "resume", "train"]
