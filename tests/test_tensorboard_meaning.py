"""What TensorBoard is told beside the numbers: what a tag means, nothing of padding, how far the gradient reaches."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from runs import write_experiment

from minidl import Input, Model
from minidl.callbacks.reach_metrics import reach
from minidl.callbacks.tensorboard.baselines_once import without_those_drawn
from minidl.callbacks.tensorboard.descriptions import description
from minidl.callbacks.tensorboard.histograms import histograms
from minidl.cli.main import main
from minidl.layers import GRU, RNN, Attention, Dense, Embedding, Last

with warnings.catch_warnings():  # of what tensorboard itself imports
    warnings.simplefilter("ignore")
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )


def test_every_tag_is_described(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = write_experiment(tmp_path, train__steps=2, log={"every": {"steps": 1}, "histograms_every": {"steps": 1}})
    assert main(["run", str(path), "name=told", "--runs", str(tmp_path / "runs")]) == 0
    reader = EventAccumulator(str(tmp_path / "runs/told/001"))
    reader.Reload()
    tags = [tag for kind in ("scalars", "histograms", "images", "tensors") for tag in reader.Tags()[kind]]
    assert len(tags) > 30
    undescribed = {tag for tag in tags if not description(tag) and not tag.startswith(("_hparams_", "custom_scalars"))}
    assert undescribed == set()
    described = reader.SummaryMetadata("train/loss").summary_description
    assert described == description("train/loss")


def test_the_first_tab_opens_with_curves() -> None:
    """Its groups are in the order of the alphabet: those with one point a run are not the first."""
    groups = {tag.partition("/")[0] for tag in ("layers/grad_norm/x", "test/loss", "train/loss", "val/loss")}
    assert min(groups) == "layers"


def test_baselines_are_drawn_once_a_chart(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, train__steps=2, log={"every": {"steps": 1}, "histograms_every": None})
    for _ in range(2):
        assert main(["run", str(path), "name=twice", "--runs", str(tmp_path / "runs")]) == 0
    assert main(["run", str(path), "name=twice", "data.split=[0.6, 0.2, 0.2]", "--runs", str(tmp_path / "runs")]) == 0
    assert main(["run", str(path), "name=also", "--runs", str(tmp_path / "runs")]) == 0
    drawn = []
    for place in ("twice/001", "twice/002", "twice/003", "also/001"):
        folder = tmp_path / "runs" / place
        reader = EventAccumulator(str(folder))
        reader.Reload()
        drawn.append(any(tag.startswith("val_baseline/") for tag in reader.Tags()["scalars"]))
        assert "val_baseline/" in (folder / "metrics.jsonl").read_text()
    assert drawn == [True, False, True, False]  # the third has other data to be measured on
    record = {"val_baseline/loss/xz": 1.0, "val/loss": 2.0}
    (tmp_path / "runs/odd/001/metrics.jsonl").mkdir(parents=True)
    (tmp_path / "runs/odd/002").mkdir()
    (tmp_path / "runs/odd/002/metrics.jsonl").write_text('["val_baseline/')
    assert without_those_drawn(record, tmp_path / "runs/odd/003") == record


def test_no_padding_in_histograms() -> None:
    ids, lengths = Input("ids", dtype="int", depth=3), Input("lengths", dtype="int", shape=("B",))
    model = Model(outputs={"y": Dense(2)(Last()(GRU(2, name="gru")(Embedding(2)(ids), lengths), lengths))})
    model.forward(ids=np.ones((5, 2), int), lengths=np.array([5, 2]))
    model.backward(y=1.0)
    found = dict(histograms(model))
    assert found["values/gru/r"].shape == (7, 2)
    assert found["values/embedding/y"].shape == (7, 2)


def test_lengths_of_a_source_say_nothing_of_the_steps_of_its_decoder() -> None:
    source, lengths = (
        Input("origin", dtype="int", depth=3, shape=("S", "B")),
        Input("lengths", dtype="int", shape=("B",)),
    )
    read = GRU(2, name="reader")(Embedding(2)(source), lengths=lengths)
    model = Model(
        outputs={"y": Attention(2, name="attend")(GRU(2, name="writer")(Input("x", depth=2)), read, lengths=lengths)}
    )
    model.forward(origin=np.ones((5, 2), int), lengths=np.array([5, 2]), x=np.ones((4, 2, 2)))
    sizes = {tag: len(values) for tag, values in histograms(model) if tag.startswith("values/")}
    assert sizes["values/reader/y"] == 7  # 5 + 2 steps
    assert sizes["values/writer/y"] == 4


def test_how_far_the_gradient_reaches() -> None:
    def reaches(Wh: float) -> dict[str, float]:
        x = Input("x", depth=1)
        model = Model(outputs={"y": RNN(1, name="rnn")(x)}, dtype="float64")
        model.parameters["rnn/Wx"][...] = 1
        model.parameters["rnn/Wh"][...] = Wh
        return dict(reach(model, {"x": np.full((64, 1, 1), 1e-6)}))

    found = reaches(0.5)
    assert found["layers/gradient_by_lag/4"] == pytest.approx(0.5**4)
    assert found["layers/gradient_reach"] == 6  # 0.5 to the 6th is 0.0156, to the 7th 0.0078
    assert reaches(1.0)["layers/gradient_reach"] == 32
