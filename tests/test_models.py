"""Every shipped experiment and every model file, trained for a few steps and its gradients proved."""

from __future__ import annotations

import json
import math
import os
import sys
from functools import cache
from pathlib import Path

import pytest

from minidl.cli.check import few
from minidl.experiment import read_experiment, train
from minidl.experiment.build.model_file import load_builder
from minidl.experiment.run.load_model import load_trained
from minidl.storage.run_folder import model_file
from minidl.testing.gradcheck import gradcheck

ROOT = Path(__file__).parent.parent
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
MODELS = {path.stem for path in (ROOT / "models").glob("*.py")}
BRIEFLY = [
    "train.steps=3",
    "train.evaluate_every=null",
    "train.early_stop=null",
    "log={every: {steps: 1}, tensorboard: false}",
    "sample.length=10",
]


as_shipped = cache(read_experiment)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_trains(path: Path, tmp_path: Path) -> None:
    experiment = read_experiment(path, BRIEFLY)
    assert experiment.name == path.stem
    if experiment.init_from is not None:
        first = path.with_stem(str(experiment.init_from.run))
        train(read_experiment(first, BRIEFLY), first, tmp_path)
    outcome = train(experiment, path, tmp_path)
    assert (outcome.state, outcome.exit_code) == ("done", 0)
    records = [json.loads(line) for line in (outcome.run / "metrics.jsonl").read_text().splitlines()]
    losses = [record["train/loss"] for record in records if "train/loss" in record]
    assert len(losses) == 3
    assert all(map(math.isfinite, losses))
    again = load_trained(model_file(path.stem, tmp_path)).model
    assert again.parameters.keys() == experiment.model.parameters.keys()


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_gradients_of_an_experiment_are_right(path: Path) -> None:
    experiment = as_shipped(path)
    checks = gradcheck(experiment.model, few(experiment.dataset), probes=1)
    assert {check.array for check in checks} >= set(experiment.model.parameters)
    assert all(check.passed for check in checks), checks


def test_every_model_file_trains(tmp_path: Path) -> None:
    """In an experiment of its own; those that no shipped one uses, in the place of layers that are written out."""
    builders = (as_shipped(path).builder for path in EXPERIMENTS)
    used = {builder.stem for builder in builders if builder is not None}
    path = ROOT / "experiments" / "char_lstm.yaml"
    for name in sorted(MODELS - used):
        experiment = read_experiment(path, [*BRIEFLY, f"model={{type: {name}}}"])
        assert experiment.builder is not None
        assert train(experiment, path, tmp_path).state == "done"
        assert all(check.passed for check in gradcheck(experiment.model, few(experiment.dataset), probes=1))
        used.add(experiment.builder.stem)
    assert used == MODELS


def test_a_model_file_is_read_anew_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "counted.py"
    for number in (1, 2):
        path.write_text(f"def build() -> int:\n    return {number}\n")
        os.utime(path, (0, 0))
        assert load_builder(path).build() == number
    assert list(tmp_path.iterdir()) == [path]
