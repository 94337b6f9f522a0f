"""Files of Keras: .weights.h5, and .keras, which holds one. Only arrays are read; no code, no configuration is run."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minidl.exchange.units import Arrays, natural
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.storage.atomic import FilePath, write_whole
from minidl.system.errors import CheckpointError, UsageError

INNER = "model.weights.h5"  # within .keras
LARGEST = 1 << 32  # bytes that such a member may unpack to
# By the class of a layer in small letters: what its variables 0, 1, 2 are called, and where they lie.
RECURRENT = ("kernel", "recurrent_kernel", "bias")
VARIABLES: dict[str, tuple[str, ...]] = {
    "dense": ("kernel", "bias"),
    "embedding": ("embeddings",),
    "gru": RECURRENT,
    "layer_normalization": ("gamma", "beta"),
    "lstm": RECURRENT,
    "simple_rnn": RECURRENT,
}
CLASSES = {"Dense": "dense", "Embedding": "embedding", "GRU": "gru", "LayerNorm": "layer_normalization", "LSTM": "lstm"}
CLASSES["RNN"] = "simple_rnn"


def read_keras(path: Path) -> Arrays:
    """The variables of a file, by "layer/kernel" and so on; of layers that minidl does not know by number."""
    h5py = _h5py()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo(INNER).file_size > LARGEST:
                    raise CheckpointError(f"{path}: {INNER} is larger than {LARGEST:,} bytes")
                content: Path | BinaryIO = io.BytesIO(archive.read(INNER))
        else:
            content = path
        with h5py.File(content, "r") as file:
            if "layers" not in file and "_layer_checkpoint_dependencies" not in file:
                raise CheckpointError(f"{path}: holds no layers; minidl reads .weights.h5 and .keras of Keras 3")
            return dict(_layers(file["layers"] if "layers" in file else file["_layer_checkpoint_dependencies"], ""))
    except (OSError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: is no file of Keras that can be read ({error})") from None


def _layers(group: Any, prefix: str) -> Iterator[tuple[str, Array]]:
    for key in sorted(group, key=natural):
        layer = group[key]
        name = prefix + _name(layer, key)
        for way, end in (("forward_layer", "_forward"), ("backward_layer", "_backward")):
            if way in layer:
                yield from _variables(layer[way], name + end, key)
        if "layers" in layer:  # a model in a model
            yield from _layers(layer["layers"], f"{name}/")
        yield from _variables(layer, name, key)


def _variables(layer: Any, name: str, key: str) -> Iterator[tuple[str, Array]]:
    inner = layer.get("cell", layer)
    if "vars" not in inner or not len(inner["vars"]):
        return
    arrays = [np.asarray(inner["vars"][number]) for number in sorted(inner["vars"], key=int)]
    kind = key.rstrip("0123456789").rstrip("_")
    names = VARIABLES.get(kind) or (RECURRENT if "cell" in layer else ())
    for number, array in enumerate(arrays):
        yield f"{name}/{names[number] if number < len(names) else f'{kind} {number}'}", array


def _name(layer: Any, key: str) -> str:
    name = layer["vars"].attrs.get("name", key) if "vars" in layer else key
    return name if isinstance(name, str) else key


def write_keras(model: Model, path: FilePath) -> dict[str, list[int]]:
    """Write .weights.h5 for a Keras model of the same layers in the same order; the shape of each array by place."""
    from minidl.exchange.layouts import layer_arrays

    h5py, found, counts = _h5py(), {}, Counter[str]()
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        layers = file.create_group("layers")
        file.create_group("vars").attrs["name"] = "model"
        for name, place, kind, arrays in _places(model, layer_arrays(model, "keras"), counts):
            group = layers.require_group(place)
            group.require_group("vars").attrs["name"] = name
            home = group.require_group("cell/vars" if kind in ("lstm", "gru", "simple_rnn") else "vars")
            for number, array in enumerate(arrays.values()):
                home.create_dataset(str(number), data=np.ascontiguousarray(array, np.float32))
                found[f"{home.name.removeprefix('/')}/{number}"] = list(array.shape)
    write_whole(path, memory.getvalue())
    return found


def _places(model: Model, arrays: Mapping[str, Arrays], counts: Counter[str]) -> Iterator[tuple[str, str, str, Arrays]]:
    """Name, place in the file, class, and arrays of each layer with weights, as Keras counts classes."""
    from minidl.exchange.stacks import directions

    pairs = directions(model.graph)
    for name, own in arrays.items():
        kind = CLASSES[model.graph.nodes[name].layer.type_name()]
        pair = pairs.get(name)
        if pair is None:
            yield name, _numbered(kind, counts), kind, own
        else:
            base, way = pair
            place = _numbered("bidirectional", counts) if way == "forward" else _last("bidirectional", counts)
            yield base, f"{place}/{way}_layer", kind, own


def _numbered(kind: str, counts: Counter[str]) -> str:
    counts[kind] += 1
    return _last(kind, counts)


def _last(kind: str, counts: Counter[str]) -> str:
    return kind if counts[kind] == 1 else f"{kind}_{counts[kind] - 1}"


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError:
        raise UsageError("files of Keras need h5py: pip install 'minidl[export]'") from None
    return h5py
