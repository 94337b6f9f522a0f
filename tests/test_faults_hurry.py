"""What takes long is broken off by a signal and made up when the run goes on; losses that are no numbers."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import Child, Left, launch, left, left_whole, minidl_run, run, the_run, wait_for, write_experiment

from minidl import Input, Model
from minidl.callbacks import baselines as baselines_callback
from minidl.callbacks import sample as sample_callback
from minidl.data import Text
from minidl.engine import threads
from minidl.experiment.run import computing
from minidl.layers import LSTM, Dense
from minidl.system.errors import UsageError
from minidl.training.metrics import MetricAccumulator


def in_evaluation(step: int, number: int) -> None:
    """A signal in the middle of the evaluation of a step, after which a batch takes a minute if it is not left off."""
    add, seen = MetricAccumulator.add, [0]

    def add_and_signal(self: MetricAccumulator, *arguments: Any, **options: Any) -> None:
        add(self, *arguments, **options)
        seen[0] += 1
        if seen[0] == step // 4 * 2:  # two batches each
            os.kill(os.getpid(), number)

    MetricAccumulator.add = add_and_signal  # type: ignore[method-assign]


def in_sampling(step: int, number: int) -> None:
    sample_text, seen = sample_callback.sample_text, [0]

    def signalled(*arguments: Any, **options: Any) -> Iterator[str]:
        seen[0] += 1
        for i, piece in enumerate(sample_text(*arguments, **options)):
            if seen[0] == step // 8 and i == 5:
                os.kill(os.getpid(), number)
            yield piece

    sample_callback.sample_text = signalled  # type: ignore[assignment]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """What a run leaves that nobody stops."""
    return left_whole(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("place", [in_evaluation, in_sampling])
def test_what_is_broken_off_is_made_up(
    tmp_path: Path, place: Callable[[int, int], None], number: int, whole: Left
) -> None:
    """The run that goes on is to the bit, and line for line, the one that was never stopped."""
    write_experiment(tmp_path)

    def work() -> int:
        place(16, number)
        return minidl_run("tiny.yaml")

    ended = launch(tmp_path, work).wait()
    assert ended.code == (130 if number == signal.SIGINT else 143), ended.err
    owed = the_run(tmp_path).checkpoints.newest()[1].meta["progress"]["owed"]
    assert owed["callback"] == ("Evaluate" if place is in_evaluation else "Sample")
    assert run(tmp_path, "tiny.yaml", "--resume").code == 0
    assert left(the_run(tmp_path)).differences(whole) == {}


def again_and_again(owner: Any, name: str) -> Callable[[], None]:
    """In the child: a function is called over and over, so that a signal comes while it works."""

    def install() -> None:
        function = getattr(owner, name)

        def endless(*arguments: Any, **options: Any) -> None:
            Path("begun").touch()
            while True:
                function(*arguments, **options)

        setattr(owner, name, endless)

    return install


def left_to_itself() -> None:
    """The run takes long by what it is told."""


def processor_time(child: Child) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


FIRST = "runs/tiny/001/checkpoints/step-00000000.npz"
ALONE = ("train.evaluate_every=null", "train.early_stop=null")
PHASES: dict[str, tuple[Callable[[], None], tuple[str, ...], str]] = {  # how it lasts, changes, the file that tells it
    "data are read": (again_and_again(Text, "load"), (), "begun"),
    "memory is measured": (again_and_again(computing, "check_memory"), (), "begun"),
    "baselines": (
        left_to_itself,
        ("data.batch_size=32", "data.split=[0.998, 0.001, 0.001]", "train.evaluate_every={steps: 1}"),
        FIRST,
    ),
    "evaluation": (
        left_to_itself,
        ("data.batch_size=1", "data.seq_len=1", "data.split=[0.3, 0.6, 0.1]", "train.evaluate_every={steps: 2}"),
        FIRST,
    ),
    "sampling": (left_to_itself, ("train.sample_every={steps: 2}", "sample.length=2000000", *ALONE), FIRST),
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("phase", PHASES)
def test_a_termination_ends_within_two_seconds(tmp_path: Path, phase: str, number: int) -> None:
    """Of its own processor time, for the machine may have much else to do; it waits for nothing."""
    lasting, changes, begun = PHASES[phase]
    write_experiment(tmp_path)
    letters = np.random.default_rng(0).integers(97, 123, 1_500_000 if phase == "baselines" else 100_000, dtype="u1")
    (tmp_path / "text.txt").write_bytes(letters.tobytes())

    def work() -> int:
        lasting()
        return minidl_run("tiny.yaml", *changes)

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = launch(tmp_path, work)
    wait_for((tmp_path / begun).exists)
    time.sleep(0.3)
    computed, began = processor_time(child), time.monotonic()
    child.send(number)
    ended = child.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - computed
    assert ended.code == 143, ended.err
    assert took < 2
    assert time.monotonic() - began < 20
    assert baselines_callback.LONGEST >= 1_500_000


# --- losses


def with_losses(losses: list[float]) -> None:
    """The validation losses of a run: what cannot be had by a real model at a time of one's choice."""
    result, given = MetricAccumulator.result, iter(losses)

    def fixed(self: MetricAccumulator, split: str, unit: str) -> dict[str, float]:
        found = result(self, split, unit)
        return {**found, "val/loss": next(given)} if split == "val" else found

    MetricAccumulator.result = fixed  # type: ignore[method-assign]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_validation_loss_that_is_no_number(tmp_path: Path, value: float) -> None:
    """It stops the run, or is told, is never the best, and counts as no progress for early stop and plateau."""
    write_experiment(tmp_path, train__early_stop={"patience": 4})

    def work(*arguments: str) -> Callable[[], int]:
        def child() -> int:
            with_losses([3.0, 2.0, value, value, value, value, *[1.0] * 9])
            return minidl_run("tiny.yaml", *arguments)

        return child

    ended = launch(tmp_path, work()).wait()
    assert ended.code == 5
    assert f"step 12: the validation loss is {value}" in ended.err
    assert the_run(tmp_path).state == "failed"
    ended = launch(tmp_path, work("train.non_finite=skip", "--json")).wait()
    assert ended.code == 0, ended.err
    assert f"step 12: the validation loss is {value}, which counts as no progress" in ended.err
    progress = the_run(tmp_path).checkpoints.newest()[1].meta["progress"]
    assert (progress["best"], progress["best_step"], progress["step"]) == (2.0, 8, 24)
    for text in (ended.out, (the_run(tmp_path).path / "metrics.jsonl").read_text()):
        for line in text.splitlines():
            json.loads(line, parse_constant=lambda name: pytest.fail(name))


# --- threads


def test_one_model_is_not_used_by_two_threads_at_once() -> None:
    """Whatever is returned is right; all else is refused. Replicas work side by side."""
    model = Model(outputs={"y": Dense(4)(LSTM(16)(Input("x", depth=8)))}, dtype="float64")
    feeds = [np.random.default_rng(i).standard_normal((20, 4, 8)) for i in range(40)]

    def expected(x: np.ndarray[Any, Any], one: Model) -> np.ndarray[Any, Any]:
        one.reset_state()
        return np.array(one.forward(x=x)["y"])

    right = [expected(x, model.replica()) for x in feeds]
    refused = []

    def ask(i: int) -> bool:
        try:
            return bool((expected(feeds[i], model) == right[i]).all())
        except UsageError as error:
            refused.append(str(error))
            return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(40)))
    assert all("give each thread a model.replica() of its own" in said for said in refused)
    mine = threading.local()

    def ask_replica(i: int) -> bool:
        if not hasattr(mine, "model"):
            mine.model = model.replica()
        return bool((expected(feeds[i], mine.model) == right[i]).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask_replica, range(40)))
    assert model.forward(x=feeds[0])["y"].shape == right[0].shape  # the others have ended: it is free again


@pytest.mark.parametrize("seed", range(3))
def test_interrupts_at_any_moment_leave_the_team_in_order(seed: int) -> None:
    """Two in a row as well: results of the next call are its own, and every worker works."""
    team, rng = threads.Team(3), np.random.default_rng(seed)
    done = []

    def share(call: int, part: int) -> Callable[[], tuple[int, int]]:
        def work() -> tuple[int, int]:
            time.sleep(float(rng.random()) * 0.002)
            done.append((call, part))
            return call, part

        return work

    interrupted = 0
    before = signal.getsignal(signal.SIGALRM)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    try:
        for call in range(150):
            try:
                if call % 2:
                    signal.setitimer(signal.ITIMER_REAL, 0.0001 + float(rng.random()) * 0.003, 0.0005)
                try:
                    found = team.run([share(call, part) for part in range(3)])
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
                interrupted += 1
                continue
            assert found == [(call, part) for part in range(3)]
            assert {item for item in done if item[0] == call} == set(found)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 10
