"""What a run was made with: the command, the versions of everything that computes, the machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from minidl.config.diff import differences
from minidl.engine.dispatch import NUMPY, simd
from minidl.experiment.build.experiment import Experiment
from minidl.experiment.run.computing import in_use
from minidl.system.blas import blas_architecture

COMPUTING = ("minidl", "python", "numpy")  # packages on which numbers depend
DECISIVE = ("kernels", "simd", "processor", "blas")
PACKAGES = ("numpy", "pyyaml", "pydantic", "tensorboardX", "rich")


def surroundings() -> dict[str, Any]:
    """Plain data for run.json.

    >>> sorted(surroundings())
    ['arguments', 'blas', 'cores', 'kernels', 'processor', 'simd', 'system', 'threads', 'versions']
    """
    from minidl.system.version import __version__

    versions = {"minidl": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = _version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "arguments": sys.argv[1:],
        "versions": versions,
        **in_use().to_json(),
        "blas": blas_architecture(),
        "simd": simd(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def essence(experiment: Experiment) -> dict[str, str]:
    """What all processes of a run have to see alike."""
    from minidl.system.version import __version__

    resolved = experiment.resolved()
    resolved["data"] = {name: value for name, value in resolved["data"].items() if name != "source"}
    described = json.dumps(resolved, sort_keys=True, default=str).encode()
    return {
        "minidl": __version__,
        "numpy": np.__version__,
        "data": experiment.dataset.digest,
        "experiment": hashlib.sha256(described).hexdigest(),
    }


def changes_since(facts: Mapping[str, Any]) -> dict[str, str]:
    """What is not as it was when run.json was written, and may change the last bits of a number."""
    before, now = _decisive(facts), _decisive(surroundings())
    known = [name for name, value in before.items() if value is not None or name in COMPUTING]
    return differences(*({name: found.get(name) for name in known} for found in (before, now)))


def _decisive(facts: Mapping[str, Any]) -> dict[str, Any]:
    versions = facts.get("versions") or {}
    # Kernels share out rows, whose sums do not depend on the threads; NumPy's products add up in shares that do.
    names = (*DECISIVE, "threads") if facts.get("kernels") == NUMPY else DECISIVE
    return {name: versions.get(name) for name in COMPUTING} | {name: facts.get(name) for name in names}


@cache
def _version(package: str) -> str:
    """Read once: it takes as long as a step of training."""
    return metadata.version(package)


def processor() -> str:
    """The name of the processor, as its maker calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
