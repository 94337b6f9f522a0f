"""The recurrent layers in C, one step of one sequence: the equations are those of each layer's file."""

from __future__ import annotations

from collections.abc import Callable

from minidl import layers
from minidl.exchange.c_layers import FUNCTIONS, Writer, each, layer_of
from minidl.graph.layer import Layer
from minidl.system.errors import UsageError


def rnn(at: Writer, node: str) -> None:
    """One gate."""
    a, H = _sums(at, node, 1)
    h = _past(at, node, H, H, a)
    each(at, H, f"{h}[k] = {FUNCTIONS[layer_of(at, node).activation].format(x=f'{a}[k]')};")


def lstm(at: Writer, node: str) -> None:
    """Gates i, f, g, o; peepholes p of i, f and o."""
    layer = layer_of(at, node)
    a, H = _sums(at, node, 4)
    h, c = _past(at, node, layer.projection or H, 4 * H, a), at.state(node, "c", H)
    i, f, g, o = _parts(a, H, 4)
    if layer.peepholes:
        p = _parts(at.constant(node, "p"), H, 3)
        i, f, o = (f"{gate} + {weight} * {c}[k]" for gate, weight in zip((i, f, o), p, strict=True))
    each(at, H, f"{c}[k] = NAME_sigmoid({f}) * {c}[k] + NAME_sigmoid({i}) * tanhf({g});")
    m = at.room(node, H, "m") if layer.projection else h
    each(at, H, f"{m}[k] = NAME_sigmoid({o}) * tanhf({c}[k]);")
    if layer.projection:
        at.add(f"memset({h}, 0, sizeof {h});")
        at.add(f"NAME_affine({m}, {H}, {at.constant(node, 'Wp')}, 0, {layer.projection}, {h});")


def gru(at: Writer, node: str) -> None:
    """Gates r, z, n; the reset gate comes after the product."""
    if not layer_of(at, node).reset_after:
        raise UsageError(f"node {node!r}: there is no C code for a GRU with reset_after=False")
    a, H = _sums(at, node, 3)
    past = at.room(node, 3 * H, "past")
    at.add(f"memcpy({past}, {at.bias(node, 'bh', 3 * H)}, sizeof {past});")
    h = _past(at, node, H, 3 * H, past)
    (r, z, n), (s, u, v) = _parts(a, H, 3), _parts(past, H, 3)
    each(at, H, f"{n} = tanhf({n} + NAME_sigmoid({r} + {s}) * {v});")
    each(at, H, f"{z} = NAME_sigmoid({z} + {u});")
    each(at, H, f"{h}[k] = (1.0f - {z}) * {n} + {z} * {h}[k];")


def min_gru(at: Writer, node: str) -> None:
    """Gates z, n, of the input alone."""
    a, H = _sums(at, node, 2)
    h, (z, n) = _state(at, node, H), _parts(a, H, 2)
    each(at, H, f"{h}[k] += NAME_sigmoid({z}) * ({n} - {h}[k]);")


def min_lstm(at: Writer, node: str) -> None:
    """Gates f, i, n, of the input alone."""
    a, H = _sums(at, node, 3)
    h, (f, i, n) = _state(at, node, H), _parts(a, H, 3)
    for gate in (f, i):
        each(at, H, f"{gate} = NAME_sigmoid({gate});")
    each(at, H, f"{h}[k] = ({f} * {h}[k] + {i} * {n}) / ({f} + {i});")


def _sums(at: Writer, node: str, gates: int) -> tuple[str, int]:
    """Where the input's share of all gates is, x Wx + b, and the size of a gate."""
    x, H = at.source(node), int(layer_of(at, node).units)
    a = at.room(node, gates * H, "a")
    weights = f"{at.constant(node, 'Wx')}, {at.bias(node, 'b', gates * H)}"
    at.add(f"NAME_affine({at.value(x)}, {at.size(x)}, {weights}, {gates * H}, {a});")
    return a, H


def _state(at: Writer, node: str, size: int) -> str:
    """Where the output h is, which is carried."""
    h = at.state(node, "h", size)
    at.lies_in(node, h)
    return h


def _past(at: Writer, node: str, size: int, columns: int, a: str) -> str:
    """Adds h Wh to the sums a; where h is."""
    h = _state(at, node, size)
    at.add(f"NAME_affine({h}, {size}, {at.constant(node, 'Wh')}, 0, {columns}, {a});")
    return h


def _parts(array: str, H: int, count: int) -> list[str]:
    """The number k of each gate."""
    return [f"{array}[{part * H} + k]" for part in range(count)]


WRITERS: dict[type[Layer], Callable[[Writer, str], None]] = {
    layers.GRU: gru,
    layers.LSTM: lstm,
    layers.MinGRU: min_gru,
    layers.MinLSTM: min_lstm,
    layers.RNN: rnn,
}
