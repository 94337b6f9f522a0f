"""Independent sequences: every one once an epoch, the order a matter of seed and epoch, unfit arrays refused."""

import io
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Input, Model
from minidl.data import ArrayBatches, Arrays, ArraySpec, Split, from_arrays
from minidl.data.sources.npz import read_npz
from minidl.layers import LSTM, MSE, Dense, Last
from minidl.system.errors import DataError, UsageError


def tagged(count, steps=4):
    """Arrays in which every sequence carries its own number."""
    number = np.arange(count)
    x = np.broadcast_to(number[None, :, None], (steps, count, 3)).astype(np.float32)
    return {"targets": number, "x": x, "ids": np.broadcast_to(number, (steps, count)), "lengths": number % steps + 1}


def epoch_of(batches, epoch):
    first = epoch * batches.steps_per_epoch
    return [batches.batch(step) for step in range(first, first + batches.steps_per_epoch)]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.booleans(), st.integers(0, 3))
@settings(deadline=None)
def test_every_sequence_once_an_epoch_with_all_its_arrays(count, batch_size, seed, shuffle, epoch):
    batches = ArrayBatches(tagged(count), batch_size, seed, shuffle)
    drawn = epoch_of(batches, epoch)
    assert len(drawn) == -(-count // batch_size)
    order = np.concatenate([batch.inputs["targets"] for batch in drawn])
    assert sorted(order) == list(range(count))
    assert shuffle or list(order) == list(range(count))
    for batch in drawn:
        numbers = batch.inputs["targets"]
        assert batch.reset_state
        assert batch.inputs["x"].shape == (4, len(numbers), 3)
        assert np.all(batch.inputs["x"] == numbers[None, :, None])
        assert np.all(batch.inputs["ids"] == numbers)
        assert np.array_equal(batch.inputs["lengths"], numbers % 4 + 1)
    assert all(len(batch.inputs["targets"]) == min(batch_size, count) for batch in drawn[:-1])


def test_classes_have_the_baselines_of_classes():
    """-1 is not counted, and a class of which training has none cannot be answered by its frequencies."""
    targets = np.array([[2, 2, 7, 2, 2, 2, 2, 7, 2, 2], [-1, -1, -1, -1, -1, -1, -1, -1, 7, -1]])
    found = from_arrays({"x": np.zeros((2, 10, 1)), "targets": targets}, split=(0.8, 0.2, 0)).baselines
    assert found["accuracy/majority"] == pytest.approx(2 / 3)
    assert found["loss/frequencies"] == pytest.approx(-(2 * np.log(6 / 8) + np.log(2 / 8)) / 3)
    targets[0, -1] = 3
    found = from_arrays({"x": np.zeros((2, 10, 1)), "targets": targets}, split=(0.8, 0.2, 0)).baselines
    assert found["accuracy/majority"] == pytest.approx(1 / 3)
    assert "loss/frequencies" not in found


def test_numbers_have_the_mean_of_each_as_baseline():
    targets = np.stack([np.arange(10.0), np.arange(10.0) * 100], axis=-1)[None]
    found = from_arrays({"x": np.zeros((3, 10, 1)), "targets": targets}, split=(0.9, 0.1, 0)).baselines
    assert found == {"mean_absolute_error/mean": 5 * 101 / 2, "loss/mean": 25 * 10001 / 2}


@pytest.mark.parametrize("targets", [np.arange(10) % 2 * 1.0, np.full(10, 10**12), np.full((2, 10), -1)])
def test_targets_without_a_baseline_or_with_a_cheap_one(targets):
    """Yes and no as numbers; a class so large that counting up to it would take all memory; nothing that counts."""
    found = from_arrays({"x": np.zeros((2, 10, 1)), "targets": targets}).baselines
    assert found.get("accuracy/majority", 1.0) == 1.0
    assert "mean_absolute_error/mean" not in found


def test_a_batch_is_a_matter_of_its_step_alone():
    walked, jumped = ArrayBatches(tagged(50), 7, seed=3), ArrayBatches(tagged(50), 7, seed=3)
    steps = [walked.batch(step).inputs["targets"] for step in range(40)]
    for step in (39, 0, 17, 16):
        assert np.array_equal(jumped.batch(step).inputs["targets"], steps[step])


def test_epochs_and_seeds_differ_in_order():
    orders = {
        tuple(np.concatenate([b.inputs["targets"] for b in epoch_of(ArrayBatches(tagged(30), 8, seed), epoch)]))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(orders) == 4


def test_tokens_per_step_counts_steps_of_sequences():
    frames = {"x": np.zeros((5, 20, 2)), "targets": np.zeros((5, 20), int)}
    assert ArrayBatches(frames, 8).tokens_per_step == 40
    assert ArrayBatches({**frames, "targets": np.zeros(20, int)}, 8).tokens_per_step == 40
    assert ArrayBatches(frames, 100).tokens_per_step == 100


def test_what_is_known_of_the_inputs():
    arrays = tagged(20)
    dataset = from_arrays({**arrays, "y": np.zeros((4, 20)), "w": np.zeros(20)}, batch_size=4)
    assert list(dataset.inputs)[-1] == "targets"
    assert dataset.inputs["x"] == ArraySpec("float", 3, ("T", "B", 3))
    assert dataset.inputs["y"] == ArraySpec("float", 1, ("T", "B", 1))
    assert dataset.inputs["w"] == ArraySpec("float", 1, ("B", 1))
    assert dataset.inputs["ids"] == ArraySpec("int", 20, ("T", "B"))
    assert dataset.inputs["lengths"] == ArraySpec("int", 5, ("B",))
    assert dataset.inputs["targets"] == ArraySpec("int", 20, ("B",))
    assert dataset.facts == {"train_sequences": 16, "train_tokens": 64, "features": 3, "classes": 20}
    assert (dataset.unit, dataset.vocabulary) == ("step", None)


def test_floats_without_features_are_one_feature_and_can_be_learnt():
    """A model that reads and predicts one number, at each step or for each sequence."""
    x = np.linspace(-1, 1, 60).reshape(3, 20)
    for targets, last in ((x, False), (x[-1], True)):
        dataset = from_arrays({"x": x, "targets": targets}, batch_size=4, shuffle=False)
        batch = dataset.train.batch(0).inputs
        assert (batch["x"].shape, batch["targets"].shape) == ((3, 4, 1), (4, 1) if last else (3, 4, 1))
        assert (dataset.facts["features"], dataset.facts["outputs"]) == (1, 1)
        inputs = {name: Input(name, depth=spec.depth, shape=spec.shape) for name, spec in dataset.inputs.items()}
        hidden = LSTM(2)(inputs["x"])
        model = Model(MSE()(Dense(1)(Last()(hidden) if last else hidden), inputs["targets"]))
        assert model.forward(**batch)["loss"] > 0


def test_targets_none_of_which_counts_have_a_class():
    assert from_arrays({"x": np.zeros((4, 10, 3)), "targets": np.full(10, -1)}).facts["classes"] == 1


def test_facts_of_a_forecast():
    facts = from_arrays({"x": np.zeros((4, 10, 3)), "targets": np.zeros((4, 10, 2))}).facts
    assert facts["outputs"] == 2
    assert "classes" not in facts


def test_parts_are_contiguous_and_only_training_is_shuffled():
    dataset = from_arrays(tagged(20), (0.5, 0.3, 0.2), batch_size=20)
    parts = [part.batch(0).inputs["targets"] for part in (dataset.train, dataset.validation, dataset.test)]
    assert sorted(parts[0]) == list(range(10))
    assert list(parts[0]) != list(range(10))
    assert list(parts[1]) == list(range(10, 16))
    assert list(parts[2]) == list(range(16, 20))
    whole = from_arrays(tagged(20), (1.0, 0.0, 0.0))
    assert (whole.validation, whole.test) == (None, None)


def test_the_digest_is_of_names_types_and_values():
    arrays = tagged(10)
    changed = {**arrays, "x": arrays["x"] + 1}
    retyped = {**arrays, "x": arrays["x"].astype(np.float64)}
    renamed = {("z" if name == "x" else name): array for name, array in arrays.items()}
    digests = {from_arrays(version).digest for version in (arrays, changed, retyped, renamed)}
    assert len(digests) == 4
    turned = {name: np.asfortranarray(arrays[name]) for name in reversed(arrays)}
    assert from_arrays(turned).digest == from_arrays(arrays).digest


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("x", np.full((4, 10, 3), np.nan), r"'x' has nan at \[0, 0, 0\]"),
        ("x", np.where(np.arange(40).reshape(4, 10) == 13, np.inf, 0), r"'x' has inf at \[1, 3\]"),
        ("targets", np.array([0.0] * 9 + [np.nan]), r"'targets' has nan at \[9\]"),
        ("x", np.array([None] * 10), "'x' holds object"),
        ("x", np.array(["a"] * 10), "'x' holds <U1"),
        ("x", np.zeros(10, complex), "'x' holds complex128"),
        ("x", np.zeros(10, bool), "'x' holds bool: convert"),
        ("ids", np.array([[0, 1, -1] + [0] * 7]), r"'ids' has -1 at \[0, 2\]: ids count from 0"),
        ("targets", np.array([-2] + [0] * 9), r"'targets' has -2 at \[0\]"),
        ("x", np.zeros((10, 4, 3)), r"differ in their number of sequences: x 4 \(shape \(10, 4, 3\)\)"),
        ("x", np.zeros((0, 10)), "is empty"),
        ("x", np.zeros((4, 0)), "is empty"),
        ("x", np.float64(1), "is empty"),
    ],
)
def test_unfit_arrays(name, array, said):
    arrays = {"x": np.zeros((4, 10, 3)), "targets": np.zeros(10, int), name: array}
    with pytest.raises(DataError, match=said):
        from_arrays(arrays)


def test_targets_that_are_not_counted_are_fine():
    dataset = from_arrays({"x": np.zeros((4, 10, 3)), "targets": np.array([-1, 2] * 5)})
    assert dataset.facts["classes"] == 3


def test_targets_are_called_targets():
    with pytest.raises(DataError, match=r"no array \"targets\" among \['target', 'x'\]; did you mean 'target'"):
        from_arrays({"target": np.zeros(3, int), "x": np.zeros((4, 3))})


def test_sequences_are_drawn_for_the_parts_or_left_in_order():
    arrays = {"x": np.arange(40.0).reshape(1, 40, 1), "targets": np.repeat([0, 1], [30, 10])}
    for kind in ("random", "stratified", "ordered"):
        found = from_arrays(arrays, Split(kind, (0.8, 0.1, 0.1)), shuffle=False)
        parts = [found.train, found.validation, found.test]
        seen = [part.take(np.arange(len(part))) for part in parts]
        assert [len(part) for part in parts] == [32, 4, 4]
        assert sorted(np.concatenate([part["x"].ravel() for part in seen])) == list(range(40))
        assert all(((part["x"].ravel() >= 30) == part["targets"]).all() for part in seen)
        ones = [int(part["targets"].sum()) for part in seen]
        assert (ones == [8, 1, 1]) is (kind == "stratified")
        assert (seen[0]["x"].ravel() == np.arange(32)).all() == (kind == "ordered")
    with pytest.raises(UsageError, match="needs to know the groups"):
        from_arrays(arrays, Split("group"))


def test_too_few_sequences_for_the_split():
    with pytest.raises(DataError, match=r"the test part, 0\.1 of 4 sequences, has 0 and needs 1 or more"):
        from_arrays(tagged(4))
    with pytest.raises(UsageError, match="batch_size should be 1 or more, got 0"):
        from_arrays(tagged(40), batch_size=0)


@pytest.mark.parametrize("change", [np.asfortranarray, lambda a: a[:, ::-1], lambda a: np.broadcast_to(a, a.shape)])
def test_odd_but_sound_arrays(change):
    x = change(np.arange(24.0).reshape(2, 4, 3))
    batches = ArrayBatches({"x": x, "targets": np.arange(4)}, 2, shuffle=False)
    drawn = np.concatenate([batch.inputs["x"] for batch in epoch_of(batches, 0)], axis=1)
    assert np.array_equal(drawn, x)


def test_an_npz_file(tmp_path):
    np.savez(tmp_path / "set.npz", **tagged(20))
    dataset = Arrays("set.npz", (0.5, 0.5, 0.0), batch_size=5, shuffle=False).load(tmp_path)
    assert dataset.digest == from_arrays(tagged(20)).digest
    assert dataset.train.batch(1).inputs["targets"].tolist() == [5, 6, 7, 8, 9]
    with pytest.raises(DataError, match=r"no file at .*st\.npz .*did you mean 'set\.npz'"):
        Arrays("st.npz").load(tmp_path)


def pickled():
    file = io.BytesIO()
    np.savez(file, targets=np.zeros(3, int), x=np.array([{}, "a", None]))
    return file.getvalue()


def damaged():
    content = bytearray(sound())
    content[200:260] = bytes(60)
    return bytes(content)


def sound():
    file = io.BytesIO()
    np.savez(file, targets=np.arange(100), x=np.ones((4, 100)))
    return file.getvalue()


def of_a_huge_array():
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6, 10**6)}
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("targets.npy", header.getvalue())
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a zip", sound()[:500], damaged(), pickled(), of_a_huge_array(), b"PK\x03\x04"],
    ids=["empty", "text", "cut", "damaged", "pickled", "huge", "stub"],
)
def test_files_that_are_no_sound_npz(tmp_path, content):
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"set\.npz is not a sound \.npz file of plain arrays: ."):
        Arrays("set.npz").load(tmp_path)


def test_a_text_is_not_taken_for_pickled_objects(tmp_path):
    (tmp_path / "set.npz").write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"it begins as no such file does; numpy\.savez writes one$"):
        Arrays("set.npz").load(tmp_path)


def test_names_of_members_lead_nowhere(tmp_path):
    """Nothing is unpacked: what a member is called is no more than the name of an array."""
    (tmp_path / "inside").mkdir()
    file = io.BytesIO()
    np.save(file, np.zeros((3, 20), np.float32))
    with zipfile.ZipFile(tmp_path / "inside" / "set.npz", "w") as archive:
        for name in ("../x.npy", f"{tmp_path}/y.npy", "targets.npy"):
            archive.writestr(name, file.getvalue())
    assert "../x" in Arrays("set.npz").load(tmp_path / "inside").inputs
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["inside", "set.npz"]


def test_a_disk_that_cannot_be_read(tmp_path):
    (tmp_path / "set.npz").symlink_to("/proc/self/mem")  # a file that answers with EIO
    with pytest.raises(DataError, match=r"set\.npz cannot be read: Input/output error"):
        Arrays("set.npz").load(tmp_path)


def test_an_array_without_a_name(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DataError, match="one array without a name"):
        Arrays("one.npy").load(tmp_path)


def test_a_member_that_is_no_array(tmp_path):
    (tmp_path / "set.npz").write_bytes(sound())
    with zipfile.ZipFile(tmp_path / "set.npz", "a") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(DataError, match=r"'notes\.txt' holds"):
        Arrays("set.npz").load(tmp_path)


@pytest.mark.parametrize("source", ["arrays", "series"])
def test_a_file_says_its_size_before_it_is_unpacked(tmp_path, monkeypatch, caplog, source):
    monkeypatch.setattr("minidl.data.sources.npz.WORTH_A_LINE", 10**6)
    zeros = io.BytesIO()
    np.savez_compressed(zeros, x=np.zeros((400, 10**4), np.int8), targets=np.zeros(10**4, np.int8))
    (tmp_path / "set.npz").write_bytes(zeros.getvalue())
    said = r"set\.npz: its arrays take 0\.0 GB, packed to 0\.000 GB"
    with caplog.at_level("INFO", "minidl"):
        assert len(read(tmp_path, source)) > 0
    assert re.search(said, caplog.text)
    monkeypatch.setattr("minidl.data.sources.npz.available_memory", lambda: 10**6)
    tracemalloc.start()
    with pytest.raises(DataError, match=said + r", and there are 0\.0 GB left; the largest is 'x', 0\.0 GB"):
        read(tmp_path, source)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def read(folder, source):
    if source == "arrays":
        return Arrays("set.npz").load(folder).inputs
    with (folder / "set.npz").open("rb") as file:
        return read_npz(file, "set.npz")


def test_nan_past_the_end_of_a_sequence_is_padding() -> None:
    x = np.arange(24.0).reshape(4, 6, 1)
    lengths = np.array([4, 1, 2, 3, 4, 1])
    x[np.arange(4)[:, None] >= lengths] = np.nan
    arrays = {"x": x, "lengths": lengths, "targets": np.arange(6) % 2}
    found = from_arrays(arrays, (1, 0, 0), shuffle=False).train.batch(0).inputs["x"]
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:3, 3], x[:3, 3])
    x[0, 5] = np.nan
    with pytest.raises(DataError, match=r"'x' has nan at \[0, 5, 0\]"):
        from_arrays(arrays)
