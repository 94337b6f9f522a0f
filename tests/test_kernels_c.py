"""The C code: every kernel against its layer at drawn shapes and all SIMD levels, bugs planted in it, hard numbers."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs import run, write_experiment

from minidl import Input, Model
from minidl.engine import dispatch, threads
from minidl.layers import GRU, LSTM, RNN, Dense, Embedding, LayerNorm, MinGRU, MinLSTM, SoftmaxCE
from minidl.optim import SGD, Adam, RMSprop
from minidl.system.errors import UsageError
from minidl.testing import check_layer

library = pytest.importorskip("minidl.kernels.library", reason="the room of kernels was taken out")
updates = pytest.importorskip("minidl.kernels.updates")
if library.path() is None:
    pytest.skip("minidl was installed without a C compiler", allow_module_level=True)

SOURCES = Path(library.__file__).parent / "src"
LEVELS = library.LEVELS[library.LEVELS.index(library._best_level()) :]
TOLERANCE = {"float32": 3e-5, "float64": 1e-11}
CACHES = (library.library, library.level, library.function, library.computing, library.layout, updates._within)
SIZE = st.integers(1, 70)


def forget() -> None:
    """Choose library and SIMD level anew."""
    for cache in CACHES:
        if hasattr(cache, "cache_clear"):
            cache.cache_clear()


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(library.VARIABLE, request.param)
        patch.setenv(dispatch.VARIABLE, "c")
        forget()
        yield request.param
    forget()


def compute(kind: str, build: Callable[[], Model], feeds: Mapping[str, Any]) -> dict[str, Any]:
    """All results and gradients on these kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(dispatch.VARIABLE, kind)
        model = build()
        results = model.forward(**feeds)
        model.backward()
        return {name: np.array(value) for name, value in {**results, **model.gradients}.items()}


def assert_agree(build: Callable[[], Model], feeds: Mapping[str, Any], tolerance: float) -> None:
    expected, got = (compute(kind, build, feeds) for kind in (dispatch.NUMPY, "c"))
    for name, array in expected.items():
        scale = max(1.0, float(np.abs(array).max(initial=0)))
        assert np.abs(got[name] - array).max(initial=0) <= tolerance * scale, name


def network(layer: str, V: int, E: int, H: int, dtype: str, smoothing: float = 0.0) -> Callable[[], Model]:
    """Embedding, a recurrent layer with lengths, LayerNorm, Dense, SoftmaxCE."""
    kinds = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM, "MinGRU": MinGRU, "MinLSTM": MinLSTM}

    def build() -> Model:
        ids, lengths = Input("ids", dtype="int", depth=V), Input("lengths", dtype="int", shape=("B",), depth=10**6)
        targets = Input("targets", dtype="int", depth=V)
        logits = Dense(V)(LayerNorm()(kinds[layer](H)(Embedding(E)(ids), lengths)))
        return Model(SoftmaxCE(label_smoothing=smoothing)(logits, targets), {"logits": logits}, dtype=dtype, seed=1)

    return build


def feeds_of(T: int, B: int, V: int, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    ids, targets = rng.integers(V, size=(2, T, B))
    lengths = rng.integers(1, T + 1, size=B)
    return {"ids": ids, "targets": np.where(np.arange(T)[:, None] < lengths, targets, -1), "lengths": lengths}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("layer", ["RNN", "GRU", "LSTM", "MinGRU", "MinLSTM"])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(T=st.integers(1, 9), B=SIZE, V=SIZE, E=SIZE, H=SIZE)
def test_any_shape(level: str, layer: str, dtype: str, T: int, B: int, V: int, E: int, H: int) -> None:
    assert_agree(network(layer, V, E, H, dtype, smoothing=0.1), feeds_of(T, B, V), TOLERANCE[dtype])


@pytest.mark.parametrize(("T", "B", "V", "E", "H"), [(3, 130, 600, 33, 130), (70, 2, 1000, 300, 17)])
def test_large_shapes(level: str, T: int, B: int, V: int, E: int, H: int) -> None:
    assert_agree(network("LSTM", V, E, H, "float32"), feeds_of(T, B, V), 1e-4)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(n=st.integers(1, 300), offset=st.integers(0, 20), dtype=st.sampled_from(sorted(TOLERANCE)))
def test_optimizers(level: str, n: int, offset: int, dtype: str) -> None:
    """Wherever in the memory a vector begins."""
    gradients = np.random.default_rng(n).standard_normal((4, n)).astype(dtype) * 3
    for make in (
        lambda: Adam(lr=0.01, clip_value=2.0, clip_norm=20.0, weight_decay=0.1),
        lambda: RMSprop(lr=0.01, clip_norm=5.0),
        lambda: SGD(lr=0.01, momentum=0.9, nesterov=True, clip_value=1.0),
    ):
        moved = []
        for kind in (dispatch.NUMPY, "c"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(dispatch.VARIABLE, kind)
                optimizer, w = make(), np.ones(n + offset, dtype)[offset:]
                for gradient in gradients:
                    optimizer.update(w, gradient.copy())
            moved.append(w)
        np.testing.assert_allclose(moved[1], moved[0], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
@pytest.mark.parametrize("layer", [RNN, GRU, LSTM, MinGRU, MinLSTM])
def test_nothing_past_the_end_is_read(level: str, layer: Any, value: float) -> None:
    """Results and gradients have the bits of zeros there, and every other bit is that of zeros too."""
    found = []
    for past in (0.0, value):
        x, lengths = Input("x", depth=5), Input("lengths", dtype="int", shape=("B",), depth=10)
        model = Model(outputs={"y": layer(19)(x, lengths)}, seed=1)
        given_x = np.random.default_rng(0).standard_normal((6, 3, 5)).astype("float32")
        ends = np.array([6, 2, 4])
        given_x[np.arange(6)[:, None] >= ends] = past
        y = model.forward(x=given_x, lengths=ends)["y"]
        model.backward(y=np.where(np.arange(6)[:, None, None] < ends[:, None], 1.0, past).repeat(19, axis=2))
        found.append((y.tobytes(), model.executor.gradient.tobytes()))
    assert found[0] == found[1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("size", [0.0, 1e4, 1e7, 1e30, 3e38, -3e38])
def test_a_common_offset_changes_no_loss(level: str, size: float, smoothing: float) -> None:
    logits, targets = Input("logits", depth=21), Input("targets", dtype="int", depth=21)
    model = Model(SoftmaxCE(label_smoothing=smoothing)(logits, targets))
    loss = model.forward(logits=np.full((1, 3, 21), size, "float32"), targets=[[0, 5, 20]])["loss"]
    assert loss == pytest.approx(np.log(21), rel=1e-6)


def test_nan_is_not_hidden(level: str) -> None:
    build = network("LSTM", 30, 20, 40, "float32")
    model = build()
    model.parameters["lstm/Wh"][3, 7] = np.nan
    feeds = feeds_of(5, 4, 30)
    assert np.isnan(model.forward(**feeds)["loss"])


def test_moments_that_are_denormal_become_zero(level: str) -> None:
    adam, w = Adam(lr=0.1), np.ones(50, "float32")
    adam.update(w, np.ones(50, "float32"))
    adam.history.slots["m"][...] = 1e-40
    adam.update(w, np.zeros(50, "float32"))
    assert not adam.history.slots["m"].any()


def test_recurrent_dropout_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "c")
    points = check_layer(LSTM(60, recurrent_dropout=0.3), np.ones((6, 3, 4)))
    assert [point for point in points if not point.passed] == []


def assert_threads_give_the_same_bits(V: int) -> None:
    feeds, found = feeds_of(7, 67, V), []
    for count in (1, 2, 3):
        threads.use(count)
        results = compute("c", network("GRU", V, 30, 60, "float32"), feeds)
        found.append({name: array.tobytes() for name, array in results.items()})
    threads.use(1)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("V", [50, 700])  # one block of columns of Dense, which threads share by features, and three
def test_threads_give_the_same_bits(level: str, V: int) -> None:
    assert_threads_give_the_same_bits(V)


def test_an_unknown_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "avx1024")
    forget()
    with pytest.raises(Exception, match="MINIDL_SIMD: 'avx1024' is not known here"):
        library.level()
    monkeypatch.undo()
    forget()


# --- bugs planted in the C code: the comparison above has to see each

BUGS = [
    ("lstm.h", "dc * g * i * (1 - i)", "dc * g * i * (1 + i)"),
    ("recurrent.h", "int new = run->stop == r->T;", "int new = 1;"),
    ("dense.h", "add_row(n, x + row * n", "add_row(n - 1, x + row * n"),
    ("dense.h", "new = from != f0 || to != f1", "new = !v"),
    ("dense.h", "if (!f0) set(width, sums", "if (!v) set(width, sums"),
    ("softmax_ce.h", "factor * get(p + j, width) - lowered", "factor * get(p + j, width)"),
]


def assert_all_is_right() -> None:
    assert_agree(network("LSTM", 40, 11, 21, "float32", smoothing=0.1), feeds_of(40, 35, 40), 3e-5)
    assert_agree(network("LSTM", 700, 11, 21, "float32"), feeds_of(3, 35, 700), 3e-5)
    assert_threads_give_the_same_bits(700)


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler")
@pytest.mark.parametrize(("name", "code", "bug"), BUGS)
def test_planted_bugs_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str, bug: str) -> None:
    shutil.copytree(SOURCES, tmp_path / "src")
    text = (tmp_path / "src" / name).read_text()
    assert code in text
    (tmp_path / "src" / name).write_text(text.replace(code, bug))
    command = ["gcc", "-O0", "-std=gnu11", "-shared", "-fPIC", "-DLEVEL=baseline", "-DBITS=32", "kernels.c", "-lm"]
    subprocess.run([*command, "-o", "bug.so"], cwd=tmp_path / "src", check=True)
    monkeypatch.setattr(library, "library", lambda: ctypes.CDLL(str(tmp_path / "src/bug.so")))
    monkeypatch.setattr(library, "_best_level", lambda: "baseline")
    monkeypatch.delenv(library.VARIABLE, raising=False)
    forget()
    try:
        with pytest.raises(AssertionError):
            assert_all_is_right()
    finally:
        monkeypatch.undo()
        forget()


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_no_warnings(name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    for bits in ("32", "64"):
        command = [name, "-fsyntax-only", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-DLEVEL=baseline"]
        subprocess.run([*command, f"-DBITS={bits}", str(SOURCES / "kernels.c")], check=True)


def test_without_the_library_a_run_says_so(tmp_path: Path) -> None:
    package = Path(library.__file__).parents[1]
    shutil.copytree(package, tmp_path / "there/minidl", ignore=shutil.ignore_patterns("_library*", "__pycache__"))
    write_experiment(tmp_path, train__steps=2)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "there"), "MINIDL_KERNELS": ""}
    command = [sys.executable, "-m", "minidl", "run", "tiny.yaml"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("no C compiler was found when it was installed") == 1
    environment["MINIDL_KERNELS"] = "c"
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_kernels_of_the_first_release_are_read_as_auto(tmp_path: Path) -> None:
    write_experiment(tmp_path, kernels="numba", train__steps=2)
    assert run(tmp_path, "tiny.yaml").code == 0


def test_a_library_of_another_version_is_told() -> None:
    """As after `git pull` in an installation that was not made anew."""
    for ask in (lambda: library.layout("Unheard"), lambda: library.computing("unheard", "float32")):
        with pytest.raises(UsageError, match="install it anew"):
            ask()
    with pytest.raises(UsageError, match="LayerNorm has no unheard"):
        library.packed("LayerNorm", {"unheard": 1})
