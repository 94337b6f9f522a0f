"""Data: what an experiment's `data:` section declares, to be loaded into batches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minidl.config.declared import SnakeCased
from minidl.data.batches import Dataset
from minidl.system.errors import ConfigError


@dataclass(frozen=True)
class Data(SnakeCased, family="data"):
    """Base of the kinds of data. `facts` names the numbers that `load` finds out, for `${data.NAME}` in files."""

    facts: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        source = getattr(self, "source", None)
        if isinstance(source, dict):
            _check_download(source)

    def load(self, folder: Path) -> Dataset:
        """Read and prepare the data; `folder` is where relative paths start."""
        raise NotImplementedError


def _check_download(source: dict[str, str]) -> None:
    """Refuse a download that the file does not describe wholly: a mistake of the file, known before data is read."""
    if set(source) != {"url", "sha256"}:
        raise ConfigError(
            f"source: a download is given by url and sha256, not {', '.join(source) or 'nothing'}: the hash, "
            f"as sha256sum prints it, makes sure that every run sees the same data"
        )
    if not re.fullmatch(r"[0-9a-fA-F]{64}", source["sha256"]):
        raise ConfigError(f"source: sha256 should be 64 hexadecimal digits, got {source['sha256']!r}")
