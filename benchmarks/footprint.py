"""What a library costs before it computes anything: time and memory to import it, room on the disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from statistics import median

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.environment import environment

ROOT = Path(__file__).parents[1]
MODULES = {  # distribution: what is imported
    **{name: name for name in ("numpy", "minidl", "torch", "onnxruntime", "openvino")},
    "jax": "jax.numpy",
}
ROUNDS = 5
IMPORT = """
import time
begin = time.perf_counter()
import {module}
seconds = time.perf_counter() - begin
from benchmarks.memory import peak_memory
print([seconds, peak_memory()])
"""


@dataclass(frozen=True)
class Footprint:
    """Seconds and megabytes of an import, megabytes on the disk with and without what the library depends on."""

    framework: str
    seconds: float
    memory: float
    disk: float
    disk_alone: float


def footprints(peers: Iterable[str]) -> list[Footprint]:
    """Of minidl and those peers, as far as installed; imports take turns, and the first round only fills caches."""
    asked = {"numpy", "minidl", *peers}
    installed = {name: module for name, module in MODULES.items() if name in asked and find(name) is not None}
    rounds = [{name: measure_import(module) for name, module in installed.items()} for _ in range(1 + ROUNDS)][1:]
    return [
        Footprint(
            name,
            median(turn[name][0] for turn in rounds),
            median(turn[name][1] for turn in rounds),
            sum(map(size_on_disk, dependencies(name))),
            size_on_disk(name),
        )
        for name in installed
    ]


def measure_import(module: str) -> tuple[float, float]:
    """Seconds and peak megabytes of an import in a fresh process."""
    command = [sys.executable, "-c", IMPORT.format(module=module)]
    result = subprocess.run(command, cwd=ROOT, env=environment("", 1), capture_output=True, text=True, check=True)
    seconds, memory = json.loads(result.stdout)
    return seconds, memory


def dependencies(name: str) -> set[str]:
    """A distribution and all that it needs, without extras, as far as installed here.

    >>> dependencies("numpy")
    {'numpy'}
    """
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in requirements(name) if find(other) is not None]
    return found


def requirements(name: str) -> list[str]:
    """Names of what a distribution asks for on this system, without extras."""
    known = find(name)
    asked = [Requirement(line) for line in (known.requires if known else None) or []]
    needed = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [canonicalize_name(one.name) for one in needed]


def find(name: str) -> Distribution | None:
    """An installed distribution."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def size_on_disk(name: str) -> float:
    """Megabytes of an installed distribution; for the one of this checkout, of its package."""
    known, package = find(name), ROOT / name
    installed = [Path(str(file.locate())) for file in (known.files if known else None) or []]
    files = package.rglob("*") if package.is_dir() else installed
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
