"""What an experiment says of its training is judged before the first step, at the line where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minidl.experiment import read_experiment
from minidl.experiment.run.preview import preview
from minidl.system.errors import ExperimentError

FILE = """\
name: tiny
data: {{type: text, source: text.txt, batch_size: 4, seq_len: 10, split: {split}}}
model: {{layers: [{{type: OneHot}}, {{type: LSTM, units: 4}}, {{type: Dense, units: "${{data.vocab_size}}"}}]}}
loss: {{type: SoftmaxCE}}
optimizer:
  type: Adam
  {optimizer}
train:
  steps: 200
  {train}
"""


def write(
    folder: Path, optimizer: str = "lr: 0.1", train: str = "state: carry", split: str = "[0.8, 0.2, 0.0]"
) -> Path:
    (folder / "text.txt").write_text("a small text, again and again. " * 60)
    path = folder / "tiny.yaml"
    path.write_text(FILE.format(optimizer=optimizer, train=train, split=split))
    return path


ALL = "[1.0, 0.0, 0.0]"


@pytest.mark.parametrize(
    ("optimizer", "train", "split", "place", "message"),
    [
        ("clip_norm: {type: cosine, peak: 1, total_steps: 100}", "", "", "7", "leaves its range at step 100"),
        ("betas: [0.9, {type: linear, initial: 0.9, final: 1, total_steps: 9}]", "", "", "7", "less than 1, got 1"),
        ("lr: {type: plateau, initial: 1}", "", ALL, "7", "the data has no validation part"),
        ("lr: 0.1", "early_stop: {patience: 3}", ALL, "10", "the data has no validation part"),
        ("lr: 0.1", "average_weights: {patience: 3}", ALL, "10", "average_weights looks at validation losses"),
        ("lr: 0.1", "average_weights: {patience: 0}", "", "10", "'patience' should be greater than 0, got 0"),
        ("lr: 0.1", "average_weights: 1.5", "", "10", "'average_weights' should be less than 1, got 1.5"),
        ("lr: 0.1", "average_weights: {patience: 3}\n  evaluate_every: null", "", "8", "it needs evaluate_every"),
        ('groups: {"lstm/*": {lr: -1}}', "", "", "7", "'lr' should be 0 or more"),
        ('groups: {"lstm/*": {lr: {type: step, initial: 1}}}', "", "", "7", "'every' is missing"),
        ('groups: {"lstm/W": {lr: 1}}', "", "", "7", "no parameter is named 'lstm/W'; did you mean 'lstm/Wx'?"),
        ('groups: {"*/b": {eps: {type: linear, initial: 1, total_steps: 5}}}', "", "", "7", "at step 5"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    optimizer: str, train: str, split: str, place: str, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, optimizer, train or "state: carry", split or "[0.8, 0.2, 0.0]")
    with pytest.raises(ExperimentError, match=re.escape(message)) as caught:
        read_experiment(path)
    assert f"{path}:{place}:" in str(caught.value)


def test_groups_accumulation_and_averages_are_built_and_resolved(tmp_path: Path) -> None:
    groups = '{"lstm/*": {lr: {type: one_cycle, peak: 0.1}}, "*/b": {freeze: 20}}'
    path = write(tmp_path, f"groups: {groups}", "accumulate: 4\n  average_weights: 0.99")
    experiment = read_experiment(path)
    resolved = experiment.resolved()
    assert resolved["optimizer"]["groups"]["lstm/*"]["lr"]["peak"] == 0.1
    assert resolved["train"]["accumulate"] == 4
    assert "tokens per step: 160" in preview(experiment)
