"""The benchmarks on tiny work: every installed peer computes the same numbers, and the tables say what was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the benchmarks are not installed

from benchmarks import __main__ as command_line  # noqa: E402
from benchmarks import agreement, contestants, footprint, gemm, harness, report, scaling, start  # noqa: E402
from benchmarks.contestants import Contestant  # noqa: E402
from benchmarks.harness import Measurement, PeerFailed, Result, Slice  # noqa: E402
from benchmarks.peers.notebook_peer import class_source  # noqa: E402
from benchmarks.workloads import WORKLOADS, Workload  # noqa: E402

TINY = Workload("tiny", "one-hot, two layers, mean", 3, 6, 8, 11, layers=2)
WORDS = Workload("words", "embedding, sum", 2, 5, 6, 30, embedding=4, reduction="sum", clip_value=0.1)
INFERENCE = Workload("inference", "two layers, windows", 3, 5, 6, 9, layers=2, use="inference")
SAMPLING = Workload("sampling", "one stream", 1, 1, 6, 9, use="sampling")


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "SLICE", 0.005)
    monkeypatch.setattr(harness, "ROUNDS", 3)


PEERS = {TINY: ["torch", "jax"], WORDS: ["keras"], SAMPLING: contestants.OTHERS, INFERENCE: ["onnxruntime"]}


@pytest.mark.parametrize("workload", PEERS, ids=lambda workload: str(workload.name))
def test_all_installed_peers_compute_the_same(workload: Workload) -> None:
    """`measure` itself refuses peers whose losses differ; every setting of a peer takes part."""
    who = contestants.contestants(workload, PEERS[workload], None)
    measured = harness.measure(workload, 1, who, seconds=0)
    assert [result.contestant for result in measured.results] == who
    assert {"minidl-numpy", "gemm"} <= {contestant.peer for contestant in who}
    assert 0 <= measured.difference <= agreement.TOLERANCE
    assert all(len(result.slices) == 3 and result.seconds > 0 and result.memory > 10 for result in measured.results)


def test_a_peer_that_does_not_start_is_named(tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.txt"
    notebook.write_text("# Another heading\n")
    who = [Contestant("minidl-numpy"), Contestant("notebook")]
    with pytest.raises(PeerFailed, match="notebook: ValueError: the notebook has no code cell"):
        harness.measure(replace(WORKLOADS["W1"], steps=2), 1, who, seconds=0, notebook=notebook)


def test_a_peer_that_ends_is_named() -> None:
    with harness.Process(Contestant("minidl-numpy"), 1) as process:
        process.process.terminate()
        process.process.wait()
        with pytest.raises(PeerFailed, match="minidl-numpy"):
            process.ask("memory")


def test_the_notebook_class_is_the_first_cell_under_its_heading() -> None:
    text = "In [1]:\nold\n\n# Versión original\n\nIn [24]:\nclass LSTM:\n    x = 1\n\nIn [25]:\nLSTM()\n"
    assert class_source(text) == "class LSTM:\n    x = 1\n"


def test_the_notebook_takes_part_where_it_can() -> None:
    def has_notebook(name: str, path: Path | None = Path("notebook.txt")) -> bool:
        return Contestant("notebook") in contestants.contestants(WORKLOADS[name], ["notebook"], path)

    assert has_notebook("W1")
    assert not has_notebook("W1", None)
    assert not any(has_notebook(name) for name in WORKLOADS if name != "W1")


@pytest.mark.parametrize("wrong", [2.001, float("nan")])
def test_losses_that_differ_are_refused(wrong: float) -> None:
    losses = {Contestant("minidl-numpy"): [3.0, 2.0], Contestant("torch", "fused"): [3.0, wrong]}
    with pytest.raises(agreement.Disagreement, match=r"step 2: minidl-numpy has the loss 2, torch \(fused\)"):
        agreement.check(losses)


def test_batches_are_windows_that_follow_one_another() -> None:
    (x, y), (following, _), *_ = start.batches(TINY)
    assert x.shape == y.shape == (6, 3)
    assert (x[1:] == y[:-1]).all()
    assert (y[-1] == following[0]).all()


def test_products_of_a_workload() -> None:
    B, T, H, V = TINY.batch, TINY.steps, TINY.units, TINY.symbols
    recurrent, between, logits = 3 * 2 * T * B * H * 4 * H, 3 * 2 * T * B * H * 4 * H, 3 * 2 * T * B * H * V
    assert sum(product.flops for product in gemm.products(TINY)) == 2 * recurrent + between + logits
    embedded = {product.name: product for product in gemm.products(WORDS)}
    assert embedded["lstm_0 input x W"][1:4] == (10, 4, 24)
    few = {product.name: product for product in gemm.products(replace(WORDS, symbols=7))}
    assert few["lstm_0 input x W"].m == 7, "each symbol's row is multiplied once"
    assert [product.name for product in gemm.products(SAMPLING)] == ["lstm_0 h Wh", "logits x W"]


def test_prepared_products_have_their_shapes() -> None:
    for product in gemm.products(WORDS):
        calls = gemm.prepared(product, np.random.default_rng(0))
        assert len(calls) == product.times
        assert calls[0]().shape == (product.m, product.n)


def results(**milliseconds: float) -> list[Result]:
    """A result for each peer: three slices of steps that take so long."""
    return [
        Result(Contestant(*name.split("__")), 100.0, [Slice(ms / 1000, ms / 1000)] * 3)
        for name, ms in milliseconds.items()
    ]


def test_speed_table_shows_the_best_setting_of_each_peer() -> None:
    measured = Measurement(TINY, 1, 1e-7, results(**{"minidl-numpy": 2.0}, torch__slow=8.0, torch__fast=5.0, gemm=1.0))
    lines = report.speed_table([measured]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in cells}) == 1
    assert cells[0] == list(report.SPEED)
    assert [row[2] for row in cells[2:]] == ["minidl-numpy", "torch (fast)", "its matrix products alone"]
    torch = dict(zip(cells[0], cells[3], strict=True))
    assert torch["1000 tokens/s"] == "3.6"  # 18 tokens in 5 ms
    assert torch["products"] == "20%"
    assert torch["minidl-numpy is"] == "2.50 x"
    assert torch["minidl-c is"] == ""
    assert "Peers on 1 thread had 100% of their cores." in report.notes([measured])


def test_summary_compares_the_fastest_of_each() -> None:
    own = {"minidl-numpy": 4.0, "minidl-c": 2.0}
    measured = Measurement(TINY, 2, 1e-7, results(**own, torch__slow=8.0, torch__fast=5.0, jax=3.0, gemm=1.0))
    lines = report.summary([measured]).splitlines()
    header, row = ([cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], lines[2]))
    shown = dict(zip(header, row, strict=True))
    assert (shown["1000 tokens/s"], shown["x torch"], shown["x jax"]) == ("9", "2.50", "1.50")
    assert (shown["products"], shown["NumPy alone, x torch"]) == ("50%", "1.25")


def test_ratios_pair_neighbouring_slices() -> None:
    """A moment that is ten times as slow for everybody does not change the ratio."""
    quick = Result(Contestant("a"), 1.0, [Slice(t, t) for t in (1.0, 10.0, 10.0)])
    slow = Result(Contestant("b"), 1.0, [Slice(t, t) for t in (2.0, 2.0, 20.0)])
    assert slow.slower_than(quick) == 2.0


def test_dependencies_leave_extras_out() -> None:
    needed = footprint.dependencies("hypothesis")
    assert {"hypothesis", "sortedcontainers"} <= needed
    assert "numpy" not in needed  # an extra of hypothesis
    assert footprint.size_on_disk("hypothesis") > 1


def test_scaling_changes_one_size_at_a_time() -> None:
    for axis in scaling.AXES.values():
        workloads = scaling.vary(axis)
        assert [getattr(workload, axis.field) for workload in workloads] == list(axis.values)
        as_it_was: dict[str, Any] = {"name": axis.base.name, axis.field: getattr(axis.base, axis.field)}
        assert all(replace(workload, **as_it_was) == axis.base for workload in workloads)


def test_scaling_is_tabulated_and_plotted(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    curves = {"minidl-numpy": [1.0, 2.0, 3.0, 4.0], "gemm": [0.5, 1.0, 1.5, 2.25]}
    table = scaling.curve_table(scaling.AXES["layers"], curves)
    assert table.splitlines()[-1] == "| 4 | 4 | 2.25 |"
    scaling.plot({"layers": curves}, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line in the project's folder."""
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_command_line_prints_a_table_and_writes_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, for short slices; those of the peers are real."""
    command = ["--workloads", "W1", "--threads", "1", "--peers", "", "--seconds", "0", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["benchmarks", *command])
    command_line.main()
    shown = capsys.readouterr().out
    assert "| W1 one stream | 1 | minidl-numpy |" in shown
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8") == shown
    data = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert data["machine"]["cores"] == os.cpu_count()
    assert "numpy" in {one["framework"] for one in data["footprints"]}
    (measured,) = data["measurements"]
    assert measured["workload"]["name"] == "W1"
    assert {one["peer"] for one in measured["results"]} >= {"minidl-numpy", "gemm"}
    assert all(one["tokens_per_second"] > 0 for one in measured["results"])


@pytest.mark.parametrize("arguments", [["--workloads", "W99"], ["--peers", "tensorflow"], ["--threads", "0"]])
def test_command_line_refuses_unknown_names(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_profile_names_every_phase() -> None:
    done = run("benchmarks.profile", "W1", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    phases = [line.split("|")[1].strip() for line in done.stdout.splitlines()[2:]]
    forward = ["forward lstm_0", "forward logits", "forward loss"]
    backward = ["backward loss", "backward logits", "backward lstm_0"]
    assert phases == [*forward, *backward, "optimizer", "rest", "step"]
