"""minidl: recurrent networks on NumPy whose equations can be read."""

from minidl.layer import Layer
from minidl.layers import __all__ as _layers  # noqa: F401  the built-in layers enter the registry here
from minidl.model import Model
from minidl.node import Input

__all__ = ["Input", "Layer", "Model"]
__version__ = "0.1.0"
