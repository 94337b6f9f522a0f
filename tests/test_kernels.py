"""Compiled twins compute what the layers compute: every wiring of the contract, with its checks, on both kernels."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from contract import CHECKS, SIZES, WIRINGS, Wiring, assert_close, feeds_of, model_of, run

from minidl import Input, Layer, Model
from minidl.engine import dispatch, threads
from minidl.layers import GRU, LSTM, RNN, Dense, Embedding, MinGRU, MinLSTM, SoftmaxCE
from minidl.optim import Adam
from minidl.system.errors import UsageError

pytest.importorskip("minidl.kernels", reason="the room of kernels was taken out")
CELLS = ("RNN", "GRU", "LSTM", "MinGRU", "MinLSTM")
TWINS = (*CELLS, "Dense", "Embedding", "SoftmaxCE", "LayerNorm", "Graph", "Bidirectional")
PAIRS = [(name, case) for name in TWINS for case in WIRINGS[name]]
TOLERANCE = {"float32": 2e-5, "float64": 1e-11}
# What holds of arrays whoever computes them; the complex step and peak memory are looked at on NumPy.
OF_BOTH = ("poison", "untouched", "dtype", "windows")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(dispatch.VARIABLE, "c")
    yield
    threads.use(1)


def on(kind: str, wiring: Wiring, dtype: str, T: int, B: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    monkeypatch.setenv(dispatch.VARIABLE, kind)
    model = model_of(wiring, dtype)
    return run(model, feeds_of(model, T, B))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_twins_agree(name: str, case: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for T, B in SIZES:
        numpy, c = (on(kind, WIRINGS[name][case], dtype, T, B, monkeypatch) for kind in dispatch.kinds())
        assert_close(c, numpy, TOLERANCE[dtype], f"T {T}, B {B}")


@pytest.mark.parametrize("check", OF_BOTH)
@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_twins_keep_the_contract(name: str, case: str, check: str, compiled: None) -> None:
    CHECKS[check](WIRINGS[name][case])


def test_adam_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    gradients = np.random.default_rng(0).standard_normal((30, 1000)) * 3
    moved = []
    for kind in dispatch.kinds():
        monkeypatch.setenv(dispatch.VARIABLE, kind)
        adam, w = Adam(lr=0.01, clip_value=2.0, clip_norm=50.0, weight_decay=0.1), np.ones(1000)
        for gradient in gradients:
            adam.update(w, gradient.copy())
        moved.append(w)
    np.testing.assert_allclose(moved[0], moved[1], rtol=1e-12)


def test_a_class_of_the_users_own_keeps_its_code(compiled: None) -> None:
    class Mine(LSTM):
        pass

    try:
        own, twin = (
            dispatch.implementation(Mine, "forward", "float32"),
            dispatch.implementation(LSTM, "forward", "float32"),
        )
        assert own is LSTM.forward
        assert "kernels" in twin.__module__
        assert dispatch.implementation(LSTM, "forward", "complex128") is LSTM.forward
    finally:
        del LSTM.registry["Mine"]


def test_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "cc")
    with pytest.raises(UsageError, match=r"MINIDL_KERNELS: there are no kernels 'cc'; did you mean 'c'"):
        dispatch.in_use()


@pytest.mark.parametrize("layer", [RNN(40), GRU(40), LSTM(40), MinGRU(40), MinLSTM(40)], ids=CELLS)
@pytest.mark.parametrize("B", [2, 67])
def test_any_number_of_threads_gives_the_same_bits(layer: Layer, B: int, compiled: None) -> None:
    """Sums are cut where the work says, not where the threads are."""
    ids, targets = (Input(name, dtype="int", depth=30) for name in ("ids", "targets"))
    outputs = {"logits": Dense(30)(layer(Embedding(20)(ids)))}
    feeds = np.random.default_rng(0).integers(30, size=(2, 60, B))
    found = []
    for count in (1, 2, 3, 7):
        threads.use(count)
        model = Model(SoftmaxCE()(outputs["logits"], targets), outputs)
        results = model.forward(ids=feeds[0], targets=feeds[1])
        model.backward()
        found.append([results["loss"], results["logits"].tobytes(), model.executor.gradient.tobytes()])
    assert all(one == found[0] for one in found)


def test_threads_end_that_are_no_longer_in_use() -> None:
    before = set(threading.enumerate())
    threads.use(5)
    assert threads.in_shares(5, 1e9, lambda start, stop: stop - start) == [1] * 5
    workers = set(threading.enumerate()) - before
    assert len(workers) == 4
    threads.use(1)
    for worker in workers:
        worker.join(timeout=10)
    assert not workers & set(threading.enumerate())


def test_the_work_is_shared(compiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would say nothing of threads that get nothing to do."""
    parts: list[int] = []
    monkeypatch.setattr(threads.Team, "run", lambda team, calls: parts.append(len(calls)) or [call() for call in calls])
    threads.use(4)
    model = Model(outputs={"y": LSTM(40)(Input("x", depth=8))})
    model.forward(x=np.ones((60, 67, 8)))
    model.backward(y=1.0)
    assert parts == [4, 4]
