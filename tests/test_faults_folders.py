"""A run is bound to the folder that it made: what becomes of its name while it trains, and links that lie in it."""

from __future__ import annotations

import ast
import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from runs import Ended, interrupted_at, launch, left, minidl_run, run, the_run, write_experiment

from minidl.cli.main import main
from minidl.data.batches import Batch
from minidl.experiment.build.model_package import imported_files
from minidl.storage.archive import read_archive, write_archive
from minidl.storage.atomic import new_file, write_whole
from minidl.storage.run_folder import list_runs
from minidl.system.errors import StorageError
from minidl.training.trainer import Trainer


@pytest.fixture(scope="module")
def half_way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run lies that was interrupted after step 12, to be copied."""
    folder = tmp_path_factory.mktemp("half_way")
    write_experiment(folder)
    assert interrupted_at(folder, 12, signal.SIGINT, "tiny.yaml").code == 130
    return folder


def run_and_do(folder: Path, what: Callable[[], object], *arguments: str) -> Ended:
    """A run in which somebody does something beside it after step 20."""

    def work() -> int:
        update = Trainer.update

        def update_and_do(self: Trainer, batch: Batch) -> None:
            update(self, batch)
            if self.progress.step == 20:
                what()

        Trainer.update = update_and_do  # type: ignore[method-assign]  # in the child only
        return minidl_run("tiny.yaml", *arguments)

    return launch(folder, work).wait()


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Every file below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.name != ".lock")
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.read_bytes() for path in paths if not path.is_dir()
    }


def replaced() -> None:
    shutil.rmtree("runs/tiny")
    shutil.copytree("other/runs/tiny", "runs/tiny", symlinks=True)


def linked() -> None:
    os.rename("runs/tiny/001", "moved")
    shutil.copytree("other/runs/tiny/001", "elsewhere", symlinks=True)
    os.symlink(os.path.abspath("elsewhere"), "runs/tiny/001")


FATES: dict[str, tuple[Callable[[], object], str]] = {
    "deleted": (lambda: shutil.rmtree("runs"), "it was deleted or moved"),
    "moved": (lambda: os.rename("runs/tiny/001", "runs/tiny/005"), "it was deleted or moved"),
    "moved with all others": (lambda: os.rename("runs", "moved"), "it was deleted or moved"),
    "replaced by another run": (replaced, "another one has taken its place"),
    "replaced by a link": (linked, "another one has taken its place"),
    "replaced by a file": (lambda: (shutil.rmtree("runs/tiny"), Path("runs/tiny").write_text("")), "deleted or moved"),
}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("tensorboard", [False, True])
def test_a_run_whose_folder_is_gone_ends(tmp_path: Path, fate: str, tensorboard: bool, half_way: Path) -> None:
    what, said = FATES[fate]
    write_experiment(tmp_path, log={"every": {"steps": 3}, "tensorboard": tensorboard})
    shutil.copytree(half_way, tmp_path / "other", symlinks=True)

    def do() -> None:
        what()
        Path("before").write_text(repr(snapshot(Path("."))))

    ended = run_and_do(tmp_path, do)
    assert ended.code == 74, ended.err
    assert "is no longer the folder of this run" in ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err
    now = {name: content for name, content in eval_snapshot(tmp_path).items() if name not in ("before", "out", "err")}
    before = {name: content for name, content in _read_snapshot(tmp_path).items() if name not in ("out", "err")}
    assert now == before


def eval_snapshot(folder: Path) -> dict[str, str]:
    return {os.path.relpath(name, folder): repr(content) for name, content in snapshot(folder).items()}


def _read_snapshot(folder: Path) -> dict[str, str]:
    return {name: repr(content) for name, content in ast.literal_eval((folder / "before").read_text()).items()}


def test_a_run_that_was_moved_cannot_be_gone_on_with_meanwhile(tmp_path: Path) -> None:
    """Its lock moves with it, and holds by any other name."""
    write_experiment(tmp_path)

    def move_and_resume() -> None:
        os.rename("runs/tiny/001", "runs/tiny/005")
        os.unlink("runs/tiny/005/.lock")
        os.symlink("005", "runs/tiny/007")
        for number in ("5", "7"):
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                Trainer.update = original  # type: ignore[method-assign]
                code = minidl_run("tiny.yaml", "--resume", number)
                sys.stderr.flush()
                os._exit(code)
            Path(f"code{number}").write_text(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))

    original = Trainer.update
    ended = run_and_do(tmp_path, move_and_resume)
    assert ended.code == 74
    assert ended.err.count("another process is training in this folder") == 2, ended.err
    assert [(tmp_path / f"code{number}").read_text() for number in "57"] == ["74", "74"]


@pytest.mark.parametrize(
    "name", [".lock", "run.json", "resolved.yaml", "metrics.jsonl", "samples.txt", "checkpoints", "step-00000020.npz"]
)
def test_no_link_in_a_run_folder_leads_a_write_out_of_it(tmp_path: Path, name: str, half_way: Path) -> None:
    shutil.copytree(half_way, tmp_path, symlinks=True, dirs_exist_ok=True)
    folder, victims = the_run(tmp_path).path, tmp_path / "victims"
    victims.mkdir()
    if name == "checkpoints":
        os.rename(folder / name, victims / name)
    elif name.startswith("step"):
        folder /= "checkpoints"
        (victims / name).write_text("precious\n" * 10)
    else:
        (victims / name).write_text("precious\n" * 10)
        (folder / name).unlink(missing_ok=True)
    os.symlink(victims / name, folder / name)
    before = snapshot(victims)
    ended = run(tmp_path, "tiny.yaml", "--resume", "train.checkpoint_every={steps: 20}", "train.steps=21")
    assert snapshot(victims) == before
    assert ended.code in ((0, 74) if name in ("samples.txt", "step-00000020.npz") else (74,)), ended.err
    assert "link" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EACCES, errno.EINTR])
def test_what_cannot_be_opened_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, half_way: Path
) -> None:
    shutil.copytree(half_way, tmp_path, symlinks=True, dirs_exist_ok=True)
    before = snapshot(tmp_path / "runs")
    count = [0]

    def refuse(path: object, *arguments: object) -> object:
        if str(path).endswith("step-00000012.npz"):
            count[0] += 1
            raise OSError(number, os.strerror(number), str(path))
        return open(path, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr("minidl.storage.archive.open", refuse, raising=False)
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 74, ended.err
    assert os.strerror(number) in ended.err
    assert snapshot(tmp_path / "runs") == before
    monkeypatch.undo()
    assert run(tmp_path, "tiny.yaml", "--resume").code == 0


def test_a_newer_format_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half_way: Path) -> None:
    shutil.copytree(half_way, tmp_path, symlinks=True, dirs_exist_ok=True)
    newest, archive = the_run(tmp_path).checkpoints.newest()
    monkeypatch.setattr("minidl.storage.archive_meta.FORMAT_VERSION", 99)
    write_archive(newest, archive.arrays, archive.meta)
    monkeypatch.undo()
    before = snapshot(tmp_path / "runs")
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 4
    assert "upgrade minidl" in ended.err
    assert snapshot(tmp_path / "runs") == before


def test_a_best_that_the_disk_refused_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_experiment(tmp_path, optimizer__lr=1.0, train__steps=36, data__split=[0.8, 0.1, 0.1])
    assert run(tmp_path, "tiny.yaml").code == 0
    best = the_run(tmp_path).checkpoints.newest()[1].meta["progress"]["best_step"]
    expected = left(the_run(tmp_path))
    os.rename(tmp_path / "runs", tmp_path / "whole")

    def refuse_once(path: Path, *arguments: object, **options: object) -> None:
        if path.name == f"step-{best:08d}.npz" and not (tmp_path / "refused").exists():
            (tmp_path / "refused").touch()
            raise StorageError(f"{path}: no space")
        write_archive(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("minidl.storage.checkpoint_folder.write_archive", refuse_once)
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code == 0, ended.err
    assert 0 < best < 36
    assert "no space; training goes on" in ended.err
    assert f"the checkpoint of step {best}, the best, is saved now" in ended.err
    kept = left(the_run(tmp_path))
    assert kept.differences(expected) == {}
    best_file = the_run(tmp_path).checkpoints.path / "best"
    whole = tmp_path / "whole/tiny/001/checkpoints/best"
    ours, theirs = read_archive(best_file), read_archive(whole)
    assert {n: a.tobytes() for n, a in ours.arrays.items()} == {n: a.tobytes() for n, a in theirs.arrays.items()}


def test_resume_begins_where_there_is_nothing(tmp_path: Path) -> None:
    write_experiment(tmp_path)
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 0, ended.err
    assert "runs/tiny holds no run yet: there is nothing to resume, and the run begins" in ended.err
    assert run(tmp_path, "tiny.yaml", "--resume", "2").code == 4


def test_killed_before_its_first_checkpoint_a_run_begins_again_in_its_folder(tmp_path: Path) -> None:
    write_experiment(tmp_path)
    assert run(tmp_path, "tiny.yaml", "name=whole").code == 0
    expected = left(the_run(tmp_path, "whole"))

    def work() -> int:
        from minidl.callbacks import Baselines, SaveCheckpoints

        Baselines.start = Baselines.act  # type: ignore[method-assign]  # a record before the first step, as of tables
        SaveCheckpoints.start = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        return minidl_run("tiny.yaml")

    assert launch(tmp_path, work).wait().code == -signal.SIGKILL
    assert (the_run(tmp_path).path / "metrics.jsonl").exists()
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 0, ended.err
    assert "ended before its first checkpoint: it begins again" in ended.err
    assert len(list_runs(tmp_path / "runs/tiny")) == 1
    differences = left(the_run(tmp_path)).differences(expected)
    assert set(differences) <= {"meta.experiment.name"}, differences


OWN = """
from dataclasses import dataclass
import numpy as np
from minidl import Layer
from minidl.graph.arrays import Out
from minidl.layers import Dense, Embedding


@dataclass(frozen=True)
class Scaled(Layer):
    def arrays(self, x):
        return {"y": Out(x)}

    def forward(self, x, y):
        from models.scales import SCALE

        np.multiply(x, SCALE, out=y)

    def backward(self, dy, dx):
        from .scales import SCALE

        np.multiply(dy, SCALE, out=dx)


def build(ids, vocab_size: int):
    return Dense(vocab_size)(Scaled()(Embedding(5)(ids)))
"""


def test_files_that_a_model_file_imports_belong_to_its_run_too(tmp_path: Path) -> None:
    """Wherever the import stands; what is not imported does not."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.py").write_text(OWN)
    for name in ("scales", "other"):
        (tmp_path / f"models/{name}.py").write_text("SCALE = 1.0\n")
    assert list(imported_files(tmp_path / "models/own.py")) == ["models/own.py", "models/scales.py"]


def test_a_change_of_a_file_outside_of_models_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beside the experiment is kept, and a checkpoint is used with it; what is installed has its version."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.py").write_text(
        OWN.replace("models.scales", "user_scales").replace(".scales", "user_scales")
    )
    (tmp_path / "user_scales.py").write_text("import json, numpy\nSCALE = 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    write_experiment(tmp_path, model={"type": "own"}, train__steps=40, train__early_stop=None)
    ended = interrupted_at(tmp_path, 13, signal.SIGINT, "tiny.yaml")
    assert ended.code == 130
    assert "models/" not in ended.err
    before = evaluated(tmp_path)
    assert launch(tmp_path, lambda: main(["verify", "tiny"])).wait().code == 0
    (tmp_path / "user_scales.py").write_text("SCALE = 5.0\n")
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 4
    assert "the code of the model has changed since this run was begun: user_scales" in ended.err
    assert "-SCALE = 1.0" in ended.err
    assert launch(tmp_path, lambda: main(["verify", "tiny"])).wait().code == 0
    assert evaluated(tmp_path) == before
    checkpoints = the_run(tmp_path).path / "checkpoints"
    shutil.copy(checkpoints / "last", tmp_path / "old.npz")
    ended = run(tmp_path, "tiny.yaml", "--resume", "--accept-changes", "train.steps=16")
    assert ended.code == 0, ended.err
    shutil.move(tmp_path / "old.npz", checkpoints / "step-00000009.npz")
    assert evaluated(tmp_path, "runs/tiny/001/checkpoints/step-00000009.npz") == before
    assert evaluated(tmp_path) != before
    verified = launch(tmp_path, lambda: main(["verify", "tiny"])).wait()
    assert verified.code == 5
    assert "user_scales: sha256" in verified.err


def evaluated(folder: Path, checkpoint: str = "runs/tiny/001/checkpoints/last") -> str:
    ended = launch(folder, lambda: main(["evaluate", checkpoint, "--json"])).wait()
    assert ended.code == 0, ended.err
    return str(ended.out)


def test_the_code_of_a_model_belongs_to_its_run(tmp_path: Path) -> None:
    """Here in a file that layers import when they compute."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.py").write_text(OWN)
    (tmp_path / "models/scales.py").write_text("SCALE = 1.0\n")
    write_experiment(tmp_path, model={"type": "own"}, train__steps=40, train__early_stop=None)
    assert interrupted_at(tmp_path, 13, signal.SIGINT, "tiny.yaml").code == 130
    (tmp_path / "models/scales.py").write_text("SCALE = 5.0\n")
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 4
    assert "changed since this run was begun: models/scales.py" in ended.err
    assert "-SCALE = 1.0" in ended.err
    assert "+SCALE = 5.0" in ended.err
    assert "--accept-changes" in ended.err
    checkpoints = the_run(tmp_path).path / "checkpoints"
    shutil.copy(checkpoints / "step-00000012.npz", tmp_path / "old.npz")
    ended = run(tmp_path, "tiny.yaml", "--resume", "--accept-changes", "train.steps=16")
    assert ended.code == 0, ended.err
    assert "models/scales.py: sha256" in ended.err
    assert "SCALE = 5.0" in (the_run(tmp_path).path / "models/scales.py").read_text()
    verified = launch(tmp_path, lambda: main(["verify", "tiny"])).wait()
    assert verified.code == 5
    assert "models/scales.py: sha256" in verified.err

    def loss(path: str) -> float:
        ended = launch(tmp_path, lambda: main(["evaluate", path, "--json"])).wait()
        assert ended.code == 0, ended.err
        return float(json.loads(ended.out)["val/loss"])

    shutil.move(tmp_path / "old.npz", checkpoints / "step-00000012.npz")
    told = [json.loads(line) for line in (the_run(tmp_path).path / "metrics.jsonl").read_text().splitlines()]
    by_step = {record["step"]: record["val/loss"] for record in told if "val/loss" in record}
    assert abs(loss("runs/tiny/001/checkpoints/step-00000012.npz") - by_step[12]) < 1e-6
    assert abs(loss("runs/tiny/001/checkpoints/last") - by_step[16]) < 1e-6
    (the_run(tmp_path).path / "models/scales.py").write_text("SCALE = 7.0\n")
    ended = launch(tmp_path, lambda: main(["evaluate", "runs/tiny/001/checkpoints/last"])).wait()
    assert ended.code == 4
    assert "was trained with code that is not in" in ended.err


@pytest.mark.parametrize("verb", ["export", "predict"])
def test_what_a_killed_export_left_is_swept_by_the_next(tmp_path: Path, verb: str) -> None:
    def write(stop: Callable[[], object]) -> int:
        if verb == "export":
            write_whole(tmp_path / "model.onnx", b"first")
            return 0
        with new_file(tmp_path / "rows.csv") as file:
            file.write(b"first")
            stop()
        return 0

    def killed() -> int:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        return write(lambda: None)

    assert launch(tmp_path, killed).wait().code == -signal.SIGKILL
    (left_over,) = tmp_path.glob(".minidl-*.tmp")
    (tmp_path / ".minidl-notes.tmp").touch()  # of somebody else
    with new_file(tmp_path / "other.csv") as living:
        assert left_over.exists()  # its writer might have begun this very moment
        (mine,) = set(tmp_path.glob(".minidl-????????????????.tmp")) - {left_over}
        for path in (mine, left_over):
            os.utime(path, (0, 0))
        assert launch(tmp_path, lambda: write(lambda: None)).wait().code == 0
        assert not left_over.exists()
        assert mine.exists()
        living.write(b"whole")
    assert (tmp_path / "other.csv").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.glob(".minidl-*")] == [".minidl-notes.tmp"]


def test_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    """All works there; what cannot be spelt is shown by its bytes."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    write_experiment(folder)
    assert run(folder, "tiny.yaml", "train.steps=4").code == 0
    resumed = run(folder, "tiny.yaml", "train.steps=8", "--resume")
    assert resumed.code == 0, resumed.err
    last, out = str(folder / "runs/tiny/001/checkpoints/last"), str(folder / "out.safetensors")
    verbs = [["sample", last, "--length", "5"], ["inspect", last], ["evaluate", last, "--json"], ["runs"]]
    for words in [*verbs, ["verify", "tiny"], ["export", last, "--format", "safetensors", "--out", out]]:
        ended = launch(folder, partial(main, words)).wait()
        assert ended.code == 0, (words, ended.err)
