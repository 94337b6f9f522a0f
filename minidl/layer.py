"""Names of the first release, so that layers which were written for it go on working; they are in minidl.graph now."""

from minidl.graph.arrays import Cache, InputSpec, Out, Param, State, Tied, Workspace
from minidl.graph.layer import Layer

Port, Carried, Scratch = InputSpec, State, Workspace

__all__ = ["Cache", "Carried", "InputSpec", "Layer", "Out", "Param", "Port", "Scratch", "State", "Tied", "Workspace"]
