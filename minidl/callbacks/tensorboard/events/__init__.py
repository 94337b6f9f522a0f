"""TensorBoard's event files, written record by record without a queue or a thread.

This is the only package that knows tensorboardX; `writer.py` is the place to start reading.
"""

from minidl.callbacks.tensorboard.events.graph_event import GraphNode
from minidl.callbacks.tensorboard.events.projector import write_projector
from minidl.callbacks.tensorboard.events.writer import EventWriter

__all__ = ["EventWriter", "GraphNode", "write_projector"]
