"""The proof of gradients, for layers of minidl and of anybody else."""

from minidl.testing.gradcheck import gradcheck

__all__ = ["gradcheck"]
