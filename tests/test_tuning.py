"""Kernels and threads: chosen by a file, by measuring, and never a reason for other numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from runs import run, write_experiment

from minidl import Input, Model
from minidl.engine import dispatch, threads
from minidl.graph.layer import Node
from minidl.layers import GRU, LSTM, RNN, Dense, Embedding, LayerNorm, OneHot, SoftmaxCE
from minidl.optim import Adam
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
def test_threads_of_the_blas_do_not_change_bits(layer: LSTM, first: OneHot) -> None:
    ids = Input("ids", dtype="int", depth=70)
    feeds = np.random.default_rng(0).integers(70, size=(2, 40, 32))
    found = []
    for count in (1, 2):
        threads.limit_blas(count)
        model, adam = char_model(LayerNorm()(layer(first(ids))), ids), Adam(clip_norm=0.1)
        for _ in range(3):
            model.forward(ids=feeds[0], targets=feeds[1])
            model.backward()
            adam.step(model)
        found.append(model.weights.flat.tobytes())
    assert found[0] == found[1]


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


def test_more_threads_have_to_be_worth_it() -> None:
    assert tuning._fastest({1: 1.0, 2: 0.97, 4: 0.96}) == 1
    assert tuning._fastest({1: 1.0, 2: 0.6, 4: 0.59}) == 2


def test_a_file_names_kernels_and_threads(tmp_path: Path) -> None:
    write_experiment(tmp_path, kernels="numpy", threads=2)
    assert run(tmp_path, "tiny.yaml").code == 0
    facts = json.loads((tmp_path / "runs/tiny/001/run.json").read_text())
    assert (facts["kernels"], facts["threads"]) == ("numpy", 2)


def test_a_run_goes_on_with_other_threads_to_the_bit(tmp_path: Path) -> None:
    write_experiment(tmp_path, train={"steps": 12, "checkpoint_every": {"steps": 6}})
    assert run(tmp_path, "tiny.yaml").code == 0
    assert run(tmp_path, "tiny.yaml", "name=other", "train.steps=6").code == 0
    assert run(tmp_path, "tiny.yaml", "name=other", "threads=2", "--resume").code == 0
    one, other = (Model.load(tmp_path / "runs" / name / "001/checkpoints/last") for name in ("tiny", "other"))
    assert one.weights.flat.tobytes() == other.weights.flat.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("threads=0", "threads"),
        ("threads=atuo", "did you mean 'auto'"),
        ("kernels=numppy", "did you mean 'numpy'"),
    ],
)
def test_what_they_may_be(tmp_path: Path, change: str, message: str) -> None:
    write_experiment(tmp_path)
    ended = run(tmp_path, "tiny.yaml", change)
    assert ended.code == 2
    assert message in ended.err
