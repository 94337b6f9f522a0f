"""The header in C: it compiles without a warning and computes, step by step, what the model computes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.data import Vocabulary
from minidl.exchange import c_header, write_c
from minidl.graph.symbol import Symbol
from minidl.layers import (
    GRU,
    LSTM,
    MSE,
    RNN,
    SLSTM,
    Activation,
    Add,
    Bidirectional,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Last,
    LayerNorm,
    MinGRU,
    MinLSTM,
    Multiply,
    OneHot,
    Pool,
    Slice,
)
from minidl.system.errors import UsageError

F, V, T = 3, 6, 9
COMPILERS = [found for found in map(shutil.which, ("gcc", "clang")) if found]
COMPILER = next(iter(COMPILERS), None)
MAIN = """\
#include "net.h"
#include <stdio.h>
int main(void) {
  static net_state state;
  static float y[OUT], x[4096];
  int symbol;
  (void)x, (void)symbol;
  net_reset(&state);
  while (READ) {
    net_step(&state, ARGUMENT, y);
    for (int k = 0; k < OUT; k++) printf("%.9g ", y[k]);
    printf("\\n");
  }
  return 0;
}
"""


def of(build: Callable[[Symbol], Symbol], *, ids: bool = False) -> Model:
    x = Input("x", dtype="int", depth=V) if ids else Input("x", depth=F)
    model = Model(outputs={"y": build(x)})
    model.weights.flat[...] = np.random.default_rng(0).uniform(-0.7, 0.7, model.weights.flat.size)
    return model


def gated(x: Symbol) -> Symbol:
    hidden = RNN(4, activation="relu")(x)
    kinds = [Activation(kind)(hidden) for kind in ("tanh", "sigmoid", "relu", "gelu", "gelu_tanh")]
    return Concat()(Multiply()(*kinds[:2]), Add()(*kinds[2:]), LayerNorm()(hidden), kinds[4])


MODELS: dict[str, tuple[Callable[[Symbol], Symbol], bool]] = {
    "LSTM on symbols": (lambda x: Dense(V)(LSTM(5)(OneHot()(x))), True),
    "GRU on an embedding": (lambda x: Dense(2)(GRU(5)(Embedding(4)(x))), True),
    "RNN": (RNN(4), False),
    "forecasting": (lambda x: Dense(F)(Dropout(0.2)(LSTM(6)(LSTM(5, name="first")(x)))), False),
    "classification": (lambda x: Dense(3, name="out")(Last()(GRU(5)(x))), False),
    "without biases": (lambda x: Dense(2, bias=False)(LSTM(4, bias=False)(GRU(4, bias=False)(x))), False),
    "everything else": (gated, False),
    "LSTM with peepholes and a projection": (LSTM(5, peepholes=True, projection=3), False),
    "LSTM with a projection alone": (lambda x: LSTM(4)(LSTM(5, projection=2)(x)), False),
    "MinGRU, MinLSTM and a slice of features": (lambda x: MinLSTM(4)(Slice(1, 4)(MinGRU(5)(x))), False),
    "tied": (lambda x: Dense(V, tied_to="table")(RNN(4)(Embedding(4, name="table")(x))), True),
}


def run_c(header: str, feeds: NDArray[Any], outputs: int, folder: Path) -> NDArray[np.float64]:
    (folder / "net.h").write_text(header)
    symbols = feeds.dtype.kind == "i"
    reads = 'scanf("%d", &symbol) == 1' if symbols else " && ".join(f'scanf("%f", x + {k}) == 1' for k in range(F))
    main = MAIN.replace("OUT", str(outputs)).replace("READ", reads)
    (folder / "main.c").write_text(main.replace("ARGUMENT", "symbol" if symbols else "x"))
    for compiler in reversed(COMPILERS):
        command = [compiler, "-std=c99", "-Wall", "-Werror", "-O2", "main.c", "-o", "net", "-lm"]
        subprocess.run(command, cwd=folder, check=True)
    given = "\n".join(" ".join(map(repr, np.atleast_1d(step).tolist())) for step in feeds)
    out = subprocess.run([folder / "net"], input=given, capture_output=True, text=True, check=True).stdout
    return np.array([[float(number) for number in line.split()] for line in out.splitlines()])


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_the_model(name: str, tmp_path: Path) -> None:
    build, ids = MODELS[name]
    model = of(build, ids=ids).replica()
    rng = np.random.default_rng(1)
    x = rng.integers(0, V, T) if ids else rng.standard_normal((T, F)).astype(np.float32)
    found = run_c(c_header(model, "net"), x, model.graph.results["y"].shape[-1], tmp_path)
    model.reset_state()
    expected = np.array([model.forward(x=step[None, None])["y"].ravel().copy() for step in x])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_symbols_and_what_the_model_knows_are_text_of_c(tmp_path: Path) -> None:
    model = of(lambda x: Dense(V)(OneHot()(x)), ids=True)
    model.vocabulary = Vocabulary(("a", '"', "\\", "\n", "é", "?"))
    model.metadata = {"class_names": ["*/", "7"]}
    found = write_c(model, tmp_path / "a.h", "7 a")
    assert found == {"x": [], "y": [V]}
    text = (tmp_path / "a.h").read_text()
    assert '"a",\n  "\\042",\n  "\\134",\n  "\\012",\n  "\\303\\251",\n  "\\077"' in text
    assert "m_7_a_classes[2]" in text
    if COMPILER is not None:
        subprocess.run(
            [COMPILER, "-std=c99", "-Wall", "-Werror", "-fsyntax-only", "-x", "c", "a.h"], cwd=tmp_path, check=True
        )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (GRU(2, reset_after=False), "there is no C code for a GRU with reset_after=False"),
        (SLSTM(2), "there is no C code for a step of SLSTM"),
        (Pool("mean"), "there is no C code for a step of Pool"),
        (Slice(1, axis=0), "there is no C code for a Slice of another axis than the features"),
        (Bidirectional(GRU(2)), "there is no C code for a step of Reverse"),
        (lambda x: GRU(2)(x, h0=Last()(RNN(2)(x))), "there is no C code for its input h0"),
        (lambda x: MSE(reduction="none")(x, x), "there is no C code for a step of MSE"),
    ],
)
def test_what_is_not_computed_step_by_step_is_refused(build: Callable[[Symbol], Symbol], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        c_header(of(build))
