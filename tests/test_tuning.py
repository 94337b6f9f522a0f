"""Kernels and threads: chosen by a file, by measuring, and never a reason for other numbers."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from runs import interrupted_at, launch, run, write_experiment

from minidl import Input, Model
from minidl.cli.main import main
from minidl.engine import dispatch, threads
from minidl.graph.layer import Node
from minidl.layers import GRU, LSTM, MSE, RNN, Dense, Embedding, LayerNorm, OneHot, SoftmaxCE
from minidl.optim import Adam
from minidl.storage.archive import read_archive
from minidl.system.errors import DataError
from minidl.training import autotune as tuning


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    team, blas = threads.in_use(), threads.blas_in_use()
    yield
    threads.use(team)
    threads.limit_blas(blas)
    dispatch.select(None)


def char_model(hidden: Node, ids: Input) -> Model:
    targets = Input("targets", dtype="int", depth=ids.shape[-1] if ids.dtype == "float" else 70)
    return Model(SoftmaxCE()(Dense(70)(hidden), targets))


@pytest.mark.parametrize("layer", [RNN(120), GRU(120), LSTM(120)], ids=lambda layer: layer.type_name())
@pytest.mark.parametrize("first", [OneHot(), Embedding(100)], ids=lambda layer: layer.type_name())
def test_threads_of_the_blas_change_rounding_only(layer: LSTM, first: OneHot) -> None:
    """Some BLAS add up in other shares on more threads: bits are promised for one number of threads, see below."""
    ids = Input("ids", dtype="int", depth=70)
    feeds = np.random.default_rng(0).integers(70, size=(2, 12, 32))
    found = []
    for count in (1, 2, 2):
        threads.limit_blas(count)
        model, adam = char_model(LayerNorm()(layer(first(ids))), ids), Adam(clip_norm=0.1)
        for _ in range(3):
            model.forward(ids=feeds[0], targets=feeds[1])
            model.backward()
            adam.step(model)
        found.append(model.weights.flat.copy())
    assert np.allclose(found[0], found[1], rtol=1e-3, atol=1e-4)
    assert found[1].tobytes() == found[2].tobytes()


def test_the_fastest_is_kept_and_the_model_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Input("ids", dtype="int", depth=70)
    model = char_model(LSTM(4)(OneHot()(ids)), ids)
    before = model.weights.flat.copy()
    monkeypatch.setattr(threads, "blas_available", lambda: 4)
    pretended = {1: 3.0, 2: 1.0, 4: 2.0}
    monkeypatch.setattr(tuning, "_step", lambda trial, inputs: pretended[threads.blas_in_use()])
    assert tuning.use_fastest(model, {}) == 2
    assert threads.blas_in_use() == 2
    assert (model.weights.flat == before).all()
    assert not model.state


def test_threads_that_begin_on_one_processor_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new thread may share the processor of the one that made it for the first rounds."""
    ids = Input("ids", dtype="int", depth=70)
    model = char_model(LSTM(4)(OneHot()(ids)), ids)
    monkeypatch.setattr(threads, "blas_available", lambda: 2)
    steps = iter([3.0] * 13 + [3.0, 1.0])  # one that allocates, six rounds, and one in which two threads help
    monkeypatch.setattr(tuning, "_step", lambda trial, inputs: next(steps, 3.0))
    assert tuning.use_fastest(model, {}) == 2


def test_more_threads_have_to_be_worth_it() -> None:
    assert tuning._fastest({1: 1.0, 2: 0.97, 4: 0.96}) == 1
    assert tuning._fastest({1: 1.0, 2: 0.6, 4: 0.59}) == 2


def test_a_file_names_kernels_and_threads(tmp_path: Path) -> None:
    write_experiment(tmp_path, kernels="numpy", threads=2)
    assert run(tmp_path, "tiny.yaml").code == 0
    facts = json.loads((tmp_path / "runs/tiny/001/run.json").read_text())
    assert (facts["kernels"], facts["threads"]) == ("numpy", 2)


def measured_as(patch: pytest.MonkeyPatch, count: int) -> None:
    """`threads: auto` finds so many to be the fastest."""

    def use(*_: object) -> int:
        tuning.use_threads(count)
        return count

    patch.setattr("minidl.experiment.run.computing.use_fastest", use)


def facts_of(folder: Path, number: int = 1) -> tuple[int, int]:
    """The threads of a run, by its run.json and by its last checkpoint."""
    path = folder / f"runs/tiny/{number:03d}"
    kept = json.loads((path / "run.json").read_text())
    return kept["threads"], read_archive(path / "checkpoints/last").meta["computing"]["threads"]


@pytest.mark.parametrize("begun", [1, 2, 3])
def test_the_threads_of_a_run_are_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: int) -> None:
    """Resumed and verified as it was begun, whatever is the fastest by then; three are more than this machine has."""
    monkeypatch.setattr(threads, "available", lambda: 2)
    write_experiment(tmp_path, train__steps=12, threads="auto")
    measured_as(monkeypatch, begun)
    assert interrupted_at(tmp_path, 6, signal.SIGINT, "tiny.yaml").code == 130
    measured_as(monkeypatch, 3 - begun if begun < 3 else 1)
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 0
    assert facts_of(tmp_path) == (begun, begun)
    assert ("begun on 3 threads, and there are 2 processors here" in ended.err) == (begun == 3)
    seen = f"threads: {begun}"
    verified = launch(
        tmp_path, lambda: main(["verify", "tiny"]) or print(f"threads: {threads.blas_in_use()}") or 0
    ).wait()
    assert verified.code == 0, verified.err
    assert seen in verified.out
    assert "reproduces to the bit" in verified.out


def test_a_changed_number_of_threads_is_told(tmp_path: Path) -> None:
    write_experiment(tmp_path, train__steps=12, threads=1)
    assert interrupted_at(tmp_path, 6, signal.SIGINT, "tiny.yaml").code == 130
    ended = run(tmp_path, "tiny.yaml", "--resume", "threads=2")
    assert ended.code == 0
    assert "threads: 1 before, now 2; the run goes on, but perhaps not to the bit" in ended.err
    assert facts_of(tmp_path) == (1, 2)


def test_trials_of_a_sweep_have_the_threads_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    write_experiment(tmp_path, train__steps=4, threads="auto")
    command = ["sweep", "tiny.yaml", "optimizer.lr.initial=log(0.001, 0.1)", "--trials"]
    for trials, count in ((1, 2), (2, 1)):
        measured_as(monkeypatch, count)
        assert launch(tmp_path, lambda trials=trials: main([*command, str(trials)])).wait().code == 0
    assert facts_of(tmp_path, 1) == facts_of(tmp_path, 2) == (2, 2)


KEEPER = """
from dataclasses import dataclass
from minidl import Layer
from minidl.graph.arrays import Out
from minidl.layers import Dense, Embedding


@dataclass(frozen=True)
class Keeper(Layer):
    calls = []

    def arrays(self, x):
        return {"y": Out(x)}

    def forward(self, x, y):
        self.calls.append("forward")
        y[...] = x

    def backward(self, dy, dx):
        self.calls.append("backward")
        if len(self.calls) == 20:
            raise KeyError(f"a mistake of the user, after {len(self.calls)} calls")
        dx[...] = dy


def build(ids, vocab_size: int):
    return Dense(vocab_size)(Keeper()(Embedding(5)(ids)))
"""


def test_a_trial_runs_no_code_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a layer keeps is as if no speed was measured, and what it raises at its tenth backward pass is an error."""
    monkeypatch.setattr(threads, "blas_available", lambda: 2)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/keeper.py").write_text(KEEPER)
    write_experiment(tmp_path, model={"type": "keeper"}, threads="auto", train__evaluate_every=None)
    tree = json.loads((tmp_path / "tiny.yaml").read_text())
    tree["train"]["early_stop"] = tree["train"]["sample_every"] = None
    (tmp_path / "tiny.yaml").write_text(json.dumps(tree))
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code not in (0, 2, 3, 4, 5, 74)
    assert "a mistake of the user, after 20 calls" in ended.err
    assert json.loads((tmp_path / "runs/tiny/001/run.json").read_text())["step"] == 9


def test_an_error_while_speed_is_measured_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(MSE()(Dense(1)(Input("x", depth=1)), Input("targets", depth=1)))
    monkeypatch.setattr(threads, "blas_available", lambda: 2)
    with pytest.raises(DataError):
        tuning.use_fastest(model, {"x": np.ones((2, 3, 4)), "targets": np.ones((2, 3, 1))})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("threads=0", "threads"),
        ("threads=1000000", "256 or less"),
        ("threads=atuo", "did you mean 'auto'"),
        ("kernels=numppy", "did you mean 'numpy'"),
    ],
)
def test_what_they_may_be(tmp_path: Path, change: str, message: str) -> None:
    write_experiment(tmp_path)
    ended = run(tmp_path, "tiny.yaml", change)
    assert ended.code == 2
    assert message in ended.err
