"""Files for TensorBoard's embedding projector: vectors, their labels, and the list of both."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from minidl.callbacks.tensorboard.events.text_event import encodable
from minidl.graph.arrays import Array
from minidl.storage.atomic import write_whole
from minidl.system.errors import UsageError


def write_projector(folder: Path, name: str, matrix: Array, labels: Sequence[str]) -> None:
    """Write, or write anew, the vectors of one embedding beside a run's event files.

    folder: the run's. name: such as "embedding/W". matrix: (V, E). labels: V, one a row, such as
    a vocabulary; white space is made visible. Raises UsageError when the sizes differ, OSError when
    the disk refuses.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_projector(Path(folder), "embedding/W", np.eye(2), ["a", " "])
    ...     print((Path(folder) / "projector/embedding%2FW.labels.tsv").read_text(encoding="utf-8"), end="")
    a
    ␣
    """
    if matrix.ndim != 2 or len(matrix) != len(labels):
        raise UsageError(f"projector {name!r}: {len(labels)} labels need a matrix of as many rows, not {matrix.shape}")
    (folder / "projector").mkdir(parents=True, exist_ok=True)
    stem = f"projector/{quote(encodable(name), safe='')}"
    table = io.BytesIO()
    np.savetxt(table, matrix, fmt="%.6g", delimiter="\t")
    write_whole(folder / f"{stem}.tsv", table.getvalue(), follow=False)
    lines = "".join(f"{visible(label)}\n" for label in labels)
    write_whole(folder / f"{stem}.labels.tsv", lines.encode(), follow=False)
    _list(folder / "projector_config.pbtxt", name, stem)


def visible(label: str) -> str:
    r"""A label that takes one line and one column, with white space and control characters shown.

    >>> visible("\n"), visible("a b"), visible("")
    ('\\n', 'a␣b', '(empty)')
    """
    shown = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in label)
    return "".join(shown).replace(" ", "␣") or "(empty)"


def _list(config: Path, name: str, stem: str) -> None:
    quoted = json.dumps(encodable(name), ensure_ascii=False)
    entry = (
        f'embeddings {{\n  tensor_name: {quoted}\n  tensor_path: "{stem}.tsv"\n'
        f'  metadata_path: "{stem}.labels.tsv"\n}}\n'
    )
    listed = config.read_text(encoding="utf-8") if config.exists() else ""
    if entry not in listed:
        write_whole(config, (listed + entry).encode(), follow=False)
