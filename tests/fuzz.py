"""Everything that minidl reads, spoiled at random: only its own errors may come out, and within seconds.

    python tests/fuzz.py                    an hour over all targets
    python tests/fuzz.py --minutes 5 meta   five minutes of one

With atheris installed (pip install atheris), what reaches code that nothing before it reached is spoiled further; else
only the sound inputs are. Time is that of the processor, so that a pause does not count. What fails is kept as
fuzz-TARGET-NUMBER in the working folder and shown with its traceback.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

NAMES = ("experiment", "override", "archive", "sealed", "meta", "text", "vocabulary", "table", "arrays")
ENOUGH = 20  # failures of one target


class Search:
    """Inputs to one target, until its time is over."""

    def __init__(self, name: str, read: Callable[[bytes], None], corpus: Path, seconds: float) -> None:
        from fuzz_targets import trouble

        self.name, self.read, self.corpus, self.trouble = name, read, corpus, trouble
        self.sound = len(list(corpus.iterdir()))
        self.end = time.process_time() + seconds
        self.tried, self.known = 0, set[str]()

    def __call__(self, data: bytes) -> None:
        """Try one; the last one ends the process."""
        self.tried += 1
        what = self.trouble(self.read, data)
        place = "".join(line for line in what.splitlines() if line.startswith("  File"))
        if what and place not in self.known:
            self.known.add(place)
            path = Path(f"fuzz-{self.name}-{len(self.known)}")
            path.write_bytes(data)
            print(f"--- {path}: {data[:200]!r}\n{what}", flush=True)
        if time.process_time() > self.end or len(self.known) == ENOUGH:
            self._leave()

    def _leave(self) -> NoReturn:
        new = len(list(self.corpus.iterdir())) - self.sound
        print(
            f"{self.name}: {self.tried} inputs, {new} of them kept for what they reached, "
            f"{len(self.known)} led to something else than an error of minidl's",
            flush=True,
        )
        os._exit(1 if self.known else 0)  # libFuzzer knows no other end


def fuzz(name: str, seconds: float, seed: int) -> NoReturn:
    """Spoil the inputs of one target for so long."""
    logging.getLogger("minidl").setLevel(logging.CRITICAL)
    os.environ["MINIDL_KERNELS"] = "numpy"
    guided = importlib.util.find_spec("atheris") is not None
    if guided:
        import atheris

        with atheris.instrument_imports(include=["minidl", "yaml"]):
            import fuzz_targets
    else:
        import fuzz_targets
    with tempfile.TemporaryDirectory() as folder:
        seeds, read = fuzz_targets.Targets(Path(folder)).targets[name]
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, sound in enumerate(seeds):
            (corpus / f"sound-{number}").write_bytes(sound)
        fuzz_targets.limit_memory()
        search = Search(name, read, corpus, seconds)
        if guided:
            _guided(search, seeds, seed)
        rng = random.Random(seed)
        while True:
            search(fuzz_targets.mutated(rng.choice(seeds), seeds, rng))


def _guided(search: Search, seeds: list[bytes], seed: int) -> None:
    """Let libFuzzer choose what is spoiled next, and half of the time how."""
    import atheris
    from fuzz_targets import mutated

    def mutate(data: bytes, most: int, number: int) -> bytes:
        rng = random.Random(number)
        changed: bytes = atheris.Mutate(data, most) if rng.random() < 0.5 else mutated(data, seeds, rng)[:most]
        return changed

    # Its own limits of time and memory are off: those of fuzz_targets.py raise, and the search goes on.
    options = (
        f"-seed={seed + 1}",
        "-timeout=0",
        "-rss_limit_mb=0",
        "-max_len=200000",
        "-verbosity=0",
        "-len_control=0",
    )
    atheris.Setup([sys.argv[0], *options, str(search.corpus)], search, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="TARGET", default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    minutes = given.minutes / len(given.names)
    if len(given.names) == 1:
        fuzz(given.names[0], 60 * minutes, given.seed)
    command = [sys.executable, __file__, f"--minutes={minutes}", f"--seed={given.seed}"]
    return max(subprocess.run([*command, name], check=False).returncode for name in given.names)


if __name__ == "__main__":
    sys.exit(main())
