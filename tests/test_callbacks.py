"""What callbacks measure: lengths of gradients and updates by layer, baselines, and when they are due."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import Input, Model
from minidl.callbacks import Baselines, Callback, Evaluate, Every, LayerMetrics, TrainMetrics
from minidl.data import Streams, Text, baselines, from_arrays
from minidl.data.batches import ArraySpec, Dataset
from minidl.data.vocabulary import Vocabulary
from minidl.layers import LSTM, Add, Dense, Embedding, Last, SoftmaxCE
from minidl.optim import SGD, Adam
from minidl.training.trainer import Trainer

SYMBOLS = "abcde"


def cycle(length: int = 403, **changes: Any) -> Dataset:
    ids = np.arange(length) % len(SYMBOLS)
    spec = ArraySpec("int", len(SYMBOLS), ("T", "B"))
    train, validation = Streams(ids, batch_size=4, seq_len=10), Streams(ids[:100], 2, 10, partial=True)
    facts = {"vocabulary": Vocabulary(tuple(SYMBOLS)), "unit": "char", "digest": "", **changes}
    return Dataset(train, validation, None, {"ids": spec, "targets": spec}, {}, **facts)


def network() -> Model:
    """An embedding whose table the output layer shares, and an LSTM between."""
    ids, targets = (Input(name, dtype="int", depth=len(SYMBOLS)) for name in ("ids", "targets"))
    hidden = LSTM(8, name="lstm")(Embedding(8, name="table")(ids))
    return Model(SoftmaxCE()(Dense(len(SYMBOLS), name="logits", tied_to="table")(hidden), targets), seed=1)


class RecordsAndWeights(Callback):
    """Keeps the record of each step that has one, from before the first step on, and the weights after each step."""

    order = Callback.WRITE

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[int, dict[str, float]] = {}
        self.weights: list[dict[str, np.ndarray]] = []

    def start(self, trainer: Trainer) -> None:
        self.step(trainer)

    def step(self, trainer: Trainer) -> None:
        self.weights.append({name: array.astype(float) for name, array in trainer.model.parameters.items()})
        self.finish(trainer, completed=False)

    def finish(self, trainer: Trainer, *, completed: bool) -> None:
        if trainer.record:
            self.records[trainer.progress.step] = {**self.records.get(trainer.progress.step, {}), **trainer.record}


def train(*callbacks: Callback, data: Dataset | None = None, optimizer: Any = None, **limits: Any) -> RecordsAndWeights:
    recorder = RecordsAndWeights()
    optimizer = optimizer or Adam(lr=0.02)
    Trainer(network(), data or cycle(), optimizer, callbacks=[*callbacks, recorder], **limits).run()
    return recorder


# Lengths by layer.


@pytest.mark.parametrize("clipping", [{}, {"clip_norm": 0.01}, {"clip_norm": 1e9}])
def test_squares_of_the_layers_add_up_to_the_whole_gradient(clipping: dict[str, Any]) -> None:
    recorder = train(TrainMetrics(), LayerMetrics(), optimizer=Adam(lr=0.02, **clipping), steps=6)
    for record in recorder.records.values():
        parts = [value for tag, value in record.items() if tag.startswith("layers/grad_norm/")]
        assert len(parts) == 3
        assert math.hypot(*parts) == pytest.approx(record["train/grad_norm"], rel=1e-5)


def test_updates_are_those_of_the_last_step() -> None:
    recorder = train(LayerMetrics(Every(steps=3)), steps=8)
    assert list(recorder.records) == [3, 6, 8]
    for step in (3, 6):
        before, after = recorder.weights[step - 1 : step + 1]
        for node in ("table", "lstm", "logits"):
            changes = [np.linalg.norm(after[name] - before[name]) for name in after if name.startswith(f"{node}/")]
            length = recorder.records[step][f"layers/update_norm/{node}"]
            assert length == pytest.approx(math.hypot(*changes), rel=1e-3)
            assert length > 0


def test_at_an_end_that_was_not_foreseen_no_update_is_made_up() -> None:
    recorder = train(LayerMetrics(Every(steps=4)), steps=7)  # the weights before step 8 were kept
    assert not any("update_norm" in tag for tag in recorder.records[7])
    assert "layers/grad_norm/lstm" in recorder.records[7]


def test_plain_descent_moves_by_the_clipped_gradient() -> None:
    record = train(LayerMetrics(), optimizer=SGD(lr=0.5, clip_norm=0.01), steps=1).records[1]
    gradient, update = (
        math.hypot(*(value for tag, value in record.items() if kind in tag)) for kind in ("grad_norm", "update_norm")
    )
    assert gradient > 0.02
    assert update == pytest.approx(0.5 * 0.01, rel=1e-3)


def test_a_step_that_was_skipped_has_no_lengths() -> None:
    class PoisonOnce(Callback):
        def step(self, trainer: Trainer) -> None:
            trainer.model.parameters["lstm/Wh"][0, 0] = np.nan if trainer.progress.step == 2 else 0.0

    data, recorder = cycle(), RecordsAndWeights()
    callbacks = [PoisonOnce(), LayerMetrics(), recorder]
    Trainer(network(), data, SGD(lr=0.1), steps=4, non_finite="skip", callbacks=callbacks).run()
    assert list(recorder.records) == [1, 2, 4]


# When a callback is due.


@given(
    every=st.one_of(
        st.builds(Every, steps=st.integers(1, 9)),
        st.builds(Every, epochs=st.floats(0.05, 3.0)),
        st.builds(Every, minutes=st.sampled_from([0.25, 0.5, 1.0])),
    )
)
def test_what_is_due_next_is_due_then(every: Every) -> None:
    trainer = Trainer(network(), cycle(), SGD(), steps=1)
    for step in range(40):  # a second each
        trainer.progress.step, trainer.previous_seconds, trainer.progress.seconds = step, step - 1.0, float(step)
        expected = every.due_next(trainer)
        trainer.progress.step, trainer.previous_seconds, trainer.progress.seconds = step + 1, float(step), step + 1.0
        assert every.due(trainer) == expected


# Baselines.


def test_baselines_are_lines_as_long_as_the_curve_of_validation() -> None:
    data = cycle()
    recorder = train(Evaluate(Every(steps=4)), Baselines(), data=data, steps=10)
    assert list(recorder.records) == [4, 8, 10]
    losses = baselines(data)
    expected = {f"val_baseline/loss/{name}": loss for name, loss in losses.items()}
    expected |= {f"val_baseline/bits_per_char/{name}": loss / math.log(2) for name, loss in losses.items()}
    assert len(expected) == 16
    for record in recorder.records.values():
        assert {tag: value for tag, value in record.items() if "baseline" in tag} == expected


def test_baselines_of_words_are_perplexities(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be that is the question " * 40)
    data = Text("text.txt", tokens="word", batch_size=2, seq_len=5).load(tmp_path)
    callback = Baselines()
    trainer = Trainer(network(), data, SGD(), steps=1, callbacks=[callback])
    callback.act(trainer)
    assert data.vocabulary is not None
    assert trainer.record["val_baseline/perplexity/uniform"] == pytest.approx(len(data.vocabulary))
    assert trainer.record["val_baseline/loss/uniform"] == pytest.approx(math.log(len(data.vocabulary)))
    assert "val_baseline/perplexity/xz" not in trainer.record


def test_baselines_that_the_data_brings() -> None:
    data = cycle(vocabulary=None, unit="step", baselines={"accuracy/majority": 0.25})
    recorder = train(Evaluate(Every(steps=4)), Baselines(), data=data, steps=4)
    assert recorder.records[0] == {"val_baseline/accuracy/majority": 0.25}
    assert recorder.records[4]["val_baseline/accuracy/majority"] == 0.25


def test_a_resumed_run_knows_its_baselines() -> None:
    first = Baselines()
    train(first, steps=1)
    known = {tag: value + 1 for tag, value in first.state_dict()["values"]}  # others than would be computed
    second = Baselines()
    second.load_state_dict({"values": list(known.items())})
    assert train(second, steps=1).records == {1: known}, "what was told before the first step is told once"


def test_a_text_too_long_for_baselines_is_trained_without(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "minidl"):
        recorder = train(Baselines(), data=cycle(2_000_001), steps=1)
    assert recorder.records == {}
    assert [record.message for record in caplog.records if "too long" in record.message]


def test_a_run_without_memory_for_baselines_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*arguments: Any) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr("minidl.callbacks.baselines.baselines", refused)
    recorder = train(Evaluate(Every(steps=2)), Baselines(), data=cycle(), steps=4)
    assert all("val/loss" in record for record in recorder.records.values())
    assert ["no memory" in record.message for record in caplog.records] == [True], "told once"


# Losses and data out of the ordinary.


def test_a_sum_of_two_losses_is_trained_and_measured() -> None:
    """Two tasks on one hidden layer: nothing but the loss is said of them, and that in no unit."""
    ids, targets = (Input(name, dtype="int", depth=len(SYMBOLS)) for name in ("ids", "targets"))
    hidden = LSTM(8)(Embedding(8)(ids))
    tasks = [SoftmaxCE()(Dense(len(SYMBOLS))(hidden), target) for target in (targets, ids)]
    recorder = RecordsAndWeights()
    callbacks = [TrainMetrics(Every(steps=10)), Evaluate(Every(steps=10)), recorder]
    Trainer(Model(Add()(*tasks)), cycle(), Adam(lr=0.02), steps=20, callbacks=callbacks).run()
    assert recorder.records[20]["val/loss"] < recorder.records[10]["val/loss"]
    assert not [tag for tag in recorder.records[20] if "bits" in tag or "accuracy" in tag]


def test_a_validation_part_in_which_no_target_counts_measures_nothing() -> None:
    targets = np.where(np.arange(20) < 10, np.arange(20) % 2, -1)
    data = from_arrays({"x": np.ones((3, 20, 2)), "targets": targets}, (0.5, 0.5, 0.0), batch_size=5)
    classes = Input("targets", dtype="int", depth=2, shape=("B",))
    model, recorder = Model(SoftmaxCE()(Dense(2)(Last()(Input("x", depth=2))), classes)), RecordsAndWeights()
    callbacks = [TrainMetrics(Every(steps=2)), Evaluate(Every(steps=2)), recorder]
    progress = Trainer(model, data, SGD(), steps=2, callbacks=callbacks).run()
    assert (progress.best, progress.validation) == (None, [])
    assert "train/loss" in recorder.records[2]
