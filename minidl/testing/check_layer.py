"""The contract of a layer, tried on anybody's layer: the eleven points that all layers of minidl keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from minidl.graph.arrays import Array
from minidl.graph.layer import Layer
from minidl.graph.results import named_arrays
from minidl.system.errors import NumericsError
from minidl.testing import contract
from minidl.testing.trial import Trial, attempt, raised


@dataclass(frozen=True)
class Point:
    """One point of the contract: its number and name, and what the layer did wrong (nothing where it passed)."""

    number: int
    name: str
    wrong: str = ""

    @property
    def passed(self) -> bool:
        """Whether the layer keeps this point."""
        return not self.wrong


class LayerError(NumericsError, AssertionError):
    """A layer that does not keep the contract. points: all that were tried."""

    def __init__(self, message: str, points: Sequence[Point]) -> None:
        super().__init__(message)
        self.points = tuple(points)


def check_layer(layer: Layer, *inputs: ArrayLike, raises: bool = True, **named: ArrayLike) -> list[Point]:
    """Try a layer on these inputs: gradients, what it may write to, what it may keep, lengths, windows, threads.

    inputs: arrays by place, and by name those after an optional one that is left out; a few steps of a few sequences.
    raises: LayerError with all that is wrong; or else the points are returned, whether passed or not.

    >>> from minidl.layers import LSTM
    >>> x = np.random.default_rng(0).standard_normal((6, 3, 4))
    >>> all(point.passed for point in check_layer(LSTM(5), x))
    True
    """
    points = _points(layer, named_arrays(layer, inputs, named))
    return judged(layer, points) if raises else points


def judged(tried: object, points: list[Point]) -> list[Point]:
    """The points that were tried on a layer or an optimizer; LayerError for all that it does wrong."""
    wrong = [point for point in points if not point.passed]
    if wrong:
        what = "\n".join(f"  {point.number}. {point.name}: {point.wrong}" for point in wrong)
        raise LayerError(f"{tried!r} is wrong in {len(wrong)} of {len(points)} points:\n{what}", points)
    return points


def _points(layer: Layer, feeds: Mapping[str, Array]) -> list[Point]:
    try:
        with np.errstate(all="ignore"):
            trial = Trial(layer, feeds)
            trial.run()
    except Exception as error:
        return [Point(0, "it can be run", raised(error))]
    return [Point(number, name, attempt(check, trial)) for number, (name, check) in enumerate(CHECKS.items(), start=1)]


CHECKS: dict[str, Callable[[Trial], None]] = {
    "it is what its config says": contract.round_trip,
    "its gradients are right": contract.gradients,
    "it assigns, and keeps nothing": contract.assigns,
    "it leaves inputs, dy and weights alone": contract.leaves_alone,
    "kernels agree with the equations": contract.kernels_agree,
    "kernels allocate nothing": contract.allocates_nothing,
    "float32 stays float32": contract.keeps_float32,
    "windows go on where the last ended": contract.windows,
    "it can do without dx": contract.needs_no_dx,
    "padding is not read": contract.lengths,
    "threads change no bit": contract.same_bits_for_threads,
}
