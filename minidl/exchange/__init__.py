"""Models for other programs: the graph as ONNX, the weights as safetensors. A format is a file here."""

from minidl.exchange.layouts import NAMES as LAYOUTS
from minidl.exchange.onnx import to_onnx, write_onnx
from minidl.exchange.safetensors import write_safetensors

__all__ = ["LAYOUTS", "to_onnx", "write_onnx", "write_safetensors"]
