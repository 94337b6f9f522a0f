"""Baselines are drawn once a chart: by the first run in a folder of runs, and not again by each that has the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from minidl.storage.run_folder import LOGS, NUMBER, list_runs

BASELINE = "val_baseline/"
LOOKED_AT = 1 << 18  # characters of what a run has recorded: baselines come with its first validation at the latest


def without_those_drawn(record: Mapping[str, float], folder: Path) -> dict[str, float]:
    """The record of a step, without the baselines where a run before this one, of any experiment, has drawn the same.

    A folder without a number, and one whose neighbours cannot be read, draws its own.
    """
    own = {tag: value for tag, value in record.items() if tag.startswith(BASELINE)}
    if not own or not NUMBER.fullmatch(folder.name):
        return dict(record)
    if not any(own.items() <= _drawn_by(path / LOGS[0]).items() for path in _before(folder)):
        return dict(record)
    return {tag: value for tag, value in record.items() if tag not in own}


def _before(folder: Path) -> Iterator[Path]:
    """The runs of this experiment with a smaller number, and those of the experiments beside it."""
    for home in sorted(folder.absolute().parent.parent.iterdir()):
        for run in list_runs(home):
            if home.name != folder.parent.name or run.number < int(folder.name):
                yield run.path


def _drawn_by(path: Path) -> dict[str, float]:
    """The first line of metrics.jsonl that has baselines; nothing where it cannot be read."""
    try:
        if not path.is_file():  # to open a pipe would wait for ever
            return {}
        with path.open(encoding="utf-8") as file:
            lines = file.read(LOOKED_AT).splitlines()
        record = json.loads(next((line for line in lines if BASELINE in line), "{}"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
