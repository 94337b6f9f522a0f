"""Runs side by side: state, best metric, and the settings in which they differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minidl.errors import CheckpointError, suggest
from minidl.experiment.document import load
from minidl.experiment.session import flat
from minidl.run_folder import RunFolder, list_runs


def find(runs: Path, names: list[str]) -> list[RunFolder]:
    """The run folders that are meant: all, those of an experiment, or NAME/NUMBER."""
    experiments = sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []
    if not names:
        return [folder for home in experiments for folder in list_runs(home)]
    found = []
    for name in names:
        path = runs / name if (runs / name).is_dir() else Path(name)
        several = list_runs(path)
        if not several and not (path / "run.json").is_file():
            known = [f"{home.name}/{folder.path.name}" for home in experiments for folder in list_runs(home)]
            raise CheckpointError(f"there is no run {name!r} in {runs.resolve()}{suggest(name, known)}")
        found += several or [RunFolder(path)]
    return found


def summary(folder: RunFolder) -> dict[str, Any]:
    """A run in one row."""
    facts, records = folder.facts, _records(folder.path / "metrics.jsonl")
    last = {tag: value for record in records for tag, value in record.items()}
    losses = [record["val/loss"] for record in records if "val/loss" in record]
    return {
        "run": f"{folder.path.parent.name}/{folder.path.name}",
        "state": folder.state,
        "step": last.get("step", facts.get("step")),
        "best_val_loss": min(losses, default=None),
        "test_loss": last.get("test/loss"),
        "seconds": last.get("seconds"),
    }


def differences(folders: list[RunFolder]) -> list[dict[str, Any]]:
    """The settings in which these runs differ, for each run."""
    settings = [flat(load(folder.path / "resolved.yaml").tree) for folder in folders]
    names = {name for setting in settings for name in setting}
    differing = [name for name in names if len({json.dumps(setting.get(name)) for setting in settings}) > 1]
    return [{name: setting.get(name) for name in differing if name != "name"} for setting in settings]


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]
