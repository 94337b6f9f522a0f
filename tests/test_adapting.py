"""A model that learns while it reads: strictly after it was measured, on a copy, and better for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from runs import minidl_run, write_experiment

from minidl import Input, Model
from minidl.cli.main import main
from minidl.data import evaluation_streams
from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE
from minidl.system.errors import UsageError
from minidl.training.adapting import Adaptation, AdaptingModel, evaluate_adapting, gradient_scale, tune

V = 5
RULES = [Adaptation("sgd", lr=0.5, decay=0.01), Adaptation("rms", lr=0.01)]


def char_model(seed: int = 0) -> Model:
    ids, targets = (Input(name, dtype="int", depth=V) for name in ("ids", "targets"))
    logits = Dense(V, name="logits")(LSTM(6)(OneHot()(ids)))
    return Model(SoftmaxCE()(logits, targets), outputs={"logits": logits}, seed=seed)


def text(n: int = 4000) -> np.ndarray:
    return np.tile([0, 1, 2, 3, 4, 3, 2, 1], n // 8)


@pytest.mark.parametrize("adaptation", RULES, ids=str)
def test_what_repeats_itself_is_learnt_and_the_model_is_left_alone(adaptation: Adaptation) -> None:
    model, part = char_model(), evaluation_streams(text(), 1, 20)
    weights = model.weights.flat.copy()
    scale = gradient_scale(model, part)
    found = evaluate_adapting(model, part, adaptation, split="val", unit="char", scale=scale)
    assert found["val_adapted/loss"] < 0.9 * np.log(V)
    assert (model.weights.flat == weights).all()


@pytest.mark.parametrize("adaptation", RULES, ids=str)
def test_a_window_is_counted_before_it_is_learnt_from(adaptation: Adaptation) -> None:
    """What comes later changes no loss that was counted before: the loss of each window depends on its past alone."""
    model = char_model()
    one, other = text(), text()
    other[200:] = 4
    losses = []
    for ids in (one, other):
        reader = AdaptingModel(model, adaptation)
        losses.append([reader.read(ids[a : a + 20, None], ids[a + 1 : a + 21, None]) for a in range(0, 360, 20)])
    assert losses[0][:9] == losses[1][:9]
    assert losses[0][10] != losses[1][10]


def test_the_rule_is_that_of_the_paper() -> None:
    """One step by hand, in float64."""
    model = char_model().replica(dtype="float64")
    adaptation = Adaptation("rms", lr=0.01, decay=0.1, clip_norm=1e9)
    scale = np.random.default_rng(0).uniform(0.1, 1, model.weights.flat.size)
    reader, ids = AdaptingModel(model, adaptation, scale), text()[:, None]
    trained = model.weights.flat.copy()
    expected = trained.copy()
    for start in (0, 20):
        reader.count(ids[start : start + 20], ids[start + 1 : start + 21])
        reader.model.backward()
        gradient = reader.model.executor.gradient.copy()
        expected += np.minimum(1, 0.1 * scale / scale.mean()) * (trained - expected) - 0.01 * gradient / (scale + 1e-8)
        reader.learn()
        np.testing.assert_allclose(reader.model.weights.flat, expected, rtol=1e-12)


def test_tuning_chooses_what_does_best_on_the_part_that_it_is_given() -> None:
    model, part = char_model(), evaluation_streams(text(), 1, 20)
    scale = gradient_scale(model, part)
    chosen = tune(model, part, scale, unit="char", symbols=300)
    found = {
        adaptation: evaluate_adapting(model, part, adaptation, split="val", unit="char", scale=scale)[
            "val_adapted/loss"
        ]
        for adaptation in (chosen, Adaptation("rms", lr=1e-4, decay=0.0))
    }
    assert min(found, key=found.__getitem__) == chosen


def test_a_model_without_a_loss_does_not_learn() -> None:
    with pytest.raises(UsageError, match="needs a loss"):
        AdaptingModel(Model(outputs={"y": Dense(2)(Input("x", depth=2))}), Adaptation())


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write_experiment(tmp_path, log={"every": {"steps": 5}, "tensorboard": False})
    assert minidl_run("tiny.yaml", "train.steps=10") == 0
    capsys.readouterr()
    assert main(["evaluate", "tiny", "--adapt", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert {"val/loss", "val_adapted/loss", "test/loss", "test_adapted/loss"} <= set(found)
    assert "learning while it reads: rule rms" in shown.err
    assert main(["sample", "tiny", "--adapt", "--prime", "the quick brown fox", "--length", "5"]) == 0
    assert capsys.readouterr().out.startswith("the quick brown fox")
    assert main(["evaluate", "tiny", "--adapt=often"]) == 2
