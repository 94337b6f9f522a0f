"""What users of the API do wrong, and code of theirs that fails: an error that names the node and what to do."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minidl import Input, Layer, Model, Predictor
from minidl.generate import sample_text
from minidl.graph.arrays import Cache, Out
from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE
from minidl.optim import Adam
from minidl.system.errors import GraphError, MinidlError
from minidl.testing import check_layer, check_optimizer, gradcheck
from minidl.training import Trainer

IDS = np.zeros((3, 2), int)
Array = np.ndarray[Any, Any]


def small(layer: Layer | None = None) -> Model:
    ids, targets = (Input(name, dtype="int", depth=5) for name in ("ids", "targets"))
    hidden = LSTM(4, name="lstm")(OneHot()(ids))
    logits = Dense(5, name="logits")(hidden if layer is None else layer(hidden))
    return Model(SoftmaxCE(name="loss")(logits, targets), outputs={"logits": logits})


def passed(model: Model) -> Model:
    model.forward(ids=IDS, targets=IDS)
    model.backward()
    return model


def assign(name: str, value: Any) -> Callable[[], object]:
    return lambda: small().parameters.__setitem__(name, value)


def delete() -> None:
    del small().parameters["lstm/Wx"]  # type: ignore[misc]


MISUSES: dict[str, tuple[Callable[[], object], str]] = {
    "another shape": (assign("lstm/Wx", np.ones((5, 15))), "has shape (5, 16), and keeps it; got (5, 15)"),
    "nothing": (assign("lstm/Wx", None), "'lstm/Wx' takes real numbers"),
    "words": (assign("lstm/Wx", "abc"), "'lstm/Wx' takes real numbers"),
    "rows of several lengths": (assign("lstm/Wx", [[1], [1, 2]]), "got a ragged list"),
    "a masked array": (assign("lstm/Wx", np.ma.masked_all((5, 16))), "fill the masked array first"),
    "an unknown parameter": (assign("lstm/Wq", 1.0), "did you mean 'lstm/Wx'?"),
    "a deleted parameter": (delete, "cannot be deleted: build a model without it"),
    "a step without a backward pass": (lambda: Adam().step(small()), "call model.forward(...) and model.backward()"),
    "a step of no model": (lambda: Adam().step(None), "an optimizer steps a Model, got NoneType"),  # type: ignore[arg-type]
    "a gradient of None": (lambda: passed(small()).backward(logits=None), "gradient of 'logits' should be numbers"),
    "masked ids": (lambda: small().forward(ids=np.ma.masked_equal(IDS, 0)), "input 'ids' is a masked array"),
    "a parameter by number": (lambda: small().parameters[0], "there is no parameter 0"),  # type: ignore[index]
    "a parameter by list": (lambda: small().parameters[[]], "there is no parameter []"),  # type: ignore[index]
    "a gradient out of range": (lambda: passed(small()).backward(logits=10**400), "gradient of 'logits' should be"),
    "an output without a name": (lambda: Model(outputs={None: Input("x", depth=2)}), "an output has a name"),  # type: ignore[dict-item]
    "a shape that is a number": (lambda: Input("x", shape=3), "a shape is a list of sizes and letters, got 3"),  # type: ignore[arg-type]
    "a model tried as a layer": (lambda: Model.of(small(), IDS), "such as Dense(3), got Model"),  # type: ignore[arg-type]
    "nothing checked as a layer": (lambda: check_layer(None), "such as Dense(3), got NoneType"),  # type: ignore[arg-type]
    "a layer for gradcheck": (lambda: gradcheck(Dense(2), {}), "of a layer by check_layer"),  # type: ignore[arg-type]
    "a class of optimizers": (lambda: check_optimizer(Adam), "such as Adam(), got"),  # type: ignore[arg-type]
    "a name for a Predictor": (lambda: Predictor("run"), "Predictor.load of the name of a run, got str"),  # type: ignore[arg-type]
    "text of no model": (lambda: next(sample_text(None)), "text is written by a Model"),  # type: ignore[arg-type]
    "training on nothing": (lambda: Trainer(small(), None, Adam(), steps=1), "reads a Dataset"),  # type: ignore[arg-type]
    "training of nothing": (lambda: Trainer(None, None, Adam(), steps=1), "trains a Model, got None"),  # type: ignore[arg-type]
    "saved nowhere": (lambda: small().save(None), "a file is given by its path, got NoneType"),  # type: ignore[arg-type]
    "loaded from nowhere": (lambda: Model.load(0), "a file is given by its path, got int"),  # type: ignore[arg-type]
    "weights of a folder": (lambda: small().load_weights("."), "is a folder, and no file of weights"),
    "a pickled model": (lambda: pickle.dumps(small()), "use model.save(path)"),
    "a copied model": (lambda: copy.copy(small()), "use model.replica()"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_what_a_user_of_the_api_does_wrong(misuse: str) -> None:
    call, says = MISUSES[misuse]
    with pytest.raises(MinidlError) as raised:
        call()
    assert says in str(raised.value)


def test_parameters_are_changed_in_place() -> None:
    model = small()
    weights = model.parameters["lstm/Wx"]
    model.parameters["lstm/Wx"] = np.ones((5, 16))
    model.parameters["lstm/Wx"] += 1
    assert (weights == 2).all()
    model.parameters["lstm/Wx"].shape = (16, 5)
    assert model.parameters["lstm/Wx"].shape == (5, 16)
    passed(model)


@dataclass(frozen=True)
class Through(Layer):
    """A layer whose methods the cases below replace."""

    def arrays(self, x: Any) -> Any:
        return {"y": Out(x)}

    def forward(self, x: Array, y: Array) -> None:
        y[...] = x

    def backward(self, dy: Array, dx: Array) -> None:
        dx[...] = dy


DECLARED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "nothing": (lambda x: None, "Through.arrays should return declarations by name, got NoneType"),
    "a list": (lambda x: [Out(x)], "got list"),
    "no output": (lambda x: {"c": Cache(x)}, "declares no output"),
    "a shape": (lambda x: {"y": Out(x), "c": x}, "'c': (T, B, 4)"),
    "half a step": (lambda x: {"y": Out((x[0], x[1] / 2, x[2]))}, "shape of 'y' should be whole numbers"),
    "a float": (lambda x: {"y": Out((x[0], x[1], 4.0))}, "(T, B, 4.0)"),  # type: ignore[arg-type]
    "less than nothing": (lambda x: {"y": Out((x[0], x[1], -4))}, "(T, B, -4)"),
    "no shape": (lambda x: {"y": Out(None)}, "got None"),  # type: ignore[arg-type]
    "an unknown dtype": (lambda x: {"y": Out(x), "c": Cache(x, "float33")}, "'float33'"),
    "objects": (lambda x: {"y": Out(x), "c": Cache(x, "O")}, "dtype of 'c'"),
    "steps of nothing": (
        lambda x: {"y": Out(x, steps_of="h")},
        "declares no State 'h', as y is the steps of",
    ),
    "steps of a cache": (lambda x: {"y": Out(x, steps_of="c"), "c": Cache(x)}, "declares no State 'c'"),
}


@pytest.mark.parametrize("case", DECLARED)
def test_what_arrays_of_a_layer_declares(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare, says = DECLARED[case]
    monkeypatch.setattr(Through, "arrays", lambda self, x: declare(x))
    with pytest.raises(MinidlError) as raised:
        small(Through(name="mine"))
    assert says in str(raised.value)
    assert "node 'mine' (Through, fed by 'lstm' (T, B, 4))" in str(raised.value)


@dataclass(frozen=True)
class Listed(Through):
    inputs = ["x"]  # type: ignore[assignment]


@dataclass(frozen=True)
class Selfless(Through):
    def forward(x, y):  # type: ignore[override]
        y[...] = x


@pytest.mark.parametrize(
    ("layer", "says"),
    [(Listed(), "Listed.inputs should be InputSpecs by name"), (Selfless(), "Selfless.forward should take self first")],
)
def test_what_a_layer_is_declared_with(layer: Layer, says: str) -> None:
    with pytest.raises(GraphError, match=says):
        small(layer)


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_layer_that_ends_the_program_is_an_error(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is not done does not end with exit code 0."""
    monkeypatch.setattr(Through, method, {"forward": leave_forward, "backward": leave_backward}[method])
    with pytest.raises(RuntimeError, match=f"{method} of the node 'layer' ends the program") as raised:
        passed(small(Through(name="layer")))
    assert raised.traceback[-1].name == f"leave_{method}"


def leave_forward(self: Layer, x: Array, y: Array) -> None:
    raise SystemExit(0)


def leave_backward(self: Layer, dy: Array, dx: Array) -> None:
    raise SystemExit(0)


@pytest.mark.parametrize("method", ["arrays", "forward", "backward"])
def test_an_exception_in_a_layer_passes_through_and_names_the_node(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("mine")

    methods = {
        "arrays": lambda self, x: fail(),
        "forward": lambda self, x, y: fail(),
        "backward": lambda self, dy, dx: fail(),
    }
    monkeypatch.setattr(Through, method, methods[method])
    with pytest.raises(KeyError) as raised:
        passed(small(Through(name="layer")))
    assert raised.value.args == ("mine",)
    assert raised.traceback[-1].name == "fail"
    notes = getattr(raised.value, "__notes__", [f"in {method} of the node 'layer'"])  # from Python 3.11 on
    assert len(notes) == 1
    assert notes[0].startswith(f"in {method} of the node 'layer'")


def test_nodes_and_models_are_copied() -> None:
    x = Input("x", depth=3)
    y = Dense(2)(LSTM(3, name="lstm")(x))
    feed = np.ones((2, 1, 3))
    expected = Model(outputs={"y": y}).forward(x=feed)["y"]
    for twin in (copy.copy(y), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert repr(twin) == repr(y)
        assert (Model(outputs={"y": twin}).forward(x=feed)["y"] == expected).all()
    model = small()
    model.forward(ids=IDS)
    twin = copy.deepcopy(model)
    assert (twin.forward(ids=IDS)["logits"] == model.forward(ids=IDS)["logits"]).all()
    twin.parameters["lstm/Wx"] += 1
    assert (twin.parameters["lstm/Wx"] != model.parameters["lstm/Wx"]).any()


def test_a_trained_model_is_handed_to_a_worker() -> None:
    model = passed(small())
    before, twin = model.forward(ids=IDS)["logits"], copy.deepcopy(model)
    kept = before.copy()
    right = twin.forward(ids=IDS + 1)["logits"]
    with ThreadPoolExecutor(1) as pool:  # which lives on
        assert (pool.submit(lambda: model.forward(ids=IDS + 1)["logits"]).result() == right).all()
        assert (before == kept).all()  # what this thread was given is its own
        with pytest.raises(MinidlError, match=r"give each thread a model\.replica\(\)"):
            model.forward(ids=IDS)  # the state is that of the worker
        with pytest.raises(MinidlError, match=r"model\.replica\(\)"):
            Adam().step(model)
        model.reset_state()  # nothing of the worker's is left
        twin.reset_state()
        assert (model.forward(ids=IDS)["logits"] == twin.forward(ids=IDS)["logits"]).all()
        with pytest.raises(MinidlError, match=r"begin anew with model\.reset_state\(\)"):
            pool.submit(lambda: model.forward(ids=IDS)).result()
    model.forward(ids=IDS)
    model.forward(ids=IDS, targets=IDS)
    with pytest.raises(MinidlError, match=r"there is no gradient yet"):
        Adam().step(model)


def test_a_model_that_carries_nothing_serves_threads_in_turn() -> None:
    model = Model(outputs={"y": Dense(3)(Input("x", depth=2))})
    feeds = [np.full((1, 2, 2), i) for i in range(8)]
    right = [model.replica().forward(x=feed)["y"].copy() for feed in feeds]
    turn, start = threading.Lock(), threading.Barrier(4)

    def serve(part: int) -> None:
        start.wait()
        for _ in range(10):
            for i in range(part, 8, 4):
                with turn:
                    got = model.forward(x=feeds[i])["y"]
                assert (got == right[i]).all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(serve, range(4)))


def test_a_pass_is_not_begun_while_another_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def forward(self: Through, x: Array, y: Array) -> None:
        y[...] = x
        inside.set()
        go_on.wait(20)

    monkeypatch.setattr(Through, "forward", forward)
    model = Model(outputs={"y": Through()(Input("x", depth=2))})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: model.forward(x=np.ones((1, 1, 2)))["y"])
        inside.wait(20)
        for call in (lambda: model.forward(x=np.zeros((1, 1, 2))), model.reset_state):
            with pytest.raises(MinidlError, match="this model computes in the thread 'ThreadPool"):
                call()
        go_on.set()
        assert (running.result() == 1).all()
