"""Data: what an experiment's `data:` section declares, to be loaded into batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minidl.config.declared import Declared, snake_case
from minidl.data.batches import Dataset


@dataclass(frozen=True)
class Data(Declared, family="data"):
    """Base of the kinds of data. `facts` names the numbers that `load` finds out, for `${data.NAME}` in files."""

    facts: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def type_name(cls) -> str:
        """The name in files: the class in small letters."""
        return snake_case(cls.__name__)

    def load(self, folder: Path) -> Dataset:
        """Read and prepare the data; `folder` is where relative paths start."""
        raise NotImplementedError
