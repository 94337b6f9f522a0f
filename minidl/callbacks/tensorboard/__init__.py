"""What TensorBoard shows of a run; `callback.py` is the place to start reading."""

from minidl.callbacks.tensorboard.callback import TensorBoard

__all__ = ["TensorBoard"]
