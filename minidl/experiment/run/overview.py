"""Runs side by side: state, best metric, and the settings in which they differ."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from minidl.config.diff import flat
from minidl.experiment.yaml.document import load
from minidl.storage.atomic import refuse_special
from minidl.storage.run_folder import RunFolder, list_runs
from minidl.system.errors import CheckpointError, ExperimentError, suggest

OWN = ("name", "data.source")  # settings that say nothing of how a run was done
OF_LANGUAGE = {"perplexity", "bits_per_char"}  # measures of language models alone


def find(runs: Path, names: list[str]) -> list[RunFolder]:
    """The run folders that are meant: all, those of an experiment, or NAME/NUMBER; also by their path."""
    experiments = sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []
    known = [folder for home in experiments for folder in list_runs(home)]
    if not names:
        return known
    found = []
    for name in names:
        path = runs / name if (runs / name).is_dir() else Path(name)
        several = list_runs(path)
        if not several and not (path / "run.json").is_file():
            called = [*(home.name for home in experiments), *map(title, known)]
            there_are = f" (there are: {', '.join(called[:20])})" if called else ""
            raise CheckpointError(f"there is no run {name!r} in {runs.absolute()}{suggest(name, called)}{there_are}")
        found += several or [RunFolder(path)]
    return found


def title(folder: RunFolder) -> str:
    """NAME/NUMBER."""
    path = Path(os.path.realpath(folder.path))
    return f"{path.parent.name}/{path.name}"


def summary(folder: RunFolder) -> dict[str, Any]:
    """A run in one row."""
    best, last = _best_and_last(folder)
    return {
        "run": title(folder),
        "state": folder.state,
        "step": folder.facts.get("step", last.get("step")),
        "best_val_loss": best.get("val/loss"),
        "at_step": best.get("step"),
        "test_loss": last.get("test/loss"),
        "seconds": last.get("seconds"),
    }


def listed(folders: list[RunFolder]) -> list[dict[str, Any]]:
    """Runs by their summary and, where any has them, further measures of the test part by the best weights."""
    found, rows = [_of_test(folder) for folder in folders], [summary(folder) for folder in folders]
    if not any(found):
        return rows
    return [{**row, "test_measures": measures} for row, measures in zip(rows, found, strict=True)]


def _of_test(folder: RunFolder) -> dict[str, Any]:
    """Measures of the test part; none of language models, of which the loss says all."""
    found = {tag[5:]: value for tag, value in _measures(folder).items() if tag.startswith("test/")}
    return {} if found.keys() & OF_LANGUAGE else found


def compare(folders: list[RunFolder]) -> list[dict[str, Any]]:
    """Runs with the same columns: the summary, further measures of the best weights, settings."""
    measured = [_measures(folder) for folder in folders]
    names = dict.fromkeys(name for measures in measured for name in measures)
    return [
        {**summary(folder), **{name: measures.get(name) for name in names}, **settings}
        for folder, measures, settings in zip(folders, measured, differences(folders), strict=True)
    ]


def _measures(folder: RunFolder) -> dict[str, Any]:
    """What the summary leaves out: validation where its loss was lowest, test."""
    best, last = _best_and_last(folder)
    found = [
        (tag, record[tag])
        for part, record in (("val/", best), ("test/", last))
        for tag in record
        if tag.startswith(part)
    ]
    return {tag: value for tag, value in found if not tag.endswith("/loss")}


def _best_and_last(folder: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record with the lowest loss in validation, and the last value of everything."""
    found = records(folder.path / "metrics.jsonl")
    evaluated = [record for record in found if "val/loss" in record]
    best = min(evaluated, key=lambda record: record["val/loss"], default={})
    return best, {tag: value for record in found for tag, value in record.items()}


def differences(folders: list[RunFolder]) -> list[dict[str, Any]]:
    """The settings in which these runs differ, for each run."""
    settings = [flat(_settings(folder)) for folder in folders]
    names = sorted({name for setting in settings for name in setting} - set(OWN))
    differing = [name for name in names if len({json.dumps(setting.get(name)) for setting in settings}) > 1]
    return [{name: setting.get(name) for name in differing} for setting in settings]


def _settings(folder: RunFolder) -> dict[str, Any]:
    with contextlib.suppress(ExperimentError):
        return load(folder.path / "resolved.yaml").tree
    return {}


def records(path: Path) -> list[dict[str, float]]:
    """The numbers in the whole lines of a record; the last one may have been torn."""
    try:
        refuse_special(path)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    records = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            records.append(json.loads(line))
    found = (record for record in records if isinstance(record, dict))
    return [{tag: value for tag, value in record.items() if isinstance(value, int | float)} for record in found]
