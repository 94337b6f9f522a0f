"""Weights of classes as experiment files say them, and tagging with a CRF from training to answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Predictor
from minidl.callbacks.evaluate import evaluate
from minidl.experiment import read_experiment
from minidl.optim import Adam
from minidl.system.errors import ExperimentError
from minidl.training import Trainer

ROWS = "text,label\n" + "".join(f"{'ab' * (1 + i % 3)},{'yes' if i % 4 else 'no'}\n" for i in range(80))
TAGGED = "text,tags\n" + "".join(f"{word},{word.upper()}\n" for word in ("ab", "ba", "aab", "bba") * 15)


def experiment(
    folder: Path, loss: str, task: str = "classification, text: text, label: label", rows: str = ROWS
) -> Any:
    (folder / "rows.csv").write_text(rows)
    (folder / "e.yaml").write_text(
        f"""
data: {{type: table, source: rows.csv, task: {{type: {task}}}, split: [0.8, 0.2, 0.0], batch_size: 8}}
model:
  layers:
    - {{type: Embedding, units: 4, inputs: ids}}
    - {{type: GRU, units: 6, inputs: {{x: embedding, lengths: lengths}}}}
    {"- {type: Last, inputs: [gru, lengths]}" if "classification" in task else ""}
    - {{type: Dense, units: "${{data.classes}}"}}
loss: {loss}
train: {{epochs: 1}}
"""
    )
    return read_experiment(folder / "e.yaml")


def test_balanced_classes_count_the_same_in_all(tmp_path: Path) -> None:
    found = experiment(tmp_path, "{type: SoftmaxCE, class_weights: balanced}")
    weights = found.loss.layer.class_weights
    counts = found.dataset.metadata["class_counts"]
    np.testing.assert_allclose(np.multiply(weights, counts), sum(counts) / 2)
    assert found.resolved()["loss"]["class_weights"] == list(weights)


def test_weights_by_name_are_put_in_the_order_of_the_classes(tmp_path: Path) -> None:
    found = experiment(tmp_path, "{type: SoftmaxCE, class_weights: {yes: 0.5}}")
    assert dict(zip(found.dataset.metadata["class_names"], found.loss.layer.class_weights, strict=True)) == {
        "no": 1.0,
        "yes": 0.5,
    }


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("{type: SoftmaxCE, class_weights: {yse: 2}}", "there is no class 'yse'; did you mean 'yes'"),
        ("{type: SoftmaxCE, class_weights: {yes: -1}}", "the weight of class 'yes' should be a number above 0, got -1"),
        ("{type: SoftmaxCE, class_weights: even}", "class_weights is 'balanced', or weights by class, got 'even'"),
        ("{type: SoftmaxCE, class_weights: [1, 2, 3]}", "class_weights has 3 weights, but there are 2 classes"),
    ],
)
def test_weights_that_fit_no_class_are_told(tmp_path: Path, loss: str, words: str) -> None:
    with pytest.raises(ExperimentError) as refused:
        experiment(tmp_path, loss)
    assert words in str(refused.value)


def test_a_crf_is_measured_and_answers_by_its_likeliest_tags(tmp_path: Path) -> None:
    found = experiment(tmp_path, "{type: CRF}", "tagging, text: text, tags: tags", TAGGED)
    Trainer(found.model, found.dataset, Adam(lr=2e-2), epochs=20).run()
    found.model.metadata = found.dataset.metadata
    assert evaluate(found.model.replica(), found.dataset.validation, "val", "step")["val/accuracy"] == 1.0
    assert Predictor(found.model).predict(["ab", "bba"]) == [["A", "B"], ["B", "B", "A"]]
    found.model.parameters["crf/A"][...] = [[0, -50], [-50, 0]]  # from now on no tag may follow another
    assert Predictor(found.model).predict(["aab"]) in ([["A", "A", "A"]], [["B", "B", "B"]])
