"""What the harness asks of a library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import SupportsFloat


class Peer(ABC):
    """A library with a workload's model in it, ready to go on step after step."""

    @abstractmethod
    def step(self) -> SupportsFloat:
        """One training step, or one symbol drawn; the loss, as the library gives it."""

    def losses(self, steps: int) -> list[float]:
        """The losses of the next steps."""
        return [float(self.step()) for _ in range(steps)]

    def run(self, steps: int) -> None:
        """Some steps, all of them done when it returns."""
        for _ in range(steps):
            last = self.step()
        float(last)  # waits for libraries that compute in the background
