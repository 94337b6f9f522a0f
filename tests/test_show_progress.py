"""What a run shows while it trains: a bar and lines on a terminal, lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.callbacks.entry import entry
from minidl.callbacks.progress_lines import baselines, lines, time_left
from minidl.data import from_arrays
from minidl.experiment import read_experiment, train
from minidl.experiment.run.callbacks_of_run import showing
from minidl.layers import MSE, Dense
from minidl.optim import SGD
from minidl.training.progress import Progress
from minidl.training.trainer import Trainer

TABLE = "text,label\n" + "".join(f"{'ab' * (i % 3 + 1)}{'xy'[i % 2]},{['no', 'yes'][i % 2]}\n" for i in range(200))
CLASSIFY = """
data: {type: table, source: table.csv, task: {type: classification, text: text, label: label}, batch_size: 16}
model:
  layers:
    - {type: Embedding, units: 4}
    - {type: LSTM, units: 4, inputs: [embedding, lengths]}
    - {type: Last, inputs: [lstm, lengths]}
    - {type: Dense, units: "${data.classes}"}
loss: {type: SoftmaxCE}
train: {steps: 20, evaluate_every: {steps: 10}}
log: {every: {steps: 5}, tensorboard: false}
"""
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "classify.yaml").write_text(CLASSIFY)
    return tmp_path / "classify.yaml"


def run(path: Path, *changes: str, as_json: bool = False) -> None:
    outcome = train(read_experiment(path, changes), path, path.parent / "runs", watchers=showing(as_json=as_json))
    assert outcome.state == "done"


def test_guessing_a_text_is_told_in_its_own_measure() -> None:
    record = {"val_baseline/loss/xz": 1.2, "val_baseline/bits_per_char/xz": 1.7, "val_baseline/bits_per_char/5-gram": 2}
    assert baselines(record) == "guessing: val/bits_per_char xz 1.7000, 5-gram 2.0000"
    assert baselines({"val_baseline/loss/last_value": 1.5}) == "guessing: val/loss last_value 1.5000"
    assert baselines({}) == ""


def on_a_terminal(path: Path, *changes: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a terminal of 200 columns was sent on stderr, line by line, each as often as it was drawn."""
    ours, theirs = pty.openpty()
    read: list[bytes] = []
    listener = threading.Thread(target=_read_all, args=(ours, read))
    listener.start()
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", terminal)
        patch.setenv("COLUMNS", "200")
        patch.setenv("TERM", "xterm-256color")
        run(path, *changes)
    listener.join()
    os.close(ours)
    return re.split(r"[\r\n]+", ESCAPE.sub("", b"".join(read).decode()))


def _read_all(descriptor: int, into: list[bytes]) -> None:
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            return
        if not part:
            return
        into.append(part)


def test_measures_of_validation_stand_beside_what_guessing_achieves(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(experiment)
    first, *others = capsys.readouterr().err.splitlines()
    majority = re.search(r"^guessing: val/accuracy majority ([\d.]+); val/macro_f1 majority ([\d.]+); val/loss", first)
    assert majority
    accuracies = [line for line in others if "val/accuracy" in line]
    assert [line.split()[1] for line in accuracies] == ["10/20", "20/20"]
    for line in accuracies:
        assert re.search(rf"val/accuracy [\d.]+ \(majority {majority[1]}\)", line)
        assert re.search(rf"val/macro_f1 [\d.]+ \(majority {majority[2]}\)", line)
    assert "test/macro_f1" in others[-1]
    assert "train/loss" in others[0]
    assert others[0].endswith(" left")


def test_a_terminal_keeps_a_line_for_each_evaluation_above_the_bar(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = on_a_terminal(experiment, monkeypatch=monkeypatch)
    assert [line.split()[1] for line in shown if "val/accuracy" in line and line.startswith("step")] == [
        "10/20",
        "20/20",
    ]
    assert any(line.startswith("guessing: ") for line in shown)
    assert any("test/accuracy" in line for line in shown)
    bars = [line for line in shown if line.startswith("classify/001 ")]
    assert re.search(r"20/20 loss [\d.]+  val [\d.]+  [\d.]+k tokens/s 0:00:00", bars[-1])
    assert not any("train/loss" in line for line in shown)
    assert not any("[" in line for line in shown), "a mark of rich's is shown as it is written"


def test_time_left_is_told_also_where_minutes_decide(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of steps is expected anew after each, which must not make the bar forget how fast it was."""
    shown = on_a_terminal(experiment, "train={minutes: 0.03}", "log.every={steps: 5}", monkeypatch=monkeypatch)
    bars = [line for line in shown if "tokens/s" in line]
    assert bars
    assert all(re.search(r"\d:\d\d:\d\d *$", bar) for bar in bars)


def trainer(**limits: Any) -> Trainer:
    """A small one, whose epochs have two steps."""
    x = np.ones((1, 8, 1))
    model = Model(MSE()(Dense(1)(Input("x", depth=1)), Input("targets", depth=1)))
    data = from_arrays({"x": x, "targets": x}, split=(1.0, 0.0, 0.0), batch_size=4)
    return Trainer(model, data, SGD(lr=0.1), **limits)


@pytest.mark.parametrize(
    ("step", "seconds", "limits", "left"),
    [
        (0, 0.0, {"steps": 100}, "-:--:--"),
        (10, 5.0, {"steps": 110}, "0:00:50"),
        (10, 36.0, {"steps": 2010}, "2:00:00"),
        (0, 0.0, {"minutes": 2}, "-:--:--"),
        (100, 30.0, {"minutes": 2}, "0:01:30"),
        (100, 121.0, {"minutes": 2}, "0:00:00"),
        (10, 5.0, {"minutes": 2, "steps": 20}, "0:00:05"),
    ],
)
def test_time_left_is_that_of_the_steps_to_come(step: int, seconds: float, limits: dict[str, Any], left: str) -> None:
    begun = trainer(**limits)
    begun.progress = Progress(step, seconds)
    assert time_left(begun) == left
    assert lines(begun) == {}


def test_machines_get_the_records_of_the_run_as_they_are_kept(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(experiment, as_json=True)
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out == (experiment.parent / "runs/classify/001/metrics.jsonl").read_text()


def test_json_has_no_word_for_what_is_not_finite() -> None:
    kept = trainer(steps=4)
    kept.progress, kept.record = Progress(3, 1.5), {"val/loss": math.inf, "train/loss": math.nan, "train/lr": 0.5}
    assert next(iter(entry(kept).items())) == ("step", 3)
    assert json.loads(json.dumps(entry(kept), allow_nan=False)) == {
        "step": 3,
        "epoch": 3 / 2,
        "seconds": 1.5,
        "val/loss": None,
        "train/loss": None,
        "train/lr": 0.5,
    }
