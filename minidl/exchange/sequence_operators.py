"""Layers over whole sequences as operators of ONNX: products, slices, pooling, convolution, attention."""

from __future__ import annotations

from functools import reduce

from minidl.exchange.sheet import Desk
from minidl.layers.attend import HIDDEN, scale_of

TO_THE_END = 2**63 - 1


def multiply(at: Desk) -> None:
    """The product of any number of inputs."""
    at.give("Identity", reduce(lambda a, b: at.put("Mul", a, b), at.inputs))


def slice_(at: Desk) -> None:
    """Some of one axis."""
    stop = TO_THE_END if at.layer.stop is None else at.layer.stop
    bounds = {"start": [at.layer.start], "stop": [stop], "axis": [at.layer.axis]}
    at.give("Slice", at.inputs[0], *(at.constant(name, value) for name, value in bounds.items()))


def repeat(at: Desk) -> None:
    """The same features at every step."""
    like = at.fed("like")
    steps = at.constant("steps", [at.layer.times or 1]) if like is None else at.put("Shape", like, start=0, end=1)
    shape = at.put("Concat", steps, at.constant("ones", [1, 1]), axis=0)
    at.give("Expand", at.put("Unsqueeze", at.inputs[0], at.constant("front", [0])), shape)


def pool(at: Desk) -> None:
    """The mean or the largest value over the steps of each sequence."""
    x, lengths = at.inputs[0], at.lengths
    kind = {"mean": "ReduceMean", "max": "ReduceMax"}[at.layer.kind]
    if lengths is None:
        at.give(kind, x, axes=[0], keepdims=0)
    elif at.layer.kind == "max":
        lowest = at.constant("lowest", -float("inf"))
        at.give(kind, at.put("Where", inside(at, x, lengths), x, lowest), axes=[0], keepdims=0)
    else:
        total = at.put("ReduceSum", without_padding(at, x, lengths), at.constant("time", [0]), keepdims=0)
        count = at.put("Unsqueeze", at.put("Cast", lengths, to=1), at.constant("features", [1]))
        at.give("Div", total, count)


def conv1d(at: Desk) -> None:
    """Convolution over time, with zeros around the sequence."""
    x, layer = without_padding(at, at.inputs[0], at.lengths), at.layer
    before = layer.width - 1 if layer.padding == "causal" else (layer.width - 1) // 2
    pads = [before * layer.dilation, (layer.width - 1 - before) * layer.dilation]
    kernel = at.constant("W", at.array("W").transpose(2, 1, 0))
    y = at.put(
        "Conv", at.put("Transpose", x, perm=[1, 2, 0]), kernel, at.weight("b"), dilations=[layer.dilation], pads=pads
    )
    at.give("Transpose", y, perm=[2, 0, 1])


def attention(at: Desk) -> None:
    """Scaled products of queries and keys."""
    q, k, v = _read(at)
    size = int(at.node.declarations["q"].shape[-1])
    q = at.put("Mul", q, at.constant("scale", scale_of(size)))
    _weigh(at, at.put("MatMul", q, at.put("Transpose", k, perm=[0, 1, 3, 2])), v)


def additive_attention(at: Desk) -> None:
    """A product with the tanh of the sum of query and key."""
    q, k, v = _read(at)  # (B, 1, T, H), (B, 1, S, H)
    q = at.put("Unsqueeze", at.put("Squeeze", q, at.constant("head", [1])), at.constant("keys", [2]))
    fit = at.put("MatMul", at.put("Tanh", at.put("Add", q, k)), at.weight("w"))
    _weigh(at, at.put("Unsqueeze", fit, at.constant("head", [1])), v)


def _read(at: Desk) -> list[str]:
    """Query, keys and values by heads."""
    query, keys = at.inputs[:2]
    given = [(query, "query_lengths"), (keys, "lengths"), (at.fed("values") or keys, "lengths")]
    return [by_heads(at, x, at.fed(ends)) for x, ends in given]


def _weigh(at: Desk, scores: str, v: str) -> None:
    """The mean of the values, by the softmax of the scores of the keys that are seen."""
    hidden = _hidden(at, *at.inputs[:2])
    if hidden is not None:
        scores = at.put("Where", hidden, at.constant("hidden", HIDDEN), scores)
    p = at.put("Softmax", scores, axis=-1)
    if hidden is not None:
        p = at.put("Where", hidden, at.constant("zero", 0.0), p)
    found = at.put("Transpose", at.put("MatMul", p, v), perm=[2, 0, 1, 3])
    at.give("Reshape", found, at.constant("flat", [0, 0, -1]))


def by_heads(at: Desk, x: str, lengths: str | None) -> str:
    """(T, B, H) -> (B, heads, T, H / heads), with zeros past the end of each sequence."""
    parts = at.put(
        "Reshape", without_padding(at, x, lengths), at.constant("heads", [0, 0, getattr(at.layer, "heads", 1), -1])
    )
    return at.put("Transpose", parts, perm=[1, 2, 0, 3])


def _hidden(at: Desk, query: str, keys: str) -> str | None:
    """Which keys each query does not see, as (B, 1, T, S) or what is spread to it."""
    found = []
    if at.layer.causal:
        t = at.put("Unsqueeze", steps_of(at, query), at.constant("column", [1]))
        found.append(at.put("Less", t, steps_of(at, keys)))
    if (lengths := at.fed("lengths")) is not None:
        ends = at.put("Unsqueeze", lengths, at.constant("after", [1, 2, 3]))
        found.append(at.put("GreaterOrEqual", steps_of(at, keys), ends))
    if (lengths := at.fed("query_lengths")) is not None:
        ends = at.put("Unsqueeze", lengths, at.constant("after", [1, 2, 3]))
        t = at.put("Unsqueeze", steps_of(at, query), at.constant("column", [1]))
        found.append(at.put("GreaterOrEqual", t, ends))
    if (mask := at.fed("mask")) is not None:
        hidden = at.put("Equal", at.put("Transpose", mask, perm=[1, 0]), at.constant("unseen", 0))
        found.append(at.put("Unsqueeze", hidden, at.constant("between", [1, 2])))
    return reduce(lambda a, b: at.put("Or", a, b), found) if found else None


def steps_of(at: Desk, x: str) -> str:
    """0, 1, … for the steps of a value (T, B, …)."""
    shape = at.put("Shape", x, start=0, end=1)
    count = at.put("Squeeze", shape, at.constant("first", [0]))
    return at.put("Range", at.constant("none", 0), count, at.constant("one", 1))


def without_padding(at: Desk, x: str, lengths: str | None) -> str:
    """A value (T, B, F) with zeros past the end of each sequence, where there are lengths."""
    return x if lengths is None else at.put("Where", inside(at, x, lengths), x, at.constant("zero", 0.0))


def inside(at: Desk, x: str, lengths: str) -> str:
    """Which steps of which sequences lie before their end, (T, B, 1)."""
    t = at.put("Unsqueeze", steps_of(at, x), at.constant("column", [1]))
    return at.put("Unsqueeze", at.put("Less", t, lengths), at.constant("last", [2]))
