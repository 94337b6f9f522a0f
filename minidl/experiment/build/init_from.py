"""`init_from`: with which weights of another run an experiment begins, and which of them stay as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from minidl.config.declared import Declared
from minidl.config.plain import FrozenMapping
from minidl.optim import Optimizer
from minidl.system.errors import ConfigError


@dataclass(frozen=True)
class InitFrom(Declared, family="init_from", abstract=False):
    """The run whose weights an experiment begins with, or files of vectors.

    run: its name, NAME/NUMBER, its folder, or a model file. take: patterns of names of parameters, such as lstm/*; all
    where it is not given. freeze: patterns of those that are not trained. vectors: for an Embedding, by its name, a
    text file of GloVe, word2vec or fastText; symbols are matched by name.
    """

    run: str | None = None
    take: tuple[str, ...] = ("*",)
    freeze: tuple[str, ...] = ()
    vectors: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "vectors", FrozenMapping(self.vectors))
        if self.run is None and not self.vectors:
            raise ConfigError("init_from needs a run, such as {run: NAME}, or vectors: {embedding: glove.txt}")

    def found_from(self, folder: Path) -> InitFrom:
        """The same, with paths of vectors that hold from any folder: in this one, or else in the working folder."""
        files = {node: _found(file, folder) for node, file in self.vectors.items()}
        return dataclasses.replace(self, vectors=files)

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


def _found(file: str, folder: Path) -> str:
    here = (folder / file).resolve()
    return str(here if here.exists() or not Path(file).exists() else Path(file).resolve())
