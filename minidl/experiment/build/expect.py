"""What an experiment is known to come to, for `minidl reproduce`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Len

from minidl.config.declared import Declared
from minidl.system.errors import ConfigError

Found = Annotated[list[float], Len(2, 2)]


@dataclass(frozen=True)
class Expect(Declared, family="expect", abstract=False):
    """What an experiment is known to come to.

    measures: by tag, such as test/loss: the mean over the seeds, and how far from it another one may be. seeds: with
    which they were found. minutes: of one run. processor: on which they were found.
    """

    measures: dict[str, Found] = field(default_factory=dict)
    seeds: Annotated[tuple[Annotated[int, Ge(0)], ...], Len(1)] = (0,)
    minutes: Annotated[float, Gt(0)] | None = None
    processor: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for tag, (_, tolerance) in self.measures.items():
            if tolerance < 0:
                raise ConfigError(f"expect.measures: the tolerance of {tag} should be 0 or more, got {tolerance:g}")
