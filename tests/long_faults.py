"""Each call of a run refused in turn, by a full disk and by a broken one: `python tests/long_faults.py`."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from pathlib import Path

from test_faults_calls import Trial


def fail_in_turn(folder: Path, resumed: bool) -> tuple[int, list[str]]:
    """How many calls a run makes, and what was not as it should be when they failed."""
    os.chdir(folder)
    with open("said", "w+") as said, contextlib.redirect_stderr(said), contextlib.redirect_stdout(None):

        def since() -> str:
            text = said.seek(0) or said.read()
            said.truncate(0)
            said.seek(0)
            return str(text)

        trial = Trial(folder, resumed, since)
        calls, whole = trial.prepare()
        failures = ((nth, number) for nth in range(1, calls + 1) for number in (errno.ENOSPC, errno.EIO))
        return calls, [line for nth, number in failures for line in trial.fail(nth, number, whole)]


def main() -> int:
    os.environ["MINIDL_KERNELS"] = "numpy"
    problems = []
    for resumed in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            calls, found = fail_in_turn(Path(folder), resumed)
        kind = "a run that is resumed" if resumed else "a run"
        print(f"{kind}: {calls} calls failed, each in two ways; {len(found)} problems", flush=True)
        problems += found
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
