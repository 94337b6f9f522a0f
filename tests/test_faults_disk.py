"""Disks that are full, cannot be written or go away, few file handles, forks: training goes on, or stops in time."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runs import Ended, interrupted_at, launch, left, minidl_run, run, the_run, write_experiment

from minidl.callbacks import Callback, RunLog
from minidl.data.batches import Batch
from minidl.storage.archive import read_archive
from minidl.storage.run_folder import RunFolder
from minidl.training.trainer import Trainer

QUICK = {"train__steps": 6, "train__sample_every": None}


@contextlib.contextmanager
def disk(folder: Path, options: str = "size=256k") -> Iterator[Path]:
    """A small file system of its own."""
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no command to mount a small file system with")
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """A file that takes all the room but so many bytes."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    os.truncate(filler, max(0, filler.stat().st_size - leave))
    return filler


def losses(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]


def test_a_full_disk_stops_a_run_before_it_trains(tmp_path: Path) -> None:
    write_experiment(tmp_path)
    with disk(tmp_path / "disk"):
        fill(tmp_path / "disk", leave=4 * 4096)  # room for small files, none for a checkpoint
        ended = run(tmp_path, "tiny.yaml", "--runs", "disk/runs")
        assert ended.code == 74
        assert "checkpoints/step-00000000.npz: cannot be written (No space left on device)" in ended.err
        assert "check the folder, its permissions and its free space" in ended.err
        assert "Traceback" not in ended.err


def test_a_disk_that_fills_up_costs_the_last_checkpoint_and_no_older_one(tmp_path: Path) -> None:
    write_experiment(tmp_path, log={"every": {"steps": 3}, "tensorboard": True, "histograms_every": None})
    assert run(tmp_path, "tiny.yaml").code == 0
    expected = left(the_run(tmp_path))
    with disk(tmp_path / "disk"):
        ended = _filling(tmp_path, at=20)
        assert ended.code == 74
        assert ended.err.count("training goes on, the checkpoints before are intact") >= 3
        assert ended.err.count("RunLog: ") == ended.err.count("TensorBoard: ") == 1
        assert "No space left on device" in ended.err
        (folder,) = [RunFolder(path) for path in (tmp_path / "disk" / "runs" / "tiny").iterdir()]
        assert folder.checkpoints.newest()[1].meta["progress"]["step"] == 18
        (tmp_path / "disk" / "filler").unlink()
        assert run(tmp_path, "tiny.yaml", "--runs", "disk/runs", "--resume").code == 0
        assert left(folder).differences(expected) == {}


def _filling(folder: Path, at: int) -> Ended:
    """A run the disk of which fills up at a step, and stays full."""

    def work() -> int:
        update = Trainer.update

        def update_and_fill(self: Trainer, batch: Batch) -> None:
            update(self, batch)
            if self.progress.step >= at:
                with contextlib.suppress(OSError), open(folder / "disk" / "filler", "ab", buffering=0) as file:
                    while file.write(bytes(512)):
                        pass

        Trainer.update = update_and_fill  # type: ignore[method-assign]  # in the child only
        return minidl_run("tiny.yaml", "--runs", "disk/runs")

    return launch(folder, work).wait()


def test_files_that_may_not_grow_cost_entries_and_one_warning_each(tmp_path: Path) -> None:
    write_experiment(
        tmp_path, train__steps=120, train__early_stop=None, log={"every": {"steps": 1}, "tensorboard": True}
    )

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        return minidl_run("tiny.yaml")

    ended = launch(tmp_path, work).wait()
    assert ended.code == 0, ended.err
    assert ended.err.count("metrics.jsonl: cannot be written (File too large)") == 1
    assert len(re.findall(r"/events\.out\S+: cannot be written \(File too large\)", ended.err)) == 1
    assert ended.err.count("training goes on without it") == 2
    folder = the_run(tmp_path)
    assert (folder.state, folder.facts["step"]) == ("done", 120)
    steps = [record["step"] for record in losses(folder)]  # whole lines, in order
    assert steps == sorted(steps)
    assert 20 < len(steps) < 120


@pytest.mark.parametrize("place", ["runs", "runs/tiny"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, place: str) -> None:
    write_experiment(tmp_path, **QUICK)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("mine")
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code == 74
    assert "runs/tiny: no run folder can be made" in ended.err
    assert "choose another with --runs" in ended.err
    assert (tmp_path / place).read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    write_experiment(tmp_path, **QUICK)
    with disk(tmp_path / "disk", "ro"):
        ended = run(tmp_path, "tiny.yaml", "--runs", "disk/runs")
        assert ended.code == 74
        assert "runs/tiny: no run folder can be made (Read-only file system); choose another with --runs" in ended.err


def test_a_run_whose_disk_turns_read_only_can_be_resumed_elsewhere(tmp_path: Path) -> None:
    write_experiment(tmp_path, **QUICK)
    with disk(tmp_path / "disk"):
        assert interrupted_at(tmp_path, 3, signal.SIGINT, "tiny.yaml", "--runs", "disk/runs").code == 130
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
        ended = run(tmp_path, "tiny.yaml", "--runs", "disk/runs", "--resume")
        assert ended.code == 74
        assert "Read-only file system" in ended.err
        assert "Traceback" not in ended.err
        shutil.copytree(tmp_path / "disk" / "runs", tmp_path / "runs", symlinks=True)
    assert run(tmp_path, "tiny.yaml", "--resume").code == 0
    assert the_run(tmp_path).state == "done"


def test_sixty_four_file_handles_are_enough(tmp_path: Path) -> None:
    write_experiment(tmp_path, log={"every": {"steps": 3}, "tensorboard": True})

    def work() -> int:
        os.closerange(3, 64)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        return minidl_run("tiny.yaml")

    assert launch(tmp_path, work).wait().code == 0
    assert the_run(tmp_path).state == "done"


def test_a_run_keeps_at_most_its_folder_and_three_files_open(tmp_path: Path) -> None:
    """At each moment: looked at whenever one more is opened, a name is changed, or a file is synced."""
    write_experiment(tmp_path, train__steps=12, log={"every": {"steps": 1}, "tensorboard": True})

    def work() -> int:
        most, looking, sync = list[str](), [False], os.fsync

        def look(event: str, _arguments: object = ()) -> None:
            if not looking[0] and event in ("open", "os.rename", "os.fsync"):
                looking[0] = True  # what it opens itself does not count
                most[:] = max(most, sorted(_open_files()), key=len)
                looking[0] = False

        def look_and_sync(descriptor: int) -> None:
            look("os.fsync")
            sync(descriptor)

        os.fsync = look_and_sync
        sys.addaudithook(look)
        code = minidl_run("tiny.yaml")
        Path("opened").write_text("\n".join(most))
        return code

    ended = launch(tmp_path, work).wait()
    assert ended.code == 0, ended.err
    opened = [Path(line).name for line in (tmp_path / "opened").read_text().splitlines()]
    assert len(opened) == 4
    assert ".lock" in opened
    assert any("tfevents" in name for name in opened)


def _open_files() -> list[str]:
    """Those of runs, one that is open twice counted twice."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [path for path in found if "/runs" in path]


def test_what_was_written_before_a_kill_is_there(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    write_experiment(tmp_path, log={"every": {"steps": 1}, "tensorboard": True, "histograms_every": None})
    assert interrupted_at(tmp_path, 12, signal.SIGKILL, "tiny.yaml").code == -signal.SIGKILL
    folder = the_run(tmp_path)
    assert [record["step"] for record in losses(folder) if "train/loss" in record] == list(range(1, 12))
    (events,) = folder.path.glob("events.*")
    tags = {(value.tag, event.step) for event in EventFileLoader(str(events)).Load() for value in event.summary.value}
    assert {("train/loss", step) for step in range(1, 12)} <= tags


def test_a_fork_while_a_run_is_logged(tmp_path: Path) -> None:
    """Whole lines, each once for each process that wrote it; the forked process cannot spoil the event file."""

    def work() -> int:
        from test_trainer import cycle, network

        from minidl.callbacks import Every, TensorBoard, TrainMetrics
        from minidl.optim import SGD

        class Fork(Callback):
            def step(self, trainer: Trainer) -> None:
                if trainer.progress.step == 5:
                    self.child = os.fork()

        logging.basicConfig(stream=sys.stderr, force=True)
        fork, folder = Fork(), Path.cwd()
        callbacks = [fork, TrainMetrics(Every(steps=1)), RunLog(folder=folder), TensorBoard(folder=folder)]
        Trainer(network(), cycle(), SGD(), steps=40, callbacks=callbacks).run()
        if fork.child:
            _, status = os.waitpid(fork.child, 0)
            return os.waitstatus_to_exitcode(status)
        return 0

    ended = launch(tmp_path, work).wait()
    assert ended.code == 0, ended.err
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert sorted(steps) == sorted([*range(1, 41), *range(5, 41)])
    assert "belongs to process" in ended.err
    (events,) = tmp_path.glob("events.*")
    _check_events(events, range(1, 41))


def _check_events(path: Path, steps: range) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = [event.step for event in EventFileLoader(str(path)).Load() if _has(event, "train/loss")]
    assert found == list(steps)


def _has(event: Any, tag: str) -> bool:
    return any(value.tag == tag for value in event.summary.value)


def test_a_checkpoint_survives_a_full_disk_byte_for_byte(tmp_path: Path) -> None:
    write_experiment(tmp_path, **QUICK)
    with disk(tmp_path / "disk"):
        assert interrupted_at(tmp_path, 3, signal.SIGINT, "tiny.yaml", "--runs", "disk/runs").code == 130
        folder = RunFolder(tmp_path / "disk" / "runs" / "tiny" / "001")
        path, _ = folder.checkpoints.newest()
        before = path.read_bytes()
        fill(tmp_path / "disk")
        ended = run(tmp_path, "tiny.yaml", "--runs", "disk/runs", "--resume")
        assert ended.code == 74
        assert path.read_bytes() == before
        assert read_archive(folder.checkpoints.path / "last").meta["progress"]["step"] == 3
