"""A power cut at any checkpoint of a run: of files and folders only that is left which was synced to the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from runs import launch, left, minidl_run, run, the_run, write_experiment

from minidl.storage.atomic import write_whole
from minidl.storage.checkpoint_folder import CheckpointFolder


class Disk:
    """What a disk holds of a folder that is on it as a whole at first; after that, what `os.fsync` has brought there.

    A file that was synced has the bytes that it had then; a folder the names that it had then. A file of which the
    name alone is on the disk is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._root = folder.stat().st_ino
        self._names: dict[int, dict[str, int | str]] = {self._root: _names(folder)}
        self._bytes = {path.stat().st_ino: path.read_bytes() for path in folder.iterdir()}
        self._kept: list[int] = []  # open, so that no other file gets their numbers

    def watch(self) -> None:
        """From now on see what is synced."""
        sync = os.fsync

        def synced(descriptor: int) -> None:
            sync(descriptor)
            self._see(descriptor)

        os.fsync = synced

    def _see(self, descriptor: int) -> None:
        status, path = os.fstat(descriptor), Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        self._kept.append(os.dup(descriptor))
        if stat.S_ISDIR(status.st_mode):
            self._names[status.st_ino] = _names(path)
        else:
            self._bytes[status.st_ino] = path.read_bytes()

    def after_the_cut(self, folder: Path) -> None:
        """Write what is left into a folder."""
        self._write(self._root, folder)

    def _write(self, number: int, place: Path) -> None:
        place.mkdir()
        for name, entry in self._names.get(number, {}).items():
            if isinstance(entry, str):
                os.symlink(entry, place / name)
            elif entry < 0:
                self._write(-entry, place / name)
            else:
                (place / name).write_bytes(self._bytes.get(entry, b""))


def _names(folder: Path) -> dict[str, int | str]:
    """What each name in a folder stands for: a file's number, that of a folder with a minus, where a link leads."""
    found: dict[str, int | str] = {}
    for path in folder.iterdir():
        number = path.lstat().st_ino
        found[path.name] = os.readlink(path) if path.is_symlink() else -number if path.is_dir() else number
    return found


def test_a_power_cut_after_each_checkpoint(tmp_path: Path) -> None:
    """The checkpoint is there, and the run goes on from it as if there had been no cut."""
    place = tmp_path / "disk"
    place.mkdir()
    write_experiment(place)

    def work() -> int:
        disk, save = Disk(place), CheckpointFolder.save
        disk.watch()

        def save_and_cut(self: CheckpointFolder, step: int, *arguments: Any, **options: Any) -> Path:
            path = save(self, step, *arguments, **options)
            disk.after_the_cut(tmp_path / f"cut-{step}")
            return path

        CheckpointFolder.save = save_and_cut  # type: ignore[method-assign]  # in the child only
        return minidl_run("tiny.yaml")

    ended = launch(place, work).wait()
    assert ended.code == 0, ended.err
    expected = left(the_run(place))
    cuts = sorted(tmp_path.glob("cut-*"), key=lambda path: int(path.name[4:]))
    assert len(cuts) > 10
    for cut in cuts:
        checkpoints = the_run(cut).checkpoints
        assert checkpoints.newest()[1].meta["progress"]["step"] == int(cut.name[4:])
        assert os.path.realpath(checkpoints.path / "last") == str(checkpoints.files()[0])
    for cut in (cuts[0], cuts[5], cuts[-2]):
        ended = run(cut, "tiny.yaml", "--resume")
        assert (ended.code, "has lost" in ended.err) == (0, False), ended.err
        assert left(the_run(cut)).differences(expected) == {}


def test_the_disk_forgets_what_was_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(os, "fsync", os.fsync)
    disk = Disk(tmp_path / "disk")
    disk.watch()
    write_whole(tmp_path / "disk" / "synced", b"1")
    (tmp_path / "disk" / "not synced").write_bytes(b"2")
    (tmp_path / "disk" / "folder").mkdir()
    disk.after_the_cut(tmp_path / "cut")
    assert _contents(tmp_path / "cut") == {"synced": b"1"}
    write_whole(tmp_path / "disk" / "folder" / "deeper", b"3")
    write_whole(tmp_path / "disk" / "later", b"4")
    disk.after_the_cut(tmp_path / "again")
    assert _contents(tmp_path / "again") == {"synced": b"1", "not synced": b"", "folder/deeper": b"3", "later": b"4"}


def _contents(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
