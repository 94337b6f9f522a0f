"""Names of the first release, so that model files which were written for it go on working; new ones need only these:

from minidl.graph.layer import Node
from minidl.graph.symbol import Input
"""

from minidl.graph.layer import Node
from minidl.graph.symbol import Input

__all__ = ["Input", "Node"]
