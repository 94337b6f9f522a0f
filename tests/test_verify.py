"""`minidl verify RUN`: a run reproduces to the bit, or what differs is named."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from runs import interrupted_at, launch, left, run, the_run, write_experiment

from minidl.cli.main import main
from minidl.storage.archive import read_archive, write_archive

SHORT = {"train__steps": 12}


def verify(folder: Path, *arguments: str) -> tuple[int, str]:
    ended = launch(folder, lambda: main(["verify", "tiny", *arguments])).wait()
    assert "Traceback" not in ended.err, ended.err
    return ended.code, ended.out or ended.err


def begun(folder: Path, **changes: Any) -> None:
    write_experiment(folder, **changes)
    ended = run(folder, "tiny.yaml")
    assert ended.code == 0, ended.err


@pytest.fixture(scope="module")
def twelve_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of a few steps lies, to be copied."""
    folder = tmp_path_factory.mktemp("twelve_steps")
    begun(folder, **SHORT)
    return folder


def test_a_finished_run_reproduces_and_nothing_is_written(tmp_path: Path, twelve_steps: Path) -> None:
    shutil.copytree(twelve_steps, tmp_path, symlinks=True, dirs_exist_ok=True)
    before = left(the_run(tmp_path)), os.listdir(the_run(tmp_path).path)
    code, said = verify(tmp_path)
    assert code == 0
    assert said == "runs/tiny/001/checkpoints/step-00000012.npz: reproduces to the bit (12 steps)\n"
    assert (left(the_run(tmp_path)), os.listdir(the_run(tmp_path).path)) == before


def test_a_run_that_was_cut_twice_reproduces(tmp_path: Path) -> None:
    write_experiment(tmp_path)
    assert interrupted_at(tmp_path, 11, signal.SIGINT, "tiny.yaml").code == 130
    assert interrupted_at(tmp_path, 23, signal.SIGTERM, "tiny.yaml", "--resume").code == 143
    code, said = verify(tmp_path, "--json")
    assert (code, json.loads(said)) == (0, {"step": 23, "reproduced": True, "differing": {}, "reasons": []})


@pytest.mark.parametrize("train", [{"epochs": 9, "early_stop": {"patience": 1}}, {"minutes": 0.3 / 60}])
def test_a_run_that_stopped_early_or_in_time_reproduces(tmp_path: Path, train: dict[str, Any]) -> None:
    begun(tmp_path, train={"evaluate_every": {"steps": 2}, "sample_every": None, **train}, optimizer__lr=0.3)
    code, said = verify(tmp_path)
    assert code == 0, said


def test_a_run_that_has_not_begun(tmp_path: Path) -> None:
    write_experiment(tmp_path)
    assert interrupted_at(tmp_path, 1, signal.SIGKILL, "tiny.yaml").code == -signal.SIGKILL
    assert verify(tmp_path)[0] == 0


def test_a_run_with_a_model_file_needs_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    source = "from minidl.layers import GRU, Dense, OneHot\n\n\ndef build(ids, vocab_size: int):\n"
    source += "    return Dense(vocab_size)(GRU(5)(OneHot()(ids)))\n"
    (tmp_path / "models" / "network.py").write_text(source)
    begun(tmp_path, model={"type": "network"}, **SHORT)
    (tmp_path / "models" / "network.py").unlink()
    (tmp_path / "tiny.yaml").unlink()
    assert verify(tmp_path)[0] == 0


def test_what_differs_is_named(tmp_path: Path, twelve_steps: Path) -> None:
    shutil.copytree(twelve_steps, tmp_path, symlinks=True, dirs_exist_ok=True)
    path = the_run(tmp_path).checkpoints.path / "step-00000012.npz"
    archive = read_archive(path)
    archive.arrays["parameters/lstm/b"][3] += 1
    write_archive(path, archive.arrays, archive.meta)
    code, said = verify(tmp_path)
    assert code == 5
    assert "step-00000012.npz: does not reproduce (12 steps)" in said
    assert "  parameters/lstm/b differs by up to 1.0e+00" in said
    assert "parameters/lstm/Wh" not in said
    assert "unknown: its files were changed, or a defect of minidl" in said
    code, said = verify(tmp_path, "--json")
    assert code == 5
    assert json.loads(said)["differing"] == {"parameters/lstm/b": "differs by up to 1.0e+00"}


def test_reasons_are_named(tmp_path: Path) -> None:
    begun(tmp_path, optimizer__lr={"type": "cosine", "peak": 0.1}, **SHORT)
    assert run(tmp_path, "tiny.yaml", "--resume", "train.steps=16").code == 0
    folder = the_run(tmp_path)
    folder.describe({"versions": {**folder.facts["versions"], "numpy": "1.0"}, "processor": "another"})
    code, said = verify(tmp_path)
    assert code == 5
    assert "train.steps: 12 before, now 16, from step 12 on" in said
    assert "numpy: '1.0' before, now" in said
    assert "processor: 'another' before, now" in said


def test_kernels_of_a_resumed_part_are_named(tmp_path: Path, twelve_steps: Path) -> None:
    pytest.importorskip("minidl.kernels")
    shutil.copytree(twelve_steps, tmp_path, symlinks=True, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIDL_KERNELS", "c")
        assert run(tmp_path, "tiny.yaml", "--resume", "train.steps=16").code == 0
    code, said = verify(tmp_path)
    assert code == 5
    assert "kernels: 'numpy' before, now 'c', from step 12 on" in said


def test_other_data(tmp_path: Path) -> None:
    begun(tmp_path, **SHORT)
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy cat. " * 20)
    code, said = verify(tmp_path)
    assert code == 4
    assert "the data is not what this run was trained on" in said
