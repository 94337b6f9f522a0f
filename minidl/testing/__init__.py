"""The proof of gradients and of all else that a layer promises, for layers of minidl and of anybody else."""

from minidl.testing.check_layer import LayerError, Point, check_layer
from minidl.testing.check_optimizer import check_optimizer
from minidl.testing.gradcheck import Check, gradcheck

__all__ = ["Check", "LayerError", "Point", "check_layer", "check_optimizer", "gradcheck"]
