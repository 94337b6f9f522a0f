"""A run that begins with the weights of another: symbols by name, patterns of what is taken, and what stays frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.cli.main import main
from minidl.data import Vocabulary
from minidl.experiment import read_experiment
from minidl.experiment.build.init_from import InitFrom
from minidl.experiment.run.transfer import take_weights
from minidl.layers import LSTM, Dense, Embedding, OneHot, SoftmaxCE
from minidl.optim import SGD
from minidl.system.errors import CheckpointError, UsageError
from minidl.training import Trainer


def of(symbols: str, seed: int, *, embedded: bool = False, units: int = 4) -> Model:
    V = len(symbols)
    ids, targets = (Input(name, dtype="int", depth=V) for name in ("ids", "targets"))
    read = Embedding(3, name="embedding")(ids) if embedded else OneHot()(ids)
    logits = Dense(V, name="logits")(LSTM(units, name="lstm")(read))
    model = Model(SoftmaxCE()(logits, targets), {"logits": logits}, seed=seed)
    model.weights.flat[...] = np.random.default_rng(seed).standard_normal(model.weights.flat.size)
    model.vocabulary = Vocabulary(tuple(symbols))
    return model


@pytest.mark.parametrize("embedded", [False, True])
def test_symbols_are_matched_by_name(embedded: bool, tmp_path: Path) -> None:
    """What the old model says of a text in symbols that both have, the new one says too, of those symbols."""
    old, new = of("abc", 1, embedded=embedded), of("xcab", 2, embedded=embedded)
    first = {name: array.copy() for name, array in new.parameters.items()}
    old.save(tmp_path / "old.npz")
    take_weights(new, InitFrom(str(tmp_path / "old.npz")), tmp_path)
    theirs = old.forward(ids=np.array([[0], [2], [1]]))["logits"]
    ours = new.forward(ids=np.array([[2], [1], [3]]))["logits"]
    np.testing.assert_allclose(ours[..., [2, 3, 1]], theirs, rtol=1e-6)
    rows = "embedding/table" if embedded else "lstm/Wx"
    np.testing.assert_array_equal(new.parameters[rows][0], first[rows][0])
    np.testing.assert_array_equal(new.parameters["logits/b"][0], first["logits/b"][0])


def test_the_same_vocabulary_is_copied_to_the_bit(tmp_path: Path) -> None:
    old, new = of("abc", 1), of("abc", 2)
    old.save(tmp_path / "old.npz")
    take_weights(new, InitFrom(str(tmp_path / "old.npz"), take=("lstm/*",)), tmp_path)
    assert new.parameters["lstm/Wh"].tobytes() == old.parameters["lstm/Wh"].tobytes()
    assert (new.parameters["logits/W"] != old.parameters["logits/W"]).any()


@pytest.mark.parametrize(
    ("settings", "units", "message"),
    [
        ({}, 5, r"lstm/Wh: shape \(4, 16\), this model has \(5, 20\)"),
        ({"take": ("gru/*",)}, 4, "no parameter is named 'gru/\\*'"),
        ({"take": ("lstm/*", "embedding/*")}, 4, "no parameter is named 'embedding"),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_changes(
    settings: dict[str, Any], units: int, message: str, tmp_path: Path
) -> None:
    of("abc", 1).save(tmp_path / "old.npz")
    new = of("abc", 2, units=units)
    before = new.weights.flat.copy()
    with pytest.raises(CheckpointError, match=message):
        take_weights(new, InitFrom(str(tmp_path / "old.npz"), **settings), tmp_path)
    np.testing.assert_array_equal(new.weights.flat, before)


FILE = """\
name: {name}
data: {{type: text, source: {source}, batch_size: 2, seq_len: 5}}
model: {{layers: [{{type: OneHot}}, {{type: LSTM, units: 4}}, {{type: Dense, units: "${{data.vocab_size}}"}}]}}
loss: {{type: SoftmaxCE}}
train: {{steps: 3, sample_every: null}}
log: {{tensorboard: false}}
{more}
"""


def write(folder: Path, name: str, text: str, more: str = "") -> Path:
    (folder / f"{name}.txt").write_text(text * 40)
    path = folder / f"{name}.yaml"
    path.write_text(FILE.format(name=name, source=f"{name}.txt", more=more))
    return path


def test_a_run_begins_with_another(tmp_path: Path) -> None:
    where = ["--runs", str(tmp_path / "runs")]
    assert main(["run", str(write(tmp_path, "first", "hello world ")), *where]) == 0
    second = write(tmp_path, "second", "yellow words ", "init_from: {run: first, freeze: ['lstm/*']}")
    assert read_experiment(second).resolved()["optimizer"]["groups"] == {"lstm/*": {"freeze": True}}
    assert main(["run", str(second), *where]) == 0
    old, new = (Model.load(tmp_path / "runs" / name / "001/checkpoints/last") for name in ("first", "second"))
    best = Model.load(tmp_path / "runs/first/001/checkpoints/best")
    np.testing.assert_array_equal(new.parameters["lstm/Wh"], best.parameters["lstm/Wh"])
    assert old.vocabulary is not None
    assert new.vocabulary is not None
    o = old.vocabulary.symbols.index("o"), new.vocabulary.symbols.index("o")
    np.testing.assert_array_equal(new.parameters["lstm/Wx"][o[1]], best.parameters["lstm/Wx"][o[0]])
    assert (new.parameters["dense/W"][:, o[1]] != best.parameters["dense/W"][:, o[0]]).any()
    assert main(["run", str(second), "train.steps=5", "--resume", *where]) == 0


def test_a_run_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "second", "yellow words ", "init_from: {run: frist}")
    assert main(["run", str(path), "--runs", str(tmp_path / "runs")]) == 4
    assert "'frist' is no model file" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "second").exists()


def test_data_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    first = read_experiment(write(tmp_path, "first", "hello world "))
    second = read_experiment(write(tmp_path, "second", "yellow words "))
    with pytest.raises(UsageError, match=r"it has 's', 'y', which the model does not know.*init_from"):
        Trainer(first.model, second.dataset, SGD(), steps=1)
