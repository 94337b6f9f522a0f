"""What an optimizer keeps from step to step."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.graph.arrays import Array
from minidl.system.errors import CheckpointError


@dataclass(frozen=True)
class Bound:
    """Functions with their arrays in place, for as long as an optimizer is given the same arrays."""

    arrays: Sequence[Any]
    length: Callable[..., float]
    changes: Sequence[Callable[..., None]]

    def fits(self, arrays: Sequence[Any]) -> bool:
        """Whether these are the arrays, and not only equal ones."""
        return len(arrays) == len(self.arrays) and all(map(operator.is_, arrays, self.arrays))

    def __reduce__(self) -> tuple[Any, ...]:  # a copy of an optimizer has arrays of its own, and binds to them
        return type(None), ()


@dataclass
class History:
    """Updates done, a vector for each slot, numbers for each group, the last gradient's norm before clipping.

    clipped_by: how many times larger that was than after clipping by norm. bound: the functions of the last update.
    """

    steps: int = 0
    slots: dict[str, Array] = field(default_factory=dict)
    scalars: dict[str, Array] = field(default_factory=dict)
    grad_norm: float = 0.0
    clipped_by: float = 1.0
    bound: Bound | None = None

    def state_dict(self) -> dict[str, Any]:
        """Everything, as arrays and numbers by name; arrays are copies."""
        arrays = {name: array.copy() for name, array in {**self.slots, **self.scalars}.items()}
        return {"steps": self.steps, "grad_norm": self.grad_norm, **arrays}

    def load_state_dict(self, kept: Mapping[str, Any], slots: Sequence[str], scalars: Sequence[str], kind: str) -> None:
        """Go on from what `state_dict` gave, for an optimizer of this kind that has these slots and scalars."""
        arrays = {name: np.array(value) for name, value in kept.items() if name not in ("steps", "grad_norm")}
        steps = int(kept["steps"])
        if set(arrays) != {*slots, *scalars} and (arrays or steps):
            wanted, found = (", ".join(names) or "none" for names in ((*slots, *scalars), arrays))
            raise CheckpointError(f"{kind} keeps the arrays {wanted}, got {found}: it is of another optimizer")
        self.steps, self.grad_norm = steps, float(kept.get("grad_norm", 0.0))
        for name, array in arrays.items():
            home = self.slots if name in slots else self.scalars
            if name in home and home[name].shape == array.shape:
                home[name][...] = array  # in place: others may look at this slot
            else:
                home[name] = array
