"""Experiments on tables that are drawn: their data is always the same, and a few steps already learn."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from minidl.data.sources import generated
from minidl.experiment import read_experiment

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
NAMES = ("classify_messages", "classify_sensors", "forecast_demand", "tag_entities")


@pytest.mark.parametrize("table", [generated.messages, generated.sensors, generated.demand, generated.entities])
def test_a_drawn_table_is_always_the_same(table: object) -> None:
    first, second = (hashlib.sha256(table().encode()).hexdigest() for _ in range(2))  # type: ignore[operator]
    assert first == second


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_on_a_drawn_table_is_sound(name: str) -> None:
    experiment = read_experiment(EXPERIMENTS / f"{name}.yaml")
    experiment.model.forward(**experiment.dataset.train.batch(0).inputs)
    experiment.model.backward()
    assert experiment.dataset.baselines
    assert experiment.dataset.reader is not None
