"""A run that was interrupted, however and wherever, ends as if it had not been: the same bytes, times apart."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import (
    Cut,
    Left,
    count_calls,
    finish,
    interrupted_at,
    left,
    random_cuts,
    run,
    the_run,
    with_fewer_data,
    write_experiment,
)

from minidl.experiment import read_experiment
from minidl.storage.archive import read_archive, write_archive
from minidl.storage.run_folder import RunFolder

EXPERIMENTS = sorted((Path(__file__).parent.parent / "experiments").glob("*.yaml"))
SHORT = (
    "train.steps=6",
    "train.evaluate_every={steps: 4}",
    "train.checkpoint_every={steps: 2}",
    "log={every: {steps: 2}, tensorboard: false}",
    "data.batch_size=4",
    "init_from=null",
)
QUICK = {"train__steps": 6, "train__sample_every": None}  # for what is not about training

Factory = pytest.TempPathFactory


@pytest.fixture(scope="module")
def whole(tmp_path_factory: Factory) -> tuple[Left, int]:
    """A run that nobody interrupts: what it leaves, and how many calls it makes."""
    folder = tmp_path_factory.mktemp("whole")
    write_experiment(folder)
    calls = count_calls(folder, "tiny.yaml")
    return left(the_run(folder)), calls


@pytest.mark.parametrize("seed", range(8))
def test_cut_off_at_random_calls(seed: int, whole: tuple[Left, int], tmp_path: Path) -> None:
    write_experiment(tmp_path)
    finish(tmp_path, "tiny", "tiny.yaml", cuts=random_cuts(seed, whole[1]))
    assert left(the_run(tmp_path)).differences(whole[0]) == {}


def test_the_comparison_notices(whole: tuple[Left, int], tmp_path: Path) -> None:
    write_experiment(tmp_path, seed=4)
    finish(tmp_path, "tiny", "tiny.yaml", cuts=[None])
    names = {name.split(".")[0] for name in left(the_run(tmp_path)).differences(whole[0])}
    assert names == {"arrays", "meta", "metrics", "samples"}


def write_sequences(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 30, 2)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, lengths=rng.integers(1, 6, 30), targets=(x.sum(axis=(0, 2)) > 0).astype(int))


SEQUENCES = {
    "data": {"type": "arrays", "source": "data.npz", "batch_size": 7},
    "model": {
        "layers": [
            {"type": "Bidirectional", "layer": {"type": "GRU", "units": 3}, "inputs": ["x", "lengths"]},
            {"type": "Dropout", "rate": 0.3},
            {"type": "Last", "inputs": ["dropout", "lengths"]},
            {"type": "Dense", "units": 2},
        ]
    },
    "optimizer": {"type": "SGD", "lr": {"type": "cosine", "peak": 0.1, "warmup_steps": 5}, "momentum": 0.9},
    "train": {
        "epochs": 3,
        "state": "zero",
        "evaluate_every": {"epochs": 0.5},
        "checkpoint_every": {"steps": 2},
        "early_stop": {"patience": 2},
    },
}


def test_shuffled_sequences_that_stop_early(tmp_path: Path) -> None:
    folders = [tmp_path / "whole", tmp_path / "cut"]
    for folder in folders:
        folder.mkdir()
        write_sequences(folder)
        write_experiment(folder, **SEQUENCES)
    calls = count_calls(folders[0], "tiny.yaml")
    for seed in range(2):
        finish(folders[1], "tiny", "tiny.yaml", cuts=random_cuts(seed, calls))
        assert left(the_run(folders[1])).differences(left(the_run(folders[0]))) == {}
        os.rename(folders[1] / "runs", folders[1] / f"runs{seed}")


def in_short(path: Path) -> tuple[str, ...]:
    """Arguments for six steps of a shipped experiment, most of which have more to evaluate than to train on."""
    text = path.read_text()
    few = () if "forecasting" in text else ("data.split=[0.98, 0.01, 0.01]",)
    sampled: tuple[str, ...] = ()
    if "type: text" in text:
        sampled = ("sample.length=20", "train.sample_every={steps: 5}")
    elif "documents" in text:
        sampled = ("sample.length=5",)
    return (str(path), *SHORT, "threads=1", *few, *sampled)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_shipped_experiment(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (*in_short(path), *with_fewer_data(path, tmp_path))
    monkeypatch.chdir(tmp_path)
    read_experiment(path, list(arguments[1:]))  # what is built once is at hand in all that are forked
    finish(tmp_path, path.stem, *arguments, cuts=[None])
    expected = left(the_run(tmp_path, path.stem))
    os.rename(tmp_path / "runs", tmp_path / "whole")
    assert interrupted_at(tmp_path, 3, signal.SIGTERM, *arguments).code == 143
    assert interrupted_at(tmp_path, 5, signal.SIGKILL, *arguments, "--resume").code == -signal.SIGKILL
    ended = run(tmp_path, *arguments, "--resume")
    assert ended.code == 0, ended.err
    assert left(the_run(tmp_path, path.stem)).differences(expected) == {}


def test_compiled_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("minidl.kernels")
    monkeypatch.setenv("MINIDL_KERNELS", "c")
    write_experiment(tmp_path)
    assert run(tmp_path, "tiny.yaml").code == 0
    expected = left(the_run(tmp_path))
    os.rename(tmp_path / "runs", tmp_path / "whole")
    assert interrupted_at(tmp_path, 13, signal.SIGINT, "tiny.yaml").code == 130
    assert interrupted_at(tmp_path, 26, signal.SIGKILL, "tiny.yaml", "--resume").code == -signal.SIGKILL
    assert run(tmp_path, "tiny.yaml", "--resume").code == 0
    assert left(the_run(tmp_path)).differences(expected) == {}


def test_other_kernels_than_before_are_told(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    folder.describe({"kernels": "c", "versions": {**folder.facts["versions"], "numpy": "1.0"}})
    code, message = resumed(tmp_path, "train.steps=8")
    assert code == 0
    assert "kernels: 'c' before, now 'numpy'; the run goes on, but perhaps not to the bit" in message
    assert "numpy: '1.0' before, now '" in message


# --- what can be resumed, and what is said where it cannot


@pytest.fixture(scope="module")
def finished(tmp_path_factory: Factory) -> Path:
    """Where a finished run of six steps lies."""
    folder = tmp_path_factory.mktemp("finished")
    begun(folder)
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> RunFolder:
    """A copy of that run in a folder of the test's own."""
    shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)
    return the_run(tmp_path)


def begun(folder: Path, **changes: Any) -> RunFolder:
    """A finished run of six steps."""
    write_experiment(folder, **{**QUICK, **changes})
    ended = run(folder, "tiny.yaml")
    assert ended.code == 0, ended.err
    return the_run(folder)


def resumed(folder: Path, *arguments: str) -> tuple[int, str]:
    ended = run(folder, "tiny.yaml", "--resume", *arguments)
    assert "Traceback" not in ended.err
    return ended.code, ended.err


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_no_run_of_that_number_to_resume(tmp_path: Path) -> None:
    """Without a number the run begins: see tests/test_faults_folders.py."""
    write_experiment(tmp_path)
    (tmp_path / "runs" / "tiny" / "001").mkdir(parents=True)
    code, message = resumed(tmp_path, "7")
    assert code == 4
    assert "there is no run 7 of 'tiny' (there are: 1)" in message


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, copied: RunFolder) -> None:
    before = snapshot(copied.checkpoints.path), (copied.path / "metrics.jsonl").read_text()
    code, message = resumed(tmp_path)
    assert code == 0
    assert "001 is finished (step 6): raise train.steps to go on" in message
    assert before == (snapshot(copied.checkpoints.path), (copied.path / "metrics.jsonl").read_text())


def test_a_finished_run_goes_on_where_it_is_given_more_steps(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    code, _ = resumed(tmp_path, "train.steps=9")
    assert code == 0
    assert folder.facts["step"] == 9
    assert folder.facts["resumed"] == [{"step": 6, "changed": {"train.steps": "6 before, now 9"}}]
    assert "steps: 9" in (folder.path / "resolved.yaml").read_text()
    steps = [json.loads(line)["step"] for line in (folder.path / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


def test_fewer_steps_than_were_done_leave_nothing_to_do(tmp_path: Path, copied: RunFolder) -> None:
    before = snapshot(copied.checkpoints.path)
    code, message = resumed(tmp_path, "train.steps=2")
    assert (code, snapshot(copied.checkpoints.path)) == (0, before)
    assert "is finished (step 6)" in message


def test_a_changed_experiment_is_shown_and_refused(tmp_path: Path, copied: RunFolder) -> None:
    before = snapshot(tmp_path / "runs")
    code, message = resumed(tmp_path, "optimizer.clip_norm=2.0", "model.layers.1.units=9", "train.steps=20")
    assert code == 4
    assert "optimizer.clip_norm: 1.0 before, now 2.0" in message
    assert "model.layers.1.units: 8 before, now 9" in message
    assert "train.steps" not in message
    assert "Change it back to resume, or start a new run without --resume." in message
    assert snapshot(tmp_path / "runs") == before


@pytest.mark.parametrize("change", ["log.every={steps: 1}", "sample.length=3", "train.checkpoint_every={minutes: 2}"])
def test_what_does_not_touch_the_mathematics_may_change(tmp_path: Path, change: str, copied: RunFolder) -> None:
    code, message = resumed(tmp_path, change, "train.steps=8")
    assert (code, "going on from" in message) == (0, True), message


def test_how_state_is_carried_may_not_change(tmp_path: Path, copied: RunFolder) -> None:
    code, message = resumed(tmp_path, "train.state=zero", "train.steps=8")
    assert code == 4
    assert "train.state: 'carry' before, now 'zero'" in message


def test_changed_data_are_refused_and_moved_data_are_not(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    text = tmp_path / "text.txt"
    text.rename(tmp_path / "moved.txt")
    code, message = resumed(tmp_path, "data.source=moved.txt", "train.steps=8")
    assert code == 0, message
    before = snapshot(folder.path)
    text.write_text((tmp_path / "moved.txt").read_text().replace("quick", "queer"))
    code, message = resumed(tmp_path, "train.steps=9")
    assert code == 4
    assert "the data is not what this run was trained on; resume with the same data" in message
    assert snapshot(folder.path) == before


def test_a_changed_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    builder = tmp_path / "models" / "network.py"
    source = """from minidl.layers import GRU, Dense, OneHot


def build(ids, vocab_size: int):
    return Dense(vocab_size, name="logits")(GRU(5, name="gru")(OneHot()(ids)))
"""
    builder.write_text(source)
    folder = begun(tmp_path, model={"type": "network"})
    assert (folder.path / "models" / "network.py").read_text() == source
    builder.write_text(source.replace("GRU(5", "GRU(6"))
    code, message = resumed(tmp_path, "train.steps=8")
    assert code == 4
    assert "the code of the model has changed since this run was begun: models/network.py" in message
    assert '-    return Dense(vocab_size, name="logits")(GRU(5, name="gru")(OneHot()(ids)))' in message
    assert "--resume --accept-changes" in message


def edited(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[Path], None]:
    """A change of arrays and meta in a file that is then sealed again."""

    def edit(path: Path) -> None:
        archive = read_archive(path)
        change(archive.arrays, archive.meta)
        write_archive(path, archive.arrays, archive.meta)

    return edit


def set_nan(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda arrays, _meta: arrays[name].fill(np.nan)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_nan("parameters/lstm/Wh"), "lstm/Wh: holds NaN or infinity"),
        (set_nan("optimizer/m"), "its optimizer array m holds NaN or infinity"),
        (set_nan("state/lstm/h"), "its state array lstm/h holds NaN or infinity"),
        (lambda arrays, _: arrays.pop("parameters/lstm/b"), "missing lstm/b (32,)"),
        (lambda arrays, _: arrays.pop("optimizer/v"), "its optimizer (Adam) is not that of this run (Adam)"),
        (lambda arrays, _: arrays.update({"state/other/h": np.zeros(1)}), "it carries other/h"),
        (lambda _, meta: meta["model"].update(vocabulary=None), "the vocabulary is not that of this run"),
        (lambda _, meta: meta["generators"].pop("lstm"), "its random generators are not those of this model"),
        (lambda _, meta: meta["generators"].update(lstm={"state": 1}), "generators.lstm.bit_generator' is missing"),
        (lambda _, meta: meta["progress"].update(step=-1), "'progress.step' should be 0 or more, got -1"),
        (lambda _, meta: meta.pop("progress"), "holds no run that could be resumed (KeyError: 'progress')"),
        (lambda _, meta: meta["callbacks"].update(RunLog={"metrics": "many"}), "holds no run that could be resumed"),
    ],
)
def test_a_checkpoint_that_does_not_fit(tmp_path: Path, change: Any, said: str, copied: RunFolder) -> None:
    for path in copied.checkpoints.files():
        edited(change)(path)
    code, message = resumed(tmp_path, "train.steps=8")
    assert code == 4
    assert said in message
    assert "step-00000006.npz" in message


@pytest.mark.parametrize(
    "bad", [lambda path: path.write_bytes(path.read_bytes()[:-7]), lambda path: path.write_text("")]
)
def test_a_bad_newest_checkpoint_costs_the_steps_since_the_one_before(
    tmp_path: Path, bad: Any, whole: tuple[Left, int]
) -> None:
    write_experiment(tmp_path, train__steps=20)
    assert run(tmp_path, "tiny.yaml").code == 0
    folder = the_run(tmp_path)
    assert [path.name for path in folder.checkpoints.files()[:2]] == ["step-00000020.npz", "step-00000018.npz"]
    bad(folder.checkpoints.path / "step-00000020.npz")
    write_experiment(tmp_path)
    code, message = resumed(tmp_path)
    assert code == 0, message
    assert "step-00000020.npz: " in message
    assert "falling back to the checkpoint before it" in message
    assert "going on from" in message
    assert (folder.checkpoints.path / "step-00000020.npz.bad").exists()
    assert left(folder).differences(whole[0]) == {}


def test_no_good_checkpoint(tmp_path: Path, copied: RunFolder) -> None:
    for path in copied.checkpoints.files():
        path.write_bytes(b"PK")
    before = snapshot(copied.path)
    code, message = resumed(tmp_path, "train.steps=8")
    assert code == 4
    assert "none of its 2 checkpoints can be read; start a new run" in message
    assert snapshot(copied.path) == before


def test_a_run_killed_before_its_first_step_can_be_resumed(tmp_path: Path, whole: tuple[Left, int]) -> None:
    write_experiment(tmp_path)

    assert interrupted_at(tmp_path, 1, signal.SIGKILL, "tiny.yaml").code == -signal.SIGKILL
    assert the_run(tmp_path).state == "interrupted"
    assert resumed(tmp_path)[0] == 0
    assert left(the_run(tmp_path)).differences(whole[0]) == {}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_the_last_step_costs_nothing(tmp_path: Path, number: int, code: int, finished: Path) -> None:
    """The last evaluation is left to `--resume`."""
    write_experiment(tmp_path, **QUICK)
    assert interrupted_at(tmp_path, 6, number, "tiny.yaml").code == code
    assert resumed(tmp_path)[0] == 0
    assert left(the_run(tmp_path)).differences(left(the_run(finished))) == {}


def test_a_timed_run_counts_the_time_before_it_was_cut(tmp_path: Path) -> None:
    train = {"minutes": 10, "checkpoint_every": {"steps": 1}}
    optimizer = {"type": "SGD", "lr": 0.05}
    write_experiment(tmp_path, train=train, optimizer=optimizer, data__split=[1.0, 0.0, 0.0])
    assert interrupted_at(tmp_path, 3, signal.SIGINT, "tiny.yaml").code == 130
    last = the_run(tmp_path).checkpoints.path / "last"
    before = read_archive(last).meta["progress"]
    assert (before["step"], before["done"]) == (3, False)
    assert 0 < before["seconds"] < 600
    edited(lambda _, meta: meta["progress"].update(seconds=599.5))(last.resolve())
    assert resumed(tmp_path)[0] == 0
    after = read_archive(last).meta["progress"]
    assert after["done"]
    assert after["seconds"] > 598
    assert before["step"] <= after["step"] < 10_000


def test_a_second_cut_at_the_same_place(tmp_path: Path, whole: tuple[Left, int]) -> None:
    """A cut in the very first save after a resume, many times over, loses nothing that the one before had."""
    write_experiment(tmp_path)
    calls = whole[1]
    cuts = [Cut([calls // 2], [signal.SIGKILL])] + [Cut([calls // 4], [signal.SIGKILL])] * 3
    finish(tmp_path, "tiny", "tiny.yaml", cuts=[*cuts, None])
    assert left(the_run(tmp_path)).differences(whole[0]) == {}
