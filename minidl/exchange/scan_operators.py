"""Recurrent layers for which ONNX has no operator: one step, as a graph of its own, that a Scan repeats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minidl.exchange.sequence_operators import inside
from minidl.exchange.sheet import Desk

FLOAT, BOOL = 1, 9  # ONNX's numbers for them


class Step:
    """The operators of one step; constants are those of the graph around it."""

    def __init__(self, at: Desk) -> None:
        self.at, self.nodes = at, list[Any]()

    def put(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """An operator; what its output is called."""
        return self.put_many(kind, inputs, 1, **attributes)[0]

    def put_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """An operator with several outputs."""
        from onnx import helper

        names = [f"{self.at.name}/step/{kind}_{len(self.nodes)}_{output}" for output in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names


def min_gru(at: Desk) -> None:
    """h = h_prev + z (n - h_prev)."""

    def step(by: Step, a: str, h_prev: str) -> list[str]:
        a_z, n = by.put_many("Split", [a], 2, axis=-1)
        return [by.put("Add", h_prev, by.put("Mul", by.put("Sigmoid", a_z), by.put("Sub", n, h_prev)))]

    _scan(at, step)


def min_lstm(at: Desk) -> None:
    """h = (f h_prev + i n) / (f + i)."""

    def step(by: Step, a: str, h_prev: str) -> list[str]:
        a_f, a_i, n = by.put_many("Split", [a], 3, axis=-1)
        f, i = by.put("Sigmoid", a_f), by.put("Sigmoid", a_i)
        h = by.put("Add", by.put("Mul", f, h_prev), by.put("Mul", i, n))
        return [by.put("Div", h, by.put("Add", f, i))]

    _scan(at, step)


def slstm(at: Desk) -> None:
    """h = o c / n, with the normaliser n and the stabiliser m."""
    Wh = at.weight("Wh")

    def step(by: Step, a: str, h_prev: str, c_prev: str, n_prev: str, m_prev: str) -> list[str]:
        a_i, a_f, a_z, a_o = by.put_many("Split", [_with_past(by, a, h_prev, Wh)], 4, axis=-1)
        kept = by.put("Sub", m_prev, by.put("Softplus", by.put("Neg", a_f)))  # log σ(a_f) + m_prev
        m = by.put("Max", kept, a_i)
        i, f = by.put("Exp", by.put("Sub", a_i, m)), by.put("Exp", by.put("Sub", kept, m))
        c = by.put("Add", by.put("Mul", f, c_prev), by.put("Mul", i, by.put("Tanh", a_z)))
        n = by.put("Add", by.put("Mul", f, n_prev), i)
        return [by.put("Div", by.put("Mul", by.put("Sigmoid", a_o), c), n), c, n, m]

    _scan(at, step)


def projected_lstm(at: Desk) -> None:
    """An LSTM whose output is smaller than its cell state, with peepholes or without."""
    Wh, Wp = at.weight("Wh"), at.weight("Wp")
    p = (
        [at.constant(f"p_{gate}", row) for gate, row in zip("ifo", at.array("p"), strict=True)]
        if at.layer.peepholes
        else []
    )

    def step(by: Step, a: str, h_prev: str, c_prev: str) -> list[str]:
        a_i, a_f, a_g, a_o = by.put_many("Split", [_with_past(by, a, h_prev, Wh)], 4, axis=-1)
        if p:
            a_i = by.put("Add", a_i, by.put("Mul", p[0], c_prev))
            a_f = by.put("Add", a_f, by.put("Mul", p[1], c_prev))
        i, f = by.put("Sigmoid", a_i), by.put("Sigmoid", a_f)
        c = by.put("Add", by.put("Mul", f, c_prev), by.put("Mul", i, by.put("Tanh", a_g)))
        if p:
            a_o = by.put("Add", a_o, by.put("Mul", p[2], c))
        return [by.put("MatMul", by.put("Mul", by.put("Sigmoid", a_o), by.put("Tanh", c)), Wp), c]

    _scan(at, step)


def _with_past(by: Step, a: str, h_prev: str, Wh: str) -> str:
    return by.put("Add", a, by.put("MatMul", h_prev, Wh))


def _scan(at: Desk, step: Callable[..., list[str]]) -> None:
    """All steps: states in and out, and a sequence whose steps past its end are 0 and change no state."""
    a = at.put("MatMul", at.inputs[0], at.weight("Wx"))
    if at.layer.bias:
        a = at.put("Add", a, at.weight("b"))
    states = list(at.layer.states)
    read = [a] if at.lengths is None else [a, inside(at, a, at.lengths)]
    first = [at.fed(f"{state}0") or f"{at.name}/{state}" for state in states]
    body = _body(at, step, states, len(read))
    *final, steps = at.put_many("Scan", [*first, *read], len(states) + 1, body=body, num_scan_inputs=len(read))
    at.give("Identity", steps)
    for state, end in zip(states, final, strict=True):
        at.sheet.ends[f"{at.name}/{state}"] = end
        if at.fed(f"{state}0") is None:
            at.sheet.states[f"{at.name}/{state}"] = at.layer.size_of(state)


def _body(at: Desk, step: Callable[..., list[str]], states: list[str], read: int) -> Any:
    """One step as a graph: states and what is read at this step in, new states and the output out."""
    from onnx import helper

    by, prefix = Step(at), f"{at.name}/step"
    before, a, within = [f"{prefix}/{state}_prev" for state in states], f"{prefix}/a", f"{prefix}/inside"
    now = step(by, a, *before)
    out = by.put("Identity", now[0])
    if read > 1:
        out = by.put("Where", within, now[0], at.constant("zero", 0.0))
        now = [by.put("Where", within, new, old) for new, old in zip(now, before, strict=True)]
    sizes = [at.layer.size_of(state) for state in states]
    columns = int(at.node.declarations["Wx"].shape[1])
    inputs = [helper.make_tensor_value_info(*each) for each in _typed(before, sizes)]
    inputs.append(helper.make_tensor_value_info(a, FLOAT, ["B", columns]))
    if read > 1:
        inputs.append(helper.make_tensor_value_info(within, BOOL, ["B", 1]))
    outputs = [helper.make_tensor_value_info(*each) for each in _typed([*now, out], [*sizes, sizes[0]])]
    return helper.make_graph(by.nodes, prefix, inputs, outputs)


def _typed(names: list[str], sizes: list[int]) -> list[tuple[str, int, list[int | str]]]:
    return [(name, FLOAT, ["B", size]) for name, size in zip(names, sizes, strict=True)]
