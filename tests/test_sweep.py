"""Sweeps: what is searched, that trials are runs as any other, and that nothing is lost whoever is interrupted."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from runs import Child, Ended, launch, write_experiment

from minidl.cli.main import carry_out, main
from minidl.data.batches import Batch
from minidl.experiment.run.callbacks_of_run import Watchers
from minidl.experiment.yaml.document import inline, load, parse
from minidl.experiment.yaml.overrides import apply
from minidl.storage.run_folder import RunFolder, list_runs
from minidl.system.errors import CheckpointError, ExperimentError, StorageError, UsageError
from minidl.training.trainer import Trainer

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'minidl[sweep]'")
from optuna.trial import TrialState

from minidl.experiment.sweep import Search, database, open_study, read_sweep, results, take_part
from minidl.experiment.sweep.journal import Journal
from minidl.experiment.sweep.ranges import Between, OneOf, read_space

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the benchmarks are not installed

from benchmarks import storages  # noqa: E402

RATE, UNITS = "optimizer.lr=log(1e-3, 1)", "model.layers.1.units=choice(4, 8)"
FOUR = [RATE, UNITS, "--trials", "4"]
STEPS, EVALUATIONS = 6, 3
GONE = 1.5  # seconds after which a worker counts as gone, where workers are killed
QUICK: dict[str, Any] = {
    "train": {"steps": STEPS, "evaluate_every": {"steps": 2}, "sample_every": None, "checkpoint_every": {"steps": 2}},
    "optimizer": {"type": "Adam", "lr": 0.01},
}
Row = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a quick experiment."""
    write_experiment(tmp_path, **QUICK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sweep(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[Row]]:
    """The trials of a sweep in this process, as --json shows them."""

    def command(*words: str, code: int = 0) -> list[Row]:
        capsys.readouterr()
        assert main(["sweep", "tiny.yaml", "--json", *words]) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return command


def by_trial(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: int(row["trial"]))


def evaluated(run: str) -> list[float]:
    """The validation losses in the record of a run."""
    lines = Path("runs", run, "metrics.jsonl").read_text().splitlines()
    return [record["val/loss"] for record in map(json.loads, lines) if "val/loss" in record]


# Ranges


def test_ranges_and_the_values_by_which_they_are_checked() -> None:
    space = read_space([RATE, "train.steps=3", "model.layers.1.units=log_int(4, 64)", "a=choice(x, {b: 1}, null)"])
    assert space.ranges == {
        "optimizer.lr": Between(1e-3, 1.0, log=True),
        "model.layers.1.units": Between(4, 64, log=True),
        "a": OneOf(("x", "{b: 1}", "null")),
    }
    assert space.examples() == [
        ["optimizer.lr=0.001", "train.steps=3", "model.layers.1.units=4", "a=x"],
        ["optimizer.lr=1.0", "train.steps=3", "model.layers.1.units=64", "a={b: 1}"],
        ["optimizer.lr=0.001", "train.steps=3", "model.layers.1.units=4", "a=null"],
    ]


@pytest.mark.parametrize("value", [1, 1e-5, "1e-5", "a, b", "", "x: y", None, True, [1, {"a": "#"}], "é\n😀", "..."])
def test_a_choice_reaches_the_experiment_as_it_was_written(value: Any) -> None:
    (found,) = read_space([f"a=choice({json.dumps(value)}, other)"]).ranges.values()
    document = parse("name: x", "x.yaml")
    apply(document, [f"a={found.examples[0]}"])
    assert document.tree["a"] == value
    assert found.examples[0] == inline(value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("a=lgo(1, 2)", "command line:1:3: there is no range 'lgo'; did you mean 'log'?"),
        ("a=interval(1, 2)", "(ranges: choice(64, 128, 256), uniform(0, 0.5), log(1e-4, 1e-2), "),
        ("a=int(1, 2.5)", "command line:1:7: int has two whole numbers"),
        ("a=int(true, 2)", "int has two whole numbers"),
        ("a=uniform(1, 2, 3)", "uniform has two numbers, the least and the largest"),
        ("a=uniform(0, .inf)", "uniform has two numbers"),
        ("a=uniform(2, 1)", "2.0 should be less than 1.0"),
        ("a=int(3, 3)", "3 should be less than 3"),
        ("a=log(0, 1)", "there is no logarithm of 0.0"),
        ("a=log_int(0, 8)", "there is no logarithm of 0"),
        ("a=choice(1)", "between values that differ"),
        ("a=choice(1, 0x1)", "between values that differ"),
        ("a=choice()", "between values that differ"),
        ("a=choice([1, 2)", "command line:1:9: this bracket is never closed"),
    ],
)
def test_a_wrong_range_is_shown_where_it_is_wrong(change: str, says: str) -> None:
    with pytest.raises(ExperimentError) as found:
        read_space([change])
    assert says in str(found.value)
    assert change in str(found.value)


def test_all_wrong_ranges_are_shown_at_once() -> None:
    with pytest.raises(ExperimentError, match=r"(?s)command line:1:7.*command line:3:7"):
        read_space(["a=log(0, 1)", "b=3", "c=log(0, 1)"])


@pytest.mark.parametrize("changes", [[RATE, "optimizer.lr=1"], [RATE, "optimizer.lr=log(1, 2)"]])
def test_a_value_has_one_range(changes: list[str]) -> None:
    with pytest.raises(UsageError, match=r"optimizer\.lr is given 2 times"):
        read_space(changes)


# Trials


def test_trials_are_runs_and_the_best_comes_first(sweep: Callable[..., list[Row]]) -> None:
    rows = sweep(RATE, UNITS, "--trials", "5", "seed=7")
    losses = [row["best_val_loss"] for row in rows]
    assert losses == sorted(losses)
    assert len(set(losses)) == 5
    assert [row["run"] for row in by_trial(rows)] == [f"tiny/00{number}" for number in range(1, 6)]
    for row in rows:
        assert row["state"] == "done"
        assert len(evaluated(row["run"])) == EVALUATIONS
        assert min(evaluated(row["run"])) == row["best_val_loss"]
        settings = load(Path("runs", row["run"], "resolved.yaml")).tree
        assert settings["optimizer"]["lr"] == row["optimizer.lr"]
        assert settings["model"]["layers"][1]["units"] == row["model.layers.1.units"]
        assert settings["seed"] == 7
        assert 1e-3 <= row["optimizer.lr"] <= 1
    assert {row["model.layers.1.units"] for row in rows} == {4, 8}


def test_the_seed_decides_and_so_does_nothing_else(sweep: Callable[..., list[Row]]) -> None:
    """Eleven trials, of which the last is chosen by those before; begun again in between; in another folder."""
    sweep(RATE, UNITS, "--trials", "3")
    first = sweep(RATE, UNITS, "--trials", "11")
    again = sweep(UNITS, RATE.replace(" ", ""), "--trials", "11", "--runs", "others")
    assert [{**row, "run": ""} for row in again] == [{**row, "run": ""} for row in first]
    other = sweep(RATE, UNITS, "--trials", "2", "--seed", "1")
    assert {row["optimizer.lr"] for row in other}.isdisjoint({row["optimizer.lr"] for row in first})


def test_a_sweep_that_is_finished_stays_as_it_is(sweep: Callable[..., list[Row]]) -> None:
    rows = sweep(RATE, "--trials", "2")
    assert sweep(RATE, "--trials", "2") == rows
    assert sweep(RATE, "--trials", "1") == rows
    assert len(list_runs(Path("runs/tiny"))) == 2


@pytest.mark.parametrize(
    "words", [["optimizer.lr=log(1e-3, 2)"], [RATE, "seed=1"], [RATE, "--seed", "1"], [RATE, UNITS]]
)
def test_another_experiment_or_range_or_seed_is_another_sweep(
    sweep: Callable[..., list[Row]], words: list[str]
) -> None:
    sweep(RATE, "--trials", "1")
    assert len(sweep(*words, "--trials", "1")) == 1
    assert len(list(Path("runs/tiny").glob("sweep-*.journal"))) == 2


def test_other_data_is_another_sweep(sweep: Callable[..., list[Row]], folder: Path) -> None:
    sweep(RATE, "--trials", "1")
    (folder / "text.txt").write_text("to be or not to be, that is the question. " * 20)
    assert [row["run"] for row in sweep(RATE, "--trials", "1")] == ["tiny/002"]


@pytest.mark.parametrize("file", ["tiny.yaml", "text.txt"])
def test_trials_of_a_file_that_changes_meanwhile_are_not_compared(file: str, folder: Path) -> None:
    sweep = read_sweep(Path("tiny.yaml"), [RATE], Path("runs"), seed=0)
    with open_study(sweep, Search(sweep.space)) as journal:

        def change(trial: int) -> Watchers:
            if trial == 1:
                (folder / file).write_text((folder / file).read_text().replace("o", "0", 1))
            return lambda _: []

        with pytest.raises(CheckpointError, match="has changed since this sweep was begun"):
            take_part(sweep, journal, 3, change)
        assert [result.state for result in results(journal.trials())] == ["done", "interrupted"]


def test_a_trial_that_diverges_does_not_end_the_sweep(sweep: Callable[..., list[Row]]) -> None:
    rows = sweep("optimizer=choice({type: SGD, lr: 0.1}, {type: SGD, lr: 1e200})", "--trials", "4")
    states = [row["state"] for row in rows]
    assert states == ["done", "failed"]
    assert "error" not in rows[0]
    assert "first bad array" in rows[1]["error"]
    assert RunFolder(Path("runs", rows[1]["run"])).state == "failed"


def test_where_every_trial_fails_the_command_does(sweep: Callable[..., list[Row]]) -> None:
    rows = sweep("optimizer=choice({type: SGD, lr: 1e201}, {type: SGD, lr: 1e200})", "--trials", "2", code=5)
    assert [row["state"] for row in rows] == ["failed", "failed"]


def test_trials_that_are_worse_than_the_median_end_early(sweep: Callable[..., list[Row]]) -> None:
    """Where they may, and the runs can be gone on with."""
    words = ["optimizer.lr=log(1e-5, 1)", "--trials", "9"]
    rows = sweep(*words)
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert pruned
    for row in pruned:
        losses = evaluated(row["run"])
        assert 1 < len(losses) < EVALUATIONS
        assert RunFolder(Path("runs", row["run"])).state == "pruned"
        others = [evaluated(other["run"])[len(losses) - 1] for other in rows if _done_before(other, row)]
        assert len(others) >= 5
        assert min(losses) > statistics.median(others)
    assert main(["run", "tiny.yaml", f"optimizer.lr={row['optimizer.lr']}", "--resume", row["run"][-3:]]) == 0
    assert len(evaluated(row["run"])) == EVALUATIONS
    assert {row["state"] for row in sweep(*words, "--no-prune", "--runs", "others")} == {"done"}


def _done_before(other: Row, row: Row) -> bool:
    return bool(other["state"] == "done" and other["trial"] < row["trial"])


def test_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "tiny.yaml", RATE, "name=it", "--trials", "2"]) == 0
    said = capsys.readouterr()
    head, first, second, _, again = said.out.splitlines()
    assert head.split() == ["trial", "run", "state", "best", "val", "loss", "optimizer.lr"]
    assert {first.split()[1], second.split()[1]} == {"it/001", "it/002"}
    assert said.err.count("minidl: trial ") == 2
    assert "step" not in said.err
    words = again.removeprefix("the best again: ").split()
    assert main([*words[1:], "--runs", "others"]) == 0
    best = min(evaluated("it/001") + evaluated("it/002"))
    assert RunFolder(Path("others/it/001")).facts["best"] == best


def test_a_terminal_shows_a_bar_and_no_samples(folder: Path) -> None:
    write_experiment(folder, **{**QUICK, "train": {**QUICK["train"], "sample_every": {"steps": 2}}})
    terminal, other_end = os.openpty()
    process = start(folder, RATE, "--trials", "1", stderr=other_end)
    os.close(other_end)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(terminal, 4096):
            shown += piece
    out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert b"trial 0" in shown
    assert f"{STEPS}/{STEPS}".encode() in shown
    assert len(out.splitlines()) == 4
    assert (folder / "runs/tiny/001/samples.txt").exists()


# Several processes, and their ends


def interrupted(folder: Path, number: int, words: Sequence[str], *, run: int, step: int) -> Ended:
    """A sweep that gets a signal right after a step of one of its runs."""

    def work() -> int:
        update = Trainer.update

        def update_and_signal(self: Trainer, batch: Batch) -> None:
            update(self, batch)
            if self.progress.step == step and len(list_runs(Path("runs/tiny"))) == run:
                os.kill(os.getpid(), number)

        Trainer.update = update_and_signal  # type: ignore[method-assign]  # in the child only
        return carry_out("sweep", ["tiny.yaml", *words], "minidl sweep")

    return launch(folder, work).wait()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The trials of a sweep that nobody interrupts."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    write_experiment(folder, **QUICK)
    ended = launch(folder, lambda: carry_out("sweep", ["tiny.yaml", *FOUR, "--json"], "minidl sweep")).wait()
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
@pytest.mark.parametrize("step", [1, 5])
def test_an_interrupted_sweep_goes_on_to_the_bit(
    number: int, code: int, step: int, folder: Path, sweep: Callable[..., list[Row]], uninterrupted: list[Row]
) -> None:
    ended = interrupted(folder, number, FOUR, run=2, step=step)
    assert ended.code == code
    assert "Traceback" not in ended.err
    if code > 0:
        assert [line.split()[2] for line in ended.out.splitlines()[1:3]] == ["done", "interrupted"]
        assert "the same command goes on with runs/tiny/sweep-" in ended.err
    rows = sweep(*FOUR)
    assert [row["run"] for row in by_trial(rows)] == ["tiny/001", "tiny/002", "tiny/003", "tiny/004"]
    assert "resumed" in RunFolder(Path("runs/tiny/002")).facts
    assert rows == uninterrupted


def fork(folder: Path, name: str, *words: str) -> Child:
    """As `start`, in a process that has all imported; what it says lies in a folder of this name."""

    def work() -> int:
        os.chdir(folder)
        return carry_out("sweep", ["tiny.yaml", *words], "minidl sweep")

    (folder / name).mkdir()
    return launch(folder / name, work)


def start(folder: Path, *words: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """`minidl sweep` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MINIDL_KERNELS": "numpy"}
    command = [sys.executable, "-m", "minidl", "sweep", "tiny.yaml", *words]
    out = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=stderr, text=True)


def test_who_comes_later_takes_part(folder: Path) -> None:
    """Exactly as many trials as were asked for, each by one of them."""
    words = [RATE, UNITS, "--trials", "8", "--json"]
    ended = [process.wait() for process in [fork(folder, name, *words) for name in ("one", "other")]]
    assert [each.code for each in ended] == [0, 0], ended
    rows = [json.loads(line) for line in max((each.out for each in ended), key=len).splitlines()]
    assert sorted(row["trial"] for row in rows) == list(range(8))
    assert len({row["run"] for row in rows}) == len(list_runs(folder / "runs/tiny")) == 8
    assert sum(each.err.count("minidl: trial ") for each in ended) == 8


def test_jobs(folder: Path) -> None:
    ended = start(folder, RATE, "--trials", "4", "--jobs", "2", "--json")
    out, errors = ended.communicate(timeout=120)
    assert ended.returncode == 0, errors
    rows = [json.loads(line) for line in out.splitlines()]
    assert sorted(row["trial"] for row in rows) == [0, 1, 2, 3]
    assert {row["state"] for row in rows} <= {"done", "pruned"}
    assert errors.count("minidl: trial ") == 4


@pytest.fixture
def endless(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Two jobs at work on runs that would take very long."""
    write_experiment(folder, **{**QUICK, "train": {**QUICK["train"], "steps": 10**7, "evaluate_every": {"steps": 200}}})
    process = start(folder, RATE, "--trials", "4", "--jobs", "2")
    wait_until(lambda: [bool(run.checkpoints.files()) for run in list_runs(folder / "runs/tiny")] == [True] * 2)
    yield process
    process.kill()
    process.communicate()


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it takes too long")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_jobs_which_save_what_they_have(
    number: int, code: int, endless: subprocess.Popen[str], folder: Path
) -> None:
    endless.send_signal(number)
    out, errors = endless.communicate(timeout=60)
    assert endless.returncode == code, errors
    assert "Traceback" not in errors
    assert [line.split()[2] for line in out.splitlines()[1:3]] == ["interrupted"] * 2
    runs = list_runs(folder / "runs/tiny")
    assert [run.state for run in runs] == ["interrupted"] * 2
    assert all(run.checkpoints.files() for run in runs)


@pytest.mark.parametrize("sampler", ["tpe", "grid", "random"])
def test_what_was_tried_is_not_run_again(
    sampler: str, sweep: Callable[..., list[Row]], caplog: pytest.LogCaptureFixture
) -> None:
    """The sweep ends when all has been tried, and says so; what comes to the same values takes their result."""
    caplog.set_level(logging.INFO, "minidl")
    words = [UNITS, "train.steps=int(5, 6)", "--sampler", sampler, "--trials", "50"]
    rows = sweep(*words)
    values = {(row["model.layers.1.units"], row["train.steps"]): (row["run"], row["best_val_loss"]) for row in rows}
    assert set(values) == {(4, 5), (4, 6), (8, 5), (8, 6)}
    assert "all 4 combinations of values have been tried" in caplog.text
    assert len(list_runs(Path("runs/tiny"))) == len(set(values.values())) == 4
    assert {(row["run"], row["best_val_loss"]) for row in rows} == set(values.values())
    if sampler == "grid":
        assert len(rows) == 4
    assert sweep(*words) == rows


def test_several_seeds_a_trial(sweep: Callable[..., list[Row]], folder: Path) -> None:
    """The mean of the best losses counts; interrupted between two seeds, it goes on with the second; another sweep."""
    words = [RATE, "--seeds", "2", "seed=5"]
    ended = interrupted(folder, signal.SIGTERM, [*words, "--trials", "2"], run=2, step=3)
    assert ended.code == 143
    rows = sweep(*words, "--trials", "2")
    for row in rows:
        assert [load(Path("runs", run, "resolved.yaml")).tree["seed"] for run in row["runs"]] == [5, 6]
        assert row["run"] == row["runs"][0]
        assert row["best_val_loss"] == pytest.approx(statistics.mean(min(evaluated(run)) for run in row["runs"]))
    assert len(list_runs(Path("runs/tiny"))) == 4
    assert rows == sweep(*words, "--trials", "2", "--runs", "others")
    first, *_ = sweep(RATE, "seed=5", "--trials", "1")
    assert first["best_val_loss"] == min(evaluated(by_trial(rows)[0]["run"]))
    sweep("seed=int(1, 5)", "--trials", "1", "--seeds", "2", code=2)


def test_trials_of_several_seeds_are_pruned_by_the_first(sweep: Callable[..., list[Row]]) -> None:
    rows = sweep("optimizer.lr=log(1e-5, 1)", "--trials", "9", "--seeds", "2")
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert pruned
    assert all("runs" not in row and len(evaluated(row["run"])) < EVALUATIONS for row in pruned)
    assert all(len(row["runs"]) == 2 for row in rows if row["state"] == "done")


def test_searches_by_name(sweep: Callable[..., list[Row]], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cmaes")
    found = {name: sweep(RATE, "--trials", "2", "--sampler", name, "--runs", name) for name in ("random", "cmaes")}
    assert all(row["state"] == "done" for rows in found.values() for row in rows)
    assert len(sweep(RATE, "--trials", "9", "--timeout", "1e-9", "--runs", "none")) == 0
    assert len(sweep(RATE, "--trials", "3", "--pruner", "hyperband", "--runs", "pruned")) == 3
    for words, says in [
        ([RATE, "--sampler", "grid"], "needs ranges that are choice(...) or int(...)"),
        ([RATE, "--timeout", "nan"], "--timeout should be above 0, got nan"),
        ([RATE, "--storage", "sweeps.db"], "--storage is a URL"),
        ([RATE, "--storage", "grpc://somewhere"], "grpc://HOST:PORT"),
        ([RATE, "--storage", "nosuch://me:secret@there/x"], "nosuch"),
    ]:
        assert main(["sweep", "tiny.yaml", *words, "--trials", "1"]) == 2
        said = capsys.readouterr().err
        assert says in said
        assert "secret" not in said


def test_trials_of_jobs_that_are_killed_are_put_back(endless: subprocess.Popen[str], folder: Path) -> None:
    """By the first process, which ends when they have ended."""
    children = Path(f"/proc/{endless.pid}/task/{endless.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    out, errors = endless.communicate(timeout=60)
    assert endless.returncode == 143, errors
    assert [line.split()[2] for line in out.splitlines()[1:3]] == ["interrupted"] * 2


def test_jobs_end_where_the_first_process_is_killed(endless: subprocess.Popen[str], folder: Path) -> None:
    endless.kill()
    wait_until(lambda: [run.facts["state"] for run in list_runs(folder / "runs/tiny")] == ["interrupted"] * 2)


# The journal


def journal() -> Path:
    (path,) = Path("runs/tiny").glob("sweep-*.journal")
    return path


def test_a_line_that_was_torn_is_cut_off(sweep: Callable[..., list[Row]]) -> None:
    rows = sweep(RATE, "--trials", "2")
    whole = journal().read_bytes()
    journal().write_bytes(whole + b'{"op_code":4,"wor')
    assert sweep(RATE, "--trials", "2") == rows
    assert journal().read_bytes() == whole
    assert len(sweep(RATE, "--trials", "3")) == 3


def test_a_line_that_was_torn_while_another_process_goes_on_is_cut_off(tmp_path: Path) -> None:
    """The disk takes half a line of one, or it is killed there: the other appends whole lines."""
    path, torn = tmp_path / "sweep.journal", b'{"op_code":4,"wor'
    search = Search(read_space(["x=uniform(0, 1)"]))
    with Journal(path, search) as one, Journal(path, search) as other:
        for number in range(4):
            trial = (one, other)[number % 2].ask(9, lambda trial: trial.suggest_float("x", 0, 1))
            assert trial is not None
            assert trial.number == number
            with path.open("ab") as file:
                file.write(torn)
            (one, other)[number % 2].tell(trial, TrialState.COMPLETE, float(number))
            with path.open("ab") as file:
                file.write(torn)
    with Journal(path, search) as last:
        assert [trial.value for trial in last.trials()] == [0, 1, 2, 3]
        assert torn + b"{" not in path.read_bytes()


@pytest.mark.parametrize("drawn", range(4))
def test_a_sweep_killed_while_it_draws_draws_the_same(tmp_path: Path, drawn: int) -> None:
    search = Search(read_space([f"{name}=uniform(0, 1)" for name in "abcd"]))

    def draw(trial: Any, names: str) -> None:
        for name in names:
            trial.suggest_float(name, 0, 1)
        if names != "abcd":
            raise InterruptedError

    with Journal(tmp_path / "whole.journal", search) as whole:
        expected = whole.ask(1, lambda trial: draw(trial, "abcd"))
    with Journal(tmp_path / "cut.journal", search) as cut, contextlib.suppress(InterruptedError, StorageError):
        cut.ask(1, lambda trial: draw(trial, "abcd"[:drawn]))
    with Journal(tmp_path / "cut.journal", search) as again:
        found = again.ask(1, lambda trial: draw(trial, "abcd"))
    assert expected is not None
    assert found is not None
    assert found.params == expected.params


@pytest.mark.parametrize("damage", [b"no journal\n", b'{"op_code":4}\n', b"[]\n", b"\xff\xfe\n"])
def test_a_damaged_journal_is_said_to_be_one(
    damage: bytes, sweep: Callable[..., list[Row]], capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(RATE, "--trials", "1")
    lines = journal().read_bytes().splitlines(keepends=True)
    journal().write_bytes(lines[0] + damage + b"".join(lines[1:]))
    assert main(["sweep", "tiny.yaml", RATE, "--trials", "2"]) == 4
    said = capsys.readouterr().err
    assert "holds no sweep that could go on" in said
    assert "delete it to begin anew, the runs are kept" in said
    open_files = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert str(journal().resolve()) not in open_files


# Usage


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([RATE], 2, "required: --trials"),
        (["--trials", "3"], 2, "a sweep needs a range to search: write one for a value, as in 'optimizer.lr=log(1e-4"),
        ([RATE, "--trials", "0"], 2, "--trials should be 1 or more, got 0"),
        ([RATE, "--trials", "1", "--jobs", "0"], 2, "--jobs should be 1 or more, got 0"),
        ([RATE, "--trials", "1", "--job", "2"], 2, "no option '--job'; did you mean '--jobs'?"),
        (["optimizer.lr=uniform(-1, 1)", "--trials", "1"], 2, "command line:1:11: 'lr' should be 0 or more, got -1.0"),
        (["optimizer.rl=uniform(0, 1)", "--trials", "1"], 2, "command line:1:11: unknown name 'rl'"),
        (
            ["model.layers.1.units=choice(4, many)", "--trials", "1"],
            2,
            "command line:1:16: 'units' should be a whole number",
        ),
        (["data.batch_size=int(2, 900)", "--trials", "1"], 3, "too few for 900 streams"),
        (
            [RATE, "train.evaluate_every=null", "train.early_stop=null", "--trials", "1"],
            2,
            "it needs train.evaluate_every",
        ),
        ([RATE, "data.split=[1, 0, 0]", "--trials", "1"], 2, "and a part for validation"),
        ([RATE, "--trials", "1", "--runs", "text.txt"], 74, "text.txt/tiny"),
    ],
)
def test_what_cannot_be_searched(
    words: list[str], code: int, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "tiny.yaml", *words]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not Path("runs").exists()


def test_without_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.startswith(("optuna", "minidl.experiment.sweep"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)  # importing it fails as where it is not installed
    assert main(["sweep", "tiny.yaml", RATE, "--trials", "1"]) == 2
    assert capsys.readouterr().err == "minidl sweep: a sweep needs optuna: pip install 'minidl[sweep]'\n"


# --- kept elsewhere


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a server that was begun for these tests, reached through a socket."""
    for name in ("psycopg", "sqlalchemy.orm", "alembic.command"):  # a child has to find them imported
        pytest.importorskip(name, reason="psycopg is not installed: pip install 'minidl[cluster]'")
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(storages.postgresql())
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield url


@pytest.fixture
def grpc() -> Iterator[str]:
    """The URL of a server of Optuna, before a database in memory."""
    pytest.importorskip("grpc", reason="grpcio is not installed")
    with storages.grpc() as url:
        yield url


@pytest.mark.parametrize("kept", ["postgresql", "grpc"])
def test_workers_killed_at_random(kept: str, folder: Path, request: pytest.FixtureRequest) -> None:
    """The long form is tests/long_sweeps.py."""
    survive_kills(folder, request.getfixturevalue(kept), kills=2, trials=3)


def survive_kills(folder: Path, url: str, kills: int, trials: int) -> None:
    """Workers are killed at random and others begun: each trial comes to its end once, with the loss it always has."""
    rng, places = random.Random(kills), itertools.count()
    rates = "optimizer.lr=log(1e-4, 1e-2)"  # of no other sweep in the same database
    words = ["tiny.yaml", rates, "--sampler", "random", "--no-prune", f"--trials={trials}", "--json"]
    whole = launch(folder, lambda: carry_out("sweep", [*words, "--runs", "whole"], "minidl sweep")).wait()
    assert whole.code == 0, whole.err

    def work() -> int:
        database.BEAT, database.GONE = 0.2, GONE
        return carry_out("sweep", [*words, "--runs", str(folder / "runs"), "--storage", url], "minidl sweep")

    def worker() -> Child:
        own = folder / f"worker{next(places)}"  # where it writes what it says
        own.mkdir()
        write_experiment(own, **QUICK)
        return launch(own, work)

    workers, ended = [worker(), worker()], []
    for place in range(kills):
        time.sleep(rng.uniform(0.2, 1.0))
        os.kill(workers[place % 2].pid, signal.SIGKILL)
        ended.append(workers[place % 2].wait())
        killed = time.monotonic()
        workers[place % 2] = worker()
    ended += [each.wait() for each in workers]
    time.sleep(max(0.0, killed + 2 * GONE - time.monotonic()))  # what the last one killed had begun may be taken now
    last = worker().wait()
    assert last.code == 0, last.err
    expected, found = ([json.loads(line) for line in one.out.splitlines()] for one in (whole, last))
    assert [{**row, "run": ""} for row in by_trial(found)] == [{**row, "run": ""} for row in by_trial(expected)]
    assert len({row["run"] for row in found}) == trials
    done = [run for run in list_runs(folder / "runs/tiny") if run.facts["state"] == "done"]
    assert len(done) == trials, "a trial ran twice to its end"
    told = [line.split()[2] for one in (*ended, last) for line in one.err.splitlines() if " done, " in line]
    assert len(told) == len(set(told))


@pytest.mark.parametrize("kept", ["sqlite:///sweeps.db", "journal:///{folder}/shared.journal", "postgresql", "grpc"])
def test_the_same_line_joins_a_sweep_that_is_kept_elsewhere(
    kept: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    """Each with a runs folder of its own, as on machines that share no disk."""
    url = kept.format(folder=folder) if ":" in kept else request.getfixturevalue(kept)
    words = [RATE, "--trials", "6", "--json", "--storage", url]
    both = [fork(folder, name, *words, "--runs", name) for name in ("one", "other")]
    ended = [process.wait() for process in both]
    assert [each.code for each in ended] == [0, 0], ended
    rows = [json.loads(line) for line in max((each.out for each in ended), key=len).splitlines()]
    assert sorted(row["trial"] for row in rows) == list(range(6))
    assert len(list_runs(folder / "one/tiny")) + len(list_runs(folder / "other/tiny")) == 6
    assert sum(each.err.count("minidl: trial ") for each in ended) == 6


def test_a_trial_without_a_sign_of_life_is_put_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes back after that neither tells nor puts back what is another's by then."""
    sweep = read_sweep(Path("tiny.yaml"), [RATE], Path("runs"), seed=0)
    draw = sweep.space.ranges["optimizer.lr"].draw
    with (
        open_study(sweep, Search(sweep.space), "sqlite:///sweeps.db") as lost,
        open_study(sweep, Search(sweep.space), "sqlite:///sweeps.db") as found,
    ):
        trial = lost.ask(1, lambda trial: draw(trial, "optimizer.lr"))
        assert found.ask(1, lambda trial: draw(trial, "optimizer.lr")) is None
        monkeypatch.setattr(database, "BEAT", 0.0)
        monkeypatch.setattr(database, "GONE", -1.0)
        again = found.ask(1, lambda trial: draw(trial, "optimizer.lr"))
        monkeypatch.undo()
        assert trial is not None
        assert again is not None
        assert (again.number, again.params) == (trial.number, trial.params)
        assert lost.report(trial, [3.0])
        lost.tell(trial, TrialState.COMPLETE, 3.0)
        lost.put_back(trial)
        assert not found.report(again, [2.0])
        found.tell(again, TrialState.COMPLETE, 2.0)
        assert [(result.state, result.loss) for result in results(lost.trials())] == [("done", 2.0)]


def test_what_was_asked_for_beyond_the_number_is_no_result(folder: Path) -> None:
    """Two processes may ask at once; what was too much is left for a larger sweep."""
    sweep = read_sweep(Path("tiny.yaml"), [RATE], Path("runs"), seed=0)
    draw = sweep.space.ranges["optimizer.lr"].draw
    with open_study(sweep, Search(sweep.space), "sqlite:///sweeps.db") as study:
        study.ask(2, lambda trial: draw(trial, "optimizer.lr"))
        study.ask(2, lambda trial: draw(trial, "optimizer.lr"))
        assert study.ask(3, lambda trial: draw(trial, "optimizer.lr")) is not None
        assert len(results(study.trials(), 2)) == 2
        assert len(results(study.trials(), 3)) == 3
