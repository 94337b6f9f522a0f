"""minidl: recurrent networks on NumPy whose equations can be read."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from minidl.system.provided import provide
from minidl.system.version import __version__

if TYPE_CHECKING:
    from minidl.graph.layer import Layer
    from minidl.graph.symbol import Input
    from minidl.model import Model
    from minidl.predictor import Predictor

with contextlib.suppress(ModuleNotFoundError):  # of the room of kernels, without which everything runs on NumPy
    from minidl.kernels import register

    register()


def _load_weights(model: Model, source: object, layout: str) -> None:
    from minidl.exchange.load import load_weights

    load_weights(model, source, layout)  # type: ignore[arg-type]


provide("load_weights", _load_weights)
__all__ = ["Input", "Layer", "Model", "Predictor", "__version__"]


def __getattr__(name: str) -> object:
    """What is public, when it is first asked for: NumPy takes longer to import than `--help` to answer."""
    if name not in __all__:
        raise AttributeError(f"module 'minidl' has no attribute {name!r}")
    if name == "Predictor":  # brings in experiments, which a model alone does without
        from minidl.predictor import Predictor

        return Predictor
    from minidl.graph.layer import Layer
    from minidl.graph.symbol import Input
    from minidl.model import Model

    public: dict[str, object] = {"Input": Input, "Layer": Layer, "Model": Model}
    globals().update(public)
    return public[name]
