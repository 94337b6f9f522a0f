"""Classification, tagging and forecasting from a file to a trained model: learnt, and padding changes nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import with_fewer_data

from minidl import Model
from minidl.callbacks.evaluate import Evaluate, evaluate
from minidl.cli.main import main
from minidl.data.tasks.classification import ClassReader
from minidl.data.tasks.text_input import TextInput
from minidl.experiment import Experiment, read_experiment
from minidl.optim import Adam
from minidl.storage.archive import read_archive
from minidl.training.trainer import Trainer

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SMALL = {
    "classify_names": ["model.units=6", "model.features=4"],
    "tag_python": ["model.units=6", "model.features=4"],
    "forecast_lorenz": ["model.units=6", "data.task.window=4"],
}


def read(name: str, *changes: str) -> Experiment:
    return read_experiment(EXPERIMENTS / f"{name}.yaml", list(changes))


def step(model: Model, inputs: dict[str, Any]) -> tuple[float, Any]:
    model.reset_state()
    loss = model.forward(**inputs)["loss"]
    model.backward()
    return loss, model.executor.gradient.copy()


def alone(inputs: dict[str, Any], b: int) -> dict[str, Any]:
    """One sequence of a batch without its padding."""
    length = inputs["lengths"][b]
    cut = {name: array[:length, b : b + 1] if array.ndim == 2 else array[b : b + 1] for name, array in inputs.items()}
    return {name: np.ascontiguousarray(array) for name, array in cut.items()}


@pytest.mark.parametrize("name", ["classify_names", "tag_python"])
def test_a_padded_batch_equals_its_sequences_alone(name: str) -> None:
    experiment = read(
        name, *SMALL[name], "loss.reduction=sum", "dtype=float64", "data.batch_size=6", "data.shuffle=false"
    )
    inputs = experiment.dataset.train.batch(0).inputs
    assert len(set(inputs["lengths"].tolist())) > 2
    loss, gradient = step(experiment.model, inputs)
    parts = [step(experiment.model, alone(inputs, b)) for b in range(6)]
    assert loss == pytest.approx(sum(part for part, _ in parts), rel=1e-12)
    np.testing.assert_allclose(gradient, sum(part for _, part in parts), rtol=0, atol=1e-11)
    assert np.abs(gradient).max() > 0.1


def test_measures_do_not_depend_on_how_sequences_are_batched() -> None:
    found = []
    for size in (64, 13):
        experiment = read("tag_python", *SMALL["tag_python"], "dtype=float64", f"data.batch_size={size}")
        assert experiment.dataset.validation is not None
        found.append(evaluate(experiment.model.replica(), experiment.dataset.validation, "val", "step"))
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    assert set(found[0]) == {"val/loss", "val/accuracy", "val/macro_f1", "val/weighted_f1"}


@pytest.mark.parametrize("name", SMALL)
def test_an_experiment_runs_resumes_is_checked_and_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(EXPERIMENTS / f"{name}.yaml")
    small = [*SMALL[name], *with_fewer_data(Path(file), tmp_path)]
    always = [*small, "log.every.steps=2", "log.histograms_every=null", "data.batch_size=256"]
    assert main(["run", file, *always, "train.steps=2", "--json"]) == 0
    assert main(["run", file, *always, "train.steps=3", "--json", "--resume"]) == 0
    lines = (tmp_path / "runs" / name / "001" / "metrics.jsonl").read_text().splitlines()
    record = {tag: value for line in lines for tag, value in json.loads(line).items()}
    of_numbers = name == "forecast_lorenz"
    measures = {"loss", "mean_absolute_error"} if of_numbers else {"loss", "accuracy", "macro_f1"}
    more = {"root_mean_squared_error", "r2"} if of_numbers else {"weighted_f1"}
    for split, expected in (("val", measures | more), ("test", measures | more), ("val_baseline", measures)):
        assert {tag.split("/")[1] for tag in record if tag.startswith(f"{split}/")} == expected
    assert main(["check", file, *always]) == 0
    capsys.readouterr()
    assert main(["evaluate", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    measured = {tag: value for tag, value in found.items() if isinstance(value, float)}
    assert {tag.partition("/")[2] for tag in found.keys() - measured.keys()} == (
        {"numbers"} if of_numbers else {"classes", "confusion"}
    )
    assert measured == pytest.approx({tag: record[tag] for tag in measured}, rel=1e-5)
    assert {tag.partition("/")[0] for tag in measured} == {"val", "test", "val_baseline"}
    saved = read_archive(tmp_path / "runs" / name / "001" / "checkpoints" / "last").meta["metadata"]
    assert saved == read(name, *small).dataset.metadata


def test_metadata_says_what_the_numbers_of_a_model_mean() -> None:
    assert read("tag_python", *SMALL["tag_python"]).dataset.metadata["class_names"] == list(".cdknos")
    scales = read("forecast_lorenz", *SMALL["forecast_lorenz"]).dataset.metadata["reader"]["inputs"]
    assert scales["columns"] == ["x", "y", "z"]
    assert 7 < scales["deviation"][0] < 9


def test_a_table_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learns a rule that only the order of symbols tells; the resolved experiment finds the table from elsewhere."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.permutation(list("aabbc"))) + "-" * int(rng.integers(5)) for _ in range(400)]
    rows = "".join(f"{word}\t{'before' if word.index('a') < word.index('b') else 'after'}\n" for word in words)
    (tmp_path / "words.tsv").write_text("word\torder\n" + rows)
    (tmp_path / "order.yaml").write_text(
        'data:\n  type: table\n  source: words.tsv\n  delimiter: "\\t"\n'
        "  task: {type: classification, text: word, label: order}\n"
        "model:\n  layers:\n    - {type: OneHot}\n    - {type: GRU, units: 12, inputs: [one_hot, lengths]}\n"
        '    - {type: Last, inputs: [gru, lengths]}\n    - {type: Dense, units: "${data.classes}"}\n'
        "loss: {type: SoftmaxCE}\noptimizer: {type: Adam, lr: 0.02}\ntrain: {epochs: 25}\nlog: {tensorboard: false}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["run", "order.yaml", "--json"]) == 0
    run = tmp_path / "runs" / "order" / "001"
    last = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines() if "val/loss" in line][-1]
    assert last["val/accuracy"] > 0.95 > 0.7 > last["val_baseline/accuracy/majority"]
    assert last["val/macro_f1"] > 0.95
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["run", str(run / "resolved.yaml"), "train.epochs=null", "train.steps=1", "--json"]) == 0


def test_numbers_ahead_are_learnt(tmp_path: Path) -> None:
    (tmp_path / "wave.csv").write_text("t\n" + "".join(f"{20 + 5 * math.sin(0.4 * i):.6f}\n" for i in range(500)))
    (tmp_path / "wave.yaml").write_text(
        "data:\n  type: table\n  source: wave.csv\n"
        "  task: {type: forecasting, columns: [t], window: 6, horizon: 8}\n"
        'model: {layers: [{type: RNN, units: 8}, {type: Last}, {type: Dense, units: "${data.outputs}"}]}\n'
        "loss: {type: MSE}\n"
    )
    experiment = read_experiment(tmp_path / "wave.yaml")
    trainer = Trainer(experiment.model, experiment.dataset, Adam(lr=0.01), epochs=15, callbacks=[Evaluate()])
    trainer.run()
    baseline = experiment.dataset.baselines["mean_absolute_error/last_value"]
    measured = evaluate(experiment.model.replica(), experiment.dataset.train, "train", "step")
    assert measured["train/mean_absolute_error"] < 0.2 * baseline


def test_a_mistaken_table_is_a_matter_of_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(EXPERIMENTS / "tag_python.yaml")
    assert main(["run", file, "data.task.tags=tag"]) == 3
    assert (
        "python_tokens:1: there is no column 'tag'; did you mean 'tags'? (columns: line, tags)"
        in capsys.readouterr().err
    )
    assert main(["run", file, "data.task.tag=tags"]) == 2
    assert "unknown name 'tag'; did you mean 'tags'?" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_outputs_beyond_the_classes_are_no_answer() -> None:
    """A model may have more outputs than there are classes: what is likeliest is a class all the same."""
    reader, logits = ClassReader(input=TextInput(text="x"), label="y", classes=("a", "b")), np.array([[0.0, 1.0, 9.0]])
    found = reader.decode(logits, None, np.zeros(1, int))  # type: ignore[arg-type]
    assert found["prediction"] == ["b"]
    assert found["probability:a"][0] + found["probability:b"][0] == pytest.approx(1)
