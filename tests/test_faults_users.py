"""What users bring: layers and callbacks that fail, extras that are missing; the traceback is theirs, the run safe."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from runs import left, minidl_run, run, the_run, write_experiment  # noqa: F401  a child looks for minidl_run here
from test_trainer import cycle, network

import minidl
from minidl.callbacks import Callback, Evaluate, Every, RunLog, SaveCheckpoints, TrainMetrics
from minidl.optim import Adam
from minidl.storage.archive import read_archive
from minidl.storage.checkpoint_folder import CheckpointFolder
from minidl.training.checkpoint import restore
from minidl.training.trainer import Trainer

MODEL = """
from dataclasses import dataclass

from minidl import Layer
from minidl.graph.arrays import Out
from minidl.layers import GRU, Dense, OneHot


@dataclass(frozen=True)
class Faulty(Layer):
    \"\"\"y = x, nine times.\"\"\"

    calls = []

    def arrays(self, x):
        return {"y": Out(x)}

    def forward(self, x, y):
        y[...] = x

    def backward(self, dy, dx):
        self.calls.append(1)
        if len(self.calls) == 10:
            raise KeyError("a mistake of the user")
        dx[...] = dy


def build(ids, vocab_size: int):
    return Dense(vocab_size, name="logits")(Faulty()(GRU(5)(OneHot()(ids))))
"""


@pytest.fixture(autouse=True)
def numpy_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about compiled kernels, which take a minute to compile at first."""
    monkeypatch.setenv("MINIDL_KERNELS", "numpy")


def write_faulty(folder: Path, model: str) -> None:
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "faulty.py").write_text(model)
    write_experiment(folder, model={"type": "faulty"}, train__steps=20)


def test_a_layer_that_fails(tmp_path: Path) -> None:
    """Its traceback is shown; the run goes on from its last checkpoint once the layer is mended."""
    mended = MODEL.replace('raise KeyError("a mistake of the user")', "pass")
    write_faulty(tmp_path, mended)
    assert run(tmp_path, "tiny.yaml").code == 0
    expected = left(the_run(tmp_path))
    write_faulty(tmp_path, MODEL)
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code not in (0, 2, 3, 4, 5, 74)
    assert "KeyError: 'a mistake of the user'" in ended.err
    assert 'models/faulty.py", line 24, in backward' in ended.err
    folder = the_run(tmp_path)
    assert (folder.state, folder.facts["step"]) == ("failed", 9)
    assert folder.checkpoints.newest()[0].name == "step-00000009.npz"
    write_faulty(tmp_path, mended)
    assert run(tmp_path, "tiny.yaml", "--resume", "--accept-changes").code == 0
    assert left(folder).differences(expected) == {}


class Faulty(Callback):
    """Fails once, in one of its methods."""

    def __init__(self, method: str, order: int) -> None:
        super().__init__()
        self.method = method
        self.order = order  # type: ignore[misc]

    def start(self, trainer: Trainer) -> None:
        self._fail("start")

    def step(self, trainer: Trainer) -> None:
        if trainer.progress.step == 5:
            self._fail("step")

    def finish(self, trainer: Trainer, *, completed: bool) -> None:
        self._fail("finish")

    def close(self, trainer: Trainer) -> None:
        self._fail("close")

    def _fail(self, method: str) -> None:
        if method == self.method:
            raise LookupError("a mistake of the user")


def trained(folder: Path, *more: Callback, resumed: bool = False) -> Trainer:
    """Twelve steps, with everything that writes; or what is left of them."""
    folder.mkdir(exist_ok=True)
    checkpoints = CheckpointFolder(folder / "checkpoints")
    callbacks = [
        *(TrainMetrics(Every(steps=2)), Evaluate(Every(steps=4)), RunLog(folder=folder)),
        *(SaveCheckpoints(Every(steps=3), checkpoints=checkpoints), *more),
    ]
    trainer = Trainer(network(dropout=0.2), cycle(), Adam(lr=0.01), steps=12, callbacks=callbacks)
    if resumed:
        path, archive = checkpoints.newest()
        restore(trainer, archive, str(path))
    trainer.run()
    return trainer


def end_of(folder: Path) -> tuple[list[bytes], list[Any]]:
    archive = read_archive(folder / "checkpoints" / "last")
    progress = archive.meta["progress"]
    return [array.tobytes() for array in archive.arrays.values()], [progress["validation"], progress["done"]]


@pytest.mark.parametrize("order", [Callback.MEASURE, Callback.WRITE, Callback.SAVE])
@pytest.mark.parametrize(("method", "saved"), [("start", 0), ("step", 5), ("finish", 12), ("close", 12)])
def test_a_callback_that_fails(tmp_path: Path, method: str, saved: int, order: int) -> None:
    """The others end the step; everything is saved; then the error is raised as it was."""
    trained(tmp_path / "whole")
    with pytest.raises(LookupError, match="a mistake of the user") as failed:
        trained(tmp_path / "cut", Faulty(method, order))
    assert failed.traceback[-1].name == "_fail"
    archive = read_archive(tmp_path / "cut" / "checkpoints" / "last")
    assert archive.meta["progress"]["step"] == saved
    if saved < 12:
        trained(tmp_path / "cut", resumed=True)
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


def test_of_two_that_fail_the_first_is_raised(tmp_path: Path) -> None:
    with pytest.raises(LookupError) as failed:
        trained(tmp_path / "run", Faulty("step", Callback.WRITE), Faulty("finish", Callback.MEASURE))
    assert failed.traceback[-2].name == "step"


def test_a_callback_that_is_refused_by_the_disk_while_it_writes_ends_nothing(tmp_path: Path, caplog: Any) -> None:
    class Writer(Callback):
        order = Callback.WRITE

        def step(self, trainer: Trainer) -> None:
            raise BlockingIOError("the disk is asleep")

    assert trained(tmp_path / "run", Writer()).progress.done
    warnings = [record.getMessage() for record in caplog.records]
    assert warnings == ["Writer: the disk is asleep; training goes on without it"]


# --- extras


class Hiding:
    """A finder that does not find some modules, as where they are not installed."""

    def __init__(self, finder: Any, names: Sequence[str]) -> None:
        self._finder, self._names = finder, names

    def find_spec(self, name: str, *arguments: Any) -> Any:
        return None if name.partition(".")[0] in self._names else self._finder.find_spec(name, *arguments)


def without(*names: str) -> None:
    """Let these modules be missing from this process."""
    sys.meta_path[:] = [Hiding(finder, names) for finder in sys.meta_path]  # type: ignore[misc]
    for module in [module for module in sys.modules if module.partition(".")[0] in names]:
        del sys.modules[module]
    importlib.invalidate_caches()


def run_without(folder: Path, *names: str, kernels: str) -> subprocess.CompletedProcess[str]:
    """A run in a new interpreter that cannot find these modules."""
    code = f"import sys, test_faults_users as t; t.without(*{names}); sys.exit(t.minidl_run('tiny.yaml'))"
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}", "MINIDL_KERNELS": kernels}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_run_needs_no_extra(tmp_path: Path) -> None:
    write_experiment(tmp_path, train__steps=6, log={"every": {"steps": 1}, "histograms_every": {"steps": 2}})
    ended = run_without(tmp_path, "matplotlib", "tensorboard", "torch", "onnx", "optuna", "mpi4py", kernels="")
    assert ended.returncode == 0, ended.stderr
    compiled = list(Path(minidl.__file__).parent.glob("kernels/_library.*"))
    assert json.loads((the_run(tmp_path).path / "run.json").read_text())["kernels"] == ("c" if compiled else "numpy")
