"""Who takes part: each library in each of its settings that may be the fastest, as far as it is installed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.workloads import Workload

OWN = {"minidl-numpy": ("minidl",), "minidl-c": ("minidl.kernels",)}  # a name and the modules it needs
OTHERS = {
    "torch": ("torch",),
    "jax": ("jax", "optax"),
    "keras": ("keras",),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
    "notebook": (),
}
KERAS_BACKENDS = ("tensorflow", "torch")
GEMM = "gemm"


@dataclass(frozen=True)
class Contestant:
    """A library, and the setting in which it runs."""

    peer: str
    setting: str = ""

    def __str__(self) -> str:
        return f"{self.peer} ({self.setting})" if self.setting else self.peer


def missing(peer: str) -> str | None:
    """The first module that a peer needs and that is not there."""
    return next((module for module in {**OWN, **OTHERS}[peer] if not is_there(module)), None)


def is_there(module: str) -> bool:
    """Whether a module can be imported; a folder without code in it can't be used."""
    spec = find_spec(module)
    return spec is not None and spec.origin is not None


def contestants(workload: Workload, peers: Iterable[str], notebook: Path | None) -> list[Contestant]:
    """Everybody who can do this work: minidl first, then the peers asked for, then the matrix products alone."""
    own = [name for name in OWN if missing(name) is None]
    asked = [name for name in OTHERS if name in set(peers) and missing(name) is None]
    able = [Contestant(name, setting) for name in asked for setting in settings(workload, name, notebook)]
    return [*map(Contestant, own), *able, Contestant(GEMM)]


def settings(workload: Workload, peer: str, notebook: Path | None) -> tuple[str, ...]:
    """The settings of a peer to be tried on this work; none where it can't do it."""
    use = workload.use
    if peer == "torch":
        return ("LSTMCell", "LSTM") if use == "sampling" else ("time-major", "batch-first")
    if peer == "keras":
        return tuple(name for name in KERAS_BACKENDS if is_there(name)) if use == "training" else ()
    if peer in ("onnxruntime", "openvino"):
        return () if use == "training" else ("",)
    if peer == "notebook":
        able = notebook is not None and workload.batch == workload.layers == 1 and workload.embedding is None
        return ("",) if able and use == "training" else ()
    return ("",) if use == "training" else ()
