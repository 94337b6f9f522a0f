"""NaN, infinity and too little memory: found before they reach weights or files, named, and nothing is lost."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import Ended, launch, minidl_run, run, the_run, write_experiment

from minidl import Input, Model
from minidl.cli.main import main
from minidl.data import from_arrays
from minidl.data.batches import Batch
from minidl.engine.memory_limit import OutOfMemory, available_memory, check_fits
from minidl.generate.sampler import Sampler
from minidl.layers import LSTM, MSE, Dense, OneHot, SigmoidCE, SoftmaxCE
from minidl.optim import SGD
from minidl.storage.archive import read_archive, write_archive
from minidl.system.errors import CheckpointError, NumericsError
from minidl.training.trainer import Trainer

DIVERGING = {"optimizer": {"type": "SGD", "lr": 3e38}, "train__checkpoint_every": {"steps": 1}}


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_place(tmp_path: Path) -> None:
    write_experiment(tmp_path, **DIVERGING)
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code == 5
    assert re.search(r"step 3: the loss is (inf|nan); first bad array: dense/y at \(.*\), in the text '", ended.err)
    assert "Lower the learning rate, or set clip_norm; the weights are those of the step before." in ended.err
    assert "Warning" not in ended.err
    folder = the_run(tmp_path)
    assert (folder.state, folder.facts["step"]) == ("failed", 2)
    path, archive = folder.checkpoints.newest()
    assert path.name == "step-00000002.npz"
    assert all(np.isfinite(array).all() for array in archive.arrays.values())
    again = run(tmp_path, "tiny.yaml", "--resume")
    assert again.code == 5
    assert "step 3: the loss is" in again.err


def test_the_text_is_that_of_the_stream_and_ends_at_the_step(tmp_path: Path) -> None:
    ids, targets = (Input(name, dtype="int", depth=3) for name in ("ids", "targets"))
    model = Model(SoftmaxCE()(Dense(3, name="logits")(OneHot()(ids)), targets))
    from minidl.data.vocabulary import Vocabulary
    from minidl.training.nan_report import first_bad_array

    model.vocabulary = Vocabulary(("a", "b", "c"))
    window = np.array([[0, 1], [0, 1], [0, 2], [0, 1]])
    model.parameters["logits/W"][2] = np.nan
    model.forward(ids=window, targets=window)
    model.parameters["logits/W"][2] = 0
    assert first_bad_array(model, {"ids": window}) == "logits/y at (2, 1, 0), in the text 'bbc'"


def spike(at: int) -> dict[str, Any]:
    """Sequences one of which is too large to be squared."""
    x = np.ones((2, 16, 1), np.float32)
    x[:, at] = 1e25
    return {"x": x, "targets": 2 * x}


def write_spike(folder: Path, **train: Any) -> None:
    np.savez(folder / "data.npz", **spike(5))
    write_experiment(
        folder,
        data={"type": "arrays", "source": "data.npz", "batch_size": 2, "split": [1.0, 0.0, 0.0], "shuffle": False},
        model={"layers": [{"type": "Dense", "units": 1, "name": "dense"}]},
        loss={"type": "MSE"},
        optimizer={"type": "SGD", "lr": 0.05},
        train={"epochs": 3, "checkpoint_every": {"steps": 1}, **train},
        log={"every": {"steps": 1}, "tensorboard": False},
    )


def test_a_step_that_is_not_finite_may_be_skipped(tmp_path: Path) -> None:
    write_spike(tmp_path, non_finite="skip")
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code == 0, ended.err
    _, archive = the_run(tmp_path).checkpoints.newest()
    assert (archive.meta["progress"]["step"], archive.meta["progress"]["skipped"]) == (24, 3)
    weight = archive.arrays["parameters/dense/W"] + archive.arrays["parameters/dense/b"]
    assert weight.item() == pytest.approx(2, abs=0.1)
    lines = (the_run(tmp_path).path / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")) for line in lines]
    counts = [record["train/skipped"] for record in records if "train/skipped" in record]
    assert (counts[0], counts[-1], records[1]["step"]) == (1, 3, 2)
    assert "train/skipped" not in records[1]
    assert ended.err.count("It is left out, as others will be; train/skipped counts them") == 1
    assert "minidl: step 3: the loss is inf; first bad array: mse/each at (0, 1, 0)" in ended.err


def test_the_same_step_stops_a_run_that_may_not_skip(tmp_path: Path) -> None:
    write_spike(tmp_path)
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code == 5
    assert "step 3: the loss is inf" in ended.err


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone() -> None:
    x = np.full((1, 2, 1), 1e30, np.float32)
    data = from_arrays({"x": x, "targets": np.zeros_like(x)}, split=(1.0, 0.0, 0.0), batch_size=2)
    model = Model(MSE(name="loss")(Dense(1, name="dense")(Input("x", depth=1)), Input("targets", depth=1)))
    model.parameters["dense/W"][...] = 1e-20
    before = model.weights.flat.copy()
    trainer = Trainer(model, data, SGD(lr=0.1), steps=1)
    with pytest.raises(
        NumericsError, match=r"step 1: the gradient .* first bad array: gradient of dense/W at \(0, 0\)"
    ):
        trainer.run()
    assert np.isfinite(trainer.loss)
    assert (model.weights.flat == before).all()
    assert trainer.progress.step == 0


def test_weights_that_overflow_in_the_last_step_are_not_saved(tmp_path: Path) -> None:
    loss = {"type": "SoftmaxCE", "reduction": "sum"}
    optimizer = {"type": "SGD", "lr": 3e38}
    train = {"train__steps": 1, "train__sample_every": None, "train__non_finite": "skip"}
    write_experiment(tmp_path, optimizer=optimizer, loss=loss, **train)
    ended = run(tmp_path, "tiny.yaml")
    assert ended.code == 5
    assert "parameters/lstm/b holds NaN or infinity after step 1, not saved; lower the learning" in ended.err
    folder = the_run(tmp_path)
    assert folder.state == "failed"
    assert folder.checkpoints.newest()[0].name == "step-00000000.npz"


def test_what_could_not_be_resumed_is_not_saved(tmp_path: Path) -> None:
    """A gradient so long that its square is infinite, in an optimizer that keeps squares."""
    write_spike(tmp_path)
    np.savez(tmp_path / "data.npz", x=np.full((1, 8, 1), 1e10, np.float32), targets=np.zeros((1, 8, 1), np.float32))
    ended = run(tmp_path, "tiny.yaml", "optimizer={type: Adam}")
    assert ended.code == 5
    assert "optimizer/v holds NaN or infinity after step 1, not saved; lower the learning rate" in ended.err
    assert the_run(tmp_path).checkpoints.newest()[0].name == "step-00000000.npz"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nothing_is_sampled_from_nan(temperature: float, bad: float) -> None:
    with pytest.raises(NumericsError, match="the model has diverged; take an older checkpoint"):
        Sampler(temperature).draw(np.array([0.0, bad, 1.0]), np.random.default_rng(0))


def test_a_file_with_nan_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Model(outputs={"y": Dense(2, name="dense")(Input("x", depth=3))})
    model.save(tmp_path / "model.npz")
    archive = read_archive(tmp_path / "model.npz")
    archive.arrays["parameters/dense/W"][1, 1] = np.inf
    write_archive(tmp_path / "model.npz", archive.arrays, archive.meta)
    with pytest.raises(CheckpointError, match="dense/W: holds NaN or infinity"):
        Model.load(tmp_path / "model.npz")
    assert main(["inspect", str(tmp_path / "model.npz")]) == 4
    assert "dense/W: holds NaN or infinity" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e30, -1e30])
def test_logits_of_any_size_have_a_finite_loss_and_the_right_gradient(dtype: str, size: float) -> None:
    logits = np.zeros((1, 3, 4), dtype)
    logits[0, 0, 0] = logits[0, 1, 1] = size
    classes = np.array([[0, 0, 3]])
    model = Model.of(SoftmaxCE(reduction="sum"), logits, classes, dtype=dtype)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=-1, keepdims=True)
    one_hot = np.eye(4)[classes]
    expected = (np.log(np.exp(shifted).sum(axis=-1)) - (shifted * one_hot).sum(axis=-1)).sum()
    assert model.arrays["softmax_ce/y"] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(model.backward(y=1.0)["logits"], p - one_hot, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoids_of_any_size_too(dtype: str) -> None:
    logits = np.array([[[1e30], [-1e30], [1e30]]], dtype)
    targets = np.array([[[1.0], [0.0], [0.0]]], dtype)
    model = Model.of(SigmoidCE(reduction="sum"), x=logits, targets=targets, dtype=dtype)
    assert model.arrays["sigmoid_ce/y"] == pytest.approx(1e30, rel=1e-6)
    np.testing.assert_allclose(model.backward(y=1.0)["x"].ravel(), [0, 0, 1], atol=1e-6)


# --- memory


def limit(more: int) -> None:
    """Let this process take so many bytes more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, resource.RLIM_INFINITY))


def limited(folder: Path, *arguments: str) -> Ended:
    """A run that may take a gigabyte."""

    def work() -> int:
        limit(more=1 << 30)
        return minidl_run(*arguments)

    return launch(folder, work).wait()


def test_a_model_that_does_not_fit_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    write_experiment(tmp_path)
    ended = limited(tmp_path, "tiny.yaml", "model.layers.1.units=20000")
    assert ended.code == 2
    assert "the arrays of this model take 12.8 GB, and there are 1." in ended.err
    assert "lstm/Wh (20000, 80000) 6.4 GB" in ended.err
    assert "Lower batch_size, seq_len or units, or use an Embedding in the place of one-hot vectors" in ended.err
    assert not (tmp_path / "runs").exists()


def test_a_batch_that_does_not_fit_is_refused_before_the_run_has_a_folder(tmp_path: Path) -> None:
    write_experiment(tmp_path, data__batch_size=64, data__seq_len=3000)
    (tmp_path / "text.txt").write_text("the quick brown fox " * 15_000)
    ended = limited(tmp_path, "tiny.yaml", "model.layers.1.units=300")
    assert ended.code == 2
    assert "GB left; the largest: lstm/" in ended.err
    assert not (tmp_path / "runs").exists()


def test_a_vocabulary_of_a_million_as_one_hot_vectors() -> None:
    ids, targets = (Input(name, dtype="int", depth=10**6) for name in ("ids", "targets"))
    units = 2 * available_memory() // (2 * 4 * 4 * 10**6)  # weights and gradients of twice the memory that there is
    with pytest.raises(OutOfMemory, match=rf"lstm/Wx \(1000000, {4 * units}\) .* use an Embedding"):
        Model(SoftmaxCE()(Dense(10**6)(LSTM(units, name="lstm")(OneHot()(ids))), targets))


def test_a_window_that_does_not_fit_is_refused_in_python() -> None:
    model = Model(outputs={"y": Dense(1000, name="dense")(Input("x", depth=1))})
    steps = available_memory() // 2000
    with pytest.raises(OutOfMemory, match=rf"dense/y \({steps}, 1, 1000\)"):
        model.forward(x=np.broadcast_to(np.zeros((1, 1, 1), np.float32), (steps, 1, 1)))


REFUSED = """
import numpy as np
from test_faults_numbers import Dense, Input, Model, limit
model = Model(outputs={"y": Dense(1000, name="dense")(Input("x", depth=1))})
limit(more=20_000_000)
model.forward(x=np.zeros((15000, 1, 1), np.float32))
"""


def test_an_allocation_that_the_system_refuses() -> None:
    """Below the size that is asked about, the system is asked itself; in a process that has no memory to spare."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}"}
    command = [sys.executable, "-c", REFUSED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert re.search(r"OutOfMemory: .* take 0\.1 GB, .* dense/y \(15000, 1, 1000\) 0\.1 GB", done.stderr), done.stderr


def test_memory_that_runs_out_while_training_costs_no_checkpoint(tmp_path: Path) -> None:
    alone = {"train__evaluate_every": {"steps": 10}, "train__sample_every": None}
    large = {"train__steps": 6, "train__checkpoint_every": {"steps": 2}, **alone}
    write_experiment(tmp_path, **large, data__batch_size=2, data__seq_len=2)
    arguments = ("tiny.yaml", "model.layers.0.units=100000")

    def work() -> int:
        update = Trainer.update

        def update_and_limit(self: Trainer, batch: Batch) -> None:
            update(self, batch)
            if self.progress.step == 3:
                limit(more=1 << 26)  # for copies of what the optimizer keeps, wherever they lie, and not for the file

        Trainer.update = update_and_limit  # type: ignore[method-assign]  # in the child only
        return minidl_run(*arguments)

    ended = launch(tmp_path, work).wait()
    assert ended.code == 2, ended.err
    assert re.search(r"there are 0\.[01] GB left; the largest: optimizer/m \(\d+,\) 0\.\d GB, ", ended.err)
    folder = the_run(tmp_path)
    assert (folder.state, folder.checkpoints.newest()[0].name) == ("failed", "step-00000002.npz")
    assert run(tmp_path, *arguments, "--resume").code == 0


def test_small_wishes_are_not_questioned() -> None:
    check_fits(1000, ())
    with pytest.raises(OutOfMemory, match="and there are"):
        check_fits(1 << 60, [("W", (1 << 58,), 1 << 60)])
