"""Training: the loop, what callbacks are, metrics, checkpoints."""

from minidl.training.callback import Callback, Every
from minidl.training.progress import Progress
from minidl.training.trainer import Trainer

__all__ = ["Callback", "Every", "Progress", "Trainer"]
