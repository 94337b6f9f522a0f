"""One run on several processes, by a real mpiexec: the same bits, resumed by any number, ended together."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import TEXT, left, write_experiment
from runs import run as run_alone
from test_faults_disk import disk, fill
from test_faults_users import MODEL

from minidl.engine import dispatch
from minidl.experiment import read_experiment
from minidl.experiment.run.memory_check import SUMS, memory_of
from minidl.storage.archive import read_archive
from minidl.storage.run_folder import RunFolder
from minidl.system.errors import MinidlError
from minidl.system.processes import Processes
from minidl.training import owed
from minidl.training.callback import Callback, Run
from minidl.training.parallel_trainer import ParallelTrainer
from minidl.training.shares import Shares, branches

ROOT = Path(__file__).parent.parent
MPIEXEC = shutil.which("mpiexec")
compiled = pytest.mark.skipif("c" not in dispatch.usable(), reason="no compiler")
with_mpi = pytest.mark.skipif(MPIEXEC is None, reason="several processes are the extra [cluster]")
WITHOUT_KERNELS = "minidl: minidl computes with NumPy"  # what is said once where they are not compiled
LIMIT = 2  # seconds for which a process may show no sign of life
FAULTY = "\nimport os" + MODEL.replace("== 10", '== 6 and os.environ.get("PMI_RANK") == "1"')
EXPERIMENT: dict[str, Any] = {
    "data": {"type": "text", "source": "text.txt", "batch_size": 32, "seq_len": 8},
    "train": {"steps": 12, "evaluate_every": {"steps": 40}, "checkpoint_every": {"steps": 4}, "sample_every": None},
    "log": {"every": {"steps": 4}, "tensorboard": False},
    "threads": 1,
    "model": {
        "layers": [
            {"type": "Embedding", "units": 6},
            {"type": "LSTM", "units": 8, "dropout": 0.2},
            {"type": "Dense", "units": "${data.vocab_size}"},
        ]
    },
}


def write(folder: Path, **changes: Any) -> None:
    """An experiment, and a text that is long enough for its batches, and short enough to be counted at once."""
    write_experiment(folder, **changes)
    (folder / "text.txt").write_text(TEXT * 20)


def start(
    folder: Path, count: int, *words: str, kernels: str = "", last: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """last: words before the command of the last process."""
    command = [sys.executable, "-m", "minidl.run", "tiny.yaml", *words]
    if last:
        command = [str(MPIEXEC), "-n", str(count - 1), *command, ":", "-n", "1", *last, *command]
    elif count:
        command = [str(MPIEXEC), "-n", str(count), *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "MINIDL_KERNELS": kernels}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(folder: Path, count: int, *words: str, kernels: str = "") -> tuple[int, str]:
    """Without mpiexec, where the count is 0, in a process that has all imported."""
    if not count:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(dispatch.VARIABLE, kernels)
            ended = run_alone(folder, "tiny.yaml", *words)
        return ended.code, ended.out + ended.err
    process = start(folder, count, *words, kernels=kernels)
    out, error = process.communicate(timeout=120)
    return process.returncode, out + error


def weights(folder: Path, runs: str) -> dict[str, bytes]:
    archive = read_archive(folder / runs / "tiny/001/checkpoints/last")
    return {name: array.tobytes() for name, array in archive.arrays.items()}


def test_every_process_has_a_branch_of_the_tree_and_together_they_have_all() -> None:
    for count in (1, 2, 4, 8):
        for processes in range(1, count + 1):
            found = branches(processes, count)
            assert [b for _, b in found[:-1]] == [a for a, _ in found[1:]]
            assert (found[0][0], found[-1][1]) == (0, count)
            for first, end in found:
                assert (end - first) & (end - first - 1) == 0, "a branch has 1, 2, 4, … shares"
                assert first % (end - first) == 0, "and begins where one does"


class Told(Processes):
    """One process, and what it would tell others; `work` is done right after the third time."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self.messages: list[Any] = []
        self.work = work

    def tell(self, message: Any = None) -> Any:
        self.messages.append(message)
        if [each for each in self.messages if "finished" in each][2:] == [message]:
            self.work()
        return message


class Asking(Callback):
    """Asks others for what they carry, as one does that saves."""

    def step(self, trainer: Run) -> None:
        trainer.carried()


def test_process_0_does_what_it_has_told_whatever_signal_comes_right_after(tmp_path: Path) -> None:
    """Else the others would take a step, or answer, without it. What was owed is made up before they begin a step."""
    write(tmp_path, **EXPERIMENT)
    experiment = read_experiment(tmp_path / "tiny.yaml", [])
    told = Told(lambda: trainer.stop("interrupted", hurried=True))
    model, data, optimizer = experiment.model, experiment.dataset, experiment.optimizer
    trainer = ParallelTrainer(told, model, data, optimizer, steps=9, callbacks=[Asking()])
    owed.note(trainer, "Asking")
    trainer.run()
    assert trainer.progress.step == 3
    words = [message if isinstance(message, str) else message["finished"] for message in told.messages]
    assert words == ["carried", False, "carried", False, "carried", False, "carried", True, True]


@with_mpi
@pytest.mark.parametrize(
    ("kernels", "counts", "at_once"),
    [pytest.param("c", (3, 0), 0, marks=compiled), ("numpy", (2, 0), 3)],
)
def test_the_same_bits_for_any_number_of_processes_and_resumed_by_another(
    tmp_path: Path, kernels: str, counts: tuple[int, ...], at_once: int
) -> None:
    """One after the other, against runs of so many, 0 is without mpiexec; long_cluster.py tries each experiment.

    Not only weights: all that is measured and written, of training batches as well.
    """
    write(tmp_path, **EXPERIMENT)
    for runs, each in {"mixed": counts, "whole": [at_once] * len(counts)}.items():
        for place, count in enumerate(each, start=1):
            words = [f"train.steps={3 * place}", "optimizer.lr=1e-3", *(["--resume"] if place > 1 else [])]
            code, said = run(tmp_path, count, "--runs", runs, *words, kernels=kernels)
            assert code == 0, said
    mixed, whole = (left(RunFolder(tmp_path / runs / "tiny/001")) for runs in ("mixed", "whole"))
    assert "train/accuracy" in whole.metrics
    assert set(mixed.differences(whole)) <= {"meta.computing.in_shares"}


@pytest.mark.parametrize(("kernels", "gradients"), [("numpy", 4 + SUMS), pytest.param("c", 0, marks=compiled)])
def test_the_gradient_of_each_share_is_counted_before_a_run_begins(
    tmp_path: Path, kernels: str, gradients: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of 32 sequences has four shares, which compiled kernels compute at once; and no more is taken."""
    monkeypatch.setenv(dispatch.VARIABLE, kernels)
    data = {"type": "text", "source": "text.txt", "batch_size": 32, "seq_len": 1, "tokens": "word"}
    layers = [{"type": "Embedding", "units": 20_000}, {"type": "Dense", "units": "${data.vocab_size}"}]
    write(tmp_path, **{**EXPERIMENT, "data": data, "model": {"layers": layers}})
    experiment = read_experiment(tmp_path / "tiny.yaml", [])
    alone, in_shares = (memory_of(experiment, in_shares=shared) for shared in (False, True))
    assert in_shares - alone == gradients * experiment.model.weights.nbytes
    shares, batch = Shares(experiment.model), experiment.dataset.train.batch(0)
    shares.fill_gradient([batch], carry=True)
    tracemalloc.start()
    shares.fill_gradient([batch], carry=True)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < (gradients + 0.5) * experiment.model.weights.nbytes


@with_mpi
@pytest.mark.parametrize(
    ("last", "what"),
    [
        (("sh", "-c", 'exec "$@" data.source=other.txt', "sh"), "data"),
        pytest.param(("env", "MINIDL_KERNELS=numpy"), "kernels", marks=compiled),
    ],
)
def test_processes_that_do_not_see_the_same_are_refused(tmp_path: Path, last: tuple[str, ...], what: str) -> None:
    write(tmp_path, **EXPERIMENT)
    (tmp_path / "other.txt").write_text("another text" * 500)
    process = start(tmp_path, 2, last=last)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.count(f"processes 0 and 1 of 2 differ in {what}") == 1, said
    assert not (tmp_path / "runs").exists()


@with_mpi
def test_what_is_wrong_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, **EXPERIMENT)
    code, said = run(tmp_path, 2, "data.batch_size=8")
    assert code == 2
    assert said.count("a batch of 8 sequences is cut into 1 shares") == 1, said
    code, said = run(tmp_path, 2, "optimizer.rate=1")
    assert code == 2
    assert said.count("unknown name 'rate'") == 1, said


@with_mpi
@pytest.mark.parametrize(
    ("victim", "number", "code", "state"),
    [
        ("launcher", signal.SIGTERM, 143, "interrupted"),
        ("launcher", signal.SIGINT, 130, "interrupted"),
        ("1", signal.SIGINT, 130, "interrupted"),
        ("1", signal.SIGKILL, 9, "running"),
        ("1", signal.SIGSTOP, 74, "running"),
        ("0", signal.SIGSTOP, 74, "running"),
    ],
)
def test_a_signal_ends_all(tmp_path: Path, victim: str, number: signal.Signals, code: int, state: str) -> None:
    """What the launcher is told saves the run; who is killed or stopped takes the others with it; no file is lost."""
    write(tmp_path, **{**EXPERIMENT, "train": {**EXPERIMENT["train"], "steps": 100_000}})
    process = start(tmp_path, 2, f"processes.timeout={LIMIT}")
    log = tmp_path / "runs/tiny/001/metrics.jsonl"
    while not (log.exists() and len(log.read_text().splitlines()) > 2):
        time.sleep(0.05)
        assert process.poll() is None
    begun = time.monotonic()
    os.kill(process.pid if victim == "launcher" else process_of_rank(victim, tmp_path), number)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - begun < LIMIT + 5
    assert process.returncode == code
    assert json.loads((tmp_path / "runs/tiny/001/run.json").read_text())["state"] == state
    assert weights(tmp_path, "runs")
    assert victim == "launcher" or number != signal.SIGINT or said.count("process 1 of 2 was interrupted") == 1
    if number == signal.SIGSTOP:
        assert said.count(f"process {victim} of 2 has shown no sign of life for {LIMIT} s") == 1
        assert said.replace(WITHOUT_KERNELS, "").count("minidl:") == 1


@with_mpi
def test_a_process_that_is_stopped_before_all_have_begun_ends_all(tmp_path: Path) -> None:
    write(tmp_path, **EXPERIMENT)
    begun = time.monotonic()
    process = start(tmp_path, 2, f"processes.timeout={LIMIT}", last=("sh", "-c", 'kill -STOP $$; exec "$@"', "sh"))
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - begun < LIMIT + 5
    assert process.returncode == 74
    assert said.count("minidl:") == 1
    assert f"process 0 has waited {LIMIT} s for all to begin: process 1 is stopped" in said
    assert not (tmp_path / "runs").exists()


def process_of_rank(rank: str, folder: Path) -> int:
    found = subprocess.run(["pgrep", "-f", "minidl.run tiny.yaml"], capture_output=True, text=True, check=False)
    mine = [int(pid) for pid in found.stdout.split() if Path(f"/proc/{pid}/cwd").resolve() == folder]
    return next((pid for pid in mine if rank_of(pid) == rank), 0)


@with_mpi
def test_an_error_of_one_process_ends_all(tmp_path: Path) -> None:
    """Raised in one that keeps nothing: it is named once, and the checkpoint is sound."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/faulty.py").write_text(FAULTY)
    write(tmp_path, **{**EXPERIMENT, "model": {"type": "faulty"}})
    code, said = run(tmp_path, 2)
    assert code == 1
    assert said.count("KeyError: 'a mistake of the user'") == 1, said
    assert "(process 1 of 2)" in said
    assert json.loads((tmp_path / "runs/tiny/001/run.json").read_text())["state"] == "running"
    assert weights(tmp_path, "runs")


@with_mpi
def test_a_full_disk_ends_all(tmp_path: Path) -> None:
    write(tmp_path, **EXPERIMENT)
    with disk(tmp_path / "disk"):
        fill(tmp_path / "disk", leave=4 * 4096)
        code, said = run(tmp_path, 2, "--runs", "disk/runs")
    assert code == 74
    assert said.count("No space left on device") == 1, said
    assert "(process 0 of 2)" in said


def rank_of(pid: int) -> str | None:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    found = [value.partition(b"=")[2].decode() for value in variables if value.startswith(b"PMI_RANK=")]
    return found[0] if found else None


def test_example_jobs_are_well_formed() -> None:
    """As far as a shell and a YAML reader can tell; a cluster is not at hand."""
    import yaml

    for script in sorted((ROOT / "examples/slurm").glob("*.sbatch")):
        assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0, script
        assert "#SBATCH --signal=TERM@60" in script.read_text()
    (job,) = yaml.safe_load_all((ROOT / "examples/kubernetes/sweep.yaml").read_text())
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[:2] == ["minidl", "sweep"]
    if find_spec("kubernetes_validate"):
        validator: Any = import_module("kubernetes_validate")
        validator.validate(job, validator.latest_version(), strict=True)


@with_mpi
def test_weights_may_be_averaged_instead_of_gradients(tmp_path: Path) -> None:
    """After each step it comes to the same, for plain gradient descent; a checkpoint holds the average."""
    model = {"layers": [{"type": "Embedding", "units": 6}, {"type": "GRU", "units": 8}]}
    model["layers"].append({"type": "Dense", "units": "${data.vocab_size}"})
    write(tmp_path, **{**EXPERIMENT, "model": model, "optimizer": {"type": "SGD", "lr": 0.5}})
    for runs, count, words in (("sum", 0, ()), ("each", 2, ("processes.average_every={steps: 1}",))):
        code, said = run(tmp_path, count, "--runs", runs, *words)
        assert code == 0, said
    whole, averaged = (read_archive(tmp_path / runs / "tiny/001/checkpoints/last").arrays for runs in ("sum", "each"))
    for name, array in whole.items():
        np.testing.assert_allclose(averaged[name], array, rtol=1e-3, atol=1e-5)
    few = "processes.average_every={steps: 5}"
    assert run(tmp_path, 2, "--runs", "few", few)[0] == 0
    assert run(tmp_path, 2, "--runs", "cut", few, "train.steps=8")[0] == 0
    assert run(tmp_path, 2, "--runs", "cut", few, "--resume")[0] == 0
    assert weights(tmp_path, "cut") == weights(tmp_path, "few") != weights(tmp_path, "each")
    with pytest.raises(MinidlError, match="average_every is"):
        read_experiment(tmp_path / "tiny.yaml", ["processes.average_every={epochs: 1}"])
