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
import reference_more as more
from numpy.typing import NDArray

from minidl import Input, Layer, Model
from minidl.config.declared import snake_case
from minidl.engine.executor import Executor
from minidl.graph.arrays import Cache
from minidl.graph.graph import Graph
from minidl.graph.layer import Node
from minidl.layers import (
    CRF,
    CTC,
    GRU,
    LSTM,
    MAE,
    MSE,
    RNN,
    SLSTM,
    Activation,
    Add,
    AdditiveAttention,
    Attention,
    Bidirectional,
    Cell,
    Concat,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GaussianNLL,
    Huber,
    Last,
    LastState,
    LayerNorm,
    Mean,
    MinGRU,
    MinLSTM,
    Multiply,
    OneHot,
    PoissonNLL,
    Pool,
    Quantile,
    Repeat,
    Reverse,
    SigmoidCE,
    Slice,
    SoftmaxCE,
    time_steps,
)
from minidl.system.errors import GraphError
from minidl.testing.gradcheck import gradcheck

Array = NDArray[Any]
Wiring = Callable[..., Any]

# What does not go on from window to window, and what may allocate.
WHOLE = {"Reverse", "Last", "LastState", "Conv1D", "Pool", "Attention", "Slice", "Repeat"}
ALLOCATE = ("CRF", "CTC", "Attention", "AdditiveAttention", "Huber", "Quantile", "GaussianNLL", "PoissonNLL", "MAE")

FEATURES, UNITS, SYMBOLS = 10, 11, 12  # all different, so that no axis can be taken for another
SIZES = ((4, 3), (5, 1), (20, 3), (1, 1), (1, 3))  # (T, B); that which shows most mistakes comes first

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


def draw_tags(rng: np.random.Generator, T: int, B: int) -> Array:
    """Ids of sequences of several lengths, -1 past the end of each."""
    return np.where(np.arange(T)[:, None] < rng.integers(1, T + 1, size=B), draw_ids(rng, T, B), -1)


def draw_symbols(rng: np.random.Generator, T: int, B: int) -> Array:
    """So few that there is room for them and a blank, 0, between any two."""
    U = (T + 1) // 2
    symbols = rng.integers(1, SYMBOLS, size=(U, B))
    symbols[1:2] = symbols[:1]
    lengths = np.append(rng.integers(1, U + 1, size=B - 1), U)
    return np.where(np.arange(U)[:, None] < lengths, symbols, -1)


KINDS = {
    "x": features(FEATURES),
    "x2": features(FEATURES),
    "x3": features(UNITS),
    "first": Kind(partial(Input, shape=("B", UNITS)), lambda rng, T, B: rng.standard_normal((B, UNITS))),
    "step": Kind(partial(Input, shape=("B", FEATURES)), lambda rng, T, B: rng.standard_normal((B, FEATURES))),
    "ids": Kind(partial(Input, dtype="int", depth=SYMBOLS), draw_ids),
    "targets": Kind(partial(Input, dtype="int", depth=SYMBOLS), draw_targets),
    "answers": Kind(partial(Input, depth=FEATURES), lambda rng, T, B: rng.uniform(size=(T, B, FEATURES))),
    "tags": Kind(partial(Input, dtype="int", depth=SYMBOLS), lambda rng, T, B: draw_tags(rng, T, B)),
    "symbols": Kind(
        partial(Input, dtype="int", depth=SYMBOLS, shape=("U", "B")), lambda rng, T, B: draw_symbols(rng, T, B)
    ),
    "wide": Kind(partial(Input, shape=("T", "B", 2, 3)), lambda rng, T, B: rng.standard_normal((T, B, 2, 3))),
    "weights": Kind(partial(Input, shape=("B",)), lambda rng, T, B: rng.uniform(0.5, 1, size=B)),
    "step_weights": Kind(partial(Input, shape=("T", "B")), lambda rng, T, B: rng.uniform(0.1, 1, size=(T, B))),
    "few": features(4),
    "probabilities": Kind(
        partial(Input, depth=SYMBOLS), lambda rng, T, B: rng.dirichlet(np.ones(SYMBOLS), size=(T, B))
    ),
    "source": Kind(partial(Input, shape=("S", "B", UNITS)), lambda rng, T, B: rng.standard_normal((T + 2, B, UNITS))),
    "values": Kind(
        partial(Input, shape=("S", "B", SYMBOLS)), lambda rng, T, B: rng.standard_normal((T + 2, B, SYMBOLS))
    ),
    "ends": Kind(partial(Input, dtype="int", shape=("B",)), lambda rng, T, B: rng.integers(1, T + 3, size=B)),
    "mask": Kind(
        partial(Input, dtype="int", depth=2, shape=("S", "B")), lambda rng, T, B: rng.integers(2, size=(T + 2, B))
    ),
    "lengths": Kind(partial(Input, dtype="int", shape=("B",)), lambda rng, T, B: rng.integers(1, T + 1, size=B)),
}


def recurrent(layer: Callable[..., Layer]) -> dict[str, Wiring]:
    return {
        "features": lambda x: layer(UNITS)(x),
        "one-hot": lambda ids: layer(UNITS)(OneHot()(ids)),
        "lengths": lambda x, lengths: layer(UNITS)(x, lengths),
        "dropout": lambda x: layer(UNITS, dropout=0.4)(x),
        "recurrent dropout": lambda x: layer(UNITS, recurrent_dropout=0.4)(x),
        "state dropout": lambda x, lengths: layer(UNITS, state_dropout=0.4, recurrent_dropout=0.2)(x, lengths),
        "two deep": lambda ids: layer(UNITS, dropout=0.2)(layer(FEATURES)(OneHot()(ids))),
        "trained below": lambda x: layer(UNITS)(Dense(FEATURES)(x)),
        "no bias": lambda x: layer(UNITS, bias=False)(x),
        "first state": lambda x, first: layer(UNITS)(x, h0=first),
        "first state of ended sequences": lambda x, lengths, first: layer(UNITS)(x, lengths, Dense(UNITS)(first)),
    }


def element_loss(layer: type[Layer], size: int, **options: Any) -> dict[str, Wiring]:
    """A loss of numbers, of which there are `size` predictions, in all that it may be given."""
    return {
        "mean": lambda x, few: layer(**options)(Dense(size)(x), few),
        "sum": lambda x, few: layer("sum", **options)(Dense(size)(x), few),
        "none": lambda x, few: layer("none", **options)(Dense(size)(x), few),
        "lengths": lambda x, few, lengths: layer(**options)(Dense(size)(x), few, lengths),
        "weights": lambda x, few, weights: layer(**options)(Dense(size)(x), few, weights=weights),
        "all": lambda x, few, lengths, step_weights: layer(**options)(Dense(size)(x), few, lengths, step_weights),
        "none of all": lambda x, few, lengths, step_weights: layer("none", **options)(
            Dense(size)(x), few, lengths, step_weights
        ),
    }


def attended(**options: Any) -> dict[str, Wiring]:
    """Attention from x3 to a source of another length, with all that it may be given."""
    layer = Attention(**options)
    return {
        "keys": lambda x3, source: layer(x3, source),
        "values": lambda x3, source, values: layer(x3, source, values),
        "masks": lambda x3, source, values, ends, lengths, mask: layer(
            x3, source, values, lengths=ends, query_lengths=lengths, mask=mask
        ),
        "itself": lambda x3, lengths: layer(x3, x3, lengths=lengths, query_lengths=lengths),
    }


CLASS_WEIGHTS = tuple(0.5 + i for i in range(SYMBOLS))

CASES: dict[str, dict[str, Wiring]] = {
    "AdditiveAttention": attended(score="additive", units=5)
    | {"as it is": lambda x3, source: AdditiveAttention(causal=True)(x3, source)},
    "Attention": attended()
    | {f"heads, {label}": wiring for label, wiring in attended(units=6, heads=2, causal=True).items()},
    "CRF": {
        "mean": lambda x, tags: CRF()(Dense(SYMBOLS)(x), tags),
        "sum": lambda x, tags: CRF("sum")(Dense(SYMBOLS)(x), tags),
        "none": lambda x, tags: CRF("none")(Dense(SYMBOLS)(x), tags),
        "weights": lambda x, tags, weights: CRF()(Dense(SYMBOLS)(x), tags, weights),
    },
    "CTC": {
        "mean": lambda x, symbols: CTC()(Dense(SYMBOLS)(x), symbols),
        "sum": lambda x, symbols: CTC("sum")(Dense(SYMBOLS)(x), symbols),
        "none": lambda x, symbols: CTC("none")(Dense(SYMBOLS)(x), symbols),
        "weights": lambda x, symbols, weights: CTC()(Dense(SYMBOLS)(x), symbols, weights=weights),
    },
    "Conv1D": {
        "causal": lambda x: Conv1D(UNITS)(x),
        "same": lambda x: Conv1D(UNITS, 4, padding="same")(x),
        "dilated": lambda x: Conv1D(UNITS, 2, dilation=2)(x),
        "lengths": lambda x, lengths: Conv1D(UNITS, padding="same")(x, lengths),
    },
    "GaussianNLL": element_loss(GaussianNLL, 8),
    "Huber": element_loss(Huber, 4, delta=0.7),
    "MAE": element_loss(MAE, 4),
    "Multiply": {
        "one": lambda x: Multiply()(x),
        "three": lambda x, x2: Multiply()(x, x2, Dense(FEATURES)(x)),
        "twice the same": lambda x: Multiply()(x, x),
    },
    "PoissonNLL": element_loss(PoissonNLL, 4),
    "Pool": {
        f"{kind} of {label}": wiring
        for kind in ("mean", "max")
        for label, wiring in {
            "all steps": partial(lambda x, kind: Pool(kind)(x), kind=kind),
            "lengths": partial(lambda x, lengths, kind: Pool(kind)(x, lengths), kind=kind),
        }.items()
    },
    "Quantile": element_loss(Quantile, 8, quantiles=(0.2, 0.9)),
    "Repeat": {
        "times": lambda step: Repeat(times=3)(step),
        "like": lambda step, x: Repeat()(step, x),
        "like ids": lambda step, ids: Repeat()(step, ids),
    },
    "Slice": {
        "features": lambda x: Slice(1, -2)(x),
        "steps": lambda x: Slice(0, None, axis=0)(x),
        "the last": lambda x: Slice(-1, None, axis=0)(x),
    },
    "Activation": {
        kind: partial(lambda x, kind: Activation(kind)(x), kind=kind)
        for kind in ("tanh", "sigmoid", "relu", "gelu", "gelu_tanh")
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
        "sum": lambda x: Bidirectional(RNN(UNITS), merge="sum")(x),
        "mean of both ends": lambda x, lengths: Last()(Bidirectional(LSTM(UNITS), merge="mean")(x, lengths)),
        "both ends": lambda x, lengths: Last()(Bidirectional(GRU(UNITS))(x, lengths)),
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
        "without bias": lambda x: Dense(UNITS, bias=False)(x),
        "tied": lambda ids: Dense(SYMBOLS, tied_to="embedding")(Embedding(UNITS)(ids)),
        "tied around": lambda ids: Dense(SYMBOLS, tied_to="embedding")(GRU(UNITS)(Embedding(UNITS)(ids))),
    },
    "Dropout": {
        "features": lambda x: Dropout(0.4)(x),
        "the same at every step": lambda x: Dropout(0.4, same_at_every_step=True)(x),
        "of none": lambda x: Dropout(0.0)(x),
        "of one-hot": lambda ids: Dense(UNITS)(Dropout(0.4)(OneHot()(ids))),
    },
    "Embedding": {
        "ids": lambda ids: Embedding(UNITS)(ids),
        "dropout": lambda ids: Embedding(UNITS, dropout=0.4)(ids),
        "dropout, tied": lambda ids: Dense(SYMBOLS, tied_to="embedding")(Embedding(UNITS, dropout=0.4)(ids)),
    },
    "GRU": recurrent(GRU)
    | {
        "reset before": lambda x: GRU(UNITS, reset_after=False)(x),
        "reset before, dropped": lambda x, lengths: GRU(UNITS, reset_after=False, recurrent_dropout=0.3)(x, lengths),
    },
    "LSTM": recurrent(LSTM)
    | {
        "peepholes": lambda x: LSTM(UNITS, peepholes=True)(x),
        "projection": lambda x, lengths: LSTM(UNITS, projection=7)(x, lengths),
        "peepholes and projection": lambda x: LSTM(UNITS, peepholes=True, projection=7, recurrent_dropout=0.3)(x),
    },
    "MinGRU": {
        "features": lambda x: MinGRU(UNITS)(x),
        "one-hot": lambda ids: MinGRU(UNITS, bias=False)(OneHot()(ids)),
        "first state": lambda x, lengths, first: MinGRU(UNITS, dropout=0.2)(x, lengths, first),
    },
    "MinLSTM": {
        "features": lambda x: MinLSTM(UNITS)(x),
        "lengths": lambda x, lengths: MinLSTM(UNITS, bias=False)(x, lengths),
    },
    "SLSTM": {
        "features": lambda x: SLSTM(UNITS)(x),
        "one-hot": lambda ids: SLSTM(UNITS, recurrent_dropout=0.3)(OneHot()(ids)),
        "first states": lambda x, lengths, first: SLSTM(UNITS)(x, lengths, first, Dense(UNITS)(first)),
    },
    "LastState": {
        "cell state": lambda x: LastState("c")(LSTM(UNITS)(x)),
        "beside the output": lambda x, lengths: state_and_steps(LSTM(UNITS)(x, lengths)),
        "decoder": lambda x, x2, lengths: decoder(LSTM(UNITS)(x, lengths), x2),
    },
    "Last": {"all steps": lambda x: Last()(x), "lengths": lambda x, lengths: Last()(x, lengths)},
    "LayerNorm": {
        "features": lambda x: LayerNorm()(x),
        "a step": lambda step: LayerNorm()(step),
        "a large eps": lambda x: LayerNorm(eps=0.5)(x),
        "two axes": lambda wide: LayerNorm(axes=2)(wide),
    },
    "MSE": element_loss(MSE, 4)
    | {
        "mean": lambda x, answers: MSE()(x, answers),
        "sum": lambda x, answers: MSE("sum")(Dense(FEATURES)(x), answers),
        "lengths": lambda x, answers, lengths: MSE()(x, answers, lengths),
    },
    "Mean": {"three": lambda x, x2: Mean()(x, x2, Dense(FEATURES)(x))},
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
        "classes": lambda x, answers, step_weights: SigmoidCE(class_weights=CLASS_WEIGHTS[:FEATURES])(
            x, answers, weights=step_weights
        ),
    },
    "SoftmaxCE": {
        "mean": lambda x, targets: SoftmaxCE()(Dense(SYMBOLS)(x), targets),
        "sum": lambda x, targets: SoftmaxCE("sum")(Dense(SYMBOLS)(x), targets),
        "smooth": lambda x, targets: SoftmaxCE(label_smoothing=0.2)(Dense(SYMBOLS)(x), targets),
        "smooth sum": lambda x, targets: SoftmaxCE("sum", label_smoothing=0.2)(Dense(SYMBOLS)(x), targets),
        **{
            f"{label}, {reduction}": partial(wiring, reduction=reduction)
            for reduction in ("mean", "sum", "none")
            for label, wiring in {
                "classes": lambda x, targets, reduction: SoftmaxCE(
                    reduction, label_smoothing=0.2, class_weights=CLASS_WEIGHTS
                )(Dense(SYMBOLS)(x), targets),
                "weights": lambda x, targets, weights, reduction: SoftmaxCE(reduction, class_weights=CLASS_WEIGHTS)(
                    Dense(SYMBOLS)(x), targets, weights
                ),
                "steps": lambda x, targets, step_weights, reduction: SoftmaxCE(reduction)(
                    Dense(SYMBOLS)(x), targets, step_weights
                ),
                "probabilities": lambda x, probabilities, weights, reduction: SoftmaxCE(
                    reduction, label_smoothing=0.2, class_weights=CLASS_WEIGHTS
                )(Dense(SYMBOLS)(x), probabilities, weights),
            }.items()
        },
        "nothing ignored": lambda x, ids: SoftmaxCE()(Dense(SYMBOLS)(x), ids),
    },
}


def one_hot_twice(rows: Node) -> Node:
    return Concat()(Dense(UNITS)(rows), Activation("tanh")(rows))


def state_and_steps(hidden: Node) -> Node:
    return Concat()(LastState()(hidden), LastState("c")(hidden), Last()(hidden))


def decoder(encoder: Node, x: Input) -> Node:
    return LSTM(UNITS)(x, h0=LastState()(encoder), c0=LastState("c")(encoder))


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
    model.executor.leave_padding()
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
    for arena in model.executor.arenas:
        arena.block[...] = 0xFF
    model.executor.gradient[...] = np.nan


def backward_calls(model: Model, feeds: Mapping[str, Array]) -> Iterator[tuple[Callable[[], Any], Array]]:
    """The layers' backward functions in order, with `dy`; each is to be called before the next is taken."""
    executor = model.executor
    seeds = seeds_of(model.forward(**feeds))
    executor.backward(seeds)
    (program,) = executor._backwards.values()
    program.set_seeds(seeds)
    for name, call in program.calls:
        if name in model.graph.nodes:
            yield call, next(iter(program._parts_of(name)), np.empty(0))  # nobody may read the output itself
        else:
            call()


def check_untouched(wiring: Wiring) -> None:
    """4. BackwardProgram leaves inputs, `dy`, parameters and all that forward computed as they were."""
    model = model_of(wiring)
    feeds = feeds_of(model, 4, 3)
    given = {name: array.copy() for name, array in feeds.items()}
    for call, dy in backward_calls(model, feeds):
        arrays = {"dy": dy, "weights": model.weights.flat, "forward": model.executor.arenas[0].block}
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
        if isinstance(node.layer, Cell):  # the textbook itself: held against PyTorch, and kernels against it
            values[name] = arrays["y"]
            continue
        fed = dict(zip(node.ports, (values[source] for source in model.graph.sources(name)), strict=True))
        first = [fed.pop(port) for port, own in zip(node.ports, node.layer.inputs, strict=False) if port == own]
        placed = list(fed.values()) if node.layer.variadic else first
        named = {} if node.layer.variadic else fed
        expected = REFERENCES[type(node.layer).__name__](node.layer, arrays, *placed, **named)
        values[name] = arrays.get("y", expected)  # one-hot rows may stay unwritten
        assert_close({"y": values[name]}, {"y": expected}, 1e-12, name)


def of_elements(
    layer: Any, a: Mapping[str, Array], x: Array, t: Array, lengths: Array | None = None, weights: Array | None = None
) -> Array:
    """A loss of all elements, or of those within the lengths."""
    each = more.element_losses(type(layer).__name__, layer, x, t)
    weight = more.weight_of_elements(each.shape, lengths, weights, getattr(layer, "class_weights", None))
    return more.reduced(each, weight, layer.reduction)


def softmax_ce(layer: Any, a: Mapping[str, Array], v: Array, t: Array, weights: Array | None = None) -> Array:
    """Of each target by itself; in the mean a class counts what it weighs, and a row of probabilities 1."""
    c = np.ones(v.shape[-1]) if layer.class_weights is None else np.array(layer.class_weights)
    each, counts = np.zeros(v.shape[:-1]), np.zeros(v.shape[:-1])
    for at in np.ndindex(each.shape):
        if t.dtype.kind == "i" and t[at] < 0:
            continue
        q = reference.one_hot(np.array(t[at]), len(c)) if t.dtype.kind == "i" else t[at]
        q = (1 - layer.label_smoothing) * q + layer.label_smoothing / len(c)
        each[at] = -sum(c * q * reference.log_softmax(v[at]))
        counts[at] = c[t[at]] if t.dtype.kind == "i" else 1
    weight = more.weight_of_elements(each.shape, None, weights)
    if layer.reduction == "none":
        return each * weight
    return np.array((each * weight).sum() / ((counts * weight).sum() if layer.reduction == "mean" else 1))


def of_sequences(each: Array, counts: Array, layer: Any, weights: Array | None) -> Array:
    """A loss of whole sequences: in the mean each counts as many symbols as it has."""
    w = np.ones(len(each)) if weights is None else weights
    if layer.reduction == "none":
        return each * w
    return np.array((each * w).sum() / ((counts * w).sum() if layer.reduction == "mean" else 1))


REFERENCES: dict[str, Callable[..., Array]] = {
    "AdditiveAttention": lambda layer, a, *fed, **named: more.attention(
        more.additive_score(a["w"]), *fed, causal=layer.causal, **named
    ),
    "Attention": lambda layer, a, *fed, **named: more.attention(
        more.dot_score, *fed, heads=layer.heads, causal=layer.causal, **named
    ),
    "CRF": lambda layer, a, v, t, weights=None: of_sequences(
        more.crf_losses(v, t, a["A"], a["s"], a["e"]), (t >= 0).sum(axis=0), layer, weights
    ),
    "CTC": lambda layer, a, v, t, weights=None: of_sequences(
        more.ctc_losses(v, t, layer.blank), (t >= 0).sum(axis=0), layer, weights
    ),
    "Conv1D": lambda layer, a, x, lengths=None: more.conv1d(x, a["W"], a["b"], layer.padding, layer.dilation, lengths),
    "Multiply": lambda layer, a, *xs: np.prod(xs, axis=0),
    "Pool": lambda layer, a, x, lengths=None: more.pool(layer.kind, x, lengths),
    "Repeat": lambda layer, a, x, like=None: np.array([x] * (layer.times or len(like))),
    "Slice": lambda layer, a, x: x[layer.start : layer.stop] if layer.axis == 0 else x[..., layer.start : layer.stop],
    **dict.fromkeys(("GaussianNLL", "Huber", "MAE", "MSE", "PoissonNLL", "Quantile", "SigmoidCE"), of_elements),
    "Activation": lambda layer, a, x: reference.activation(layer.kind, x),
    "Add": lambda layer, a, *xs: sum(xs[1:], start=xs[0]),
    "Concat": lambda layer, a, *xs: np.concatenate(xs, axis=-1),
    "Dense": lambda layer, a, x: reference.dense(x, a["W"], a.get("b", np.zeros(layer.units))),
    "Dropout": lambda layer, a, x: x * np.broadcast_to(a["mask"], x.shape) / (1 - layer.rate),
    "Embedding": lambda layer, a, ids: reference.embedding(ids, a["table"] * (a["mask"] if layer.dropout else 1)),
    "Last": lambda layer, a, x, lengths=None: reference.last(x, lengths),
    "LastState": lambda layer, a, x, lengths=None: a["y"],  # of the recurrent layer, which is checked by itself
    "Mean": lambda layer, a, *xs: np.mean(xs, axis=0),
    "LayerNorm": lambda layer, a, x: reference.layer_norm(
        x.reshape(*x.shape[: -layer.axes], -1), a["gain"].reshape(-1), a["bias"].reshape(-1), layer.eps
    ).reshape(x.shape),
    "OneHot": lambda layer, a, ids: reference.one_hot(ids, SYMBOLS),
    "Reverse": lambda layer, a, x, lengths=None: reference.reverse(x, lengths),
    "SoftmaxCE": softmax_ce,
}


def check_allocation(wiring: Wiring) -> None:
    """6. Once warm, a step allocates nothing as large as one (T, B, features) slab."""
    graph = model_of(wiring).graph
    named, weighed = {snake_case(name) for name in ALLOCATE}, {"weights", "step_weights", "probabilities"}
    if graph.nodes.keys() & named or graph.inputs.keys() & weighed or has_class_weights(graph):
        return  # these are short to read, and allocate
    T, B = 32, 256  # large enough for the buffers of fixed size in which NumPy converts to be nothing beside it
    model = model_of(wiring, "float32")
    feeds = in_single(feeds_of(model, T, B))
    seeds = in_single(seeds_of(model.forward(**feeds)))
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


def has_class_weights(graph: Graph) -> bool:
    return any(getattr(node.layer, "class_weights", None) is not None for node in graph.nodes.values())


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
    if feeds.keys() & {"lengths", "step", "first", "source", "tags", "symbols", "weights"} or names & WHOLE:
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


def check_uncached(wiring: Wiring) -> None:
    """A replica without caches computes the same, window after window, and shows none of them."""
    model = model_of(wiring)
    replicas = model.replica(), model.replica(caches=False)
    for seed in range(2):
        feeds, found = feeds_of(model, 4, 3, seed), []
        for replica in replicas:
            replica.executor.leave_padding()
            results = {name: np.array(value) for name, value in replica.forward(**feeds).items()}
            found.append(results | {f"state {name}": array.copy() for name, array in replica.state.items()})
        assert_same(found[1], found[0], f"window {seed} without caches")
    left_out = {
        f"{node}/{name}"
        for node, of in model.graph.nodes.items()
        for name, item in of.declarations.items()
        if isinstance(item, Cache)
    }
    assert set(replicas[0].arrays) - set(replicas[1].arrays) == left_out & set(replicas[0].arrays)


CHECKS: dict[str, Callable[[Wiring], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}
