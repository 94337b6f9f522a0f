"""Cell: a recurrent layer of which an author writes one step forward and one step back; the rest is done here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt

from minidl.graph.arrays import (
    LENGTHS,
    Array,
    Cache,
    Declaration,
    InputSpec,
    MadeName,
    Out,
    Param,
    Shape,
    State,
    Workspace,
)
from minidl.graph.layer import Node, connect
from minidl.graph.operations import affine, affine_gradients, rows
from minidl.graph.symbol import Symbol, show
from minidl.layers.dropout import Dropout
from minidl.layers.product import Product
from minidl.layers.recurrent_dropout import RecurrentDropout
from minidl.layers.time_steps import after_the_end, asked_by, check_asked, each_step, input_gradients


@dataclass(frozen=True)
class Cell(RecurrentDropout, abstract=True):
    """Base of the recurrent layers: one step, repeated, with weights Wx (F, kH), Wh (H, kH), b (kH,) of k gates.

    A cell names its `gates`, side by side in this order, and its `states`, of which the first, h, is the output. It
    computes one step for a batch, forward and back:

        step(a, ...)      returns the gates and the new states, from a = x Wx + h_prev Wh + b (B, kH)
        step_back(...)    returns the gradients of the gates' sums a, and those of the states before, from dh, ...

    Each is given what it asks for by name: `a`; `gates` (B, kH); `h_prev`, `h` and `dh`, and so on for each state; the
    arrays of `caches` (B, H) and of `weights()`. A step that computes the gates in place returns `a` for them. None is
    a gradient of a state that is zero but for what h gives to a through Wh, which is added here. Where a step asks for
    `past`, it gets past = h_prev Wh + bh by itself, and a = x Wx + b. A third value holds, by name: from step what to
    keep in caches, from step_back the gradients of `past` and of further weights.

    All else is done here: dropout, one-hot input, lengths, states, weights' gradients. `Bidirectional` does both ways.

    inputs: x (T, B, F); lengths (B,), where padded sequences end: nothing past the end is read, and y is 0 there; h0
    (B, H), and so on for each state, in the place of what the previous call left.
    units: size H of the output. dropout: on the input, as a Dropout layer put before. recurrent_dropout: on Wh, one
    mask a window. state_dropout: on h_prev before Wh, one mask a window. bias: whether there are b and bh.
    """

    units: Annotated[int, Gt(0)]
    dropout: Annotated[float, Ge(0), Lt(1)] = field(default=0.0, kw_only=True)
    bias: bool = field(default=True, kw_only=True)

    gates: ClassVar[tuple[str, ...]] = ()
    states: ClassVar[tuple[str, ...]] = ("h",)
    caches: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[str, ...]] = ()  # weights that a setting may leave out: a step is given None for them
    recurrent: ClassVar[bool] = True  # False: there is no Wh, and a is the inputs' share alone
    bias_init: ClassVar[str] = "zeros"
    accepts_one_hot = True
    step: ClassVar[Callable[..., Any]]
    step_back: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        first = {f"{state}0": InputSpec(f"B {state}", optional=True) for state in cls.states}
        cls.inputs = {"x": InputSpec("T B F"), "lengths": LENGTHS, **first}
        super().__init_subclass__(**options)

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        if self.dropout and inputs and isinstance(inputs[0], Symbol):
            name = MadeName(f"{self.name or self.default_name()}_dropout")
            inputs = (Dropout(self.dropout, name=name)(inputs[0]), *inputs[1:])
        return connect(self, inputs, named)

    @classmethod
    def arguments(cls, function: str) -> list[str]:
        """The array names that `forward` or `backward` asks for one by one; backward the gradients of all states."""
        running = [f"d{state}" for state in cls.states] if function == "backward" else []
        return [*super().arguments(function), *running]

    def weights(self) -> dict[str, Param]:
        """Further weights, which a step may ask for."""
        return {}

    def has_twin(self, ports: Collection[str]) -> bool:
        return self.bias and not self.state_dropout

    def size_of(self, state: str) -> int:
        """The size of a state."""
        return self.units

    def arrays(self, x: Shape, lengths: Shape | None = None, *first: Shape, **named: Shape) -> dict[str, Declaration]:
        T, B, F = x
        H, kH = self.size_of(self.states[0]), len(self.gates) * self.units
        self._check(B, {**dict(zip(list(self.inputs)[2:], first, strict=False)), **named})
        return {
            "Wx": Param((F, kH), f"glorot_{len(self.gates)}"),
            **({"Wh": Param((H, kH), "orthogonal")} if self.recurrent else {}),
            **({"b": Param((kH,), self.bias_init)} if self.bias else {}),
            **({"bh": Param((kH,))} if self.bias and "past" in self.asked("step") else {}),
            **self.weights(),
            **{state: State((T + 1, B, self.size_of(state))) for state in self.states},
            "y": Out((T, B, H), steps_of=self.states[0]),
            "gates": Cache((T, B, kH)),
            **{name: Cache((T, B, self.units)) for name in self.caches},
            **self.dropout_arrays(T, B, H, kH),
            "Wh_room": Workspace((kH, H) if self.recurrent else (0, 0)),
            "past": Workspace((B, kH)),
            "da": Workspace((T, B, kH)),
            "dpast": Workspace((T, B, kH) if "past" in self.asked("step") else (0, 0, 0)),
            **{f"d{state}": Workspace((B, self.size_of(state))) for state in self.states},
        }

    def forward(self, x: Array, lengths: Array | None, past: Array, Wh_room: Array, **arrays: Any) -> None:
        gates, states = arrays["gates"], [arrays[name] for name in self.states]
        for name, state in zip(self.states, states, strict=True):
            if arrays[f"{name}0"] is not None:
                state[0] = arrays[f"{name}0"]
        self.draw_mask(arrays["mask"], arrays["training"], arrays["rng"])
        self.draw_state_mask(arrays["state_mask"], arrays["training"], arrays["rng"])
        Wh, ended = self._weights_in_use(arrays), after_the_end(lengths, len(gates))
        times_Wh = None if Wh is None else Product(Wh, Wh_room, rows=gates.shape[1], steps=len(gates))
        affine(x, arrays["Wx"], arrays.get("b"), out=gates)  # the inputs' share of all steps at once
        if ended is not None:
            gates[ended] = 0
        moving = {"a": gates, **{f"{name}_prev": arrays[name][:-1] for name in self.states}}
        for t, given in enumerate(each_step(self.asked("step"), moving, {**arrays, "Wh": Wh, "past": past})):
            self._add_past(self.seen(states[0][t], t, arrays), times_Wh, arrays.get("bh"), past, gates[t])
            found, now, *kept = self.step(*given)
            if isinstance(found, tuple):  # or else they were computed in place
                np.concatenate(found, axis=-1, out=gates[t])
            for state, value in zip(states, now, strict=True):
                state[t + 1] = value
            if ended is not None:
                states[0][t + 1, ended[t]] = 0
            for name, value in kept[0].items() if kept else ():
                arrays[name][t] = value

    def backward(
        self, x: Array, lengths: Array | None, dy: Array | None, da: Array, dpast: Array, Wh_room: Array, **arrays: Any
    ) -> None:
        Wh, ended = self._weights_in_use(arrays), after_the_end(lengths, len(da))
        back = None if Wh is None else Product(Wh.T, Wh_room, rows=da.shape[1], steps=len(da))
        dpast = dpast if "past" in self.asked("step") else da
        for t, given in self._steps_back(dy, ended, {**arrays, "Wh": Wh}):
            found, before, *further = self.step_back(*given)
            np.concatenate(found, axis=-1, out=da[t])
            for name, value in further[0].items() if further else ():
                if name == "past":
                    np.concatenate(value, axis=-1, out=dpast[t])
                else:
                    arrays[f"d{name}"] += value
            self._go_back(before, dpast[t], back, arrays)
        for name in self.states:
            if arrays[f"d{name}0"] is not None:
                arrays[f"d{name}0"][...] = arrays[f"d{name}"]
        input_gradients(x, da, arrays["dWx"], arrays.get("db"), ended)
        if Wh is not None:
            seen = arrays["h_seen" if self.drops_states(arrays["training"]) else self.states[0]]
            affine_gradients(seen[: len(da)], dpast, arrays["dWh"], arrays.get("dbh"))
            self.mask_gradient(arrays["dWh"], arrays["mask"], arrays["training"])
        if arrays["dx"] is not None:
            np.matmul(rows(da), arrays["Wx"].T, out=rows(arrays["dx"]))

    def _weights_in_use(self, arrays: Mapping[str, Any]) -> Array | None:
        if not self.recurrent:
            return None
        return self.recurrent_weights(arrays["Wh"], arrays["mask"], arrays["Wh_dropped"], arrays["training"])

    def _add_past(self, h_prev: Array, times_Wh: Product | None, bh: Array | None, past: Array, a: Array) -> None:
        """past = h_prev Wh + bh, which is part of a unless the step wants it by itself."""
        if times_Wh is None:
            return
        times_Wh(h_prev, out=past)
        if "past" not in self.asked("step"):
            a += past
        elif bh is not None:
            past += bh

    def _steps_back(
        self, dy: Array | None, ended: Array | None, arrays: Mapping[str, Any]
    ) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Each step, the last first, with what `step_back` asks for; dh, dc, ... are those of this step.

        A sequence has no gradient after its end; there, the gradients of its last states come in.
        """
        running = [(arrays[f"d{name}"], arrays[f"d{name}_last"]) for name in self.states]
        for d, last in running:
            d[...] = 0 if last is None else last
        for name in self.weights():
            arrays[f"d{name}"][...] = 0
        moving = {name: arrays[name][::-1] for name in ("gates", *self.caches)}
        for name in self.states:
            moving |= {name: arrays[name][:0:-1], f"{name}_prev": arrays[name][-2::-1]}
        steps = range(len(arrays["gates"]) - 1, -1, -1)
        for t, given in zip(steps, each_step(self.asked("step_back"), moving, arrays), strict=False):
            if dy is not None:
                running[0][0][...] += dy[t]
            if ended is None:
                yield t, given
                continue
            for d, _ in running:
                d[ended[t]] = 0
            yield t, given
            for d, last in running:
                if last is not None:
                    d[ended[t]] = last[ended[t]]

    def _go_back(self, before: Sequence[Any], dpast: Array, back: Product | None, arrays: Mapping[str, Any]) -> None:
        """The gradients of the states before: what the step says, and for h what comes through Wh."""
        for name, value in zip(self.states[1:], before[1:], strict=True):
            arrays[f"d{name}"][...] = value
        dh, direct = arrays[f"d{self.states[0]}"], before[0]
        if back is None:
            dh[...] = direct
            return
        through = back(dpast, out=dh if direct is None else np.empty_like(dh))
        if self.drops_states(arrays["training"]):
            through *= arrays["state_mask"]
        if direct is not None:
            np.add(direct, through, out=dh)

    @classmethod
    def asked(cls, function: str) -> tuple[str, ...]:
        """What `step` or `step_back` asks for, by name."""
        return asked_by(getattr(cls, function))

    def _check(self, B: int, first: Mapping[str, Shape]) -> None:
        """Both steps are there and ask for nothing that there is not; first states have the shape of states."""
        states, before = list(self.states), [f"{state}_prev" for state in self.states]
        always = [*self.weights(), *self.options, *(["Wh"] if self.recurrent else [])]
        known = {
            "step": ["a", *(["past"] if self.recurrent else []), *before, *always],
            "step_back": ["gates", *before, *states, *(f"d{state}" for state in states), *self.caches, *always],
        }
        check_asked(type(self), known)
        if (self.recurrent_dropout or self.state_dropout) and not self.recurrent:
            raise ValueError("it has no recurrent weights, for which recurrent_dropout and state_dropout are")
        for name, shape in first.items():
            expected = (B, self.size_of(name.removesuffix("0")))
            if tuple(shape) != expected:
                raise ValueError(f"{name} should be {show(expected)}, as the state it begins, got {show(shape)}")
