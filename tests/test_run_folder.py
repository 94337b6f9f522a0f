"""Run folders: numbers, locks, states, and checkpoints whose links never lead nowhere."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from runs import Cut, count_calls, cut_at, launch, minidl_run, run, the_run, write_experiment

from minidl.cli.main import main
from minidl.storage.archive import read_archive
from minidl.storage.checkpoint_folder import CheckpointFolder
from minidl.storage.run_folder import RunFolder, list_runs, model_file
from minidl.system.errors import CheckpointError, StorageError

QUICK = {"train__steps": 6, "train__sample_every": None}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a finished run lies, to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    write_experiment(folder, **QUICK)
    assert run(folder, "tiny.yaml").code == 0
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_numbers_count_on(tmp_path: Path) -> None:
    for number in (1, 2):
        with RunFolder.create(tmp_path, "demo") as folder:
            assert (folder.number, folder.path) == (number, tmp_path / "demo" / f"{number:03d}")
    (tmp_path / "demo" / "007").mkdir()
    (tmp_path / "demo" / "1234").mkdir()
    (tmp_path / "demo" / "notes").mkdir()
    with RunFolder.create(tmp_path, "demo") as folder:
        assert folder.path.name == "1235"
    assert [run.number for run in list_runs(tmp_path / "demo")] == [1, 2, 7, 1234, 1235]


def test_a_file_with_the_name_of_a_run_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "001").write_text("")
    with RunFolder.create(tmp_path, "demo") as folder:
        assert folder.number == 2


def test_processes_that_begin_at_once_take_different_numbers(tmp_path: Path) -> None:
    write_experiment(tmp_path, **QUICK)
    children = [launch(tmp_path, lambda: minidl_run("tiny.yaml")) for _ in range(4)]
    assert [child.wait().code for child in children] == [0] * 4
    assert [(run.number, run.state) for run in list_runs(tmp_path / "runs" / "tiny")] == [
        (number, "done") for number in range(1, 5)
    ]


def test_only_one_process_trains_in_a_folder(tmp_path: Path) -> None:
    write_experiment(tmp_path, **QUICK)
    with RunFolder.create(tmp_path / "runs", "tiny") as folder:
        ended = run(tmp_path, "tiny.yaml", "--resume")
        assert ended.code == 74
        assert "001: another process is training in this folder; wait for it, or start a new run" in ended.err
        assert names(folder.path) == {".lock"}
        with pytest.raises(StorageError, match="another process"):
            RunFolder(folder.path).lock()
    with RunFolder(folder.path).lock():
        pass


def test_the_state_of_a_run(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "demo") as folder:
        assert RunFolder(folder.path).state == "running"  # not even its description is written
        folder.describe({"state": "running"})
        assert RunFolder(folder.path).state == "running"
    assert RunFolder(folder.path).state == "interrupted"
    for state in ("done", "interrupted", "failed"):
        folder.describe({"state": state})
        assert RunFolder(folder.path).state == state


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 10**5])
def test_a_damaged_description_is_written_anew(tmp_path: Path, damage: bytes) -> None:
    with RunFolder.create(tmp_path, "demo") as folder:
        (folder.path / "run.json").write_bytes(damage)
        assert (folder.facts, folder.state) == ({}, "unknown")
        folder.describe({"state": "done"})
        assert json.loads((folder.path / "run.json").read_text()) == {"state": "done"}


@pytest.mark.parametrize(
    "facts",
    [
        {"state": [1], "step": {}, "versions": 5, "resumed": 3},
        {"state": None, "versions": [1], "resumed": {"a": 1}},
        {"resumed": [{"step": 1}, 5, {"step": 2, "changed": 4}]},
    ],
)
def test_a_description_that_somebody_has_edited(tmp_path: Path, facts: dict[str, object], finished: Path) -> None:
    """Commands read what they can of it."""
    shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)
    folder = the_run(tmp_path)
    description = json.dumps({**folder.facts, **facts})
    for command in (["runs"], ["verify", "tiny"], ["run", "tiny.yaml", "--resume", "train.steps=7"]):
        (folder.path / "run.json").write_text(description)
        ended = launch(tmp_path, lambda command=command: main(command)).wait()
        assert (ended.code, ended.err.count("Traceback")) == (0, 0), ended.err


def test_files_that_were_cut_or_are_pipes(tmp_path: Path, finished: Path) -> None:
    """Half an entry goes, with a warning; nobody waits for a pipe."""
    shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)
    metrics = the_run(tmp_path).path / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text(lines[0] + lines[1] + lines[2][:9])
    ended = run(tmp_path, "tiny.yaml", "--resume", "train.steps=7")
    assert ended.code == 0
    assert "metrics.jsonl has lost what it held: " in ended.err
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [3, 4, 7]
    for name in ("metrics.jsonl", "run.json"):
        (metrics.parent / name).unlink()
        os.mkfifo(metrics.parent / name)
    ended = launch(tmp_path, lambda: main(["runs"])).wait()
    assert (ended.code, "unknown" in ended.out) == (0, True)
    ended = run(tmp_path, "tiny.yaml", "--resume", "train.steps=8")
    assert (ended.code, ended.err.count("Traceback")) == (74, 0)


def test_a_look_at_the_state_keeps_nobody_out(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "demo") as folder:
        pass
    with open(folder.path / ".lock", "rb") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        end = threading.Timer(0.03, lambda: fcntl.flock(look, fcntl.LOCK_UN))
        end.start()
        with folder.lock():
            pass
        end.join()


def test_a_run_that_is_cut_before_its_first_step_says_so(tmp_path: Path) -> None:
    write_experiment(tmp_path, **QUICK)
    calls, found = count_calls(tmp_path, "tiny.yaml"), set()
    for number in (signal.SIGINT, signal.SIGKILL):
        for call in range(calls * 2 // 5, calls, calls // 20):  # half of them come before the folder is there
            begun = len(list_runs(tmp_path / "runs" / "tiny"))
            assert run(tmp_path, "tiny.yaml", cut=Cut([call], [number])).code in (130, -number)
            runs = list_runs(tmp_path / "runs" / "tiny")
            if len(runs) > begun:
                found.add((number, runs[-1].state, bool(runs[-1].checkpoints.files())))
            if (number, "interrupted", True) in found:
                break
    assert {state for _, state, _ in found} == {"interrupted"}
    assert (signal.SIGINT, "interrupted", False) in found


def test_leftovers_of_killed_writers_are_swept(tmp_path: Path, finished: Path) -> None:
    shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)
    folder = the_run(tmp_path)
    leftover = f".minidl-{'0' * 16}.tmp"
    for place in (folder.path, folder.checkpoints.path):
        (place / leftover).write_text("half a file")
        (place / ".minidl-mine.tmp").write_text("not one of ours")
    assert run(tmp_path, "tiny.yaml", "--resume", "train.steps=8").code == 0
    for place in (folder.path, folder.checkpoints.path):
        assert leftover not in names(place)
        assert ".minidl-mine.tmp" in names(place)


def test_which_run_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_experiment(tmp_path, **QUICK)
    for _ in range(2):
        assert run(tmp_path, "tiny.yaml").code == 0
    runs = tmp_path / "runs"
    best = runs / "tiny" / "002" / "checkpoints" / "best"
    for name in ("tiny", str(runs / "tiny"), str(runs / "tiny" / "002"), str(best)):
        assert os.path.realpath(model_file(name, runs)) == os.path.realpath(best)
    with pytest.raises(CheckpointError, match="did you mean 'tiny'"):
        model_file("tinny", runs)
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()  # of data, and with the name of the run
    assert os.path.realpath(model_file("tiny", runs)) == os.path.realpath(best)
    with RunFolder.create(runs, "tiny") as empty:  # ended before its first checkpoint
        assert empty.number == 3
    assert os.path.realpath(model_file("tiny", runs)) == os.path.realpath(best)
    for number in ("001", "002"):
        shutil.rmtree(runs / "tiny" / number / "checkpoints")
    for name in ("tiny", "tiny/002"):
        with pytest.raises(CheckpointError, match=f"{name} holds no checkpoint that could be loaded"):
            model_file(name, runs)


def test_the_experiment_is_kept_as_it_was_given(tmp_path: Path) -> None:
    write_experiment(tmp_path, **QUICK)
    given = b"\xef\xbb\xbf" + (tmp_path / "tiny.yaml").read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "tiny.yaml").write_bytes(given)
    assert run(tmp_path, "tiny.yaml").code == 0
    assert (the_run(tmp_path).path / "experiment.yaml").read_bytes() == given


def test_resuming_passes_over_runs_that_never_began(tmp_path: Path, finished: Path) -> None:
    shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)
    with RunFolder.create(tmp_path / "runs", "tiny") as empty:
        assert empty.number == 2
    ended = run(tmp_path, "tiny.yaml", "--resume", "train.steps=8")
    assert ended.code == 0
    assert "going on from runs/tiny/001/checkpoints/step-00000006.npz" in ended.err


# --- checkpoints


def save(folder: CheckpointFolder, step: int, *, best: bool) -> None:
    folder.save(step, {"W": np.full(3, step)}, {"step": step}, best=best)


def test_rotation_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    for step in (0, 10, 20, 30, 40):
        save(folder, step, best=step == 10)
        folder.rotate(keep=2)
    assert names(folder.path) == {"step-00000010.npz", "step-00000030.npz", "step-00000040.npz", "best", "last"}
    assert os.readlink(folder.path / "best") == "step-00000010.npz"
    assert os.readlink(folder.path / "last") == "step-00000040.npz"


def test_killed_at_every_call_of_saving_and_rotating(tmp_path: Path) -> None:
    """Links lead to whole files at every moment, and no more than the newest step is lost."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    for step in (10, 20):
        save(folder, step, best=True)

    def next_step() -> int:
        save(folder, 30, best=True)
        folder.rotate(keep=1)
        return 0

    shutil.copytree(folder.path, tmp_path / "before", symlinks=True)
    for call in range(1, 10**6, 17):
        ended = launch(tmp_path, lambda at=call: cut_at(Cut([at], [signal.SIGKILL]), next_step)).wait()
        for name in ("best", "last"):
            assert int(read_archive(folder.path / name).meta["step"]) in (20, 30)
        assert folder.newest()[1].meta["step"] in (20, 30)
        if ended.code == 0:
            break
        shutil.rmtree(folder.path)
        shutil.copytree(tmp_path / "before", folder.path, symlinks=True)
    assert call > 300


def test_a_file_system_without_links_and_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on drives in the network: copies in the place of links, a warning in the place of a lock."""

    def unknown(*_arguments: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "symlink", unknown)
    monkeypatch.setattr(fcntl, "flock", unknown)
    with RunFolder.create(tmp_path, "demo") as run_folder:
        folder = run_folder.checkpoints
        for step in (10, 20, 30, 40):
            save(folder, step, best=step == 10)
            folder.rotate(keep=2)
        assert names(folder.path) == {"step-00000030.npz", "step-00000040.npz", "best", "last"}
        assert [read_archive(folder.path / name).meta["step"] for name in ("best", "last")] == [10, 40]
        assert model_file("demo", tmp_path) == folder.path / "best"


def test_going_back_sets_the_links_as_they_were(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    for step in (10, 20, 30):
        save(folder, step, best=step != 10)
    (folder.path / "step-00000030.npz").write_text("damaged")
    folder.go_back(20, best_step=20)
    assert os.readlink(folder.path / "best") == os.readlink(folder.path / "last") == "step-00000020.npz"
    assert (folder.path / "step-00000030.npz.bad").read_text() == "damaged"
    assert [path.name for path in folder.files()] == ["step-00000020.npz", "step-00000010.npz"]
    (folder.path / "step-00000020.npz").write_text("damaged")
    folder.go_back(10, best_step=0)  # nothing was best at that time
    assert names(folder.path) >= {"last"}
    assert "best" not in names(folder.path)
