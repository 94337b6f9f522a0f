"""Runs a graph: owns buffers, carried state and random generators, and knows nothing of what the layers compute.

Several executors may share the same weights (training, validation, sampling), each with a state of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.engine.backward import BackwardProgram
from minidl.engine.binding import Context, carry_out
from minidl.engine.buffers import Arena, DryRunAllocator, zeros
from minidl.engine.dispatch import in_use
from minidl.engine.feeds import Feeds, Shapes
from minidl.engine.forward import ForwardProgram
from minidl.engine.memory_limit import check_fits
from minidl.engine.owner import Owner
from minidl.engine.parameters import Parameters
from minidl.graph.arrays import State
from minidl.graph.graph import Graph
from minidl.graph.sums import told
from minidl.system.errors import CheckpointError, UsageError, suggest

Array = NDArray[Any]
PROGRAMS_KEPT = 8  # shapes that alternate (training windows, a last short one) are not bound anew each time


class Executor:
    """A graph with weights, ready to run forward and backward."""

    def __init__(
        self,
        graph: Graph,
        weights: Parameters,
        *,
        training: bool,
        seed: int,
        caches: bool = True,
        input_gradients: bool = True,
    ) -> None:
        self.graph, self.weights = graph, weights
        self.rngs = {name: np.random.default_rng([seed, zlib.crc32(name.encode())]) for name in graph.nodes}
        self.context = Context(graph, weights, {}, training, caches, self.rngs, input_gradients)
        self.state: dict[str, Array] = {}
        self.left_out: frozenset[str] = frozenset()  # nodes that are not run; their arrays hold zeros
        self.feeds = Feeds(graph, weights.dtype)
        self._measured: dict[Any, DryRunAllocator] = {}
        self._owner = Owner(self._hand_over)
        self._lay_out()

    def _lay_out(self) -> None:
        """Arrays, to which nothing that was computed before belongs."""
        self.gradient: Array = zeros(self.weights.size, self.weights.dtype)
        self.gradients = self.weights.views(self.gradient)
        self.context = replace(self.context, gradients=self.gradients)
        self.arenas = Arena(), Arena()
        self._forwards: dict[Any, ForwardProgram] = {}
        self._backwards: dict[Any, BackwardProgram] = {}
        self._current: ForwardProgram | None = None
        self._computed_at = -1
        self.last_backward: BackwardProgram | None = None  # for those who look into its calls
        self.has_gradient = False

    def _hand_over(self) -> None:
        """Leave to the thread before what it may still read."""
        self.state = {name: array.copy() for name, array in self.state.items()}
        self._lay_out()

    def leave_padding(self) -> None:
        """Feed layers what stands past the end of sequences as it is, so that their own part can be checked."""
        self.feeds.padded.clear()

    def forward(self, feeds: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """All results that can be computed from these inputs: views of the executor's own buffers."""
        arrays, shapes = self.feeds.check(feeds)
        with self._owner.turn(anew=not self.state):
            self._current = None  # until this pass is through, there is nothing to go back from
            program = self._forward_program(shapes)
            for name, array in arrays.items():
                program.values[name][...] = array
            self.feeds.clear_padding(program.values)
            self._run(program)
            self._current, self._computed_at = program, self.weights.version
            return dict(program.results)

    def backward(self, seeds: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Gradients of Σ seed · result for every parameter (into `gradients`) and float input (returned)."""
        with self._owner.turn(anew=False):
            program = self._backward_program(tuple(seeds))
            program.set_seeds(seeds)
            for grad in program.untouched:
                grad[...] = 0
            self.last_backward = program
            carry_out(program.calls, "backward")
            self.has_gradient = True
            return dict(program.results)

    def check_gradient(self) -> None:
        """Refuse to go on where there has been no backward pass."""
        with self._owner.turn(anew=False):
            if not self.has_gradient:
                raise UsageError(
                    "there is no gradient yet: call model.forward(...) and model.backward() before the step"
                )

    def rerun(self) -> None:
        """The last forward pass once more, on what its inputs hold now, and without a look at them."""
        if self._current is None:
            raise UsageError("rerun repeats a forward pass: call model.forward(...) first")
        self._run(self._current)

    def input(self, name: str) -> Array:
        """Where the last forward pass has put one of its inputs."""
        if self._current is None or name not in self._current.shapes:
            raise UsageError(f"the last forward pass had no input {name!r}")
        given: Array = self._current.values[name]
        return given

    def arrays(self) -> dict[str, Array]:
        """What the last forward pass left, by "node/array": outputs, caches such as gates, carried values."""
        return {} if self._current is None else self._current.kept()

    def values(self) -> dict[str, Array]:
        """What the last forward pass gave, by input and node; one-hot rows as if they were written."""
        return {} if self._current is None else self._current.written()

    def reset_state(self) -> None:
        """Begin anew: what recurrent layers carry is zero."""
        with self._owner.turn(anew=True):
            for carried in self.state.values():
                carried[...] = 0

    def estimate(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """Bytes that weights, gradients and a training step on inputs of these shapes take; nothing is allocated."""
        return self._measure(shapes).total + 2 * self.weights.nbytes

    def estimate_forward(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """Bytes that a forward pass on inputs of these shapes takes."""
        return self._measure(shapes, backward=False).total

    def check_fits(self, shapes: Mapping[str, tuple[int, ...]], more: int = 0) -> None:
        """Raise OutOfMemory where a training step on inputs of these shapes, and `more` bytes, do not fit."""
        ruler = self._measure(shapes)
        each = self.weights.dtype.itemsize
        weights = [(part.name, part.shape, each * (part.stop - part.start)) for part in self.weights.parts]
        check_fits(ruler.total + more, [*ruler.arrays, *weights])

    def _measure(self, shapes: Mapping[str, tuple[int, ...]], *, backward: bool = True) -> DryRunAllocator:
        """What programs for inputs of these shapes take, measured once."""
        key = (*sorted(shapes.items()), backward, in_use())
        if key not in self._measured:
            self._measured[key] = ruler = DryRunAllocator()
            forward = ForwardProgram(replace(self.context, caches=backward), shapes, ruler)
            if backward:
                BackwardProgram(forward, [name for result, name in self.graph.ends.items() if result == "loss"], ruler)
        return self._measured[key]

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What the next call depends on besides weights: carried state (arrays), random generators (plain data)."""
        state = {name: array.copy() for name, array in self.state.items()}
        return state, {name: rng.bit_generator.state for name, rng in self.rngs.items()}

    def check_state(self, state: Mapping[str, Array]) -> None:
        """CheckpointError where this is no state of the graph."""
        carried = {
            f"{name}/{array}": item.shape[-1]
            for name, node in self.graph.nodes.items()
            for array, item in node.declarations.items()
            if isinstance(item, State)
        }
        if not set(state) <= set(carried):
            strange = ", ".join(sorted(set(state) - set(carried)))
            raise CheckpointError(f"it carries {strange}, which this model does not have")
        for name, array in state.items():
            if array.ndim != 2 or array.shape[1] != carried[name]:
                raise CheckpointError(f"{name}: shape {array.shape}, the model carries (B, {carried[name]})")

    def load_state_dict(self, state: Mapping[str, Array], generators: Mapping[str, Any]) -> None:
        """Go back to what `state_dict` gave."""
        self.state = {name: np.array(array, self.weights.dtype) for name, array in state.items()}
        for name, generator in generators.items():
            self.rngs[name].bit_generator.state = generator

    def _forward_program(self, shapes: Shapes) -> ForwardProgram:
        program = self._forwards.get((self.arenas[0].generation, shapes, told.get()))
        if program is None:
            if len(self._forwards) >= PROGRAMS_KEPT:
                self._forwards.clear()
                self._backwards.clear()
            self.weights.draw()
            program = ForwardProgram(self.context, dict(shapes), self.arenas[0])
            self._leave_out(program, self.arenas[0])
            self._forwards[self.arenas[0].generation, shapes, told.get()] = program
        return program

    def _backward_program(self, results: tuple[str, ...]) -> BackwardProgram:
        if not self.context.caches:
            raise UsageError("this replica keeps nothing for the way back: make it without caches=False")
        if self._current is None:
            raise UsageError("backward needs a forward pass before it: call model.forward(...) first")
        if self._computed_at != self.weights.version:
            raise UsageError("the weights have changed since the last forward pass: call model.forward(...) again")
        program = self._backwards.get((self.arenas[1].generation, id(self._current), results))
        if program is None:
            program = BackwardProgram(self._current, self._seeded_nodes(results), self.arenas[1])
            self._leave_out(program, self.arenas[1])
            self._backwards[self.arenas[1].generation, id(self._current), results] = program
        return program

    def _leave_out(self, program: ForwardProgram | BackwardProgram, arena: Arena) -> None:
        """What nodes that are not run would have written is zero, and stays so."""
        if self.left_out:
            program.calls = [(name, call) for name, call in program.calls if name not in self.left_out]
            arena.block[...] = 0

    def _run(self, program: ForwardProgram) -> None:
        self._begin(program)
        carry_out(program.calls, "forward")
        self._end(program)

    def _begin(self, program: ForwardProgram) -> None:
        """Step 0 of each carried array is what the previous call left; a new batch size begins at zero."""
        for key, _, first, _, _ in program.carried:
            state = self.state.get(key)
            if state is None or len(state) != len(first):
                state = self.state[key] = np.zeros_like(first)
            first[...] = state

    def _end(self, program: ForwardProgram) -> None:
        """Each sequence leaves the value after its own last step."""
        for key, steps, _, last, lengths in program.carried:
            self.state[key][...] = last if lengths is None else steps[lengths, np.arange(len(last))]

    def _seeded_nodes(self, results: tuple[str, ...]) -> list[str]:
        for name in results:
            if name not in self.graph.ends:
                known = ", ".join(self.graph.ends)
                raise UsageError(f"the model has no output {name!r}{suggest(name, self.graph.ends)} (it has: {known})")
            if self._current is not None and self.graph.ends[name] not in self._current.values:
                missing = ", ".join(name for name in self.graph.inputs if name not in self._current.shapes)
                raise UsageError(f"{name!r} was not computed: the last forward pass was given no {missing}")
        return sorted({self.graph.ends[name] for name in results})
