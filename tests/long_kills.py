"""A writer of checkpoints killed at any moment, 500 times: `python tests/long_kills.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from test_archive import survive_kills

KILLS = 500


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        survive_kills(Path(folder) / "model.npz", KILLS)
    print(f"{KILLS} kills: the file was whole each time, and never older than the last one that was finished")
    return 0


if __name__ == "__main__":
    sys.exit(main())
