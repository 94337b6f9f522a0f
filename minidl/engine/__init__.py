"""How a graph runs: parameters, buffers, forward and backward programs, the executor."""
