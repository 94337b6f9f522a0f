"""The training loop and the callbacks, used from Python."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.callbacks import Callback, EarlyStop, Evaluate, Every, TrainMetrics
from minidl.callbacks.evaluate import evaluate
from minidl.data import Streams, from_arrays
from minidl.data.batches import ArraySpec, Batch, Dataset
from minidl.layers import GRU, MSE, Dense, Dropout, OneHot, SoftmaxCE
from minidl.optim import SGD, Adam, Cosine, Muon, NAdam, Plateau, ScheduleFree
from minidl.system.errors import CheckpointError, ConfigError, NumericsError, UsageError
from minidl.training.average import NonMonotonic
from minidl.training.gradient import fill_gradient
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
    taken: list[float] = []

    class Slow(Callback):
        def act(self, trainer: Trainer) -> None:
            begun = time.perf_counter()
            time.sleep(0.2)
            taken.append(time.perf_counter() - begun)

    progress = Trainer(network(), cycle(), SGD(), minutes=1 / 60, callbacks=[Slow(Every(steps=50))]).run()
    assert progress.done
    assert progress.seconds - taken[-1] < 0.9


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


def whole_batches(batch_size: int) -> Dataset:
    rng = np.random.default_rng(0)
    arrays = {"x": rng.standard_normal((6, 32, 3)), "targets": rng.standard_normal((6, 32, 1))}
    return from_arrays(arrays, split=(1.0, 0.0, 0.0), batch_size=batch_size, shuffle=False)


def regression() -> Model:
    return Model(MSE()(Dense(1)(GRU(4)(Input("x", depth=3))), Input("targets", depth=1)), seed=1, dtype="float64")


def test_accumulated_batches_are_one_large_batch() -> None:
    weights = []
    for batch_size, accumulate in ((32, 1), (8, 4)):
        data = whole_batches(batch_size)
        trainer = Trainer(regression(), data, SGD(lr=0.1), steps=3, accumulate=accumulate, state="zero")
        trainer.run()
        weights.append(trainer.model.weights.flat)
        assert trainer.steps_per_epoch == 1
        assert trainer.epoch == 3
    np.testing.assert_allclose(*weights, rtol=1e-12)


def test_accumulated_batches_weigh_as_many_targets_as_they_have() -> None:
    """Two of three steps in the first batch do not count."""
    few, many = np.array([[-1], [-1], [2]]), np.array([[1], [3], [2]])
    ids = np.zeros((3, 1), int)
    both = np.concatenate([few, many], axis=1)
    whole = network()
    expected = fill_gradient(whole, [Batch({"ids": np.zeros((3, 2), int), "targets": both}, True)], carry=False)
    parts = network()
    batches = [Batch({"ids": ids, "targets": targets}, True) for targets in (few, many)]
    assert fill_gradient(parts, batches, carry=False) == pytest.approx(expected)
    np.testing.assert_allclose(parts.executor.gradient, whole.executor.gradient, rtol=1e-4, atol=1e-6)


def test_the_average_of_weights_is_evaluated_and_saved() -> None:
    recorder = Recorder()
    trainer = Trainer(
        network(), cycle(), SGD(lr=0.5), steps=30, average_weights=0.9, callbacks=[Evaluate(Every(steps=30)), recorder]
    )
    average, trained = trainer.evaluated.flat.copy(), trainer.model.weights.flat.copy()
    for step in range(30):
        trainer.update(cycle().train.batch(step))
        trained = trainer.model.weights.flat
        average += (1 - min(0.9, (2 + step) / (11 + step))) * (trained - average)
    np.testing.assert_allclose(trainer.evaluated.flat, average, rtol=1e-5, atol=1e-7)
    assert np.abs(average - trained).max() > 1e-3
    arrays = trainer.state_dict()["arrays"]
    np.testing.assert_array_equal(arrays["training/weights"], trained)
    np.testing.assert_array_equal(arrays["parameters/logits/b"].ravel(), trainer.evaluated.arrays["logits/b"])
    trainer.run()
    loss = trainer.model.replica(weights=trainer.evaluated)
    expected = evaluate(loss, cycle().validation, "val", "char")["val/loss"]
    assert recorder.seen("val/loss")[-1][1] == pytest.approx(expected)


def test_a_mean_of_weights_begins_where_validation_stops_to_improve() -> None:
    """Algorithm 1 of Merity et al. 2018: from the first loss that is above one which lies `patience` losses back."""
    losses = [3.0, 2.0, 2.5, 2.1, 1.9, 1.8]
    begins = [NonMonotonic(patience=1).begins(losses[:count]) for count in range(7)]
    assert begins == [False, False, False, False, True, False, False]
    trainer = Trainer(network(), cycle(), SGD(lr=0.5), steps=9, average_weights=NonMonotonic(patience=1))
    mean, seen = trainer.evaluated.flat, []
    for step in range(9):
        trainer.progress.validation = losses[: step // 2 + 1]  # evaluated at every second step
        trainer.update(cycle().train.batch(step))
        seen.append(trainer.model.weights.flat.copy())
        expected = np.mean(seen[6:], axis=0) if step >= 6 else seen[-1]
        np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-7)
    assert trainer.progress.averaged == 3
    assert np.abs(mean - seen[-1]).max() > 1e-3


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (lambda: Adam(), {}),
        (
            lambda: SGD(lr=40.0),
            {"average_weights": NonMonotonic(patience=1), "callbacks": [Evaluate(Every(steps=1))]},
        ),
        (lambda: Adam(amsgrad=True), {"accumulate": 2}),
        (lambda: NAdam(groups={"logits/*": {"lr": 0.1}}), {"average_weights": 0.9}),
        (lambda: ScheduleFree(), {}),
        (lambda: Muon(lr=0.1), {"average_weights": 0.99, "accumulate": 3}),
    ],
)
def test_a_trainer_goes_on_from_its_state_dict(optimizer: Any, settings: Any) -> None:
    straight = Trainer(network(dropout=0.2), cycle(), optimizer(), steps=9, **settings)
    straight.run()
    first = Trainer(network(dropout=0.2), cycle(), optimizer(), steps=4, **settings)
    first.run()
    second = Trainer(network(dropout=0.2), cycle(), optimizer(), steps=9, **settings)
    kept = first.state_dict()
    second.load_state_dict({**kept, "meta": json.loads(json.dumps(kept["meta"]))})
    second.run()
    for ours, theirs in ((second.model.weights, straight.model.weights), (second.evaluated, straight.evaluated)):
        assert ours.flat.tobytes() == theirs.flat.tobytes()


def test_state_dict_of_a_model() -> None:
    model = network()
    model.forward(ids=np.zeros((3, 2), int))
    kept = model.state_dict()
    assert set(kept) == {*(f"parameters/{name}" for name in model.parameters), "state/gru/h"}
    other = network()
    other.weights.flat[...] = 0
    other.load_state_dict(kept)
    np.testing.assert_array_equal(other.weights.flat, model.weights.flat)
    np.testing.assert_array_equal(other.state["gru/h"], model.state["gru/h"])
    for wrong, message in (
        ({**kept, "state/lstm/c": kept["state/gru/h"]}, "it carries lstm/c"),
        ({**kept, "state/gru/h": np.zeros((2, 3))}, r"gru/h: shape \(2, 3\), the model carries \(B, 8\)"),
        ({name: array for name, array in kept.items() if "bh" not in name}, r"missing gru/bh \(24,\)"),
    ):
        with pytest.raises(CheckpointError, match=message):
            other.load_state_dict(wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accumulate": 0}, "accumulate should be a number of batches"),
        ({"average_weights": 1.0}, "average_weights should be a number between 0 and 1"),
        ({"average_weights": {"patience": 5}}, "average_weights should be a number between 0 and 1"),
        ({"optimizer": ScheduleFree(), "average_weights": 0.9}, "ScheduleFree averages the weights itself"),
        ({"optimizer": Adam(clip_norm=Cosine(1.0, total_steps=3))}, "leaves its range at step 3"),
    ],
)
def test_what_could_only_fail_later_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Trainer(network(), cycle(), **{"optimizer": SGD(), "steps": 10, **settings})


def test_who_waits_for_validation_needs_one() -> None:
    data = whole_batches(8)
    with pytest.raises(ConfigError, match="no validation part"):
        Trainer(regression(), data, SGD(lr=Plateau(0.1)), steps=1)
    with pytest.raises(UsageError, match="no validation part"):
        Trainer(regression(), data, SGD(), steps=1, average_weights=NonMonotonic())
    with pytest.raises(UsageError, match="no validation part"):
        Trainer(regression(), data, SGD(), steps=1, callbacks=[EarlyStop()]).run()
