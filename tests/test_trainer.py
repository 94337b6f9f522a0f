"""The training loop and the callbacks, used from Python."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from minidl import Input, Model
from minidl.callbacks import Callback, EarlyStop, Evaluate, Every, TrainMetrics
from minidl.data import Streams, from_arrays
from minidl.data.batches import ArraySpec, Dataset
from minidl.layers import GRU, MSE, Dense, Dropout, OneHot, SoftmaxCE
from minidl.optim import SGD, Adam
from minidl.system.errors import ConfigError, NumericsError, UsageError
from minidl.training.trainer import Trainer

V = 5


def cycle(length: int = 403) -> Dataset:
    ids = np.arange(length) % V
    spec = ArraySpec("int", V, ("T", "B"))
    train, validation = Streams(ids, batch_size=4, seq_len=10), Streams(ids[:100], 2, 10, partial=True)
    return Dataset(train, validation, validation, {"ids": spec, "targets": spec}, {}, None, "digest", "char")


def network(reduction: str = "mean", dropout: float = 0.0) -> Model:
    ids, targets = (Input(name, dtype="int", depth=V) for name in ("ids", "targets"))
    hidden = Dropout(dropout)(GRU(8)(OneHot()(ids)))
    return Model(SoftmaxCE(reduction)(Dense(V, name="logits")(hidden), targets), seed=1)


class Recorder(Callback):
    order = Callback.WRITE

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[int, dict[str, float]]] = []
        self.calls: list[str] = []

    def start(self, trainer: Trainer) -> None:
        self.calls.append("start")

    def step(self, trainer: Trainer) -> None:
        self.records.append((trainer.progress.step, dict(trainer.record)))

    def finish(self, trainer: Trainer, *, completed: bool) -> None:
        self.step(trainer)
        self.calls.append(f"finish {completed}")

    def close(self, trainer: Trainer) -> None:
        self.calls.append("close")

    def seen(self, tag: str) -> list[tuple[int, float]]:
        return [(step, record[tag]) for step, record in self.records if tag in record]


def test_learns_a_cycle_and_records_it() -> None:
    recorder = Recorder()
    callbacks = [recorder, TrainMetrics(Every(steps=5)), Evaluate(Every(epochs=1))]
    progress = Trainer(network(), cycle(), Adam(lr=0.02), epochs=12, callbacks=callbacks).run()
    assert progress.step == 120
    losses = recorder.seen("train/loss")
    assert [step for step, _ in losses] == list(range(5, 121, 5))
    assert losses[0][1] == pytest.approx(math.log(V), abs=0.3)
    assert losses[-1][1] < 0.1
    assert recorder.seen("train/accuracy")[-1][1] == 1.0
    assert [step for step, _ in recorder.seen("val/loss")] == list(range(10, 121, 10))
    assert recorder.seen("test/loss") == [(120, recorder.seen("val/loss")[-1][1])]
    for tag in ("train/lr", "train/grad_norm", "train/tokens_per_second", "train/smoothed_loss", "train/bits_per_char"):
        assert recorder.seen(tag), tag
    assert progress.best == min(loss for _, loss in recorder.seen("val/loss"))
    assert recorder.calls == ["start", "finish True", "close"]


def test_sum_and_mean_record_the_same_nats_a_symbol() -> None:
    recorders = []
    for reduction in ("mean", "sum"):
        recorder = Recorder()
        callbacks = [recorder, TrainMetrics(), Evaluate()]
        Trainer(network(reduction), cycle(), SGD(lr=0.0), steps=1, callbacks=callbacks).run()
        recorders.append(recorder)
    for tag in ("train/loss", "val/loss"):
        first, second = (recorder.seen(tag)[0][1] for recorder in recorders)
        assert first == pytest.approx(second, rel=1e-6)


def test_evaluation_does_not_disturb_training() -> None:
    weights = []
    for callbacks in ([], [Evaluate(Every(steps=3))]):
        model = network(dropout=0.2)
        Trainer(model, cycle(), Adam(lr=0.01), steps=25, callbacks=callbacks).run()
        weights.append(model.weights.flat.tobytes() + model.state["gru/h"].tobytes())
    assert weights[0] == weights[1]


def test_state_is_carried_and_zeroed_where_data_begins_anew() -> None:
    class States(Callback):
        def __init__(self) -> None:
            super().__init__()
            self.starts: list[float] = []

        def step(self, trainer: Trainer) -> None:
            self.starts.append(float(np.abs(trainer.model.arrays["gru/h"][0]).max()))

    carry, zero = States(), States()
    Trainer(network(), cycle(), SGD(lr=0.0), epochs=2, callbacks=[carry]).run()
    Trainer(network(), cycle(), SGD(lr=0.0), epochs=2, state="zero", callbacks=[zero]).run()
    assert [start == 0 for start in carry.starts] == [step % 10 == 0 for step in range(20)]
    assert zero.starts == [0.0] * 20


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        ({"epochs": 2}, 20),
        ({"steps": 7}, 7),
        ({"epochs": 2, "steps": 7}, 7),
        ({"epochs": 0.5}, 5),
        ({"epochs": 1.01}, 11),
    ],
)
def test_ends_at_the_first_limit(limits: dict, steps: int) -> None:
    assert Trainer(network(), cycle(), SGD(), **limits).run().step == steps


def test_a_timed_run_ends_in_time_and_expects_its_steps() -> None:
    class Expected(Callback):
        def step(self, trainer: Trainer) -> None:
            seen.append(trainer.total_steps)

    seen: list[int | None] = []
    progress = Trainer(network(), cycle(), SGD(), minutes=0.3 / 60, callbacks=[Expected()]).run()
    assert progress.seconds >= 0.3
    assert seen[len(seen) // 2] == pytest.approx(progress.step, rel=0.9)


def test_a_timed_run_leaves_room_for_its_end() -> None:
    class Slow(Callback):
        def act(self, trainer: Trainer) -> None:
            time.sleep(0.1)

    progress = Trainer(network(), cycle(), SGD(), minutes=1 / 60, callbacks=[Slow(Every(steps=50))]).run()
    assert progress.done
    assert progress.seconds < 1


def test_needs_an_end() -> None:
    with pytest.raises(UsageError, match="epochs="):
        Trainer(network(), cycle(), SGD())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs should be a number above 0, got -1"),
        ({"steps": 0}, "steps should be a number above 0, got 0"),
        ({"minutes": math.nan}, "minutes should be a number above 0, got nan"),
        ({"epochs": "3"}, "epochs should be a number above 0, got '3'"),
        ({"steps": 1, "state": "keep"}, "state should be 'carry' or 'zero', got 'keep'"),
        ({"steps": 1, "non_finite": "ignore"}, "non_finite should be 'stop' or 'skip', got 'ignore'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Trainer(network(), cycle(), SGD(), **settings)


def test_a_model_without_a_loss_is_refused() -> None:
    model = Model(outputs={"y": Dense(2)(Input("x", depth=3))})
    with pytest.raises(UsageError, match=r"no loss to train: make it as Model\(loss\)"):
        Trainer(model, cycle(), SGD(), steps=1)


def test_stops_early() -> None:
    recorder = Recorder()
    callbacks = [recorder, Evaluate(Every(steps=1)), EarlyStop(patience=3)]
    progress = Trainer(network(), cycle(), SGD(lr=0.0), steps=50, callbacks=callbacks).run()
    assert progress.step == 4
    assert recorder.calls[-2:] == ["finish True", "close"]


def test_stopped_from_outside_is_not_completed() -> None:
    class Stop(Callback):
        def step(self, trainer: Trainer) -> None:
            trainer.stop("interrupted")

    recorder = Recorder()
    Trainer(network(), cycle(), SGD(), steps=50, callbacks=[Stop(), recorder]).run()
    assert recorder.calls == ["start", "finish False", "close"]


class Poison(Callback):
    """Plants NaN into a weight after a step."""

    def __init__(self, after: int, array: str) -> None:
        super().__init__()
        self.after, self.array = after, array

    def step(self, trainer: Trainer) -> None:
        trainer.model.parameters[self.array].flat[0] = np.nan if trainer.progress.step == self.after else 0.0


def test_nan_stops_the_run_and_is_named() -> None:
    recorder = Recorder()
    with pytest.raises(NumericsError, match=r"step 4: the loss is nan; first bad array: parameter gru/Wh"):
        Trainer(network(), cycle(), SGD(), steps=9, callbacks=[Poison(3, "gru/Wh"), recorder]).run()
    assert recorder.calls == ["start", "close"]


def test_nan_may_be_skipped_and_is_counted() -> None:
    progress = Trainer(network(), cycle(), SGD(), steps=9, non_finite="skip", callbacks=[Poison(3, "gru/Wh")]).run()
    assert (progress.step, progress.skipped) == (9, 1)


def test_bad_gradient_is_caught_before_the_weights() -> None:
    x = np.ones((1, 4, 1), np.float32)
    data = from_arrays({"x": x, "targets": x}, split=(1.0, 0.0, 0.0), batch_size=4)
    model = Model(MSE()(Dense(1)(Input("x", depth=1)), Input("targets", depth=1)))
    model.parameters["dense/W"][...] = 1e30
    before = model.weights.flat.copy()
    with pytest.raises(NumericsError), np.errstate(all="ignore"):
        Trainer(model, data, SGD(), steps=1).run()
    assert np.array_equal(before, model.weights.flat)


@pytest.mark.parametrize("limits", [{}, {"steps": 1, "epochs": 1}])
def test_an_interval_is_one_of_three(limits: dict) -> None:
    with pytest.raises(ConfigError, match="one of"):
        Every(**limits)
