"""Models for other programs: the graph as ONNX, the weights as safetensors. A format is a file here."""

from minidl.exchange.c_header import c_header, write_c
from minidl.exchange.keras_files import write_keras
from minidl.exchange.layouts import NAMES as LAYOUTS
from minidl.exchange.onnx import to_onnx, write_onnx
from minidl.exchange.safetensors import write_safetensors

__all__ = ["LAYOUTS", "c_header", "to_onnx", "write_c", "write_keras", "write_onnx", "write_safetensors"]
