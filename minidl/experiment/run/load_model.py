"""Trained models as commands use them: the file, what it says, and the model, with layers of the user's own."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.data import Vocabulary
from minidl.experiment.build.model_file import load_folder
from minidl.experiment.run.user_code import folder_of
from minidl.graph.layer import Layer
from minidl.model import Model, check_described
from minidl.storage.archive import Archive, Stored, read_archive
from minidl.storage.description import check_description
from minidl.system.errors import DataError

logger = logging.getLogger("minidl")
NAMED = 8  # symbols that a warning names


@dataclass(frozen=True)
class Trained:
    """A model from a file."""

    path: Path
    archive: Archive
    model: Model

    @property
    def name(self) -> str:
        """NAME-NUMBER of the run, or the name of the file."""
        path = self.path.absolute()
        run = path.parent.parent
        return f"{run.parent.name}-{run.name}" if path.parent.name == "checkpoints" else path.stem


def load_trained(path: Path) -> Trained:
    """The model in a checkpoint or model file.

    Where the model has layers that are not minidl's own, the model file that the run keeps beside its checkpoints is
    loaded first: it is the user's code, and defines them.
    """
    archive = read_archive(path, _check_own)
    if not _is_own(archive.meta):
        load_folder(folder_of(path, archive))
    model = Model.from_config(archive.meta.get("model"), archive.arrays, str(path))
    return Trained(path, archive, model)


def _is_own(meta: Mapping[str, Any]) -> bool:
    """Whether all layers are minidl's."""
    known = Layer.types()
    return all(name in known and known[name].is_own() for name in _types(meta))


def _check_own(meta: dict[str, Any], stored: dict[str, Stored]) -> None:
    """Layers of the user's are not known before the rest of the file is."""
    if _is_own(meta):
        check_described(meta, stored)
    else:
        check_stored(meta, stored)


def check_stored(meta: Mapping[str, Any], stored: Mapping[str, Stored]) -> None:
    """Refuse a file that says what minidl never writes."""
    check_description(meta, {name: array.dtype for name, array in stored.items()})


def _types(meta: Any) -> Iterator[str]:
    """The types of the layers in what a file says of its graph; nothing where it is not as we write it."""
    with contextlib.suppress(KeyError, TypeError):
        yield from (str(node["type"]) for node in meta["model"]["graph"]["nodes"])


def tell_unseen(vocabulary: Vocabulary, text: str, name: str) -> None:
    """Warn of symbols of a text that a vocabulary does not know; DataError where most of the characters are none of it.

    Words that are not known are what the symbol for them is there for.
    """
    strange = unseen(vocabulary, text)
    if not strange:
        return
    if vocabulary.kind != "word":
        unknown = set(vocabulary.unlisted(text))
        count = sum(character in unknown for character in text)
        if 2 * count > len(text):
            raise DataError(
                f"{name} is of another vocabulary than the model: {count} of {len(text)} characters are "
                f"{strange}. Train on such a text, and take the weights over by symbol: init_from in an experiment"
            )
    logger.warning("%s: %s", name, strange)


def unseen(vocabulary: Vocabulary, text: str) -> str:
    """What becomes of the symbols of a text that a vocabulary does not know, as a sentence; nothing where it knows all.

    >>> unseen(Vocabulary(("a", "b")), "abc, ab")
    "not in the vocabulary and left out: 'c', ',', ' '"
    """
    strange = vocabulary.unlisted(text)
    if not strange:
        return ""
    more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
    fate = "left out" if vocabulary.unknown is None else f"read as {vocabulary.symbols[vocabulary.unknown]}"
    return f"not in the vocabulary and {fate}: {', '.join(map(repr, strange[:NAMED]))}{more}"
