"""Independent sequences held in arrays: classification, tagging and forecasting, from Python or from an .npz file.

Arrays are time-major: (T, N) ids, (T, N, F) features. An array of one axis, such as labels or lengths, has one
number a sequence: (N,). Floats without an axis of features are one feature: (T, N) comes in batches as (T, B, 1), and
(N,) as (B, 1), which are the shapes of what a Dense layer of one unit predicts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from minidl.data.baselines import majority, mean_value
from minidl.data.batches import Array, ArraySpec, Dataset, split_slices
from minidl.data.data import Data
from minidl.data.independent import Independent, Order
from minidl.data.sources import find_file, unreadable
from minidl.data.sources.npz import read_npz
from minidl.data.tasks.split import Shares, Split, divide
from minidl.system.errors import DataError, suggest


class ArrayBatches(Independent):
    """Batches of sequences that lie side by side in arrays.

    >>> arrays = {"x": np.zeros((7, 5, 3)), "targets": np.array([0, 1, 0, 1, 1])}
    >>> batches = ArrayBatches(arrays, batch_size=2, shuffle=False)
    >>> batches.steps_per_epoch, batches.batch(2).inputs["x"].shape, batches.batch(2).inputs["targets"]
    (3, (7, 1, 3), array([1]))
    """

    def __init__(self, arrays: Mapping[str, Array], batch_size: int, seed: int = 0, shuffle: bool = True) -> None:
        self._arrays = check_arrays(arrays)
        count = sequences(self._arrays)
        super().__init__(count, batch_size, seed, shuffle, tokens=count * _steps(self._arrays))

    def take(self, chosen: Order) -> dict[str, Array]:
        """These sequences of every array."""
        taken = {name: np.take(array, chosen, axis=_axis(array)) for name, array in self._arrays.items()}
        return {name: array[..., None] if _is_one_feature(array) else array for name, array in taken.items()}


@dataclass(frozen=True)
class Arrays(Data):
    """Independent sequences from an .npz file, whose keys name the model's inputs and "targets".

    `source`: the file, relative to the experiment. `split`: shares of train, validation and test, contiguous
    in this order, or kind (random, stratified, ordered) and parts. `batch_size` (B): sequences a step. `shuffle`:
    training sequences in a new order each epoch. `seed`: of that order, and of the draws.
    """

    source: str
    split: Shares | Split = (0.8, 0.1, 0.1)
    batch_size: Annotated[int, Gt(0)] = 32
    shuffle: bool = True
    seed: int = 0

    facts: ClassVar = ("train_sequences", "train_tokens", "features", "classes", "outputs")

    def load(self, folder: Path) -> Dataset:
        """Read and check the file; `folder` is where relative paths start."""
        arrays = _read_npz(find_file(self.source, folder))
        return from_arrays(arrays, self.split, self.batch_size, self.shuffle, self.seed)


def from_arrays(
    arrays: Mapping[str, Array],
    split: Shares | Split = (0.8, 0.1, 0.1),
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int = 0,
) -> Dataset:
    """A data set from arrays by input name, "targets" among them; arguments as in `Arrays`.

    Raises DataError for arrays that no model could learn from: see `check_arrays`.

    >>> dataset = from_arrays({"x": np.zeros((7, 20, 3)), "targets": np.arange(20) % 4})
    >>> dataset.facts["features"], dataset.facts["classes"], dataset.inputs["x"].shape
    (3, 4, ('T', 'B', 3))
    """
    checked = check_arrays(arrays)
    chosen = _parts(checked, split, seed)
    train, validation, test = ({name: _cut(a, part) for name, a in checked.items()} for part in chosen)
    specs = {name: _spec(array) for name, array in checked.items()}
    return Dataset(
        train=ArrayBatches(train, batch_size, seed, shuffle),
        validation=ArrayBatches(validation, batch_size, shuffle=False) if sequences(validation) else None,
        test=ArrayBatches(test, batch_size, shuffle=False) if sequences(test) else None,
        inputs=specs,
        facts=_facts(specs, train),
        vocabulary=None,
        digest=_digest(checked),
        unit="step",
        baselines=_baselines(train["targets"], validation["targets"]),
    )


def check_arrays(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays with "targets" last, or DataError for the first that is unfit.

    Unfit are: no "targets"; numbers of sequences that differ; axes of length 0; other types than integers and
    floats; NaN and infinity, but for NaN past the end of a sequence by "lengths"; negative ids, except -1 in
    "targets", which means: not counted.
    """
    if "targets" not in arrays:
        raise DataError(f'there is no array "targets" among {sorted(arrays)}{suggest("targets", arrays)}')
    ordered = {name: np.asarray(arrays[name]) for name in sorted(arrays, key=lambda name: name == "targets")}
    for name, array in ordered.items():
        _check_shape(name, array)
    ordered = without_padding(ordered)
    for name, array in ordered.items():
        _check_values(name, array)
    counts = {name: array.shape[_axis(array)] for name, array in ordered.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count} (shape {ordered[name].shape})" for name, count in counts.items())
        raise DataError(
            f"the arrays differ in their number of sequences: {listed}; sequences lie along the second axis, "
            f"(T, N, ...), or along the only one"
        )
    return ordered


def without_padding(arrays: dict[str, Array]) -> dict[str, Array]:
    """The arrays with 0 in the place of NaN past the end of each sequence, where there are "lengths" (N,).

    >>> x = np.array([[1.0], [np.nan]])
    >>> without_padding({"x": x, "lengths": np.array([1])})["x"].tolist()
    [[1.0], [0.0]]
    """
    lengths = arrays.get("lengths")
    if lengths is None or lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        return arrays
    found = {}
    for name, array in arrays.items():
        padded = array.dtype.kind == "f" and array.ndim > 1 and array.shape[1] == len(lengths)
        if padded and np.isnan(array).any():
            array = array.copy()
            array[(np.arange(len(array))[:, None] >= lengths)] = 0
        found[name] = array
    return found


def sequences(arrays: Mapping[str, Array]) -> int:
    """The number of sequences in checked arrays."""
    targets = arrays["targets"]
    return int(targets.shape[_axis(targets)])


def _steps(arrays: Mapping[str, Array]) -> int:
    """The length of the sequences."""
    return max(array.shape[0] if array.ndim > 1 else 1 for array in arrays.values())


def _is_one_feature(array: Array) -> bool:
    return array.dtype.kind == "f" and array.ndim < 3


def _axis(array: Array) -> int:
    """The axis along which sequences lie."""
    return min(1, array.ndim - 1)


def _parts(arrays: Mapping[str, Array], split: Shares | Split, seed: int) -> Sequence[slice | Order]:
    """Which sequences are for training, validation and test: stretches of the arrays, or numbers."""
    count, targets = sequences(arrays), arrays["targets"]
    if not isinstance(split, Split):
        return split_slices(count, split, least=1, what="sequences")
    classes = targets.tolist() if targets.shape == (count,) and targets.dtype.kind in "iu" else None
    return divide(split.kind, split.parts, seed, count, classes=classes, what="sequences")


def _cut(array: Array, part: slice | Order) -> Array:
    return array[part] if array.ndim == 1 else array[:, part]


def _check_shape(name: str, array: Array) -> None:
    if array.dtype.kind not in "iuf":
        raise DataError(f"array {name!r} holds {array.dtype}: convert it to integers or floats")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"array {name!r} of shape {array.shape} is empty: every axis should be 1 or longer")


def _check_values(name: str, array: Array) -> None:
    if array.dtype.kind == "f":
        bad, meaning = ~np.isfinite(array), "NaN and infinity cannot be learnt: repair them or leave them out"
    elif name == "targets":
        bad, meaning = array < -1, "a class counts from 0, and -1 means: not counted"
    else:
        bad, meaning = array < 0, "ids count from 0"
    if bad.any():
        where = tuple(int(i) for i in np.unravel_index(bad.argmax(), bad.shape))
        raise DataError(f"array {name!r} has {array[where]} at {list(where)}: {meaning}")


def _spec(array: Array) -> ArraySpec:
    axes: tuple[int | str, ...] = ("B",) if array.ndim == 1 else ("T", "B", *array.shape[2:])
    if _is_one_feature(array):
        return ArraySpec("float", 1, (*axes, 1))
    if array.dtype.kind == "f":
        return ArraySpec("float", array.shape[-1], axes)
    return ArraySpec("int", max(1, int(array.max()) + 1), axes)


def _facts(specs: dict[str, ArraySpec], train: Mapping[str, Array]) -> dict[str, int | float]:
    """`features`: width of the first float input; `classes` or `outputs`: of integer or float targets."""
    count = sequences(train)
    facts: dict[str, int | float] = {"train_sequences": count, "train_tokens": count * _steps(train)}
    depths = {name: spec.depth for name, spec in specs.items() if spec.depth is not None}
    features = [depth for name, depth in depths.items() if specs[name].dtype == "float" and name != "targets"]
    if features:
        facts["features"] = features[0]
    facts["classes" if specs["targets"].dtype == "int" else "outputs"] = depths["targets"]
    return facts


def _baselines(train: Array, validation: Array) -> dict[str, float]:
    """What suits the targets: classes, or numbers; of yes and no as 0.0 and 1.0 there is none."""
    if train.dtype.kind != "f":
        learnt, asked = train[train >= 0], validation[validation >= 0]
        return majority([learnt], [asked]) if learnt.size and asked.size else {}
    return mean_value(train, validation) if validation.size and np.setdiff1d(train, (0, 1)).size else {}


def _digest(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode("utf-8", "surrogatepass"))
        digest.update(array.data)
    return digest.hexdigest()


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:
            begin = file.peek(8)
            if begin.startswith(b"\x93NUMPY"):
                raise DataError(f"{path} holds one array without a name: save several with numpy.savez")
            if not begin.startswith(b"PK"):
                why = "it begins as no such file does; numpy.savez writes one"
                raise DataError(f"{path} is not a sound .npz file of plain arrays: {why}")
            return read_npz(file, str(path))
    except OSError as error:
        raise unreadable(path, error) from None
