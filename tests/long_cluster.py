"""Twelve steps of every shipped experiment by 1, 2, 3 and 4 processes: `python tests/long_cluster.py [NAME ...]`.

Weights, states of layers and optimizers, metrics, samples and all that TensorBoard shows (curves, histograms, pictures
and texts) are compared to the bit, times and speed excepted; so are those of a run that is killed and resumed by 2, 1
and 3 processes, without its pictures, and of a run without mpiexec.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runs import Left, left
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from test_cluster import MPIEXEC, ROOT
from test_resume import EXPERIMENTS, in_short

from minidl.engine import dispatch
from minidl.storage.run_folder import RunFolder

STEPS = 12
MIXED = {2: 2, 1: 6, 3: STEPS}  # processes, and the checkpoint after which they are killed; the last ones end


def command(path: Path, count: int, runs: str, *more: str) -> list[str]:
    """A run by so many processes of mpiexec; 0: without it."""
    launcher = [str(MPIEXEC), "-n", str(count)] if count else []
    words = [word for word in in_short(path) if not word.startswith("data.batch_size=")]
    words += ["data.batch_size=32", f"train.steps={STEPS}", "log={every: {steps: 2}, histograms_every: {steps: 4}}"]
    words += ["--runs", runs]
    return [*launcher, sys.executable, "-m", "minidl", "run", *words, *more]


def everything(run: Path) -> tuple[Left, dict[str, bytes]]:
    """What a run leaves: what is compared of all runs, and what is in its event files by tag and step."""
    events = {}
    for file in sorted(run.glob("*tfevents*")):
        for event in LegacyEventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.tag != "train/tokens_per_second" and not value.tag.startswith("_hparams_"):
                    value.ClearField("metadata")  # only with the first of a file
                    events[f"{value.tag} at step {event.step}"] = value.SerializeToString()
    return left(RunFolder(run)), events


def trained(path: Path, folder: Path, count: int) -> tuple[Left, dict[str, bytes]] | str:
    """What a run leaves, or why it does not."""
    ended = subprocess.run(
        command(path, count, str(count)), cwd=folder, env=surroundings(), capture_output=True, text=True, check=False
    )
    if ended.returncode:
        return "refused: " + next(line for line in ended.stderr.splitlines() if "minidl" in line or ".yaml" in line)
    return everything(folder / str(count) / path.stem / "001")


def killed_and_resumed(path: Path, folder: Path) -> tuple[Left, dict[str, bytes]] | str:
    """By 2 processes, then 1, then 3: all but the last are killed after a checkpoint."""
    run = folder / "mixed" / path.stem / "001"
    for count, step in MIXED.items():
        words = command(path, count, "mixed", *(["--resume"] if run.exists() else []))
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=surroundings(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while step < STEPS and process.poll() is None and saved(run) < step:
            time.sleep(0.005)
        if step < STEPS and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()[1]
        if step == STEPS and process.returncode:
            return said
        if step < STEPS and process.returncode == 0:
            return "ended before it was killed"
    return everything(run)


def saved(run: Path) -> int:
    """The step of the last checkpoint."""
    last = run / "checkpoints/last"
    return int(os.readlink(last).partition("-")[2].partition(".")[0]) if last.is_symlink() else 0


def surroundings() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def without_pictures(left_over: tuple[Left, dict[str, bytes]] | str) -> tuple[Left, dict[str, bytes]] | str:
    """Pictures show units in the order of the first one that a process has drawn: others, once a run is resumed."""
    if isinstance(left_over, str):
        return left_over
    return left_over[0], {name: event for name, event in left_over[1].items() if "/picture" not in name}


def told(found: tuple[Left, dict[str, bytes]] | str, expected: tuple[Left, dict[str, bytes]] | str) -> str:
    """How what was found differs from what another run has left."""
    if isinstance(found, str) or isinstance(expected, str):
        return str(found)
    differing = [name for name in found[0].differences(expected[0]) if name != "meta.computing.in_shares"]
    events = [name for name in {**found[1], **expected[1]} if found[1].get(name) != expected[1].get(name)]
    if differing or events:
        arrays = [name for name in differing if name.startswith("arrays.")]
        return f"differs in {', '.join((arrays or differing or events)[:8])}"
    return f"the same, and {len(found[1])} events"


def main() -> None:
    for kernels in reversed(list(dispatch.kinds())):
        os.environ["MINIDL_KERNELS"] = kernels
        for path in EXPERIMENTS:
            if path.stem not in (sys.argv[1:] or [path.stem]):
                continue
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                alone = trained(path, place, 1)
                if isinstance(alone, str):
                    print(f"{path.stem}, {kernels} kernels, 1 process: {alone}", flush=True)
                    continue
                outcomes = {f"{count} processes": told(trained(path, place, count), alone) for count in (2, 3, 4)}
                killed = without_pictures(killed_and_resumed(path, place))
                outcomes["2, 1, 3, killed"] = told(killed, without_pictures(alone))
                outcomes["without mpiexec"] = told(trained(path, place, 0), alone)
            for what, outcome in outcomes.items():
                print(f"{path.stem}, {kernels} kernels, {what}: {outcome}", flush=True)


if __name__ == "__main__":
    main()
