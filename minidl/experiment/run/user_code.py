"""The code of a user's model: a part of the run, by the hashes of its files, of which the run keeps copies."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minidl.experiment.build.experiment import Experiment
from minidl.experiment.build.model_package import BESIDE
from minidl.storage.archive import Archive
from minidl.storage.run_folder import RunFolder
from minidl.system.errors import CheckpointError

logger = logging.getLogger("minidl")
FOLDER = "models"
SHOWN = 20  # lines of a change


def files(experiment: Experiment) -> dict[str, Path]:
    """The files of the model by their name in the run folder; none where it is a list of layers."""
    return {} if experiment.builder is None else dict(experiment.code)


def hashes(experiment: Experiment) -> dict[str, str]:
    """The sha256 of each file."""
    return {name: _hash(path) for name, path in files(experiment).items()}


def keep(experiment: Experiment, folder: RunFolder) -> None:
    """Copy the files of models/ into the run folder, and what they import besides; packages are known by their hash."""
    for name, path in files(experiment).items():
        copy = _copy(Path(FOLDER), name)
        if copy.name == path.name:
            folder.copy(path, str(copy.parent))
        else:
            logger.warning(
                "%s is imported from a package outside of models/: a change of it is told by --resume and verify, but "
                "the run keeps no copy of it; in models/, imported as models.%s, it is kept too",
                path,
                path.stem,
            )


def changes(experiment: Experiment, archive: Archive, folder: RunFolder) -> dict[str, str]:
    """What has changed since a checkpoint was written, by file, as a phrase."""
    now, before = hashes(experiment), _recorded(archive)
    if before is None:  # of an older minidl: what the run keeps
        copies = {name: _copy(folder.path / FOLDER, name) for name in now}
        before = {name: _hash(copy) for name, copy in copies.items() if copy.is_file()}
    return {
        name: f"{_short(before.get(name))} before, now {_short(now.get(name))}"
        for name in sorted({*now, *before})
        if now.get(name) != before.get(name)
    }


def check(experiment: Experiment, archive: Archive, folder: RunFolder, accepted: bool) -> dict[str, str]:
    """What has changed; CheckpointError, with the lines that differ, where changes are not accepted."""
    changed = changes(experiment, archive, folder)
    if changed and not accepted:
        lines = [line for name in changed for line in _difference(name, experiment, folder)]
        more = [f"  ... and {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
        raise CheckpointError(
            "\n".join(
                [
                    f"{folder.path}: the code of the model has changed since this run was begun: {', '.join(changed)}",
                    *lines[:SHOWN],
                    *more,
                    "Change it back to resume, or go on with the new code: --resume --accept-changes.",
                ]
            )
        )
    return changed


def replace(experiment: Experiment, folder: RunFolder, step: int) -> None:
    """The copies follow the code; those of before are kept for the checkpoints that were written with them."""
    kept = folder.path / FOLDER
    for path in sorted([*kept.glob("*.py"), *kept.glob(f"{BESIDE}/*.py")]):
        folder.copy(path, f"{FOLDER}/until-{step:08d}/{path.parent.relative_to(kept)}")
    keep(experiment, folder)


def folder_of(path: Path, archive: Archive) -> Path:
    """Where the code lies with which a checkpoint was trained: in its run folder; CheckpointError where it is gone."""
    home, recorded = path.parent.parent / FOLDER, _recorded(archive)
    if recorded is None:
        return home
    for place in (home, *sorted(home.glob("until-*"))):
        copies = {name: _copy(place, name) for name in recorded}
        with contextlib.suppress(OSError):
            if all(_hash(copies[name]) == recorded[name] for name in recorded if _is_kept(name, home)):
                return place
    named = ", ".join(f"{name} (sha256 {digest[:12]}...)" for name, digest in recorded.items())
    raise CheckpointError(f"{path}: was trained with code that is not in {home}: put {named} back")


def _copy(place: Path, name: str) -> Path:
    """Where a file of the code lies in a run's models/: of models/ at its top, a module from elsewhere in beside/."""
    return place / (Path(name).name if name.startswith(f"{FOLDER}/") else f"{BESIDE}/{name}.py")


def _is_kept(name: str, place: Path) -> bool:
    """Whether a run keeps copies of a file: of all but packages, and, in runs of an older minidl, modules."""
    return name.startswith(f"{FOLDER}/") or _copy(place, name).is_file()


def _recorded(archive: Archive) -> dict[str, str] | None:
    found: Any = archive.meta.get("code")
    return dict(found) if isinstance(found, Mapping) else None


def _difference(name: str, experiment: Experiment, folder: RunFolder) -> list[str]:
    """The lines in which a file differs from the copy in the run folder."""
    new, copy = files(experiment).get(name), _copy(folder.path / FOLDER, name)
    if not _is_kept(name, folder.path / FOLDER):
        return [f"  {new or name} is another (of packages outside of models/ there is no copy)"]
    titles = f"{copy} (of the run)", f"{new} (now)"
    lines = difflib.unified_diff(_lines(copy), _lines(new), *titles, n=1, lineterm="")
    return [f"  {line.rstrip()}" for line in lines]


def _lines(path: Path | None) -> list[str]:
    with contextlib.suppress(OSError):
        return [] if path is None else path.read_text(encoding="utf-8", errors="replace").splitlines()
    return []


def _hash(path: str | os.PathLike[str]) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _short(digest: str | None) -> str:
    return "not there" if digest is None else f"sha256 {digest[:12]}..."
