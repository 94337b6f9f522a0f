"""`init_from`: with which weights of another run an experiment begins, and which of them stay as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from minidl.config.declared import Declared
from minidl.optim import Optimizer


@dataclass(frozen=True)
class InitFrom(Declared, family="init_from", abstract=False):
    """The run whose weights an experiment begins with.

    run: its name, NAME/NUMBER, its folder, or a model file. take: patterns of names of parameters, such as lstm/*; all
    where it is not given. freeze: patterns of those that are not trained.
    """

    run: str
    take: tuple[str, ...] = ("*",)
    freeze: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether a parameter of this name is taken over."""
        return any(fnmatchcase(name, pattern) for pattern in self.take)

    def freezing(self, optimizer: Optimizer) -> Optimizer:
        """An optimizer that leaves alone what is to stay as it is."""
        if not self.freeze:
            return optimizer
        frozen: Mapping[str, Any] = {pattern: {"freeze": True} for pattern in self.freeze}
        groups = {pattern: dict(group) for pattern, group in (optimizer.groups or {}).items()}
        return dataclasses.replace(optimizer, groups={**groups, **frozen})
