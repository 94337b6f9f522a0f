"""What a model is, without memory: layers as descriptions, nodes, the graph."""
