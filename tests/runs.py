"""Whole runs in processes of their own, cut off at any call that they make, and what they leave behind, to be compared.

A run is forked from the tests' own process, which has everything imported: that is quick, and the child can count its
calls with a profile function and send itself a signal at the n-th one. Nothing in it is replaced.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import re
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np

import minidl.cli.run  # noqa: F401  a child has to find it imported
from minidl.callbacks.tensorboard.events.protos import load_protos
from minidl.cli.main import carry_out
from minidl.config.diff import differences
from minidl.data.batches import Batch
from minidl.data.sources.examples import dates, python_tokens, unicode_names
from minidl.experiment import read_experiment
from minidl.experiment.run.environment import surroundings
from minidl.storage.archive import read_archive
from minidl.storage.run_folder import RunFolder, list_runs
from minidl.training.trainer import Trainer

TEXT = "the quick brown fox jumps over the lazy dog. " * 20
# Everything that a run can carry from step to step: dropout, state, a schedule that waits, running means, patience.
TINY = {
    "name": "tiny",
    "seed": 3,
    "threads": 1,  # more would add up in another order on some processors
    "data": {"type": "text", "source": "text.txt", "batch_size": 4, "seq_len": 8, "split": [0.9, 0.05, 0.05]},
    "model": {
        "layers": [
            {"type": "Embedding", "units": 6, "dropout": 0.1},
            {"type": "LSTM", "units": 8, "dropout": 0.2, "recurrent_dropout": 0.1},
            {"type": "Dense", "units": "${data.vocab_size}"},
        ]
    },
    "loss": {"type": "SoftmaxCE"},
    "optimizer": {"type": "Adam", "lr": {"type": "plateau", "initial": 0.05, "patience": 1}, "clip_norm": 1.0},
    "train": {
        "steps": 40,
        "evaluate_every": {"steps": 4},
        "sample_every": {"steps": 8},
        "checkpoint_every": {"steps": 3},
        "early_stop": {"patience": 6},
    },
    "sample": {"length": 10, "temperatures": [0.8]},
    "log": {"every": {"steps": 3}, "tensorboard": False},
}
# Where a second signal comes while an object is being deleted, Python prints what it raises, and goes on.
UNRAISABLE = re.compile(r"Exception ignored in: .*\nTraceback")
TIMES = re.compile(r'"(seconds|train/tokens_per_second)": [^,}]+(, )?')


def write_experiment(folder: Path, **changes: Any) -> Path:
    """TINY with other values by dotted name (`__` for the dot), as an experiment file; JSON is YAML."""
    tree = json.loads(json.dumps(TINY))
    for name, value in changes.items():
        *sections, last = name.split("__")
        place = tree
        for section in sections:
            place = place[section]
        place[last] = value
    (folder / "text.txt").write_text(TEXT)
    path = folder / "tiny.yaml"
    path.write_text(json.dumps(tree))
    return path


TABLES = {"unicode_names": unicode_names, "python_tokens": python_tokens, "written_dates": dates}


def with_fewer_data(path: Path, folder: Path) -> tuple[str, ...]:
    """Arguments for the beginning of what an experiment reads: less to read, to count and to measure."""
    text = path.read_text()
    if "pydoc_topics" in text and "tokens: word" not in text:
        (folder / "text.txt").write_text("".join(topics.values())[:20_000])
        return ("data.source=text.txt",)
    for name, table in TABLES.items():
        if f"source: {name}" in text:
            (folder / "rows.csv").write_text("\n".join(table().splitlines()[:500]))
            return ("data.source=rows.csv",)
    return ()


def warm_up() -> None:
    """Have at hand what a process builds or looks up once: rules of declarations, messages, versions of packages."""
    load_protos()
    surroundings()
    with tempfile.TemporaryDirectory() as folder:
        read_experiment(write_experiment(Path(folder)), [])


warm_up()


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (minus the signal that killed it), and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Child:
    """A process of ours that runs, or has ended."""

    pid: int
    folder: Path

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        _, status = os.waitpid(self.pid, 0)
        out, err = ((self.folder / name).read_text(errors="replace") for name in ("out", "err"))
        return Ended(os.waitstatus_to_exitcode(status), out, err)


def launch(folder: Path, work: Callable[[], int], redirect: Callable[[], None] = lambda: None) -> Child:
    """A forked process that works in a folder.

    Its output goes to the files `out` and `err` there, but for what `redirect` does to the file numbers 1 and 2.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: those of the BLAS know of forks
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)  # JAX, which no child uses
        pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.chdir(folder)
            for number, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
            redirect()
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            logging.getLogger("minidl").handlers.clear()
            os.environ.setdefault("MINIDL_KERNELS", "numpy")
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)
    return Child(pid, folder)


@contextlib.contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """AssertionError, which nobody takes for an error of the disk, where something takes longer.

    Counted in tenths, so that a pause of the whole process, however long, is one of them.
    """
    tenths = iter(range(1, 11))

    def on_alarm(_number: int, _frame: Any) -> None:
        if next(tenths, 10) == 10:
            raise AssertionError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds / 10, seconds / 10)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wait_for(condition: Callable[[], bool]) -> None:
    """Until what another process does is seen."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def minidl_run(*arguments: str) -> int:
    """`python -m minidl.run ...` in this process."""
    return carry_out("run", list(arguments), "minidl.run")


def run(folder: Path, *arguments: str, cut: Cut | None = None) -> Ended:
    """`python -m minidl.run ...` in a process of its own, to its end or to the cut."""
    return launch(folder, lambda: cut_at(cut, lambda: minidl_run(*arguments))).wait()


@dataclass(frozen=True)
class Cut:
    """Signals that a process sends itself at these calls, counted over functions of Python and of C."""

    at: Sequence[int]
    signals: Sequence[int]


def cut_at(cut: Cut | None, work: Callable[[], int]) -> int:
    if cut is None:
        return work()
    due = dict(zip(cut.at, cut.signals, strict=True))
    counter = _Counter(lambda count: os.kill(os.getpid(), due[count]) if count in due else None)
    with counter:
        return work()


class _Counter:
    """Counts calls, and says so at each."""

    def __init__(self, at: Callable[[int], None]) -> None:
        self.count, self.at = 0, at

    def __enter__(self) -> _Counter:
        sys.setprofile(self._on_event)
        return self

    def __exit__(self, *_exception: object) -> None:
        sys.setprofile(None)

    def _on_event(self, _frame: Any, event: str, _argument: Any) -> None:
        if event in ("call", "c_call"):
            self.count += 1
            self.at(self.count)


def count_calls(folder: Path, *arguments: str) -> int:
    """Calls that a whole run makes."""

    def work() -> int:
        with _Counter(lambda _: None) as counter:
            minidl_run(*arguments)
        (folder / "calls").write_text(str(counter.count))
        return 0

    ended = launch(folder, work).wait()
    assert ended.code == 0, ended.err
    return int((folder / "calls").read_text())


@dataclass(frozen=True)
class Left:
    """What a run left behind, without times: equal for runs that are the same to the bit."""

    arrays: dict[str, tuple[str, tuple[int, ...], bytes]]
    meta: dict[str, Any]
    metrics: str
    samples: str
    links: dict[str, str]
    state: Any

    def differences(self, other: Left) -> dict[str, str]:
        """What is not the same, by name."""
        mine, theirs = ({**dataclasses.asdict(one), "metrics": one.metrics.splitlines()} for one in (self, other))
        return differences(mine, theirs)


def left(folder: RunFolder) -> Left:
    """What lies in a run folder, by its last checkpoint."""
    archive = read_archive(folder.checkpoints.path / "last")
    meta = json.loads(json.dumps(archive.meta))
    # The sizes of files depend on how times are written; paths on where the experiment lies.
    del meta["progress"]["seconds"], meta["callbacks"]["RunLog"], meta["experiment"]["data"]["source"]
    return Left(
        arrays={name: (array.dtype.str, array.shape, array.tobytes()) for name, array in archive.arrays.items()},
        meta=meta,
        metrics=TIMES.sub("", _read(folder.path / "metrics.jsonl")),
        samples=_read(folder.path / "samples.txt"),
        links={name: os.readlink(folder.checkpoints.path / name) for name in ("best", "last")},
        state=folder.facts["state"],
    )


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def the_run(folder: Path, name: str = "tiny") -> RunFolder:
    """The newest run below a folder."""
    return list_runs(folder / "runs" / name)[-1]


def left_whole(folder: Path) -> Left:
    """What TINY leaves in this folder when nobody stops it."""
    write_experiment(folder)
    assert run(folder, "tiny.yaml").code == 0
    return left(the_run(folder))


def interrupted_at(folder: Path, step: int, number: int, *arguments: str) -> Ended:
    """A run that gets a signal right after a step was taken, before anything was measured, written or saved of it."""

    def work() -> int:
        update = Trainer.update

        def update_and_signal(self: Trainer, batch: Batch) -> None:
            update(self, batch)
            if self.progress.step == step:
                os.kill(os.getpid(), number)

        Trainer.update = update_and_signal  # type: ignore[method-assign]  # in the child only
        return minidl_run(*arguments)

    return launch(folder, work).wait()


def finish(folder: Path, name: str, *arguments: str, cuts: Iterable[Cut | None]) -> list[int]:
    """Run, and resume after each cut, until the run is done; the exit codes on the way."""
    codes: list[int] = []
    for cut in cuts:
        begun = list_runs(folder / "runs" / name)
        resume = ["--resume"] if begun and begun[-1].checkpoints.files() else []
        ended = run(folder, *arguments, *resume, cut=cut)
        assert "Traceback" not in UNRAISABLE.sub("", ended.err), ended.err
        codes.append(ended.code)
        if ended.code == 0:
            break
    assert the_run(folder, name).state == "done", (codes, ended.err)
    return codes


def random_cuts(seed: int, calls: int) -> Iterator[Cut | None]:
    """Up to four kills, interrupts and terminations, some of them twice in a row, at random calls; then none."""
    rng = np.random.default_rng(seed)
    for _ in range(rng.integers(1, 5)):
        number = int(rng.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
        first = int(rng.integers(1, calls))
        twice = number != signal.SIGKILL and rng.random() < 0.3
        at = [first, first + int(rng.integers(1, 2000))] if twice else [first]
        yield Cut(at, [number] * len(at))
    yield None
