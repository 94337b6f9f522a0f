"""Proof of gradients: what backward computes against the derivative of what forward computes.

For every array a (a parameter, a float input) and random directions v of entries ±1, the directional derivative is
taken from forward alone and compared with ⟨da, v⟩. Layers are checked by the complex step

    ⟨∂f/∂a, v⟩ = Im f(a + i h v) / h,   h = 1e-30

which has no subtraction and so no step size to choose: the error is that of rounding. Where a layer of the user's
own is not complex-differentiable (`analytic = False`) it is a central difference of fourth order in float64. All
entries take part in each probe with a weight of equal size, so that errors cannot hide or cancel on average.

Squire and Trapp 1998, equation 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minidl.graph.arrays import Array
from minidl.graph.summary import html_table
from minidl.model import Model
from minidl.system.errors import expect

TOLERANCE = 1e-10
STEP = 1e-30
FLOOR = 1e-4  # of the longest gradient: what a gradient that is 0 differs from it by rounding is no error
DIFFERENCE = 1e-3
STENCIL = ((1, 2 / 3), (2, -1 / 12))  # f' ≈ Σ weight · (f(a + k d) - f(a - k d)) / d


@dataclass(frozen=True)
class Check:
    """The outcome for one array: the largest error over its probes, relative to the length of the gradient."""

    array: str
    shape: tuple[int, ...]
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the gradient is right."""
        return bool(self.error <= self.tolerance)  # False for NaN


class Checks(list[Check]):
    """Checks by array; a table in a notebook."""

    def _repr_html_(self) -> str:
        rows = [(c.array, str(c.shape), f"{c.error:.1e}", "right" if c.passed else "WRONG") for c in self]
        return html_table([("array", "shape", "relative error", "gradient"), *rows])


def gradcheck(
    model: Model,
    inputs: Mapping[str, ArrayLike],
    *,
    probes: int = 4,
    seed: int = 0,
    tolerance: float | None = None,
) -> Checks:
    """Check the gradient of every parameter and every float input of a model, at these inputs.

    The model itself is left alone; the check runs on copies in float64 and complex128. probes: random directions an
    array. tolerance: 1e-10, or 1e-8 where a layer needs differences.

    >>> from minidl import Input, Model
    >>> from minidl.layers import Dense
    >>> model = Model(outputs={"y": Dense(2)(Input("x", depth=3))})
    >>> all(check.passed for check in gradcheck(model, {"x": np.ones((4, 1, 3))}))
    True
    """
    expect(Model, model, "gradients are checked of a Model; of a layer by check_layer(layer, x)")
    analytic = all(node.layer.analytic for node in model.graph.nodes.values())
    problem = _Problem(model, inputs, seed, complex_step=analytic)
    limit = tolerance if tolerance is not None else TOLERANCE if analytic else 100 * TOLERANCE
    rng = np.random.default_rng(seed)
    gradients = problem.gradients()
    floor = FLOOR * max((float(np.linalg.norm(gradient)) for gradient in gradients.values()), default=0.0)
    return Checks(
        Check(name, gradient.shape, problem.error(name, gradient, rng, probes, floor), limit)
        for name, gradient in gradients.items()
    )


class _Problem:
    """A scalar function of a model's parameters and inputs: its loss, or its outputs along a fixed covector."""

    def __init__(self, model: Model, inputs: Mapping[str, ArrayLike], seed: int, complex_step: bool) -> None:
        self.plain = model.replica(training=True, dtype="float64")
        self.twin = model.replica(training=True, dtype="complex128" if complex_step else "float64")
        for each in (self.plain, self.twin):
            each.executor.leave_padding()  # layers are what is checked, not the zeros that they are fed past an end
        self.derivative = self._complex_step if complex_step else self._difference
        self.inputs = {name: np.asarray(value) for name, value in inputs.items()}
        self.memory = self._random_state(np.random.default_rng(seed))
        results = self._run(self.plain, {})
        rng = np.random.default_rng(seed + 1)
        self.covectors = {
            name: np.array(1.0) if name == "loss" else rng.standard_normal(value.shape)
            for name, value in results.items()
            if ("loss" not in results or name == "loss")
        }

    def _random_state(self, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Any]]:
        """A carried state that is not zero, so that what it feeds is checked too."""
        self.plain.executor.forward(self.inputs)
        state, _ = self.plain.executor.state_dict()
        generators = self.twin.executor.state_dict()[1]
        return {name: 0.5 * rng.standard_normal(array.shape) for name, array in state.items()}, generators

    def _run(self, model: Model, changed: Mapping[str, Array]) -> dict[str, Array]:
        model.executor.load_state_dict(*self.memory)
        return model.executor.forward({**self.inputs, **changed})

    def gradients(self) -> dict[str, Array]:
        """What backward says, by array; NaN where it depends on what buffers held before: += in the place of =."""
        first, again = self._backward(), self._backward()
        return {
            name: gradient if gradient.tobytes() == again[name].tobytes() else np.full_like(gradient, np.nan)
            for name, gradient in first.items()
        }

    def _backward(self) -> dict[str, Array]:
        """One pass from gradients that hold NaN; all is NaN where it has changed weights."""
        weights = self.plain.weights.flat.copy()
        self._run(self.plain, {})
        self.plain.executor.gradient[...] = np.nan
        found = {**self.plain.gradients, **self.plain.backward(**self.covectors)}
        changed = (self.plain.weights.flat != weights).any()
        self.plain.weights.flat[...] = weights
        return {name: np.full_like(array, np.nan) if changed else array.copy() for name, array in found.items()}

    def error(self, name: str, gradient: Array, rng: np.random.Generator, probes: int, floor: float) -> float:
        """The largest relative error along random directions."""
        errors = [
            self._relative(self.derivative(name, direction), gradient, direction, floor)
            for direction in rng.choice([-1.0, 1.0], (probes, *gradient.shape))
        ]
        return float(np.max(errors))

    def _relative(self, numeric: float, gradient: Array, direction: Array, floor: float) -> float:
        scale = max(float(np.linalg.norm(gradient)), abs(numeric), floor)
        return abs(numeric - float(np.sum(gradient * direction))) / scale if scale else 0.0

    def _value(self, name: str, change: Array) -> Any:
        """f where one array has been moved."""
        if name in self.twin.parameters:
            own = self.twin.parameters[name]
            before = own.copy()
            own += change
            results = self._run(self.twin, {})
            own[...] = before
        else:
            results = self._run(self.twin, {name: self.inputs[name] + change})
        return sum(np.sum(results[key] * covector) for key, covector in self.covectors.items())

    def _complex_step(self, name: str, direction: Array) -> float:
        return float(self._value(name, 1j * STEP * direction).imag / STEP)

    def _difference(self, name: str, direction: Array) -> float:
        def rise(k: int) -> Any:
            return self._value(name, k * DIFFERENCE * direction) - self._value(name, -k * DIFFERENCE * direction)

        return float(sum(weight * rise(k) for k, weight in STENCIL) / DIFFERENCE)
