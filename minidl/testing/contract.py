"""The eleven points of the contract of a layer, each a function that raises WrongLayer with what a layer did wrong."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from minidl.engine import threads
from minidl.engine.backward import BackwardProgram
from minidl.engine.dispatch import implementation, using
from minidl.graph.arrays import Array, State
from minidl.graph.layer import Layer
from minidl.system.errors import DataError
from minidl.testing.gradcheck import gradcheck
from minidl.testing.trial import Trial, WrongLayer, distance, same


def round_trip(trial: Trial) -> None:
    """A layer is what its config says: files hold no more of it."""
    layer = trial.layer
    again = Layer.from_config(json.loads(json.dumps(layer.config())))
    if again != layer or repr(again) != repr(layer) or hash(again) != hash(layer):
        raise WrongLayer(f"its config() makes {again!r}; what a layer is belongs into the fields of its dataclass")


def gradients(trial: Trial) -> None:
    """Every gradient is the derivative, at several sizes."""
    sizes = trial.sizes()
    T, B = sizes.get("T", 1), sizes.get("B", 1)
    for steps, sequences in dict.fromkeys(((T, B), (1, B), (T, 1), (1, 1))):
        try:
            some = trial.again(trial.slices(steps, sequences))
        except DataError:
            if (steps, sequences) == (T, B):
                raise
            continue  # there are data that cannot be as few
        for check in gradcheck(some.model, some.feeds, probes=2):
            if not check.passed:
                name = check.array.partition("/")[2] or check.array
                size = f"error {check.error:.1e}, T = {steps}, B = {sequences}"
                raise WrongLayer(f"the gradient d{name} is not the derivative of forward ({size})")


def assigns(trial: Trial) -> None:
    """What buffers held before makes no difference, and neither does an earlier call."""
    _keeps_nothing(trial)
    trial.run()  # buffers are as large as they get
    zero, one, nan = (trial.run(fill) for fill in (0.0, 1.0, np.nan))
    for name, array in nan.items():
        if same(array, zero[name]):
            continue
        if (zero[name] == 0).all() and (one[name] == 1).all():
            raise WrongLayer(f"it leaves {name} unwritten, or makes a new array of that name: write {name}[...] = ...")
        if np.allclose(one[name] - zero[name], 1) and np.isfinite(zero[name]).all():
            raise WrongLayer(f"it adds to {name} (+=) where it should assign: the executor sums up")
        raise WrongLayer(f"{name} depends on what was in its buffers before: something is read that was not written")


def _keeps_nothing(trial: Trial) -> None:
    fresh = trial.again(training=False)
    fresh.run()
    first, given = fresh.run(0.0), fresh.feeds
    fresh.feeds = {name: array[::-1].copy() for name, array in given.items()}
    fresh.run(0.0)
    fresh.feeds = given
    for name, array in fresh.run(0.0).items():
        if not same(array, first[name]):
            raise WrongLayer(f"{name} is another when it is called once more: it keeps something between calls")


def leaves_alone(trial: Trial) -> None:
    """Neither pass changes inputs, dy or weights; backward does not change what forward has left."""
    executor = trial.model.executor
    before = trial.model.weights.flat.copy()
    executor.load_state_dict(*trial.start)
    executor.forward(trial.feeds)
    _unchanged(trial, before, "forward")
    kept = {name: array.copy() for name, array in executor.arrays().items()}
    for _ in range(2):
        executor.backward({"y": trial.dy})
        _unchanged(trial, before, "backward")
        for name, array in executor.arrays().items():
            if not same(array, kept[name]):
                raise WrongLayer(f"backward changes {trial.label(name)}, which forward has left")
        if trial.is_single and any(not same(seed, trial.dy) for seed in backward_of(trial).seeds.values()):
            raise WrongLayer("backward changes dy")


def _unchanged(trial: Trial, weights: Array, function: str) -> None:
    now = trial.model.weights.flat
    if not same(now, weights):
        views = trial.model.weights.views(weights)
        names = [trial.label(name) for name, array in views.items() if not same(array, trial.model.parameters[name])]
        now[...] = weights
        raise WrongLayer(f"{function} changes the weights {', '.join(names)}")
    for name, array in trial.feeds.items():
        if not np.array_equal(trial.model.executor.input(name), array, equal_nan=True):
            raise WrongLayer(f"{function} changes the input {name}")


def kernels_agree(trial: Trial) -> None:
    """Compiled code gives what the equations give."""
    own = trial.again(dtype="float32").run()
    with using("numpy"):
        equations = trial.again(dtype="float32").run()
    for name, array in equations.items():
        if distance(own[name], array) > 1e-4:
            raise WrongLayer(f"{name} of the compiled code differs from that of the equations")


def allocates_nothing(trial: Trial) -> None:
    """Compiled code takes no memory in the steady state."""
    kind = type(trial.layer)
    if not trial.is_single or implementation(kind, "forward", "float64") is kind.forward:
        return
    for _ in range(2):
        trial.run()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        trial.model.executor.forward(trial.feeds)
        trial.model.executor.backward({"y": trial.dy})
        largest = tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()
    if largest > max(trial.dy.nbytes, 1 << 16):
        raise WrongLayer(f"it allocates {largest:,} bytes in a step")


def keeps_float32(trial: Trial) -> None:
    """In float32 it means the same as in float64, and all arrays are float32; a single number is a sum in float64."""
    single = trial.again(dtype="float32")
    found, exact = single.run(), trial.again().run()
    for name, array in found.items():
        if array.ndim and array.dtype != np.float32:
            raise WrongLayer(f"{name} is {array.dtype} in a model of float32")
        if distance(array, exact[name]) > 1e-3:
            raise WrongLayer(f"{name} in float32 is far from what it is in float64")


def windows(trial: Trial) -> None:
    """Two windows are one of twice the length, where the state is carried on."""
    declared = [item for node in trial.model.graph.nodes.values() for item in node.declarations.values()]
    carries = any(isinstance(item, State) for item in declared) and trial.is_single
    T = trial.sizes().get("T", 1) // 2 * 2
    if not carries or T < 2 or set(trial.feeds) - {"x"}:
        return
    whole = trial.again(trial.slices(T, slice(None)), training=False)
    halves = [trial.again(whole.slices(part, slice(None)), training=False) for part in (T // 2, slice(T // 2, T))]
    expected = _from(whole, whole.start)
    first = _from(halves[0], whole.start)
    second = _from(halves[1], halves[0].model.executor.state_dict())
    if distance(np.concatenate([first, second]), expected) > 1e-10:
        raise WrongLayer("two windows give another output than one of twice the length: the state is not carried on")


def _from(trial: Trial, start: Any) -> Array:
    trial.model.executor.load_state_dict(start[0], {})
    return trial.forward_only()


def needs_no_dx(trial: Trial) -> None:
    """A gradient of an input that is not needed is None, and the others are the same without it."""
    expected = trial.run()
    nodes = trial.model.graph.nodes
    for node, call in backward_of(trial).calls:
        if node not in nodes or not isinstance(call, partial) or not trial.is_single:
            continue
        function: Any = call.func
        names = {"dxs", *(f"d{name}" for name in trial.layer.inputs)} & call.keywords.keys()
        for name in sorted(names):
            nothing = [None] * len(call.keywords[name]) if name == "dxs" else None
            try:
                function(**{**call.keywords, name: nothing})
            except Exception as error:
                raise WrongLayer(f"it cannot do without {name}, which is None where nobody needs it: {error}") from None
            for array, gradient in trial.model.gradients.items():
                if not same(gradient, expected[f"d{trial.label(array)}"]):
                    raise WrongLayer(f"d{trial.label(array)} is another where {name} is None")


def lengths(trial: Trial) -> None:
    """Nothing past the end of a sequence is read, and each has the output and gradients that it has alone."""
    T, B = trial.sizes().get("T", 0), trial.sizes().get("B", 0)
    x = trial.feeds.get("x")
    if "lengths" not in trial.layer.inputs or T < 2 or x is None or x.dtype.kind != "f" or x.shape[:2] != (T, B):
        return
    ends = np.array([max(1, T - b) for b in range(B)])
    ended = np.arange(T)[:, None] >= ends
    padded = {**trial.feeds, "lengths": ends, "x": np.where(ended[..., None], 0.0, trial.feeds["x"])}
    plain = trial.again(padded, training=False)
    expected = plain.run()
    if plain.dy.shape[:2] == ended.shape and expected["the output y"][ended].any():
        plain.dy[ended] = 0  # where a layer has an output past the end, nobody is to read it
        expected = plain.run()
    spoiled = trial.again({**padded, "x": np.where(ended[..., None], np.nan, padded["x"])}, training=False)
    spoiled.dy = plain.dy
    for name, array in spoiled.run().items():
        inside = ~ended if name == "the output y" and array.shape[:2] == ended.shape else ...
        if not same(array[inside], expected[name][inside]):
            raise WrongLayer(f"{name} depends on what x holds past the end of a sequence")
    for b, end in enumerate(ends) if set(trial.feeds) <= {"x", "lengths"} else ():
        _same_alone(plain, expected, b, end)


def _same_alone(padded: Trial, expected: Mapping[str, Array], b: int, end: int) -> None:
    """One sequence of a padded batch by itself."""
    one = slice(b, b + 1)
    alone = padded.again({"x": padded.feeds["x"][:end, one]}, training=False)
    states, generators = alone.start
    alone.start = {name: padded.start[0][name][one] for name in states}, generators
    in_steps = padded.dy.ndim == padded.feeds["x"].ndim
    alone.dy = padded.dy[:end, one] if in_steps else padded.dy[one]
    found = alone.run()
    if distance(expected["dx"][:end, one], found["dx"]) > 1e-10:
        raise WrongLayer("in a padded batch dx is another than that of each sequence alone")


def same_bits_for_threads(trial: Trial) -> None:
    """The number of threads of the kernels changes no bit."""
    before = threads.in_use()
    found = []
    try:
        for count in (1, 2):
            threads.use(count)
            found.append(trial.again(dtype="float32").run())
    finally:
        threads.use(before)
    for name, array in found[0].items():
        if not same(found[1][name], array):
            raise WrongLayer(f"{name} has other bits on two threads than on one")


def backward_of(trial: Trial) -> BackwardProgram:
    """The calls of the last backward pass."""
    program = trial.model.executor.last_backward
    assert program is not None
    return program
