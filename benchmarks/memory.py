"""Peak memory of the running process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_memory() -> float:
    """Megabytes (10⁶ bytes) of the largest resident size so far."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage gives on Linux includes the parent before exec
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
