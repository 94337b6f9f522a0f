"""Lossless compression: an arithmetic coder on what a network that learns while it reads expects next."""

from minidl.compression.container import compress, decompress

__all__ = ["compress", "decompress"]
