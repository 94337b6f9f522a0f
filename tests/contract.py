"""The contract of layers: the wirings in which every registered layer is tried, and the checks that all of them pass.

The checks are plain functions that raise AssertionError. `test_layers.py` runs them on minidl as it is, and
`test_planted_bugs.py` on copies of minidl that are wrong on purpose: a checker that is not checked proves nothing.

A wiring is a function from inputs to a node, or to several by name. The names of its arguments say what it is fed:
see `KINDS`.
"""

from __future__ import annotations

import inspect
import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import reference
from numpy.typing import NDArray

from minidl import Input, Layer, Model
from minidl.engine.executor import Executor
from minidl.graph.graph import Graph
from minidl.graph.layer import Node
from minidl.layers import (
    GRU,
    LSTM,
    MSE,
    RNN,
    Activation,
    Add,
    Bidirectional,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Last,
    LayerNorm,
    OneHot,
    Reverse,
    SigmoidCE,
    SoftmaxCE,
    time_steps,
)
from minidl.system.errors import GraphError
from minidl.testing.gradcheck import gradcheck

Array = NDArray[Any]
Wiring = Callable[..., Any]

FEATURES, UNITS, SYMBOLS = 10, 11, 12  # all different, so that no axis can be taken for another
SIZES = ((1, 1), (1, 3), (5, 1), (4, 3), (20, 3))  # (T, B)

time_steps.BLOCK = 4 * UNITS  # blocks of a few steps, so that their seams are tried too


@dataclass(frozen=True)
class Kind:
    """One kind of input: its place in a graph, and arrays to feed there."""

    input: Callable[[str], Input]
    sample: Callable[[np.random.Generator, int, int], Array]


def features(size: int) -> Kind:
    return Kind(partial(Input, depth=size), lambda rng, T, B: rng.standard_normal((T, B, size)))


def draw_ids(rng: np.random.Generator, T: int, B: int) -> Array:
    return rng.integers(SYMBOLS, size=(T, B))


def draw_targets(rng: np.random.Generator, T: int, B: int) -> Array:
    """Ids, of which a third is to be ignored."""
    return np.where(rng.random((T, B)) < 0.3, -1, draw_ids(rng, T, B))


KINDS = {
    "x": features(FEATURES),
    "x2": features(FEATURES),
    "x3": features(UNITS),
    "step": Kind(partial(Input, shape=("B", FEATURES)), lambda rng, T, B: rng.standard_normal((B, FEATURES))),
    "ids": Kind(partial(Input, dtype="int", depth=SYMBOLS), draw_ids),
    "targets": Kind(partial(Input, dtype="int", depth=SYMBOLS), draw_targets),
    "answers": Kind(partial(Input, depth=FEATURES), lambda rng, T, B: rng.uniform(size=(T, B, FEATURES))),
    "lengths": Kind(partial(Input, dtype="int", shape=("B",)), lambda rng, T, B: rng.integers(1, T + 1, size=B)),
}


def recurrent(layer: Callable[..., Layer]) -> dict[str, Wiring]:
    return {
        "features": lambda x: layer(UNITS)(x),
        "one-hot": lambda ids: layer(UNITS)(OneHot()(ids)),
        "lengths": lambda x, lengths: layer(UNITS)(x, lengths),
        "dropout": lambda x: layer(UNITS, dropout=0.4)(x),
        "recurrent dropout": lambda x: layer(UNITS, recurrent_dropout=0.4)(x),
        "two deep": lambda ids: layer(UNITS, dropout=0.2)(layer(FEATURES)(OneHot()(ids))),
        "trained below": lambda x: layer(UNITS)(Dense(FEATURES)(x)),
    }


CASES: dict[str, dict[str, Wiring]] = {
    "Activation": {
        kind: partial(lambda x, kind: Activation(kind)(x), kind=kind) for kind in ("tanh", "sigmoid", "relu", "gelu")
    }
    | {"gelu of a step": lambda step: Activation("gelu")(step)},
    "Add": {
        "one": lambda x: Add()(x),
        "three": lambda x, x2: Add()(x, x2, Dense(FEATURES)(x)),
        "twice the same": lambda x: Add()(x, x),
    },
    "Bidirectional": {
        "LSTM": lambda x: Bidirectional(LSTM(UNITS))(x),
        "GRU with lengths": lambda x, lengths: Bidirectional(GRU(UNITS))(x, lengths),
        "RNN with dropout": lambda ids: Bidirectional(RNN(UNITS, dropout=0.3, recurrent_dropout=0.3))(OneHot()(ids)),
        "two deep": lambda x: Bidirectional(RNN(UNITS))(Bidirectional(RNN(FEATURES))(x)),
    },
    "Concat": {
        "one": lambda x: Concat()(x),
        "three sizes": lambda x, x3: Concat()(x, x3, Dense(SYMBOLS)(x)),
        "twice the same": lambda x: Concat()(x, x),
    },
    "Dense": {
        "features": lambda x: Dense(UNITS)(x),
        "a step": lambda step: Dense(UNITS)(step),
        "one-hot": lambda ids: Dense(UNITS)(OneHot()(ids)),
        "tied": lambda ids: Dense(SYMBOLS, tied_to="embedding")(Embedding(UNITS)(ids)),
        "tied around": lambda ids: Dense(SYMBOLS, tied_to="embedding")(GRU(UNITS)(Embedding(UNITS)(ids))),
    },
    "Dropout": {
        "features": lambda x: Dropout(0.4)(x),
        "the same at every step": lambda x: Dropout(0.4, same_at_every_step=True)(x),
        "of none": lambda x: Dropout(0.0)(x),
        "of one-hot": lambda ids: Dense(UNITS)(Dropout(0.4)(OneHot()(ids))),
    },
    "Embedding": {"ids": lambda ids: Embedding(UNITS)(ids)},
    "GRU": recurrent(GRU),
    "LSTM": recurrent(LSTM),
    "Last": {"all steps": lambda x: Last()(x), "lengths": lambda x, lengths: Last()(x, lengths)},
    "LayerNorm": {
        "features": lambda x: LayerNorm()(x),
        "a step": lambda step: LayerNorm()(step),
        "a large eps": lambda x: LayerNorm(eps=0.5)(x),
    },
    "MSE": {
        "mean": lambda x, answers: MSE()(x, answers),
        "sum": lambda x, answers: MSE("sum")(Dense(FEATURES)(x), answers),
        "lengths": lambda x, answers, lengths: MSE()(x, answers, lengths),
    },
    "OneHot": {
        "written out": lambda ids: OneHot()(ids),
        "looked up": lambda ids: Dense(UNITS)(OneHot()(ids)),
        "read in both ways": lambda ids: one_hot_twice(OneHot()(ids)),
    },
    "RNN": recurrent(RNN) | {"relu": lambda x: RNN(UNITS, activation="relu")(x)},
    "Reverse": {"all steps": lambda x: Reverse()(x), "lengths": lambda x, lengths: Reverse()(x, lengths)},
    "SigmoidCE": {
        "mean": lambda x, answers: SigmoidCE()(x, answers),
        "sum": lambda x, answers: SigmoidCE("sum")(Dense(FEATURES)(x), answers),
        "lengths": lambda x, answers, lengths: SigmoidCE()(x, answers, lengths),
    },
    "SoftmaxCE": {
        "mean": lambda x, targets: SoftmaxCE()(Dense(SYMBOLS)(x), targets),
        "sum": lambda x, targets: SoftmaxCE("sum")(Dense(SYMBOLS)(x), targets),
        "smooth": lambda x, targets: SoftmaxCE(label_smoothing=0.2)(Dense(SYMBOLS)(x), targets),
        "smooth sum": lambda x, targets: SoftmaxCE("sum", label_smoothing=0.2)(Dense(SYMBOLS)(x), targets),
        "nothing ignored": lambda x, ids: SoftmaxCE()(Dense(SYMBOLS)(x), ids),
    },
}


def one_hot_twice(rows: Node) -> Node:
    return Concat()(Dense(UNITS)(rows), Activation("tanh")(rows))


def fan_out(x: Input) -> Node:
    hidden = Dense(UNITS)(x)
    return Add()(Activation("tanh")(hidden), Activation("sigmoid")(hidden), hidden, LSTM(UNITS)(x))


def shared(x: Input) -> Node:
    layer = LSTM(FEATURES)
    return layer(Add()(x, layer(x)))


def several(x: Input, ids: Input) -> dict[str, Node]:
    hidden = GRU(UNITS)(Concat()(x, Embedding(UNITS)(ids)))
    return {"hidden": hidden, "logits": Dense(SYMBOLS)(hidden), "last": Dense(2)(Last()(hidden))}


def loss_beside_output(ids: Input, targets: Input) -> dict[str, Node]:
    logits = Dense(SYMBOLS)(RNN(UNITS)(OneHot()(ids)))
    return {"logits": logits, "cost": SoftmaxCE()(logits, targets)}


GRAPHS: dict[str, Wiring] = {
    "fan-out": fan_out,
    "shared": shared,
    "several": several,
    "loss beside output": loss_beside_output,
    "deep": lambda x: Dense(2)(RNN(UNITS)(LSTM(UNITS)(GRU(UNITS)(x)))),
}
WIRINGS: dict[str, dict[str, Wiring]] = {**CASES, "Graph": GRAPHS}


def uncovered() -> list[str]:
    """The layers of minidl that have no case here."""
    own = [name for name, layer in Layer.types().items() if layer.__module__.startswith("minidl.")]
    return [name for name in own if not CASES.get(name)]


def model_of(wiring: Wiring, dtype: str = "float64") -> Model:
    """The wiring as a model, with weights among which there is no zero for a mistake to hide behind."""
    names = [name for name in inspect.signature(wiring).parameters if name in KINDS]
    results = wiring(**{name: KINDS[name].input(name) for name in names})
    model = Model(outputs=results if isinstance(results, dict) else {"y": results}, dtype=dtype)
    model.weights.flat[...] = np.random.default_rng(1).uniform(-0.7, 0.7, model.weights.flat.shape)
    return model


def feeds_of(model: Model, T: int, B: int, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {name: KINDS[name].sample(rng, T, B) for name in model.graph.inputs}


def seeds_of(results: Mapping[str, Any]) -> dict[str, Array]:
    """A gradient for each result."""
    rng = np.random.default_rng(2)
    return {name: rng.standard_normal(np.shape(value)) for name, value in results.items()}


def run(model: Model, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Copies of all that a forward and a backward pass leave to see."""
    results = model.forward(**feeds)
    found = {f"result {name}": np.array(value) for name, value in results.items()}
    inputs = model.backward(**seeds_of(results))
    found |= {f"gradient of {name}": array.copy() for name, array in {**model.gradients, **inputs}.items()}
    return found | {f"state {name}": array.copy() for name, array in model.state.items()}


def assert_same(got: Mapping[str, Array], expected: Mapping[str, Array], what: str) -> None:
    """To the bit."""
    assert got.keys() == expected.keys(), f"{what}: {sorted(got)}, not {sorted(expected)}"
    for name, array in expected.items():
        assert got[name].tobytes() == array.tobytes(), f"{what}: {name} is another"


def assert_close(got: Mapping[str, Array], expected: Mapping[str, Array], tolerance: float, what: str) -> None:
    assert got.keys() == expected.keys(), f"{what}: {sorted(got)}, not {sorted(expected)}"
    for name, array in expected.items():
        error = np.abs(got[name] - array).max(initial=0) / max(1.0, np.abs(array).max(initial=0))
        assert error <= tolerance, f"{what}: {name} differs by {error:.1e}"


def check_binding(wiring: Wiring) -> None:
    """Every argument of forward and backward is the name of an array."""
    try:
        model_of(wiring)
    except GraphError as error:
        raise AssertionError(str(error)) from None


def check_config(wiring: Wiring) -> None:
    """1. Layers and graph go through JSON unchanged."""
    graph = model_of(wiring).graph
    for node in graph.nodes.values():
        again = Layer.from_config(json.loads(json.dumps(node.layer.config())))
        assert again == node.layer, f"{again} is not {node.layer}"
        assert hash(again) == hash(node.layer)
        assert repr(again) == repr(node.layer)
    rebuilt = Graph.from_config(json.loads(json.dumps(graph.config(), sort_keys=True)))  # as files may do
    assert rebuilt.config() == graph.config()
    assert list(rebuilt.parameters().items()) == list(graph.parameters().items())


def check_gradient(wiring: Wiring) -> None:
    """2. Every gradient is the derivative, at every size."""
    for T, B in SIZES:
        model = model_of(wiring)
        checks = gradcheck(model, feeds_of(model, T, B), probes=2)
        floats = {name for name, node in model.graph.inputs.items() if node.dtype == "float"}
        assert {check.array for check in checks} == {*model.parameters, *floats}
        for check in checks:
            assert check.error <= 1e-10, f"T = {T}, B = {B}: {check}"


def check_poison(wiring: Wiring) -> None:
    """3. What buffers and gradients held before does not matter, to the bit."""
    model = model_of(wiring)
    feeds = feeds_of(model, 4, 3)
    run(model, feeds)
    memory = model.executor.state_dict()
    first = run(model, feeds)
    poison(model)
    model.executor.load_state_dict(*memory)
    with np.errstate(all="ignore"):
        assert_same(run(model, feeds), first, "after poison")
    assert all(np.isfinite(array).all() for array in first.values())


def poison(model: Model) -> None:
    """NaN everywhere but in the weights: bytes of 0xFF."""
    for arena in model.executor._arenas:
        arena.block[...] = 0xFF
    model.executor.gradient[...] = np.nan


def backward_calls(model: Model, feeds: Mapping[str, Array]) -> Iterator[tuple[Callable[[], Any], Array]]:
    """The layers' backward functions in order, with `dy`; each is to be called before the next is taken."""
    executor = model.executor
    seeds = seeds_of(model.forward(**feeds))
    executor.backward(seeds)
    (program,) = executor._backwards.values()
    executor._set_seeds(program, seeds)
    for name, call in program.calls:
        if name in model.graph.nodes:
            yield call, program._parts_of(name)[0]
        else:
            call()


def check_untouched(wiring: Wiring) -> None:
    """4. BackwardProgram leaves inputs, `dy`, parameters and all that forward computed as they were."""
    model = model_of(wiring)
    feeds = feeds_of(model, 4, 3)
    given = {name: array.copy() for name, array in feeds.items()}
    for call, dy in backward_calls(model, feeds):
        arrays = {"dy": dy, "weights": model.weights.flat, "forward": model.executor._arenas[0].block}
        before = {name: array.copy() for name, array in arrays.items()}
        call()
        assert_same(arrays, before, "after backward")
    assert_same(feeds, given, "after backward")


def check_reference(wiring: Wiring) -> None:
    """5. Every node computes from its inputs what slow loops compute, from a state that is not zero."""
    model = model_of(wiring)
    model.forward(**feeds_of(model, 4, 3, seed=3))
    values = feeds_of(model, 4, 3)
    model.forward(**values)
    for name, node in model.graph.nodes.items():
        arrays = {key.partition("/")[2]: array for key, array in model.arrays.items() if key.startswith(f"{name}/")}
        expected = REFERENCES[type(node.layer).__name__](
            node.layer, arrays, *(values[source] for source in model.graph.sources(name))
        )
        values[name] = arrays.get("y", expected)  # one-hot rows may stay unwritten
        assert_close({"y": values[name]}, {"y": expected}, 1e-12, name)


def weights_in_use(layer: Any, arrays: Mapping[str, Array]) -> Array:
    """Wh, or what dropout has left of it, scaled up."""
    rate = layer.recurrent_dropout
    return arrays["Wh"] * (arrays["mask"] > 0) / (1 - rate) if rate else arrays["Wh"]


def rnn(layer: Any, a: Mapping[str, Array], x: Array, lengths: Array | None = None) -> Array:
    h = reference.rnn(x, a["h"][0], a["Wx"], weights_in_use(layer, a), a["b"], layer.activation)[0]
    return up_to_the_end(h, lengths)


def gru(layer: Any, a: Mapping[str, Array], x: Array, lengths: Array | None = None) -> Array:
    h = reference.gru(x, a["h"][0], a["Wx"], weights_in_use(layer, a), a["b"], a["bh"])[0]
    return up_to_the_end(h, lengths)


def lstm(layer: Any, a: Mapping[str, Array], x: Array, lengths: Array | None = None) -> Array:
    h, _, c = reference.lstm(x, a["h"][0], a["c"][0], a["Wx"], weights_in_use(layer, a), a["b"])
    if lengths is None:
        assert_close({"c": a["c"][-1]}, {"c": c}, 1e-12, "lstm")
    return up_to_the_end(h, lengths)


def up_to_the_end(h: Array, lengths: Array | None) -> Array:
    """h, and 0 where sequences have ended."""
    if lengths is not None:
        h[np.arange(len(h))[:, None] >= lengths] = 0
    return h


def of_elements(
    mean: Callable[..., float], layer: Any, a: Mapping[str, Array], x: Array, t: Array, lengths: Array | None = None
) -> Array:
    """A loss of all elements, or of those within the lengths."""
    inside = ... if lengths is None else np.arange(len(x))[:, None] < lengths
    return np.array(mean(x[inside], t[inside]) * (1 if layer.reduction == "mean" else x[inside].size))


REFERENCES: dict[str, Callable[..., Array]] = {
    "Activation": lambda layer, a, x: reference.activation(layer.kind, x),
    "Add": lambda layer, a, *xs: sum(xs[1:], start=xs[0]),
    "Concat": lambda layer, a, *xs: np.concatenate(xs, axis=-1),
    "Dense": lambda layer, a, x: reference.dense(x, a["W"], a["b"]),
    "Dropout": lambda layer, a, x: x * np.broadcast_to(a["mask"], x.shape) / (1 - layer.rate),
    "Embedding": lambda layer, a, ids: reference.embedding(ids, a["table"]),
    "GRU": gru,
    "LSTM": lstm,
    "Last": lambda layer, a, x, lengths=None: reference.last(x, lengths),
    "LayerNorm": lambda layer, a, x: reference.layer_norm(x, a["gain"], a["bias"], layer.eps),
    "MSE": partial(of_elements, reference.mse),
    "OneHot": lambda layer, a, ids: reference.one_hot(ids, SYMBOLS),
    "RNN": rnn,
    "Reverse": lambda layer, a, x, lengths=None: reference.reverse(x, lengths),
    "SigmoidCE": partial(of_elements, reference.sigmoid_ce),
    "SoftmaxCE": lambda layer, a, x, t: np.array(
        reference.softmax_ce(x, t, layer.reduction, label_smoothing=layer.label_smoothing)
    ),
}


def check_allocation(wiring: Wiring) -> None:
    """6. Once warm, a step allocates nothing as large as one (T, B, features) slab."""
    T, B = 32, 512  # large enough for the buffers of fixed size in which NumPy converts to be nothing beside it
    model = model_of(wiring, "float32")
    feeds = in_single(feeds_of(model, T, B))
    seeds = in_single(seeds_of(model.forward(**feeds)))
    for _ in range(2):
        model.forward(**feeds)
        model.backward(**seeds)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        model.forward(**feeds)
        model.backward(**seeds)
        largest = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    slab = T * B * FEATURES * 4
    assert largest < slab, f"{largest:,} bytes were allocated, a slab is {slab:,}"


def in_single(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """In float32 where they are floats, so that nothing has to be converted on its way in."""
    return {name: array.astype("float32") if array.dtype.kind == "f" else array for name, array in arrays.items()}


def check_dtype(wiring: Wiring) -> None:
    """7. float32 stays float32, and means the same as float64."""
    single, double = model_of(wiring, "float32"), model_of(wiring)
    feeds = feeds_of(single, 4, 3)
    found = run(single, feeds)
    for name, array in {**found, **single.arrays, **single.parameters}.items():
        assert array.dtype.kind != "f" or array.dtype == np.float32 or array.shape == (), f"{name} is {array.dtype}"
    assert_close(found, run(double, feeds), 1e-4, "float32")


def check_windows(wiring: Wiring) -> None:
    """8. Two windows of T are one of 2T: state is carried on, and zero after a reset."""
    model = model_of(wiring).replica(training=False)
    T, B = 5, 3
    feeds = feeds_of(model, 2 * T, B)
    names = {type(node.layer).__name__ for node in model.graph.nodes.values()}
    if feeds.keys() & {"lengths", "step"} or names & {"Reverse", "Last"}:
        return  # what has an end, or no steps, has no windows
    whole = states_and_steps(model, feeds)
    for _ in range(2):
        model.reset_state()
        first = states_and_steps(model, {name: array[:T] for name, array in feeds.items()})
        second = states_and_steps(model, {name: array[T:] for name, array in feeds.items()})
        joined = {name: np.concatenate([first[name], array])[-len(whole[name]) :] for name, array in second.items()}
        assert_close(joined, whole, 1e-12, "two windows")


def states_and_steps(model: Model, feeds: Mapping[str, Array]) -> dict[str, Array]:
    found = {f"result {name}": array.copy() for name, array in model.forward(**feeds).items() if np.ndim(array) == 3}
    return found | {f"state {name}": array.copy() for name, array in model.state.items()}


def check_unneeded(wiring: Wiring) -> None:
    """9. A gradient that nobody needs is None, and the others are the same without it."""
    model = model_of(wiring)
    feeds = feeds_of(model, 4, 3)
    expected = run(model, feeds)
    for call, _ in backward_calls(model, feeds):
        call()
        assert isinstance(call, partial)
        layer: Any = getattr(call.func, "__self__", None)
        for name in sorted({"dxs", *(f"d{port}" for port in layer.inputs)} & call.keywords.keys()):
            before = model.executor.gradient.copy()
            nothing = [None] * len(call.keywords[name]) if name == "dxs" else None
            try:
                call.func(**{**call.keywords, name: nothing})
            except Exception as error:
                raise AssertionError(f"{layer} cannot do without {name}: {error!r}") from error
            assert_same({"gradient": model.executor.gradient}, {"gradient": before}, f"without {name}")
    model.executor = Executor(model.graph, model.weights, training=True, seed=0, input_gradients=False)
    found = run(model, feeds)
    assert_same(found, {name: expected[name] for name in found}, "without gradients of inputs")
    assert not [name for name in found if name.removeprefix("gradient of ") in model.graph.inputs]


def check_results(wiring: Wiring) -> None:
    """The gradients of the results, each alone, add up to the gradient of all: nothing is left over, nothing lost."""
    model = model_of(wiring)
    feeds = feeds_of(model, 4, 3)
    seeds = seeds_of(model.forward(**feeds))
    model.backward(**seeds)
    whole = model.executor.gradient.copy()
    parts = np.zeros_like(whole)
    for name, seed in seeds.items():
        model.backward(**{name: seed})
        parts += model.executor.gradient
    assert_close({"gradient": parts}, {"gradient": whole}, 1e-13, "results one by one")


CHECKS: dict[str, Callable[[Wiring], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}
