"""Weights from elsewhere into a model: from a file of PyTorch, Keras, ONNX or minidl, or from a mapping."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from minidl.exchange import keras_layout, torch_layout
from minidl.exchange.keras_files import read_keras
from minidl.exchange.layouts import OWN, check_layout
from minidl.exchange.onnx_weights import read_onnx
from minidl.exchange.units import Arrays, Unit, assign
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.storage.archive import read_archive
from minidl.storage.atomic import as_path, refuse_special
from minidl.system.errors import CheckpointError, UsageError

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")
SUFFIXES = ".safetensors, .npz, .weights.h5, .keras or .onnx"


def load_weights(model: Model, source: str | PathLike[str] | Mapping[str, Any], layout: str = OWN) -> None:
    """Fill a model with weights of a layout; CheckpointError lists what does not fit, and nothing is changed."""
    check_layout(layout)
    name = "the mapping" if isinstance(source, Mapping) else str(source)
    found = _read(source, layout)
    if isinstance(found, list):
        found = assign(model, found, name)
    elif layout == OWN:
        found = {key.removeprefix("parameters/"): array for key, array in found.items()}
    else:
        found = assign(model, _units(found, layout), name)
    named = {f"parameters/{key}": array for key, array in found.items()}
    model.set_parameters({key: _real(key, array, name) for key, array in named.items()}, name)


def _units(arrays: Arrays, layout: str) -> list[Unit]:
    return torch_layout.units(arrays) if layout == "torch" else keras_layout.units(arrays)


def _read(source: str | PathLike[str] | Mapping[str, Any], layout: str) -> Arrays | list[Unit]:
    """What a source holds: arrays by name, or the units of an ONNX file, whose layout is its own."""
    if isinstance(source, Mapping):
        return {str(name): _array(value) for name, value in source.items()}
    path = as_path(source)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, and no file of weights")
    refuse_special(path)
    if _is_pickle(path) or path.suffix in PICKLES:
        raise UsageError(_refusal(path))
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix == ".onnx":
        return read_onnx(path)
    if path.suffix in (".h5", ".hdf5", ".keras"):
        if layout != "keras":
            raise UsageError(f"{path}: is a file of Keras: name its layout, keras")
        return read_keras(path)
    raise UsageError(f"{path}: weights are read from {SUFFIXES}, as the name of the file ends")


def _array(value: Any) -> Array:
    """An array, also of a tensor that still has a gradient or lies on another device."""
    for step in ("detach", "cpu", "numpy"):
        if not isinstance(value, np.ndarray) and callable(getattr(value, step, None)):
            value = getattr(value, step)()
    return np.asarray(value)


def _real(name: str, array: Array, source: str) -> Array:
    if array.dtype.kind not in "fiu":
        raise CheckpointError(f"{source}: {name.removeprefix('parameters/')} holds {array.dtype}, and no real numbers")
    return array


def _safetensors(path: Path) -> Arrays:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ModuleNotFoundError:
        raise UsageError("files of safetensors need safetensors: pip install 'minidl[export]'") from None
    try:
        return dict(load_file(path))
    except (SafetensorError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: cannot be read as float32 or float64 arrays ({error})") from None


def _npz(path: Path) -> Arrays:
    """A checkpoint or model file of minidl, or arrays that `numpy.savez` has written."""
    try:
        return {key: a for key, a in read_archive(path).arrays.items() if key.startswith("parameters/")}
    except CheckpointError as error:
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files if name != "meta"}
        except (OSError, ValueError, zipfile.BadZipFile, KeyError):
            raise error from None


def _is_pickle(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.read(2)[:1] == b"\x80" and path.suffix != ".safetensors":
                return True
        return zipfile.is_zipfile(path) and any(n.endswith("data.pkl") for n in zipfile.ZipFile(path).namelist())
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except zipfile.BadZipFile:
        return False


def _refusal(path: Path) -> str:
    return (
        f"{path}: is a pickle, which can run any code when it is read. Where you trust it, turn it into safetensors:\n"
        f'  weights = torch.load({path.name!r}, map_location="cpu", weights_only=True)\n'
        f"  safetensors.torch.save_file({{name: w.contiguous() for name, w in weights.items()}}, "
        f"{path.with_suffix('.safetensors').name!r})"
    )
