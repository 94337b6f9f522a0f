"""Lossless compression: an arithmetic coder on what a network that learns while it reads expects next."""

from minidl.compression.archive import compress, decompress

__all__ = ["compress", "decompress"]
