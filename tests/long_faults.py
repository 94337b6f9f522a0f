"""Each call of a run refused in turn, by a full disk and by a broken one: `python tests/long_faults.py`."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from pathlib import Path

from test_faults_calls import fail_in_turn


def main() -> int:
    os.environ["MINIDL_KERNELS"] = "numpy"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("said", "w+") as said, contextlib.redirect_stderr(said), contextlib.redirect_stdout(None):

            def since() -> str:
                text = said.seek(0) or said.read()
                said.truncate(0)
                said.seek(0)
                return str(text)

            problems = fail_in_turn(Path(folder), lambda _: [errno.ENOSPC, errno.EIO], since)
    print("\n".join(problems) or "every call has failed twice, and nothing was lost")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
