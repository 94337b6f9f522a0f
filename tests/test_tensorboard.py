"""A run in TensorBoard, read back by its own reader and from a real server, through interruption and faults."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.callbacks import (
    Baselines,
    Callback,
    Evaluate,
    Every,
    LayerMetrics,
    RunLog,
    Sample,
    TensorBoard,
    TrainMetrics,
)
from minidl.callbacks.tensorboard.boxes import boxes
from minidl.callbacks.tensorboard.callback import wrapped
from minidl.callbacks.tensorboard.events.projector import visible
from minidl.callbacks.tensorboard.heat_map import HeatMap, Panel
from minidl.callbacks.tensorboard.histograms import computed, histograms
from minidl.callbacks.tensorboard.layer_graph import layer_graph
from minidl.callbacks.tensorboard.pictures import Pictures
from minidl.cli.main import main
from minidl.data import Text, baselines
from minidl.data.batches import Dataset
from minidl.generate.sampler import Sampler
from minidl.generate.sampling import sample_text
from minidl.graph.graph import Graph
from minidl.graph.layer import Layer
from minidl.layers import (
    GRU,
    LSTM,
    Add,
    Bidirectional,
    Cell,
    Dense,
    Dropout,
    Embedding,
    OneHot,
    Reverse,
    SoftmaxCE,
)
from minidl.optim import SGD, Adam
from minidl.storage.archive import read_archive, write_archive
from minidl.training.checkpoint import capture, restore
from minidl.training.trainer import Trainer

with warnings.catch_warnings():  # of what tensorboard itself imports
    warnings.simplefilter("ignore", DeprecationWarning)
    from tensorboard.backend.event_processing import event_accumulator  # type: ignore[import-untyped]
    from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
        LegacyEventFileLoader,
    )
    from tensorboard.plugins.hparams import metadata as hparams  # type: ignore[import-untyped]

TEXT = "The quick brown fox jumps over the lazy dog; $x$ & §\n" * 30
ALL = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    (tmp_path / "text.txt").write_text(TEXT)
    return Text("text.txt", split=(0.8, 0.1, 0.1), batch_size=4, seq_len=12).load(tmp_path)


def language_model(data: Dataset, layer: Callable[..., Layer] = LSTM) -> Model:
    size = int(data.facts["vocab_size"])
    ids, targets = (Input(name, dtype="int", depth=size) for name in ("ids", "targets"))
    logits = Dense(size, name="logits")(layer(8, name="cells")(OneHot()(ids)))
    model = Model(SoftmaxCE()(logits, targets), outputs={"logits": logits})
    model.vocabulary = data.vocabulary
    return model


def trainer(folder: Path, data: Dataset, *others: Callback, model: Model | None = None, **options: Any) -> Trainer:
    steps = options.pop("steps", 12)
    callbacks = [
        TrainMetrics(Every(steps=2)),
        LayerMetrics(Every(steps=2)),
        Evaluate(Every(steps=4)),
        Baselines(),
        Sample(Every(steps=6), length=20, temperatures=(0.5, 1.0)),
        TensorBoard(folder=folder, **options),
        *others,
    ]
    return Trainer(model or language_model(data), data, Adam(lr=0.01), steps=steps, callbacks=callbacks)


def read(folder: Path) -> event_accumulator.EventAccumulator:
    return event_accumulator.EventAccumulator(str(folder), size_guidance=ALL).Reload()


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


# What a run leaves.


def test_curves_are_those_that_were_measured(tmp_path: Path, data: Dataset) -> None:
    class KeepRecords(Callback):
        order = Callback.WRITE
        seen: list[tuple[int, dict[str, float]]] = []

        def step(self, trainer: Trainer) -> None:
            self.seen.append((trainer.progress.step, trainer.record))

    keep = KeepRecords()
    trainer(tmp_path / "run", data, keep).run()
    for tag in ("train/loss", "train/lr", "train/tokens_per_second", "layers/update_norm/cells", "val/loss"):
        measured = [(step, record[tag]) for step, record in keep.seen if tag in record]
        assert len(measured) >= 3
        np.testing.assert_allclose(curve(tmp_path / "run", tag), measured, rtol=1e-6)
    assert [step for step, _ in curve(tmp_path / "run", "test/loss")] == [12]


def test_every_point_of_every_curve_is_in_the_record_of_the_run_and_the_other_way_round(
    tmp_path: Path, data: Dataset
) -> None:
    trainer(tmp_path, data, RunLog(folder=tmp_path)).run()
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    kept = {(tag, record["step"]): value for record in records for tag, value in record.items() if "/" in tag}
    events = read(tmp_path)
    shown = {(tag, event.step): event.value for tag in events.Tags()["scalars"] for event in events.Scalars(tag)}
    assert shown == pytest.approx(kept, rel=1e-6)
    assert {step for _, step in kept} == {2, 4, 6, 8, 10, 12}


def test_baselines_are_flat_lines_from_the_first_validation_to_the_last(tmp_path: Path, data: Dataset) -> None:
    trainer(tmp_path / "run", data).run()
    for name, nats in baselines(data).items():
        points = curve(tmp_path / "run", f"val_baseline/bits_per_char/{name}")
        assert [step for step, _ in points] == [4, 8, 12]
        assert [value for _, value in points] == pytest.approx([nats / np.log(2)] * 3)


def test_samples_are_shown_at_each_temperature(tmp_path: Path, data: Dataset) -> None:
    trainer(tmp_path / "run", data).run()
    for temperature in ("0.5", "1"):
        events = read(tmp_path / "run").Tensors(f"sample/temperature_{temperature}")
        assert [event.step for event in events] == [6, 12]
        assert all(event.tensor_proto.string_val[0].startswith(b"```\n") for event in events)


@pytest.mark.parametrize(("prime", "shown"), [("the ", "the "), ("\n", ""), ("\n  the", "\n  the")])
def test_a_sample_begins_with_what_it_goes_on_from(data: Dataset, prime: str, shown: str) -> None:
    callback = Sample(Every(steps=2), length=20, temperatures=(1.0,), prime=prime)
    model = language_model(data)
    training = Trainer(model, data, Adam(lr=0.01), steps=2, callbacks=[])
    callback.act(training)
    written = "".join(sample_text(model, prime=prime, length=20, sampler=Sampler(1.0), seed=model.seed))
    assert training.texts == {"sample/temperature_1": shown + written}


@given(st.lists(st.text(st.sampled_from("abc- \t\r\x0c"), max_size=250), max_size=4).map("\n".join))
def test_long_lines_are_broken_and_nothing_is_lost(text: str) -> None:
    broken = wrapped(text)
    assert max(map(len, broken.split("\n"))) <= 100
    assert broken.replace("\n", "") == text.replace("\n", "")
    if max(map(len, text.split("\n"))) <= 100:
        assert broken == text


def test_histograms_of_weights_gradients_gates_and_cell_state(tmp_path: Path, data: Dataset) -> None:
    trainer(tmp_path / "run", data, histograms_every=Every(steps=5)).run()
    events = read(tmp_path / "run")
    tags = events.Tags()["histograms"]
    arrays = ("cells/Wx", "cells/Wh", "cells/b", "logits/W", "logits/b")
    weights = {f"weights/{name}{what}" for name in arrays for what in ("", "/gradient")}
    values = {f"values/cells/{name}" for name in ("y", "i", "f", "g", "o", "c")}
    assert set(tags) == weights | values | {"values/logits/y"}
    assert {tuple(event.step for event in events.Histograms(tag)) for tag in tags} == {(5, 10, 12)}
    for gate, lowest in (("i", 0), ("f", 0), ("o", 0), ("g", -1)):
        shown = events.Histograms(f"values/cells/{gate}")[0].histogram_value
        assert shown.num == 12 * 4 * 8
        assert lowest < shown.min < shown.max < 1


def test_gates_are_the_columns_they_are_named_after(data: Dataset) -> None:
    model = language_model(data)
    model.parameters["cells/Wx"][...] = model.parameters["cells/Wh"][...] = 0
    model.parameters["cells/b"][...] = np.repeat([-9.0, 9.0, 0.5, 0.0], 8)  # i shut, f open
    model.forward(**data.train.batch(0).inputs)
    found = computed(model, "cells")
    assert found["i"].max() < 0.01 < 0.99 < found["f"].min()
    assert found["g"] == pytest.approx(np.tanh(0.5))
    assert found["o"] == pytest.approx(0.5)
    np.testing.assert_array_equal(found["c"], model.arrays["cells/c"][1:])


def test_a_nan_is_counted_and_the_rest_is_drawn(tmp_path: Path, data: Dataset) -> None:
    class PoisonForWriters(Callback):
        order = Callback.DECIDE

        def step(self, trainer: Trainer) -> None:
            trainer.model.parameters["logits/W"][0, :3] = np.nan

    class CureAfterwards(Callback):
        order = Callback.SAVE

        def step(self, trainer: Trainer) -> None:
            trainer.model.parameters["logits/W"][0, :3] = 0

    callbacks = PoisonForWriters(), CureAfterwards()
    run = trainer(tmp_path / "run", data, *callbacks, steps=6, histograms_every=Every(steps=5))
    run.run()
    assert curve(tmp_path / "run", "weights/logits/W/non_finite") == [(5, 3.0)]
    sizes = [event.histogram_value.num for event in read(tmp_path / "run").Histograms("weights/logits/W")]
    size = run.model.parameters["logits/W"].size
    assert sizes == [size - 3, size]


def test_settings_and_the_end_of_a_run(tmp_path: Path, data: Dataset) -> None:
    layers = [{"units": 8, "name": "b"}]
    experiment = {"name": "a", "optimizer": {"lr": 0.01, "clip": None}, "model": {"layers": layers}}
    trainer(tmp_path / "run", data, experiment=experiment).run()
    content = read(tmp_path / "run").PluginTagToContent("hparams")
    start = hparams.parse_session_start_info_plugin_data(content[hparams.SESSION_START_INFO_TAG])
    shown = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert shown == {"optimizer.lr": 0.01, "model.layers.0.units": 8}
    assert status(tmp_path / "run") == "success"


def test_embeddings_are_labelled_with_the_vocabulary(tmp_path: Path, data: Dataset) -> None:
    assert data.vocabulary is not None
    ids, targets = (Input(name, dtype="int", depth=len(data.vocabulary)) for name in ("ids", "targets"))
    hidden = Embedding(6, name="other")(Input("ids2", dtype="int", depth=3))  # symbols of its own: not labelled
    hidden = Add()(Embedding(6, name="characters")(ids), hidden)
    model = Model(SoftmaxCE()(Dense(len(data.vocabulary))(hidden), targets))
    model.vocabulary = data.vocabulary
    board = TensorBoard(folder=tmp_path)
    run = Trainer(model, data, SGD(), steps=1, callbacks=[board])
    board.start(run)
    board.finish(run, completed=False)
    board.close(run)
    tables = sorted(path.name for path in tmp_path.glob("projector/*"))
    assert tables == ["characters.labels.tsv", "characters.tsv"]
    table = tmp_path / "projector/characters.tsv"
    np.testing.assert_allclose(np.loadtxt(table), model.parameters["characters/table"], rtol=1e-5)
    labels = (tmp_path / "projector/characters.labels.tsv").read_text().split("\n")
    assert labels[:-1] == [visible(symbol) for symbol in data.vocabulary.symbols]


# How runs end, and go on.


def status(folder: Path) -> str | None:
    content = read(folder).PluginTagToContent("hparams")
    if hparams.SESSION_END_INFO_TAG not in content:
        return None
    end = hparams.parse_session_end_info_plugin_data(content[hparams.SESSION_END_INFO_TAG])
    return {1: "success", 2: "failure"}[end.status]


class DoAt(Callback):
    """Does something after a step."""

    def __init__(self, step: int, what: Any) -> None:
        super().__init__()
        self.at, self.what = step, what

    def step(self, trainer: Trainer) -> None:
        if trainer.progress.step == self.at:
            self.what(trainer)


def fail(trainer: Trainer) -> None:
    raise RuntimeError("of the user's own")


def interrupt(trainer: Trainer) -> None:
    raise KeyboardInterrupt


def poison(trainer: Trainer) -> None:
    trainer.model.parameters["cells/Wx"][...] = np.nan


@pytest.mark.parametrize(
    ("what", "error", "expected"),
    [
        (lambda trainer: trainer.stop("interrupted"), None, None),
        (interrupt, KeyboardInterrupt, None),
        (fail, RuntimeError, "failure"),
        (poison, ArithmeticError, "failure"),
        (lambda trainer: trainer.stop("early stop", completed=True), None, "success"),
    ],
)
def test_the_end_is_honest(tmp_path: Path, data: Dataset, what: Any, error: Any, expected: str | None) -> None:
    run = trainer(tmp_path / "run", data, DoAt(7, what))
    if error is None:
        run.run()
    else:
        with pytest.raises(error):
            run.run()
    assert status(tmp_path / "run") == expected


def test_a_failure_to_save_the_end_is_no_success(tmp_path: Path, data: Dataset) -> None:
    class RefusedAtTheEnd(Callback):
        order = Callback.SAVE

        def finish(self, trainer: Trainer, *, completed: bool) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        trainer(tmp_path / "run", data, RefusedAtTheEnd()).run()
    assert status(tmp_path / "run") == "failure"


def test_a_run_goes_on_without_a_zigzag(tmp_path: Path, data: Dataset) -> None:
    whole = trainer(tmp_path / "whole", data, steps=20)
    whole.run()

    def save(trainer: Trainer) -> None:
        write_archive(tmp_path / "saved.npz", *capture(trainer))

    first = trainer(tmp_path / "cut", data, DoAt(8, save), DoAt(15, fail), steps=20)
    with pytest.raises(RuntimeError):
        first.run()
    assert status(tmp_path / "cut") == "failure"
    second = trainer(tmp_path / "cut", data, steps=20, resumed_at=8)
    restore(second, read_archive(tmp_path / "saved.npz"), "saved.npz")
    second.run()

    tags = set(read(tmp_path / "whole").Tags()["scalars"]) - {"train/tokens_per_second"}
    assert tags == set(read(tmp_path / "cut").Tags()["scalars"]) - {"train/tokens_per_second"}
    for tag in tags:
        assert curve(tmp_path / "cut", tag) == curve(tmp_path / "whole", tag), tag
    assert status(tmp_path / "cut") == "success"
    events = [event for path in (tmp_path / "cut").iterdir() for event in LegacyEventFileLoader(str(path)).Load()]
    assert sum(event.HasField("graph_def") for event in events) == 1


# Disks that refuse.


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_costs_events_and_one_warning(
    tmp_path: Path, data: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    def fill_the_disk(_: Trainer) -> None:
        (descriptor,) = (int(fd.name) for fd in Path("/proc/self/fd").iterdir() if "tfevents" in str(fd.resolve()))
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, descriptor)
        os.close(full)

    progress = trainer(tmp_path / "run", data, DoAt(5, fill_the_disk), steps=20).run()
    assert progress.step == 20
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left on device" in caplog.messages[0]
    assert [step for step, _ in curve(tmp_path / "run", "train/loss")] == [2, 4]


def test_a_folder_that_refuses_from_the_start(tmp_path: Path, data: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").touch()
    assert trainer(tmp_path / "run", data, steps=6).run().step == 6
    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.messages[0]


# The graph.


def both_ways() -> Graph:
    """A shared table, dropout, two directions within two directions, and a layer used twice."""
    ids, targets = (Input(name, dtype="int", depth=9) for name in ("ids", "targets"))
    words = Embedding(8, name="words")(ids)
    hidden = Bidirectional(LSTM(4, dropout=0.1), name="both")(words)
    again = Bidirectional(GRU(4))
    hidden = Add()(again(hidden), again(Reverse()(hidden)))
    return Model(SoftmaxCE(name="loss")(Dense(9, tied_to="words", name="logits")(hidden), targets)).graph


def test_every_edge_of_the_drawing_leads_somewhere() -> None:
    nodes = layer_graph(both_ways())
    names = [node.name for node in nodes]
    assert len(names) == len(set(names))
    assert {source for node in nodes for source in node.inputs} < set(names)


def test_a_bidirectional_is_one_box_also_where_it_is_used_twice() -> None:
    graph = both_ways()
    place = boxes(graph)
    inside = {box: sorted(p.partition("/")[2] for p in place.values() if p.startswith(f"{box}/")) for box in place}
    assert inside["both"] == [
        "backward", "backward_dropout", "concat", "forward", "forward_dropout", "reverse", "reverse_2",
    ]  # fmt: skip
    for box in ("bidirectional", "bidirectional_2"):
        assert [re.sub(r"_\d", "", part) for part in inside[box]] == [
            "backward", "concat", "forward", "reverse", "reverse",
        ]  # fmt: skip
    outside = {name for name, box in place.items() if "/" not in box}
    assert {"words", "add", "logits", "loss"} < outside
    assert len(outside) == 5  # and the Reverse between


def test_shared_weights_are_drawn_once_with_an_edge_to_each_user() -> None:
    nodes = {node.name: node for node in layer_graph(both_ways())}
    assert nodes["logits/Dense"].inputs == ("add", "logits/b", "words/table")
    assert "bidirectional/forward/Wx" in nodes["bidirectional/forward/GRU"].inputs
    assert "bidirectional/forward/Wx" in nodes["bidirectional_2/forward/GRU"].inputs
    assert "bidirectional_2/forward/Wx" not in nodes


def test_a_layer_tells_shape_settings_and_parameters() -> None:
    nodes = {node.name: node for node in layer_graph(both_ways())}
    lstm = nodes["both/forward/LSTM"]
    assert (lstm.op, lstm.shape) == ("LSTM", (None, None, 4))
    assert lstm.attributes["units"] == "4"
    assert lstm.attributes["dropout"] == "0.1"
    assert lstm.attributes["parameters"] == "208"  # 4 · 4 · (8 + 4 + 1)
    assert nodes["both/forward/Wx"].shape == (8, 16)
    total = sum(int(node.attributes.get("parameters", "0").replace(",", "")) for node in nodes.values())
    assert total == sum(int(np.prod(param.shape)) for param in both_ways().parameters().values())


# Pictures.


def colour(low: float, high: float, value: float) -> NDArray[np.uint8]:
    """The colour of one number."""
    shown: NDArray[np.uint8] = HeatMap([Panel("x", 1, low, high)], 1, {}).pixels([np.full((1, 1), value)])[50, 400]
    return shown


def test_cells_of_a_matrix_are_where_they_belong() -> None:
    pytest.importorskip("matplotlib")
    panels = [Panel("a", 4, -1, 1), Panel("b", 2, 0, 1)]
    matrices = [np.zeros((4, 6)), np.zeros((2, 6))]
    drawing = HeatMap(panels, 6, {0: "x"}, borders=[3])
    before = drawing.pixels(matrices)
    for panel, row, column in ((0, 0, 0), (0, 3, 5), (0, 1, 2), (1, 0, 5), (1, 1, 0)):
        changed = [matrix.copy() for matrix in matrices]
        changed[panel][row, column] = 1
        after = drawing.pixels(changed)
        where = np.argwhere((after != before).any(axis=-1))
        (top, left), (bottom, right) = where.min(axis=0), where.max(axis=0) + 1
        assert len(where) > 0.9 * (bottom - top) * (right - left)  # one block, but for a border in it
        place = drawing._places[panel]
        height, width = place[0].stop - place[0].start, place[1].stop - place[1].start
        assert (top - place[0].start) / height == pytest.approx(row / panels[panel].rows, abs=0.02)
        assert (left - place[1].start) / width == pytest.approx(column / 6, abs=0.01)
        assert (bottom - top) / height == pytest.approx(1 / panels[panel].rows, abs=0.02)


def test_colours_tell_the_sign_and_end_where_the_scale_ends() -> None:
    pytest.importorskip("matplotlib")
    red, white, blue = (colour(-1, 1, value).astype(int) for value in (0.8, 0.0, -0.8))
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50
    assert white.min() > 230
    np.testing.assert_array_equal(colour(-1, 1, 7.0), colour(-1, 1, 1.0))
    np.testing.assert_array_equal(colour(0, 1, np.nan), colour(0, 1, 0.0))
    np.testing.assert_array_equal(colour(0, 1, np.inf), colour(0, 1, 1.0))


def test_labels_are_drawn_as_they_are() -> None:
    pytest.importorskip("matplotlib")
    strange = {0.0: r"$\frac$", 1.0: "文\ue000", 2.0: "$x$"}  # what looks like mathematics, and what no font has
    HeatMap([Panel("a", 3, 0, 1, list(strange.values()))], 3, strange).pixels([np.zeros((3, 3))])


def test_long_labels_leave_room_for_the_matrix() -> None:
    pytest.importorskip("matplotlib")
    names = ["x" * 500, "y"]
    drawing = HeatMap([Panel("is", 2, 0, 1, names, 1.8)], 2, dict(enumerate(names)), below="was taken for", width=3.66)
    ((_, columns),) = drawing._places
    assert 40 < columns.stop - columns.start < 200
    assert drawing.pixels([np.ones((2, 2))]).shape[0] < 500


def projected(units: int, name: str) -> LSTM:
    return LSTM(units + 2, projection=units, name=name)


@pytest.mark.parametrize("layer", [*(kind for kind in Layer.types().values() if issubclass(kind, Cell)), projected])
def test_pictures_of_weights_and_of_a_text_being_read(data: Dataset, layer: Any) -> None:
    pytest.importorskip("matplotlib")
    model, pictures = language_model(data, layer), Pictures()
    first = dict(pictures.draw(model, data))
    assert list(first) == ["weights/cells/picture", "values/cells/picture"]
    assert all(pixels.dtype == np.uint8 and pixels.shape[1:] == (880, 3) for pixels in first.values())
    again = dict(pictures.draw(model, data))
    assert all(np.array_equal(first[tag], again[tag]) for tag in first)
    model.parameters["cells/Wx"][...] += 0.5
    assert all(not np.array_equal(first[tag], pixels) for tag, pixels in pictures.draw(model, data))


def test_the_text_is_read_in_the_direction_of_the_layer(data: Dataset) -> None:
    pytest.importorskip("matplotlib")
    assert data.vocabulary is not None
    ids, targets = (Input(name, dtype="int", depth=len(data.vocabulary)) for name in ("ids", "targets"))
    hidden = Bidirectional(GRU(3), name="both")(Dropout(0.1)(Embedding(4)(ids)))
    model = Model(SoftmaxCE()(Dense(len(data.vocabulary), name="logits")(hidden), targets))
    model.vocabulary = data.vocabulary
    pictures = Pictures()
    drawn = dict(pictures.draw(model, data))
    below = pictures._maps["values/both_forward"]._places[-1][0].stop + 2  # where the labels stand
    ahead, back = (drawn[f"values/both_{way}/picture"][below:] for way in ("forward", "backward"))
    assert (ahead != 255).any()
    assert not np.array_equal(ahead, back)  # the text is no palindrome


def test_other_data_has_pictures_of_weights_only(data: Dataset) -> None:
    pytest.importorskip("matplotlib")
    model = language_model(data)
    model.vocabulary = None
    windows = Dataset(data.train, data.validation, None, data.inputs, data.facts, None, "", "step")
    assert [tag for tag, _ in Pictures().draw(model, windows)] == ["weights/cells/picture"]


def test_without_matplotlib_there_are_no_pictures_and_one_hint(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with caplog.at_level(logging.INFO, "minidl"):
        trainer(tmp_path / "run", data, histograms_every=Every(steps=5)).run()
    assert [message for message in caplog.messages if "matplotlib" in message] == caplog.messages
    assert len(caplog.messages) == 1
    assert read(tmp_path / "run").Tags()["images"] == []
    assert read(tmp_path / "run").Tags()["histograms"]


def test_drawing_disturbs_neither_training_nor_random_numbers(data: Dataset, tmp_path: Path) -> None:
    weights = []
    for every in (None, Every(steps=1)):
        run = trainer(tmp_path / str(every), data, histograms_every=every, steps=5)
        run.run()
        weights.append(run.model.weights.flat.tobytes() + run.model.state["cells/c"].tobytes())
    assert weights[0] == weights[1]


def test_one_hot_rows_are_not_written_out_for_a_histogram(data: Dataset) -> None:
    model = language_model(data)
    model.forward(**data.train.batch(0).inputs)
    assert not any(tag.startswith("values/one_hot") for tag, _ in histograms(model))


# A real server, as users start it, on runs made by the command.

EXPERIMENT = {
    "name": "tiny",
    "data": {"type": "text", "source": "text.txt", "split": [0.8, 0.1, 0.1], "batch_size": 4, "seq_len": 12},
    "model": {
        "layers": [
            {"type": "Embedding", "name": "characters", "units": 6},
            {"type": "LSTM", "units": 8},
            {"type": "Dense", "name": "logits", "units": "${data.vocab_size}"},
        ]
    },
    "loss": {"type": "SoftmaxCE"},
    "optimizer": {"type": "Adam", "lr": 0.01},
    "train": {"steps": 12, "evaluate_every": {"steps": 4}, "sample_every": {"steps": 12}},
    "sample": {"length": 20, "temperatures": [0.8]},
    "log": {"every": {"steps": 2}, "histograms_every": {"steps": 6}},
}


class Server:
    """A running TensorBoard, asked as its own pages ask it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(self, path: str, body: Any = None, **query: str) -> bytes:
        request = urllib.request.Request(
            f"{self.url}/data/plugin/{path}?{urllib.parse.urlencode(query)}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with self._direct.open(request, timeout=20) as answer:
            return bytes(answer.read())

    def ask(self, path: str, body: Any = None, **query: str) -> Any:
        return json.loads(self.fetch(path, body, **query))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "text.txt").write_text(TEXT)
    (folder / "tiny.yaml").write_text(json.dumps(EXPERIMENT))
    for change in ("optimizer.lr=0.01", "optimizer.lr=0.02"):
        assert main(["run", str(folder / "tiny.yaml"), change, "--runs", str(folder / "runs")]) == 0
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={folder / 'runs'}", "--port=0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield _answering(process, folder / "log")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answering(process: subprocess.Popen[bytes], log: Path) -> Server:
    """The server, once it has loaded the end of both runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://[\w.-]+:\d+", log.read_text()):
            server = Server(found[0])
            tags = server.ask("scalars/tags")
            if len(tags) == 2 and all("test/loss" in run for run in tags.values()):
                return server
        time.sleep(0.2)
    pytest.fail(f"no answer from tensorboard:\n{log.read_text()}")


def test_server_draws_training_validation_and_baselines_in_one_chart(server: Server) -> None:
    first, second = server.ask("custom_scalars/layout")["category"]
    charts = {chart["title"]: chart["multiline"]["tag"] for chart in first["chart"]}
    assert list(charts) == ["loss", "bits per char", "accuracy"]
    curves: dict[str, Any] = {}
    for tag in charts["bits per char"]:
        curves |= server.ask("custom_scalars/scalars", run="tiny/001", tag=tag)["tag_to_events"]
    assert {tag: len(points) for tag, points in curves.items() if "baseline" not in tag} == {
        "train/bits_per_char": 6,
        "val/bits_per_char": 3,
    }
    assert len(curves) == 2 + 8
    assert all(len({value for *_, value in points}) == 1 for tag, points in curves.items() if "baseline" in tag)
    titles = [chart["title"] for chart in second["chart"]]
    assert titles[:2] == ["length of the gradient", "length of the update"]
    assert titles[2].startswith("influence")
    (tag,) = second["chart"][0]["multiline"]["tag"]
    layers = server.ask("custom_scalars/scalars", run="tiny/001", tag=tag)["tag_to_events"]
    assert sorted(layers) == [f"layers/grad_norm/{name}" for name in ("characters", "logits", "lstm")]


def test_server_shows_what_each_tag_means(server: Server) -> None:
    for plugin, least in (("scalars", 20), ("histograms", 10), ("images", 2)):
        shown = server.ask(f"{plugin}/tags")["tiny/001"]
        assert len(shown) >= least
        assert [tag for tag, about in shown.items() if not about["description"]] == []


def test_server_compares_runs_by_what_differs(server: Server) -> None:
    columns = server.ask("hparams/experiment", body={"experimentName": "", "includeMetrics": True})
    assert columns["hparamInfos"][0]["name"] == "optimizer.lr"
    assert {"test/loss", "test/bits_per_char", "val/loss"} < {info["name"]["tag"] for info in columns["metricInfos"]}
    states = ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"]
    request = {"allowedStatuses": states, "startIndex": 0, "sliceSize": 10, "includeMetrics": True}
    groups = {group["name"]: group for group in server.ask("hparams/session_groups", body=request)["sessionGroups"]}
    assert [groups[f"tiny/00{i}"]["hparams"]["optimizer.lr"] for i in (1, 2)] == [0.01, 0.02]
    for group in groups.values():
        assert group["sessions"][0]["status"] == "STATUS_SUCCESS"
        final = {metric["name"]["tag"]: metric for metric in group["metricValues"]}
        assert final["test/loss"]["trainingStep"] == 12


def test_server_shows_graph_text_histograms_and_embeddings(server: Server) -> None:
    graph = server.fetch("graphs/graph", run="tiny/001").decode()
    assert {"ids", "lstm/LSTM", "lstm/Wx", "logits/Dense"} < set(re.findall(r'^  name: "(.*)"', graph, re.MULTILINE))
    (sample,) = server.ask("text/text", run="tiny/001", tag="sample/temperature_0.8")
    assert sample["text"].startswith("<pre><code>")
    shown = server.ask("histograms/histograms", run="tiny/001", tag="values/lstm/f")
    assert [step for _, step, _ in shown] == [6, 12]
    (embedding,) = server.ask("projector/info", run="tiny/001")["embeddings"]
    assert embedding["tensorName"] == "characters"
    labels = server.fetch("projector/metadata", run="tiny/001", name="characters").decode()
    assert {"␣", "\\n", "q", "§"} < set(labels.split("\n"))


def test_server_shows_pictures(server: Server) -> None:
    pytest.importorskip("matplotlib")
    tags = server.ask("images/tags")["tiny/001"]
    assert sorted(tags) == ["values/lstm/picture", "weights/lstm/picture"]
    images = server.ask("images/images", run="tiny/001", tag="values/lstm/picture", sample="0")
    assert [image["step"] for image in images] == [6, 12]
    assert server.fetch(f"images/individualImage?{images[0]['query']}&").startswith(b"\x89PNG")
