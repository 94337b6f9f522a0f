"""minidl: recurrent networks on NumPy whose equations can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidl.layer import Layer
    from minidl.model import Model
    from minidl.node import Input

__all__ = ["Input", "Layer", "Model"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Input, Layer and Model when they are first asked for: NumPy takes longer to import than `--help` to answer."""
    if name not in __all__:
        raise AttributeError(f"module 'minidl' has no attribute {name!r}")
    import minidl.layers  # noqa: F401  the built-in layers enter the registry here
    from minidl.layer import Layer
    from minidl.model import Model
    from minidl.node import Input

    public: dict[str, object] = {"Input": Input, "Layer": Layer, "Model": Model}
    globals().update(public)
    return public[name]
